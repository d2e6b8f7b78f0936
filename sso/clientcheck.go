package sso

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxClientIDLen     = 128 // the AWS API's own limit
	maxProviderNameLen = 32  // likewise, in characters
)

// check reports everything that is wrong with the config, with its defaults
// filled in. It returns the domain without a trailing slash. Its errors never
// quote a value: a URL may carry a password, and a secret lands in the wrong
// field easily.
func (cfg *ClientConfig) check() (domain string, err error) {
	var problems []error
	wrong := func(field, problem string) {
		problems = append(problems, &ConfigError{Field: field, Problem: problem})
	}

	switch {
	case !printableASCII(cfg.ClientID, maxClientIDLen) || strings.Contains(cfg.ClientID, ":"):
		wrong("ClientID", "must be 1 to 128 printable ASCII characters without space or colon")
	case cfg.Verifier != nil && !cfg.Verifier.allows(cfg.ClientID):
		wrong("ClientID", "must be among the ClientIDs of Verifier")
	}
	if cfg.Verifier == nil {
		wrong("Verifier", "is required")
	}
	if cfg.ClientSecret != "" && !printableASCII(cfg.ClientSecret.Reveal(), 1024) {
		wrong("ClientSecret", "must be at most 1024 printable ASCII characters without space; is there a newline at its end?")
	}
	domain, ok := checkDomain(cfg.Domain, cfg.InsecureAllowHTTP)
	if !ok {
		wrong("Domain", "must be an https base URL without path, query, fragment and user, such as https://login.example.ac.kr")
	}
	const browserURL = "must be an absolute https URL without fragment and user; http only on localhost, 127.0.0.1 and [::1]"
	if cfg.RedirectURL != "" && !validBrowserURL(cfg.RedirectURL, cfg.InsecureAllowHTTP) {
		wrong("RedirectURL", browserURL)
	}
	if cfg.LogoutURL != "" && !validBrowserURL(cfg.LogoutURL, cfg.InsecureAllowHTTP) {
		wrong("LogoutURL", browserURL)
	}
	if !slices.Contains(cfg.Scopes, scopeOpenID) {
		wrong("Scopes", `must contain "openid": without it there is no ID token, and no proof of who signed in`)
	}
	if !validScopes(cfg.Scopes) {
		wrong("Scopes", "must be scope names of printable ASCII without space, quote and backslash (RFC 6749 §3.3)")
	}
	if slices.ContainsFunc(cfg.IdentityProviders, badProviderName) {
		wrong("IdentityProviders", "must be names of 1 to 32 characters without control characters")
	}
	return domain, errors.Join(problems...)
}

// checkDomain returns the base URL without a trailing slash.
func checkDomain(raw string, allowHTTP bool) (string, bool) {
	u, ok := parseAbsolute(raw)
	if !ok || u.Scheme != "https" && !allowHTTP {
		return "", false
	}
	if u.Path != "" && u.Path != "/" || strings.Contains(raw, "?") {
		return "", false
	}
	return u.Scheme + "://" + u.Host, true
}

// validBrowserURL says whether a browser may be sent back to the URL.
func validBrowserURL(raw string, allowHTTP bool) bool {
	u, ok := parseAbsolute(raw)
	if !ok {
		return false
	}
	return u.Scheme == "https" || allowHTTP || slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
}

// parseAbsolute parses an http or https URL with a host, and without user and
// fragment, even an empty one, which url.Parse forgets.
func parseAbsolute(raw string) (*url.URL, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Contains(raw, "#") {
		return nil, false
	}
	return u, u.Scheme == "https" || u.Scheme == "http"
}

// validScopes checks every name against RFC 6749 §3.3.
func validScopes(scopes []string) bool {
	return !slices.ContainsFunc(scopes, func(s string) bool {
		return !printableASCII(s, 512) || strings.ContainsAny(s, `"\`)
	})
}

func badProviderName(name string) bool {
	return name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxProviderNameLen ||
		strings.ContainsFunc(name, unicode.IsControl)
}
