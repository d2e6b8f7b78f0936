package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

func signIn(n int) lambda.SignIn {
	return lambda.SignIn{Version: 1, Sub: fmt.Sprintf("sub-%d", n), UserPoolID: "p", At: clock.Add(time.Duration(n) * time.Second)}
}

func newConsumer(t *testing.T, s users.Store, change ...func(*lambda.ConsumerConfig)) *lambda.Consumer {
	t.Helper()
	cfg := lambda.ConsumerConfig{Users: s, Logger: quiet,
		Now: func() time.Time { return clock.Add(time.Hour) }}
	for _, c := range change {
		c(&cfg)
	}
	c, err := lambda.NewConsumer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newQueue(t *testing.T, c *lambda.Consumer, cfg lambda.MemoryQueueConfig) *lambda.MemoryQueue {
	t.Helper()
	cfg.Logger = quiet
	q, err := lambda.NewMemoryQueue(c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func recordedCount(s *fakeStore) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.recorded {
		n += len(b)
	}
	return n
}

func TestConsumerBatches(t *testing.T) {
	t.Parallel()
	s := &fakeStore{unknown: []string{"sub-1"}}
	c := newConsumer(t, s, func(c *lambda.ConsumerConfig) { c.MaxBatch = 4 })
	var in []lambda.SignIn
	for n := range 10 {
		in = append(in, signIn(n))
	}
	in = append(in,
		lambda.SignIn{Version: 1, At: clock},                                          // nobody
		lambda.SignIn{Version: 1, Sub: "a"},                                           // never
		lambda.SignIn{Version: 1, Sub: "a", At: clock.Add(time.Hour + 6*time.Minute)}) // a clock that is ahead
	r, err := c.Record(t.Context(), in)
	if err != nil || r.Updated != 10 || r.Invalid != 3 || len(r.Unknown) != 3 || r.Retries != 0 {
		t.Fatalf("Record = %+v, %v", r, err)
	}
	if len(s.recorded) != 3 || len(s.recorded[0]) != 4 || len(s.recorded[2]) != 2 {
		t.Errorf("batches %v", s.recorded)
	}
}

func TestConsumerNothing(t *testing.T) {
	t.Parallel()
	s := &fakeStore{}
	if r, err := newConsumer(t, s).Record(t.Context(), nil); err != nil || r.Updated != 0 || len(s.recorded) != 0 {
		t.Fatalf("Record = %+v, %v", r, err)
	}
}

func TestConsumerRetries(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		attempts int
		errs     []error // of each try; the last stays
		tries    int
		want     error
		took     time.Duration
	}{
		"the store comes back":    {0, []error{users.ErrUnavailable, users.ErrUnavailable, nil}, 3, nil, 300 * time.Millisecond},
		"attempts are limited":    {2, []error{users.ErrUnavailable}, 2, users.ErrUnavailable, 100 * time.Millisecond},
		"another error ends it":   {0, []error{users.ErrUnavailable, errBroken}, 2, errBroken, 100 * time.Millisecond},
		"the pause has an end":    {8, []error{users.ErrUnavailable}, 8, users.ErrUnavailable, 11300 * time.Millisecond},
		"until the context's end": {0, []error{users.ErrUnavailable}, 17, users.ErrUnavailable, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &fakeStore{onRecord: func(n int) error { return tc.errs[min(n, len(tc.errs))-1] }}
				c := newConsumer(t, s, func(c *lambda.ConsumerConfig) { c.Attempts = tc.attempts })
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				started := time.Now()
				r, err := c.Record(ctx, []lambda.SignIn{signIn(1)})
				if !errors.Is(err, tc.want) || (tc.want == nil) != (err == nil) || len(s.recorded) != tc.tries || r.Retries != tc.tries-1 {
					t.Fatalf("Record = %+v, %v after %d tries, want %v after %d", r, err, len(s.recorded), tc.want, tc.tries)
				}
				if took := time.Since(started); took != tc.took {
					t.Errorf("took %v, want %v", took, tc.took)
				}
			})
		})
	}
}

func TestConsumerAttemptTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConsumer(t, &fakeStore{hang: true}, func(c *lambda.ConsumerConfig) { c.Attempts = 1 })
		started := time.Now()
		if _, err := c.Record(t.Context(), []lambda.SignIn{signIn(1)}); !errors.Is(err, users.ErrUnavailable) || time.Since(started) != 5*time.Second {
			t.Fatalf("Record: %v after %v", err, time.Since(started))
		}
	})
}

func TestConsumerConfigErrors(t *testing.T) {
	t.Parallel()
	if _, err := lambda.NewConsumer(lambda.ConsumerConfig{}); !errors.Is(err, lambda.ErrConfig) {
		t.Errorf("no store: %v", err)
	}
	if _, err := lambda.NewConsumer(lambda.ConsumerConfig{Users: &fakeStore{}, MaxBatch: -1}); !errors.Is(err, lambda.ErrConfig) {
		t.Errorf("negative batch: %v", err)
	}
	if _, err := lambda.NewMemoryQueue(nil, lambda.MemoryQueueConfig{}); !errors.Is(err, lambda.ErrConfig) {
		t.Errorf("no consumer: %v", err)
	}
	if _, err := lambda.NewMemoryQueue(newConsumer(t, &fakeStore{}), lambda.MemoryQueueConfig{Size: -1}); !errors.Is(err, lambda.ErrConfig) {
		t.Errorf("negative size: %v", err)
	}
}

func TestMemoryQueueBatchesWithinItsWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStore{}
		q := newQueue(t, newConsumer(t, s), lambda.MemoryQueueConfig{MaxBatch: 3})
		send := func(n int) {
			if err := q.Send(t.Context(), signIn(n)); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 4 { // a full batch, and one that waits
			send(n)
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if got := recordedCount(s); got != 3 {
			t.Fatalf("%d recorded, want a batch of 3", got)
		}
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		if got := recordedCount(s); got != 4 {
			t.Fatalf("%d recorded, want 4", got)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// The database stands still: Send answers at once, until the queue is full.
func TestMemoryQueueNeverWaitsForTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, newConsumer(t, &fakeStore{hang: true}), lambda.MemoryQueueConfig{Size: 10, MaxBatch: 1})
		if err := q.Send(t.Context(), signIn(0)); err != nil { // the one that hangs
			t.Fatal(err)
		}
		synctest.Wait()
		started := time.Now()
		for n := range 10 {
			if err := q.Send(t.Context(), signIn(n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := q.Send(t.Context(), signIn(11)); !errors.Is(err, lambda.ErrQueueFull) {
			t.Errorf("Send to a full queue: %v", err)
		}
		if took := time.Since(started); took != 0 {
			t.Errorf("Send waited %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(started) > 2*time.Second {
			t.Errorf("Close: %v after %v", err, time.Since(started))
		}
	})
}

func TestMemoryQueueCloseDrains(t *testing.T) {
	t.Parallel()
	s := &fakeStore{onRecord: func(n int) error {
		if n%2 == 1 {
			return users.ErrUnavailable // and tried again
		}
		return nil
	}}
	c := newConsumer(t, s, func(c *lambda.ConsumerConfig) { c.Backoff = time.Microsecond })
	q := newQueue(t, c, lambda.MemoryQueueConfig{})
	const senders, each = 8, 50
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for n := range each {
				if err := q.Send(t.Context(), signIn(n)); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for range 2 { // twice does no harm
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	good := 0
	for i, b := range s.recorded {
		if i%2 == 1 {
			good += len(b)
		}
	}
	if good != senders*each {
		t.Errorf("%d of %d recorded", good, senders*each)
	}
	if err := q.Send(t.Context(), signIn(1)); !errors.Is(err, lambda.ErrQueueClosed) {
		t.Errorf("Send after Close: %v", err)
	}
}

func TestMemoryQueueCloseWhileSending(t *testing.T) {
	t.Parallel()
	s := &fakeStore{}
	q := newQueue(t, newConsumer(t, s), lambda.MemoryQueueConfig{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	for range 8 {
		wg.Go(func() {
			for n := range 200 {
				err := q.Send(t.Context(), signIn(n))
				if err == nil {
					mu.Lock()
					taken++
					mu.Unlock()
				} else if !errors.Is(err, lambda.ErrQueueClosed) {
					t.Errorf("Send: %v", err)
				}
			}
		})
	}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if got := recordedCount(s); got != taken {
		t.Errorf("%d recorded, %d taken", got, taken)
	}
}

func TestMemoryQueueSendCancelled(t *testing.T) {
	t.Parallel()
	q := newQueue(t, newConsumer(t, &fakeStore{}), lambda.MemoryQueueConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Send(ctx, signIn(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Send: %v", err)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestParseSignIn(t *testing.T) {
	t.Parallel()
	good := `{"v":1,"sub":"abc","userPoolId":"p","at":"2026-03-02T09:00:00Z","later":true}`
	s, err := lambda.ParseSignIn([]byte(good))
	if err != nil || s.Sub != "abc" || s.UserPoolID != "p" || !s.At.Equal(clock) {
		t.Fatalf("ParseSignIn = %+v, %v", s, err)
	}
	for name, body := range map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "text": `"abc"`, "cut short": good[:30],
		"version 2":        strings.Replace(good, `"v":1`, `"v":2`, 1),
		"no version":       strings.Replace(good, `"v"`, `"x"`, 1),
		"no sub":           strings.Replace(good, "abc", "", 1),
		"long sub":         strings.Replace(good, "abc", strings.Repeat("a", 300), 1),
		"no time":          strings.Replace(good, `"at"`, `"x"`, 1),
		"another case":     strings.Replace(good, `"sub"`, `"Sub"`, 1),
		"two subs":         strings.Replace(good, `"sub":"abc"`, `"sub":"abd","sub":"abc"`, 1),
		"more behind":      good + "{}",
		"not UTF-8":        strings.Replace(good, "abc", "abc\xff", 1),
		"version as text":  strings.Replace(good, `"v":1`, `"v":"1"`, 1),
		"version 1.0":      strings.Replace(good, `"v":1`, `"v":1.0`, 1),
		"sub is a number":  strings.Replace(good, `"abc"`, `1`, 1),
		"pool is a number": strings.Replace(good, `"p"`, `1`, 1),
		"null for the sub": strings.Replace(good, `"abc"`, `null`, 1),
		"null for a time":  strings.Replace(good, `"2026-03-02T09:00:00Z"`, `null`, 1),
		"absurdly deep":    strings.Replace(good, `true`, strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000), 1),
		"time as ms":       strings.Replace(good, `"2026-03-02T09:00:00Z"`, "1773100800000", 1),
		"bad time":         strings.Replace(good, "2026-03-02", "2026-13-02", 1),
	} {
		s, err := lambda.ParseSignIn([]byte(body))
		if !errors.Is(err, lambda.ErrBadMessage) || strings.Contains(err.Error(), "abc") {
			t.Errorf("%s: ParseSignIn = %+v, %v", name, s, err)
		}
	}
}

// What is read is what encoding/json reads.
func FuzzParseSignIn(f *testing.F) {
	f.Add([]byte(`{"v":1,"sub":"abc","userPoolId":"p","at":"2026-03-02T09:00:00+09:00"}`))
	f.Add([]byte(`{"v":1,"sub":"\u00e9\ud83d\ude00","at":"2026-03-02T09:00:00.123456789Z","x":[{"y":null}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := lambda.ParseSignIn(body)
		if err != nil {
			if !errors.Is(err, lambda.ErrBadMessage) {
				t.Fatalf("ParseSignIn: %v", err)
			}
			return
		}
		if s.Version != 1 || s.Sub == "" || s.At.IsZero() {
			t.Fatalf("ParseSignIn(%q) = %+v", body, s)
		}
		var members map[string]json.RawMessage // its struct fields would match names in any case
		var want lambda.SignIn
		err = json.Unmarshal(body, &members)
		for name, field := range map[string]any{"v": &want.Version, "sub": &want.Sub, "userPoolId": &want.UserPoolID, "at": &want.At} {
			if raw, ok := members[name]; ok {
				err = errors.Join(err, json.Unmarshal(raw, field))
			}
		}
		if err != nil || s.Sub != want.Sub || s.UserPoolID != want.UserPoolID || s.Version != want.Version || !s.At.Equal(want.At) {
			t.Fatalf("ParseSignIn(%q) = %+v, want %+v, %v", body, s, want, err)
		}
	})
}
