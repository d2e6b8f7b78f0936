package middleware

import (
	"context"
	"net/http"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// Token returns the verified token of the request: the access token that
// Bearer accepted, or the ID token of Login's session. It reports false where
// nobody is signed in.
//
// Where middlewares are stacked, every token is kept and all are of one
// person, or the request was refused with [ErrTokenConflict]; Token returns
// that of the innermost, [TokenOf] picks one by its use.
func Token(ctx context.Context) (sso.Token, bool) {
	for a := authOf(ctx); a != nil; a = a.outer {
		if a.hasToken() {
			return a.token, true
		}
	}
	return sso.Token{}, false
}

// TokenOf returns the request's token of the given use, as [Token] does.
func TokenOf(ctx context.Context, use sso.TokenUse) (sso.Token, bool) {
	for a := authOf(ctx); a != nil; a = a.outer {
		if a.hasToken() && a.token.Use == use {
			return a.token, true
		}
	}
	return sso.Token{}, false
}

// UserID returns the organisation's own id of the signed-in user. It reports
// false if nobody is signed in or no token of the request carries an id;
// [RequireUserID] refuses such requests beforehand.
func UserID(ctx context.Context) (sso.UserID, bool) {
	for a := authOf(ctx); a != nil; a = a.outer {
		if a.hasToken() && a.token.UserID != "" {
			return a.token.UserID, true
		}
	}
	return "", false
}

// AccessToken returns the raw access token of the session that Login put into
// the context, to call APIs in the user's name. Keep it out of logs and pages.
// It returns [sso.ErrMissing] if nobody is signed in through Login, and
// [sso.ErrUnavailable] while Cognito cannot be reached to replace a token that
// has ended.
func AccessToken(ctx context.Context) (sso.Secret, error) {
	for a := authOf(ctx); a != nil; a = a.outer {
		if a.session == nil {
			continue
		}
		if a.login.now().Unix() >= a.session.data.AccessExpires {
			return "", sso.ErrUnavailable
		}
		return sso.Secret(a.session.data.RawAccess), nil
	}
	return "", sso.ErrMissing
}

// failFunc answers a request that is refused for the reason err.
type failFunc func(w http.ResponseWriter, r *http.Request, err error)

// auth is what one of this package's middlewares knows of a request, and the
// context that carries it, in one allocation. It is not changed once a handler
// can see it.
type auth struct {
	context.Context //nolint:containedctx // it is a context

	outer *auth    // of the middleware around this one, or nil
	owner any      // the *Bearer or *Login
	fail  failFunc // how the owner refuses
	now   func() time.Time
	token sso.Token
	raw   string // the token's text, of Bearer alone
	// login and session are set by Login alone, for who is signed in.
	login   *Login
	session *session
}

type authKey struct{}

// Value returns a itself for authKey, and everything else from the parent.
func (a *auth) Value(key any) any {
	if _, ok := key.(authKey); ok {
		return a
	}
	return a.Context.Value(key)
}

func authOf(ctx context.Context) *auth {
	a, _ := ctx.Value(authKey{}).(*auth)
	return a
}

// hasToken says whether somebody is signed in: a verified token has a use.
func (a *auth) hasToken() bool { return a.token.Use != "" }

// accepted says whether owner has put its token into ctx already, so that
// nesting one middleware in itself is no second verification.
func accepted(ctx context.Context, owner any) bool {
	for a := authOf(ctx); a != nil; a = a.outer {
		if a.owner == owner && a.hasToken() {
			return true
		}
	}
	return false
}

// withAuth returns the request with a in its context. It refuses a token that
// does not belong with those already there.
func withAuth(r *http.Request, a *auth) (*http.Request, error) {
	a.Context = r.Context()
	a.outer = authOf(a.Context)
	if a.hasToken() {
		for o := a.outer; o != nil; o = o.outer {
			if o.hasToken() && !belongTogether(&o.token, &a.token) {
				return nil, ErrTokenConflict
			}
		}
	}
	return r.WithContext(a), nil
}

// belongTogether says whether two verified tokens may serve one request: an ID
// and an access token of one person, or the same token twice. Otherwise the
// inner middleware would silently decide who the user is.
func belongTogether(a, b *sso.Token) bool {
	if a.Subject != b.Subject || a.Issuer != b.Issuer {
		return false
	}
	return a.Use != b.Use ||
		a.ID == b.ID && a.ClientID == b.ClientID && a.IssuedAt.Equal(b.IssuedAt) && a.ExpiresAt.Equal(b.ExpiresAt)
}
