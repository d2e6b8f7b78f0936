package ssotest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

var (
	errNoUser   = &apiError{"UserNotFoundException", "User does not exist."}
	errDisabled = &apiError{"NotAuthorizedException", "User is disabled."}
)

// grant is what tokens are issued for; a refresh token remembers it.
type grant struct {
	clientID  string
	username  string
	scopes    []string
	nonce     string
	resource  string    // RFC 8707: aud of the access token
	authTime  time.Time // on the pool's clock
	originJTI string    // "" makes a new one

	api bool // signed in through the API: an ID token without the openid scope, and no at_hash
	fed bool // an identity provider vouched for the person; issue sets it
}

// tokens is what an issue gives.
type tokens struct {
	access, id, refresh string // id is "" without the openid scope; refresh "" if none is given
	expiresIn           time.Duration
}

// issue runs the PreTokenGeneration trigger (source "TokenGeneration_HostedAuth", …) and signs tokens, with a refresh
// token. Its error is a *triggerError, an *apiError if the user is gone or disabled meanwhile, or an *oauthError
// invalid_grant if the client may not read what a scope promises.
func (p *Pool) issue(_ context.Context, g grant, source string) (tokens, error) {
	return p.issueWith(g, source, nil)
}

func (p *Pool) issueWith(g grant, source string, metadata map[string]string) (tokens, error) {
	if g.originJTI == "" {
		g.originJTI = newUUID()
	}
	var loaded map[string]string
	p.mu.Lock()
	if u, ok := p.users[g.username]; ok {
		g.fed = u.lastFederated && !g.api
		loaded, u.loaded = u.loaded, nil
	}
	p.mu.Unlock()
	t, err := p.makeTokens(g, loaded, source, metadata)
	if err != nil {
		return tokens{}, err
	}
	g.nonce = "" // belongs to the sign-in, not to later refreshes
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.users[g.username]
	if !ok {
		return tokens{}, errNoUser
	}
	t.refresh = p.sessions.add(g, u.sub, p.nowLocked().Add(p.clients[g.clientID].RefreshTokenValidity))
	return t, nil
}

// makeTokens makes the tokens of a grant, but no refresh token. The user's attributes are loaded, or the current ones if
// that is nil.
func (p *Pool) makeTokens(g grant, loaded map[string]string, source string, metadata map[string]string) (tokens, error) {
	c, ok := p.client(g.clientID)
	if !ok {
		return tokens{}, &oauthError{"invalid_client", ""}
	}
	if err := c.checkReadable(g); err != nil {
		return tokens{}, err
	}
	p.mu.Lock()
	u, ok := p.users[g.username]
	if !ok {
		p.mu.Unlock()
		return tokens{}, errNoUser
	}
	if u.disabled {
		p.mu.Unlock()
		return tokens{}, errDisabled
	}
	seen := *u
	if loaded != nil {
		seen.attrs = loaded
	}
	m := mint{
		client:     c,
		sub:        u.sub,
		username:   u.name,
		groups:     slices.Clone(u.groups),
		scopes:     g.scopes,
		nonce:      g.nonce,
		resource:   g.resource,
		issued:     p.stampLocked(),
		auth:       g.authTime.Add(p.faults.ClockSkew),
		eventID:    newUUID(),
		federated:  g.fed,
		attributes: seen.claims(c, g.scopes, false),
	}
	m.roles, m.preferredRole = p.roles(u)
	attributes := seen.forTrigger()
	p.mu.Unlock()
	if c.revocable() {
		m.originJTI = g.originJTI
	}

	changes, err := p.preTokenGeneration(m, attributes, metadata, source)
	if err != nil {
		return tokens{}, err
	}
	m.scopes = changes.access.scopes(m.scopes)
	if changes.groups != nil {
		m.groups, m.roles, m.preferredRole = changes.groups.Groups, changes.groups.Roles, changes.groups.PreferredRole
	}
	t := tokens{expiresIn: c.AccessTokenValidity}
	access := p.accessClaimSet(m)
	changes.access.apply(access, c.ClientID)
	t.access = p.signClaims(sso.UseAccess, access)
	if g.api || slices.Contains(g.scopes, "openid") {
		id := p.idClaimSet(m)
		if !g.api {
			id["at_hash"] = accessHash(t.access)
		}
		changes.id.apply(id, c.ClientID)
		t.id = p.signClaims(sso.UseID, id)
	}
	return t, nil
}

// checkReadable refuses a grant whose scopes promise attributes that the client may not read.
func (c Client) checkReadable(g grant) error {
	if !slices.Contains(g.scopes, "openid") {
		return nil
	}
	for _, scope := range g.scopes {
		for _, name := range scopeAttributes[scope] {
			if !c.mayRead(name) {
				return &oauthError{"invalid_grant", ""}
			}
		}
	}
	return nil
}

// issueMachine makes a client-credentials token (V3 trigger included).
func (p *Pool) issueMachine(_ context.Context, c Client, scopes []string) (tokens, error) {
	now := p.stamp()
	m := mint{client: c, username: c.ClientID, scopes: scopes, issued: now, auth: now}
	var changes tokenChanges
	if p.cfg.Triggers.PreTokenGenerationVersion == "V3_0" {
		var err error
		changes, err = p.preTokenGeneration(m, map[string]string{}, nil, "TokenGeneration_ClientCredentials")
		if err != nil {
			return tokens{}, err
		}
	}
	m.scopes = changes.access.scopes(m.scopes)
	claims := p.machineClaimSet(m)
	changes.access.apply(claims, c.ClientID)
	return tokens{access: p.signClaims(sso.UseAccess, claims), expiresIn: c.AccessTokenValidity}, nil
}

// hasScope reports whether the scope claim has a scope.
func hasScope(claims map[string]any, scope string) bool {
	text, _ := claims["scope"].(string)
	return slices.Contains(strings.Fields(text), scope)
}
