package sqsevent_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	jsonv2 "github.com/go-json-experiment/json"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/sqsevent"
)

// full is a message as Lambda hands it over, with all that is of no use here.
const full = `{"messageId":"m0","receiptHandle":"AQEB","body":"{\"v\":1}","md5OfBody":"e4e68fb7","md5OfMessageAttributes":"00",` +
	`"attributes":{"ApproximateReceiveCount":"3","SentTimestamp":"1545082649183","SequenceNumber":"18","MessageGroupId":"1",` +
	`"SenderId":"AIDA","MessageDeduplicationId":"1","ApproximateFirstReceiveTimestamp":"1545082649185"},` +
	`"messageAttributes":{"k":{"stringValue":"x","binaryValue":"AAEC","stringListValues":["a"],"binaryListValues":[],"dataType":"Binary"}},` +
	`"eventSourceARN":"arn:aws:sqs:ap-northeast-2:000000000000:q","eventSource":"aws:sqs","awsRegion":"ap-northeast-2"}`

var fullRecord = sqsevent.Record{ID: "m0", Source: "aws:sqs", Body: `{"v":1}`, Sent: "1545082649183", Receives: "3"}

func TestParse(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		raw  string
		want sqsevent.Event
	}{
		"all that Lambda gives":    {`{"Records":[` + full + `]}`, sqsevent.Event{Records: []sqsevent.Record{fullRecord}}},
		"the order is kept":        {`{"Records":[{"messageId":"b"},{"messageId":"a"}]}`, sqsevent.Event{Records: []sqsevent.Record{{ID: "b"}, {ID: "a"}}}},
		"nothing of one is next's": {`{"Records":[` + full + `,{"messageId":"m1"}]}`, sqsevent.Event{Records: []sqsevent.Record{fullRecord, {ID: "m1"}}}},
		"white space":              {" {\n\"Records\" :\t[ { \"body\" : \"b\" } ] } ", sqsevent.Event{Records: []sqsevent.Record{{Body: "b"}}}},
		"escapes":                  {`{"Records":[{"body":"\u00e9\n\"\\\ud83d\ude00","messageId":"\u006d"}]}`, sqsevent.Event{Records: []sqsevent.Record{{ID: "m", Body: "é\n\"\\😀"}}}},
		"nulls":                    {`{"Records":[{"messageId":null,"body":null,"eventSource":null,"attributes":null}]}`, sqsevent.Event{Records: []sqsevent.Record{{}}}},
		"nulls in attributes":      {`{"Records":[{"attributes":{"SentTimestamp":null,"ApproximateReceiveCount":null}}]}`, sqsevent.Event{Records: []sqsevent.Record{{}}}},
		"of no use, of any type":   {`{"Records":[{"md5OfBody":1,"attributes":{"SenderId":{}},"messageAttributes":[],"new":{"deep":[[{}]]}}],"x":0}`, sqsevent.Event{Records: []sqsevent.Record{{}}}},
		"another case is another name": {`{"Records":[{"MessageId":"m","BODY":"b"}],"records":[],"WarmUp":true}`,
			sqsevent.Event{Records: []sqsevent.Record{{}}}},
		"no record in the list": {`{"Records":[]}`, sqsevent.Event{Records: []sqsevent.Record{}}},
		"null for a list":       {`{"Records":null}`, sqsevent.Event{}},
		"no list":               {`{}`, sqsevent.Event{}},
		"warm-up":               {`{"warmup":true}`, sqsevent.Event{WarmUp: true}},
		"no warm-up":            {`{"warmup":"true"}`, sqsevent.Event{}},
		"warm-up and a list":    {`{"warmup":true,"Records":[{}]}`, sqsevent.Event{WarmUp: true, Records: []sqsevent.Record{{}}}},
	} {
		got, err := sqsevent.Parse([]byte(row.raw))
		if err != nil || got.WarmUp != row.want.WarmUp || !slices.Equal(got.Records, row.want.Records) || (got.Records == nil) != (row.want.Records == nil) {
			t.Errorf("%s: Parse = %+v, %v; want %+v", name, got, err, row.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "text": `"x"`, "cut short": `{"Records":[` + full,
		"more behind":             `{"Records":[]}{}`,
		"a list with null":        `{"Records":[null]}`,
		"a list of texts":         `{"Records":["x"]}`,
		"a list of lists":         `{"Records":[[]]}`,
		"an object for the list":  `{"Records":{}}`,
		"a text for the list":     `{"Records":"null"}`,
		"id is a number":          `{"Records":[{"messageId":1}]}`,
		"the first id alone":      `{"Records":[{"messageId":1},` + full + `]}`,
		"body is an object":       `{"Records":[{"body":{}}]}`,
		"source is true":          `{"Records":[{"eventSource":true}]}`,
		"attributes are a list":   `{"Records":[{"attributes":[]}]}`,
		"attributes are a text":   `{"Records":[{"attributes":"x"}]}`,
		"time is a number":        `{"Records":[{"attributes":{"SentTimestamp":1,"ApproximateReceiveCount":"1"}}]}`,
		"count is a number":       `{"Records":[{"attributes":{"ApproximateReceiveCount":1,"SentTimestamp":"1"}}]}`,
		"two ids":                 `{"Records":[{"messageId":"a","messageId":"b"}]}`,
		"two bodies, one escaped": `{"Records":[{"body":"a","bod\u0079":"b"}]}`,
		"two lists":               `{"Records":[],"Records":[]}`,
		"not UTF-8":               "{\"Records\":[{\"body\":\"\xff\"}]}",
		"half a surrogate":        `{"Records":[{"body":"\ud83d"}]}`,
		"a control in a text":     "{\"Records\":[{\"body\":\"\x01\"}]}",
		"absurdly deep":           `{"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
	} {
		if e, err := sqsevent.Parse([]byte(raw)); !errors.Is(err, sqsevent.ErrSyntax) || e.Records != nil || e.WarmUp {
			t.Errorf("%s: Parse = %+v, %v", name, e, err)
		}
	}
}

// The largest event that Lambda hands over, and all of it.
func TestParseTheLargest(t *testing.T) {
	t.Parallel()
	const n = 10_000
	raw := `{"Records":[` + full + strings.Repeat(","+full, n-1) + `]}`
	e, err := sqsevent.Parse([]byte(raw))
	if err != nil || len(e.Records) != n || e.Records[n-1] != fullRecord {
		t.Errorf("%d records, %v", len(e.Records), err)
	}
}

// The copy is its own: aws-lambda-go uses the buffer again.
func TestParseKeepsNothingOfTheInput(t *testing.T) {
	t.Parallel()
	raw := []byte(`{"Records":[` + full + `]}`)
	e, err := sqsevent.Parse(raw)
	for i := range raw {
		raw[i] = 'x'
	}
	if err != nil || !slices.Equal(e.Records, []sqsevent.Record{fullRecord}) {
		t.Errorf("Parse = %+v, %v", e, err)
	}
}

// theirs is what aws-lambda-go's types get of the same event.
func theirs(list []events.SQSMessage) []sqsevent.Record {
	var out []sqsevent.Record
	for _, m := range list {
		out = append(out, sqsevent.Record{ID: m.MessageId, Source: m.EventSource, Body: m.Body,
			Sent: m.Attributes["SentTimestamp"], Receives: m.Attributes["ApproximateReceiveCount"]})
	}
	return out
}

// FuzzParse holds that an event that encoding/json takes, and that has one
// reading only, gives the same records here; and that nothing else than JSON is
// taken.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Records":[` + full + `]}`))
	f.Add([]byte(`{"Records":[` + full + `,{"messageId":null,"attributes":null}]}`))
	f.Add([]byte(`{"warmup":true}`))
	f.Add([]byte(`{"Records":[{"body":"\u00e9\ud83d\ude00"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := sqsevent.Parse(raw)
		if err == nil && !json.Valid(raw) {
			t.Fatalf("%q is taken", raw)
		}
		// Exact names, none twice, and UTF-8: what json/v2 asks for too.
		var strict, loose events.SQSEvent
		if jsonv2.Unmarshal(raw, &strict) != nil || json.Unmarshal(raw, &loose) != nil {
			return
		}
		if bytes.Contains(raw, []byte("null")) || bytes.Count(raw, []byte("["))+bytes.Count(raw, []byte("{")) > 64 {
			return // null for an event or a record is one to them, and they go deeper
		}
		if want := theirs(strict.Records); err != nil || !slices.Equal(got.Records, want) {
			t.Fatalf("%q: Parse = %+v, %v; want %+v", raw, got, err, want)
		}
	})
}

// FuzzTexts holds the same for every text that a message can have, written by
// encoding/json.
func FuzzTexts(f *testing.F) {
	f.Add("m0", `{"v":1}`, "1545082649183", "1")
	f.Add("", "é\n\"\\😀\u2028<&>", "x", "\x7f")
	f.Fuzz(func(t *testing.T, id, body, sent, receives string) {
		e := events.SQSEvent{Records: []events.SQSMessage{
			{MessageId: id, Body: body, EventSource: "aws:sqs", Attributes: map[string]string{"SentTimestamp": sent, "ApproximateReceiveCount": receives, "x": id},
				MessageAttributes: map[string]events.SQSMessageAttribute{"k": {StringValue: &body, BinaryValue: []byte(body), DataType: id}}},
			{MessageId: receives, Body: id},
		}}
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back events.SQSEvent // what is not UTF-8 has become U+FFFD
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatal(err)
		}
		got, err := sqsevent.Parse(raw)
		if want := theirs(back.Records); err != nil || !slices.Equal(got.Records, want) {
			t.Fatalf("%s: Parse = %+v, %v; want %+v", raw, got, err, want)
		}
	})
}

// BenchmarkParse is a thousand messages, here and as encoding/json reads them.
func BenchmarkParse(b *testing.B) {
	const n = 1000
	body, _ := json.Marshal(`{"v":1,"sub":"34c84488-e0e1-70ae-d2ee-991ad1a89801","userPoolId":"ap-northeast-2_ExAmPlE01","at":"2026-03-02T09:00:00.123Z"}`)
	one := strings.Replace(full, `"{\"v\":1}"`, string(body), 1)
	raw := []byte(`{"Records":[` + one + strings.Repeat(","+one, n-1) + `]}`)
	for name, parse := range map[string]func() (int, error){
		"this":          func() (int, error) { e, err := sqsevent.Parse(raw); return len(e.Records), err },
		"encoding/json": func() (int, error) { var e events.SQSEvent; err := json.Unmarshal(raw, &e); return len(e.Records), err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got, err := parse(); got != n || err != nil {
					b.Fatal(got, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/message")
		})
	}
}
