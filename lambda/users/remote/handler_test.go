package remote_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/remote"
)

func ask(t testing.TB, h remote.Handler, raw string) string {
	t.Helper()
	got, err := h(context.Background(), json.RawMessage(raw))
	if err != nil {
		t.Fatalf("the handler returned an error: %v", err)
	}
	return string(got)
}

func code(c string) string { return `{"v":1,"error":{"code":"` + c + `"}}` }

func TestHandlerRefuses(t *testing.T) {
	t.Parallel()
	// A store that panics when it is asked at all.
	h := newHandler(t, stub{})
	for name, row := range map[string]struct{ request, want string }{
		"nothing":               {``, code("bad_request")},
		"null":                  {`null`, code("bad_request")},
		"text":                  {`"ensure"`, code("bad_request")},
		"a list":                {`[{"v":1}]`, code("bad_request")},
		"half":                  {`{"v":1,"op":"ens`, code("bad_request")},
		"two values":            {`{"v":1,"op":"ping"} {}`, code("bad_request")},
		"version as text":       {`{"v":"1","op":"ping"}`, code("bad_request")},
		"too large":             {`{"v":1,"op":"ping","x":"` + strings.Repeat("x", 6<<20) + `"}`, code("bad_request")},
		"no version":            {`{"op":"ping"}`, code("version")},
		"a trigger's event":     {`{"version":"1","triggerSource":"PostConfirmation_ConfirmSignUp"}`, code("version")},
		"version 0":             {`{"v":0,"op":"ping"}`, code("version")},
		"version 2":             {`{"v":2,"op":"ping"}`, code("version")},
		"no operation":          {`{"v":1}`, code("operation")},
		"unknown operation":     {`{"v":1,"op":"delete","args":{"id":"1"}}`, code("operation")},
		"operation in capitals": {`{"v":1,"op":"Ensure","args":{"sub":"a"}}`, code("operation")},
		"ensure nobody":         {`{"v":1,"op":"ensure","args":{}}`, code("invalid")},
		"ensure without args":   {`{"v":1,"op":"ensure"}`, code("bad_request")},
		"ensure null":           {`{"v":1,"op":"ensure","args":null}`, code("bad_request")},
		"half an identity":      {`{"v":1,"op":"ensure","args":{"sub":"a","provider":"Kakao"}}`, code("invalid")},
		"a sign-in as a number": {`{"v":1,"op":"ensure","args":{"sub":"a","at":1772442000}}`, code("bad_request")},
		"subject as a number":   {`{"v":1,"op":"ensure","args":{"sub":"a","provider":"Kakao","subject":4000000001}}`, code("bad_request")},
		"sub is broken text":    {"{\"v\":1,\"op\":\"ensure\",\"args\":{\"sub\":\"a\xff\"}}", code("invalid")},
		"page without limit":    {`{"v":1,"op":"page","args":{}}`, code("invalid")},
		"page of 1001":          {`{"v":1,"op":"page","args":{"limit":1001}}`, code("invalid")},
		"too many sign-ins": {`{"v":1,"op":"record_sign_ins","args":{"sign_ins":[` +
			strings.Repeat(`{"sub":"a","at":"2026-03-02T09:00:00Z"},`, 1000) + `{"sub":"a","at":"2026-03-02T09:00:00Z"}]}}`, code("bad_request")},
		"a time that is a number":  {`{"v":1,"op":"record_sign_ins","args":{"sign_ins":[{"sub":"a","at":1772442000}]}}`, code("bad_request")},
		"warm-up with a request":   {`{"v":1,"op":"nothing","warmup":true}`, code("operation")},
		"a request that says null": {`{"v":1,"op":null}`, code("operation")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := ask(t, h, row.request); got != row.want {
				t.Errorf("answer %s, want %s", got, row.want)
			}
		})
	}
}

func TestHandlerAnswers(t *testing.T) {
	t.Parallel()
	var deadline time.Duration
	h := newHandler(t, stub{ensure: func(ctx context.Context, id users.Identity) (users.Result, error) {
		end, ok := ctx.Deadline()
		if !ok || id != (users.Identity{Sub: "a", Provider: "Kakao", Subject: "7"}) {
			return users.Result{}, fmt.Errorf("asked for %+v", id)
		}
		deadline = time.Until(end)
		return users.Result{ID: "42", Outcome: users.Linked}, nil
	}})
	const args = `"op":"ensure","args":{"sub":"a","provider":"Kakao","subject":"7"}`
	for name, row := range map[string]struct {
		request      string
		least, atMos time.Duration
	}{
		"no time said":                     {`{"v":1,` + args + `}`, 4 * time.Second, 5 * time.Second},
		"a time":                           {`{"v":1,"timeout_ms":1500,` + args + `}`, time.Second, 1500 * time.Millisecond},
		"a negative time":                  {`{"v":1,"timeout_ms":-1,` + args + `}`, 4 * time.Second, 5 * time.Second},
		"a time that is long":              {`{"v":1,"timeout_ms":9223372036854775807,` + args + `}`, 4 * time.Second, 5 * time.Second},
		"a sign-in, no store that records": {`{"v":1,` + strings.Replace(args, `"7"}`, `"7","at":null}`, 1) + `}`, 4 * time.Second, 5 * time.Second},
		"newer members":                    {`{"v":1,"trace":{"x":[1]},` + strings.Replace(args, `"sub"`, `"phone":1,"sub"`, 1) + `}`, 4 * time.Second, 5 * time.Second},
	} {
		if got := ask(t, h, row.request); got != `{"v":1,"result":{"id":"42","outcome":"linked"}}` {
			t.Errorf("%s: answer %s", name, got)
		}
		if deadline < row.least || deadline > row.atMos {
			t.Errorf("%s: the store has %v", name, deadline)
		}
	}
}

func TestWarmUp(t *testing.T) {
	t.Parallel()
	called := false
	h := newHandler(t, stub{}, func(c *remote.HandlerConfig) { c.OnCall = func(remote.Call) { called = true } })
	if got := ask(t, h, `{"warmup":true}`); got != `{"warmup":true}` || called {
		t.Errorf("answer %s, told %v", got, called)
	}
	if got := ask(t, h, `{"warmup":"yes"}`); got != code("bad_request") {
		t.Errorf("answer %s", got)
	}
}

// A panic is an answer, and its value is told nobody.
func TestHandlerSurvivesPanics(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newHandler(t, stub{ensure: func(context.Context, users.Identity) (users.Result, error) { panic("hana@example.test") }},
		func(c *remote.HandlerConfig) { c.Logger = slog.New(slog.NewJSONHandler(&log, nil)) })
	for range 2 {
		if got := ask(t, h, `{"v":1,"op":"ensure","args":{"sub":"a"}}`); got != code("failed") {
			t.Errorf("answer %s", got)
		}
	}
	if strings.Contains(log.String(), "hana") || !strings.Contains(log.String(), "panic: string") {
		t.Errorf("log: %s", log.String())
	}
}

// The log and the hook say how each call ended, and nothing of anybody.
func TestHandlerReports(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var calls []remote.Call
	driver := errors.New("driver: table is locked")
	store := stub{
		ensure: func(_ context.Context, id users.Identity) (users.Result, error) {
			if id.Provider == "" {
				return users.Result{}, fmt.Errorf("%w: %w", users.ErrUnavailable, driver)
			}
			return users.Result{ID: "42", Outcome: users.Moved}, nil
		},
		record: func(context.Context, []users.SignIn) (users.SignInReport, error) {
			return users.SignInReport{Updated: 3, Unknown: []string{hana.Sub}}, nil
		},
		get: func(context.Context, string) (users.User, error) { return users.User{}, users.ErrNotFound },
		page: func(context.Context, string, int) ([]users.User, error) {
			return []users.User{{ID: "1", Sub: hana.Sub, Email: hana.Email, Name: hana.Name}}, nil
		},
	}
	h := newHandler(t, store, func(c *remote.HandlerConfig) {
		c.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		c.OnCall = func(call remote.Call) { calls = append(calls, call) }
	})
	s := newStore(t, &loop{handler: h, timeout: time.Minute}, patient)
	native := hana
	native.Provider, native.Subject = "", ""
	_, _ = s.Ensure(t.Context(), hana)
	_, _ = s.Ensure(t.Context(), native)
	_, _ = s.RecordSignIns(t.Context(), []users.SignIn{{Sub: hana.Sub, At: time.Unix(1, 0)}})
	_, _ = s.Get(t.Context(), "personal")
	_, _ = s.Page(t.Context(), "personal", 10)
	ask(t, h, `{"v":1,"op":"`+hana.Email+`"}`)
	for i := range calls {
		if calls[i].Duration < 0 || calls[i].Duration > time.Minute {
			t.Errorf("call %+v", calls[i])
		}
		calls[i].Duration = 0
	}
	want := []remote.Call{
		{Op: "ensure", Code: "ok", Outcome: users.Moved},
		{Op: "ensure", Code: "unavailable"},
		{Op: "record_sign_ins", Code: "ok", Rows: 3, Unknown: 1},
		{Op: "get", Code: "not_found"},
		{Op: "page", Code: "ok", Rows: 1},
		{Op: "unknown", Code: "operation"},
	}
	if !slices.Equal(calls, want) {
		t.Errorf("calls %+v, want %+v", calls, want)
	}
	if n := strings.Count(log.String(), "\n"); n != len(want) || !strings.Contains(log.String(), "table is locked") {
		t.Errorf("log of %d lines: %s", n, log.String())
	}
	for _, p := range []string{hana.Sub, hana.Subject, "example.test", hana.Name, "personal"} {
		if strings.Contains(log.String(), p) {
			t.Errorf("the log has %q: %s", p, log.String())
		}
	}
}

// Whatever is asked, the answer is one of the protocol.
func FuzzHandler(f *testing.F) {
	for _, seed := range []string{
		`{"warmup":true}`, `{"v":1,"op":"ping"}`, `{"v":1,"op":"ensure","timeout_ms":5,"deadline_ms":7,"args":{"sub":"a","provider":"b","subject":"c"}}`,
		`{"v":1,"op":"id_by_sub","args":{"sub":"a"}}`, `{"v":1,"op":"get","args":{"id":"1"}}`, `{"v":1,"op":"page","args":{"after":"","limit":3}}`,
		`{"v":1,"op":"record_sign_ins","args":{"sign_ins":[{"sub":"a","at":"2026-03-02T09:00:00+09:00"}]}}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	h := newHandler(f, echo{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := ask(t, h, string(raw))
		if got == `{"warmup":true}` {
			return
		}
		var a struct {
			V      int
			Result json.RawMessage
			Error  *struct{ Code string }
		}
		if err := json.Unmarshal([]byte(got), &a); err != nil || a.V != 1 || (a.Result == nil) == (a.Error == nil) || a.Error != nil && a.Error.Code == "" {
			t.Errorf("answer %s to %q", got, raw)
		}
		if a.Error != nil && a.Error.Code == "failed" {
			t.Errorf("%q got past the checks: %s", raw, got)
		}
	})
}

// echo is a store that fails in a way without a name if it gets what a store
// must never see.
type echo struct{ users.Store }

func (echo) Ensure(_ context.Context, id users.Identity) (users.Result, error) {
	if id.Validate() != nil {
		return users.Result{}, errors.New("invalid")
	}
	return users.Result{ID: "1", Outcome: users.Created}, nil
}

func (echo) IDBySub(_ context.Context, sub string) (string, error) { return "1", nil }

func (echo) RecordSignIns(_ context.Context, b []users.SignIn) (users.SignInReport, error) {
	if len(b) > 1000 {
		return users.SignInReport{}, errors.New("too many")
	}
	return users.SignInReport{Updated: len(b)}, nil
}

func (echo) Get(context.Context, string) (users.User, error) { return users.User{ID: "1"}, nil }

func (echo) Page(_ context.Context, _ string, limit int) ([]users.User, error) {
	if limit < 1 || limit > users.MaxPage {
		return nil, errors.New("limit")
	}
	return []users.User{{ID: "1"}}, nil
}
