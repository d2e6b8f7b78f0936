package ssotest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzAuthorize asks that no query makes the pool send a browser to a URL that is not registered, whether or not somebody
// is signed in.
func FuzzAuthorize(f *testing.F) {
	callbacks := []string{"http://localhost:8080/cb", "https://app.example/cb?x=1", "myapp://cb"}
	p := NewPool(f, Config{Clients: []Client{{ClientID: "web", CallbackURLs: callbacks, LogoutURLs: []string{"http://localhost:8080/bye"}, AllowedOAuthFlows: []string{"code"}}}})
	if _, err := p.AddUser(User{Username: "u"}); err != nil {
		f.Fatal(err)
	}
	h := &hosted{p: p}
	routes := h.routes()
	rec := httptest.NewRecorder()
	h.startSession(rec, "u", nativeProvider)
	session := rec.Result().Cookies()[0]

	good := "response_type=code&client_id=web&redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fcb"
	for _, q := range []string{
		good, good + "&state=x&scope=openid&prompt=none", good + "&identity_provider=Kakao", good + "&prompt=login",
		good + "&redirect_uri=https://evil.example/", good + "&state=%0d%0aLocation:https://evil.example/",
		"response_type=code&client_id=web&redirect_uri=https%3A%2F%2Fapp.example%2Fcb%3Fx%3D1&scope=nonsense",
		"response_type=code&client_id=web&redirect_uri=//evil.example", "client_id=web&logout_uri=https://evil.example/",
		"client_id=web&logout_uri=http://localhost:8080/bye", "client_id=web", "%", ";", "", good + "&\x0f",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/oauth2/authorize", "/login", "/logout"} {
			for _, cookie := range []*http.Cookie{nil, session} {
				if path == "/logout" && cookie != nil {
					continue // it would end the session
				}
				r := httptest.NewRequest(http.MethodGet, path, nil)
				r.URL.RawQuery = query
				if cookie != nil {
					r.AddCookie(cookie)
				}
				w := httptest.NewRecorder()
				routes.ServeHTTP(w, r)
				if w.Code >= 500 {
					t.Fatalf("%s?%s: %d", path, query, w.Code)
				}
				checkTarget(t, path+"?"+query, w.Header().Get("Location"), append([]string{"http://localhost:8080/bye"}, callbacks...))
			}
		}
	})
}

// checkTarget accepts a page of the pool, or a registered URL and what was added to its query.
func checkTarget(t *testing.T, from, to string, registered []string) {
	t.Helper()
	if to == "" {
		return
	}
	u, err := url.Parse(to)
	if err != nil || strings.ContainsAny(to, "\r\n\\") {
		t.Fatalf("%s → %q: %v", from, to, err)
	}
	if u.Scheme == "" && u.Host == "" && slices.ContainsFunc([]string{"/error?", "/login?", "/_idp/"}, func(s string) bool { return strings.HasPrefix(to, s) }) {
		return
	}
	for _, r := range registered {
		if to == r || strings.HasPrefix(to, withQuery(r)) {
			return
		}
	}
	t.Fatalf("%s → %q, which is not registered", from, to)
}

func TestExpiringSweeps(t *testing.T) {
	t.Parallel()
	var e expiring[int]
	start := time.Unix(1_700_000_000, 0)
	for i := range 10 * sweepMin {
		now := start.Add(codeLifetime * 2)
		if i < sweepMin {
			now = start
		}
		e.put(now, newUUID(), i, now.Add(codeLifetime))
	}
	if _, ok := e.get(start, "x"); ok {
		t.Error("found what was never there")
	}
	e.put(start, "once", 1, start.Add(codeLifetime))
	if _, ok := e.take(start, "once", func(int) bool { return false }); ok {
		t.Error("taken against its will")
	}
	if _, ok := e.take(start, "once", func(int) bool { return true }); !ok {
		t.Error("not taken")
	}
	if _, ok := e.get(start, "once"); ok {
		t.Error("taken and still there")
	}
	e.put(start, "late", 1, start.Add(codeLifetime))
	if _, ok := e.get(start.Add(codeLifetime), "late"); ok {
		t.Error("alive at its end")
	}
	if len(e.entries) > 10*sweepMin-sweepMin+2 {
		t.Errorf("%d entries: the ended ones were kept", len(e.entries))
	}
}
