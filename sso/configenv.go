package sso

import (
	"cmp"
	"os"
	"slices"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/internal/environ"
)

// ConfigFromEnv reads a Config from an environment, which is of the form of
// [os.Environ]. These are the variables that deploying the pool prints for each
// app:
//
//	SSO_USER_POOL_ID         Config.UserPoolID. Required.
//	SSO_CLIENT_ID            this app's client. Required.
//	SSO_CLIENT_IDS           further clients whose tokens are accepted, with
//	                         commas
//	SSO_USER_ID_ATTRIBUTE    Config.UserIDClaim
//	SSO_USER_ID_KIND         integer, uuid or opaque
//	SSO_ISSUERS              Config.Issuers, with commas
//	SSO_JWKS_URL             Config.JWKSURL
//	SSO_INSECURE_ALLOW_HTTP  true for a pool on this machine
//
// What is not set has Config's default; blanks around a value do not count. The
// error has every variable that is missing or cannot be read as a
// [*ConfigError] with the variable as its Field, and no value; what else is
// wrong with the Config is for [NewVerifier] to say. Fields that have no
// variable can be set on the result.
func ConfigFromEnv(environment []string) (Config, error) {
	r := environ.NewReader(environment)
	cfg := Config{
		UserPoolID:        r.Required("SSO_USER_POOL_ID"),
		ClientIDs:         []string{r.Required("SSO_CLIENT_ID")},
		UserIDClaim:       r.Text("SSO_USER_ID_ATTRIBUTE"),
		UserIDKind:        userIDKinds[r.OneOf("SSO_USER_ID_KIND", "integer", "uuid", "opaque")],
		Issuers:           r.List("SSO_ISSUERS"),
		JWKSURL:           r.Text("SSO_JWKS_URL"),
		InsecureAllowHTTP: r.Flag("SSO_INSECURE_ALLOW_HTTP"),
	}
	for _, id := range r.List("SSO_CLIENT_IDS") {
		if !slices.Contains(cfg.ClientIDs, id) {
			cfg.ClientIDs = append(cfg.ClientIDs, id)
		}
	}
	return cfg, r.ErrAs(variableError)
}

var userIDKinds = map[string]UserIDKind{"integer": UserIDInteger, "uuid": UserIDUUID, "opaque": UserIDOpaque}

// ClientConfigFromEnv reads a ClientConfig, all but its Verifier, as
// [ConfigFromEnv] reads a Config, from these variables:
//
//	SSO_DOMAIN               ClientConfig.Domain. Required.
//	SSO_CLIENT_ID            ClientConfig.ClientID. Required.
//	SSO_CLIENT_SECRET        ClientConfig.ClientSecret; not set for a public
//	                         client
//	SSO_CLIENT_SECRET_FILE   or the file that holds it
//	SSO_BASE_URL             where browsers reach the app. The callback is
//	                         /auth/callback and the page after signing out
//	                         /auth/logged-out there, as in middleware.Login.
//	SSO_REDIRECT_URL         ClientConfig.RedirectURL, if it is another
//	SSO_LOGOUT_URL           ClientConfig.LogoutURL, if it is another
//	SSO_SCOPES               ClientConfig.Scopes, with spaces
//	SSO_PROVIDERS            ClientConfig.IdentityProviders, with commas
//	SSO_INSECURE_ALLOW_HTTP  true for a pool on this machine
//
// A line break at the end of the secret's file is not part of the secret.
func ClientConfigFromEnv(environment []string) (ClientConfig, error) {
	r := environ.NewReader(environment)
	cfg := ClientConfig{
		Domain:            r.Required("SSO_DOMAIN"),
		ClientID:          r.Required("SSO_CLIENT_ID"),
		ClientSecret:      Secret(r.TextOrFile("SSO_CLIENT_SECRET", os.ReadFile)),
		RedirectURL:       r.Text("SSO_REDIRECT_URL"),
		LogoutURL:         r.Text("SSO_LOGOUT_URL"),
		Scopes:            strings.Fields(r.Text("SSO_SCOPES")),
		IdentityProviders: r.List("SSO_PROVIDERS"),
		InsecureAllowHTTP: r.Flag("SSO_INSECURE_ALLOW_HTTP"),
	}
	if base := strings.TrimSuffix(r.Text("SSO_BASE_URL"), "/"); base != "" {
		cfg.RedirectURL = cmp.Or(cfg.RedirectURL, base+"/auth/callback")
		cfg.LogoutURL = cmp.Or(cfg.LogoutURL, base+"/auth/logged-out")
	}
	return cfg, r.ErrAs(variableError)
}

// variableError is a mistake in a variable of the environment.
func variableError(variable, problem string) error {
	return &ConfigError{Field: variable, Problem: problem}
}
