package sso

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Revoke ends the refresh token and, for Cognito's own APIs, every token made
// from it (RFC 7009). It does not end them for those who verify offline: an
// access token stays good until it expires. A token that is unknown or already
// revoked is no error.
//
// At logout, do not let a failing Revoke stop the rest.
func (c *Client) Revoke(ctx context.Context, refresh Secret) error {
	if refresh == "" {
		return fmt.Errorf("%w: no refresh token", ErrMissing)
	}
	form := url.Values{"token": {refresh.Reveal()}}
	secret := c.secret()
	if secret == "" {
		form.Set("client_id", c.cfg.ClientID)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.Domain+"/oauth2/revoke", strings.NewReader(form.Encode()))
	if err != nil {
		return endpointError(ctx, revocationEndpoint, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != "" {
		// This endpoint documents Basic alone, with the plain id and secret:
		// not form-encoded as in RFC 6749 §2.3.1.
		req.SetBasicAuth(c.cfg.ClientID, secret)
	}
	resp, err := c.plainHTTP.Do(req)
	if err != nil {
		return endpointError(ctx, revocationEndpoint, err)
	}
	_ = resp.Body.Close()
	return nil
}
