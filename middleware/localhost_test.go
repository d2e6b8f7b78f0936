package middleware_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

var discard = slog.New(slog.NewTextHandler(io.Discard, nil))

// TestAttackInsecureHost: with InsecureLocalhost nothing but localhost is
// served, whoever runs it wherever.
func TestAttackInsecureHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const base = "http://localhost:18083"
	cc := w.pool.ClientConfig("board")
	cc.RedirectURL, cc.LogoutURL = base+"/auth/callback", base+"/auth/logged-out"
	client, err := sso.NewClient(cc)
	if err != nil {
		t.Fatal(err)
	}
	logs := &lockedBuffer{}
	l, err := middleware.NewLogin(client, middleware.LoginConfig{
		BaseURL: base, CookieKeys: [][]byte{cookieKey(1)}, InsecureLocalhost: true, Logger: slog.New(slog.NewTextHandler(logs, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logs.String(), "level=WARN") || !strings.Contains(logs.String(), "InsecureLocalhost") {
		t.Errorf("the log does not warn: %s", logs)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", l)
	mux.Handle("/open", l.Optional(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	secure := w.newApp(appBase)
	for _, row := range []struct {
		host string
		ok   bool
	}{
		{"localhost:18083", true},
		{"localhost", true},
		{"127.0.0.1:18083", true},
		{"board.example.ac.kr", false},
		{"board.example.ac.kr:18083", false},
		{"evil.example:18083", false}, // its name was pointed at 127.0.0.1
		{"localhost.evil.example:18083", false},
		{"LOCALHOST.evil.example", false},
		{"127.0.0.1.evil.example", false},
		{"127.0.0.2", false},
		{"0.0.0.0:18083", false},
		{"192.168.0.7:18083", false},
		{"[::1]:18083", false},
		{"localhost:18083:18083", false},
		{"localhost@evil.example", false},
		{"", false},
	} {
		t.Run("host "+row.host, func(t *testing.T) {
			t.Parallel()
			for _, header := range []http.Header{navigation, script} {
				for path, want := range map[string]int{"/auth/logged-out": 200, "/open": 200} {
					r := httptest.NewRequest(http.MethodGet, path, nil)
					r.Host, r.Header = row.host, header.Clone()
					r.Header.Set("X-Forwarded-Host", "localhost")
					rec := httptest.NewRecorder()
					mux.ServeHTTP(rec, r)
					if !row.ok {
						want = http.StatusMisdirectedRequest
					}
					if rec.Code != want || len(rec.Result().Cookies()) > 0 {
						t.Errorf("%s: %d, want %d", path, rec.Code, want)
					}
				}
			}
			// Otherwise the host decides nothing.
			r := httptest.NewRequest(http.MethodGet, "/open", nil)
			r.Host = row.host
			rec := httptest.NewRecorder()
			if secure.mux.ServeHTTP(rec, r); rec.Code != 200 {
				t.Errorf("without InsecureLocalhost: %d", rec.Code)
			}
		})
	}
}

// TestInsecureLocalhostInCookies: sessions in cookies work there too, in as many
// cookies as it takes.
func TestInsecureLocalhostInCookies(t *testing.T) {
	t.Parallel()
	const base = "http://localhost:18084"
	w := newWorld(t, longName, func(c *ssotest.Config) {
		c.Clients[0].CallbackURLs, c.Clients[0].LogoutURLs = []string{base + "/auth/callback"}, []string{base + "/auth/logged-out"}
	})
	a := w.newApp(base, large, func(c *middleware.LoginConfig) { c.InsecureLocalhost = true })
	b := w.newBrowser()
	b.enter(a, "1")
	chunks := b.chunks(a)
	if len(chunks) != 3 || !b.signedIn(a) {
		t.Errorf("%d chunks", len(chunks))
	}
	for name := range b.cookies(a) {
		if strings.HasPrefix(name, "__") || !strings.HasPrefix(name, "sso-18084-") {
			t.Errorf("cookie %s", name)
		}
	}
	if b.signOut(a, nil); b.signedIn(a) || len(b.leftOver(a)) != 0 {
		t.Error("not signed out")
	}
}
