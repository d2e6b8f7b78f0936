package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

func TestRequireFresh(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, row := range []struct {
		name     string
		authTime time.Time
		now      time.Time
		status   int
	}{
		{"just now", now, now, 200},
		{"at the limit", now.Add(-5 * time.Minute), now, 200},
		{"a moment over", now.Add(-5*time.Minute - 1), now, 401},
		{"long ago", now.Add(-24 * time.Hour), now, 401},
		{"absent, as in a machine token", time.Time{}, now, 401},
		{"absent, and a clock at the beginning", time.Time{}, time.Time{}, 401},
		{"at the epoch", time.Unix(0, 0), now, 401},
		{"a little ahead", now.Add(5 * time.Minute), now, 200},
		{"far ahead", now.Add(5*time.Minute + 1), now, 401},
		{"so far ahead that it overflows", time.Unix(253402300799, 0), now, 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			v := newStub()
			token := v.tokens["good"]
			token.AuthTime = row.authTime
			v.tokens["good"] = token
			cfg := middleware.BearerConfig{Now: func() time.Time { return row.now }}
			h := middleware.RequireFresh(5 * time.Minute)(echo)
			w := serve(newBearer(t, v, cfg).Require(h), "Bearer good")
			if w.Code != row.status {
				t.Fatalf("status %d, want %d", w.Code, row.status)
			}
			if row.status == 401 {
				checkChallenge(t, w, "insufficient_user_authentication")
				if got := w.Header().Get("WWW-Authenticate"); !strings.HasSuffix(got, `, max_age="300"`) {
					t.Errorf("challenge %q, want max_age 300", got)
				}
			}
			var got error
			cfg.ErrorHandler = func(_ http.ResponseWriter, _ *http.Request, err error) { got = err }
			serve(newBearer(t, v, cfg).Require(h), "Bearer good")
			var fresh *middleware.FreshnessError
			if row.status == 401 && (!errors.Is(got, middleware.ErrNotFresh) || !errors.As(got, &fresh) || fresh.MaxAge != 5*time.Minute) {
				t.Errorf("the handler got %v, want a FreshnessError of 5m", got)
			}
		})
	}
}

// TestFreshStacked: each token of the request must be fresh, whichever is
// innermost.
func TestFreshStacked(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, row := range []struct {
		name       string
		access, id time.Duration
		status     int
	}{
		{"both fresh", 0, time.Second, 200},
		{"old access token", time.Hour, 0, 401},
		{"old ID token", 0, time.Hour, 401},
	} {
		v := newStub()
		for name, age := range map[string]time.Duration{"good": row.access, "id": row.id} {
			token := v.tokens[name]
			token.AuthTime = now.Add(-age)
			v.tokens[name] = token
		}
		clock := func() time.Time { return now }
		access := newBearer(t, v, middleware.BearerConfig{Now: clock})
		id := newBearer(t, v, middleware.BearerConfig{Now: clock, Use: sso.UseID, Extract: middleware.FromHeader("X-Id-Token")})
		fresh := middleware.RequireFresh(time.Minute)(echo)
		for _, h := range []http.Handler{access.Require(id.Require(fresh)), id.Require(access.Require(fresh))} {
			if w := serveWith(h, http.Header{"Authorization": {"Bearer good"}, "X-Id-Token": {"id"}}); w.Code != row.status {
				t.Errorf("%s: %d, want %d", row.name, w.Code, row.status)
			}
		}
	}
}

// TestFreshNobody: without a token it is 401 as ever, with or without Bearer.
func TestFreshNobody(t *testing.T) {
	t.Parallel()
	fresh := middleware.RequireFresh(time.Minute)(echo)
	for name, h := range map[string]http.Handler{
		"no middleware": fresh,
		"optional":      newBearer(t, newStub(), middleware.BearerConfig{}).Optional(fresh),
	} {
		w := serve(h)
		if w.Code != 401 {
			t.Errorf("%s: %d, want 401", name, w.Code)
		}
		checkChallenge(t, w, "")
	}
}

func TestFreshPanics(t *testing.T) {
	t.Parallel()
	for _, maxAge := range []time.Duration{0, -time.Minute, time.Millisecond, time.Second + 1, 90*time.Second + time.Millisecond} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v: no panic", maxAge)
				}
			}()
			middleware.RequireFresh(maxAge)
		}()
	}
}

// TestFreshTokens: refreshing moves iat and not auth_time.
func TestFreshTokens(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	v, err := sso.NewVerifier(p.VerifierConfig())
	if err != nil {
		t.Fatal(err)
	}
	now := p.VerifierConfig().Now()
	b := newBearer(t, v, middleware.BearerConfig{Now: p.VerifierConfig().Now})
	h := b.Require(middleware.RequireFresh(10 * time.Minute)(echo))
	for _, row := range []struct {
		name   string
		claims ssotest.Claims
		status int
	}{
		{"signed in now", ssotest.Claims{}, 200},
		{"refreshed, signed in lately", ssotest.Claims{IssuedAt: now, AuthTime: now.Add(-9 * time.Minute)}, 200},
		{"refreshed, signed in an hour ago", ssotest.Claims{IssuedAt: now, AuthTime: now.Add(-time.Hour)}, 401},
		{"no auth_time", ssotest.Claims{Drop: []string{"auth_time"}}, 401},
	} {
		if w := serve(h, "Bearer "+p.AccessToken(row.claims)); w.Code != row.status {
			t.Errorf("%s: %d, want %d: %s", row.name, w.Code, row.status, w.Body)
		}
	}
}

// TestGroups: all of them, or any.
func TestGroups(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	v, err := sso.NewVerifier(p.VerifierConfig())
	if err != nil {
		t.Fatal(err)
	}
	b := newBearer(t, v, middleware.BearerConfig{})
	all, anyOf := middleware.RequireGroup("staff", "admins"), middleware.RequireAnyGroup("staff", "admins")
	for _, row := range []struct {
		name   string
		groups []string
		all    int
		anyOf  int
	}{
		{"both", []string{"admins", "staff", "students"}, 200, 200},
		{"one", []string{"staff"}, 403, 200},
		{"none of them", []string{"students"}, 403, 403},
		{"no groups", nil, 403, 403},
		{"another case", []string{"Staff", "ADMINS"}, 403, 403},
		{"joined", []string{"staff,admins", "staff admins"}, 403, 403},
	} {
		token := "Bearer " + p.AccessToken(ssotest.Claims{Groups: row.groups})
		if w := serve(b.Require(all(echo)), token); w.Code != row.all {
			t.Errorf("%s: all of: %d, want %d", row.name, w.Code, row.all)
		}
		if w := serve(b.Require(anyOf(echo)), token); w.Code != row.anyOf {
			t.Errorf("%s: any of: %d, want %d", row.name, w.Code, row.anyOf)
		}
	}
}

// TestFreshSession: a browser of Login signs in anew, and not from Cognito's own
// session, which would bring the same auth_time back for ever.
func TestFreshSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	a.mux.Handle("/delete", a.login.Require(middleware.RequireFresh(10*time.Minute)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("deleted"))
	}))))
	b := w.newBrowser()
	b.signIn(a)
	if p := b.send(http.MethodGet, a.base+"/delete", navigation, nil); p.status != 200 || p.body != "deleted" {
		t.Fatalf("signed in now: %d %s", p.status, p.body)
	}
	w.pool.Advance(11 * time.Minute)
	if !b.signedIn(a) {
		t.Fatal("the session ended")
	}
	p := b.send(http.MethodGet, a.base+"/delete", script, nil)
	if p.status != 401 || !strings.Contains(p.body, `"error":"insufficient_user_authentication"`) || !strings.Contains(p.body, `"login_url":"/auth/login?prompt=login"`) ||
		!strings.HasPrefix(p.header.Get("WWW-Authenticate"), "Cookie ") {
		t.Errorf("script: %d %s %v", p.status, p.body, p.header)
	}
	// A form can be sent again from the page that stays.
	p = b.send(http.MethodPost, a.base+"/delete", navigation, url.Values{"id": {"1"}})
	if p.status != 401 || !strings.Contains(p.body, "Please sign in once more") || !strings.Contains(p.body, `href="/auth/login?prompt=login" target="_blank"`) {
		t.Errorf("form: %d %s", p.status, p.body)
	}
	p = b.send(http.MethodGet, a.base+"/delete?id=1", navigation, nil)
	if p.status != 303 || p.location() != "/auth/login?prompt=login&return_to=%2Fdelete%3Fid%3D1" {
		t.Fatalf("browser: %d %s", p.status, p.location())
	}
	// At Cognito, it is a page and no redirect back.
	if p = b.follow(p, a.base+"/delete"); p.status != 200 || strings.HasPrefix(p.url, a.base) {
		t.Errorf("sent round in circles: %d %s", p.status, p.url)
	}
	// Having signed in again, it goes through.
	if p := b.visit(b.callback(a, "/delete")); p.status != 200 || p.body != "deleted" {
		t.Errorf("signed in again: %d %s", p.status, p.body)
	}
}

// TestFreshLoop: where no sign-in is ever enough, the second is the last that
// is asked for, and the page that says so offers to start again.
func TestFreshLoop(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(w *world) func(http.Handler) http.Handler{
		"a clock that is ahead": func(*world) func(http.Handler) http.Handler {
			return middleware.RequireFresh(time.Second) // and each sign-in is two old
		},
		"an online check that ends every sign-in": func(w *world) func(http.Handler) http.Handler {
			return w.newOnline(middleware.AccessCheckerFunc(func(context.Context, sso.Secret) error { return middleware.ErrSignInEnded })).Require
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.newApp(appBase)
			a.mux.Handle("/hard", a.login.Require(wrap(w)(echo)))
			b := w.newBrowser()
			b.signIn(a)
			w.pool.Advance(2 * time.Second)
			const target = "/hard?id=1"
			signIns := 0
			p := b.send(http.MethodGet, a.base+target, navigation, nil)
			for p.location() == "/auth/login?prompt=login&return_to=%2Fhard%3Fid%3D1" && signIns < 5 {
				if p = b.send(http.MethodGet, b.callback(a, target), navigation, nil); p.location() != target {
					t.Fatalf("callback: %d %s", p.status, p.location())
				}
				w.pool.Advance(2 * time.Second)
				p = b.send(http.MethodGet, a.base+target, navigation, nil)
				signIns++
			}
			if signIns != 2 || p.status != 400 || !strings.Contains(p.body, "Your new sign-in is not enough") || p.url != a.base+target {
				t.Fatalf("%d sign-ins, then %d at %s: %s", signIns, p.status, p.url, p.body)
			}
			const again = "/auth/login?prompt=login&amp;retry=1&amp;return_to=%2Fhard%3Fid%3D1"
			if !strings.Contains(p.body, `href="`+again+`"`) || b.cookies(a)[a.login.TriesCookie()] != "2" {
				t.Fatalf("no button, or the count is lost: %s", p.body)
			}
			if p = b.send(http.MethodGet, a.base+strings.ReplaceAll(again, "&amp;", "&"), navigation, nil); p.status != 303 || b.cookies(a)[a.login.TriesCookie()] != "" {
				t.Errorf("not started afresh: %d", p.status)
			}
		})
	}
}
