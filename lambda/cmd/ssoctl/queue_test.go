package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
)

const someSub = "11111111-2222-4333-8444-555555555555"

func signInBody(sub string, at time.Time) string {
	return fmt.Sprintf(`{"v":1,"sub":%q,"userPoolId":"ap-northeast-2_Any","at":%q}`, sub, at.Format(time.RFC3339))
}

// queueWorld is a real SQS server with these dead letters.
func queueWorld(t *testing.T, dead ...string) (*world, *realtest.Queue) {
	t.Helper()
	server := realtest.SQS(t)
	q := server.Queue(t, realtest.QueueConfig{VisibilityTimeout: time.Minute})
	for _, body := range dead {
		if _, err := q.Client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.DeadLetterURL, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{dir: t.TempDir()}
	w.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_REGION=" + realtest.Region,
		"AWS_ENDPOINT_URL_SQS=" + server.URL, "SSO_SIGNIN_QUEUE_URL=" + q.URL,
	}
	return w, q
}

func wantLetters(t *testing.T, q *realtest.Queue, waiting, dead int) {
	t.Helper()
	if w, i, d := q.Counts(t); w != waiting || i != 0 || d != dead {
		t.Errorf("%d wait, %d in flight, %d dead; want %d, 0, %d", w, i, d, waiting, dead)
	}
	// What stays is there for others at once.
	out, err := q.Client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &q.DeadLetterURL, AttributeNames: []types.QueueAttributeName{"ApproximateNumberOfMessagesNotVisible"}})
	if err != nil || out.Attributes["ApproximateNumberOfMessagesNotVisible"] != "0" {
		t.Errorf("dead letters are hidden still: %v, %v", out, err)
	}
}

func letters() []string {
	now := time.Now()
	all := []string{"{", `{"v":1,"sub":"` + someSub + `"}`, `{"v":9}`, signInBody(someSub, now.Add(time.Hour))}
	for i := range 23 {
		all = append(all, signInBody(someSub, now.Add(-time.Duration(i)*time.Minute)))
	}
	return all
}

func TestRedrive(t *testing.T) {
	t.Parallel()
	w, q := queueWorld(t, letters()...)
	dry := w.run(t, "queue", "redrive")
	if dry.status != drift || dry.err != "" || !strings.Contains(dry.out, "nothing was changed") {
		t.Fatalf("dry run: %+v", dry)
	}
	for _, want := range []string{"good", "23", "unreadable: not its JSON", "unreadable: unknown version", "unreadable: unusable sub or time", "time ahead", "--apply"} {
		if !strings.Contains(dry.out, want) {
			t.Errorf("the table does not say %q:\n%s", want, dry.out)
		}
	}
	wantLetters(t, q, 0, 27)
	applied := w.run(t, "queue", "redrive", "--apply")
	if applied.status != drift || !strings.Contains(applied.out, "4 left") {
		t.Errorf("--apply: %+v", applied)
	}
	wantLetters(t, q, 23, 4)
	file := filepath.Join(w.dir, "poison.jsonl")
	dropped := w.run(t, "queue", "redrive", "--apply", "--delete-unreadable", file)
	if dropped.status != drift || !strings.Contains(dropped.out, "1 left") {
		t.Errorf("--delete-unreadable: %+v", dropped)
	}
	wantLetters(t, q, 23, 1)
	text, err := os.ReadFile(file)
	if info, statErr := os.Stat(file); err != nil || statErr != nil || info.Mode().Perm() != 0o600 || bytes.Count(text, []byte("\n")) != 3 {
		t.Errorf("file: %s, %v", text, err)
	}
	for _, body := range letters()[:3] {
		quoted, _ := json.Marshal(body)
		if !bytes.Contains(text, quoted) {
			t.Errorf("the file has not %s", body)
		}
	}
	if again := w.run(t, "queue", "redrive", "--apply", "--delete-unreadable", file); again.status != usage || !strings.Contains(again.err, "--delete-unreadable") {
		t.Errorf("a file is written over: %+v", again)
	}
	other := filepath.Join(w.dir, "none.jsonl")
	if r := w.run(t, "queue", "redrive", "--apply", "--delete-unreadable", other); r.status != drift {
		t.Errorf("nothing to delete: %+v", r)
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("an empty file is left")
	}
	for _, r := range []result{dry, applied, dropped} {
		if strings.Contains(r.out+r.err, "1111") {
			t.Errorf("the output has a sub: %+v", r)
		}
	}
}

// What is moved is what was there, each once.
func TestRedriveKeepsBodies(t *testing.T) {
	t.Parallel()
	now := time.Now()
	want := map[string]int{}
	var bodies []string
	for i := range 12 {
		body := signInBody(someSub, now.Add(-time.Duration(i)*time.Second))
		want[body]++
		bodies = append(bodies, body)
	}
	w, q := queueWorld(t, bodies...)
	if r := w.run(t, "queue", "redrive", "--apply"); r.status != ok || !strings.Contains(r.out, "none is left") {
		t.Fatalf("%+v", r)
	}
	wantLetters(t, q, 12, 0)
	for range 12 {
		out, err := q.Client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.URL, MaxNumberOfMessages: 1})
		if err != nil || len(out.Messages) != 1 {
			t.Fatalf("%v, %v", out, err)
		}
		want[*out.Messages[0].Body]--
	}
	for body, n := range want {
		if n != 0 {
			t.Errorf("%d times too few: %s", n, body)
		}
	}
	if r := w.run(t, "queue", "redrive", "--apply"); r.status != ok || !strings.Contains(r.out, "is empty") {
		t.Errorf("of nothing: %+v", r)
	}
}

func TestRedriveOptions(t *testing.T) {
	t.Parallel()
	now := time.Now()
	good := []string{signInBody(someSub, now), signInBody("22222222-2222-4333-8444-555555555555", now), signInBody(someSub, now.Add(-time.Hour))}
	for name, row := range map[string]struct {
		args          []string
		status        int
		want          string
		waiting, dead int
	}{
		"limit":            {[]string{"--apply", "--limit", "2"}, drift, "--limit ended it", 2, 1},
		"too old":          {[]string{"--apply", "--max-age", "1ns"}, drift, "old", 0, 3},
		"young enough":     {[]string{"--apply", "--max-age", "24h"}, ok, "none is left", 3, 0},
		"sub without row":  {[]string{"--apply", "--check-subs"}, drift, "reconcile --apply", 2, 1},
		"JSON":             {[]string{"--apply", "--json"}, ok, `"moved": 3`, 3, 0},
		"JSON of dry run":  {[]string{"--json"}, drift, `"applied": false`, 0, 3},
		"dry run of subs":  {[]string{"--check-subs"}, drift, "unknown sub", 0, 3},
		"queue by flag":    {[]string{"--apply", "--queue", "URL"}, ok, "none is left", 3, 0},
		"short hold is ok": {[]string{"--apply", "--hold", "10s"}, ok, "none is left", 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, q := queueWorld(t, good...)
			w = w.sqlite(t)
			w.row(t, someSub, "")
			for i := range row.args {
				row.args[i] = strings.ReplaceAll(row.args[i], "URL", q.URL)
			}
			r := w.run(t, append([]string{"queue", "redrive"}, row.args...)...)
			if r.status != row.status || !strings.Contains(r.out, row.want) {
				t.Errorf("%+v", r)
			}
			wantLetters(t, q, row.waiting, row.dead)
		})
	}
}

func TestRedriveRefuses(t *testing.T) {
	t.Parallel()
	w, q := queueWorld(t)
	for name, row := range map[string]struct {
		env, args []string
		status    int
		want      string
	}{
		"no queue":            {[]string{"SSO_SIGNIN_QUEUE_URL="}, nil, usage, "SSO_SIGNIN_QUEUE_URL"},
		"no URL":              {nil, []string{"--queue", "sign-ins"}, usage, "--queue"},
		"FIFO":                {nil, []string{"--queue", "https://sqs.us-east-1.amazonaws.com/1/x.fifo"}, usage, "FIFO"},
		"the dead one":        {nil, []string{"--queue", q.DeadLetterURL}, usage, "Name the queue of sign-ins"},
		"no such queue":       {nil, []string{"--queue", q.URL + "-not"}, unfinished, "GetQueueAttributes: "},
		"delete, but dry run": {nil, []string{"--delete-unreadable", "x"}, usage, "--apply"},
		"negative limit":      {nil, []string{"--limit", "-1"}, usage, "--limit"},
		"negative age":        {nil, []string{"--max-age", "-1s"}, usage, "--max-age"},
		"no hold":             {nil, []string{"--hold", "0"}, usage, "--hold"},
		"subs of no table":    {nil, []string{"--check-subs"}, usage, "SSO_STORE"},
		"server is gone":      {[]string{"AWS_ENDPOINT_URL_SQS=http://127.0.0.1:1", "AWS_MAX_ATTEMPTS=1"}, nil, unfinished, "GetQueueAttributes"},
		"of no command":       {nil, nil, usage, "redrive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"queue", "redrive"}, row.args...)
			if name == "of no command" {
				args = []string{"queue"}
			}
			if r := w.with(row.env...).run(t, args...); r.status != row.status || r.out != "" || !strings.Contains(r.err, row.want) {
				t.Errorf("%+v", r)
			}
		})
	}
}
