package middleware

import (
	"cmp"
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
		l.page(w, r, http.StatusMethodNotAllowed, PageLogout, pageData{LogoutURL: l.prefix + "/logout"})
		return
	}
	if l.crossOrigin(r) {
		l.log.InfoContext(r.Context(), "sso: sign-out from another origin refused")
		l.page(w, r, http.StatusForbidden, PageCrossOrigin, pageData{LogoutURL: l.prefix + "/logout"})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutForm)
	if err := r.ParseForm(); err != nil {
		l.page(w, r, http.StatusBadRequest, PageBadRequest, pageData{})
		return
	}
	// A sign-out that has begun is carried through, though the browser leaves.
	ctx := context.WithoutCancel(r.Context())
	err := l.signOut(ctx, w, r, r.PostForm.Get("everywhere") == "1")
	if errors.Is(err, sso.ErrMissing) {
		l.fail(w, r, err) // nobody knows whose sign-ins to end
		return
	}
	if err != nil {
		// Fail closed: nobody is told to be signed out whose session lives on.
		// The cookie stays, since without it the session could not be ended.
		l.log.ErrorContext(ctx, "sso: a session could not be ended", "error", err)
		l.page(w, r, http.StatusServiceUnavailable, PageLogoutFailed, pageData{LogoutURL: l.prefix + "/logout"})
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
// as far as possible at Cognito. Its error is of the store, or sso.ErrMissing
// where all were to end and there is no session to tell whose.
func (l *Login) signOut(ctx context.Context, w http.ResponseWriter, r *http.Request, everywhere bool) error {
	unknown := error(nil)
	if everywhere {
		unknown = sso.ErrMissing
	}
	if l.cookieSessions != nil {
		if !l.signOutCookies(ctx, w, r, everywhere) {
			return unknown
		}
		return nil
	}
	id, _ := l.cookies.get(r, l.cookies.session)
	key, ok := l.sessions.key(id)
	if !ok {
		return unknown
	}
	// What is remembered may be stored between now and then, and is the one to
	// end all the same.
	refresh := l.sessions.unsaved.peek(key)
	// As stored: signing out needs no token that verifies, and what does not
	// open is deleted as well. Who is past a limit can still ask for all to end.
	sess, err := l.sessions.opened(ctx, key)
	if err != nil && !errors.Is(err, sso.ErrMissing) {
		return err
	}
	if sess == nil || !everywhere {
		if err := l.sessions.store.Delete(ctx, key); err != nil {
			return storeError(err)
		}
		if sess == nil {
			return unknown
		}
	} else {
		// This session among them. Were it deleted by itself, and the rest
		// failed, then trying again could not tell whose they are.
		_, err := l.SignOutEverywhere(ctx, Account{Subject: sess.subject, Username: sess.data.Username})
		l.logGlobal(ctx, err)
		if errors.Is(err, ErrSessionStore) {
			return err
		}
	}
	if kept, ok := l.sessions.unsaved.take(key); ok {
		refresh = kept.set.Refresh
	}
	l.sessions.revoke(ctx, cmp.Or(refresh, sso.Secret(sess.data.Refresh)))
	return nil
}

// logGlobal says in the log that the half of a sign-out at Cognito failed.
func (l *Login) logGlobal(ctx context.Context, err error) {
	if errors.Is(err, ErrGlobalSignOut) {
		l.log.WarnContext(ctx, "sso: a user could not be signed out at Cognito")
	}
}

// serveLoggedOut is where Cognito sends the browser after signing out. Whoever
// is signed in came by a link, and is not told otherwise.
func (l *Login) serveLoggedOut(w http.ResponseWriter, r *http.Request) {
	if _, _, err := l.load(w, r); err == nil {
		l.page(w, r, http.StatusOK, PageLogout, pageData{LogoutURL: l.prefix + "/logout"})
		return
	}
	l.page(w, r, http.StatusOK, PageLoggedOut, pageData{LoginURL: l.loginURL("")})
}
