package ssotest_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

func TestSecondClientSignsInWithoutAPrompt(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	v := newVisitor(t, p)
	silent := authorizeURL("second", secondCallback, "prompt", "none")
	if got := v.open(silent).query(t); got.Get("error") != "login_required" || got.Get("state") != "st-1" {
		t.Fatalf("prompt=none before a sign-in: %v", got)
	}
	first := v.redeem(v.kakao("web", webCallback).query(t).Get("code"))
	for _, step := range []struct {
		name    string
		advance time.Duration
	}{{"at once", 0}, {"after 31 minutes", 31 * time.Minute}, {"after 58 minutes", 27 * time.Minute}} {
		p.Advance(step.advance)
		for _, target := range []string{silent, authorizeURL("second", secondCallback)} {
			back := v.do(http.MethodGet, target, "", nil)
			if to := back.header.Get("Location"); !strings.HasPrefix(to, secondCallback+"?code=") {
				t.Fatalf("%s: %s", step.name, to)
			}
			got := v.redeem(back.query(t).Get("code"), "client_id", "second", "redirect_uri", secondCallback)
			if payload(t, got.field("id_token"))["auth_time"] != payload(t, first.field("id_token"))["auth_time"] {
				t.Errorf("%s: auth_time moved", step.name)
			}
		}
	}
	p.Advance(3 * time.Minute) // 61 in all: using the session did not extend it
	if got := v.open(silent).query(t); got.Get("error") != "login_required" {
		t.Errorf("prompt=none after 61 minutes: %v", got)
	}
	if page := v.open(authorizeURL("second", secondCallback)); !strings.Contains(page.body, "Continue with Kakao") {
		t.Errorf("after 61 minutes: %d %s", page.status, page.header.Get("Location"))
	}
}

// TestIdentityProviderPicksTheSession is the table that was measured in aws-amplify/amplify-js#14897, and its converse.
func TestIdentityProviderPicksTheSession(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	native, kakao := newVisitor(t, p), newVisitor(t, p)
	native.submit(native.open(authorizeURL("web", webCallback)), url.Values{"username": {"native"}, "password": {"Passw0rd!"}})
	kakao.kakao("web", webCallback)
	for _, test := range []struct {
		name     string
		v        *visitor
		provider string
		want     string
	}{
		{"native session, no provider", native, "", ""},
		{"native session, COGNITO", native, "COGNITO", ""},
		{"native session, Kakao", native, "Kakao", "login_required"},
		{"Kakao session, no provider", kakao, "", ""},
		{"Kakao session, COGNITO", kakao, "COGNITO", "login_required"},
		{"Kakao session, Kakao", kakao, "Kakao", ""},
		{"Kakao session, Google", kakao, "Google", "login_required"},
	} {
		got := test.v.open(authorizeURL("web", webCallback, "prompt", "none", "identity_provider", test.provider)).query(t)
		if got.Get("error") != test.want || got.Has("code") != (test.want == "") {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	if got := kakao.open(authorizeURL("googleonly", webCallback, "prompt", "none")).query(t); got.Get("error") != "login_required" {
		t.Errorf("a client without Kakao: %v", got)
	}
}

func TestPromptLogin(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	v := newVisitor(t, p)
	v.kakao("web", webCallback)
	if page := v.open(authorizeURL("web", webCallback, "prompt", "login")); !strings.Contains(page.body, "Continue with Kakao") {
		t.Fatalf("no prompt: %s", page.header.Get("Location"))
	}
	if back := v.open(authorizeURL("web", webCallback, "prompt", "select_account")); back.query(t).Get("code") == "" {
		t.Errorf("select_account: %s", back.header.Get("Location"))
	}
	old := sessionOf(t, v)
	p.Advance(10 * time.Second)
	got := v.redeem(v.kakao("web", webCallback, "prompt", "login").query(t).Get("code"))
	id := payload(t, got.field("id_token"))
	if id["auth_time"].(float64) < id["iat"].(float64)-2 {
		t.Errorf("auth_time is of the old sign-in: %v", id)
	}
	if renewed := sessionOf(t, v); renewed == old {
		t.Error("the cookie is the old one")
	}
	other := newVisitor(t, p)
	other.http.Jar.SetCookies(poolURL(t, p), []*http.Cookie{{Name: "cognito", Value: old, Path: "/"}})
	if back := other.open(authorizeURL("web", webCallback, "prompt", "none")); back.query(t).Get("code") == "" {
		t.Errorf("the old session ended: %s", back.header.Get("Location"))
	}
}

func poolURL(t *testing.T, p *ssotest.Pool) *url.URL {
	t.Helper()
	u, err := url.Parse(p.URL() + "/")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func sessionOf(t *testing.T, v *visitor) string {
	t.Helper()
	for _, c := range v.http.Jar.Cookies(poolURL(t, v.pool)) {
		if c.Name == "cognito" {
			return c.Value
		}
	}
	t.Fatal("no session")
	return ""
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	back := v.kakao("web", webCallback)
	for _, line := range back.header.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name == "cognito" {
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 3600 || c.Path != "/" || c.Domain != "" || len(c.Value) < 32 {
				t.Errorf("cookie: %s", line)
			}
			return
		}
	}
	t.Errorf("no cookie: %v", back.header)
}

// api calls an operation of the pool's API that is for administrators.
func (v *visitor) api(operation, input string) {
	v.t.Helper()
	got := v.do(http.MethodPost, "/", input, http.Header{
		"Content-Type":  {"application/x-amz-json-1.1"},
		"X-Amz-Target":  {"AWSCognitoIdentityProviderService." + operation},
		"Authorization": {"AWS4-HMAC-SHA256 Credential=x/20260101/ap-northeast-2/cognito-idp/aws4_request, SignedHeaders=host, Signature=x"},
	})
	if got.status != http.StatusOK {
		v.t.Fatalf("%s: %d %s", operation, got.status, got.body)
	}
}

func TestSessionEndsWithTheUser(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"AdminDisableUser", "AdminDeleteUser"} {
		v := newVisitor(t, newHostedPool(t))
		v.kakao("web", webCallback)
		v.api(operation, `{"UserPoolId":"`+v.pool.ID()+`","Username":"Kakao_3141592653"}`)
		if got := v.open(authorizeURL("web", webCallback, "prompt", "none")).query(t); got.Get("error") != "login_required" {
			t.Errorf("%s: the session goes on: %v", operation, got)
		}
	}
}

func TestSessionOutlivesGlobalSignOut(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	v.kakao("web", webCallback)
	v.api("AdminUserGlobalSignOut", `{"UserPoolId":"`+v.pool.ID()+`","Username":"Kakao_3141592653"}`)
	if got := v.open(authorizeURL("web", webCallback, "prompt", "none")).query(t); !got.Has("code") {
		t.Errorf("the cookie does not do after a global sign-out, at AWS it does: %v", got)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	newVisitor(t, p).kakao("web", webCallback)
	signedIn := func(v *visitor) bool {
		return v.open(authorizeURL("web", webCallback, "prompt", "none")).query(t).Has("code")
	}
	t.Run("to the app", func(t *testing.T) {
		t.Parallel()
		v := newVisitor(t, p)
		v.kakao("web", webCallback)
		stolen := sessionOf(t, v)
		out := v.do(http.MethodGet, "/logout?"+form("client_id", "web", "logout_uri", webLogout, "state", "x", "redirect_uri", webCallback, "response_type", "code"), "", nil)
		if out.status != http.StatusFound || out.header.Get("Location") != webLogout {
			t.Errorf("logout: %d %s", out.status, out.header.Get("Location"))
		}
		if signedIn(v) {
			t.Error("still signed in")
		}
		v.http.Jar.SetCookies(poolURL(t, p), []*http.Cookie{{Name: "cognito", Value: stolen, Path: "/"}})
		if signedIn(v) {
			t.Error("the session lives on at the server")
		}
	})
	t.Run("to the login page", func(t *testing.T) {
		t.Parallel()
		v := newVisitor(t, p)
		v.kakao("web", webCallback)
		page := v.open("/logout?" + form("client_id", "web", "redirect_uri", webCallback, "response_type", "code", "state", "again", "scope", "openid", "identity_provider", "Naver"))
		if !strings.Contains(page.body, "Continue with Google") {
			t.Fatalf("no login page: %d %s", page.status, page.body)
		}
		back := v.submit(page, url.Values{"username": {"native"}, "password": {"Passw0rd!"}})
		if q := back.query(t); q.Get("state") != "again" || q.Get("code") == "" {
			t.Errorf("callback: %v", q)
		}
	})
	t.Run("as OpenID Connect has it", func(t *testing.T) {
		t.Parallel()
		v := newVisitor(t, p)
		v.kakao("web", webCallback)
		page := v.open("/logout?" + form("client_id", "web", "post_logout_redirect_uri", webLogout, "id_token_hint", "x"))
		if page.status != http.StatusBadRequest || !strings.Contains(html.UnescapeString(page.body), "Required String parameter 'redirect_uri' is not present") {
			t.Errorf("%d %s", page.status, page.body)
		}
	})
	t.Run("elsewhere", func(t *testing.T) {
		t.Parallel()
		v := newVisitor(t, p)
		v.kakao("web", webCallback)
		v.open("/logout?" + form("client_id", "web", "logout_uri", "https://evil.example/"))
		if !signedIn(v) {
			t.Error("a refused logout signed out")
		}
	})
}
