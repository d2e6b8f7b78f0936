package realtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
)

func wantCounts(t *testing.T, q *realtest.Queue, waiting, inFlight, dead int) {
	t.Helper()
	if w, i, d := q.Counts(t); w != waiting || i != inFlight || d != dead {
		t.Errorf("%d wait, %d in flight, %d dead; want %d, %d, %d", w, i, d, waiting, inFlight, dead)
	}
}

func TestPollerDeletesWhatTheFunctionDid(t *testing.T) {
	t.Parallel()
	server := realtest.SQS(t)
	for name, row := range map[string]struct {
		answer  string // %[1]s is the id of the second of three messages
		err     error
		deleted int // all 3, 2 of them, or none
	}{
		"no answer":              {"", nil, 3},
		"null":                   {"null", nil, 3},
		"empty object":           {"{}", nil, 3},
		"null list":              {`{"batchItemFailures":null}`, nil, 3},
		"empty list":             {`{"batchItemFailures":[]}`, nil, 3},
		"list under other name":  {`{"BatchItemFailures":[{"itemIdentifier":"%[1]s"}]}`, nil, 3},
		"one":                    {`{"batchItemFailures":[{"itemIdentifier":"%[1]s"}]}`, nil, 2},
		"one, twice":             {`{"batchItemFailures":[{"itemIdentifier":"%[1]s"},{"itemIdentifier":"%[1]s"}]}`, nil, 2},
		"one and an unknown":     {`{"batchItemFailures":[{"itemIdentifier":"%[1]s"},{"itemIdentifier":"x"}]}`, nil, 0},
		"an unknown":             {`{"batchItemFailures":[{"itemIdentifier":"x"}]}`, nil, 0},
		"empty id":               {`{"batchItemFailures":[{"itemIdentifier":""}]}`, nil, 0},
		"null id":                {`{"batchItemFailures":[{"itemIdentifier":null}]}`, nil, 0},
		"id under another name":  {`{"batchItemFailures":[{"ItemIdentifier":"%[1]s"}]}`, nil, 0},
		"no JSON":                {`{"batchItemFailures":[`, nil, 0},
		"another kind of list":   {`{"batchItemFailures":["%[1]s"]}`, nil, 0},
		"the function fails":     {"", errors.New("as asked"), 0},
		"fails, with an answer":  {"{}", errors.New("as asked"), 0},
		"text instead of object": {`"ok"`, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := server.Queue(t, realtest.QueueConfig{VisibilityTimeout: time.Minute})
			q.Send(t, "a", "b", "c")
			p := realtest.Poller{Queue: q, Invoke: func(_ context.Context, raw json.RawMessage) (json.RawMessage, error) {
				answer := row.answer
				if strings.Contains(answer, "%") {
					answer = fmt.Sprintf(answer, event(t, raw).Records[1].MessageId)
				}
				return json.RawMessage(answer), row.err
			}}
			r, err := p.Poll(t.Context())
			if err != nil || r.Received != 3 || r.Deleted != row.deleted || (r.Failed != nil) != (row.deleted == 0) {
				t.Errorf("Poll = %+v, %v", r, err)
			}
			wantCounts(t, q, 0, 3-row.deleted, 0)
		})
	}
}

func event(t *testing.T, raw json.RawMessage) (e events.SQSEvent) {
	t.Helper()
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestPollerEvent(t *testing.T) {
	t.Parallel()
	q := realtest.SQS(t).Queue(t, realtest.QueueConfig{VisibilityTimeout: time.Minute})
	var want []string
	for n := range 25 {
		want = append(want, fmt.Sprint("body ", n))
	}
	q.Send(t, want...)
	p := realtest.Poller{Queue: q, BatchSize: 22, Invoke: func(_ context.Context, raw json.RawMessage) (json.RawMessage, error) {
		e := event(t, raw)
		if len(e.Records) != 22 {
			t.Errorf("%d records", len(e.Records))
		}
		m := e.Records[0]
		if m.MessageId == "" || m.ReceiptHandle == "" || !slices.Contains(want, m.Body) || m.EventSource != "aws:sqs" ||
			m.EventSourceARN != q.ARN || m.Attributes["ApproximateReceiveCount"] != "1" || m.Attributes["SentTimestamp"] == "" {
			t.Errorf("record %+v", m)
		}
		return nil, nil
	}}
	for _, n := range []int{22, 3, 0} {
		if n == 3 {
			p.Invoke = func(context.Context, json.RawMessage) (json.RawMessage, error) { return nil, nil }
		}
		if r, err := p.Poll(t.Context()); err != nil || r.Received != n || r.Deleted != n {
			t.Fatalf("Poll = %+v, %v; want %d messages", r, err, n)
		}
	}
}

// What fails comes again after the visibility timeout, and at last goes to the
// dead-letter queue; so does what was not deleted because of a crash.
func TestQueueRedelivers(t *testing.T) {
	t.Parallel()
	q := realtest.SQS(t).Queue(t, realtest.QueueConfig{MaxReceives: 2})
	q.Send(t, "bad", "good")
	crashes, receives := 1, map[string]int{}
	p := realtest.Poller{
		Queue: q, Wait: 3 * time.Second,
		Invoke: func(_ context.Context, raw json.RawMessage) (json.RawMessage, error) {
			answer := events.SQSEventResponse{}
			for _, m := range event(t, raw).Records {
				receives[m.Body]++
				if m.Body == "bad" {
					answer.BatchItemFailures = append(answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
				}
			}
			return json.Marshal(answer)
		},
		BeforeDelete: func() error {
			if crashes--; crashes >= 0 {
				return errCrash
			}
			return nil
		},
	}
	if _, err := p.Poll(t.Context()); !errors.Is(err, errCrash) {
		t.Fatalf("Poll: %v", err)
	}
	if r, err := p.Drain(t.Context(), 2500*time.Millisecond); err != nil || r.Deleted != 1 {
		t.Fatalf("Drain = %+v, %v", r, err)
	}
	if receives["bad"] != 2 || receives["good"] != 2 {
		t.Errorf("receives %v, want 2 of each", receives)
	}
	wantCounts(t, q, 0, 0, 1)
	if dead := q.DeadLetters(t); !slices.Equal(dead, []string{"bad"}) {
		t.Errorf("dead letters %q", dead)
	}
}

var errCrash = errors.New("crash")

func TestSQSServerListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	s := realtest.NewSQS(t)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Skipf("needs Linux: %v", err)
		}
		for line := range strings.Lines(string(raw)) {
			fields := strings.Fields(line)
			if len(fields) > 3 && fields[3] == "0A" && strings.HasSuffix(fields[1], hexPort(t, port)) && !strings.HasPrefix(fields[1], "0100007F:") {
				t.Errorf("it listens on %s", fields[1])
			}
		}
	}
}

func hexPort(t *testing.T, port string) string {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(port, &n); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(":%04X", n)
}

func TestSQSServerFaults(t *testing.T) {
	t.Parallel()
	s := realtest.NewSQS(t)
	q := s.Queue(t, realtest.QueueConfig{})
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	body := "x"
	if _, err := q.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &q.URL, MessageBody: &body}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Send while paused: %v", err)
	}
	s.Resume()
	q.Send(t, "y")
	s.Stop()
	if _, err := q.Client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.URL, MessageBody: &body}); err == nil {
		t.Error("Send after Stop succeeded")
	}
}

// Without its packages the test is skipped, or fails where nothing may be
// missing.
func TestSQSMissing(t *testing.T) {
	realtest.Need(t, "node")
	for _, row := range []struct{ require, want string }{{"", "skip"}, {"1", "fatal"}} {
		t.Run(row.want, func(t *testing.T) {
			t.Setenv(realtest.Require, row.require)
			t.Chdir(t.TempDir()) // from where the packages are not found
			r := &recorder{}
			done := make(chan struct{})
			go func() {
				defer close(done)
				realtest.SQS(r)
			}()
			<-done
			if r.ended != row.want || !strings.Contains(r.said, "npm ci") {
				t.Errorf("ended with %q: %s", r.ended, r.said)
			}
		})
	}
}
