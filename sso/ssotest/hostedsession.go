package ssotest

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"time"
)

// hostedSession is what the "cognito" cookie stands for: somebody signed in at this browser.
type hostedSession struct {
	username string
	provider string // the identity provider, nativeProvider for a password
	authTime time.Time
}

// pageSession is one view of the login page.
type pageSession struct{ browser string }

const (
	// sessionCookie is named as Cognito's. It lasts one hour since the last interactive sign-in and using
	// it does not extend it; neither does a token's lifetime shorten it.
	sessionCookie   = "cognito"
	sessionLifetime = time.Hour

	// browserCookie ties a form, and what an identity provider answers, to the browser that was given it.
	browserCookie = "XSRF-TOKEN"

	// pageLifetime is how long somebody has to finish a page of managed login, or a provider's.
	pageLifetime = 5 * time.Minute
)

// session returns who is signed in at the browser. A user who was deleted or disabled since is nobody
// (unverified of Cognito).
func (h *hosted) session(r *http.Request) (hostedSession, bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return hostedSession{}, false
	}
	s, ok := h.sessions.get(h.p.now(), cookie.Value)
	if !ok {
		return hostedSession{}, false
	}
	user, ok := h.p.User(s.username)
	return s, ok && !user.Disabled
}

// startSession remembers an interactive sign-in. A session that the browser had before goes on, unused, to
// its own end: so it is with prompt=login.
func (h *hosted) startSession(w http.ResponseWriter, username, provider string) hostedSession {
	now := h.p.now()
	id, s := randomText(), hostedSession{username: username, provider: provider, authTime: now}
	h.sessions.put(now, id, s, now.Add(sessionLifetime))
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: id, Path: "/", MaxAge: int(sessionLifetime.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, // not Secure: the pool is served on loopback over http
	})
	return s
}

func (h *hosted) endSession(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		h.sessions.drop(cookie.Value)
	}
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// browser returns the browser's own secret and gives it one if it has none. Tabs share it, so that a second
// one does not break the first.
func browser(w http.ResponseWriter, r *http.Request) string {
	if cookie, err := r.Cookie(browserCookie); err == nil && len(cookie.Value) == randomLen {
		return cookie.Value
	}
	id := randomText()
	http.SetCookie(w, &http.Cookie{
		Name: browserCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	return id
}

// sameBrowser reports whether the request comes from the browser with this secret.
func sameBrowser(r *http.Request, id string) bool {
	cookie, err := r.Cookie(browserCookie)
	return err == nil && subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(id)) == 1
}

// randomLen is the length of randomText.
const randomLen = 43

// randomText is 256 random bits that fit a cookie, a URL and a form.
func randomText() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
