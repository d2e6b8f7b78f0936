package middleware

import (
	"net/http"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// promptNone asks Cognito to sign in whoever it knows, and nobody else, without
// showing a page.
const promptNone = "none"

// silentAge is how long it is remembered that this failed.
const silentAge = 5 * time.Minute

// triedSilently says whether Cognito lately refused to sign this browser in
// without a page.
func (l *Login) triedSilently(r *http.Request) bool { return l.cookies.has(r, l.cookies.silent) }

// silentFailed answers a sign-in that nobody was to notice and that failed, for
// whatever reason, by going on without it; it reports whether it did.
//
// An app that began it by itself gets the browser back: its page may be for
// anybody. After LoginConfig.SilentFirst the person is asked next, if Cognito
// said no; what says that it is no matter of asking gets its page as ever. No
// loop hangs on the cookie being kept: "ask" tries nothing silently again.
func (l *Login) silentFailed(w http.ResponseWriter, r *http.Request, f flow, auth *sso.AuthError, returnTo string) bool {
	target := returnTo
	switch {
	case !f.Silent:
		return false
	case !f.Fallback:
	case auth == nil || auth.Status != 0:
		return false
	default:
		target = l.loginURL(returnTo, "ask", "1")
	}
	l.cookies.set(w, l.cookies.silent, "1", silentAge)
	l.redirect(w, target)
	return true
}
