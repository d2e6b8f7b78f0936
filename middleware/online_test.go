package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// newOnline makes an Online on the world's clock.
func (w *world) newOnline(checker middleware.AccessChecker, change ...func(*middleware.OnlineConfig)) *middleware.Online {
	w.t.Helper()
	cfg := middleware.OnlineConfig{Now: w.pool.VerifierConfig().Now, Logger: slog.New(slog.NewJSONHandler(w.logs, nil))}
	for _, f := range change {
		f(&cfg)
	}
	o, err := middleware.NewOnline(checker, cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// userInfo asks the world's pool, with its own http.Client.
func (w *world) userInfo() middleware.AccessChecker {
	w.t.Helper()
	cc := w.pool.ClientConfig("board")
	cc.HTTPClient = &http.Client{Transport: w.wire}
	c, err := sso.NewClient(cc)
	if err != nil {
		w.t.Fatal(err)
	}
	return middleware.UserInfoChecker(c)
}

// sensitive adds the page /sensitive with an online check.
func (a *app) sensitive(o *middleware.Online) *app {
	a.mux.Handle("/sensitive", a.login.Require(o.Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "secret")
	}))))
	return a
}

// admin calls an operation of the pool's API for hong.
func (w *world) admin(operation string) {
	w.t.Helper()
	name := "Kakao_" + hong.Subject
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.pool.URL()+"/", strings.NewReader(`{"UserPoolId":"`+w.pool.ID()+`","Username":"`+name+`"}`))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/ap-northeast-2/cognito-idp/aws4_request, SignedHeaders=host, Signature=x")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		w.t.Fatalf("%s: %d %s", operation, resp.StatusCode, body)
	}
}

// watchRefresh remembers the last refresh token that the pool gave an app.
func (w *world) watchRefresh() *atomic.Value {
	var last atomic.Value
	w.wire.setHook(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path != "/oauth2/token" {
			return nil, nil
		}
		resp, err := w.wire.next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(body))
		var answer struct {
			Refresh string `json:"refresh_token"`
		}
		if json.Unmarshal(body, &answer) == nil && answer.Refresh != "" {
			last.Store(answer.Refresh)
		}
		return resp, err
	})
	return &last
}

// TestOnlineBitesBeforeExpiry: what ends a sign-in at Cognito, while its tokens
// verify for an hour more.
func TestOnlineBitesBeforeExpiry(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, refresh string){
		"global sign-out": func(w *world, _ string) { w.admin("AdminUserGlobalSignOut") },
		"disabled":        func(w *world, _ string) { w.admin("AdminDisableUser") },
		"deleted":         func(w *world, _ string) { w.admin("AdminDeleteUser") },
		"revoked": func(w *world, refresh string) {
			c, err := sso.NewClient(w.pool.ClientConfig("board"))
			if err != nil {
				w.t.Fatal(err)
			}
			if err := c.Revoke(w.t.Context(), sso.Secret(refresh)); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		for _, browser := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s browser=%t", name, browser), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				refresh := w.watchRefresh()
				a := w.newApp(appBase).sensitive(w.newOnline(w.userInfo()))
				b := w.newBrowser()
				b.signIn(a)
				header := script
				if browser {
					header = navigation
				}
				get := func() page { return b.send(http.MethodGet, a.base+"/sensitive?x=1", header, nil) }
				for range 3 {
					if p := get(); p.status != 200 || p.body != "secret" {
						t.Fatalf("signed in: %d %s", p.status, p.body)
					}
				}
				if n := w.wire.count("/oauth2/userInfo"); n != 1 {
					t.Errorf("asked %d times for 3 requests", n)
				}
				end(w, refresh.Load().(string))
				if p := get(); p.status != 200 {
					t.Errorf("within the cache: %d", p.status)
				}
				w.pool.Advance(5 * time.Second)
				p := get()
				if browser && (p.status != 303 || p.location() != "/auth/login?prompt=login&return_to=%2Fsensitive%3Fx%3D1") {
					t.Errorf("afterwards: %d %s", p.status, p.location())
				}
				if !browser && (p.status != 401 || !strings.Contains(p.body, `"login_url":"/auth/login?prompt=login"`)) {
					t.Errorf("afterwards: %d %s", p.status, p.body)
				}
				if strings.Contains(p.body, "secret") {
					t.Error("the page was shown")
				}
				if b.signedIn(a) {
					t.Error("the session goes on where nobody asks")
				}
			})
		}
	}
}

// TestOnlineOutage: whom Cognito cannot be asked about.
func TestOnlineOutage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		allow bool
		ended bool // seen to have ended, before the outage
		want  int
	}{
		{"fails closed", false, false, 503},
		{"let through where the app says so", true, false, 200},
		{"what has ended stays so", true, true, 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			o := w.newOnline(w.userInfo(), func(c *middleware.OnlineConfig) { c.AllowUnreachable = row.allow })
			bearer := newBearer(t, w.verifier(), middleware.BearerConfig{Check: o.Check})
			a := w.newApp(appBase).sensitive(o)
			b := w.newBrowser()
			b.signIn(a)
			token := b.send(http.MethodGet, a.base+"/token", script, nil).body
			if row.ended {
				w.admin("AdminUserGlobalSignOut")
				if got := serve(bearer.Require(echo), "Bearer "+token); got.Code != 401 {
					t.Fatalf("before: %d", got.Code)
				}
			}
			w.pool.SetFaults(func(f *ssotest.Faults) { f.UserInfo = 502 })
			w.pool.Advance(10 * time.Minute)
			got := serve(bearer.Require(echo), "Bearer "+token)
			if got.Code != row.want || (got.Header().Get("Retry-After") != "") != (row.want == 503) {
				t.Errorf("Bearer: %d, want %d", got.Code, row.want)
			}
			if row.ended {
				return
			}
			if p := b.send(http.MethodGet, a.base+"/sensitive", navigation, nil); p.status != row.want {
				t.Errorf("Login: %d, want %d", p.status, row.want)
			}
			if !b.signedIn(a) {
				t.Error("an outage ended the session")
			}
			w.pool.SetFaults(func(f *ssotest.Faults) { f.UserInfo = 0 })
			if p := b.send(http.MethodGet, a.base+"/sensitive", navigation, nil); p.status != 200 {
				t.Errorf("when it is over: %d", p.status)
			}
		})
	}
}

func (w *world) verifier() *sso.Verifier {
	w.t.Helper()
	v, err := sso.NewVerifier(w.pool.VerifierConfig())
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// TestOnlineNearExpiry: a token of which Cognito's clock says that it is past is
// no reason to end a session that may yet be refreshed.
func TestOnlineNearExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase).sensitive(w.newOnline(w.userInfo()))
	b := w.newBrowser()
	b.signIn(a)
	w.wire.setHook(func(r *http.Request) (*http.Response, error) {
		switch r.URL.Path {
		case "/oauth2/token":
			return nil, errors.New("test: unreachable")
		case "/oauth2/userInfo":
			return &http.Response{StatusCode: 401, Header: http.Header{"Www-Authenticate": {`error="invalid_token"`}}, Body: http.NoBody, Request: r}, nil
		}
		return nil, nil
	})
	w.pool.Advance(time.Hour - 10*time.Second)
	if p := b.send(http.MethodGet, a.base+"/sensitive", navigation, nil); p.status != 503 {
		t.Errorf("%d %s", p.status, p.location())
	}
	w.wire.setHook(nil)
	w.pool.Advance(5 * time.Second) // past the pause after a refresh that failed
	if p := b.send(http.MethodGet, a.base+"/sensitive", navigation, nil); p.status != 200 {
		t.Errorf("the session ended: %d %s", p.status, p.location())
	}
}

// checker answers by a function, and counts.
type checker struct {
	asked  atomic.Int32
	answer func(ctx context.Context, access string) error
}

func (c *checker) CheckAccess(ctx context.Context, access sso.Secret) error {
	c.asked.Add(1)
	return c.answer(ctx, access.Reveal())
}

// TestOnlineAnswers: what a checker says, and what a request gets.
func TestOnlineAnswers(t *testing.T) {
	t.Parallel()
	const foreign = "User hong@personal.example does not exist"
	for _, row := range []struct {
		name   string
		err    error
		status int
		code   string
	}{
		{"stands", nil, 200, ""},
		{"ended", middleware.ErrSignInEnded, 401, "invalid_token"},
		{"ended, wrapped", fmt.Errorf("%s: %w", foreign, middleware.ErrSignInEnded), 401, "invalid_token"},
		{"unreachable", sso.ErrUnavailable, 503, ""},
		{"keys", sso.ErrKeysUnavailable, 503, ""},
		{"too slow", context.DeadlineExceeded, 503, ""},
		{"cancelled by somebody", context.Canceled, 503, ""},
		{"an error of the API's", errors.New(foreign), 503, ""},
		{"an OAuth error of another kind", &sso.AuthError{Code: "invalid_request", Status: 400}, 503, ""},
		{"a fault of the token by another verifier", sso.ErrSignature, 503, ""},
		{"about somebody else", sso.ErrTokenMismatch, 503, ""},
		{"no token", sso.ErrMissing, 503, ""},
		{"denied", middleware.ErrDenied, 503, ""},
		{"a scope that asking takes", &middleware.ScopeError{Scopes: []string{"openid"}}, 403, "insufficient_scope"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(1_800_000_000, 0)
			var logs lockedBuffer
			c := &checker{answer: func(context.Context, string) error { return row.err }}
			o, err := middleware.NewOnline(c, middleware.OnlineConfig{Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&logs, nil))})
			if err != nil {
				t.Fatal(err)
			}
			for name, h := range map[string]http.Handler{
				"Require": newBearer(t, newStub(), middleware.BearerConfig{}).Require(o.Require(echo)),
				"Check":   newBearer(t, newStub(), middleware.BearerConfig{Check: o.Check}).Require(echo),
			} {
				w := serve(h, "Bearer good")
				if w.Code != row.status {
					t.Errorf("%s: %d, want %d: %s", name, w.Code, row.status, w.Body)
				}
				if row.code != "" {
					checkChallenge(t, w, row.code)
				}
				if strings.Contains(w.Body.String()+logs.String(), "hong") {
					t.Errorf("%s shows a foreign text: %s %s", name, w.Body, logs.String())
				}
			}
		})
	}
}

// TestOnlineWithoutAccessToken: nothing to ask about.
func TestOnlineWithoutAccessToken(t *testing.T) {
	t.Parallel()
	c := &checker{answer: func(context.Context, string) error { return nil }}
	o, err := middleware.NewOnline(c, middleware.OnlineConfig{})
	if err != nil {
		t.Fatal(err)
	}
	access := newBearer(t, newStub(), middleware.BearerConfig{Now: time.Now})
	id := newBearer(t, newStub(), middleware.BearerConfig{Use: sso.UseID, Extract: middleware.FromHeader("X-Id-Token")})
	idAlone := newBearer(t, newStub(), middleware.BearerConfig{Use: sso.UseID})
	for _, row := range []struct {
		name    string
		h       http.Handler
		headers http.Header
		status  int
		asked   int32
	}{
		{"no middleware around it", o.Require(echo), http.Header{"Authorization": {"Bearer good"}}, 401, 0},
		{"nobody", access.Optional(o.Require(echo)), http.Header{}, 401, 0},
		{"an ID token alone", idAlone.Require(o.Require(echo)), http.Header{"Authorization": {"Bearer id"}}, 500, 0},
		{"an ID token inside", access.Require(id.Require(o.Require(echo))), http.Header{"Authorization": {"Bearer good"}, "X-Id-Token": {"id"}}, 200, 1},
	} {
		c.asked.Store(0)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header = row.headers
		w := httptest.NewRecorder()
		row.h.ServeHTTP(w, r)
		if w.Code != row.status || c.asked.Load() != row.asked {
			t.Errorf("%s: %d after %d questions, want %d after %d", row.name, w.Code, c.asked.Load(), row.status, row.asked)
		}
	}
}

// TestOnlineSharesQuestions: requests at one time are one question to each
// token, and one that gives up takes nobody with it.
func TestOnlineSharesQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := &checker{answer: func(ctx context.Context, _ string) error {
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		o, err := middleware.NewOnline(c, middleware.OnlineConfig{})
		if err != nil {
			t.Fatal(err)
		}
		h := newBearer(t, newStub(), middleware.BearerConfig{}).Require(o.Require(echo))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		send := func(ctx context.Context, token string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		wg.Go(func() { send(ctx, "good") })
		synctest.Wait()
		for i := range 50 {
			wg.Go(func() {
				if w := send(t.Context(), []string{"good", "renewed"}[i%2]); w.Code != 200 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
		synctest.Wait()
		cancel() // the one who asked first
		synctest.Wait()
		close(release)
		wg.Wait()
		if n := c.asked.Load(); n != 2 {
			t.Errorf("%d questions about two tokens", n)
		}
	})
}

// TestOnlineTimesOut: a Cognito that hangs holds nobody up for long.
func TestOnlineTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &checker{answer: func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }}
		o, err := middleware.NewOnline(c, middleware.OnlineConfig{})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w := serve(newBearer(t, newStub(), middleware.BearerConfig{}).Require(o.Require(echo)), "Bearer good")
		if took := time.Since(began); w.Code != 503 || took != 3*time.Second {
			t.Errorf("%d after %v", w.Code, took)
		}
	})
}

// TestOnlineForgets: the cache is bounded, forgets first what may be asked
// again, and holds no token.
func TestOnlineForgets(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	v := newStub()
	for i := range 1000 {
		token := v.tokens["good"]
		token.ID = fmt.Sprint("n", i)
		v.tokens[fmt.Sprint("token-", i)] = token
	}
	c := &checker{answer: func(_ context.Context, access string) error {
		if access == "good" {
			return middleware.ErrSignInEnded
		}
		return nil
	}}
	o, err := middleware.NewOnline(c, middleware.OnlineConfig{MaxTokens: 8, CacheFor: time.Minute, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	h := newBearer(t, v, middleware.BearerConfig{}).Require(o.Require(echo))
	serve(h, "Bearer good")
	for i := range 1000 {
		if w := serve(h, fmt.Sprint("Bearer token-", i)); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if n := middleware.OnlineRemembers(o); n > 8 {
			t.Fatalf("%d tokens are remembered", n)
		}
	}
	asked := c.asked.Load()
	if w := serve(h, "Bearer good"); w.Code != 401 || c.asked.Load() != asked {
		t.Errorf("what has ended was forgotten: %d", w.Code)
	}
	if shown := middleware.OnlineShows(o); strings.Contains(shown, "token-") || strings.Contains(shown, "good") {
		t.Error("a token is kept")
	}
	// In the cache for a minute, and not for longer.
	serve(h, "Bearer token-999")
	asked = c.asked.Load()
	now = now.Add(time.Minute - 1)
	serve(h, "Bearer token-999")
	if c.asked.Load() != asked {
		t.Error("asked again too early")
	}
	now = now.Add(1)
	serve(h, "Bearer token-999")
	if c.asked.Load() != asked+1 {
		t.Error("not asked again")
	}
}

// TestUserInfoChecker: real tokens of the pool.
func TestUserInfoChecker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	o := w.newOnline(w.userInfo())
	h := newBearer(t, w.verifier(), middleware.BearerConfig{}).Require(o.Require(echo))
	of := func(c ssotest.Claims) string { c.ClientID = "board"; return w.pool.AccessToken(c) }
	for _, row := range []struct {
		name, token string
		status      int
	}{
		{"of a sign-in", b.send(http.MethodGet, a.base+"/token", script, nil).body, 200},
		{"without openid", of(ssotest.Claims{Scopes: []string{"api/read"}}), 403},
		{"of a machine", of(ssotest.Claims{Machine: true}), 403},
		{"of somebody whom the pool does not know", of(ssotest.Claims{Scopes: []string{"openid"}}), 401},
	} {
		if got := serve(h, "Bearer "+row.token); got.Code != row.status {
			t.Errorf("%s: %d, want %d: %s", row.name, got.Code, row.status, got.Body)
		}
	}
}

func TestOnlineConfig(t *testing.T) {
	t.Parallel()
	fine := middleware.AccessCheckerFunc(func(context.Context, sso.Secret) error { return nil })
	for _, row := range []struct {
		name    string
		checker middleware.AccessChecker
		cfg     middleware.OnlineConfig
		field   string
	}{
		{"no checker", nil, middleware.OnlineConfig{}, "AccessChecker"},
		{"userInfo without a client", middleware.UserInfoChecker(nil), middleware.OnlineConfig{}, "AccessChecker"},
		{"cached for too long", fine, middleware.OnlineConfig{CacheFor: time.Minute + 1}, "OnlineConfig.CacheFor"},
		{"cached for less than nothing", fine, middleware.OnlineConfig{CacheFor: -1}, "OnlineConfig.CacheFor"},
		{"a negative bound", fine, middleware.OnlineConfig{MaxTokens: -1}, "OnlineConfig.MaxTokens"},
		{"too patient", fine, middleware.OnlineConfig{Timeout: 11 * time.Second}, "OnlineConfig.Timeout"},
		{"negative patience", fine, middleware.OnlineConfig{Timeout: -1}, "OnlineConfig.Timeout"},
		{"the largest", fine, middleware.OnlineConfig{CacheFor: time.Minute, MaxTokens: 1, Timeout: 10 * time.Second}, ""},
		{"nothing", fine, middleware.OnlineConfig{}, ""},
	} {
		_, err := middleware.NewOnline(row.checker, row.cfg)
		var wrong *sso.ConfigError
		if errors.As(err, &wrong) != (row.field != "") || wrong != nil && wrong.Field != row.field {
			t.Errorf("%s: %v, want a ConfigError of %q", row.name, err, row.field)
		}
	}
}

// TestOnlineEndsCookieSessions: a session that is in cookies alone ends too.
func TestOnlineEndsCookieSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase, inBrowser).sensitive(w.newOnline(w.userInfo()))
	b := w.newBrowser()
	b.signIn(a)
	if p := b.send(http.MethodGet, a.base+"/sensitive", navigation, nil); p.status != 200 {
		t.Fatalf("signed in: %d", p.status)
	}
	w.admin("AdminUserGlobalSignOut")
	w.pool.Advance(5 * time.Second)
	if p := b.send(http.MethodGet, a.base+"/sensitive", navigation, nil); p.status != 303 {
		t.Errorf("afterwards: %d", p.status)
	}
	if b.signedIn(a) {
		t.Error("the session goes on where nobody asks")
	}
}

// TestOnlineCountsFromTheQuestion: an answer that took long says how things
// were when it was asked for, and serves that much shorter.
func TestOnlineCountsFromTheQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := 0
	slow := middleware.AccessCheckerFunc(func(context.Context, sso.Secret) error {
		asked++
		w.pool.Advance(4 * time.Second) // of the 5 that answers are good for
		return nil
	})
	a := w.newApp(appBase).sensitive(w.newOnline(slow))
	b := w.newBrowser()
	b.signIn(a)
	for i, want := range []int{1, 1, 2} {
		if i == 2 {
			w.pool.Advance(2 * time.Second)
		}
		if p := b.send(http.MethodGet, a.base+"/sensitive", script, nil); p.status != 200 || asked != want {
			t.Errorf("request %d: %d, asked %d times, want %d", i, p.status, asked, want)
		}
	}
}
