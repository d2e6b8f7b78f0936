package middleware

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	// maxEnded bounds how many ended sessions a browser remembers, and
	// endedTagLen is what it remembers of each.
	maxEnded    = 8
	endedTagLen = 16
)

// loadCookies is load for sessions in cookies. It writes the cookies anew when
// the session was refreshed or its use is to be noted.
func (l *Login) loadCookies(w http.ResponseWriter, r *http.Request) (*session, sso.Token, error) {
	sess, ok := l.openSession(r)
	if !ok || l.sessions.past(sess) || l.cookies.hasEnded(r, sess) {
		return nil, sso.Token{}, sso.ErrMissing
	}
	now, token, err := l.sessions.verified(r.Context(), sess)
	if err != nil {
		return nil, sso.Token{}, err
	}
	if set, refreshed := l.sessions.renewed.find(now, l.now()); !refreshed || set != nil {
		// Else its refresh token was refused: another process's answer may be
		// taking the new one to the browser, and this one would overtake it.
		now = l.sessions.touched(now)
	}
	if now != sess {
		l.rewriteSession(r.Context(), w, now)
	}
	return now, token, nil
}

// openSession returns the session in the request's cookies, if they hold one,
// whether it has ended or not.
func (l *Login) openSession(r *http.Request) (*session, bool) {
	text, ok := l.cookies.chunks(r)
	if !ok {
		return nil, false
	}
	plain, err := l.sealer.openText(purposeCookieSession, l.cookies.session, text)
	if err != nil {
		return nil, false
	}
	sess, ok := readRecord(plain)
	if !ok {
		return nil, false
	}
	sess.key = l.sessions.keyOf(sess.id)
	return sess, true
}

// sealSession returns the text that openSession takes.
func (l *Login) sealSession(sess *session) (string, error) {
	text := l.sealer.sealText(purposeCookieSession, l.cookies.session, appendRecord(nil, sess))
	return text, l.cookieSessions.fits(text)
}

// rewriteSession is for a session that stands: what does not fit stays as it
// was in the browser, and this request goes on.
func (l *Login) rewriteSession(ctx context.Context, w http.ResponseWriter, sess *session) {
	text, err := l.sealSession(sess)
	if err != nil {
		l.log.ErrorContext(ctx, "sso: a session in cookies could not be written", "error", err)
		return
	}
	l.cookies.setChunks(w, text, 0)
}

// createSession begins a session for a token set. It returns what keepSession
// gives to a browser: the id of a stored session, or the session itself.
func (l *Login) createSession(ctx context.Context, set *sso.TokenSet) (string, error) {
	if l.cookieSessions == nil {
		return l.sessions.create(ctx, set)
	}
	now := l.now().Unix()
	sess := &session{subject: set.ID.Subject, data: sessionData{Created: now, Seen: now}}
	_, _ = rand.Read(sess.id[:]) // never fails: it crashes the program instead
	sess.data.setTokens(set)
	if !l.cookieSessions.KeepRefreshToken {
		sess.data.Refresh = ""
	}
	return l.sealSession(sess)
}

// keepSession gives a new session to the browser, and ends the one it had.
func (l *Login) keepSession(w http.ResponseWriter, r *http.Request, text string) {
	if l.cookieSessions != nil {
		if had, ok := l.cookies.chunks(r); ok && had != text {
			if old, ok := l.openSession(r); ok {
				l.cookies.addEnded(w, r, old, l.sessions.absolute)
			}
		}
		l.cookies.setChunks(w, text, 0)
		return
	}
	if old, ok := l.cookies.get(r, l.cookies.session); ok && old != text {
		if key, ok := l.sessions.key(old); ok {
			l.sessions.remove(r.Context(), key)
		}
	}
	l.cookies.set(w, l.cookies.session, text, 0)
}

// signOutCookies ends the session of this browser, and as far as possible that
// at Cognito.
func (l *Login) signOutCookies(ctx context.Context, w http.ResponseWriter, r *http.Request, everywhere bool) (known bool) {
	sess, ok := l.openSession(r)
	if !ok {
		return false
	}
	l.cookies.addEnded(w, r, sess, l.sessions.absolute)
	if everywhere {
		_, err := l.SignOutEverywhere(ctx, Account{Subject: sess.subject, Username: sess.data.Username})
		l.logGlobal(ctx, err)
	}
	// Another answer may be taking a new refresh token to the browser now.
	sess = l.sessions.latestRefresh(sess)
	refresh := sso.Secret(sess.data.Refresh)
	if set, _ := l.sessions.renewed.find(sess, l.now()); set != nil {
		refresh = set.Refresh
	}
	l.sessions.revoke(ctx, refresh)
	return true
}

// past says whether a session is over its idle or its absolute limit.
func (s *sessions) past(sess *session) bool {
	now := s.now().Unix()
	return now >= sess.data.Seen+seconds(s.idle) || now >= sess.data.Created+seconds(s.absolute)
}

// touched returns the session as used now, or itself where that was noted less
// than a minute ago.
func (s *sessions) touched(sess *session) *session {
	now := s.now().Unix()
	if now-sess.data.Seen < seconds(min(touchEvery, s.idle/4)) {
		return sess
	}
	next := *sess
	next.data.Seen = now
	return &next
}

// endedTag names a session in the cookie of ended ones. It is part of a hash of
// its id, which gives nothing away.
func endedTag(sess *session) string { return sess.key[len(keyVersion):][:endedTagLen] }

// hasEnded says whether this browser ended the session. All cookies of the name
// count: it fails closed.
func (c *cookies) hasEnded(r *http.Request, sess *session) bool {
	tag := endedTag(sess)
	for _, cookie := range r.CookiesNamed(c.ended) {
		for ended := range strings.SplitSeq(cookie.Value, ".") {
			if ended == tag {
				return true
			}
		}
	}
	return false
}

// addEnded has the browser remember that it ended a session, for as long as an
// answer could bring it back.
func (c *cookies) addEnded(w http.ResponseWriter, r *http.Request, sess *session, age time.Duration) {
	tags := []string{endedTag(sess)}
	if before, ok := c.get(r, c.ended); ok {
		for tag := range strings.SplitSeq(before, ".") {
			if len(tags) == maxEnded {
				break
			}
			if len(tag) == endedTagLen && tag != tags[0] {
				tags = append(tags, tag)
			}
		}
	}
	c.set(w, c.ended, strings.Join(tags, "."), age)
}
