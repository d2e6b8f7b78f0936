package middleware_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

func silentFirst(c *middleware.LoginConfig) { c.SilentFirst = true }

func twoProviders(c *middleware.LoginConfig) {
	c.Providers = []middleware.Provider{{Name: "Kakao"}, {Name: "Google", English: "Google account", Korean: "구글 계정"}}
}

// authorize sends a browser to the app's login and returns the parameters that
// Cognito would get.
func (b *browser) authorize(a *app, path string) url.Values {
	b.t.Helper()
	p := b.send(http.MethodGet, a.base+path, navigation, nil)
	u, err := url.Parse(p.location())
	if err != nil || p.status != 303 || !strings.HasSuffix(u.Path, "/oauth2/authorize") {
		b.t.Fatalf("%s: %d %s", path, p.status, p.location())
	}
	return u.Query()
}

// TestSilentFirst: whoever Cognito knows is not asked, whoever it does not know
// is asked at once, and no browser is tried again and again.
func TestSilentFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	board, desk := w.newApp(appBase), w.newApp(deskBase, silentFirst, twoProviders)
	b := w.newBrowser()
	q := b.authorize(desk, "/auth/login")
	if q.Get("prompt") != "none" || q.Has("identity_provider") {
		t.Errorf("first: %v", q)
	}
	// Cognito knows nobody: the choice of providers follows, in one go.
	p := b.visit(desk.base + "/notes")
	if p.status != 200 || !strings.HasPrefix(p.url, desk.base+"/auth/login?ask=1") || !strings.Contains(p.body, "Continue with Kakao") {
		t.Fatalf("%d %s %s", p.status, p.url, p.body)
	}
	if !strings.Contains(p.body, `href="/auth/login?identity_provider=Kakao&amp;return_to=%2Fnotes"`) {
		t.Errorf("the way back is lost: %s", p.body)
	}
	// Not again for a while.
	if p := b.send(http.MethodGet, desk.base+"/auth/login", navigation, nil); p.status != 200 {
		t.Errorf("tried again: %d %s", p.status, p.location())
	}
	// Somebody who is signed in at the board sees no page of the desk's.
	c := w.newBrowser()
	c.signIn(board)
	if p := c.visit(desk.base + "/notes"); p.status != 200 || !strings.HasPrefix(p.body, "hello ") || p.url != desk.base+"/notes" {
		t.Errorf("second app: %d %s %s", p.status, p.url, p.body)
	}
	for _, call := range []string{"/auth/login?prompt=login", "/auth/login?prompt=select_account"} {
		if p := c.send(http.MethodGet, desk.base+call, navigation, nil); p.status != 200 {
			t.Errorf("%s is not asked: %d %s", call, p.status, p.location())
		}
	}
	if q := c.authorize(desk, "/auth/login?identity_provider=Google"); q.Get("identity_provider") != "Google" || q.Has("prompt") {
		t.Errorf("a provider that was picked: %v", q)
	}
}

// TestSilentOutcomes: every way in which Cognito may not sign somebody in
// silently, for an app that asked by itself and for SilentFirst. None shows a
// page of an error to somebody who asked nothing, and none loops.
func TestSilentOutcomes(t *testing.T) {
	t.Parallel()
	const back, ask = "/open", "/auth/login?ask=1&return_to=%2Fopen"
	for _, row := range []struct {
		name           string
		answer         string // of the callback, beside state
		fault          func(*ssotest.Faults)
		app, first     string // where the browser goes, or "" for a page
		firstStatus    int
		tokensAskedFor int
	}{
		{name: "login_required", answer: "error=login_required", app: back, first: ask},
		{name: "interaction_required", answer: "error=interaction_required", app: back, first: ask},
		{name: "consent_required", answer: "error=consent_required", app: back, first: ask},
		{name: "account_selection_required", answer: "error=account_selection_required", app: back, first: ask},
		{name: "access_denied", answer: "error=access_denied", app: back, first: ask},
		{name: "a trigger refuses", answer: "error=invalid_request&error_description=PLANTED", app: back, first: ask},
		{name: "a code nobody knows", answer: "error=PLANTED", app: back, first: ask},
		{name: "temporarily_unavailable", answer: "error=temporarily_unavailable", app: back, first: ask},
		{name: "a code that was redeemed", answer: "code=x", app: back, firstStatus: 400, tokensAskedFor: 1},
		{name: "Cognito is down", answer: "code=x", fault: func(f *ssotest.Faults) { f.TokenEndpoint, f.TokenEndpointStatus = "server_error", 502 }, app: back, firstStatus: 503, tokensAskedFor: 1},
		{name: "another issuer", answer: "error=login_required&iss=https://evil.example", app: back, firstStatus: 400},
	} {
		for _, first := range []bool{false, true} {
			t.Run(row.name+map[bool]string{true: " SilentFirst"}[first], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				start, want := "/auth/login?prompt=none&return_to=%2Fopen", row.app
				a := w.newApp(appBase)
				if first {
					a = w.newApp(appBase, silentFirst)
					start, want = "/auth/login?return_to=%2Fopen", row.first
				}
				if row.fault != nil {
					w.pool.SetFaults(row.fault)
				}
				b := w.newBrowser()
				q := b.authorize(a, start)
				if q.Get("prompt") != "none" {
					t.Fatalf("not silent: %v", q)
				}
				p := b.send(http.MethodGet, a.base+"/auth/callback?"+row.answer+"&state="+q.Get("state"), navigation, nil)
				if strings.Contains(p.body, "PLANTED") || strings.Contains(p.location(), "PLANTED") {
					t.Error("what came from outside is shown")
				}
				if n := w.wire.count("/oauth2/token"); n != row.tokensAskedFor {
					t.Errorf("%d token requests", n)
				}
				if want == "" {
					if p.status != row.firstStatus || p.location() != "" {
						t.Errorf("%d %s, want a page with %d", p.status, p.location(), row.firstStatus)
					}
					return
				}
				if p.status != 303 || p.location() != want {
					t.Fatalf("%d %s, want %s", p.status, p.location(), want)
				}
				// Again: nobody is asked silently, with the cookie or without.
				if first {
					if q := b.authorize(a, want); q.Has("prompt") {
						t.Errorf("silent again: %v", q)
					}
					if q := w.newBrowser().authorize(a, want); q.Has("prompt") {
						t.Errorf("silent again in a browser that kept no cookie: %v", q)
					}
					if q := b.authorize(a, start); q.Has("prompt") {
						t.Errorf("silent again soon: %v", q)
					}
					return
				}
				if p := b.send(http.MethodGet, a.base+start, navigation, nil); p.status != 303 || p.location() != "/open" {
					t.Errorf("asked again soon: %d %s", p.status, p.location())
				}
			})
		}
	}
}

// TestSilentLoopIsCut: sign-ins that succeed silently and whose session does not
// come back end at an explanation after two.
func TestSilentLoopIsCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase, silentFirst)
	b := w.newBrowser()
	b.signIn(a)
	for n := range 3 {
		b.setCookie(a, a.login.SessionCookie(), "")
		p := b.send(http.MethodGet, a.base+"/", navigation, nil)
		p = b.send(http.MethodGet, a.base+p.location(), navigation, nil)
		if n == 2 {
			if p.status != 400 || !strings.Contains(p.body, "does not stay signed in") {
				t.Errorf("third try: %d %s", p.status, p.location())
			}
			break
		}
		p = b.follow(p, a.base+"/auth/callback")
		if p = b.send(http.MethodGet, p.location(), navigation, nil); p.status != 303 {
			t.Fatalf("callback: %d", p.status)
		}
	}
}

// TestSilentWithoutCookies: a browser that keeps nothing ends at a page too.
func TestSilentWithoutCookies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase, silentFirst)
	q := w.newBrowser().authorize(a, "/auth/login")
	p := w.newBrowser().send(http.MethodGet, a.base+"/auth/callback?error=login_required&state="+q.Get("state"), navigation, nil)
	if p.status != 400 || p.location() != "" || !strings.Contains(p.body, "allow cookies") {
		t.Errorf("%d %s", p.status, p.location())
	}
}

// TestMeEndsTheCount: an app whose pages are files, and that asks only /me, is
// not taken for one whose session never comes back.
func TestMeEndsTheCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	for range 4 {
		p := b.send(http.MethodGet, b.callback(a, "/open"), navigation, nil)
		if p.status != 303 {
			t.Fatalf("callback: %d", p.status)
		}
		if p := b.send(http.MethodGet, a.base+"/auth/me", script, nil); p.status != 200 {
			t.Fatalf("me: %d", p.status)
		}
		if b.cookies(a)[a.login.TriesCookie()] != "" {
			t.Fatal("still counted")
		}
	}
}

// TestSilentIsRemembered: for five minutes, in a cookie.
func TestSilentIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	q := b.authorize(a, "/auth/login?prompt=none")
	p := b.send(http.MethodGet, a.base+"/auth/callback?error=login_required&state="+q.Get("state"), navigation, nil)
	found := false
	for _, c := range (&http.Response{Header: p.header}).Cookies() {
		if strings.Contains(c.Name, "silent") {
			found = c.MaxAge == int(5*time.Minute/time.Second) && c.Value == "1"
		}
	}
	if !found {
		t.Errorf("cookies: %v", p.header["Set-Cookie"])
	}
}

// TestSignInForgetsTheNo: whoever signs in with a page after Cognito's no may be
// asked silently again at once, as after signing out and in elsewhere.
func TestSignInForgetsTheNo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase, silentFirst)
	b := w.newBrowser()
	if p := b.visit(a.base + "/"); !strings.HasPrefix(p.url, w.pool.URL()+"/login?") {
		t.Fatalf("not asked, but at %s: %d", p.url, p.status)
	}
	remembered := func() bool {
		for name := range b.cookies(a) {
			if strings.Contains(name, "silent") {
				return true
			}
		}
		return false
	}
	if !remembered() {
		t.Fatal("the no is not remembered: this test proves nothing")
	}
	b.signIn(a)
	if remembered() {
		t.Error("the no is remembered after a sign-in")
	}
	if q := b.authorize(a, "/auth/login"); q.Get("prompt") != "none" {
		t.Errorf("not tried silently: %v", q)
	}
}
