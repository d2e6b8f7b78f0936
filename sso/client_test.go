package sso_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// configFields returns the field of every ConfigError that err joins.
func configFields(t *testing.T, err error) []string {
	t.Helper()
	if !errors.Is(err, sso.ErrConfig) {
		t.Fatalf("error = %v, want ErrConfig", err)
	}
	all := []error{err}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		all = joined.Unwrap()
	}
	var fields []string
	for _, err := range all {
		var configErr *sso.ConfigError
		if !errors.As(err, &configErr) {
			t.Fatalf("%v is no *ConfigError", err)
		}
		fields = append(fields, configErr.Field)
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	strict := func(cfg *sso.ClientConfig) {
		cfg.InsecureAllowHTTP = false
		cfg.Domain = "https://login.example.ac.kr"
	}
	domain := func(d string) func(*sso.ClientConfig) {
		return func(cfg *sso.ClientConfig) { strict(cfg); cfg.Domain = d }
	}
	redirect := func(u string) func(*sso.ClientConfig) {
		return func(cfg *sso.ClientConfig) { strict(cfg); cfg.RedirectURL = u }
	}
	tests := []struct {
		name   string
		change func(*sso.ClientConfig)
		want   string
	}{
		{"no verifier", func(c *sso.ClientConfig) { c.Verifier = nil }, "Verifier"},
		{"no client id", func(c *sso.ClientConfig) { c.ClientID = "" }, "ClientID"},
		{"client id of nobody", func(c *sso.ClientConfig) { c.ClientID = "unknown" }, "ClientID"},
		{"client id with space", func(c *sso.ClientConfig) { c.ClientID = "a b" }, "ClientID"},
		{"client id with colon", func(c *sso.ClientConfig) { c.ClientID = "a:b" }, "ClientID"},
		{"client id too long", func(c *sso.ClientConfig) { c.ClientID = strings.Repeat("a", 129) }, "ClientID"},
		{"secret with newline", func(c *sso.ClientConfig) { c.ClientSecret = planted + "\n" }, "ClientSecret"},
		{"secret with space", func(c *sso.ClientConfig) { c.ClientSecret = " " + planted }, "ClientSecret"},
		{"no domain", domain(""), "Domain"},
		{"http domain", domain("http://login.example.ac.kr"), "Domain"},
		{"http domain on localhost", domain("http://localhost:9000"), "Domain"},
		{"domain without scheme", domain("login.example.ac.kr"), "Domain"},
		{"domain with path", domain("https://login.example.ac.kr/oauth2"), "Domain"},
		{"domain with query", domain("https://login.example.ac.kr?" + planted), "Domain"},
		{"domain with empty query", domain("https://login.example.ac.kr?"), "Domain"},
		{"domain with fragment", domain("https://login.example.ac.kr#" + planted), "Domain"},
		{"domain with user", domain("https://" + planted + "@login.example.ac.kr"), "Domain"},
		{"domain with port only", domain("https://:443"), "Domain"},
		{"domain of another scheme", domain("ftp://login.example.ac.kr"), "Domain"},
		{"domain that does not parse", domain("https://login.example.ac.kr:" + planted), "Domain"},
		{"opaque domain", domain("https:login.example.ac.kr"), "Domain"},
		{"http redirect", redirect("http://app.example.ac.kr/cb"), "RedirectURL"},
		{"http redirect to a look-alike of localhost", redirect("http://localhost.evil.example/cb"), "RedirectURL"},
		{"http redirect to another loopback", redirect("http://127.0.0.2/cb"), "RedirectURL"},
		{"http redirect with localhost as user", redirect("http://localhost@evil.example/cb"), "RedirectURL"},
		{"relative redirect", redirect("/auth/callback"), "RedirectURL"},
		{"scheme-relative redirect", redirect("//app.example.ac.kr/cb"), "RedirectURL"},
		{"redirect with fragment", redirect("https://app.example.ac.kr/cb#" + planted), "RedirectURL"},
		{"redirect with empty fragment", redirect("https://app.example.ac.kr/cb#"), "RedirectURL"},
		{"redirect with user", redirect("https://u:" + planted + "@app.example.ac.kr/cb"), "RedirectURL"},
		{"redirect with script", redirect("javascript:alert(1)"), "RedirectURL"},
		{"redirect with newline", redirect("https://app.example.ac.kr/cb\n"), "RedirectURL"},
		{"http logout URL", func(c *sso.ClientConfig) { strict(c); c.LogoutURL = "http://app.example.ac.kr/" }, "LogoutURL"},
		{"relative logout URL", func(c *sso.ClientConfig) { c.LogoutURL = "/" }, "LogoutURL"},
		{"scopes without openid", func(c *sso.ClientConfig) { c.Scopes = []string{"email"} }, "Scopes"},
		{"openid in another case", func(c *sso.ClientConfig) { c.Scopes = []string{"OpenID"} }, "Scopes"},
		{"two scopes in one", func(c *sso.ClientConfig) { c.Scopes = []string{"openid email"} }, "Scopes"},
		{"scope with quote", func(c *sso.ClientConfig) { c.Scopes = []string{"openid", `a"b`} }, "Scopes"},
		{"empty scope", func(c *sso.ClientConfig) { c.Scopes = []string{"openid", ""} }, "Scopes"},
		{"empty provider", func(c *sso.ClientConfig) { c.IdentityProviders = []string{""} }, "IdentityProviders"},
		{"provider with control", func(c *sso.ClientConfig) { c.IdentityProviders = []string{"Ka\nkao"} }, "IdentityProviders"},
		{"provider too long", func(c *sso.ClientConfig) { c.IdentityProviders = []string{strings.Repeat("가", 33)} }, "IdentityProviders"},
		{"several at once", func(c *sso.ClientConfig) { c.Verifier = nil; c.Domain = planted; c.Scopes = []string{"x"} }, "Domain,Scopes,Verifier"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := s.config()
			tt.change(&cfg)
			c, err := sso.NewClient(cfg)
			if c != nil || err == nil {
				t.Fatalf("NewClient = %v, %v; want an error", c, err)
			}
			if got := strings.Join(configFields(t, err), ","); got != tt.want {
				t.Errorf("fields = %s, want %s: %v", got, tt.want, err)
			}
			s.checkClean(err)
		})
	}
}

func TestNewClientAccepts(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	tests := []struct {
		name   string
		change func(*sso.ClientConfig)
	}{
		{"https only", func(*sso.ClientConfig) {}},
		{"domain with slash", func(c *sso.ClientConfig) { c.Domain += "/" }},
		{"domain with port", func(c *sso.ClientConfig) { c.Domain = "https://login.example.ac.kr:8443" }},
		{"localhost redirect", func(c *sso.ClientConfig) { c.RedirectURL = "http://localhost:3000/cb" }},
		{"IPv4 loopback redirect", func(c *sso.ClientConfig) { c.RedirectURL = "http://127.0.0.1:3000/cb" }},
		{"IPv6 loopback redirect", func(c *sso.ClientConfig) { c.RedirectURL = "http://[::1]:3000/cb" }},
		{"no URLs: machine client", func(c *sso.ClientConfig) { c.RedirectURL, c.LogoutURL = "", "" }},
		{"public client", func(c *sso.ClientConfig) { c.ClientSecret = "" }},
		{"resource server scopes", func(c *sso.ClientConfig) { c.Scopes = []string{"openid", "https://api.example.ac.kr/read"} }},
		{"Korean provider name", func(c *sso.ClientConfig) { c.IdentityProviders = []string{"카카오"} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := s.config()
			cfg.InsecureAllowHTTP = false
			cfg.Domain = "https://login.example.ac.kr"
			tt.change(&cfg)
			if _, err := sso.NewClient(cfg); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestClientConfigIsCopied(t *testing.T) {
	t.Parallel()
	cfg := newAuthServer(t).config()
	cfg.Scopes = []string{"openid", "email"}
	c, err := sso.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Scopes[0], cfg.IdentityProviders[0] = "changed", "Evil"
	authURL, _, err := c.AuthCodeURL(sso.AuthOptions{IdentityProvider: "Kakao"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(authURL, "scope=openid+email") {
		t.Errorf("scopes changed with the caller's slice: %s", authURL)
	}
	if _, _, err := c.AuthCodeURL(sso.AuthOptions{IdentityProvider: "Evil"}); err == nil {
		t.Error("the allow-list changed with the caller's slice")
	}
}

func TestLogoutURL(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	raw, err := s.client().LogoutURL()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"client_id": {testClientID}, "logout_uri": {testLogout}}
	if u.Path != "/logout" || u.Query().Encode() != want.Encode() {
		t.Errorf("LogoutURL = %s", raw)
	}
	_, err = s.client(func(c *sso.ClientConfig) { c.LogoutURL = "" }).LogoutURL()
	if got := configFields(t, err); !slices.Equal(got, []string{"LogoutURL"}) {
		t.Errorf("fields = %v", got)
	}
}
