package redrive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/redrive"
)

var (
	errAPI   = errors.New("no answer")
	errStore = errors.New("table is away")
)

// broken is a real queue, of which calls fail.
type broken struct {
	*sqs.Client
	calls []string
	// fail, by operation: the error of the call instead of doing it. after: the
	// call is done and its answer lost.
	fail, after map[string]error
	// only the first n entries of a batch are done.
	part map[string]int
	// onReceive is called before each receive.
	onReceive func()
	// visible messages are never hidden, as if the hold were over at once.
	visible bool
}

func (b *broken) before(op string) error {
	b.calls = append(b.calls, op)
	return b.fail[op]
}

func (b *broken) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, o ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	if b.onReceive != nil {
		b.onReceive()
	}
	if err := b.before("receive"); err != nil {
		return nil, err
	}
	if b.visible {
		in.VisibilityTimeout = 0
	}
	return b.Client.ReceiveMessage(ctx, in, o...)
}

func (b *broken) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, o ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	if err := b.before("send"); err != nil {
		return nil, err
	}
	var rest []types.SendMessageBatchRequestEntry
	if n, ok := b.part["send"]; ok {
		in.Entries, rest = in.Entries[:n], in.Entries[n:]
	}
	out, err := b.Client.SendMessageBatch(ctx, in, o...)
	for _, e := range rest {
		out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError")})
	}
	if lost := b.after["send"]; lost != nil {
		return nil, lost
	}
	return out, err
}

func (b *broken) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, o ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	if err := b.before("delete"); err != nil {
		return nil, err
	}
	var failed []types.BatchResultErrorEntry
	if n, ok := b.part["delete"]; ok {
		failed = []types.BatchResultErrorEntry{{Id: in.Entries[n].Id, Code: aws.String("InternalError")}}
		in.Entries = in.Entries[:n]
	}
	out, err := b.Client.DeleteMessageBatch(ctx, in, o...)
	if err == nil {
		out.Failed = failed
	}
	return out, err
}

func (b *broken) ChangeMessageVisibilityBatch(ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput, o ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	if err := b.before("let go"); err != nil {
		return nil, err
	}
	return b.Client.ChangeMessageVisibilityBatch(ctx, in, o...)
}

func body(i int) string {
	return fmt.Sprintf(`{"v":1,"sub":"11111111-2222-4333-8444-%012d","userPoolId":"x_y","at":"2026-01-02T03:04:05Z"}`, i)
}

func newQueue(t *testing.T, dead ...string) (*realtest.Queue, *broken) {
	t.Helper()
	q := realtest.SQS(t).Queue(t, realtest.QueueConfig{VisibilityTimeout: time.Minute})
	for _, b := range dead {
		if _, err := q.Client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.DeadLetterURL, MessageBody: &b}); err != nil {
			t.Fatal(err)
		}
	}
	return q, &broken{Client: q.Client}
}

func config(q *realtest.Queue, api redrive.API) redrive.Config {
	return redrive.Config{API: api, DeadLetterURL: q.DeadLetterURL, QueueURL: q.URL, Apply: true}
}

// Wherever it fails, every message is in one of the queues, or in both, and can
// be seen; the next run does the rest.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	calls := 0
	for name, row := range map[string]struct {
		spoil         func(*broken, *redrive.Config)
		waiting, dead int // after the run that fails
		twice         int
	}{
		"receive fails":        {func(b *broken, _ *redrive.Config) { b.fail = map[string]error{"receive": errAPI} }, 0, 4, 0},
		"send fails":           {func(b *broken, _ *redrive.Config) { b.fail = map[string]error{"send": errAPI} }, 0, 4, 0},
		"answer of send lost":  {func(b *broken, _ *redrive.Config) { b.after = map[string]error{"send": errAPI} }, 3, 4, 0},
		"one of them not sent": {func(b *broken, _ *redrive.Config) { b.part = map[string]int{"send": 2} }, 2, 2, 0},
		"delete fails":         {func(b *broken, _ *redrive.Config) { b.fail = map[string]error{"delete": errAPI} }, 3, 4, 3},
		"one not deleted":      {func(b *broken, _ *redrive.Config) { b.part = map[string]int{"delete": 2} }, 3, 2, 1},
		"store is away at once": {func(_ *broken, c *redrive.Config) {
			c.Known = func(context.Context, string) (bool, error) { return false, errStore }
		}, 0, 4, 0},
		"store goes away": {func(_ *broken, c *redrive.Config) {
			c.Known = func(context.Context, string) (bool, error) {
				if calls++; calls > 2 {
					return false, errStore
				}
				return true, nil
			}
		}, 0, 4, 0},
		"file is full": {func(_ *broken, c *redrive.Config) { c.Unreadable = full{} }, 3, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, api := newQueue(t, body(1), body(2), "poison", body(3))
			cfg := config(q, api)
			row.spoil(api, &cfg)
			report, err := redrive.Run(t.Context(), cfg)
			if err == nil || strings.Contains(err.Error(), "1111") || report.Twice != row.twice {
				t.Errorf("Run = %+v, %v", report, err)
			}
			if w, i, d := q.Counts(t); w != row.waiting || i != 0 || d != row.dead {
				t.Errorf("%d wait, %d dead; want %d and %d", w, d, row.waiting, row.dead)
			}
			again, err := redrive.Run(t.Context(), config(q, q.Client))
			if err != nil || again.Looked != row.dead || again.Left() != 1 { // all were let go, so they are seen at once
				t.Errorf("again: %+v, %v", again, err)
			}
			got := map[string]bool{}
			for {
				out, err := q.Client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.URL, MaxNumberOfMessages: 10})
				if err != nil {
					t.Fatal(err)
				}
				if len(out.Messages) == 0 {
					break
				}
				for _, m := range out.Messages {
					got[*m.Body] = true
				}
			}
			if len(got) != 3 || !got[body(1)] || !got[body(2)] || !got[body(3)] {
				t.Errorf("in the queue: %v", got)
			}
		})
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// synced notes when it was synced.
type synced struct {
	bytes.Buffer
	api *broken
}

func (s *synced) Sync() error { s.api.calls = append(s.api.calls, "sync"); return nil }

func TestOrder(t *testing.T) {
	t.Parallel()
	q, api := newQueue(t, body(1), "poison\u009b2J", body(2))
	cfg := config(q, api)
	file := &synced{api: api}
	cfg.Unreadable = file
	report, err := redrive.Run(t.Context(), cfg)
	if err != nil || report.Left() != 0 || report.Looked != 3 {
		t.Fatalf("%+v, %v", report, err)
	}
	api.calls = slices.DeleteFunc(api.calls, func(op string) bool { return op == "receive" })
	if want := []string{"send", "delete", "sync", "delete"}; !slices.Equal(api.calls, want) {
		t.Errorf("calls %v, want %v", api.calls, want)
	}
	if !strings.Contains(file.String(), `poison\u009b2J`) || strings.Count(file.String(), "\n") != 1 {
		t.Errorf("file: %q", file.String())
	}
}

// A dry run sends and deletes nothing, even with a file.
func TestDryRun(t *testing.T) {
	t.Parallel()
	q, api := newQueue(t, body(1), "poison")
	cfg := config(q, api)
	cfg.Apply, cfg.Unreadable = false, full{}
	report, err := redrive.Run(t.Context(), cfg)
	if err != nil || report.Left() != 2 || slices.Contains(api.calls, "send") || slices.Contains(api.calls, "delete") {
		t.Errorf("%+v, %v, %v", report, err, api.calls)
	}
	if _, _, dead := q.Counts(t); dead != 2 {
		t.Errorf("%d dead", dead)
	}
}

// Interrupted between two batches, what was looked at is let go.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	var bodies []string
	for i := range 25 {
		bodies = append(bodies, body(i))
	}
	q, api := newQueue(t, bodies...)
	ctx, cancel := context.WithCancel(t.Context())
	receives := 0
	api.onReceive = func() {
		if receives++; receives == 3 {
			cancel()
		}
	}
	cfg := config(q, api)
	cfg.Apply = false
	report, err := redrive.Run(ctx, cfg)
	if !errors.Is(err, context.Canceled) || report.Looked != 20 {
		t.Fatalf("%+v, %v", report, err)
	}
	again, err := redrive.Run(t.Context(), config(q, q.Client))
	if err != nil || again.Looked != 25 || again.Left() != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// A run that takes longer than it hides messages ends all the same, and counts
// each once.
func TestHoldIsOver(t *testing.T) {
	t.Parallel()
	q, api := newQueue(t, body(1), "poison")
	api.visible = true
	cfg := config(q, api)
	cfg.Apply = false
	report, err := redrive.Run(t.Context(), cfg)
	if receives := len(api.calls); err != nil || report.Looked != 2 || receives > 4 {
		t.Errorf("%+v, %v, %v", report, err, api.calls)
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	now := time.Now()
	q, api := newQueue(t, body(1), body(2), "x", `{"v":2}`, strings.Replace(body(3), "2026-01-02T03:04:05Z", now.Add(time.Hour).UTC().Format(time.RFC3339), 1))
	cfg := config(q, api)
	cfg.Apply, cfg.Now = false, func() time.Time { return now }
	cfg.Known = func(_ context.Context, sub string) (bool, error) { return strings.HasSuffix(sub, "1"), nil }
	report, err := redrive.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, g := range report.Groups {
		got[string(g.Class)+g.Reason] = g.Found
		if g.Oldest.IsZero() || g.Oldest.After(time.Now()) {
			t.Errorf("%s: oldest %v", g.Class, g.Oldest)
		}
	}
	want := map[string]int{"good": 1, "unknown sub": 1, "unreadablenot its JSON": 1, "unreadableunknown version": 1, "time ahead": 1}
	for name, n := range want {
		if got[name] != n || len(got) != len(want) {
			t.Errorf("groups %v, want %v", got, want)
		}
	}
}
