package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestAttackLogoutCSRFRows: no request that another site can make a browser
// send ends the session of the person at it, by whatever route.
func TestAttackLogoutCSRFRows(t *testing.T) {
	t.Parallel()
	inBothModes(t, attackLogoutCSRFRows)
}

func attackLogoutCSRFRows(t *testing.T) {
	t.Helper()
	const evil = "https://evil.example"
	from := func(site string, pairs ...string) http.Header {
		return headers(http.Header{"Sec-Fetch-Site": {site}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Accept": {"text/html"}}, pairs...)
	}
	old := func(pairs ...string) http.Header { return headers(http.Header{"Accept": {"text/html"}}, pairs...) }
	for _, row := range []struct {
		name, method, target string
		header               http.Header
		body                 string
		status               int
		ends                 bool
	}{
		{"form of another site", "POST", "/auth/logout", from("cross-site", "Origin", evil), "", 403, false},
		{"form as text/plain", "POST", "/auth/logout", from("cross-site", "Origin", evil, "Content-Type", "text/plain"), "everywhere=1", 403, false},
		{"form as multipart", "POST", "/auth/logout", from("cross-site", "Origin", evil, "Content-Type", "multipart/form-data; boundary=x"), "--x--", 403, false},
		{"sendBeacon", "POST", "/auth/logout", from("cross-site", "Origin", evil, "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "empty"), "", 403, false},
		{"fetch", "POST", "/auth/logout", from("cross-site", "Origin", evil, "Sec-Fetch-Mode", "cors", "Content-Type", "application/json"), "{}", 403, false},
		{"a frame without origin", "POST", "/auth/logout", from("cross-site", "Origin", "null", "Sec-Fetch-Dest", "iframe"), "", 403, false},
		{"form of a sibling host", "POST", "/auth/logout", from("same-site", "Origin", deskBase), "", 403, false},
		{"everywhere=1, of another site", "POST", "/auth/logout?everywhere=1", from("cross-site", "Origin", evil), "", 403, false},
		{"our origin claimed beside cross-site", "POST", "/auth/logout", from("cross-site", "Origin", deskBase, "Referer", appBase+"/"), "", 403, false},
		{"method smuggled", "POST", "/auth/logout", from("cross-site", "Origin", evil, "X-Http-Method-Override", "GET"), "", 403, false},
		{"old browser, sibling", "POST", "/auth/logout", old("Origin", deskBase), "", 403, false},
		{"old browser, other scheme", "POST", "/auth/logout", old("Origin", strings.Replace(appBase, "https", "http", 1)), "", 403, false},
		{"old browser, our host as a user", "POST", "/auth/logout", old("Origin", appBase+"@evil.example"), "", 403, false},
		{"old browser, two origins", "POST", "/auth/logout", old("Origin", appBase+" "+evil), "", 403, false},
		{"old browser, in another case", "POST", "/auth/logout", old("Origin", strings.ToUpper(evil)), "", 403, false},
		{"old browser, Host of the attacker's", "POST", "/auth/logout", old("Origin", evil, "Host", "evil.example"), "", 403, false},
		{"link", "GET", "/auth/logout", from("cross-site"), "", 405, false},
		{"link with everywhere=1", "GET", "/auth/logout?everywhere=1&_method=POST", from("cross-site"), "", 405, false},
		{"prefetched link", "GET", "/auth/logout", from("cross-site", "Sec-Purpose", "prefetch"), "", 405, false},
		{"preflight", "OPTIONS", "/auth/logout", from("cross-site", "Origin", evil, "Access-Control-Request-Method", "POST"), "", 405, false},
		{"the page after signing out", "GET", "/auth/logged-out", from("cross-site"), "", 200, false},
		{"path in another case", "POST", "/auth/LOGOUT", from("cross-site", "Origin", evil), "", 404, false},
		{"path with a slash after it", "POST", "/auth/logout/", from("cross-site", "Origin", evil), "", 404, false},
		{"path encoded", "POST", "/auth/%6cogout", from("cross-site", "Origin", evil), "", 403, false},
		{"a sign-in started", "GET", "/auth/login?prompt=login", from("cross-site"), "", 303, false},
		{"a silent sign-in started", "GET", "/auth/login?prompt=none", from("cross-site"), "", 303, false},
		{"a callback with an error", "GET", "/auth/callback?error=access_denied&state=x", from("cross-site"), "", 303, false},
		{"a callback with a code", "GET", "/auth/callback?code=x&state=x", from("cross-site"), "", 303, false},
		{"a broken callback", "GET", "/auth/callback?code=x&code=y", from("cross-site"), "", 400, false},
		{"the app's own form", "POST", "/auth/logout", from("same-origin", "Origin", appBase), "", 303, true},
		{"the app's own form without Origin", "POST", "/auth/logout", from("same-origin"), "", 303, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			who := s.victim.enter(s.a, asVictim)
			r := httptest.NewRequest(row.method, row.target, strings.NewReader(row.body))
			r.Host = strings.TrimPrefix(appBase, "https://")
			r.Header = row.header.Clone()
			if host := r.Header.Get("Host"); host != "" {
				r.Host = host
			}
			// Though SameSite=Lax would keep the cookie from most of these.
			u, _ := url.Parse(appBase + "/")
			for _, c := range s.victim.jar.Cookies(u) {
				r.AddCookie(c)
			}
			rec := httptest.NewRecorder()
			s.a.mux.ServeHTTP(rec, r)
			s.victim.jar.SetCookies(u, rec.Result().Cookies())
			if rec.Code != row.status {
				t.Errorf("status %d, want %d", rec.Code, row.status)
			}
			for _, c := range rec.Result().Cookies() {
				if c.Name == s.a.login.SessionCookie() && !row.ends {
					t.Errorf("the session cookie is set to %q", c.Value)
				}
			}
			if rec.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Error("CORS headers")
			}
			if now := s.victim.who(s.a); (now == who) == row.ends {
				t.Errorf("the victim is %s", now)
			}
			if n := s.wire.count("/oauth2/revoke"); (n > 0) != row.ends {
				t.Errorf("%d refresh tokens revoked", n)
			}
		})
	}
}
