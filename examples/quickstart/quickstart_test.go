package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/secretscan"
	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// freePorts is a world on ports that nobody uses, so that tests run in parallel.
func freePorts(t *testing.T) worldConfig {
	t.Helper()
	return worldConfig{
		dir: t.TempDir(), poolAddr: "127.0.0.1:0", boardAddr: "localhost:0", deskAddr: "localhost:0",
		log: slog.New(slog.NewTextHandler(secretscan.Writer("a log of the quickstart"), nil)),
	}
}

func newWorld(t *testing.T, cfg worldConfig) *world {
	t.Helper()
	w, err := startWorld(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// Other sites post nothing in a visitor's name.
func TestOtherSitesPostNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freePorts(t))
	for _, target := range []string{w.board.url + "/posts", w.desk.url + "/join"} {
		for site, want := range map[string]int{"same-origin": http.StatusUnauthorized, "same-site": http.StatusForbidden, "cross-site": http.StatusForbidden} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader("text=bought"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Sec-Fetch-Site", site)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if _ = resp.Body.Close(); resp.StatusCode != want {
				t.Errorf("%s from %s: %d, want %d", target, site, resp.StatusCode, want)
			}
		}
	}
}

// The whole story holds, and is reported as promised.
func TestCheck(t *testing.T) {
	t.Parallel()
	r := runCheck(t.Context(), newWorld(t, freePorts(t)), 6)
	for _, s := range r.Steps {
		if !s.OK {
			t.Errorf("%s: %s", s.Name, s.Detail)
		}
	}
	if !r.OK {
		t.Errorf("not ok: %s", r.Problem)
	}
	var out bytes.Buffer
	if err := r.writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	type times struct{ P50, P95, N float64 }
	var got struct {
		OK    bool
		Steps []struct {
			Name, Detail string
			OK           bool
		}
		SignUp times `json:"signup_ms"`
		SignIn times `json:"signin_ms"`
	}
	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range got.Steps {
		names = append(names, s.Name)
	}
	const want = "kakao-existing-row-linked kakao-new-row-created google-row-created first-token-has-userid " +
		"second-app-no-second-login signin-queued-not-waited last-login-written logout-ends-session " +
		"tampered-token-refused wrong-client-refused bad-input-clear-error"
	if strings.Join(names, " ") != want {
		t.Errorf("steps %v\nwant %s", names, want)
	}
	for _, x := range []times{got.SignUp, got.SignIn} {
		if x.N != 6 || x.P50 <= 0 || x.P95 < x.P50 {
			t.Errorf("times %+v", x)
		}
	}
}

// Each step goes red when what is behind it is broken.
func TestCheckGoesRed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		step, broken string
		sabotage     sabotage
		says         string
	}{
		{"kakao-existing-row-linked", "rows are not looked up by Kakao id", sabotage{store: storeThat(forgetsProvider)}, "row"},
		{"kakao-new-row-created", "rows have no Kakao id", sabotage{store: storeThat(forgetsProvider)}, "0 rows"},
		{"kakao-new-row-created", "every sign-up fails", sabotage{store: storeThat(refuses)}, "not signed in"},
		{"google-row-created", "rows have no Google id", sabotage{store: storeThat(forgetsProvider)}, "0 rows"},
		{"first-token-has-userid", "the token trigger does nothing", sabotage{triggers: skip("TokenGeneration")}, "access token"},
		{"first-token-has-userid", "no trigger does anything", sabotage{triggers: skip("")}, "rows"},
		{"second-app-no-second-login", "the desk always asks", sabotage{handler: alwaysAsk}, "the pool asked"},
		{"signin-queued-not-waited", "the trigger writes to the table", sabotage{signIns: synchronous}, "waits"},
		{"last-login-written", "the first sign-in waits in a queue that is late", sabotage{store: storeThat(forgetsTime), signIns: lost}, "not written with the row"},
		{"last-login-written", "messages are lost", sabotage{signIns: lost}, "did not move"},
		{"last-login-written", "the time is that of another moment", sabotage{signIns: late}, "last_login_at says"},
		{"logout-ends-session", "sessions are not deleted", sabotage{sessions: immortal(true)}, "sign out here"},
		{"logout-ends-session", "other apps' sessions are not deleted", sabotage{sessions: immortal(false)}, "sign out everywhere"},
		{"tampered-token-refused", "the API trusts any token", sabotage{handler: trustsAnybody}, "want 401"},
		{"wrong-client-refused", "the API does not look at the client", sabotage{verifier: anyClient}, "want 401"},
		{"bad-input-clear-error", "a bad callback breaks the app", sabotage{handler: breaksOnBadCallback}, "a callback"},
	} {
		t.Run(row.step+"/"+row.broken, func(t *testing.T) {
			t.Parallel()
			cfg := freePorts(t)
			cfg.sabotage = row.sabotage
			w := newWorld(t, cfg)
			db, err := w.backend.raw.open()
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			c := &checker{w: w, db: db}
			for _, s := range steps() {
				if s.name != row.step {
					continue
				}
				detail, ok := c.runStep(t.Context(), s)
				if ok || !strings.Contains(detail, row.says) {
					t.Errorf("ok %v, detail %q; want not ok, and a detail that says %q", ok, detail, row.says)
				}
				return
			}
			t.Fatal("no such step")
		})
	}
}

// A step that panics, and a world that is gone, are reports and not crashes.
func TestCheckSurvives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freePorts(t))
	c := &checker{w: w}
	detail, ok := c.runStep(t.Context(), step{"panics", func(*checker, context.Context) (string, error) { panic("oh dear") }})
	if ok || !strings.Contains(detail, "oh dear") {
		t.Errorf("ok %v, detail %q", ok, detail)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := runCheck(t.Context(), w, 3)
	if r.OK || len(r.Steps) != len(steps()) || r.Problem == "" {
		t.Errorf("a world that is gone: %+v", r)
	}
	for _, s := range r.Steps {
		if s.OK && s.Name != "bad-input-clear-error" || s.Detail == "" {
			t.Errorf("a world that is gone: %+v", s)
		}
	}
}

// The pool, its users, the rows and the keys of a kept folder are there again.
func TestKeep(t *testing.T) {
	t.Parallel()
	cfg := freePorts(t)
	people := []person{newGooglePerson("Comes Back"), newKakaoPerson("Comes Back Too")}
	var seen [2][]string // who was seen at the first and the second time
	for i := range seen {
		w, err := startWorld(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, who := range people {
			v := newVisitor()
			if err := signIn(t.Context(), v, w.board, who); err != nil {
				t.Error(err)
			}
			u, _ := w.pool.User(who.provider + "_" + who.subject)
			seen[i] = append(seen[i], v.page.text("user-id"), v.page.text("name"), u.Sub)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"users.db", "board-cookie.key", "desk-cookie.key", "pool-users.json", "keys"} {
			if _, err := os.Stat(filepath.Join(cfg.dir, name)); err != nil {
				t.Error(err)
			}
		}
	}
	if !slices.Equal(seen[0], seen[1]) || slices.Contains(seen[0], "") {
		t.Errorf("first and second time: %q", seen)
	}
}

func TestTemporaryFolderIsRemoved(t *testing.T) {
	t.Parallel()
	cfg := freePorts(t)
	cfg.dir = ""
	w := newWorld(t, cfg)
	dir := filepath.Dir(w.backend.raw.where)
	if _, err := os.Stat(w.backend.raw.where); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

// A usual port that is taken is replaced, one that was asked for is not.
func TestListenOn(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	l, err := listenOn("", taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Addr().String() == taken.Addr().String() {
		t.Error("two listeners on one port")
	}
	if l, err := listenOn(taken.Addr().String(), defaultBoard); err == nil {
		l.Close()
		t.Error("an address that was asked for was replaced")
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		args string
		code int
		says string
	}{
		{"-h", exitOK, "Usage:"},
		{"-help", exitOK, "Usage:"},
		{"-nonsense", exitUsage, "-nonsense"},
		{"check", exitUsage, `unexpected argument "check"`},
		{"-json", exitUsage, "-json goes with -check"},
		{"-users 5", exitUsage, "-users goes with -check"},
		{"-check -users 0", exitUsage, "-users 0"},
		{"-check -users 100001", exitUsage, "-users 100001"},
		{"-check -users x", exitUsage, "users"},
		{"-keep " + file, exitUsage, "is a file"},
		{"-keep=", exitUsage, "-keep needs a folder"},
		{"-pool 127.0.0.1", exitUsage, "want host:port"},
		{"-pool localhost:1234", exitUsage, "127.0.0.1"},
		{"-board 0.0.0.0:1234", exitUsage, "localhost"},
		{"-board :1234", exitUsage, "localhost"},
		{"-desk localhost:http", exitUsage, "port"},
		{"-desk localhost:65536", exitUsage, "port"},
		{"-desk localhost:-1", exitUsage, "port"},
		{"-board localhost:9500 -desk localhost:9500", exitUsage, "same port"},
		{"-check -board localhost:1", exitFailed, "Community board"}, // a port of root, or nobody's
	} {
		t.Run(row.args, func(t *testing.T) {
			t.Parallel()
			if row.code == exitFailed && os.Geteuid() == 0 {
				t.Skip("root may listen on port 1")
			}
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), strings.Fields(row.args), &stdout, &stderr)
			if code != row.code || !strings.Contains(stdout.String()+stderr.String(), row.says) {
				t.Errorf("exit code %d, stdout %q, stderr %q; want %d and %q", code, &stdout, &stderr, row.code, row.says)
			}
			if code != exitOK && stdout.Len() > 0 {
				t.Errorf("an error is on stdout: %q", &stdout)
			}
		})
	}
}

// Ctrl-C ends the program without an error.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out := &screen{}
	code := make(chan int)
	go func() {
		code <- run(ctx, []string{"-pool", "127.0.0.1:0", "-board", "localhost:0", "-desk", "localhost:0"}, out, out)
	}()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(out.String(), "Ctrl-C"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not start: %s", out)
		}
	}
	cancel()
	if c := <-code; c != exitOK || !strings.Contains(out.String(), "Good-bye") {
		t.Errorf("exit code %d: %s", c, out)
	}
}

// screen is what a program printed so far.
type screen struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Sabotage.

// brokenStore is a user table whose Ensure does something else.
type brokenStore struct {
	users.Store
	ensure func(users.Store, context.Context, users.Identity) (users.Result, error)
}

func (s brokenStore) Ensure(ctx context.Context, id users.Identity) (users.Result, error) {
	return s.ensure(s.Store, ctx, id)
}

func storeThat(ensure func(users.Store, context.Context, users.Identity) (users.Result, error)) func(users.Store) users.Store {
	return func(s users.Store) users.Store { return brokenStore{s, ensure} }
}

func forgetsProvider(s users.Store, ctx context.Context, id users.Identity) (users.Result, error) {
	id.Provider, id.Subject = "", ""
	return s.Ensure(ctx, id)
}

// forgetsTime is a store of an older version.
func forgetsTime(s users.Store, ctx context.Context, id users.Identity) (users.Result, error) {
	id.At = time.Time{}
	got, err := s.Ensure(ctx, id)
	time.Sleep(100 * time.Millisecond) // the message comes after the check has looked
	return got, err
}

func refuses(users.Store, context.Context, users.Identity) (users.Result, error) {
	return users.Result{}, users.ErrUnavailable
}

// skip answers triggers of a kind with the event as it came.
func skip(prefix string) func(ssotest.Trigger) ssotest.Trigger {
	return func(t ssotest.Trigger) ssotest.Trigger {
		return ssotest.TriggerFunc(func(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
			var e struct{ TriggerSource string }
			if err := json.Unmarshal(event, &e); err == nil && strings.HasPrefix(e.TriggerSource, prefix) {
				return event, nil
			}
			return t.Invoke(ctx, event)
		})
	}
}

// signInsFunc is a queue that is none.
type signInsFunc func(context.Context, lambda.SignIn) error

func (f signInsFunc) Send(ctx context.Context, s lambda.SignIn) error { return f(ctx, s) }

func synchronous(_ lambda.SignIns, store users.Store) lambda.SignIns {
	return signInsFunc(func(ctx context.Context, s lambda.SignIn) error {
		_, err := store.RecordSignIns(ctx, []users.SignIn{{Sub: s.Sub, At: s.At}})
		return err
	})
}

func lost(lambda.SignIns, users.Store) lambda.SignIns {
	return signInsFunc(func(context.Context, lambda.SignIn) error { return nil })
}

func late(queue lambda.SignIns, _ users.Store) lambda.SignIns {
	return signInsFunc(func(ctx context.Context, s lambda.SignIn) error {
		s.At = s.At.Add(time.Minute)
		return queue.Send(ctx, s)
	})
}

// immortalSessions are not deleted: none of them, or not those of other apps.
type immortalSessions struct {
	middleware.SessionStore
	all bool
}

func (s immortalSessions) Delete(ctx context.Context, key string) error {
	if s.all {
		return nil
	}
	return s.SessionStore.Delete(ctx, key)
}

func (s immortalSessions) DeleteBySubject(context.Context, string) (int, error) { return 0, nil }

func immortal(all bool) func(middleware.SessionStore) middleware.SessionStore {
	return func(s middleware.SessionStore) middleware.SessionStore { return immortalSessions{s, all} }
}

func anyClient(cfg *sso.Config) { cfg.ClientIDs, cfg.InsecureSkipClientIDCheck = nil, true }

// alwaysAsk makes the desk ask for a fresh sign-in.
func alwaysAsk(a *app, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.key == "desk" && r.URL.Path == "/auth/login" {
			r = r.Clone(r.Context())
			r.URL.RawQuery += "&prompt=login"
		}
		h.ServeHTTP(w, r)
	})
}

// trustsAnybody takes every token for the first good one.
func trustsAnybody(_ *app, h http.Handler) http.Handler {
	var mu sync.Mutex
	good := ""
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			mu.Lock()
			if good == "" {
				good = r.Header.Get("Authorization")
			}
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", good)
			mu.Unlock()
		}
		h.ServeHTTP(w, r)
	})
}

func breaksOnBadCallback(_ *app, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/auth/callback" && r.URL.Query().Get("state") == "" {
			http.Error(w, "boom", http.StatusInternalServerError)
			return
		}
		h.ServeHTTP(w, r)
	})
}
