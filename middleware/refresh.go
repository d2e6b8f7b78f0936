package middleware

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	// refreshAhead is how long before its end a token is replaced.
	refreshAhead = time.Minute
	// refreshTimeout bounds one refresh, storing it included, and not waiting
	// for the lock. It goes on when the request that began it is cancelled: an
	// answer that nobody stores is a refresh token lost.
	refreshTimeout = 20 * time.Second
	// refreshPatience is how long a request whose token is still good waits
	// for a new one.
	refreshPatience = 3 * time.Second
	// refreshPause keeps requests from queueing behind a Cognito that does not
	// answer.
	refreshPause = 3 * time.Second
	// adoptTries and adoptDelay are how long to wait for another process to
	// store the tokens that it got for the refresh token we found spent.
	adoptTries = 10
	adoptDelay = 100 * time.Millisecond

	maxSaves  = 5
	saveDelay = 50 * time.Millisecond
)

// errNotRefreshed: the session stands, but has no new tokens now.
var errNotRefreshed = fmt.Errorf("%w: not refreshed", sso.ErrUnavailable)

// due says whether one of the tokens ends soon.
func (sess *session) due(now time.Time) bool {
	return sess.data.Spent || now.Add(refreshAhead).Unix() >= min(sess.data.IDExpires, sess.data.AccessExpires)
}

// refreshed returns the session with new tokens. Otherwise err says why, and
// the session returned beside it is the old one, or nil if that has ended or
// the caller's context has. Requests of one session share one refresh, and each
// waits no longer than its own context lasts.
func (s *sessions) refreshed(ctx context.Context, sess *session) (*session, error) {
	now := s.now()
	switch {
	case sess.data.Refresh == "":
		return sess, nil // it ends with its token
	case now.UnixNano() < s.pausedUntil.Load():
		return sess, errNotRefreshed
	}
	detached := context.WithoutCancel(ctx)
	flight, renew := sess.key, s.renew
	if s.inCookies {
		// Two requests may carry two refresh tokens of one session.
		flight, renew = sess.key+sess.data.Refresh, s.renewCookie
	}
	var patience <-chan time.Time
	if now.Unix() < sess.data.IDExpires {
		timer := time.NewTimer(refreshPatience)
		defer timer.Stop()
		patience = timer.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patience:
			return sess, errNotRefreshed
		case r := <-s.renewals.DoChan(flight, func() (any, error) { return renew(detached, sess) }):
			fresh, _ := r.Val.(*session)
			switch {
			case errors.Is(r.Err, errOnlyStored):
				continue // it was the flight of storeUnsaved
			case r.Err == nil:
				return fresh, nil
			case errors.Is(r.Err, sso.ErrMissing):
				return nil, sso.ErrMissing
			case s.inCookies && fresh != nil:
				return fresh, r.Err
			}
			return sess, r.Err
		}
	}
}

// renew refreshes a session, alone among all processes where the store can
// lock. old is what the caller saw; the stored one may be newer. It returns
// sso.ErrMissing if the session has ended, and any other error if that is not
// known.
func (s *sessions) renew(ctx context.Context, old *session) (*session, error) {
	cur, holder, err := s.lock(ctx, old)
	if err != nil || holder == "" {
		return cur, err
	}
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	fresh, err := s.redeem(ctx, cur)
	if !s.unsaved.hold(cur.key, holder) {
		s.unlock(ctx, cur.key, holder)
	}
	// Else the new tokens are here and not in the store. The lock stays until
	// they are, or its lease ends: nobody else has a refresh token that is good.
	return fresh, err
}

// lock makes this process the one that refreshes old, and returns the session
// as stored then, and who has the lock now. Where the session is refreshed
// already, it returns that one, and "". It waits for a process that holds the
// lock.
func (s *sessions) lock(ctx context.Context, old *session) (cur *session, holder string, err error) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	holder = rand.Text()
	for wait := lockPollFirst; ; wait = min(2*wait, lockPollMost) {
		cur, err = s.current(ctx, old)
		if err != nil || cur.data.RawID != old.data.RawID {
			return cur, "", err // gone, or another process or request was first
		}
		if s.locker == nil {
			return cur, holder, nil
		}
		err = s.locker.Lock(ctx, old.key, holder, lockLease)
		switch {
		case err == nil:
			return s.locked(ctx, old, holder)
		case errors.Is(err, ErrSessionGone):
			return nil, "", sso.ErrMissing
		case !errors.Is(err, ErrSessionLocked):
			// fail closed: a store that takes no lock would not take the new
			// refresh token either, so the old one is not spent.
			s.log.WarnContext(ctx, "sso: the lock of a session could not be taken", "error", err)
			s.unlock(ctx, old.key, holder) // it may have been
			return nil, "", storeError(err)
		}
		if sleep(ctx, wait) != nil {
			return nil, "", fmt.Errorf("%w: another process is at it", errNotRefreshed)
		}
	}
}

// current reads the session of old. Tokens of it that this process has and the
// store has not are stored at last: that takes no lock, since no refresh token
// is spent.
func (s *sessions) current(ctx context.Context, old *session) (*session, error) {
	cur, err := s.read(ctx, old.key)
	if err != nil || cur.data.RawID != old.data.RawID {
		return cur, err
	}
	kept, ok := s.unsaved.find(cur)
	if !ok {
		return cur, nil
	}
	kept.seen = s.now().Unix()
	next, err := s.saveKept(ctx, cur, kept)
	switch {
	case errors.Is(err, sso.ErrMissing):
		return nil, err
	case err != nil && next.data.RawID == cur.data.RawID:
		return cur, nil // a refresh token alone: refreshToken finds it
	}
	return next, nil
}

// locked reads the session again under the lock: the holder before us may have
// refreshed it after we read it.
func (s *sessions) locked(ctx context.Context, old *session, holder string) (*session, string, error) {
	cur, err := s.read(ctx, old.key)
	if err != nil || cur.data.RawID != old.data.RawID {
		s.unlock(ctx, old.key, holder)
		return cur, "", err
	}
	return cur, holder, nil
}

// unlock gives a lock back, at the latest when its lease ends.
func (s *sessions) unlock(ctx context.Context, key, holder string) {
	if s.locker == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
	defer cancel()
	if err := s.locker.Unlock(ctx, key, holder); err != nil {
		s.log.WarnContext(ctx, "sso: the lock of a session could not be given back; it ends by itself", "error", err)
	}
}

// redeem has Cognito replace the tokens of cur, and stores them.
func (s *sessions) redeem(ctx context.Context, cur *session) (*session, error) {
	set, err := s.client.Refresh(ctx, s.refreshToken(cur), cur.subject)
	var refused *sso.AuthError
	var answered *sso.UnverifiedError
	switch {
	case err == nil:
		return s.save(ctx, cur, set)
	case errors.As(err, &refused) && refused.Code == "invalid_grant":
		// If one was remembered, it was that. Stored now, it would bring back
		// a session that has ended.
		s.unsaved.take(cur.key)
		return s.adoptOrEnd(ctx, cur)
	case errors.Is(err, sso.ErrTokenMismatch):
		// fail closed: the refresh token answers for somebody else.
		s.log.ErrorContext(ctx, "sso: session ended: a refresh answered for another user or client")
		s.unsaved.take(cur.key)
		s.remove(ctx, cur.key)
		if errors.As(err, &answered) {
			s.revoke(ctx, answered.Refresh)
		}
		return nil, sso.ErrMissing
	case errors.As(err, &answered):
		s.keepRefresh(ctx, cur, answered.Refresh)
	}
	return nil, s.notRefreshed(ctx, err)
}

// notRefreshed is for errors that say nothing about the session: Cognito or its
// keys out of reach, throttling, a client secret that was replaced, a claim that
// is not as it should be. It goes on while its token does.
func (s *sessions) notRefreshed(ctx context.Context, err error) error {
	if !isTokenFault(err) {
		s.pausedUntil.Store(s.now().Add(refreshPause).UnixNano())
	}
	s.log.WarnContext(ctx, "sso: tokens could not be refreshed", "reason", string(sso.ReasonOf(err)), "error", err)
	return fmt.Errorf("%w: %w", errNotRefreshed, err)
}

// adoptOrEnd is for a refresh token that Cognito no longer takes: another
// process may have redeemed it and stored newer tokens, or be about to. Else
// the session has ended. It is marked, not deleted, so that a process that is
// slower still can mend it; what was signed out is deleted, and stays so.
func (s *sessions) adoptOrEnd(ctx context.Context, cur *session) (*session, error) {
	for n := 0; ; n++ {
		stored, err := s.read(ctx, cur.key)
		if err != nil {
			return nil, err
		}
		if stored.data.RawID != cur.data.RawID || stored.data.Refresh != cur.data.Refresh {
			return stored, nil
		}
		if n >= adoptTries {
			spent := *stored
			spent.data.Spent = true
			_, err := s.update(ctx, &spent)
			switch {
			case errors.Is(err, ErrSessionConflict) && n < adoptTries+maxSaves:
				continue // the other process, or a touch
			case err != nil && !errors.Is(err, ErrSessionGone) && !errors.Is(err, ErrSessionConflict):
				return nil, storeError(err)
			}
			s.log.InfoContext(ctx, "sso: session ended: its refresh token is spent, revoked or expired")
			return nil, sso.ErrMissing
		}
		if err := sleep(ctx, adoptDelay); err != nil {
			return nil, err
		}
	}
}

// save stores a token set in the session cur. Losing the set would lose the
// refresh token, so a failing store is asked again, a few times while the
// request waits, and then by storeUnsaved and at the session's next request.
func (s *sessions) save(ctx context.Context, cur *session, set *sso.TokenSet) (*session, error) {
	var err error
	for n := range maxSaves {
		if n > 0 && !errors.Is(err, ErrSessionConflict) && sleep(ctx, saveDelay<<n) != nil {
			break
		}
		next := *cur
		next.data.setTokens(set)
		next.data.Seen = s.now().Unix()
		var stored *session
		stored, err = s.update(ctx, &next)
		switch {
		case err == nil:
			s.settle(ctx, cur.key)
			return stored, nil
		case errors.Is(err, ErrSessionGone):
			// Signed out meanwhile, and it stays so.
			s.unsaved.take(cur.key)
			s.revoke(ctx, set.Refresh)
			return nil, sso.ErrMissing
		case errors.Is(err, ErrSessionConflict):
			again, readErr := s.stored(ctx, cur.key)
			switch {
			case errors.Is(readErr, sso.ErrMissing):
				s.unsaved.take(cur.key)
				s.revoke(ctx, set.Refresh)
				return nil, sso.ErrMissing
			case readErr != nil:
				err = readErr
			case again.data.RawID != cur.data.RawID:
				s.settle(ctx, cur.key)
				return again, nil // refreshed elsewhere as well: theirs is stored
			default:
				cur = again // touched, or marked as spent by a process that lost
			}
		}
	}
	s.keep(cur, set)
	s.log.ErrorContext(ctx, "sso: refreshed tokens could not be stored; this process keeps them and goes on trying", "error", err)
	next := *cur
	next.data.setTokens(set)
	return &next, nil
}

// revoke ends a refresh token that nobody needs, if Cognito can be reached.
func (s *sessions) revoke(ctx context.Context, refresh sso.Secret) {
	if refresh == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	if err := s.client.Revoke(ctx, refresh); err != nil {
		s.log.WarnContext(ctx, "sso: a refresh token could not be revoked", "reason", string(sso.ReasonOf(err)), "error", err)
	}
}

// sleep waits, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
