package middleware_test

import (
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// sampleSession has what a session may have.
func sampleSession() middleware.CookieSessionData {
	part := strings.Repeat("QUJD", 100)
	return middleware.CookieSessionData{
		ID: [32]byte{1, 2, 3}, Subject: "6f0c2d7e-0000-4000-8000-000000000000", Username: "Kakao_1",
		RawID: "eyJhbGciOiJSUzI1NiJ9." + part + "." + part, RawAccess: "eyJhbGciOiJSUzI1NiJ9." + part + ".QQ",
		Refresh: part + "." + part + ".QQ." + part + ".QUI", Created: 1, Seen: -1, IDExpires: 1 << 40, AccessExpires: 0,
	}
}

// TestCookieRecord: what was written is read, and nothing else.
func TestCookieRecord(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*middleware.CookieSessionData){
		"all":                            func(*middleware.CookieSessionData) {},
		"no refresh token":               func(c *middleware.CookieSessionData) { c.Refresh = "" },
		"a refresh token that is opaque": func(c *middleware.CookieSessionData) { c.Refresh = "6f0c2d7e-0000" },
		"two parts":                      func(c *middleware.CookieSessionData) { c.Refresh = "QQ.QQ" },
		"six parts":                      func(c *middleware.CookieSessionData) { c.Refresh = "QQ.QQ.QQ.QQ.QQ.QQ" },
		"empty parts":                    func(c *middleware.CookieSessionData) { c.Refresh = ".." },
		"stray bits":                     func(c *middleware.CookieSessionData) { c.Refresh = "QQ.QR.QQ" },
		"padding":                        func(c *middleware.CookieSessionData) { c.Refresh = "QQ==.QQ==.QQ==" },
		"line break":                     func(c *middleware.CookieSessionData) { c.Refresh = "QQ.Q\nQ.QQ" },
		"another language":               func(c *middleware.CookieSessionData) { c.Username = "홍길동" },
	} {
		in := sampleSession()
		change(&in)
		b := middleware.WriteRecord(in)
		if out, ok := middleware.ReadRecord(b); !ok || out != in {
			t.Errorf("%s: %t\n%+v\n%+v", name, ok, in, out)
		}
		for n := range b {
			if _, ok := middleware.ReadRecord(b[:n]); ok {
				t.Fatalf("%s: reads %d of %d bytes", name, n, len(b))
			}
		}
		if _, ok := middleware.ReadRecord(append(b, 0)); ok {
			t.Errorf("%s: reads a byte more", name)
		}
	}
}

// FuzzCookieRecord: no input fails, and what is read is written and read again
// as the same.
func FuzzCookieRecord(f *testing.F) {
	f.Add(middleware.WriteRecord(sampleSession()))
	f.Add(middleware.WriteRecord(middleware.CookieSessionData{Subject: "s"}))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		one, ok := middleware.ReadRecord(b)
		if !ok {
			return
		}
		if two, ok := middleware.ReadRecord(middleware.WriteRecord(one)); !ok || two != one {
			t.Fatalf("%+v became %+v", one, two)
		}
	})
}

// FuzzOpenSessionCookies: nothing from outside opens but what was sealed.
func FuzzOpenSessionCookies(f *testing.F) {
	pool := ssotest.NewPool(f, ssotest.Config{Clients: []ssotest.Client{{
		ClientID: "board", ClientSecret: "s3cretOfTheAppClientboard",
		CallbackURLs: []string{appBase + "/auth/callback"}, LogoutURLs: []string{appBase + "/auth/logged-out"},
	}}})
	cc := pool.ClientConfig("board")
	cc.RedirectURL, cc.LogoutURL = appBase+"/auth/callback", appBase+"/auth/logged-out"
	client, err := sso.NewClient(cc)
	if err != nil {
		f.Fatal(err)
	}
	a := &app{}
	a.login, err = middleware.NewLogin(client, middleware.LoginConfig{
		BaseURL: appBase, CookieKeys: [][]byte{cookieKey(1)}, CookieSessions: &middleware.CookieSessions{MaxBytes: 15 << 10},
	})
	if err != nil {
		f.Fatal(err)
	}
	long := sampleSession()
	long.RawID = "e30." + strings.Repeat("QUJD", 2000) + ".QQ"
	chunks := a.login.SealSessionCookies(long)
	small := a.login.SealSessionCookies(sampleSession())
	if len(chunks) != 3 || len(small) != 1 {
		f.Fatalf("%d and %d chunks", len(chunks), len(small))
	}
	for _, header := range []string{
		cookieHeader(a, chunks...), cookieHeader(a, small...), cookieHeader(a, chunks[0], chunks[2], chunks[1]), cookieHeader(a, chunks[:2]...),
		cookieHeader(a, small[0], chunks[1]), cookieHeader(a, "c1.1.AQ"), cookieHeader(a, "c1.4.", "", "", ""), cookieHeader(a, "1.x"), "", "; ;=", a.login.SessionCookie(),
	} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got, ok := a.login.OpenSessionCookies(header)
		if !ok {
			return
		}
		// A header that opens holds the chunks of one writing as they were.
		whole := strings.Contains(header, small[0]) && got == sampleSession() || got == long
		for _, chunk := range chunks {
			whole = whole && (got != long || strings.Contains(header, chunk))
		}
		if !whole {
			t.Fatalf("%q opens", header)
		}
	})
}
