package middleware

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	// revokeTimeout bounds each call to Cognito at sign-out. None of them
	// stops a sign-out.
	revokeTimeout = 2 * time.Second
	maxLogoutForm = 4 << 10
)

// serveLogout signs out. Only POST does, behind a cross-origin check: a link or
// an image on another site must not.
func (l *Login) serveLogout(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		l.page(w, r, http.StatusMethodNotAllowed, pageLogout, pageData{LogoutURL: l.prefix + "/logout"})
		return
	}
	if err := l.crossing.Check(r); err != nil {
		l.log.InfoContext(r.Context(), "sso: sign-out from another origin refused")
		l.page(w, r, http.StatusForbidden, pageCrossOrigin, pageData{LogoutURL: l.prefix + "/logout"})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutForm)
	if err := r.ParseForm(); err != nil {
		l.page(w, r, http.StatusBadRequest, pageBadRequest, pageData{})
		return
	}
	// A sign-out that has begun is carried through, though the browser leaves.
	ctx := context.WithoutCancel(r.Context())
	if err := l.signOut(ctx, r, r.PostForm.Get("everywhere") == "1"); err != nil {
		// Fail closed: nobody is told to be signed out whose session lives on.
		// The cookie stays, since without it the session could not be ended.
		l.log.ErrorContext(ctx, "sso: a session could not be ended", "error", err)
		l.page(w, r, http.StatusServiceUnavailable, pageLogoutFailed, pageData{LogoutURL: l.prefix + "/logout"})
		return
	}
	l.cookies.removeAll(w, r)
	target, err := l.client.LogoutURL()
	if err != nil { // NewLogin asked for it
		target = l.prefix + "/logged-out"
	}
	if mode, ok := fetchMode(r); ok && mode != "navigate" {
		// A script cannot follow a redirect to Cognito, but can go there.
		writeJSON(w, http.StatusOK, map[string]string{"logout_url": target})
		return
	}
	l.redirect(w, target)
}

// signOut ends the request's session, or all of its user's, in the store, and
// then as far as possible at Cognito. Its error is of the store.
func (l *Login) signOut(ctx context.Context, r *http.Request, everywhere bool) error {
	id, ok := l.cookies.get(r, l.cookies.session)
	if !ok {
		return nil
	}
	key, ok := l.sessions.key(id)
	if !ok {
		return nil
	}
	// As stored: signing out needs no token that verifies, and what does not
	// open or has ended is deleted as well.
	sess, err := l.sessions.stored(ctx, key)
	if err != nil && !errors.Is(err, sso.ErrMissing) {
		return err
	}
	if sess == nil || !everywhere {
		if err := l.sessions.store.Delete(ctx, key); err != nil {
			return storeError(err)
		}
	} else {
		// This session among them. Were it deleted by itself, and the rest
		// failed, then trying again could not tell whose they are.
		if _, err := l.SignOutSubject(ctx, sess.subject); err != nil {
			return err
		}
		l.signOutGlobally(ctx, sess.data.Username)
	}
	if set := l.sessions.unsaved.take(key); set != nil {
		l.sessions.revoke(ctx, set.Refresh)
	} else if sess != nil {
		l.sessions.revoke(ctx, sso.Secret(sess.data.Refresh))
	}
	return nil
}

func (l *Login) signOutGlobally(ctx context.Context, username string) {
	if l.global == nil || username == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	if err := l.global.SignOut(ctx, username); err != nil {
		// The text of a foreign error may name the user.
		l.log.WarnContext(ctx, "sso: a user could not be signed out at Cognito; the sessions here have ended")
	}
}

// serveLoggedOut is where Cognito sends the browser after signing out.
func (l *Login) serveLoggedOut(w http.ResponseWriter, r *http.Request) {
	l.page(w, r, http.StatusOK, pageLoggedOut, pageData{LoginURL: l.loginURL("")})
}
