package sso

// Verifier returns the verifier that checks the tokens of this client.
func (c *Client) Verifier() *Verifier { return c.cfg.Verifier }

// UserPoolID returns the id of the pool this client belongs to.
func (c *Client) UserPoolID() string { return c.cfg.Verifier.cfg.UserPoolID }
