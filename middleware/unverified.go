package middleware

import (
	"context"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// keepRefresh is for a refresh that Cognito answered with tokens that could not
// be verified, as while a key is new and the key server down. Where the pool
// rotates, cur's refresh token is spent by then: the one that took its place is
// stored beside the tokens that cur has, and redeemed at the next refresh. Only
// what verified says who somebody is.
func (s *sessions) keepRefresh(ctx context.Context, cur *session, refresh sso.Secret) {
	if refresh == "" || refresh.Reveal() == cur.data.Refresh {
		return
	}
	kept := &sso.TokenSet{
		ID:        sso.Token{Username: cur.data.Username, ExpiresAt: time.Unix(cur.data.IDExpires, 0)},
		Access:    sso.Token{ExpiresAt: time.Unix(cur.data.AccessExpires, 0)},
		RawID:     sso.Secret(cur.data.RawID),
		RawAccess: sso.Secret(cur.data.RawAccess),
		Refresh:   refresh,
	}
	// It says in the log itself what it could not do, and then this process
	// keeps the set.
	_, _ = s.save(ctx, cur, kept)
}

// refreshToken is the one to redeem for cur: the store may not have taken the
// last yet.
func (s *sessions) refreshToken(cur *session) sso.Secret {
	if kept, ok := s.unsaved.find(cur); ok {
		return kept.set.Refresh
	}
	return sso.Secret(cur.data.Refresh)
}
