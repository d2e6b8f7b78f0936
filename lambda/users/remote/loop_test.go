package remote_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	_ "modernc.org/sqlite"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/remote"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
)

var quiet = slog.New(slog.NewJSONHandler(io.Discard, nil))

// loop is Lambda within this process: the handler gets the very bytes, runs
// with a deadline of its own, and goes on when the caller has gone.
type loop struct {
	handler remote.Handler
	timeout time.Duration
	running sync.WaitGroup
}

func (l *loop) Invoke(ctx context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	if *in.FunctionName != "dbsync" || in.InvocationType != types.InvocationTypeRequestResponse {
		return nil, errors.New("not the function")
	}
	type answer struct {
		raw json.RawMessage
		err error
	}
	done := make(chan answer, 1)
	payload := append(json.RawMessage(nil), in.Payload...)
	l.running.Go(func() {
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
		defer cancel()
		raw, err := l.handler(own, payload)
		done <- answer{raw, err}
	})
	select {
	case a := <-done:
		return &lambda.InvokeOutput{StatusCode: 200, Payload: a.raw}, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func newHandler(t testing.TB, store users.Store, change ...func(*remote.HandlerConfig)) remote.Handler {
	t.Helper()
	cfg := remote.HandlerConfig{Logger: quiet}
	for _, c := range change {
		c(&cfg)
	}
	h, err := remote.NewHandler(store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func newStore(t testing.TB, api remote.Invoker, change ...func(*remote.Config)) *remote.Store {
	t.Helper()
	cfg := remote.Config{Function: "dbsync"}
	for _, c := range change {
		c(&cfg)
	}
	s, err := remote.New(api, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// looped is a store over a handler over a store.
func looped(t testing.TB, behind users.Store, change ...func(*remote.Config)) *remote.Store {
	t.Helper()
	l := &loop{handler: newHandler(t, behind), timeout: 20 * time.Second}
	t.Cleanup(l.running.Wait)
	return newStore(t, l, append([]func(*remote.Config){patient}, change...)...)
}

// tabled adds and deletes rows past the store, as the suite needs.
type tabled struct {
	users.Store
	db *sql.DB
}

func (s tabled) AddLegacy(ctx context.Context, provider, subject string) (string, error) {
	column := map[string]string{"Kakao": "kakao_id", "Google": "google_id"}[provider]
	res, err := s.db.ExecContext(ctx, "INSERT INTO users ("+column+") VALUES (?)", subject)
	if err != nil {
		return "", err
	}
	id, err := res.LastInsertId()
	return strconv.FormatInt(id, 10), err
}

func (s tabled) SetLastLogin(ctx context.Context, id string, at time.Time) error {
	_, err := s.db.ExecContext(ctx, "UPDATE users SET last_login_at = ? WHERE id = ?", at.UTC().Format("2006-01-02T15:04:05.000000Z"), id)
	return err
}

func (s tabled) Delete(ctx context.Context, id string) error {
	_, err := s.db.ExecContext(ctx, "DELETE FROM users WHERE id = ?", id)
	return err
}

// openTable is a new SQLite file, its store, and a way past it.
func openTable(t testing.TB) (path string, store *sqlite.Store, db *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "users.db")
	store, err := sqlite.Open(t.Context(), path, sqlite.Config{BusyTimeout: 15 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	db, err = sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return path, store, db
}

// stub is a store where every answer can be chosen.
type stub struct {
	users.Store // nil: what is not set panics
	ensure      func(context.Context, users.Identity) (users.Result, error)
	record      func(context.Context, []users.SignIn) (users.SignInReport, error)
	get         func(context.Context, string) (users.User, error)
	page        func(context.Context, string, int) ([]users.User, error)
	ping        func(context.Context) error
}

func (s stub) Ensure(ctx context.Context, id users.Identity) (users.Result, error) {
	return s.ensure(ctx, id)
}

func (s stub) RecordSignIns(ctx context.Context, b []users.SignIn) (users.SignInReport, error) {
	return s.record(ctx, b)
}

func (s stub) Get(ctx context.Context, id string) (users.User, error) { return s.get(ctx, id) }

func (s stub) Page(ctx context.Context, after string, limit int) ([]users.User, error) {
	return s.page(ctx, after, limit)
}

func (s stub) Ping(ctx context.Context) error {
	if s.ping == nil {
		return nil
	}
	return s.ping(ctx)
}

// invokeFunc is an Invoker of one function.
type invokeFunc func(context.Context, *lambda.InvokeInput) (*lambda.InvokeOutput, error)

func (f invokeFunc) Invoke(ctx context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	return f(ctx, in)
}

func says(payload string) *lambda.InvokeOutput {
	return &lambda.InvokeOutput{StatusCode: 200, Payload: []byte(payload)}
}

var hana = users.Identity{Sub: "34c84488-sub", Provider: "Kakao", Subject: "4000000001", Email: "hana@example.test", Name: "김하나"}
