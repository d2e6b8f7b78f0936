package middleware

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	sessionIDLen = 32
	// sessionIDVersion is the start of a session cookie, and keyVersion that of
	// the Key its record is stored under.
	sessionIDVersion = "1."
	keyVersion       = "s1."
	// touchEvery is how often a session in use is written back.
	touchEvery = time.Minute
)

// sessions keeps the sessions of one app client: the store sees hashes of ids
// and sealed data. It is safe for concurrent use.
type sessions struct {
	client         *sso.Client
	verifier       *sso.Verifier
	store          SessionStore
	locker         SessionLocker // the store, or nil if it cannot lock
	inCookies      bool          // there is no store, see CookieSessions
	sealer         *sealer
	idle, absolute time.Duration
	now            func() time.Time
	log            *slog.Logger

	renewals singleflight.Group // by record Key
	// pausedUntil is when refreshing may be tried again after Cognito could
	// not be reached, in Unix nanoseconds. It concerns every session alike.
	pausedUntil atomic.Int64
	unsaved     unsaved
	renewed     renewed
}

// session is one session as read from the store or from cookies. A *session may
// be shared by requests and is not changed once it is handed out.
type session struct {
	key     string
	subject string
	version int64              // in the store
	id      [sessionIDLen]byte // of sessions in cookies
	data    sessionData
}

// sessionData is what is sealed in a record. The ID token is kept whole and
// verified at each request, so that what a handler is given is what Cognito
// signed and has not expired, whoever could write to the store.
type sessionData struct {
	Username string
	// RawID, RawAccess and Refresh are the tokens; Refresh may be "".
	RawID     string
	RawAccess string
	Refresh   string
	// IDExpires and AccessExpires are the exp of both tokens, Created and Seen
	// when the session began and was last used. Unix seconds.
	IDExpires     int64
	AccessExpires int64
	Created       int64
	Seen          int64
	// Spent is set when Cognito refused the refresh token: nobody is signed in.
	// The record stays, because another process may have redeemed that token
	// and be about to store new ones, which clears it.
	Spent bool
}

// setTokens puts a token set into d.
func (d *sessionData) setTokens(set *sso.TokenSet) {
	d.Username = set.ID.Username
	d.RawID, d.RawAccess, d.Refresh = set.RawID.Reveal(), set.RawAccess.Reveal(), set.Refresh.Reveal()
	d.IDExpires, d.AccessExpires = set.ID.ExpiresAt.Unix(), set.Access.ExpiresAt.Unix()
	d.Spent = false
}

// key returns the store's key of a session id, and whether it is one.
func (s *sessions) key(id string) (string, bool) {
	text, ok := strings.CutPrefix(id, sessionIDVersion)
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(sessionIDLen) {
		return "", false
	}
	raw, ok := decodeBase64(text)
	if !ok || len(raw) != sessionIDLen {
		return "", false
	}
	return s.keyOf([sessionIDLen]byte(raw)), true
}

// keyOf hashes an id. It has 256 random bits, so that a plain hash cannot be
// searched. The client is in it: in a shared store one app's id is no other's.
func (s *sessions) keyOf(id [sessionIDLen]byte) string {
	in := appendField(appendField(nil, "cognito-sso session v1"), s.client.ID())
	sum := sha256.Sum256(append(in, id[:]...))
	return keyVersion + base64.RawURLEncoding.EncodeToString(sum[:])
}

// create stores a new session for a token set and returns its id. The id is
// always new: one that a browser brought is never adopted.
func (s *sessions) create(ctx context.Context, set *sso.TokenSet) (string, error) {
	var raw [sessionIDLen]byte
	_, _ = rand.Read(raw[:]) // never fails: it crashes the program instead
	id := sessionIDVersion + base64.RawURLEncoding.EncodeToString(raw[:])
	key, _ := s.key(id)
	now := s.now().Unix()
	sess := &session{key: key, subject: set.ID.Subject, data: sessionData{Created: now, Seen: now}}
	sess.data.setTokens(set)
	if err := s.store.Create(ctx, s.record(sess)); err != nil {
		return "", storeError(err)
	}
	return id, nil
}

// record seals a session for the store.
func (s *sessions) record(sess *session) SessionRecord {
	ends := min(sess.data.Seen+seconds(s.idle), sess.data.Created+seconds(s.absolute))
	return SessionRecord{
		Key:       sess.key,
		Subject:   sess.subject,
		Version:   sess.version,
		ExpiresAt: time.Unix(ends, 0),
		Data:      s.sealer.seal(purposeSession, sess.key, appendData(nil, &sess.data, appendText)),
	}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// read returns the stored session of a key. It is sso.ErrMissing if there is
// none that stands, and ErrSessionStore if nobody can tell.
func (s *sessions) read(ctx context.Context, key string) (*session, error) {
	sess, err := s.stored(ctx, key)
	if err == nil && sess.data.Spent {
		if _, ok := s.unsaved.find(sess); !ok {
			return nil, sso.ErrMissing
		}
	}
	return sess, err
}

// stored is read for those who may mend or end a spent session.
func (s *sessions) stored(ctx context.Context, key string) (*session, error) {
	sess, err := s.opened(ctx, key)
	if err == nil && s.past(sess) {
		s.remove(ctx, key)
		return nil, sso.ErrMissing
	}
	return sess, err
}

// opened is stored for a session that may be past its limits.
func (s *sessions) opened(ctx context.Context, key string) (*session, error) {
	rec, err := s.store.Get(ctx, key)
	if errors.Is(err, ErrSessionGone) {
		return nil, sso.ErrMissing
	}
	if err != nil {
		return nil, storeError(err)
	}
	plain, err := s.sealer.open(purposeSession, key, rec.Data)
	if err != nil {
		s.log.WarnContext(ctx, "sso: a stored session does not open; was its cookie key removed?")
		return nil, sso.ErrMissing
	}
	sess := &session{key: key, subject: rec.Subject, version: rec.Version}
	var ok bool
	if sess.data, ok = readData(plain); !ok {
		s.log.WarnContext(ctx, "sso: a stored session is of another version")
		return nil, sso.ErrMissing
	}
	return sess, nil
}

// update writes sess back if the stored one is still the version it was made
// from. It never brings a deleted session back.
func (s *sessions) update(ctx context.Context, sess *session) (*session, error) {
	if err := s.store.Update(ctx, s.record(sess)); err != nil {
		return nil, err
	}
	stored := *sess
	stored.version++
	return &stored, nil
}

// remove deletes a record that has ended anyway; a failure is only logged.
func (s *sessions) remove(ctx context.Context, key string) {
	if err := s.store.Delete(ctx, key); err != nil {
		s.log.WarnContext(ctx, "sso: an ended session could not be deleted", "error", err)
	}
}

// load returns the session of an id and its verified ID token, refreshed ahead
// of expiry. Its errors:
//
//	sso.ErrMissing                    nobody is signed in
//	ErrSessionStore, ErrUnavailable,
//	ErrKeysUnavailable                nobody can tell: 503
//	a context's error
func (s *sessions) load(ctx context.Context, id string) (*session, sso.Token, error) {
	key, ok := s.key(id)
	if !ok {
		return nil, sso.Token{}, sso.ErrMissing
	}
	sess, err := s.read(ctx, key)
	if err != nil {
		return nil, sso.Token{}, err
	}
	sess, token, err := s.verified(ctx, sess)
	if err != nil {
		return nil, sso.Token{}, err
	}
	sess, err = s.touch(ctx, sess)
	return sess, token, err
}

// verified returns the session's ID token, after a refresh where that is due or
// the token no longer verifies (its key may be gone). While a token is good, a
// failing refresh does no harm.
func (s *sessions) verified(ctx context.Context, sess *session) (*session, sso.Token, error) {
	var refreshErr error
	tried := false
	if sess.due(s.now()) {
		tried = true
		sess, refreshErr = s.refreshed(ctx, sess)
		if sess == nil {
			return nil, sso.Token{}, refreshErr
		}
	}
	token, err := s.verifyID(ctx, sess)
	if isTokenFault(err) && !tried {
		sess, refreshErr = s.refreshed(ctx, sess)
		if sess == nil {
			return nil, sso.Token{}, refreshErr
		}
		token, err = s.verifyID(ctx, sess)
	}
	switch {
	case err == nil && sess.data.Refresh == "" && s.now().Unix() >= sess.data.AccessExpires:
		return nil, sso.Token{}, sso.ErrMissing // and nothing brings a new one
	case err == nil:
		return sess, token, nil
	case !isTokenFault(err):
		return nil, sso.Token{}, err
	case refreshErr != nil:
		// The token is past, and nobody can tell whether the session is.
		return nil, sso.Token{}, refreshErr
	}
	s.log.InfoContext(ctx, "sso: session ended: its ID token is no longer accepted", "reason", string(sso.ReasonOf(err)))
	return nil, sso.Token{}, sso.ErrMissing
}

// isTokenFault says whether err is about the token, rather than about keys, the
// caller's context or a mistake.
func isTokenFault(err error) bool {
	return err != nil && refusalOf(err).code == "invalid_token"
}

// verifyID verifies the session's ID token, which must be of the session's
// user and of this app.
func (s *sessions) verifyID(ctx context.Context, sess *session) (sso.Token, error) {
	token, err := s.verifier.VerifyID(ctx, sess.data.RawID)
	if err != nil {
		return sso.Token{}, err
	}
	return s.ours(token, sess)
}

// verifyAccess does the same with the access token.
func (s *sessions) verifyAccess(ctx context.Context, sess *session) (sso.Token, error) {
	token, err := s.verifier.VerifyAccess(ctx, sess.data.RawAccess)
	if err != nil {
		return sso.Token{}, err
	}
	return s.ours(token, sess)
}

// ours refuses a verified token of another user or app than the session's.
func (s *sessions) ours(token sso.Token, sess *session) (sso.Token, error) {
	if token.Subject != sess.subject || token.ClientID != s.client.ID() {
		return sso.Token{}, sso.ErrTokenMismatch
	}
	return token, nil
}

// touch notes that the session is in use, at most once a minute. Another
// request's update is as good; a session that was ended meanwhile stays ended.
func (s *sessions) touch(ctx context.Context, sess *session) (*session, error) {
	touched := s.touched(sess)
	if touched == sess {
		return sess, nil
	}
	stored, err := s.update(ctx, touched)
	switch {
	case err == nil:
		return stored, nil
	case errors.Is(err, ErrSessionGone):
		return nil, sso.ErrMissing
	case errors.Is(err, ErrSessionConflict):
		return sess, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	// Fail open: the session was read a moment ago, and this only postpones
	// its idle end.
	s.log.WarnContext(ctx, "sso: the use of a session could not be noted", "error", err)
	return sess, nil
}

// storeError marks an error of the store. It still is the context's error where
// that is the reason.
func storeError(err error) error { return fmt.Errorf("%w: %w", ErrSessionStore, err) }
