package ssotest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// oneClient is a configuration with one client, which change changes.
func oneClient(change func(*ssotest.Client)) ssotest.Config {
	c := ssotest.Client{ClientID: "web"}
	change(&c)
	return ssotest.Config{Clients: []ssotest.Client{c}}
}

func oneProvider(change func(*ssotest.Provider)) ssotest.Config {
	p := ssotest.Kakao()
	change(&p)
	return ssotest.Config{Providers: []ssotest.Provider{p}}
}

func TestRefusedConfigurations(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "000001-access.pem"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	type c = ssotest.Client
	for _, row := range []struct {
		name  string
		field string
		cfg   ssotest.Config
	}{
		{"all interfaces", "Addr", ssotest.Config{Addr: ":0"}},
		{"the unspecified address", "Addr", ssotest.Config{Addr: "0.0.0.0:0"}},
		{"an address of the network", "Addr", ssotest.Config{Addr: "192.0.2.1:0"}},
		{"a name that may be anything", "Addr", ssotest.Config{Addr: "localhost.example:0"}},
		{"an address without a port", "Addr", ssotest.Config{Addr: "127.0.0.1"}},
		{"a pool id without a region", "ID", ssotest.Config{ID: "AbCdEfGhI"}},
		{"a pool id with a slash", "ID", ssotest.Config{ID: "ap-northeast-2_Ab/../x"}},
		{"a long pool id", "ID", ssotest.Config{ID: "ap-northeast-2_" + strings.Repeat("a", 41)}},
		{"no feature plan", "Tier", ssotest.Config{Tier: "lite"}},
		{"an issuer that is no URL", "Issuer", ssotest.Config{Issuer: "original"}},
		{"an issuer with a query", "Issuer", ssotest.Config{Issuer: "https://a.example/x?y"}},
		{"a key folder with rubbish", "KeyDir", ssotest.Config{KeyDir: folder}},
		{"a key folder that is a file", "KeyDir", ssotest.Config{KeyDir: filepath.Join(folder, "000001-access.pem")}},
		{"a trigger version", "Triggers.PreTokenGenerationVersion", ssotest.Config{Triggers: ssotest.Triggers{PreTokenGenerationVersion: "V2"}}},
		{"a negative timeout", "Triggers.Timeout", ssotest.Config{Triggers: ssotest.Triggers{Timeout: -1}}},
		{"negative attempts", "Triggers.Attempts", ssotest.Config{Triggers: ssotest.Triggers{Attempts: -1}}},
		{"a custom attribute twice", "CustomAttributes[1].Name", ssotest.Config{CustomAttributes: []ssotest.CustomAttribute{{Name: "a"}, {Name: "a"}}}},
		{"a custom attribute with its prefix", "CustomAttributes[0].Name", ssotest.Config{CustomAttributes: []ssotest.CustomAttribute{{Name: "custom:userId"}}}},
		{"a long custom attribute", "CustomAttributes[0].Name", ssotest.Config{CustomAttributes: []ssotest.CustomAttribute{{Name: strings.Repeat("a", 21)}}}},
		{"a custom attribute of too long values", "CustomAttributes[0].MaxLen", ssotest.Config{CustomAttributes: []ssotest.CustomAttribute{{Name: "a", MaxLen: 2049}}}},
		{"51 custom attributes", "CustomAttributes", ssotest.Config{CustomAttributes: make([]ssotest.CustomAttribute, 51)}},
		{"a provider with an underscore", "Providers[0].Name", oneProvider(func(p *ssotest.Provider) { p.Name = "Kakao_1" })},
		{"a provider that is the pool", "Providers[0].Name", oneProvider(func(p *ssotest.Provider) { p.Name = "COGNITO" })},
		{"a provider without a name", "Providers[0].Name", oneProvider(func(p *ssotest.Provider) { p.Name = "" })},
		{"a provider of an unknown type", "Providers[0].Type", oneProvider(func(p *ssotest.Provider) { p.Type = "Kakao" })},
		{"a mapping to no attribute", "Providers[0].AttributeMapping", oneProvider(func(p *ssotest.Provider) { p.AttributeMapping["custom:kakaoId"] = "sub" })},
		{"a mapping to sub", "Providers[0].AttributeMapping", oneProvider(func(p *ssotest.Provider) { p.AttributeMapping["sub"] = "sub" })},
		{"a person without a subject", "Providers[0].People", oneProvider(func(p *ssotest.Provider) { p.People = []ssotest.Person{{Name: "a"}} })},
		{"a person twice", "Providers[0].People", oneProvider(func(p *ssotest.Provider) { p.People = []ssotest.Person{{Subject: "1"}, {Subject: "1"}} })},
		{"a provider twice", "Providers[1].Name", ssotest.Config{Providers: []ssotest.Provider{ssotest.Kakao(), ssotest.Kakao()}}},
		{"a scope with a slash", "ResourceServers[api]", ssotest.Config{ResourceServers: map[string][]string{"api": {"a/b"}}}},
		{"a resource server without a name", "ResourceServers", ssotest.Config{ResourceServers: map[string][]string{"": {"a"}}}},
		{"a client twice", "Clients[1].ClientID", ssotest.Config{Clients: []c{{ClientID: "a"}, {ClientID: "a"}}}},
		{"a client without an id", "Clients[0].ClientID", ssotest.Config{Clients: []c{{}}}},
		{"a client id with a blank", "Clients[0].ClientID", oneClient(func(c *c) { c.ClientID = "a b" })},
		{"a secret with a colon", "Clients[0].ClientSecret", oneClient(func(c *c) { c.ClientSecret = "a:b" })},
		{"a provider the pool has not", "Clients[0].SupportedIdentityProviders", oneClient(func(c *c) { c.SupportedIdentityProviders = []string{"kakao"} })},
		{"an unknown flow", "Clients[0].AllowedOAuthFlows", oneClient(func(c *c) { c.AllowedOAuthFlows = []string{"password"} })},
		{"client_credentials beside code", "Clients[0].AllowedOAuthFlows", oneClient(func(c *c) { c.AllowedOAuthFlows, c.ClientSecret = []string{"code", "client_credentials"}, "s" })},
		{"client_credentials without a secret", "Clients[0].ClientSecret", oneClient(func(c *c) { c.AllowedOAuthFlows = []string{"client_credentials"} })},
		{"a scope of no resource server", "Clients[0].AllowedOAuthScopes", oneClient(func(c *c) { c.AllowedOAuthScopes = []string{"api/read"} })},
		{"an unknown API flow", "Clients[0].ExplicitAuthFlows", oneClient(func(c *c) { c.ExplicitAuthFlows = []string{"USER_PASSWORD_AUTH"} })},
		{"refreshing by InitiateAuth with rotation", "Clients[0].ExplicitAuthFlows", oneClient(func(c *c) {
			c.RefreshTokenRotation, c.ExplicitAuthFlows = true, []string{"ALLOW_REFRESH_TOKEN_AUTH"}
		})},
		{"reading an attribute the pool has not", "Clients[0].ReadAttributes", oneClient(func(c *c) { c.ReadAttributes = []string{"userId"} })},
		{"writing an attribute the pool has not", "Clients[0].WriteAttributes", oneClient(func(c *c) { c.WriteAttributes = []string{"custom:other"} })},
		{"a short access token", "Clients[0].AccessTokenValidity", oneClient(func(c *c) { c.AccessTokenValidity = 5*time.Minute - time.Second })},
		{"a long ID token", "Clients[0].IDTokenValidity", oneClient(func(c *c) { c.IDTokenValidity = 24*time.Hour + time.Second })},
		{"a short refresh token", "Clients[0].RefreshTokenValidity", oneClient(func(c *c) { c.RefreshTokenValidity = time.Hour - time.Second })},
		{"a long refresh token", "Clients[0].RefreshTokenValidity", oneClient(func(c *c) { c.RefreshTokenValidity = 3651 * 24 * time.Hour })},
		{"half a second", "Clients[0].AccessTokenValidity", oneClient(func(c *c) { c.AccessTokenValidity = time.Hour + time.Millisecond })},
		{"a long grace", "Clients[0].RetryGracePeriod", oneClient(func(c *c) { c.RefreshTokenRotation, c.RetryGracePeriod = true, 61*time.Second })},
		{"a grace without rotation", "Clients[0].RetryGracePeriod", oneClient(func(c *c) { c.RetryGracePeriod = time.Second })},
		{"a relative callback", "Clients[0].CallbackURLs[0]", oneClient(func(c *c) { c.CallbackURLs = []string{"/callback"} })},
		{"a callback with a fragment", "Clients[0].CallbackURLs[1]", oneClient(func(c *c) { c.CallbackURLs = []string{"https://a.example/", "https://a.example/#"} })},
		{"a plain http callback", "Clients[0].CallbackURLs[0]", oneClient(func(c *c) { c.CallbackURLs = []string{"http://a.example/"} })},
		{"a logout URL without a host", "Clients[0].LogoutURLs[0]", oneClient(func(c *c) { c.LogoutURLs = []string{"https:///x"} })},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p, err := ssotest.Start(row.cfg)
			if err == nil {
				_ = p.Close()
				t.Fatal("the pool started")
			}
			var wrong *sso.ConfigError
			if !errors.As(err, &wrong) || wrong.Field != row.field {
				t.Errorf("error %v; want one about %s", err, row.field)
			}
		})
	}
}

func TestAcceptedConfigurations(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		cfg  ssotest.Config
	}{
		{"the zero value", ssotest.Config{}},
		{"IPv6", ssotest.Config{Addr: "[::1]:0"}},
		{"localhost", ssotest.Config{Addr: "localhost:0"}},
		{"no providers", ssotest.Config{Providers: []ssotest.Provider{}}},
		{"a client of an app's own scheme", oneClient(func(c *ssotest.Client) { c.CallbackURLs = []string{"kr.example.app://callback"} })},
		{"the longest lives", oneClient(func(c *ssotest.Client) {
			c.AccessTokenValidity, c.IDTokenValidity, c.RefreshTokenValidity = 24*time.Hour, 24*time.Hour, 3650*24*time.Hour
		})},
		{"the shortest lives", oneClient(func(c *ssotest.Client) {
			c.AccessTokenValidity, c.IDTokenValidity, c.RefreshTokenValidity = 5*time.Minute, 5*time.Minute, time.Hour
		})},
		{"rotation", oneClient(func(c *ssotest.Client) { c.RefreshTokenRotation, c.RetryGracePeriod = true, time.Minute })},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p, err := ssotest.Start(row.cfg)
			if err != nil {
				if row.name == "IPv6" {
					t.Skipf("no IPv6 here: %v", err)
				}
				t.Fatal(err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if err := p.Close(); err != nil {
				t.Errorf("closed twice: %v", err)
			}
		})
	}
}

func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	cfg := oneClient(func(c *ssotest.Client) { c.CallbackURLs = []string{"https://a.example/cb"} })
	p := ssotest.NewPool(t, cfg)
	cfg.Clients[0].CallbackURLs[0] = "https://evil.example/cb"
	if got := p.ClientConfig("web").RedirectURL; got != "https://a.example/cb" {
		t.Errorf("the pool's callback changed to %s", got)
	}
}

func TestIssuers(t *testing.T) {
	t.Parallel()
	const id = "eu-west-1_Pool1"
	for _, row := range []struct{ issuer, want string }{
		{ssotest.IssuerOriginal, "https://cognito-idp.eu-west-1.amazonaws.com/" + id},
		{ssotest.IssuerUpdated, "https://issuer-cognito-idp.eu-west-1.amazonaws.com/" + id},
		{"https://emulator.example/x", "https://emulator.example/x"},
		{"", "http://"},
	} {
		p := ssotest.NewPool(t, ssotest.Config{ID: id, Issuer: row.issuer})
		want := row.want
		if row.issuer == "" {
			want = p.URL() + "/" + id
		}
		if p.Issuer() != want {
			t.Errorf("Issuer %q: %s; want %s", row.issuer, p.Issuer(), want)
		}
		if want := p.URL() + "/" + id + "/.well-known/jwks.json"; p.JWKSURL() != want {
			t.Errorf("Issuer %q: keys at %s; want %s", row.issuer, p.JWKSURL(), want)
		}
		if iss := claimsOf(t, p.AccessToken(ssotest.Claims{}))["iss"]; iss != want {
			t.Errorf("Issuer %q: iss is %v; want %s", row.issuer, iss, want)
		}
	}
}
