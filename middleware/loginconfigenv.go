package middleware

import (
	"encoding/base64"
	"os"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/internal/environ"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

// LoginConfigFromEnv reads what a LoginConfig needs from an environment, which
// is of the form of [os.Environ], beside [sso.ConfigFromEnv] and
// [sso.ClientConfigFromEnv]:
//
//	SSO_BASE_URL             LoginConfig.BaseURL. Required.
//	SSO_COOKIE_KEYS          LoginConfig.CookieKeys, each in base64, with
//	                         commas; "openssl rand -base64 32" makes one
//	SSO_COOKIE_KEYS_FILE     or the file that holds them. One of the two is
//	                         required.
//	SSO_RETURN_ORIGINS       LoginConfig.ReturnOrigins, with commas
//	SSO_COOKIE_SESSIONS      true for LoginConfig.CookieSessions, with its
//	                         defaults
//	SSO_INSECURE_LOCALHOST   LoginConfig.InsecureLocalhost
//
// What is not set has LoginConfig's default; blanks around a value do not count.
// The error has every mistake as a [*sso.ConfigError] with the variable as its
// Field, and no value; what else is wrong with the LoginConfig is for [NewLogin]
// to say. Other fields can be set on the result. Those of [CookieSessions] have
// no variable: whether a refresh token may be in a browser's cookies is to be
// thought about once, where the app is written, and not with each deployment. An
// app that sets Sessions is refused by NewLogin where SSO_COOKIE_SESSIONS is
// true.
func LoginConfigFromEnv(environment []string) (LoginConfig, error) {
	r := environ.NewReader(environment)
	cfg := LoginConfig{
		BaseURL:           r.Required("SSO_BASE_URL"),
		InsecureLocalhost: r.Flag("SSO_INSECURE_LOCALHOST"),
	}
	cfg.ReturnOrigins = returnOrigins(r, cfg.InsecureLocalhost)
	if r.Flag("SSO_COOKIE_SESSIONS") {
		cfg.CookieSessions = &CookieSessions{}
	}
	if keys := r.TextOrFile("SSO_COOKIE_KEYS", os.ReadFile); keys != "" {
		cfg.CookieKeys = cookieKeys(r, keys)
	} else if r.Text("SSO_COOKIE_KEYS_FILE") == "" {
		r.Failf("SSO_COOKIE_KEYS", "required, or SSO_COOKIE_KEYS_FILE")
	}
	return cfg, r.ErrAs(func(variable, problem string) error {
		return &sso.ConfigError{Field: variable, Problem: problem}
	})
}

// returnOrigins are origins as LoginConfig.ReturnOrigins has them. One that is
// wrong is refused here, where the name of the variable is known.
func returnOrigins(r *environ.Reader, insecure bool) []string {
	origins := r.List("SSO_RETURN_ORIGINS")
	for _, origin := range origins {
		if problem := checkReturnOrigin(origin, insecure); problem != "" {
			r.Failf("SSO_RETURN_ORIGINS", "%s", problem)
			return nil
		}
	}
	return origins
}

// cookieKeys decodes keys, in either alphabet of base64 and with or without its
// padding.
func cookieKeys(r *environ.Reader, text string) [][]byte {
	var keys [][]byte
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSpace(item)), "=")
		key, err := base64.RawStdEncoding.Strict().DecodeString(item)
		if err != nil || len(key) != cookieKeyLen {
			r.Failf("SSO_COOKIE_KEYS", "must be keys of 32 random bytes in base64, with commas between them")
			return nil
		}
		keys = append(keys, key)
	}
	return keys
}
