package sso

import "net/url"

// LogoutURL returns Cognito's logout endpoint, in Cognito's own form
// (client_id and logout_uri), which ends the browser's session with managed
// login. It does not revoke tokens: see [Client.Revoke]. Cognito knows neither
// id_token_hint nor post_logout_redirect_uri, and sends no state back.
func (c *Client) LogoutURL() (string, error) {
	if c.cfg.LogoutURL == "" {
		return "", &ConfigError{Field: "LogoutURL", Problem: "is required for signing out"}
	}
	query := url.Values{"client_id": {c.cfg.ClientID}, "logout_uri": {c.cfg.LogoutURL}}
	return c.cfg.Domain + "/logout?" + query.Encode(), nil
}
