package sso

import (
	"context"
	"fmt"

	"golang.org/x/oauth2"
)

// Refresh redeems a refresh token with one request. subject is the
// Token.Subject of the session it belongs to; an answer for another one is
// [ErrTokenMismatch].
//
// [*AuthError] with Code "invalid_grant" means that the refresh token is
// spent, revoked or expired. [ErrUnavailable] and [ErrKeysUnavailable] say
// nothing about it: keep the session. While there are no keys to verify an
// answer with, it is not redeemed.
//
// Where the pool rotates refresh tokens, redeeming one ends it, so never do it
// twice at a time, and store TokenSet.Refresh before anything else. Tokens that
// are answered and refused, such as those of a key that is new and cannot be
// had yet, are an [*UnverifiedError]: store its Refresh in the same way.
func (c *Client) Refresh(ctx context.Context, refresh Secret, subject string) (*TokenSet, error) {
	if refresh == "" {
		return nil, fmt.Errorf("%w: no refresh token", ErrMissing)
	}
	if subject == "" {
		// fail closed, and before the refresh token is spent.
		return nil, fmt.Errorf("%w: no subject to compare with", ErrTokenMismatch)
	}
	if err := c.cfg.Verifier.keysReady(ctx); err != nil {
		return nil, err // before the refresh token is spent on an answer that cannot be verified
	}
	answer, err := c.oauth().TokenSource(c.withHTTP(ctx), &oauth2.Token{RefreshToken: refresh.Reveal()}).Token()
	if err != nil {
		return nil, endpointError(ctx, tokenEndpoint, err)
	}
	set, err := c.verifyAnswer(ctx, answer)
	if err == nil && set.ID.Subject != subject {
		err = fmt.Errorf("%w: another subject than the session's", ErrTokenMismatch)
	}
	if err != nil {
		return nil, unverified(answer, err)
	}
	c.cfg.OnTokens(ctx, *set)
	return set, nil
}
