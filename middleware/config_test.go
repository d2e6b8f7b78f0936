package middleware_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

func TestLoginConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := func(redirect, logout string) *sso.Client {
		cc := w.pool.ClientConfig("board")
		cc.RedirectURL, cc.LogoutURL = redirect, logout
		c, err := sso.NewClient(cc)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	good := client(appBase+"/auth/callback", appBase+"/auth/logged-out")
	keys := [][]byte{cookieKey(1)}
	type config = middleware.LoginConfig
	for _, row := range []struct {
		name   string
		client *sso.Client
		cfg    config
		field  string // "" is accepted
		text   string
	}{
		{"least", good, config{BaseURL: appBase, CookieKeys: keys}, "", ""},
		{"trailing slash", good, config{BaseURL: appBase + "/", CookieKeys: keys}, "", ""},
		{"no client", nil, config{BaseURL: appBase, CookieKeys: keys}, "Client", ""},
		{"no keys", good, config{BaseURL: appBase}, "CookieKeys", ""},
		{"zero key", good, config{BaseURL: appBase, CookieKeys: [][]byte{make([]byte, 32)}}, "CookieKeys", ""},
		{"short key", good, config{BaseURL: appBase, CookieKeys: [][]byte{cookieKey(1)[:31]}}, "CookieKeys", ""},
		{"no base", good, config{CookieKeys: keys}, "BaseURL", ""},
		{"http base", good, config{BaseURL: "http://board.example.ac.kr", CookieKeys: keys}, "BaseURL", ""},
		{"base with a path", good, config{BaseURL: appBase + "/app", CookieKeys: keys}, "BaseURL", ""},
		{"base with a query", good, config{BaseURL: appBase + "?", CookieKeys: keys}, "BaseURL", ""},
		{"base with a fragment", good, config{BaseURL: appBase + "#", CookieKeys: keys}, "BaseURL", ""},
		{"base with a user", good, config{BaseURL: "https://a:b@board.example.ac.kr", CookieKeys: keys}, "BaseURL", ""},
		{"base in upper case", good, config{BaseURL: "https://Board.example.ac.kr", CookieKeys: keys}, "BaseURL", ""},
		{"base with port 443", good, config{BaseURL: appBase + ":443", CookieKeys: keys}, "BaseURL", ""},
		{"base without host", good, config{BaseURL: "https://", CookieKeys: keys}, "BaseURL", ""},
		{"base of another scheme", good, config{BaseURL: "ftp://board.example.ac.kr", CookieKeys: keys}, "BaseURL", ""},
		{"no scheme", good, config{BaseURL: "board.example.ac.kr", CookieKeys: keys}, "BaseURL", ""},
		{"other callback", client("https://elsewhere.example/auth/callback", appBase), config{BaseURL: appBase, CookieKeys: keys}, "BaseURL",
			appBase + "/auth/callback, but ClientConfig.RedirectURL is https://elsewhere.example/auth/callback"},
		{"other prefix than the callback's", good, config{BaseURL: appBase, Prefix: "/sso", CookieKeys: keys}, "BaseURL", appBase + "/sso/callback"},
		{"own prefix", client(appBase+"/sso/in/callback", appBase), config{BaseURL: appBase, Prefix: "/sso/in", CookieKeys: keys}, "", ""},
		{"prefix with a trailing slash", good, config{BaseURL: appBase, Prefix: "/auth/", CookieKeys: keys}, "Prefix", ""},
		{"prefix without slash", good, config{BaseURL: appBase, Prefix: "auth", CookieKeys: keys}, "Prefix", ""},
		{"prefix of the root", good, config{BaseURL: appBase, Prefix: "/", CookieKeys: keys}, "Prefix", ""},
		{"prefix with dots", good, config{BaseURL: appBase, Prefix: "/a/../auth", CookieKeys: keys}, "Prefix", ""},
		{"prefix of another host", good, config{BaseURL: appBase, Prefix: "//evil.example", CookieKeys: keys}, "Prefix", ""},
		{"prefix with a quote", good, config{BaseURL: appBase, Prefix: `/a"b`, CookieKeys: keys}, "Prefix", ""},
		{"prefix that splits", good, config{BaseURL: appBase, Prefix: "/a\r\nb", CookieKeys: keys}, "Prefix", ""},
		{"no logout URL", client(appBase+"/auth/callback", ""), config{BaseURL: appBase, CookieKeys: keys}, "LogoutURL", ""},
		{"short idle", good, config{BaseURL: appBase, CookieKeys: keys, IdleTimeout: time.Second}, "IdleTimeout", ""},
		{"negative idle", good, config{BaseURL: appBase, CookieKeys: keys, IdleTimeout: -time.Hour}, "IdleTimeout", ""},
		{"absolute below idle", good, config{BaseURL: appBase, CookieKeys: keys, IdleTimeout: 2 * time.Hour, AbsoluteTimeout: time.Hour}, "AbsoluteTimeout", ""},
		{"only absolute", good, config{BaseURL: appBase, CookieKeys: keys, AbsoluteTimeout: 30 * time.Minute}, "", ""},
		{"only idle", good, config{BaseURL: appBase, CookieKeys: keys, IdleTimeout: 24 * time.Hour}, "", ""},
		{"localhost without the option", client("http://localhost:8080/auth/callback", appBase), config{BaseURL: "http://localhost:8080", CookieKeys: keys}, "BaseURL", ""},
		{"localhost", client("http://localhost:8080/auth/callback", appBase), config{BaseURL: "http://localhost:8080", CookieKeys: keys, InsecureLocalhost: true}, "", ""},
		{"127.0.0.1", client("http://127.0.0.1:8080/auth/callback", appBase), config{BaseURL: "http://127.0.0.1:8080", CookieKeys: keys, InsecureLocalhost: true}, "", ""},
		{"localhost, port 80", client("http://localhost/auth/callback", appBase), config{BaseURL: "http://localhost", CookieKeys: keys, InsecureLocalhost: true}, "", ""},
		{"insecure with another host", good, config{BaseURL: "http://board.example.ac.kr", CookieKeys: keys, InsecureLocalhost: true}, "BaseURL", ""},
		{"insecure with https", good, config{BaseURL: appBase, CookieKeys: keys, InsecureLocalhost: true}, "BaseURL", ""},
		{"insecure with a lookalike", good, config{BaseURL: "http://localhost.evil.example:8080", CookieKeys: keys, InsecureLocalhost: true}, "BaseURL", ""},
		{"insecure with another loopback", good, config{BaseURL: "http://127.0.0.2:8080", CookieKeys: keys, InsecureLocalhost: true}, "BaseURL", ""},
		{"insecure with a number", good, config{BaseURL: "http://2130706433:8080", CookieKeys: keys, InsecureLocalhost: true}, "BaseURL", ""},
		{"insecure with a user", good, config{BaseURL: "http://localhost@evil.example:8080", CookieKeys: keys, InsecureLocalhost: true}, "BaseURL", ""},
	} {
		l, err := middleware.NewLogin(row.client, row.cfg)
		if row.field == "" {
			if err != nil || l == nil {
				t.Errorf("%s: %v", row.name, err)
			}
			continue
		}
		var configErr *sso.ConfigError
		if l != nil || !errors.Is(err, sso.ErrConfig) || !errors.As(err, &configErr) || !strings.Contains(err.Error(), row.field) || !strings.Contains(err.Error(), row.text) {
			t.Errorf("%s: error %v, want one of %s %s", row.name, err, row.field, row.text)
		}
	}
	// Every mistake at once.
	_, err := middleware.NewLogin(good, config{Prefix: "x", IdleTimeout: -1})
	for _, field := range []string{"BaseURL", "Prefix", "CookieKeys", "IdleTimeout"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
}

// TestInsecureLocalhost: two apps on two ports of one machine keep their
// sessions apart, though browsers share cookies between ports.
func TestInsecureLocalhost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const one, two = "http://localhost:18081", "http://localhost:18082"
	names := map[string]bool{}
	for _, base := range []string{one, two} {
		cc := w.pool.ClientConfig("board")
		cc.RedirectURL, cc.LogoutURL = base+"/auth/callback", base+"/auth/logged-out"
		client, err := sso.NewClient(cc)
		if err != nil {
			t.Fatal(err)
		}
		l, err := middleware.NewLogin(client, middleware.LoginConfig{BaseURL: base, CookieKeys: [][]byte{cookieKey(1)}, InsecureLocalhost: true})
		if err != nil {
			t.Fatal(err)
		}
		w.apps[base] = l
		b := w.newBrowser()
		p := b.send(http.MethodGet, base+"/auth/login", navigation, nil)
		if p.status != 303 {
			t.Fatalf("%d", p.status)
		}
		set := p.header.Get("Set-Cookie")
		if strings.Contains(set, "Secure") || strings.Contains(set, "__Host-") || !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Lax") {
			t.Errorf("cookie %s", set)
		}
		if !strings.Contains(l.SessionCookie(), base[len(base)-5:]) || !strings.Contains(l.FlowPrefix(), base[len(base)-5:]) {
			t.Errorf("cookie names %s, %s lack the port", l.SessionCookie(), l.FlowPrefix())
		}
		names[l.SessionCookie()] = true
	}
	if len(names) != 2 {
		t.Errorf("the apps share a cookie: %v", names)
	}
}

// TestTwoLoginsOnOneHost: two app clients behind one host have cookies of
// their own.
func TestTwoLoginsOnOneHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	board, desk := w.newApp(appBase), w.newApp(deskBase)
	if board.login.SessionCookie() == desk.login.SessionCookie() || board.login.FlowPrefix() == desk.login.FlowPrefix() {
		t.Error("two app clients share cookie names")
	}
	id := "1." + strings.Repeat("A", 43)
	if board.login.SessionKey(id) == desk.login.SessionKey(id) || board.login.SessionKey(id) == "" {
		t.Error("in a shared store one app's id is the other's")
	}
}

// TestLoginAroundBearer: a Login around a Bearer of somebody else.
func TestLoginAroundBearer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	v, err := sso.NewVerifier(w.pool.VerifierConfig())
	if err != nil {
		t.Fatal(err)
	}
	bearer := newBearer(t, v, middleware.BearerConfig{})
	a.mux.Handle("/both", a.login.Require(bearer.Require(echo)))
	alice, mallory := w.newBrowser(), w.newBrowser()
	alice.signIn(a)
	mallory.visit(mallory.pickPerson(a, mallory.startKakao(a, "/"), "1"))
	token := func(b *browser) string { return b.send(http.MethodGet, a.base+"/token", script, nil).body }
	send := func(token string) page {
		h := http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer " + token}}
		return alice.send(http.MethodGet, a.base+"/both", h, nil)
	}
	if p := send(token(alice)); p.status != 200 || !strings.HasPrefix(p.body, "true access ") {
		t.Errorf("her own token: %d %s", p.status, p.body)
	}
	if p := send(token(mallory)); p.status != 400 || !strings.Contains(p.body, "do not belong together") {
		t.Errorf("somebody else's token: %d %s", p.status, p.body)
	}
}
