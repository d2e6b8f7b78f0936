package middleware

import (
	"net/http"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// bearerToken returns the token of the Authorization header (RFC 6750 §2.1).
// It is the only place a token is read from: never a query string or a form.
//
//	no header, or one of another scheme: sso.ErrMissing
//	malformed, or more than one header:  ErrAuthorizationHeader
func bearerToken(h http.Header) (string, error) {
	values := h["Authorization"]
	switch {
	case len(values) == 0:
		return "", sso.ErrMissing
	case len(values) > 1:
		// Which one a proxy or a log looked at is unknown: never choose.
		return "", ErrAuthorizationHeader
	}
	return parseAuthorization(values[0])
}

// parseAuthorization reads one value of the form scheme 1*SP b64token.
func parseAuthorization(value string) (string, error) {
	scheme, rest, _ := strings.Cut(value, " ")
	if !isTokenText(scheme) {
		return "", ErrAuthorizationHeader
	}
	if !strings.EqualFold(scheme, "Bearer") {
		// Credentials of another kind: no bearer token was sent (RFC 6750 §3.1).
		return "", sso.ErrMissing
	}
	token := strings.TrimLeft(rest, " ")
	if !isB64Token(token) {
		return "", ErrAuthorizationHeader
	}
	return token, nil
}

// isB64Token checks the b64token of RFC 6750 §2.1.
func isB64Token(s string) bool {
	body := strings.TrimRight(s, "=")
	if body == "" {
		return false
	}
	for i := range len(body) {
		if c := body[i]; !isAlphanumeric(c) && strings.IndexByte("-._~+/", c) < 0 {
			return false
		}
	}
	return true
}

// isTokenText checks a token of RFC 9110 §5.6.2, such as an auth-scheme.
func isTokenText(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
