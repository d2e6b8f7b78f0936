package sso

import (
	"context"
	"fmt"

	"golang.org/x/oauth2/clientcredentials"
)

// ClientCredentials asks for a token of the client itself, without a user. No
// scopes means all that the app client may have; Cognito may grant fewer than
// asked for, so look at Token.Scopes. It makes a request every time, and every
// token costs money: use a [ClientCredentialsSource], which keeps it.
//
// A token that has a user, or is of another client, is [ErrTokenMismatch].
func (c *Client) ClientCredentials(ctx context.Context, scopes ...string) (Token, Secret, error) {
	if err := c.checkClientCredentials(scopes); err != nil {
		return Token{}, "", err
	}
	cc := clientcredentials.Config{
		ClientID:     c.cfg.ClientID,
		ClientSecret: c.secret(),
		TokenURL:     c.tokenURL(),
		Scopes:       scopes,
		AuthStyle:    authStyle,
	}
	answer, err := cc.Token(c.withHTTP(ctx))
	if err != nil {
		return Token{}, "", endpointError(ctx, tokenEndpoint, err)
	}
	if err := checkBearer(answer); err != nil {
		return Token{}, "", err
	}
	token, err := c.verifyAccess(ctx, answer.AccessToken)
	if err != nil {
		return Token{}, "", err
	}
	if !token.Machine() {
		return Token{}, "", fmt.Errorf("%w: a user's token answers client credentials", ErrTokenMismatch)
	}
	return token, Secret(answer.AccessToken), nil
}

func (c *Client) checkClientCredentials(scopes []string) error {
	if c.secret() == "" {
		return &ConfigError{Field: "ClientSecret", Problem: "is required for client credentials"}
	}
	if !validScopes(scopes) {
		return &ConfigError{Field: "scopes", Problem: "must be scope names of printable ASCII without space, quote and backslash (RFC 6749 §3.3)"}
	}
	return nil
}
