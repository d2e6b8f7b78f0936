package sso

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/keyset"
)

const (
	defaultMaxTokenSize = 16 << 10
	largestMaxTokenSize = 64 << 10
	defaultTokenMemory  = 16384
	largestTokenMemory  = 1 << 20
	defaultUserIDClaim  = "custom:userId"
	maxLeeway           = 5 * time.Minute
	minKeysRefresh      = time.Minute
	maxKeysRefresh      = 24 * time.Hour // at most the default of StaleIfError
	maxStaleIfError     = 30 * 24 * time.Hour
	maxPoolIDLen        = 55 // the AWS API model's UserPoolIdType
)

// Config says which tokens a [Verifier] accepts. It is copied. The zero value
// of every optional field is the strictest setting.
type Config struct {
	// UserPoolID is the pool's id, such as "ap-northeast-2_AbCdEfGhI".
	// Required. Both issuer forms of the pool are accepted:
	// https://cognito-idp.<region>.amazonaws.com/<id> and
	// https://issuer-cognito-idp.<region>.amazonaws.com/<id>.
	UserPoolID string
	// ClientIDs are the app clients whose tokens are accepted. Required,
	// unless InsecureSkipClientIDCheck is set.
	ClientIDs []string
	// InsecureSkipClientIDCheck accepts tokens of every app client of the
	// pool. It MUST NOT be set by an app that does not serve all of them:
	// whoever can sign in to any app of the pool could then use their token
	// here. It excludes ClientIDs. Defaults to false.
	InsecureSkipClientIDCheck bool
	// Issuers are further exact iss values, for regions whose host is not
	// amazonaws.com, for replicas that issue under their own region, and for
	// emulators. Each is an https URL without query or fragment. Defaults to
	// none.
	Issuers []string
	// JWKSURL is where the pool's keys are fetched, for every issuer of this
	// Config, which then share one set of keys. Defaults to
	// <issuer>/.well-known/jwks.json, a set for each issuer.
	JWKSURL string
	// JWKS is the pool's key set itself, as served at JWKSURL, for hosts that
	// can reach no key server: for every issuer of this Config, and never
	// fetched or refreshed, so that KeysRefresh, StaleIfError and HTTPClient
	// do nothing. Cognito may replace its keys: tokens then get
	// [ErrUnknownKey] until a Verifier is made with the new ones, and keys
	// that were removed work until then. It excludes JWKSURL. Defaults to
	// nil, for fetching; an empty one is an error.
	JWKS []byte
	// KeysRefresh is the age by which keys are fetched again, 1 minute to 24
	// hours, by a timer and by the use of keys past their age; no token waits
	// for it. So a key that the pool removed works for that long at most,
	// while the key server answers. A process that was frozen meanwhile, as
	// in Lambda, uses its keys for the moment that this one fetch takes.
	// Defaults to 1 hour.
	KeysRefresh time.Duration
	// StaleIfError is the age up to which keys are used while the key server
	// gives no new ones, from KeysRefresh to 30 days; then tokens get
	// [ErrKeysUnavailable]. A key that the pool removed works for that long
	// in an outage. Observer is told of every fetch that fails. Defaults to
	// 24 hours.
	StaleIfError time.Duration
	// UserIDClaim is the claim with the organisation's user id. Defaults to
	// "custom:userId".
	UserIDClaim string
	// UserIDKind is the form of that id. Defaults to UserIDInteger.
	UserIDKind UserIDKind
	// Leeway widens exp, nbf and iat for clocks that differ, 0 to 5 minutes.
	// Defaults to 0. (For iat there are 5 minutes more; see [Verifier].)
	Leeway time.Duration
	// MaxTokenSize is the longest token looked at, in bytes, 1 to 65,536
	// (64 KiB). Defaults to 16,384 (16 KiB); a Cognito token has 1 to 2 KiB,
	// more with many groups.
	MaxTokenSize int
	// TokenMemory is how many verified tokens are remembered, so that one that
	// comes again is answered without computing its signature again; negative
	// for none. What is said of it is what verifying it anew would say: it is
	// forgotten when it expires and when the issuer's keys change. A token
	// remembered takes some 4 KB, which hold the token itself: whoever can
	// read the process's memory finds it there. Defaults to 16,384.
	TokenMemory int
	// ExposeExpired makes the error of an expired token an [*ExpiredError],
	// which holds what the token said, if it passes every other check. That
	// takes a key and a signature's work for each expired token, which are
	// refused without either otherwise, so that whoever has old tokens can
	// make work and fetches (paced, as for every unknown key id). It changes
	// no token's reason. Defaults to false.
	ExposeExpired bool
	// HTTPClient fetches the keys. Its redirects are not followed, and an
	// answer must be complete within its Timeout, or 5 seconds if that is 0.
	// The connections that a Transport of yours keeps are left to you.
	// Defaults to a client of this Verifier's own.
	HTTPClient *http.Client
	// InsecureAllowHTTP accepts http URLs in Issuers and JWKSURL. It MUST
	// NOT be set outside tests and local work: whoever is on the path could
	// then choose the keys. Defaults to false.
	InsecureAllowHTTP bool
	// Observer is told of every verification and every fetch of keys.
	// Defaults to none, which costs nothing.
	Observer Observer
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// complete returns a copy of c with every default filled in, or every mistake
// of c at once.
func (c Config) complete() (Config, error) {
	if err := c.check(); err != nil {
		return Config{}, err
	}
	c.ClientIDs = slices.Clone(c.ClientIDs)
	c.Issuers = slices.Clone(c.Issuers)
	c.JWKS = slices.Clone(c.JWKS)
	if c.UserIDClaim == "" {
		c.UserIDClaim = defaultUserIDClaim
	}
	if c.MaxTokenSize == 0 {
		c.MaxTokenSize = defaultMaxTokenSize
	}
	if c.TokenMemory == 0 {
		c.TokenMemory = defaultTokenMemory
	}
	if c.KeysRefresh == 0 {
		c.KeysRefresh = keyset.DefaultRefreshAge
	}
	if c.StaleIfError == 0 {
		c.StaleIfError = keyset.DefaultStaleIfError
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// check returns every mistake as a [ConfigError], joined.
func (c Config) check() error {
	var errs []error
	wrong := func(field, format string, args ...any) {
		errs = append(errs, &ConfigError{Field: field, Problem: fmt.Sprintf(format, args...)})
	}

	switch {
	case c.UserPoolID == "":
		wrong("UserPoolID", `is empty; expected a user pool id such as "ap-northeast-2_AbCdEfGhI"`)
	case !validPoolID(c.UserPoolID):
		wrong("UserPoolID", `is not <region>_<letters and digits> of at most %d bytes, such as "ap-northeast-2_AbCdEfGhI"`, maxPoolIDLen)
	}
	switch {
	case len(c.ClientIDs) == 0 && !c.InsecureSkipClientIDCheck:
		wrong("ClientIDs", "is empty; expected the id of each app client whose tokens are accepted")
	case len(c.ClientIDs) > 0 && c.InsecureSkipClientIDCheck:
		wrong("InsecureSkipClientIDCheck", "is set beside ClientIDs; expected one of the two")
	}
	for i, id := range c.ClientIDs {
		if !printableASCII(id, 128) {
			wrong(fmt.Sprintf("ClientIDs[%d]", i), "is not an app client id: expected 1 to 128 printable characters without a space")
		}
	}
	for i, issuer := range c.Issuers {
		field := fmt.Sprintf("Issuers[%d]", i)
		if problem := c.urlProblem(issuer); problem != "" {
			wrong(field, "%s", problem)
		} else if strings.Contains(issuer, "?") {
			wrong(field, "has a query; an issuer has none")
		}
	}
	if c.JWKSURL != "" {
		if problem := c.urlProblem(c.JWKSURL); problem != "" {
			wrong("JWKSURL", "%s", problem)
		}
	}
	if c.JWKS != nil {
		if c.JWKSURL != "" {
			wrong("JWKS", "is set beside JWKSURL; expected one of the two")
		}
		if _, err := staticKeys(c.JWKS); err != nil {
			wrong("JWKS", "%v", err)
		}
	}
	if c.KeysRefresh != 0 && (c.KeysRefresh < minKeysRefresh || c.KeysRefresh > maxKeysRefresh) {
		wrong("KeysRefresh", "is %v; expected %v to %v, or 0 for the default", c.KeysRefresh, minKeysRefresh, maxKeysRefresh)
	}
	if least := cmp.Or(c.KeysRefresh, keyset.DefaultRefreshAge); c.StaleIfError != 0 && (c.StaleIfError < least || c.StaleIfError > maxStaleIfError) {
		wrong("StaleIfError", "is %v; expected KeysRefresh (%v) to %v, or 0 for the default", c.StaleIfError, least, maxStaleIfError)
	}
	if c.UserIDKind < UserIDInteger || c.UserIDKind > UserIDOpaque {
		wrong("UserIDKind", "is %d; expected UserIDInteger, UserIDUUID or UserIDOpaque", int(c.UserIDKind))
	}
	if c.Leeway < 0 || c.Leeway > maxLeeway {
		wrong("Leeway", "is %v; expected 0 to %v", c.Leeway, maxLeeway)
	}
	if c.MaxTokenSize < 0 || c.MaxTokenSize > largestMaxTokenSize {
		wrong("MaxTokenSize", "is %d; expected 1 to %d bytes, or 0 for the default", c.MaxTokenSize, largestMaxTokenSize)
	}
	if c.TokenMemory > largestTokenMemory {
		wrong("TokenMemory", "is %d; expected 1 to %d tokens, 0 for the default, or less for none", c.TokenMemory, largestTokenMemory)
	}
	if c.HTTPClient != nil && c.HTTPClient.Timeout < 0 {
		wrong("HTTPClient", "has a negative Timeout; expected 0 for the default, or more")
	}
	return errors.Join(errs...)
}

// urlProblem says why raw cannot be the URL of an issuer or a key set, "" if
// it can. It does not quote raw, which might hold a password.
func (c Config) urlProblem(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return `is not an absolute URL such as "https://host/path"`
	case u.Scheme == "http" && !c.InsecureAllowHTTP:
		return "is http; expected https (InsecureAllowHTTP is for tests and local work)"
	case u.Scheme != "http" && u.Scheme != "https":
		return "is not an https URL"
	case u.User != nil:
		return "holds a user name; expected none"
	case strings.Contains(raw, "#"):
		return "has a fragment; expected none"
	}
	return ""
}

// validPoolID reports whether id matches the AWS API model, [\w-]+_[0-9a-zA-Z]+
// of at most 55 bytes. A narrower form has refused new regions and every
// emulator (aws-jwt-verify #270, #147).
func validPoolID(id string) bool {
	cut := strings.LastIndexByte(id, '_')
	if len(id) > maxPoolIDLen || cut < 1 || cut == len(id)-1 {
		return false
	}
	for i := range len(id) {
		if !alphanumeric(id[i]) && (i > cut || id[i] != '-' && id[i] != '_') {
			return false
		}
	}
	return true
}

func alphanumeric(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// printableASCII reports whether s is 1 to limit bytes of printable ASCII
// without a space.
func printableASCII(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
