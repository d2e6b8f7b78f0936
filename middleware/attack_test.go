package middleware_test

import (
	"html"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The tests called TestAttack… are tables of attacks, each row one attack with
// what becomes of it. "make attacks" counts them; internal/attacks says which
// test belongs to which class.

// scene is a world with one app, its user, and somebody who attacks them.
type scene struct {
	*world
	a                *app
	victim, attacker *browser
}

func newScene(t *testing.T) *scene {
	t.Helper()
	w := newWorld(t)
	return &scene{w, w.newApp(appBase), w.newBrowser(), w.newBrowser()}
}

// inBothModes runs the rows with sessions in a store and with sessions in
// cookies: newApp goes by the name of the test.
func inBothModes(t *testing.T, rows func(t *testing.T)) {
	t.Helper()
	for _, mode := range []string{"in_store", inCookies} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			rows(t)
		})
	}
}

// stored says whether so many sessions were made in the app's store. Those in
// cookies leave nothing to count.
func (a *app) stored(n int) bool {
	return a.cfg.Sessions == nil || a.store.count("create") == n
}

// The two people of Kakao's page.
const (
	asVictim   = "0"
	asAttacker = "1"
)

// begin signs a person in at Cognito and stops before the callback.
func (b *browser) begin(a *app, person, returnTo string) (callback string) {
	b.t.Helper()
	return b.pickPerson(a, b.startKakao(a, returnTo), person)
}

// enter signs a person in.
func (b *browser) enter(a *app, person string) (who string) {
	b.t.Helper()
	p := b.visit(b.begin(a, person, "/"))
	if p.status != http.StatusOK || !strings.HasPrefix(p.body, "hello ") {
		b.t.Fatalf("sign-in ended at %s: %d %s", p.url, p.status, p.body)
	}
	return p.body
}

// who says as whom the app knows the browser: "nobody" or "hello <subject>".
func (b *browser) who(a *app) string {
	b.t.Helper()
	p := b.send(http.MethodGet, a.base+"/open", script, nil)
	if p.status != http.StatusOK {
		b.t.Fatalf("GET /open: %d %s", p.status, p.body)
	}
	return p.body
}

// session is the browser's session cookie for an app.
func (b *browser) session(a *app) string { return b.cookies(a)[a.login.SessionCookie()] }

// redeemed is how many codes and refresh tokens were sent to Cognito.
func (s *scene) redeemed() int { return s.wire.count("/oauth2/token") }

// headers returns base with pairs of names and values put over it.
func headers(base http.Header, pairs ...string) http.Header {
	h := maps.Clone(base)
	for i := 0; i+1 < len(pairs); i += 2 {
		h[pairs[i]] = []string{pairs[i+1]}
	}
	return h
}

// crossSite is a navigation that another site started.
var crossSite = headers(navigation, "Sec-Fetch-Site", "cross-site")

// get sends a GET as another site would make a browser do.
func (b *browser) get(target string) page {
	b.t.Helper()
	return b.send(http.MethodGet, target, crossSite, nil)
}

// param is a parameter of a URL's query.
func param(t *testing.T, target, name string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}

// with replaces parameters of a callback, in pairs.
func with(t *testing.T, target string, pairs ...string) string {
	t.Helper()
	return withQuery(t, target, func(q url.Values) {
		for i := 0; i+1 < len(pairs); i += 2 {
			q.Set(pairs[i], pairs[i+1])
		}
	})
}

// without removes parameters of a callback.
func without(t *testing.T, target string, names ...string) string {
	t.Helper()
	return withQuery(t, target, func(q url.Values) {
		for _, name := range names {
			q.Del(name)
		}
	})
}

// harmless fails the test if an answer shows or leads where an attacker wants.
func harmless(t *testing.T, p page) {
	t.Helper()
	for name, values := range p.header {
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n\x00") || strings.Contains(v, "evil.example") {
				t.Errorf("the answer's %s holds %q", name, v)
			}
		}
	}
	if p.header["X-Injected"] != nil {
		t.Error("the answer has a header of the attacker's")
	}
	if strings.Contains(html.UnescapeString(p.body), "evil.example") || strings.Contains(p.body, "<script") {
		t.Errorf("the page holds text of the attacker's: %s", p.body)
	}
}
