package middleware

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// The sentinels name the decisions of this package itself; everything that
// concerns a token is an error of package sso. Test with [errors.Is]. Their
// texts are fixed: none holds anything a request said.
var (
	// ErrAuthorizationHeader: the Authorization header is malformed or there
	// are two. Bearer answers 400; whether a token in it is good is unknown.
	ErrAuthorizationHeader = errors.New("middleware: malformed Authorization header")

	// ErrTokenSource: the cookie or header that [FromCookie] or [FromHeader]
	// reads is malformed or there are two. Bearer answers 400; whether a token
	// in it is good is unknown.
	ErrTokenSource = errors.New("middleware: malformed token source")

	// ErrDenied: BearerConfig.Check refused the request with an error that is
	// none of this module's, which it wraps. Answered with 403; the token
	// itself is good.
	ErrDenied = errors.New("middleware: denied")

	// ErrNotFresh: the user's last authentication is too long ago for
	// [RequireFresh]. The token itself is good. See [FreshnessError].
	ErrNotFresh = errors.New("middleware: authentication not recent enough")

	// ErrSignInEnded: Cognito no longer honours the sign-in, though its token
	// verifies: it was revoked, or the user signed out everywhere, was disabled
	// or deleted. [AccessChecker] returns it, and [Online] answers with 401.
	ErrSignInEnded = errors.New("middleware: the sign-in has ended at Cognito")

	// ErrTokenConflict: stacked middlewares accepted tokens of different
	// people, or two different tokens of one use. Answered with 400: nobody
	// can say for whom the request is.
	ErrTokenConflict = errors.New("middleware: tokens of one request do not belong together")

	// ErrSessionStore: the session store failed. It says nothing about the
	// session: answered with 503, never as a sign-out.
	ErrSessionStore = errors.New("middleware: session store unavailable")
)

// ScopeError says which scopes an endpoint needs. It is [sso.ErrScope].
type ScopeError struct {
	// Scopes are the names the endpoint was registered with, not the token's.
	Scopes []string
}

// Error names the scopes that are needed.
func (e *ScopeError) Error() string {
	return fmt.Sprintf("middleware: needs scope %s", strings.Join(e.Scopes, " "))
}

// Is reports whether target is [sso.ErrScope].
func (e *ScopeError) Is(target error) bool { return target == sso.ErrScope }

// FreshnessError says how recent an authentication an endpoint needs. It is
// [ErrNotFresh].
type FreshnessError struct {
	// MaxAge is what the endpoint was registered with, in whole seconds.
	MaxAge time.Duration
}

// Error names the age that is needed.
func (e *FreshnessError) Error() string {
	return fmt.Sprintf("middleware: needs an authentication of the last %v", e.MaxAge)
}

// Is reports whether target is [ErrNotFresh].
func (e *FreshnessError) Is(target error) bool { return target == ErrNotFresh }
