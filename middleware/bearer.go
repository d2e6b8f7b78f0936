package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

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
	// Extract says where the token is: [FromAuthorization], [FromHeader],
	// [FromCookie], or a function of the app's own. Nothing else is looked
	// at. Defaults to FromAuthorization.
	Extract Extractor
	// Check is asked last about a request with a good token, for what this
	// package does not know: an account that is closed, a tenant, a list of
	// revoked tokens. The request's context holds the token already. nil lets
	// it through. An error of this package's or of sso's is answered as
	// itself, such as [sso.ErrKeysUnavailable] with 503 or [*ScopeError] with
	// its scopes, and one of a context with 503; every other error is answered
	// with 403 and reaches ErrorHandler as [ErrDenied]. It is called
	// concurrently, and not by Optional for a request without a token.
	// Defaults to none.
	Check func(r *http.Request, token sso.Token) error
	// Realm is named in WWW-Authenticate: printable ASCII without quotes and
	// backslashes. Defaults to "api".
	Realm string
	// ErrorHandler replaces the default answer. err is one of this package's
	// or of sso's errors: answer with a status and texts of your own, never
	// with err's. It is not called when the client has gone. Defaults to a
	// status, a challenge of RFC 6750 and a JSON body.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)
	// Now is the clock of [RequireFresh]. Defaults to time.Now.
	Now func() time.Time
}

// Bearer protects handlers with bearer tokens (RFC 6750). It is safe for
// concurrent use.
//
// It answers 401 to a request without a token (a bare challenge) or with a bad
// one (invalid_token), 400 to a malformed or second Authorization header
// (invalid_request), 403 to a token without a right it needs
// (insufficient_scope), and 503 with Retry-After when the keys cannot be had. A
// request whose client has left is not answered. A token is read from the
// Authorization header alone, or from where BearerConfig.Extract says; never
// from a query string. It does not see that a token was revoked: see the package
// documentation.
//
// Two may be stacked, one of ID tokens and one of access tokens, each with an
// Extractor of its own: see [Token]. Two that read the same place refuse every
// request, since no token is of both uses.
type Bearer struct {
	verify        func(ctx context.Context, raw string) (sso.Token, error)
	use           sso.TokenUse
	requireUserID bool
	extract       Extractor
	unread        bool // extract has not looked at the characters of the token
	check         func(r *http.Request, token sso.Token) error
	fail          failFunc
	now           func() time.Time
}

// NewBearer returns a Bearer that accepts what v accepts. Its error is a
// [*sso.ConfigError].
func NewBearer(v Verifier, cfg BearerConfig) (*Bearer, error) {
	if v == nil {
		return nil, &sso.ConfigError{Field: "Verifier", Problem: "is required"}
	}
	b := &Bearer{requireUserID: cfg.RequireUserID, extract: cfg.Extract, check: cfg.Check, now: cfg.Now}
	switch cfg.Use {
	case "", sso.UseAccess:
		b.use, b.verify = sso.UseAccess, v.VerifyAccess
	case sso.UseID:
		b.use, b.verify = sso.UseID, v.VerifyID
	default:
		return nil, &sso.ConfigError{Field: "BearerConfig.Use", Problem: "must be sso.UseAccess or sso.UseID"}
	}
	if b.extract == nil {
		b.extract = FromAuthorization()
		if _, ours := v.(*sso.Verifier); ours {
			// It accepts no text that is not a b64token: look only at
			// those it refuses, to tell a bad header from a bad token.
			b.extract, b.unread = bearerTokenUnread, true
		}
	}
	if b.now == nil {
		b.now = time.Now
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
		a := &auth{owner: b, fail: b.fail, now: b.now}
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
	raw, err := b.extract(r)
	if err == nil && raw == "" {
		err = sso.ErrMissing // an Extractor of somebody else's
	}
	if optional && errors.Is(err, sso.ErrMissing) {
		return withAuth(r, a)
	}
	if err != nil {
		return nil, err
	}
	a.token, err = b.verify(r.Context(), raw)
	if err != nil {
		if b.unread && !isB64Token(raw) {
			return nil, ErrAuthorizationHeader
		}
		return nil, err
	}
	if a.token.Use != b.use {
		// fail closed: a Verifier of somebody else's may not look.
		return nil, sso.ErrTokenUse
	}
	a.raw = raw
	if b.requireUserID && a.token.UserID == "" {
		return nil, sso.ErrNoUserID
	}
	r, err = withAuth(r, a)
	if err != nil || b.check == nil {
		return r, err
	}
	if err := b.check(r, a.token); err != nil {
		return nil, denied(err)
	}
	return r, nil
}

// denied makes an error that nobody here has classified one of denial. Elsewhere
// such an error is a fault of the server's; from a check it is its answer.
func denied(err error) error {
	if refusalOf(err).status == http.StatusInternalServerError && sso.ReasonOf(err) == "other" {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}
