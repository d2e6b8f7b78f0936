package ssotest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"
)

// sessions are the refresh tokens and what was revoked. Pool.mu guards it.
type sessions struct {
	tokens   map[string]*refreshToken
	revoked  map[string]bool     // origin_jti
	lineages map[string][]string // username → origin_jti of every sign-in
}

func newSessions() sessions {
	return sessions{make(map[string]*refreshToken), make(map[string]bool), make(map[string][]string)}
}

// refreshToken is what a refresh token stands for.
type refreshToken struct {
	grant   grant
	sub     string // of the user; one that is made anew under the same name has another
	expires time.Time
	rotated bool
	grace   time.Time // until when it may be used once more, if rotated
}

// refreshHeader is the JWE header of every refresh token: {"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}.
const refreshHeader = "eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwiYWxnIjoiUlNBLU9BRVAifQ"

// newRefreshToken makes a refresh token: random, in the five parts and the length of a compact JWE.
func newRefreshToken() string {
	parts := []string{refreshHeader}
	for _, size := range []int{256, 12, 1000, 16} {
		b := make([]byte, size)
		_, _ = rand.Read(b)
		parts = append(parts, base64.RawURLEncoding.EncodeToString(b))
	}
	return strings.Join(parts, ".")
}

// add makes a refresh token for a grant.
func (s *sessions) add(g grant, sub string, expires time.Time) string {
	token := newRefreshToken()
	s.tokens[token] = &refreshToken{grant: g, sub: sub, expires: expires}
	s.lineages[g.username] = append(s.lineages[g.username], g.originJTI)
	return token
}

// rotate replaces a refresh token by one that lives no longer than it. The old one has a grace period from its first use.
func (s *sessions) rotate(old *refreshToken, now time.Time, grace time.Duration) string {
	token := newRefreshToken()
	s.tokens[token] = &refreshToken{grant: old.grant, sub: old.sub, expires: old.expires}
	if !old.rotated {
		old.rotated, old.grace = true, now.Add(grace)
	}
	return token
}

// signOut revokes all tokens of a user; p.mu is held.
func (p *Pool) signOut(u *account) {
	for _, lineage := range p.sessions.lineages[u.name] {
		p.sessions.revoked[lineage] = true
	}
	u.signedOut = p.stampLocked()
}

// refresh redeems a refresh token for client c, rotating it if the client says so. Errors: *apiError
// (NotAuthorizedException "Invalid Refresh Token." / "Refresh Token has been revoked" / RefreshTokenReuseException) or
// *triggerError.
func (p *Pool) refresh(_ context.Context, c Client, refreshToken, source string) (tokens, error) {
	return p.refreshWith(c, refreshToken, source, nil)
}

func (p *Pool) refreshWith(c Client, token, source string, metadata map[string]string) (tokens, error) {
	p.mu.Lock()
	r, err := p.redeemable(c, token)
	if err != nil {
		p.mu.Unlock()
		return tokens{}, err
	}
	g := r.grant
	p.mu.Unlock()
	t, err := p.makeTokens(g, nil, source, metadata)
	if err != nil {
		return tokens{}, err
	}
	if !c.RefreshTokenRotation {
		return t, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, err = p.redeemable(c, token); err != nil { // somebody was faster
		return tokens{}, err
	}
	t.refresh = p.sessions.rotate(r, p.nowLocked(), c.RetryGracePeriod)
	return t, nil
}

// redeemable returns what a refresh token stands for if client c may redeem it now; p.mu is held.
func (p *Pool) redeemable(c Client, token string) (*refreshToken, error) {
	r, ok := p.sessions.tokens[token]
	now := p.nowLocked()
	switch {
	case !ok || r.grant.clientID != c.ClientID:
		return nil, &apiError{"NotAuthorizedException", "Invalid Refresh Token."}
	case p.sessions.revoked[r.grant.originJTI]:
		return nil, &apiError{"NotAuthorizedException", "Refresh Token has been revoked"}
	case !now.Before(r.expires):
		return nil, &apiError{"NotAuthorizedException", "Refresh Token has expired"}
	case r.rotated && !now.Before(r.grace):
		return nil, &apiError{"RefreshTokenReuseException", "Refresh Token has been used already"}
	}
	switch u, ok := p.users[r.grant.username]; {
	case !ok || u.sub != r.sub:
		return nil, errNoUser
	case u.disabled:
		return nil, errDisabled
	}
	return r, nil
}

// revoke revokes a refresh token and all its lineage. It reports errRevokeUnsupported if it is not a refresh token, nil
// for unknown ones, and an *apiError for one of another client.
func (p *Pool) revoke(c Client, refreshToken string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.sessions.tokens[refreshToken]
	switch {
	case !ok && strings.Count(refreshToken, ".") == 2:
		return errRevokeUnsupported // an access or ID token
	case !ok:
		return nil
	case r.grant.clientID != c.ClientID:
		return &apiError{"UnauthorizedException", "The token was issued to another client"}
	}
	p.sessions.revoked[r.grant.originJTI] = true
	return nil
}
