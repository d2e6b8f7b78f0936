package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/secretscan"
	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// fakeStore is the user table where failures are injected. What a store must
// do is tested by users/userstest.
type fakeStore struct {
	mu       sync.Mutex
	err      error // what every call returns
	hang     bool  // wait for the context to end
	delay    time.Duration
	panics   bool
	rows     map[string]string
	ensured  []users.Identity
	lookups  []string
	recorded [][]users.SignIn
	outcome  users.Outcome
	noTimes  bool // it records no sign-ins with a row
	unknown  []string
	onRecord func(attempt int) error
}

func (s *fakeStore) wait(ctx context.Context) error {
	if s.panics {
		panic("for hana@example.test")
	}
	if s.delay > 0 {
		select {
		case <-ctx.Done():
			return users.ErrUnavailable
		case <-time.After(s.delay):
		}
	}
	if s.hang {
		<-ctx.Done()
		return users.ErrUnavailable
	}
	return s.err
}

func (s *fakeStore) Ensure(ctx context.Context, id users.Identity) (users.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ensured = append(s.ensured, id)
	if err := s.wait(ctx); err != nil {
		return users.Result{}, err
	}
	if s.rows == nil {
		s.rows = map[string]string{}
	}
	o := users.Existing
	if s.rows[id.Sub] == "" {
		s.rows[id.Sub], o = strconv.Itoa(1000+len(s.rows)), users.Created
	}
	if s.outcome != "" {
		o = s.outcome
	}
	recorded := o != users.Existing && !id.At.IsZero() && !s.noTimes
	return users.Result{ID: s.rows[id.Sub], Outcome: o, SignInRecorded: recorded}, nil
}

func (s *fakeStore) IDBySub(ctx context.Context, sub string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lookups = append(s.lookups, sub)
	if err := s.wait(ctx); err != nil {
		return "", err
	}
	if id := s.rows[sub]; id != "" {
		return id, nil
	}
	return "", users.ErrNotFound
}

func (s *fakeStore) RecordSignIns(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	if s.hang {
		<-ctx.Done()
		return users.SignInReport{}, users.ErrUnavailable
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recorded = append(s.recorded, batch)
	err := s.err
	if s.onRecord != nil {
		err = s.onRecord(len(s.recorded))
	}
	return users.SignInReport{Updated: len(batch), Unknown: s.unknown}, err
}

func (s *fakeStore) Get(context.Context, string) (users.User, error) {
	return users.User{}, users.ErrNotFound
}
func (s *fakeStore) Page(context.Context, string, int) ([]users.User, error) { return nil, nil }

// fakeAttributes notes every write.
type fakeAttributes struct {
	mu     sync.Mutex
	err    error
	hang   bool
	panics bool
	sets   [][4]string
}

func (a *fakeAttributes) SetUserID(ctx context.Context, pool, username, name, value string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sets = append(a.sets, [4]string{pool, username, name, value})
	if a.panics {
		panic("for hana@example.test")
	}
	if a.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return a.err
}

// fakeQueue notes every sign-in.
type fakeQueue struct {
	mu     sync.Mutex
	err    error
	hang   bool
	panics bool
	sent   []lambda.SignIn
}

func (q *fakeQueue) Send(ctx context.Context, s lambda.SignIn) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.panics {
		panic("for hana@example.test")
	}
	if q.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if q.err == nil {
		q.sent = append(q.sent, s)
	}
	return q.err
}

// world is Triggers with every seam faked.
type world struct {
	*lambda.Triggers
	store   *fakeStore
	attrs   *fakeAttributes
	queue   *fakeQueue
	results []lambda.Result
	log     *bytes.Buffer
}

var clock = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, change ...func(*lambda.Config)) *world {
	t.Helper()
	w := &world{store: &fakeStore{}, attrs: &fakeAttributes{}, queue: &fakeQueue{}, log: &bytes.Buffer{}}
	cfg := lambda.Config{
		Users: w.store, Attributes: w.attrs, SignIns: w.queue,
		Providers: []string{"Kakao", "Google"},
		Logger:    slog.New(slog.NewJSONHandler(io.MultiWriter(w.log, secretscan.Writer("a log of the triggers")), &slog.HandlerOptions{Level: slog.LevelDebug})),
		OnResult:  func(r lambda.Result) { w.results = append(w.results, r) },
		Now:       func() time.Time { return clock },
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if w.Triggers, err = lambda.NewTriggers(cfg); err != nil {
		t.Fatalf("NewTriggers: %v", err)
	}
	return w
}

// result is that of the only event.
func (w *world) result(t *testing.T) lambda.Result {
	t.Helper()
	if len(w.results) != 1 {
		t.Fatalf("%d results, want 1", len(w.results))
	}
	return w.results[0]
}

func fixture(t testing.TB, name string) json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// changed is a fixture with old replaced by new, which must be in it.
func changed(t testing.TB, name, old, new string) json.RawMessage {
	t.Helper()
	raw := string(fixture(t, name))
	if !strings.Contains(raw, old) {
		t.Fatalf("%s has no %s", name, old)
	}
	return json.RawMessage(strings.ReplaceAll(raw, old, new))
}

// decode keeps numbers as they are written.
func decode(t testing.TB, raw json.RawMessage) map[string]any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("not an object: %v", err)
	}
	return v
}

// personal is what must be in no log and no error.
var personal = []string{
	"34c84488", "4000000001", "109000000000000000001", "example.test", "김하나", "두리", "Kakao_", "google_", "not-a-real-token",
}

func wantNothingPersonal(t *testing.T, where, text string) {
	t.Helper()
	for _, p := range personal {
		if strings.Contains(text, p) {
			t.Errorf("%s has personal data (%s): %s", where, p, text)
		}
	}
}

var quiet = slog.New(slog.NewJSONHandler(secretscan.Writer("a log of the triggers"), nil))
