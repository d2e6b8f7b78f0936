package middleware

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	// renewedAge is how long a process remembers what a refresh token of a
	// cookie was exchanged for: requests with the old cookie are on their way
	// while the first answer takes the new one to the browser, or never gets
	// there.
	renewedAge = 5 * time.Minute
	maxRenewed = 4096
	// maxUnverified bounds how often in a row tokens may not be verified.
	maxUnverified = 32
)

// renewed remembers the refreshes of sessions in cookies. Its zero value is
// empty.
type renewed struct {
	mu    sync.Mutex // guards known and swept
	known map[[sha256.Size]byte]renewal
	swept time.Time
}

// renewal is how a refresh ended: with a new set, or, for nil, refused.
type renewal struct {
	set   *sso.TokenSet
	until time.Time
}

func renewedKey(sess *session) [sha256.Size]byte {
	return sha256.Sum256(append(appendField(nil, sess.key), sess.data.Refresh...))
}

// find returns how the refresh of a session ended, and whether there was one.
func (n *renewed) find(sess *session, now time.Time) (set *sso.TokenSet, ok bool) {
	if sess.data.Refresh == "" {
		return nil, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	found, ok := n.known[renewedKey(sess)]
	if !ok || !now.Before(found.until) {
		return nil, false
	}
	return found.set, true
}

// keep remembers it.
func (n *renewed) keep(sess *session, set *sso.TokenSet, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = make(map[[sha256.Size]byte]renewal)
	}
	if now.Sub(n.swept) >= time.Minute {
		n.swept = now
		for key, old := range n.known {
			if !now.Before(old.until) {
				delete(n.known, key)
			}
		}
	}
	if len(n.known) >= maxRenewed {
		for key := range n.known { // any one
			delete(n.known, key)
			break
		}
	}
	n.known[renewedKey(sess)] = renewal{set, now.Add(renewedAge)}
}

// renewCookie is renew for a session in cookies: there is no lock and nothing
// stored, so what was redeemed lately is remembered. It returns sso.ErrMissing
// if the session has ended, and any other error if that is not known; a session
// beside it has the refresh token to go on with.
func (s *sessions) renewCookie(ctx context.Context, old *session) (*session, error) {
	cur := s.latestRefresh(old)
	set, known := s.renewed.find(cur, s.now())
	if !known {
		var err error
		if set, err = s.redeemCookie(ctx, cur); err != nil {
			return s.latestRefresh(cur), err
		}
		s.renewed.keep(cur, set, s.now())
	}
	switch {
	case set != nil:
		next := *cur
		next.data.setTokens(set)
		next.data.Seen = s.now().Unix()
		return &next, nil
	case s.now().Unix() < min(cur.data.IDExpires, cur.data.AccessExpires):
		// Another process may have redeemed it, and the browser have the new
		// one by the next request. Until then these tokens are good.
		return cur, nil
	}
	s.log.InfoContext(ctx, "sso: session ended: its refresh token is spent, revoked or expired")
	return nil, sso.ErrMissing
}

// latestRefresh returns the session with the refresh token that took the place
// of its own while the tokens beside it could not be verified.
func (s *sessions) latestRefresh(sess *session) *session {
	for range maxUnverified {
		set, _ := s.renewed.find(sess, s.now())
		if set == nil || set.RawID.Reveal() != sess.data.RawID {
			break
		}
		next := *sess
		next.data.Refresh = set.Refresh.Reveal()
		sess = &next
	}
	return sess
}

// redeemCookie has Cognito replace the tokens of a session. Both results are nil
// where Cognito refuses the refresh token.
func (s *sessions) redeemCookie(ctx context.Context, cur *session) (*sso.TokenSet, error) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	set, err := s.client.Refresh(ctx, sso.Secret(cur.data.Refresh), cur.subject)
	var refused *sso.AuthError
	var answered *sso.UnverifiedError
	switch {
	case err == nil:
		return set, nil
	case errors.As(err, &refused) && refused.Code == "invalid_grant":
		return nil, nil //nolint:nilnil // refused, which is known
	case errors.Is(err, sso.ErrTokenMismatch):
		// fail closed: the refresh token answers for somebody else.
		s.log.ErrorContext(ctx, "sso: session ended: a refresh answered for another user or client")
		if errors.As(err, &answered) {
			s.revoke(ctx, answered.Refresh)
		}
		return nil, sso.ErrMissing
	case errors.As(err, &answered) && answered.Refresh != "" && answered.Refresh.Reveal() != cur.data.Refresh:
		s.renewed.keep(cur, &sso.TokenSet{RawID: sso.Secret(cur.data.RawID), Refresh: answered.Refresh}, s.now())
	}
	return nil, s.notRefreshed(ctx, err)
}
