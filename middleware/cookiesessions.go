package middleware

import (
	"errors"
	"fmt"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	defaultCookieBytes = 7 << 10
	minCookieBytes     = 2 << 10
	maxCookieBytes     = maxChunks * chunkBytes
)

// ErrCookieSessions is returned where sessions would have to be found by their
// user, which those of [CookieSessions] cannot be.
var ErrCookieSessions = errors.New("middleware: sessions are in cookies, and cannot be ended from the server")

// ErrSessionTooLarge means that a session does not fit into
// CookieSessions.MaxBytes. A sign-in that meets it ends with an error page, and
// its text in the log says how large the session was.
var ErrSessionTooLarge = errors.New("middleware: session too large for its cookies")

// CookieSessions keeps each session, encrypted, in the cookies of its browser.
// It needs no store, and any number of processes with the same CookieKeys share
// the sessions. Its zero value is what to begin with:
//
//	CookieSessions: &middleware.CookieSessions{},
//
// In a session are the ID and the access token as Cognito signed them, an id of
// its own and its two limits, and nothing else; the ID token is verified at
// each request, so that even who has the CookieKeys cannot make up a user.
//
// What it cannot do, and a [SessionStore] can:
//
//   - Signing out takes the session from this browser. A copy of its cookies,
//     made before, goes on until the tokens end (an hour, by Cognito's default).
//   - Nobody can be signed out from elsewhere. [Login.SignOutSubject] returns
//     [ErrCookieSessions], and "everywhere" at sign-out is this browser and,
//     with LoginConfig.GlobalSignOut, Cognito.
//   - Without KeepRefreshToken, no token is replaced. When the first one of the
//     two ends, so does the session: a script gets 401, and a browser is sent to
//     sign in, which Cognito answers without a page while it remembers the
//     person. Cognito's refresh token is dropped at sign-in, and not revoked,
//     since that would end the access token too.
//   - At most once a minute an answer of [Login.Require] or [Login.Optional]
//     sets the cookies anew, to note that the session is in use. A handler that
//     replaces their Cache-Control must not let a shared cache keep the answer.
//
// An answer that was on its way when the browser signed out sets the cookies
// once more. So signing out, and signing in again, leave a cookie that names
// the sessions which ended, and those are refused in this browser. A browser
// that drops that cookie alone, or ends more than 8 sessions before the answer
// comes, is signed in again.
type CookieSessions struct {
	// KeepRefreshToken puts the refresh token into the session, so that it
	// lasts up to AbsoluteTimeout. Consider what that means:
	//
	//   - Whoever has a copy of the cookies has as long. Signing out revokes the
	//     refresh token, so that the copy ends with its tokens; but where Cognito
	//     cannot be reached then, or the copy was refreshed and the pool rotates
	//     refresh tokens, it goes on until AbsoluteTimeout.
	//   - There is no lock between processes. Where the pool rotates refresh
	//     tokens, two processes that refresh at the same time spend one token
	//     twice. The one that Cognito refuses goes on with the tokens it has,
	//     which are good for a minute more, and its browser has the other's by
	//     then; a browser that comes back after that minute with several
	//     requests at once may have to sign in again. An answer that never
	//     reaches the browser loses the new refresh token too, though the
	//     process that made it remembers for 5 minutes. Give the pool a grace
	//     period (RetryGracePeriodSeconds) of 30 seconds or more; with none, use
	//     a store.
	//
	// Defaults to false.
	KeepRefreshToken bool
	// MaxBytes is how much the cookies of one session may hold, without their
	// names. Browsers take 4 KB in one cookie, so there are as many as it takes,
	// 4 at most. A session has 3 to 4 KB, with its refresh token some 6; groups
	// and custom claims add to that. Every request carries it: many servers and
	// proxies refuse a Cookie header of more than 8 KB. Defaults to 7 KiB; 2 to
	// 15 KiB.
	MaxBytes int
}

// check returns a copy with its defaults filled in.
func (c *CookieSessions) check() (*CookieSessions, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // no sessions in cookies, which is no error
	}
	checked := *c
	if checked.MaxBytes == 0 {
		checked.MaxBytes = defaultCookieBytes
	}
	if checked.MaxBytes < minCookieBytes || checked.MaxBytes > maxCookieBytes {
		return nil, &sso.ConfigError{Field: "LoginConfig.CookieSessions.MaxBytes", Problem: "must be 2 to 15 KiB"}
	}
	return &checked, nil
}

// fits refuses a session that is too large.
func (c *CookieSessions) fits(text string) error {
	if len(text) > c.MaxBytes {
		return fmt.Errorf("%w: it has %d bytes, and CookieSessions.MaxBytes is %d; "+
			"use a session store, or leave out groups and claims", ErrSessionTooLarge, len(text), c.MaxBytes)
	}
	return nil
}
