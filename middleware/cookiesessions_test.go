package middleware_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

func TestCookieSessionsConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cc := w.pool.ClientConfig("board")
	cc.RedirectURL, cc.LogoutURL = appBase+"/auth/callback", appBase+"/auth/logged-out"
	client, err := sso.NewClient(cc)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name     string
		sessions middleware.SessionStore
		cookies  *middleware.CookieSessions
		field    string // "" is accepted
	}{
		{"neither", nil, nil, ""},
		{"a store", middleware.NewMemoryStore(), nil, ""},
		{"cookies", nil, &middleware.CookieSessions{}, ""},
		{"both", middleware.NewMemoryStore(), &middleware.CookieSessions{}, "LoginConfig.CookieSessions: and Sessions"},
		{"least", nil, &middleware.CookieSessions{MaxBytes: 2048}, ""},
		{"most", nil, &middleware.CookieSessions{MaxBytes: 15360}, ""},
		{"too small", nil, &middleware.CookieSessions{MaxBytes: 2047}, "LoginConfig.CookieSessions.MaxBytes"},
		{"too large", nil, &middleware.CookieSessions{MaxBytes: 15361}, "LoginConfig.CookieSessions.MaxBytes"},
		{"negative", nil, &middleware.CookieSessions{MaxBytes: -1}, "LoginConfig.CookieSessions.MaxBytes"},
	} {
		_, err := middleware.NewLogin(client, middleware.LoginConfig{
			BaseURL: appBase, CookieKeys: [][]byte{cookieKey(1)}, Sessions: row.sessions, CookieSessions: row.cookies,
		})
		if row.field == "" && err != nil || row.field != "" && (!errors.Is(err, sso.ErrConfig) || !strings.Contains(err.Error(), row.field)) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	// It is copied.
	cfg := &middleware.CookieSessions{}
	a := w.newApp(appBase, func(c *middleware.LoginConfig) { c.Sessions, c.CookieSessions = nil, cfg })
	cfg.MaxBytes = 1
	if b := w.newBrowser(); b.enter(a, "0") == "" || !b.signedIn(a) {
		t.Error("a later change of the config counts")
	}
}
