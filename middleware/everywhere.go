package middleware

import (
	"context"
	"errors"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// Account names a user in both places where somebody is signed in.
type Account struct {
	// Subject is the sub of the user, by which sessions are found:
	// [sso.Token].Subject.
	Subject string
	// Username is the user's name in the pool, by which Cognito finds tokens:
	// [sso.Token].Username.
	Username string
}

// GlobalSignOut ends a user's sign-ins at Cognito, as its API
// AdminUserGlobalSignOut does: no refresh token of the user works any more, of
// whatever app, and Cognito's own endpoints refuse the access tokens. It does
// not reach tokens that are verified offline, nor the browser's sign-in at
// Cognito. This package does not import an AWS SDK; with one it is
//
//	func (g globalSignOut) SignOut(ctx context.Context, username string) error {
//		_, err := g.cognito.AdminUserGlobalSignOut(ctx, &cognitoidentityprovider.AdminUserGlobalSignOutInput{
//			UserPoolId: &g.poolID, Username: &username,
//		})
//		return err
//	}
//
// Implementations are safe for concurrent use.
type GlobalSignOut interface {
	// SignOut ends every sign-in of the user, by pool username. Signing out
	// somebody who is signed in nowhere is no error. Login gives it 2 seconds.
	SignOut(ctx context.Context, username string) error
}

// ErrGlobalSignOut means that Cognito could not be asked to end a user's
// sign-ins: the sessions here are another matter. The error wraps that of
// LoginConfig.GlobalSignOut, whose text it leaves out, since that may name the
// user.
var ErrGlobalSignOut = errors.New("middleware: a user could not be signed out at Cognito")

// globalError is ErrGlobalSignOut for a reason.
type globalError struct{ cause error }

func (e *globalError) Error() string   { return ErrGlobalSignOut.Error() }
func (e *globalError) Unwrap() []error { return []error{ErrGlobalSignOut, e.cause} }

// SignOutSubject ends every session of a user, by [sso.Token].Subject, in the
// session store, whatever app of the store they belong to, and returns how
// many. It neither reaches tokens that APIs verify offline nor the browser's
// sign-in at Cognito. Its error is [ErrSessionStore], or with
// LoginConfig.CookieSessions always [ErrCookieSessions].
func (l *Login) SignOutSubject(ctx context.Context, subject string) (int, error) {
	if subject == "" {
		return 0, nil
	}
	if l.sessions.inCookies {
		return 0, ErrCookieSessions
	}
	n, err := l.sessions.store.DeleteBySubject(ctx, subject)
	if err != nil {
		return n, storeError(err)
	}
	return n, nil
}

// SignOutEverywhere ends the sign-ins of a user: first every session in the
// store, as [Login.SignOutSubject] does, and then, whatever came of that, the
// tokens at Cognito by LoginConfig.GlobalSignOut, if there is one. It returns
// how many sessions ended here.
//
// Its error joins [ErrSessionStore] (or [ErrCookieSessions]) for the first half
// and [ErrGlobalSignOut] for the second; the other half is done then. Calling it
// again does no harm. An Account without one of its names is an error for that
// half.
//
// What it does not end is what [Login.SignOutSubject] says, and a sign-in that
// the user completes at the same moment or later.
func (l *Login) SignOutEverywhere(ctx context.Context, who Account) (int, error) {
	n, err := l.SignOutSubject(ctx, who.Subject)
	if who.Subject == "" {
		err = &sso.ConfigError{Field: "Account.Subject", Problem: "is required"}
	}
	return n, errors.Join(err, l.signOutGlobally(ctx, who.Username))
}

// signOutGlobally is the half at Cognito. It has its own time: the other one may
// have used up the caller's.
func (l *Login) signOutGlobally(ctx context.Context, username string) error {
	if l.global == nil {
		return nil
	}
	if username == "" {
		return &globalError{&sso.ConfigError{Field: "Account.Username", Problem: "is required"}}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	if err := l.global.SignOut(ctx, username); err != nil {
		return &globalError{err}
	}
	return nil
}
