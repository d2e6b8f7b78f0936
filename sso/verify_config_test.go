package sso_test

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// wrongFields returns the fields that a configuration error names, sorted.
func wrongFields(t *testing.T, err error) []string {
	t.Helper()
	var fields []string
	var walk func(error)
	walk = func(err error) {
		switch e := err.(type) { //nolint:errorlint // it walks the tree itself
		case *sso.ConfigError:
			fields = append(fields, e.Field)
			if e.Problem == "" || !errors.Is(e, sso.ErrConfig) {
				t.Errorf("bad ConfigError: %+v", e)
			}
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				walk(err)
			}
		default:
			t.Errorf("not a ConfigError: %v", err)
		}
	}
	if err != nil {
		walk(err)
	}
	slices.Sort(fields)
	return fields
}

func TestNewVerifierConfig(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		want string // the fields that are wrong, "" if it is good
		edit func(*sso.Config)
	}{
		{"as it is", "", func(*sso.Config) {}},
		{"only what is required", "", func(c *sso.Config) { *c = sso.Config{UserPoolID: poolID, ClientIDs: []string{"x"}} }},
		{"nothing", "ClientIDs UserPoolID", func(c *sso.Config) { *c = sso.Config{} }},

		{"pool of an isolated region", "", func(c *sso.Config) { c.UserPoolID = "us-iso-east-1_AbC" }},
		{"pool of GovCloud", "", func(c *sso.Config) { c.UserPoolID = "us-gov-west-1_AbC" }},
		{"pool of the EU sovereign cloud", "", func(c *sso.Config) { c.UserPoolID = "eusc-de-east-1_AbC" }},
		{"pool of a tenth region", "", func(c *sso.Config) { c.UserPoolID = "us-east-10_AbC" }},
		{"pool of an emulator", "", func(c *sso.Config) { c.UserPoolID = "local_5x" }},
		{"pool with two underscores", "", func(c *sso.Config) { c.UserPoolID = "a_b_C" }},
		{"pool of 55 bytes", "", func(c *sso.Config) { c.UserPoolID = "r_" + strings.Repeat("x", 53) }},
		{"pool of 56 bytes", "UserPoolID", func(c *sso.Config) { c.UserPoolID = "r_" + strings.Repeat("x", 54) }},
		{"no pool", "UserPoolID", func(c *sso.Config) { c.UserPoolID = "" }},
		{"pool without a region", "UserPoolID", func(c *sso.Config) { c.UserPoolID = "_AbC" }},
		{"pool without a name", "UserPoolID", func(c *sso.Config) { c.UserPoolID = "us-east-1_" }},
		{"pool without an underscore", "UserPoolID", func(c *sso.Config) { c.UserPoolID = "us-east-1" }},
		{"pool with a slash", "UserPoolID", func(c *sso.Config) { c.UserPoolID = "evil.example/us-east-1_x" }},
		{"pool with a dot", "UserPoolID", func(c *sso.Config) { c.UserPoolID = "us.east_x" }},
		{"pool with a newline", "UserPoolID", func(c *sso.Config) { c.UserPoolID = poolID + "\n" }},
		{"pool with a space", "UserPoolID", func(c *sso.Config) { c.UserPoolID = " " + poolID }},
		{"pool with a letter outside ASCII", "UserPoolID", func(c *sso.Config) { c.UserPoolID = "us-east-1_é" }},
		{"a URL for a pool", "UserPoolID", func(c *sso.Config) { c.UserPoolID = originalIss }},

		{"no clients", "ClientIDs", func(c *sso.Config) { c.ClientIDs = nil }},
		{"an empty list of clients", "ClientIDs", func(c *sso.Config) { c.ClientIDs = []string{} }},
		{"an empty client", "ClientIDs[1]", func(c *sso.Config) { c.ClientIDs = []string{"a", ""} }},
		{"a client with a space", "ClientIDs[0]", func(c *sso.Config) { c.ClientIDs = []string{"a "} }},
		{"a client with a newline", "ClientIDs[0]", func(c *sso.Config) { c.ClientIDs = []string{"a\n"} }},
		{"unchecked clients", "", func(c *sso.Config) { c.ClientIDs, c.InsecureSkipClientIDCheck = nil, true }},
		{"unchecked clients, and a list", "InsecureSkipClientIDCheck", func(c *sso.Config) { c.InsecureSkipClientIDCheck = true }},

		{"further issuers", "", func(c *sso.Config) { c.Issuers = []string{"https://a.example/x", "https://b.example:8443/"} }},
		{"the pool's own as a further issuer", "", func(c *sso.Config) { c.Issuers = []string{originalIss, originalIss, updatedIss} }},
		{"empty issuer", "Issuers[0]", func(c *sso.Config) { c.Issuers = []string{""} }},
		{"http issuer", "Issuers[1]", func(c *sso.Config) { c.Issuers = []string{"https://a.example", "http://a.example"} }},
		{"http issuer on loopback", "Issuers[0]", func(c *sso.Config) { c.Issuers = []string{"http://127.0.0.1:9229/x"} }},
		{"http issuer, allowed", "", func(c *sso.Config) { c.Issuers, c.InsecureAllowHTTP = []string{"http://127.0.0.1:9229/x"}, true }},
		{"ftp issuer, http allowed", "Issuers[0]", func(c *sso.Config) { c.Issuers, c.InsecureAllowHTTP = []string{"ftp://a.example"}, true }},
		{"relative issuer", "Issuers[0]", func(c *sso.Config) { c.Issuers = []string{"a.example/x"} }},
		{"issuer without a host", "Issuers[0]", func(c *sso.Config) { c.Issuers = []string{"https:///x"} }},
		{"issuer with a port only", "Issuers[0]", func(c *sso.Config) { c.Issuers = []string{"https://:443/x"} }},
		{"issuer with a password", "Issuers[0]", func(c *sso.Config) { c.Issuers = []string{"https://canary:canary@a.example"} }},
		{"issuer with a query", "Issuers[0]", func(c *sso.Config) { c.Issuers = []string{"https://a.example?x"} }},
		{"issuer with an empty query", "Issuers[0]", func(c *sso.Config) { c.Issuers = []string{"https://a.example?"} }},
		{"issuer with a fragment", "Issuers[0]", func(c *sso.Config) { c.Issuers = []string{"https://a.example#"} }},
		{"issuer with a control character", "Issuers[0]", func(c *sso.Config) { c.Issuers = []string{"https://a.example/\n"} }},

		{"JWKSURL", "", func(c *sso.Config) { c.JWKSURL = "https://keys.example/jwks.json?v=1" }},
		{"http JWKSURL", "JWKSURL", func(c *sso.Config) { c.JWKSURL = "http://keys.example/jwks.json" }},
		{"http JWKSURL, allowed", "", func(c *sso.Config) { c.JWKSURL, c.InsecureAllowHTTP = "http://keys.example/jwks.json", true }},
		{"file JWKSURL", "JWKSURL", func(c *sso.Config) { c.JWKSURL = "file:///etc/jwks.json" }},
		{"JWKSURL with a password", "JWKSURL", func(c *sso.Config) { c.JWKSURL = "https://canary:canary@keys.example" }},

		{"JWKS", "", func(c *sso.Config) { c.JWKS = []byte(poolKeys()) }},
		{"JWKS and JWKSURL", "JWKS", func(c *sso.Config) { c.JWKS, c.JWKSURL = []byte(poolKeys()), "https://keys.example" }},
		{"empty JWKS", "JWKS", func(c *sso.Config) { c.JWKS = []byte{} }},
		{"JWKS without keys", "JWKS", func(c *sso.Config) { c.JWKS = []byte(`{"keys":[]}`) }},
		{"JWKS without a usable key", "JWKS", func(c *sso.Config) { c.JWKS = []byte(`{"keys":[{"kid":"canary","kty":"EC"}]}`) }},
		{"JWKS that is HTML", "JWKS", func(c *sso.Config) { c.JWKS = []byte("<html>canary") }},
		{"JWKS cut off", "JWKS", func(c *sso.Config) { c.JWKS = []byte(poolKeys()[:800]) }},
		{"JWKS over 1 MiB", "JWKS", func(c *sso.Config) { c.JWKS = []byte(poolKeys() + strings.Repeat(" ", 1<<20)) }},

		{"least age", "", func(c *sso.Config) { c.KeysRefresh = time.Minute }},
		{"most age", "", func(c *sso.Config) { c.KeysRefresh = 24 * time.Hour }},
		{"too little age", "KeysRefresh", func(c *sso.Config) { c.KeysRefresh = time.Minute - 1 }},
		{"too much age", "KeysRefresh", func(c *sso.Config) { c.KeysRefresh = 24*time.Hour + 1 }},
		{"negative age", "KeysRefresh", func(c *sso.Config) { c.KeysRefresh = -1 }},
		{"as stale as fresh", "", func(c *sso.Config) { c.KeysRefresh, c.StaleIfError = 2*time.Hour, 2*time.Hour }},
		{"stale before the default refresh", "StaleIfError", func(c *sso.Config) { c.StaleIfError = time.Hour - 1 }},
		{"stale before the refresh", "StaleIfError", func(c *sso.Config) { c.KeysRefresh, c.StaleIfError = 2*time.Hour, 2*time.Hour-1 }},
		{"stale for 30 days", "", func(c *sso.Config) { c.StaleIfError = 30 * 24 * time.Hour }},
		{"stale for longer", "StaleIfError", func(c *sso.Config) { c.StaleIfError = 30*24*time.Hour + 1 }},
		{"negative stale", "StaleIfError", func(c *sso.Config) { c.StaleIfError = -1 }},

		{"kind UUID", "", func(c *sso.Config) { c.UserIDKind = sso.UserIDUUID }},
		{"kind opaque", "", func(c *sso.Config) { c.UserIDKind = sso.UserIDOpaque }},
		{"unknown kind", "UserIDKind", func(c *sso.Config) { c.UserIDKind = 3 }},
		{"negative kind", "UserIDKind", func(c *sso.Config) { c.UserIDKind = -1 }},

		{"largest leeway", "", func(c *sso.Config) { c.Leeway = 5 * time.Minute }},
		{"too much leeway", "Leeway", func(c *sso.Config) { c.Leeway = 5*time.Minute + 1 }},
		{"negative leeway", "Leeway", func(c *sso.Config) { c.Leeway = -1 }},
		{"absurd leeway", "Leeway", func(c *sso.Config) { c.Leeway = math.MaxInt64 }},

		{"largest size", "", func(c *sso.Config) { c.MaxTokenSize = 64 << 10 }},
		{"too large", "MaxTokenSize", func(c *sso.Config) { c.MaxTokenSize = 64<<10 + 1 }},
		{"negative size", "MaxTokenSize", func(c *sso.Config) { c.MaxTokenSize = -1 }},
		{"no memory", "", func(c *sso.Config) { c.TokenMemory = -1 }},
		{"largest memory", "", func(c *sso.Config) { c.TokenMemory = 1 << 20 }},
		{"too large a memory", "TokenMemory", func(c *sso.Config) { c.TokenMemory = 1<<20 + 1 }},

		{"negative timeout", "HTTPClient", func(c *sso.Config) { c.HTTPClient = &http.Client{Timeout: -1} }},
		{"everything", "ClientIDs HTTPClient Issuers[0] JWKSURL Leeway MaxTokenSize UserIDKind UserPoolID", func(c *sso.Config) {
			*c = sso.Config{Issuers: []string{"x"}, JWKSURL: "x", Leeway: -1, MaxTokenSize: -1, UserIDKind: 9, HTTPClient: &http.Client{Timeout: -1}}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := serve(poolKeys())
			cfg := config(server)
			row.edit(&cfg)
			v, err := sso.NewVerifier(cfg)
			if got := strings.Join(wrongFields(t, err), " "); got != row.want {
				t.Errorf("wrong fields are %q; want %q (%v)", got, row.want, err)
			}
			if (v == nil) != (err != nil) {
				t.Errorf("NewVerifier = %v, %v", v, err)
			}
			if err != nil && (sso.ReasonOf(err) != "configuration" || strings.Contains(err.Error(), canaryInText)) {
				t.Errorf("error is %v", err)
			}
			if server.fetches.Load() != 0 {
				t.Error("NewVerifier fetched")
			}
		})
	}
}

func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	cfg := config(serve(poolKeys()))
	cfg.Issuers = []string{"https://a.example/x"}
	v, err := sso.NewVerifier(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ClientIDs[0], cfg.ClientIDs[1], cfg.Issuers[0] = "evil", "evil", "https://evil.example"
	if _, err := v.VerifyAccess(t.Context(), goodAccess().token()); err != nil {
		t.Error(err)
	}
	f := goodAccess()
	f.payload.set("client_id", `"evil"`)
	if _, err := v.VerifyAccess(t.Context(), f.token()); !errors.Is(err, sso.ErrClient) {
		t.Errorf("a client that was slipped in: %v", err)
	}
	f = goodAccess()
	f.payload.set("iss", `"https://evil.example"`)
	if _, err := v.VerifyAccess(t.Context(), f.token()); !errors.Is(err, sso.ErrIssuer) {
		t.Errorf("an issuer that was slipped in: %v", err)
	}
	if cfg.HTTPClient.CheckRedirect != nil {
		t.Error("the caller's HTTP client was changed")
	}
}
