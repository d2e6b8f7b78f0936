package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	awslambda "github.com/aws/aws-lambda-go/lambda"

	"github.com/ssu-itsupport/cognito-sso/internal/secretscan"
	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/emf"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// signInStore is a user table for sign-ins alone, which fails as it is told.
type signInStore struct {
	users.Store
	mu       sync.Mutex // guards what follows
	login    map[string]time.Time
	calls    [][]users.SignIn
	onRecord func(ctx context.Context, call int, batch []users.SignIn) error
}

func (s *signInStore) RecordSignIns(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, batch)
	if s.onRecord != nil {
		if err := s.onRecord(ctx, len(s.calls), batch); err != nil {
			return users.SignInReport{}, err
		}
	}
	var r users.SignInReport
	for _, one := range users.Latest(batch) {
		last, known := s.login[one.Sub]
		switch {
		case !known:
			r.Unknown = append(r.Unknown, one.Sub)
		case one.At.After(last):
			s.login[one.Sub] = one.At
			r.Updated++
		}
	}
	return r, nil
}

func (s *signInStore) sizes() (out []int) {
	for _, c := range s.calls {
		out = append(out, len(c))
	}
	return out
}

// signInWorld is the handler over that table.
type signInWorld struct {
	*lambda.SignInsHandler
	store   *signInStore
	results []lambda.SignInsResult
	log     bytes.Buffer
}

func newSignInWorld(t testing.TB, change ...func(*lambda.ConsumerConfig)) *signInWorld {
	t.Helper()
	w := &signInWorld{store: &signInStore{login: map[string]time.Time{}}}
	for n := range 3000 {
		w.store.login[subOf(n)] = time.Time{}
	}
	log := slog.New(slog.NewJSONHandler(io.MultiWriter(&w.log, secretscan.Writer("a log of the consumer")), nil))
	cfg := lambda.ConsumerConfig{Users: w.store, Logger: log, Now: func() time.Time { return clock }}
	for _, c := range change {
		c(&cfg)
	}
	consumer, err := lambda.NewConsumer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.SignInsHandler, err = lambda.NewSignInsHandler(consumer, lambda.SignInsHandlerConfig{
		Logger: log, OnResult: func(r lambda.SignInsResult) { w.results = append(w.results, r) }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func subOf(n int) string { return fmt.Sprintf("34c84488-%d", n) }

func signInBody(n int, at time.Time) string {
	raw, err := json.Marshal(lambda.SignIn{Version: 1, Sub: subOf(n), UserPoolID: "p", At: at})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// sqsEvent has the bodies in messages m0, m1, …
func sqsEvent(bodies ...string) json.RawMessage {
	e := events.SQSEvent{Records: []events.SQSMessage{}}
	for n, body := range bodies {
		e.Records = append(e.Records, events.SQSMessage{
			MessageId: fmt.Sprint("m", n), Body: body, EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:us-east-1:000000000000:q",
			Attributes: map[string]string{"ApproximateReceiveCount": "2", "SentTimestamp": fmt.Sprint(clock.Add(-time.Minute).UnixMilli())},
		})
	}
	raw, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return raw
}

func manySignIns(from, to int) (bodies []string) {
	for n := from; n < to; n++ {
		bodies = append(bodies, signInBody(n, clock))
	}
	return bodies
}

func ids(from, to int) (out []string) {
	for n := from; n < to; n++ {
		out = append(out, fmt.Sprint("m", n))
	}
	return out
}

// failures are the ids in an answer, which must be a list.
func failures(t testing.TB, raw json.RawMessage) []string {
	t.Helper()
	var answer struct {
		BatchItemFailures []struct {
			ItemIdentifier string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || !strings.HasPrefix(string(raw), `{"batchItemFailures":[`) {
		t.Fatalf("answer %s: %v", raw, err)
	}
	out := []string{}
	for _, f := range answer.BatchItemFailures {
		out = append(out, f.ItemIdentifier)
	}
	slices.Sort(out)
	return out
}

func (w *signInWorld) handle(t testing.TB, ctx context.Context, event json.RawMessage) ([]string, lambda.SignInsResult) { //nolint:revive // t first, as everywhere in tests
	t.Helper()
	w.results = nil
	raw, err := w.Handle(ctx, event)
	if err != nil {
		t.Fatalf("Handle: %v", err)
	}
	if len(w.results) != 1 {
		t.Fatalf("%d results", len(w.results))
	}
	return failures(t, raw), w.results[0]
}

func TestSignInsHandler(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		bodies []string
		failed []string
		want   lambda.SignInsResult
		sizes  []int
	}{
		"nothing": {nil, nil, lambda.SignInsResult{}, nil},
		"three":   {manySignIns(0, 3), nil, lambda.SignInsResult{Messages: 3, Done: 3, Updated: 3, Statements: 1}, []int{3}},
		"2,500 in three statements": {manySignIns(0, 2500), nil,
			lambda.SignInsResult{Messages: 2500, Done: 2500, Updated: 2500, Statements: 3}, []int{1000, 1000, 500}},
		"duplicates, and out of order": {[]string{signInBody(1, clock), signInBody(1, clock.Add(-time.Hour)), signInBody(1, clock)}, nil,
			lambda.SignInsResult{Messages: 3, Done: 3, Updated: 1, Statements: 1}, []int{3}},
		"unknown subs are counted": {[]string{signInBody(1, clock), signInBody(9999, clock)}, nil,
			lambda.SignInsResult{Messages: 2, Done: 2, Updated: 1, Unknown: 1, Statements: 1}, []int{2}},
		"poison among good ones": {[]string{signInBody(1, clock), "{", signInBody(2, clock), `{"v":2,"sub":"x"}`, "", "null"}, []string{"m1", "m3", "m4", "m5"},
			lambda.SignInsResult{Messages: 6, Done: 2, Updated: 2, Poison: 4, Statements: 1}, []int{2}},
		"only poison": {[]string{"hello"}, []string{"m0"}, lambda.SignInsResult{Messages: 1, Poison: 1}, nil},
		"from the future": {[]string{signInBody(1, clock.Add(5*time.Minute)), signInBody(2, clock.Add(6*time.Minute))}, []string{"m1"},
			lambda.SignInsResult{Messages: 2, Done: 1, Updated: 1, Poison: 1, Statements: 1}, []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSignInWorld(t)
			failed, r := w.handle(t, t.Context(), sqsEvent(row.bodies...))
			if r.Messages > 0 {
				row.want.Lag = time.Minute
			}
			r.Duration = 0
			if !slices.Equal(failed, row.failed) || r != row.want || !slices.Equal(w.store.sizes(), row.sizes) {
				t.Errorf("failed %v, result %+v, statements of %v; want %v, %+v, %v", failed, r, w.store.sizes(), row.failed, row.want, row.sizes)
			}
			wantNothingPersonal(t, "the log", w.log.String())
		})
	}
}

func TestSignInsHandlerLogsPoison(t *testing.T) {
	t.Parallel()
	w := newSignInWorld(t)
	w.handle(t, t.Context(), sqsEvent(`{"v":1,"sub":"34c84488","at":"김하나"}`, signInBody(1, clock.Add(time.Hour))))
	for _, want := range []string{`"reason":"malformed","message_id":"m0","receive_count":2`, `"reason":"time_ahead","message_id":"m1"`} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, w.log.String())
		}
	}
	wantNothingPersonal(t, "the log", w.log.String())
}

// What is no event of SQS fails as a whole: there are no ids to name.
func TestSignInsHandlerBadEvents(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "text": `"x"`, "half": `{"Records":[`,
		"no records":       "{}",
		"null records":     `{"Records":null}`,
		"another source":   strings.Replace(string(sqsEvent("{}")), `"eventSource":"aws:sqs"`, `"eventSource":"aws:kinesis"`, 1),
		"no id":            strings.Replace(string(sqsEvent("{}")), "m0", "", 1),
		"a trigger event":  `{"triggerSource":"PostAuthentication_Authentication","request":{}}`,
		"warm-up as text":  `{"warmup":"true"}`,
		"body is no text":  strings.Replace(string(sqsEvent("b")), `"b"`, "{}", 1),
		"records are text": `{"Records":["34c84488"]}`,
	} {
		w := newSignInWorld(t)
		out, err := w.Handle(t.Context(), json.RawMessage(raw))
		if !errors.Is(err, lambda.ErrBadEvent) || out != nil || len(w.store.calls) > 0 {
			t.Errorf("%s: %s, %v", name, out, err)
		}
		wantNothingPersonal(t, "the log", w.log.String())
	}
}

// aws-lambda-go hands over bytes, and its functions and ours agree.
func TestSignInsHandlerIsAHandler(t *testing.T) {
	t.Parallel()
	var h awslambda.Handler = newSignInWorld(t)
	out, err := awslambda.NewHandler(h).Invoke(t.Context(), sqsEvent(signInBody(1, clock), "{"))
	if err != nil || !slices.Equal(failures(t, out), []string{"m1"}) {
		t.Errorf("Invoke = %s, %v", out, err)
	}
	if out, err := h.Invoke(t.Context(), []byte(`{"Records":[`)); !errors.Is(err, lambda.ErrBadEvent) || out != nil {
		t.Errorf("Invoke = %s, %v", out, err)
	}
}

func TestSignInsHandlerWarmUp(t *testing.T) {
	t.Parallel()
	w := newSignInWorld(t)
	out, err := w.Handle(t.Context(), json.RawMessage(`{"warmup":true}`))
	if err != nil || string(out) != `{"batchItemFailures":[]}` || len(w.store.calls) > 0 || len(w.results) > 0 {
		t.Errorf("Handle = %s, %v", out, err)
	}
	// A message is none, whatever stands beside it.
	out, err = w.Handle(t.Context(), json.RawMessage(strings.Replace(string(sqsEvent("{}")), "{", `{"warmup":true,`, 1)))
	if err != nil || len(failures(t, out)) != 1 {
		t.Errorf("Handle = %s, %v", out, err)
	}
}

// When one statement fails, its messages come again, and no others.
func TestSignInsHandlerFailsByStatement(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		err    error
		reason string
	}{
		"unavailable": {users.ErrUnavailable, "unavailable"},
		"schema":      {fmt.Errorf("column: %w", users.ErrSchema), "schema"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSignInWorld(t, func(c *lambda.ConsumerConfig) { c.Attempts = 1 })
			w.store.onRecord = func(_ context.Context, call int, _ []users.SignIn) error {
				if call == 2 {
					return row.err
				}
				return nil
			}
			failed, r := w.handle(t, t.Context(), sqsEvent(append(manySignIns(0, 2500), "poison")...))
			want := append(ids(1000, 2000), "m2500")
			slices.Sort(want)
			if !slices.Equal(failed, want) || r.Done != 1500 || r.Failed != 1000 || r.Poison != 1 || r.Statements != 3 {
				t.Errorf("%d failed, result %+v", len(failed), r)
			}
			if !strings.Contains(w.log.String(), `"reason":"`+row.reason+`"`) {
				t.Errorf("log: %s", w.log.String())
			}
		})
	}
}

// The store refuses one message of a thousand, by an error or by a panic: it
// alone goes to the dead-letter queue.
func TestSignInsHandlerFindsWhatTheStoreRefuses(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"error":   func() error { return errors.New("invalid byte sequence") },
		"a CHECK": func() error { return fmt.Errorf("constraint early: %w", users.ErrInvalid) },
		"panic":   func() error { panic("34c84488") },
	} {
		for _, at := range [][]int{{0}, {999}, {437}, {1, 500, 501}} {
			t.Run(fmt.Sprint(name, at), func(t *testing.T) {
				t.Parallel()
				w := newSignInWorld(t)
				w.store.onRecord = func(_ context.Context, _ int, batch []users.SignIn) error {
					for _, n := range at {
						if slices.ContainsFunc(batch, func(s users.SignIn) bool { return s.Sub == subOf(n) }) {
							return fail()
						}
					}
					return nil
				}
				failed, r := w.handle(t, t.Context(), sqsEvent(manySignIns(0, 1000)...))
				var want []string
				for _, n := range at {
					want = append(want, fmt.Sprint("m", n))
				}
				if !slices.Equal(failed, want) || r.Done != 1000-len(at) || r.Poison != len(at) || r.Failed != 0 || r.Statements > 21*len(at) {
					t.Errorf("failed %v, result %+v", failed, r)
				}
				if n := strings.Count(w.log.String(), `"reason":"refused"`); n != len(at) {
					t.Errorf("%d reasons in the log", n)
				}
				wantNothingPersonal(t, "the log", w.log.String())
			})
		}
	}
}

// The store fails for all alike, not for lack of a connection: they fail, none
// is called poison, and the store is not asked a thousand times.
func TestSignInsHandlerStoreIsBroken(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 10, 1000} {
		w := newSignInWorld(t)
		w.store.onRecord = func(context.Context, int, []users.SignIn) error { return errors.New("permission denied") }
		failed, r := w.handle(t, t.Context(), sqsEvent(manySignIns(0, n)...))
		if len(failed) != n || r.Failed != n || r.Poison != 0 || r.Done != 0 || r.Statements > 100 {
			t.Errorf("%d messages: %d failed, result %+v", n, len(failed), r)
		}
	}
}

// The store hangs, or stays away: the answer comes before the function is
// killed, with every message that was not recorded.
func TestSignInsHandlerAnswersInTime(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		deadline, atMost time.Duration
		store            func(ctx context.Context) error
	}{
		"away":               {10 * time.Second, 9500 * time.Millisecond, func(context.Context) error { return users.ErrUnavailable }},
		"hangs":              {10 * time.Second, 9500 * time.Millisecond, func(ctx context.Context) error { <-ctx.Done(); return users.ErrUnavailable }},
		"little time":        {400 * time.Millisecond, 200 * time.Millisecond, func(ctx context.Context) error { <-ctx.Done(); return users.ErrUnavailable }},
		"nobody says when":   {0, 25 * time.Second, func(context.Context) error { return users.ErrUnavailable }},
		"a driver's own end": {10 * time.Second, 9500 * time.Millisecond, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newSignInWorld(t)
				w.store.onRecord = func(ctx context.Context, call int, _ []users.SignIn) error {
					if call == 1 {
						return nil
					}
					return row.store(ctx)
				}
				ctx := t.Context()
				if row.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, row.deadline)
					defer cancel()
				}
				started := time.Now()
				failed, r := w.handle(t, ctx, sqsEvent(manySignIns(0, 2500)...))
				if took := time.Since(started); took > row.atMost || ctx.Err() != nil {
					t.Errorf("took %v, context %v", took, ctx.Err())
				}
				if len(failed) != 1500 || r.Done != 1000 || r.Failed != 1500 || r.Poison != 0 {
					t.Errorf("%d failed, result %+v", len(failed), r)
				}
			})
		})
	}
}

// The clock goes back while the handler works: what the consumer then takes
// for the future is not taken for done.
func TestSignInsHandlerClockGoesBack(t *testing.T) {
	t.Parallel()
	asked := 0
	w := newSignInWorld(t, func(c *lambda.ConsumerConfig) {
		c.Now = func() time.Time {
			if asked++; asked > 1 {
				return clock.Add(-10 * time.Minute)
			}
			return clock
		}
	})
	if failed, r := w.handle(t, t.Context(), sqsEvent(signInBody(1, clock))); len(failed) != 1 || r.Done != 0 {
		t.Errorf("failed %v, result %+v", failed, r)
	}
}

func TestSignInsHandlerConfigErrors(t *testing.T) {
	t.Parallel()
	if _, err := lambda.NewSignInsHandler(nil, lambda.SignInsHandlerConfig{}); !errors.Is(err, lambda.ErrConfig) {
		t.Errorf("no consumer: %v", err)
	}
	c, err := lambda.NewConsumer(lambda.ConsumerConfig{Users: &signInStore{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []lambda.SignInsHandlerConfig{{Reserve: -1}, {Timeout: -1}} {
		if _, err := lambda.NewSignInsHandler(c, cfg); !errors.Is(err, lambda.ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestSignInsEMF(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w, err := emf.New(&out, emf.Config{Namespace: "SSO", Dimensions: map[string]string{"Function": "sso-signins"}})
	if err != nil {
		t.Fatal(err)
	}
	lambda.SignInsEMF(w, nil)(lambda.SignInsResult{Messages: 7, Updated: 4, Unknown: 1, Poison: 2, Failed: 3, Statements: 5, Retries: 6,
		Lag: 1500 * time.Millisecond, Duration: 2500 * time.Microsecond})
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"Messages": 7, "Updated": 4, "Unknown": 1, "Poison": 2, "Failed": 3, "Statements": 5, "Retries": 6, "Lag": 1500, "Duration": 2.5} {
		if line[name] != want {
			t.Errorf("%s is %v, want %v", name, line[name], want)
		}
	}
}

// Every message is done or reported, whatever is in the bodies and however the
// store fails.
func FuzzSignInsHandler(f *testing.F) {
	f.Add([]byte(sqsEvent(signInBody(1, clock), "{")), uint64(1))
	f.Add([]byte(`{"warmup":true}`), uint64(0))
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		w := newSignInWorld(t, func(c *lambda.ConsumerConfig) { c.Attempts = 1 })
		w.store.onRecord = func(context.Context, int, []users.SignIn) error {
			return []error{nil, nil, users.ErrUnavailable, users.ErrSchema, errBroken}[random.IntN(5)]
		}
		out, err := w.Handle(t.Context(), raw)
		if err != nil {
			if !errors.Is(err, lambda.ErrBadEvent) {
				t.Fatalf("Handle: %v", err)
			}
			return
		}
		if len(w.results) == 0 {
			return // a warm-up
		}
		r := w.results[0]
		if failed := failures(t, out); r.Done+r.Poison+r.Failed != r.Messages || len(failed) != r.Poison+r.Failed || slices.Contains(failed, "") {
			t.Errorf("failed %q, result %+v", failed, r)
		}
	})
}
