package ssotest

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// nativeProvider is the pool itself in SupportedIdentityProviders.
const nativeProvider = "COGNITO"

const (
	adminScope  = "aws.cognito.signin.user.admin"
	refreshFlow = "ALLOW_REFRESH_TOKEN_AUTH"
)

var (
	oidcScopes    = []string{"openid", "email", "profile", "phone"}
	oauthFlows    = []string{"code", "implicit", "client_credentials"}
	providerTypes = []string{"OIDC", "Google", "Facebook", "SignInWithApple", "LoginWithAmazon", "SAML"}
	tokenVersions = []string{"V1_0", "V2_0", "V3_0"}
	authFlows     = []string{
		"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_CUSTOM_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH",
		"ALLOW_USER_AUTH", refreshFlow,
	}

	poolIDForm = regexp.MustCompile(`^[\w-]+_[0-9a-zA-Z]+$`)
	// wordForm is the AWS model's pattern of client ids and client secrets.
	wordForm          = regexp.MustCompile(`^[\w+]{1,128}$`)
	providerNameForm  = regexp.MustCompile(`^[^_\s\pC]([^_\pC]{0,30}[^_\s\pC])?$`)
	attributeNameForm = regexp.MustCompile(`^[\pL\pM\pS\pN\pP]{1,20}$`)
	scopeNameForm     = regexp.MustCompile(`^[\x21\x23-\x2E\x30-\x5B\x5D-\x7E]{1,256}$`)
	resourceForm      = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,256}$`)
)

func wrong(field, format string, args ...any) error {
	return &sso.ConfigError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// withDefaults returns a deep copy of cfg, defaulted and checked.
func (cfg Config) withDefaults() (Config, error) {
	cfg.Addr = cmp.Or(cfg.Addr, "127.0.0.1:0")
	cfg.ID = cmp.Or(cfg.ID, "ap-northeast-2_"+rand.Text()[:9])
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Providers == nil {
		cfg.Providers = []Provider{Kakao(), Google()}
	}
	if cfg.CustomAttributes == nil {
		cfg.CustomAttributes = []CustomAttribute{{Name: "userId", Mutable: true}}
	}
	if len(cfg.Clients) == 0 {
		cfg.Clients = []Client{{
			ClientID:     DefaultClientID,
			CallbackURLs: []string{"http://localhost:8080/auth/callback"},
			LogoutURLs:   []string{"http://localhost:8080/"},
		}}
	}
	cfg.Triggers.PreTokenGenerationVersion = cmp.Or(cfg.Triggers.PreTokenGenerationVersion, "V1_0")
	cfg.Triggers.Timeout = cmp.Or(cfg.Triggers.Timeout, 5*time.Second)
	cfg.Triggers.Attempts = cmp.Or(cfg.Triggers.Attempts, 3)

	if cfg.Tier == "" {
		cfg.Tier = TierLite
		if cfg.Triggers.PreTokenGenerationVersion != "V1_0" {
			cfg.Tier = TierEssentials // Lite has V1_0 only
		}
	}
	cfg.Clients = slices.Clone(cfg.Clients)
	cfg.Providers = slices.Clone(cfg.Providers)
	cfg.CustomAttributes = slices.Clone(cfg.CustomAttributes)
	cfg.ResourceServers = maps.Clone(cfg.ResourceServers)
	for id, names := range cfg.ResourceServers {
		cfg.ResourceServers[id] = slices.Clone(names)
	}
	for _, check := range []func(*Config) error{
		checkPool, checkAttributes, checkProviders, checkResourceServers, checkTriggers, checkClients,
	} {
		if err := check(&cfg); err != nil {
			return Config{}, err
		}
	}
	return cfg, nil
}

func checkPool(cfg *Config) error {
	host, _, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return wrong("Addr", "%v", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return wrong("Addr", "%q is not a loopback address: a fake pool hands a token to anybody who asks", host)
	}
	if !poolIDForm.MatchString(cfg.ID) || len(cfg.ID) > 55 {
		return wrong("ID", "%q is not of the form <region>_<letters and digits>, at most 55 characters", cfg.ID)
	}
	if !slices.Contains([]string{TierLite, TierEssentials, TierPlus}, cfg.Tier) {
		return wrong("Tier", "%q is not one of %s, %s, %s", cfg.Tier, TierLite, TierEssentials, TierPlus)
	}
	switch cfg.Issuer {
	case "", IssuerOriginal, IssuerUpdated:
		return nil
	}
	u, err := url.Parse(cfg.Issuer)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return wrong("Issuer", "%q is neither IssuerOriginal nor IssuerUpdated nor an http(s) URL without a query", cfg.Issuer)
	}
	return nil
}

func checkAttributes(cfg *Config) error {
	if len(cfg.CustomAttributes) > 50 {
		return wrong("CustomAttributes", "%d of them; a pool has at most 50", len(cfg.CustomAttributes))
	}
	seen := make(map[string]bool)
	for i := range cfg.CustomAttributes {
		a, field := &cfg.CustomAttributes[i], fmt.Sprintf("CustomAttributes[%d]", i)
		a.MaxLen = cmp.Or(a.MaxLen, 2048)
		switch {
		case !attributeNameForm.MatchString(a.Name) || strings.Contains(a.Name, ":"):
			return wrong(field+".Name", "%q is not 1 to 20 characters without a blank and without the prefix custom:", a.Name)
		case seen[a.Name]:
			return wrong(field+".Name", "%q is there twice", a.Name)
		case a.MaxLen < 1 || a.MaxLen > 2048:
			return wrong(field+".MaxLen", "%d is not in 1…2048", a.MaxLen)
		}
		seen[a.Name] = true
	}
	return nil
}

func checkProviders(cfg *Config) error {
	attributes := newSchema(cfg.CustomAttributes)
	seen := make(map[string]bool)
	for i := range cfg.Providers {
		cfg.Providers[i] = cfg.Providers[i].clone()
		if cfg.Providers[i].Details == nil {
			cfg.Providers[i].Details = cfg.Providers[i].defaultDetails()
		}
		p, field := cfg.Providers[i], fmt.Sprintf("Providers[%d]", i)
		switch {
		case !providerNameForm.MatchString(p.Name) || p.Name == nativeProvider:
			return wrong(field+".Name", `%q is not 1 to 32 characters without "_" and without a blank at either end`, p.Name)
		case seen[p.Name]:
			return wrong(field+".Name", "%q is there twice", p.Name)
		case !slices.Contains(providerTypes, p.Type):
			return wrong(field+".Type", "%q is not one of %s", p.Type, strings.Join(providerTypes, ", "))
		}
		seen[p.Name] = true
		for name := range p.AttributeMapping {
			if _, ok := attributes[name]; name != "username" && (!ok || name == "sub") {
				return wrong(field+".AttributeMapping", "the pool has no attribute %q to write", name)
			}
		}
		subjects := make(map[string]bool)
		for _, who := range p.People {
			if who.Subject == "" || subjects[who.Subject] {
				return wrong(field+".People", "the subject %q is empty or there twice", who.Subject)
			}
			subjects[who.Subject] = true
		}
	}
	return nil
}

func checkResourceServers(cfg *Config) error {
	for id, names := range cfg.ResourceServers {
		if !resourceForm.MatchString(id) {
			return wrong("ResourceServers", "%q is not an identifier of 1 to 256 characters", id)
		}
		for _, name := range names {
			if !scopeNameForm.MatchString(name) {
				return wrong("ResourceServers["+id+"]", "%q is not a scope name (1 to 256 characters, no slash)", name)
			}
		}
	}
	return nil
}

func checkTriggers(cfg *Config) error {
	t := cfg.Triggers
	switch {
	case !slices.Contains(tokenVersions, t.PreTokenGenerationVersion):
		return wrong("Triggers.PreTokenGenerationVersion", "%q is not one of %s", t.PreTokenGenerationVersion,
			strings.Join(tokenVersions, ", "))
	case t.Timeout < 0:
		return wrong("Triggers.Timeout", "%v is negative", t.Timeout)
	case t.Attempts < 0:
		return wrong("Triggers.Attempts", "%d is negative", t.Attempts)
	}
	return nil
}

func checkClients(cfg *Config) error {
	seen := make(map[string]bool)
	for i := range cfg.Clients {
		c, field := cfg.Clients[i].clone(), fmt.Sprintf("Clients[%d]", i)
		if !wordForm.MatchString(c.ClientID) {
			return wrong(field+".ClientID", "%q is not 1 to 128 letters, digits, _ and +", c.ClientID)
		}
		if seen[c.ClientID] {
			return wrong(field+".ClientID", "%q is there twice", c.ClientID)
		}
		seen[c.ClientID] = true
		c.setDefaults(cfg)
		if err := c.check(cfg, field); err != nil {
			return err
		}
		cfg.Clients[i] = c
	}
	return nil
}

func (c *Client) setDefaults(cfg *Config) {
	c.ClientName = cmp.Or(c.ClientName, c.ClientID)
	c.AccessTokenValidity = cmp.Or(c.AccessTokenValidity, time.Hour)
	c.IDTokenValidity = cmp.Or(c.IDTokenValidity, time.Hour)
	c.RefreshTokenValidity = cmp.Or(c.RefreshTokenValidity, 30*24*time.Hour)
	if c.SupportedIdentityProviders == nil {
		for _, p := range cfg.Providers {
			c.SupportedIdentityProviders = append(c.SupportedIdentityProviders, p.Name)
		}
		c.SupportedIdentityProviders = append(c.SupportedIdentityProviders, nativeProvider)
	}
	if c.AllowedOAuthFlows == nil {
		c.AllowedOAuthFlows = []string{"code"}
	}
	if c.AllowedOAuthScopes == nil {
		c.AllowedOAuthScopes = append(slices.Clone(oidcScopes), adminScope)
		if slices.Contains(c.AllowedOAuthFlows, "client_credentials") {
			c.AllowedOAuthScopes = customScopes(cfg.ResourceServers)
		}
	}
	if c.ExplicitAuthFlows == nil {
		c.ExplicitAuthFlows = []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"}
		if !c.RefreshTokenRotation {
			c.ExplicitAuthFlows = append(c.ExplicitAuthFlows, refreshFlow)
		}
	}
}

// customScopes are the scopes of the resource servers, in order.
func customScopes(servers map[string][]string) []string {
	scopes := []string{}
	for id, names := range servers {
		for _, name := range names {
			scopes = append(scopes, id+"/"+name)
		}
	}
	slices.Sort(scopes)
	return scopes
}

func (c *Client) check(cfg *Config, field string) error {
	machine := slices.Contains(c.AllowedOAuthFlows, "client_credentials")
	switch {
	case c.ClientSecret != "" && !wordForm.MatchString(c.ClientSecret):
		return wrong(field+".ClientSecret", "it is not 1 to 128 letters, digits, _ and +")
	case machine && len(c.AllowedOAuthFlows) > 1:
		return wrong(field+".AllowedOAuthFlows", "client_credentials must be the only flow of its client")
	case machine && c.ClientSecret == "":
		return wrong(field+".ClientSecret", "the flow client_credentials needs one")
	case c.RefreshTokenRotation && slices.Contains(c.ExplicitAuthFlows, refreshFlow):
		return wrong(field+".ExplicitAuthFlows", "%s does not go with RefreshTokenRotation", refreshFlow)
	case c.RetryGracePeriod != 0 && !c.RefreshTokenRotation:
		return wrong(field+".RetryGracePeriod", "it needs RefreshTokenRotation")
	}
	for _, v := range []struct {
		name        string
		is, min, to time.Duration
	}{
		{"AccessTokenValidity", c.AccessTokenValidity, 5 * time.Minute, 24 * time.Hour},
		{"IDTokenValidity", c.IDTokenValidity, 5 * time.Minute, 24 * time.Hour},
		{"RefreshTokenValidity", c.RefreshTokenValidity, time.Hour, 3650 * 24 * time.Hour},
		{"RetryGracePeriod", c.RetryGracePeriod, 0, time.Minute},
	} {
		if v.is < v.min || v.is > v.to {
			return wrong(field+"."+v.name, "%v is not in %v…%v", v.is, v.min, v.to)
		}
		if v.is%time.Second != 0 {
			return wrong(field+"."+v.name, "%v is not whole seconds", v.is)
		}
	}
	return c.checkLists(cfg, field)
}

func (c *Client) checkLists(cfg *Config, field string) error {
	providers := []string{nativeProvider}
	for _, p := range cfg.Providers {
		providers = append(providers, p.Name)
	}
	attributes := slices.Collect(maps.Keys(newSchema(cfg.CustomAttributes)))
	scopes := append(append(slices.Clone(oidcScopes), adminScope), customScopes(cfg.ResourceServers)...)
	for _, list := range []struct {
		name       string
		is, within []string
	}{
		{"SupportedIdentityProviders", c.SupportedIdentityProviders, providers},
		{"AllowedOAuthFlows", c.AllowedOAuthFlows, oauthFlows},
		{"AllowedOAuthScopes", c.AllowedOAuthScopes, scopes},
		{"ExplicitAuthFlows", c.ExplicitAuthFlows, authFlows},
		{"ReadAttributes", c.ReadAttributes, attributes},
		{"WriteAttributes", c.WriteAttributes, attributes},
	} {
		for _, v := range list.is {
			if !slices.Contains(list.within, v) {
				known := slices.Sorted(slices.Values(list.within))
				return wrong(field+"."+list.name, "%q is not one of %s", v, strings.Join(known, ", "))
			}
		}
	}
	for i, u := range c.CallbackURLs {
		if err := checkAppURL(u); err != nil {
			return wrong(fmt.Sprintf("%s.CallbackURLs[%d]", field, i), "%v", err)
		}
	}
	for i, u := range c.LogoutURLs {
		if err := checkAppURL(u); err != nil {
			return wrong(fmt.Sprintf("%s.LogoutURLs[%d]", field, i), "%v", err)
		}
	}
	return nil
}

// checkAppURL checks a callback or logout URL: https, http on this machine, or an app's own scheme; no fragment.
func checkAppURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return err
	case u.Scheme == "" || strings.Contains(raw, "#"):
		return fmt.Errorf("%q is not an absolute URL without a fragment", raw)
	case u.Scheme == "https" && u.Host == "":
		return fmt.Errorf("%q has no host", raw)
	case u.Scheme == "http" && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()):
		return fmt.Errorf("%q: http is only for localhost, 127.0.0.1 and [::1]", raw)
	}
	return nil
}
