package middleware

import (
	"net/http"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// Extractor returns the raw token of a request, for BearerConfig.Extract. It
// returns [sso.ErrMissing] if the request has none, and [ErrTokenSource] or
// [ErrAuthorizationHeader] if it has something that cannot be read as one
// token. Any other error that is none of this module's is answered with 500.
// It is called concurrently.
//
// There is none for query strings, and there should be none: they end up in
// logs, histories and Referer headers (RFC 9700 §4.3.2).
type Extractor func(r *http.Request) (string, error)

// FromAuthorization returns the Extractor that Bearer uses by default: of the
// Authorization header (RFC 6750 §2.1), whose scheme is Bearer in any case.
//
//	no header, or one of another scheme: sso.ErrMissing
//	malformed, or more than one header:  ErrAuthorizationHeader
func FromAuthorization() Extractor { return bearerToken }

// FromHeader returns an Extractor of a header field that holds the bare token,
// such as "X-Amzn-Oidc-Accesstoken" of a load balancer. The Authorization
// header is not looked at. A field that is there twice, or holds anything but
// one token, is [ErrTokenSource].
//
// What is in front of the app must remove the field from what clients send, or
// a client chooses which token it is: one that verifies still, but not the one
// that was checked in front.
//
// FromHeader panics if name is no field name, or is Authorization,
// Proxy-Authorization or Cookie, whose values are no bare tokens.
func FromHeader(name string) Extractor {
	key := http.CanonicalHeaderKey(name)
	if !isTokenText(name) || key == "Authorization" || key == "Proxy-Authorization" || key == "Cookie" {
		panic("middleware: FromHeader needs the name of a header field that holds a bare token")
	}
	return func(r *http.Request) (string, error) { return only(r.Header[key]) }
}

// FromCookie returns an Extractor of a cookie that holds the bare token. The
// Authorization header is not looked at. A cookie that is there twice, because
// a sibling host set another, or holds anything but one token, is
// [ErrTokenSource].
//
// A browser sends cookies with requests that other sites cause: wrap handlers
// that change anything in [http.CrossOriginProtection]. Whoever sets the cookie
// makes it Secure, HttpOnly and SameSite, with a name that begins with __Host-.
//
// FromCookie panics if name is no cookie name.
func FromCookie(name string) Extractor {
	if !isTokenText(name) {
		panic("middleware: FromCookie needs the name of a cookie")
	}
	return func(r *http.Request) (string, error) {
		lines := r.Header["Cookie"]
		if pairs(lines) > maxCookies {
			return "", ErrTokenSource
		}
		return only(cookieValues(lines, name))
	}
}

// maxCookies is how many net/http reads of one request; of more it reads none.
const maxCookies = 3000

// pairs is how many cookies the lines have, empty ones counted.
func pairs(lines []string) int {
	n := len(lines)
	for _, line := range lines {
		n += strings.Count(line, ";")
	}
	return n
}

// only returns the token that is the only value.
func only(values []string) (string, error) {
	switch {
	case len(values) == 0:
		return "", sso.ErrMissing
	case len(values) > 1 || !isB64Token(values[0]):
		return "", ErrTokenSource // as with two Authorization headers: never choose
	}
	return values[0], nil
}

// cookieValues returns the values of the cookies of that name, as they were
// sent. net/http leaves out those that it cannot parse, and they would then
// pass for absent, which [Bearer.Optional] lets through.
func cookieValues(lines []string, name string) []string {
	var found []string
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			key, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if strings.Trim(key, " \t\r\n") == name { // as net/http does
				found = append(found, value)
			}
		}
	}
	return found
}

// bearerToken is the Extractor of the Authorization header.
func bearerToken(r *http.Request) (string, error) { return authorization(r, parseAuthorization) }

// bearerTokenUnread is bearerToken for who looks at every character of the
// token anyway: a look at each here would cost more than all else that Bearer
// does with a token that is remembered.
func bearerTokenUnread(r *http.Request) (string, error) { return authorization(r, splitAuthorization) }

func authorization(r *http.Request, parse func(value string) (string, error)) (string, error) {
	values := r.Header["Authorization"]
	switch {
	case len(values) == 0:
		return "", sso.ErrMissing
	case len(values) > 1:
		// Which one a proxy or a log looked at is unknown: never choose.
		return "", ErrAuthorizationHeader
	}
	return parse(values[0])
}

// parseAuthorization reads one value of the form scheme 1*SP b64token.
func parseAuthorization(value string) (string, error) {
	token, err := splitAuthorization(value)
	if err == nil && !isB64Token(token) {
		return "", ErrAuthorizationHeader
	}
	return token, err
}

// splitAuthorization is parseAuthorization without a look at the characters
// of the token.
func splitAuthorization(value string) (string, error) {
	scheme, rest, _ := strings.Cut(value, " ")
	if !isTokenText(scheme) {
		return "", ErrAuthorizationHeader
	}
	if !strings.EqualFold(scheme, "Bearer") {
		// Credentials of another kind: no bearer token was sent (RFC 6750 §3.1).
		return "", sso.ErrMissing
	}
	token := strings.TrimLeft(rest, " ")
	if token == "" {
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
