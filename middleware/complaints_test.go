package middleware_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// The tests called TestComplaint… are what users of other libraries complain
// about most, as stories that end well here. docs/complaints.md has the threads.

// TestComplaintTwoTabs: one flow cookie for all tabs, or one that is gone, ends
// in an error page at the second tab.
func TestComplaintTwoTabs(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		order []int // in which the tabs come back
	}{
		{"in order", []int{0, 1, 2}},
		{"in the other order", []int{2, 1, 0}},
		{"the first one last", []int{1, 2, 0}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b := w.newApp(appBase), w.newBrowser()
			paths := []string{"/one", "/two", "/three"}
			var callbacks []string
			for _, path := range paths {
				callbacks = append(callbacks, b.callback(a, path))
			}
			for _, i := range row.order {
				if p := b.visit(callbacks[i]); p.status != 200 || p.url != a.base+paths[i] {
					t.Errorf("tab %d ended at %s: %d", i, p.url, p.status)
				}
			}
		})
	}
	t.Run("a tab that is too late, in a browser that is signed in", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b := w.newApp(appBase), w.newBrowser()
		late := b.callback(a, "/late")
		w.pool.Advance(11 * time.Minute)
		b.signIn(a)
		if p := b.visit(late); p.status != 200 || !strings.HasPrefix(p.body, "hello ") {
			t.Errorf("%d %s", p.status, p.body)
		}
	})
	t.Run("a tab that is too late, in a browser that is not", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b := w.newApp(appBase), w.newBrowser()
		late := b.callback(a, "/late")
		w.pool.Advance(11 * time.Minute)
		if p := b.visit(late); p.status != 400 || !strings.Contains(p.body, `href="/auth/login`) {
			t.Errorf("no button to sign in again: %d %s", p.status, p.body)
		}
	})
}

// TestComplaintRefreshRace: requests at once each redeem the rotating refresh
// token, all but one fail, and the user is signed out.
func TestComplaintRefreshRace(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T) {
		t.Helper()
		w := newWorld(t, rotate)
		a, b := w.newApp(appBase), w.newBrowser()
		b.signIn(a)
		for range 3 {
			w.pool.Advance(nearEnd)
			calls := w.wire.count("/oauth2/token")
			var wg sync.WaitGroup
			for range 30 {
				wg.Go(func() {
					if p, err := b.try(t.Context(), http.MethodGet, a.base+"/", script, nil); err != nil || p.status != 200 {
						t.Errorf("%d %v", p.status, err)
					}
				})
			}
			wg.Wait()
			if n := w.wire.count("/oauth2/token") - calls; n != 1 {
				t.Errorf("%d refreshes", n)
			}
		}
	})
}

// TestComplaintLogoutIsNotLogout: signing out leaves the sign-in at Cognito, so
// the next click signs in again without a question; or the old cookie works on.
func TestComplaintLogoutIsNotLogout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.newApp(appBase), w.newBrowser()
	b.signIn(a)
	old := b.session(a)
	p := b.follow(b.signOut(a, nil), a.base)
	if p.location() != a.base+"/auth/logged-out" {
		t.Fatalf("Cognito leads to %q", p.location())
	}
	if p := b.visit(a.base + "/"); !strings.HasPrefix(p.url, w.pool.URL()+"/login?") {
		t.Errorf("signed in again without a question: %s %s", p.url, p.body)
	}
	thief := w.newBrowser()
	thief.setCookie(a, a.login.SessionCookie(), old)
	if thief.signedIn(a) {
		t.Error("the old cookie works")
	}
	if w.wire.count("/oauth2/revoke") != 1 {
		t.Error("the refresh token was not revoked")
	}
}

// TestComplaintXHRGetsARedirect: a script gets 302 to a login page it cannot
// read, instead of 401.
func TestComplaintXHRGetsARedirect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	for name, header := range map[string]http.Header{
		"fetch":              script,
		"fetch for anything": {"Sec-Fetch-Mode": {"cors"}, "Accept": {"text/html,*/*"}},
		"XMLHttpRequest":     {"X-Requested-With": {"XMLHttpRequest"}, "Accept": {"application/json, text/plain, */*"}},
		"curl":               {"Accept": {"*/*"}},
	} {
		p := w.newBrowser().send(http.MethodGet, a.base+"/notes", header, nil)
		if p.status != 401 || p.location() != "" || !strings.Contains(p.body, `"login_url":"/auth/login`) {
			t.Errorf("%s: %d %s %s", name, p.status, p.location(), p.body)
		}
	}
}

// TestComplaintCognitoNonce: at the first sign-in of a provider's user Cognito
// answers a nonce that nobody sent, and strict clients refuse it.
func TestComplaintCognitoNonce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	for range 2 { // the first sign-in, and a later one
		b := w.newBrowser()
		p := b.send(http.MethodGet, a.base+"/auth/login?identity_provider=Kakao", navigation, nil)
		if len(param(t, p.location(), "nonce")) != 43 {
			t.Fatalf("no nonce is sent: %s", p.location())
		}
		b.signIn(a)
	}
}

// TestComplaintClientSecretOptional: public clients, which have no secret, are
// not to be had, or are sent an empty one.
func TestComplaintClientSecretOptional(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *ssotest.Config) { c.Clients[0].ClientSecret = "" })
	a, b := w.newApp(appBase), w.newBrowser()
	w.wire.setHook(func(r *http.Request) (*http.Response, error) {
		if _, _, basic := r.BasicAuth(); basic {
			t.Errorf("%s with a password", r.URL.Path)
		}
		return nil, nil
	})
	b.signIn(a)
	w.pool.Advance(nearEnd)
	if !b.signedIn(a) {
		t.Error("not refreshed")
	}
	if p := b.signOut(a, nil); p.status != 303 {
		t.Errorf("signing out: %d", p.status)
	}
}

// TestComplaintKakao: Kakao is an OIDC provider like any other, whose users may
// have no email address.
func TestComplaintKakao(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.newApp(appBase), w.newBrowser()
	if p := b.visit(b.pickPerson(a, b.startKakao(a, "/"), "1")); p.status != 200 { // 이몽룡 has none
		t.Errorf("without an address: %d", p.status)
	}
	me := b.send(http.MethodGet, a.base+"/auth/me", script, nil)
	if me.status != 200 || strings.Contains(me.body, "email") {
		t.Errorf("%d %s", me.status, me.body)
	}
}

// TestComplaintSameSiteStrict: a Strict cookie is not sent when Cognito leads
// back, so the callback finds nothing.
func TestComplaintSameSiteStrict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.newApp(appBase), w.newBrowser()
	p := b.send(http.MethodGet, a.base+"/auth/login", navigation, nil)
	done := b.send(http.MethodGet, b.callback(a, "/"), crossSite, nil)
	for _, raw := range slices.Concat(p.header["Set-Cookie"], done.header["Set-Cookie"]) {
		if !strings.Contains(raw, "SameSite=Lax") {
			t.Errorf("Set-Cookie without Lax")
		}
	}
	if done.status != 303 || !b.signedIn(a) {
		t.Errorf("%d", done.status)
	}
}

// TestComplaintCookiesPileUp: flows that nobody finishes leave a cookie each,
// until the server refuses the request for its size.
func TestComplaintCookiesPileUp(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T) {
		t.Helper()
		w := newWorld(t)
		a, b := w.newApp(appBase), w.newBrowser()
		b.signIn(a)
		for i := range 40 {
			w.pool.Advance(time.Second)
			b.send(http.MethodGet, a.base+"/auth/login?return_to=/"+strings.Repeat("x", i*50), navigation, nil)
		}
		size := 0
		for name, value := range b.cookies(a) {
			size += len(name) + len(value) + 3
		}
		if size > 16<<10 {
			t.Errorf("%d bytes of cookies", size)
		}
		if n := len(b.flowCookies(a)); n > 4 {
			t.Errorf("%d flow cookies", n)
		}
		b.signOut(a, nil)
		if left := b.leftOver(a); len(left) != 0 {
			t.Errorf("%d cookies are left after signing out", len(left))
		}
	})
}

// TestComplaintUnsafeDefaults: cookies are SameSite=None, or not Secure, or
// last a month, or one answer sets a cookie twice and the last one deletes it.
func TestComplaintUnsafeDefaults(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T) {
		t.Helper()
		w := newWorld(t)
		a, b := w.newApp(appBase), w.newBrowser()
		answers := []page{b.send(http.MethodGet, b.callback(a, "/"), navigation, nil)}
		answers = append(answers, b.send(http.MethodGet, a.base+"/auth/login", navigation, nil), b.signOut(a, nil))
		for i, p := range answers {
			seen := map[string]bool{}
			for _, raw := range p.header["Set-Cookie"] {
				c, err := http.ParseSetCookie(raw)
				if err != nil {
					t.Fatal(err)
				}
				if seen[c.Name] {
					t.Errorf("answer %d sets a cookie twice", i)
				}
				seen[c.Name] = true
				if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" || c.MaxAge > 24*60*60 || !strings.HasPrefix(c.Name, "__Host-") {
					t.Errorf("answer %d: %s", i, c.Name)
				}
			}
		}
		w.pool.Advance(12*time.Hour + time.Second)
		if b.signedIn(a) {
			t.Error("a session of half a day ago stands")
		}
	})
}

// TestComplaintCSRFMiddleware: an app's CSRF protection takes the callback for
// an attack, or has to be turned off for it.
func TestComplaintCSRFMiddleware(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.newApp(appBase), w.newBrowser()
	w.apps[appBase] = http.NewCrossOriginProtection().Handler(a.mux)
	if p := b.send(http.MethodGet, b.callback(a, "/"), crossSite, nil); p.status != 303 || !b.signedIn(a) {
		t.Errorf("the callback behind CrossOriginProtection: %d", p.status)
	}
	if p := b.signOut(a, nil); p.status != 303 || b.signedIn(a) {
		t.Errorf("the sign-out behind it: %d", p.status)
	}
}

// TestComplaintRefreshEndpoint: an endpoint that refreshes, or ends a session
// when that fails, can be called by any site.
func TestComplaintRefreshEndpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rotate)
	a, b := w.newApp(appBase), w.newBrowser()
	b.signIn(a)
	w.pool.Advance(30 * time.Minute)
	for _, path := range []string{"/auth/refresh", "/auth/token", "/auth/session", "/auth/session/refresh"} {
		for _, method := range []string{"GET", "POST"} {
			if p := b.send(method, a.base+path, crossSite, nil); p.status != 404 {
				t.Errorf("%s %s: %d", method, path, p.status)
			}
		}
	}
	if w.wire.count("/oauth2/token") != 1 || !b.signedIn(a) {
		t.Error("refreshed, or signed out")
	}
}

// TestComplaintStateAsReturnTo: state doubles as the place to go to, or a
// parameter of the callback says it, and so anybody says it.
func TestComplaintStateAsReturnTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.newApp(appBase), w.newBrowser()
	p := b.send(http.MethodGet, a.base+"/auth/login?return_to=%2Fnotes&state=%2Fevil&callback=%2Fevil", navigation, nil)
	state := param(t, p.location(), "state")
	if len(state) != 43 || strings.Contains(p.location(), "notes") || strings.Contains(p.location(), "evil") {
		t.Errorf("Cognito is told where to go to: %s", p.location())
	}
	callback := with(t, b.callback(a, "/notes"), "callback", "https://evil.example/", "return_to", "/evil")
	if p := b.send(http.MethodGet, callback, navigation, nil); p.location() != "/notes" || strings.Contains(p.location(), "eyJ") {
		t.Errorf("led to %s", p.location())
	}
}

// TestComplaintAdvisories: what the advisories of oauth2-proxy, nosurf,
// gorilla/csrf and net/http were about.
func TestComplaintAdvisories(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	for _, row := range []struct {
		name   string
		method string
		path   string
		header http.Header
		status int
	}{
		{"GHSA-7x63: the path to judge by in a header", "GET", "/", http.Header{"X-Forwarded-Uri": {"/open"}}, 401},
		{"GHSA-5hvv: a user agent that needs no sign-in", "GET", "/", http.Header{"User-Agent": {"GoogleHC/1.0"}}, 401},
		{"GHSA-vjrc: a header with underscores", "GET", "/", http.Header{"X_Forwarded_User": {"admin"}}, 401},
		{"CVE-2025-46721, CVE-2025-24358: the scheme of r.URL", "POST", "/auth/logout", http.Header{"Origin": {"https://evil.example"}, "Referer": {"https://evil.example/"}}, 403},
		{"CVE-2025-47910: a pattern that a redirect escapes", "POST", "/auth//logout", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 404},
	} {
		r := httptest.NewRequest(row.method, row.path, nil)
		r.Header = maps.Clone(row.header)
		if row.header.Get("Sec-Fetch-Site") == "" && row.method == "GET" {
			r.Header.Set("Sec-Fetch-Mode", "cors")
		}
		rec := httptest.NewRecorder()
		if strings.HasPrefix(row.path, "/auth/") {
			a.login.ServeHTTP(rec, r)
		} else {
			a.mux.ServeHTTP(rec, r)
		}
		if rec.Code != row.status {
			t.Errorf("%s: %d, want %d", row.name, rec.Code, row.status)
		}
	}
	for name, to := range map[string]string{
		"GHSA-4mf2": `/\evil.example`, "GHSA-5m6c": "/\t/evil.example", "GHSA-j7px": "//evil.example/%2f..", "GHSA-qqxw": `/\/evil.example`,
	} {
		b := w.newBrowser()
		if p := b.get(a.base + "/auth/login?prompt=none&return_to=" + url.QueryEscape(to)); p.status != 303 {
			t.Errorf("%s: %d", name, p.status)
		} else if led := b.get(b.follow(p, appBase).location()).location(); led != "/" {
			t.Errorf("%s: led to %q", name, led)
		}
	}
	// GHSA-f24x: the session before a sign-in is the session after it.
	b := w.newBrowser()
	b.signIn(a)
	before := b.session(a)
	if b.signIn(a); b.session(a) == before {
		t.Error("GHSA-f24x: the id of before")
	}
}
