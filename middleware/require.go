package middleware

import (
	"errors"
	"net/http"
	"slices"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// RequireScope lets through only requests whose access token carries every one
// of the scopes; others get 403, and 401 if nobody is signed in. It goes inside
// [Bearer.Require] or [Login.Require], whose way of refusing it uses. Under
// Login it looks at the session's access token; an ID token has no scopes.
//
// RequireScope panics if scopes is empty or holds a name that RFC 6749 §3.3
// does not allow.
func RequireScope(scopes ...string) func(http.Handler) http.Handler {
	scopes = checkedScopes("RequireScope", scopes)
	return require(func(r *http.Request, a *auth) error {
		token, err := a.accessToken(r)
		if err != nil {
			return err
		}
		for _, s := range scopes {
			if !token.HasScope(s) {
				return &ScopeError{Scopes: scopes}
			}
		}
		return nil
	})
}

// RequireAnyScope is [RequireScope] for at least one of the scopes. It panics
// as RequireScope does.
func RequireAnyScope(scopes ...string) func(http.Handler) http.Handler {
	scopes = checkedScopes("RequireAnyScope", scopes)
	return require(func(r *http.Request, a *auth) error {
		token, err := a.accessToken(r)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(scopes, token.HasScope) {
			return &ScopeError{Scopes: scopes}
		}
		return nil
	})
}

// RequireGroup lets through only users in at least one of the groups; others
// get 403, and 401 if nobody is signed in. It goes inside [Bearer.Require] or
// [Login.Require], whose way of refusing it uses. Groups are as of when the
// token was made.
//
// RequireGroup panics if groups is empty or holds an empty name.
func RequireGroup(groups ...string) func(http.Handler) http.Handler {
	if len(groups) == 0 || slices.Contains(groups, "") {
		panic("middleware: RequireGroup needs at least one group, and no empty name")
	}
	groups = slices.Clone(groups)
	return require(func(r *http.Request, _ *auth) error {
		token, ok := Token(r.Context())
		if !ok {
			return sso.ErrMissing
		}
		if !slices.ContainsFunc(groups, token.HasGroup) {
			return sso.ErrGroup
		}
		return nil
	})
}

// RequireUserID lets through only requests for which [UserID] reports an id;
// others get 403, machine tokens among them, and 401 if nobody is signed in.
// It goes inside [Bearer.Require] or [Login.Require], whose way of refusing it
// uses.
func RequireUserID(next http.Handler) http.Handler {
	return require(func(r *http.Request, _ *auth) error {
		if _, ok := Token(r.Context()); !ok {
			return sso.ErrMissing
		}
		if _, ok := UserID(r.Context()); !ok {
			return sso.ErrNoUserID
		}
		return nil
	})(next)
}

// require makes a middleware of a check. The check is given nil where none of
// this package's middlewares is around it.
func require(check func(r *http.Request, a *auth) error) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := authOf(r.Context())
			err := check(r, a)
			switch {
			case err == nil:
				next.ServeHTTP(w, r)
			case a == nil:
				// fail closed: nobody looked for a token.
				bearerFail(w, r, defaultRealm, err)
			default:
				a.fail(w, r, err)
			}
		})
	}
}

// accessToken returns the request's access token, for its scopes: one that
// Bearer accepted, else that of Login's session, verified now.
func (a *auth) accessToken(r *http.Request) (sso.Token, error) {
	if token, ok := TokenOf(r.Context(), sso.UseAccess); ok {
		return token, nil
	}
	for ; a != nil; a = a.outer {
		if a.session == nil {
			continue
		}
		token, err := a.login.sessions.verifyAccess(r.Context(), a.session)
		if errors.Is(err, sso.ErrExpired) {
			// The session lives, so refreshing failed for want of Cognito.
			return sso.Token{}, sso.ErrUnavailable
		}
		return token, err
	}
	// An ID token has no scopes, so it lacks whatever is asked for.
	token, ok := Token(r.Context())
	if !ok {
		return sso.Token{}, sso.ErrMissing
	}
	return token, nil
}

func checkedScopes(name string, scopes []string) []string {
	if len(scopes) == 0 {
		panic("middleware: " + name + " needs at least one scope")
	}
	for _, s := range scopes {
		if !quotable(s) || slices.Contains([]byte(s), ' ') {
			panic("middleware: " + name + ": a scope is printable ASCII without space, quote and backslash")
		}
	}
	return slices.Clone(scopes)
}
