package sso_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

var random32 = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`) // 32 bytes in base64url without padding

func TestAuthCodeURL(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	raw, flow, err := s.client().AuthCodeURL(sso.AuthOptions{
		IdentityProvider: "Kakao", Prompt: "login consent", LoginHint: "학생@example.ac.kr", Lang: "ko",
	})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]sso.Secret{"state": flow.State, "nonce": flow.Nonce, "verifier": flow.CodeVerifier} {
		if !random32.MatchString(secret.Reveal()) {
			t.Errorf("%s is not 32 bytes in base64url", name)
		}
	}
	if flow.State == flow.Nonce || flow.State == flow.CodeVerifier || flow.Nonce == flow.CodeVerifier {
		t.Error("state, nonce and verifier are not independent")
	}
	want := url.Values{
		"response_type": {"code"}, "client_id": {testClientID}, "redirect_uri": {testRedirect}, "scope": {"openid"},
		"state": {flow.State.Reveal()}, "nonce": {flow.Nonce.Reveal()},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(flow.CodeVerifier.Reveal())}, "code_challenge_method": {"S256"},
		"identity_provider": {"Kakao"}, "prompt": {"login consent"}, "login_hint": {"학생@example.ac.kr"}, "lang": {"ko"},
	}
	if got := u.Query().Encode(); got != want.Encode() {
		t.Errorf("query = %s\nwant    %s", got, want.Encode())
	}
	if u.Path != "/oauth2/authorize" || !strings.HasPrefix(raw, s.URL+"/") {
		t.Errorf("URL = %s", raw)
	}
	if strings.Contains(raw, flow.CodeVerifier.Reveal()) || strings.Contains(raw, testSecret) {
		t.Error("the URL shows the verifier or the client secret")
	}
	if !flow.CreatedAt.Equal(s.clock()) {
		t.Errorf("CreatedAt = %v", flow.CreatedAt)
	}
}

func TestAuthCodeURLIsNewEveryTime(t *testing.T) {
	t.Parallel()
	c := newAuthServer(t).client()
	seen := map[sso.Secret]bool{}
	for range 100 {
		_, flow, err := c.AuthCodeURL(sso.AuthOptions{})
		if err != nil {
			t.Fatal(err)
		}
		seen[flow.State], seen[flow.Nonce], seen[flow.CodeVerifier] = true, true, true
	}
	if len(seen) != 300 {
		t.Errorf("%d different values of 300", len(seen))
	}
}

func TestAuthOptions(t *testing.T) {
	t.Parallel()
	c := newAuthServer(t).client()
	tests := []struct {
		name string
		opts sso.AuthOptions
		want string // the field refused, "" for none
	}{
		{"zero", sso.AuthOptions{}, ""},
		{"listed provider", sso.AuthOptions{IdentityProvider: "Google"}, ""},
		{"silent", sso.AuthOptions{Prompt: "none"}, ""},
		{"one prompt", sso.AuthOptions{Prompt: "select_account"}, ""},
		{"three prompts", sso.AuthOptions{Prompt: "login select_account consent"}, ""},
		{"provider and prompt", sso.AuthOptions{IdentityProvider: "Kakao", Prompt: "login"}, ""},
		{"regional language", sso.AuthOptions{Lang: "zh-CN"}, ""},
		{"hint with space", sso.AuthOptions{LoginHint: "a b"}, ""},
		{"age", sso.AuthOptions{MaxAge: 5 * time.Minute}, ""},
		{"resource", sso.AuthOptions{Resource: "https://api.example.ac.kr/v1?a=b"}, ""},
		{"local resource", sso.AuthOptions{Resource: "http://localhost:8080/"}, ""},
		{"resource of a custom scheme", sso.AuthOptions{Resource: "kr.ac.example.app:/api"}, ""},

		{"unlisted provider", sso.AuthOptions{IdentityProvider: planted}, "AuthOptions.IdentityProvider"},
		{"Cognito itself unlisted", sso.AuthOptions{IdentityProvider: "COGNITO"}, "AuthOptions.IdentityProvider"},
		{"provider in another case", sso.AuthOptions{IdentityProvider: "kakao"}, "AuthOptions.IdentityProvider"},
		{"provider with parameter", sso.AuthOptions{IdentityProvider: "Kakao&scope=x"}, "AuthOptions.IdentityProvider"},
		{"provider beside prompt none", sso.AuthOptions{IdentityProvider: "Kakao", Prompt: "none"}, "AuthOptions.IdentityProvider"},
		{"unknown prompt", sso.AuthOptions{Prompt: planted}, "AuthOptions.Prompt"},
		{"prompt in another case", sso.AuthOptions{Prompt: "None"}, "AuthOptions.Prompt"},
		{"none with login", sso.AuthOptions{Prompt: "none login"}, "AuthOptions.Prompt"},
		{"login with none", sso.AuthOptions{Prompt: "login none"}, "AuthOptions.Prompt"},
		{"none twice", sso.AuthOptions{Prompt: "none none"}, "AuthOptions.Prompt"},
		{"login twice", sso.AuthOptions{Prompt: "login login"}, "AuthOptions.Prompt"},
		{"two spaces", sso.AuthOptions{Prompt: "login  consent"}, "AuthOptions.Prompt"},
		{"space alone", sso.AuthOptions{Prompt: " "}, "AuthOptions.Prompt"},
		{"tab", sso.AuthOptions{Prompt: "login\tconsent"}, "AuthOptions.Prompt"},
		{"hint too long", sso.AuthOptions{LoginHint: strings.Repeat("a", 513)}, "AuthOptions.LoginHint"},
		{"hint with newline", sso.AuthOptions{LoginHint: planted + "\r\n"}, "AuthOptions.LoginHint"},
		{"hint not UTF-8", sso.AuthOptions{LoginHint: "\xff"}, "AuthOptions.LoginHint"},
		{"language with markup", sso.AuthOptions{Lang: "<b>"}, "AuthOptions.Lang"},
		{"language too long", sso.AuthOptions{Lang: "korean"}, "AuthOptions.Lang"},
		{"language with newline", sso.AuthOptions{Lang: "ko\n"}, "AuthOptions.Lang"},
		{"negative age", sso.AuthOptions{MaxAge: -time.Second}, "AuthOptions.MaxAge"},
		{"age of half a second", sso.AuthOptions{MaxAge: 500 * time.Millisecond}, "AuthOptions.MaxAge"},
		{"age over a year", sso.AuthOptions{MaxAge: 367 * 24 * time.Hour}, "AuthOptions.MaxAge"},
		{"resource without scheme", sso.AuthOptions{Resource: planted}, "AuthOptions.Resource"},
		{"resource without host", sso.AuthOptions{Resource: "https:///v1"}, "AuthOptions.Resource"},
		{"http resource", sso.AuthOptions{Resource: "http://api.example.ac.kr"}, "AuthOptions.Resource"},
		{"http resource that begins like localhost", sso.AuthOptions{Resource: "http://localhost.example.ac.kr"}, "AuthOptions.Resource"},
		{"resource with fragment", sso.AuthOptions{Resource: "https://api.example.ac.kr/#" + planted}, "AuthOptions.Resource"},
		{"resource with user", sso.AuthOptions{Resource: "https://u@api.example.ac.kr/"}, "AuthOptions.Resource"},
		{"resource with newline", sso.AuthOptions{Resource: "https://api.example.ac.kr/\n"}, "AuthOptions.Resource"},
		{"resource too long", sso.AuthOptions{Resource: "https://api.example.ac.kr/" + strings.Repeat("a", 2048)}, "AuthOptions.Resource"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw, flow, err := c.AuthCodeURL(tt.opts)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				u, _ := url.Parse(raw)
				if got := u.Query().Get("prompt"); got != tt.opts.Prompt {
					t.Errorf("prompt = %q", got)
				}
				if got := u.Query().Get("resource"); got != tt.opts.Resource {
					t.Errorf("resource = %q", got)
				}
				if got := u.Query().Get("max_age"); got != "" && got != "300" || u.Query().Has("max_age") != (tt.opts.MaxAge > 0) {
					t.Errorf("max_age = %q", got)
				}
				if flow.MaxAge != tt.opts.MaxAge {
					t.Errorf("the flow forgets the age: %v", flow.MaxAge)
				}
				return
			}
			if raw != "" || flow != (sso.Flow{}) {
				t.Error("a refused request gave a URL or a flow")
			}
			if got := strings.Join(configFields(t, err), ","); got != tt.want {
				t.Errorf("field = %s, want %s", got, tt.want)
			}
			for _, text := range everyText(err) {
				if strings.Contains(text, planted) {
					t.Errorf("the error quotes the option: %s", text)
				}
			}
		})
	}
}

func TestAuthCodeURLNeedsRedirectURL(t *testing.T) {
	t.Parallel()
	c := newAuthServer(t).client(func(cfg *sso.ClientConfig) { cfg.RedirectURL = "" })
	if _, _, err := c.AuthCodeURL(sso.AuthOptions{}); configFields(t, err)[0] != "RedirectURL" {
		t.Errorf("error = %v", err)
	}
	flow := sso.Flow{State: "s", Nonce: "n", CodeVerifier: "v", CreatedAt: time.Now()}
	if _, err := c.Exchange(t.Context(), flow, url.Values{"state": {"s"}, "code": {"c"}}); configFields(t, err)[0] != "RedirectURL" {
		t.Errorf("error = %v", err)
	}
}
