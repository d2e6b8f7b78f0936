package middleware

import (
	"errors"
	"net/http"
	"slices"
	"time"

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

// RequireGroup lets through only users in every one of the groups; others get
// 403, and 401 if nobody is signed in. It goes inside [Bearer.Require] or
// [Login.Require], whose way of refusing it uses. Groups are as of when the
// token was made.
//
// RequireGroup panics if groups is empty or holds an empty name.
func RequireGroup(groups ...string) func(http.Handler) http.Handler {
	return requireGroups("RequireGroup", groups, func(token sso.Token, groups []string) bool {
		return !slices.ContainsFunc(groups, func(g string) bool { return !token.HasGroup(g) })
	})
}

// RequireAnyGroup is [RequireGroup] for at least one of the groups. It panics
// as RequireGroup does.
func RequireAnyGroup(groups ...string) func(http.Handler) http.Handler {
	return requireGroups("RequireAnyGroup", groups, func(token sso.Token, groups []string) bool {
		return slices.ContainsFunc(groups, token.HasGroup)
	})
}

func requireGroups(name string, groups []string, enough func(sso.Token, []string) bool) func(http.Handler) http.Handler {
	if len(groups) == 0 || slices.Contains(groups, "") {
		panic("middleware: " + name + " needs at least one group, and no empty name")
	}
	groups = slices.Clone(groups)
	return require(func(r *http.Request, _ *auth) error {
		token, ok := Token(r.Context())
		if !ok {
			return sso.ErrMissing
		}
		if !enough(token, groups) {
			return sso.ErrGroup
		}
		return nil
	})
}

// maxAhead is how far in the future an authentication may be, by clocks that
// differ; as much as [sso.Verifier] allows an iat.
const maxAhead = 5 * time.Minute

// RequireFresh lets through only users who authenticated at most maxAge ago, by
// the auth_time of every token of the request; refreshing a token does not move
// it. Others, machine tokens among them, are told to sign in again: an API's
// client with 401, insufficient_user_authentication and max_age (RFC 9470), for
// it to send the user to the authorization endpoint with prompt=login; a browser
// of [Login] by going there. Nobody signed in is 401 as ever. It goes inside
// [Bearer.Require] or [Login.Require].
//
// It says when the user authenticated, not how. For somebody who came through
// an external provider it is when Cognito heard from that provider, which may
// not have asked again.
//
// RequireFresh panics if maxAge is no whole number of seconds from 1 up.
func RequireFresh(maxAge time.Duration) func(http.Handler) http.Handler {
	if maxAge < time.Second || maxAge%time.Second != 0 {
		panic("middleware: RequireFresh needs a whole number of seconds, at least one")
	}
	return require(func(_ *http.Request, a *auth) error {
		found := false
		for ; a != nil; a = a.outer {
			if !a.hasToken() {
				continue
			}
			found = true
			// All of them: an old token beside a fresh one is of another sign-in.
			age := a.now().Sub(a.token.AuthTime)
			if a.token.AuthTime.IsZero() || age > maxAge || age < -maxAhead {
				return &FreshnessError{MaxAge: maxAge}
			}
		}
		if !found {
			return sso.ErrMissing
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
