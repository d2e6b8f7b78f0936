package middleware

import (
	"context"
	"errors"
	"net/http"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const defaultRealm = "api"

// Verifier is the part of [sso.Verifier] that Bearer needs.
type Verifier interface {
	VerifyAccess(ctx context.Context, raw string) (sso.Token, error)
	VerifyID(ctx context.Context, raw string) (sso.Token, error)
}

// BearerConfig varies how bearer tokens are accepted. The zero value accepts
// access tokens. It is copied.
type BearerConfig struct {
	// Use is the token the API accepts: [sso.UseAccess] or [sso.UseID].
	// Defaults to sso.UseAccess. An API of a pool on the Lite plan takes ID
	// tokens, since only those carry the userId there.
	Use sso.TokenUse
	// RequireUserID refuses tokens without a userId with 403, those of
	// machines among them. Defaults to false.
	RequireUserID bool
	// Realm is named in WWW-Authenticate: printable ASCII without quotes and
	// backslashes. Defaults to "api".
	Realm string
	// ErrorHandler replaces the default answer. err is one of this package's
	// or of sso's errors: answer with a status and texts of your own, never
	// with err's. It is not called when the client has gone. Defaults to a
	// status, a challenge of RFC 6750 and a JSON body.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)
}

// Bearer protects handlers with bearer tokens (RFC 6750). It is safe for
// concurrent use.
//
// It answers 401 to a request without a token (a bare challenge) or with a bad
// one (invalid_token), 400 to a malformed or second Authorization header
// (invalid_request), 403 to a token without a right it needs
// (insufficient_scope), and 503 with Retry-After when the keys cannot be had.
// A token is read from the Authorization header alone. It does not see that a
// token was revoked: see the package documentation.
type Bearer struct {
	verify        func(ctx context.Context, raw string) (sso.Token, error)
	use           sso.TokenUse
	requireUserID bool
	fail          failFunc
}

// NewBearer returns a Bearer that accepts what v accepts. Its error is a
// [*sso.ConfigError].
func NewBearer(v Verifier, cfg BearerConfig) (*Bearer, error) {
	if v == nil {
		return nil, &sso.ConfigError{Field: "Verifier", Problem: "is required"}
	}
	b := &Bearer{requireUserID: cfg.RequireUserID}
	switch cfg.Use {
	case "", sso.UseAccess:
		b.use, b.verify = sso.UseAccess, v.VerifyAccess
	case sso.UseID:
		b.use, b.verify = sso.UseID, v.VerifyID
	default:
		return nil, &sso.ConfigError{Field: "BearerConfig.Use", Problem: "must be sso.UseAccess or sso.UseID"}
	}
	realm := cfg.Realm
	if realm == "" {
		realm = defaultRealm
	}
	if !quotable(realm) {
		return nil, &sso.ConfigError{Field: "BearerConfig.Realm", Problem: "must be printable ASCII without quotes and backslashes"}
	}
	b.fail = func(w http.ResponseWriter, r *http.Request, err error) { bearerFail(w, r, realm, err) }
	if custom := cfg.ErrorHandler; custom != nil {
		b.fail = func(w http.ResponseWriter, r *http.Request, err error) {
			if !gone(r, err) {
				custom(w, r, err)
			}
		}
	}
	return b, nil
}

// Require lets only requests with a good token through.
func (b *Bearer) Require(next http.Handler) http.Handler { return b.handler(next, false) }

// Optional lets requests without a token through too. A bad token is refused,
// not ignored.
func (b *Bearer) Optional(next http.Handler) http.Handler { return b.handler(next, true) }

func (b *Bearer) handler(next http.Handler, optional bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if accepted(r.Context(), b) {
			next.ServeHTTP(w, r)
			return
		}
		a := &auth{owner: b, fail: b.fail}
		r2, err := b.authenticate(r, a, optional)
		if err != nil {
			b.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r2)
	})
}

// authenticate puts the request's token into a, and a into the context.
func (b *Bearer) authenticate(r *http.Request, a *auth, optional bool) (*http.Request, error) {
	raw, err := bearerToken(r.Header)
	if optional && errors.Is(err, sso.ErrMissing) {
		return withAuth(r, a)
	}
	if err != nil {
		return nil, err
	}
	a.token, err = b.verify(r.Context(), raw)
	if err != nil {
		return nil, err
	}
	if a.token.Use != b.use {
		// fail closed: a Verifier of somebody else's may not look.
		return nil, sso.ErrTokenUse
	}
	if b.requireUserID && a.token.UserID == "" {
		return nil, sso.ErrNoUserID
	}
	return withAuth(r, a)
}
