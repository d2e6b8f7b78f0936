package ssotest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// mint is what the claims of a token are made of.
type mint struct {
	client        Client
	sub, username string
	groups, roles []string
	preferredRole string
	scopes        []string
	nonce         string // ID token
	resource      string // access token
	issued, auth  time.Time
	originJTI     string // "" without token revocation
	eventID       string
	federated     bool           // an identity provider vouched for the person
	attributes    map[string]any // ID token
}

// common are the claims that both tokens of a user have.
func (p *Pool) common(m mint, use sso.TokenUse, validity time.Duration) map[string]any {
	claims := map[string]any{
		"iss":       p.issuer,
		"sub":       m.sub,
		"token_use": string(use),
		"event_id":  m.eventID,
		"auth_time": m.auth.Unix(),
		"iat":       m.issued.Unix(),
		"exp":       m.issued.Add(validity).Unix(),
	}
	if m.originJTI != "" {
		claims["jti"], claims["origin_jti"] = newUUID(), m.originJTI
	}
	if len(m.groups) > 0 {
		claims["cognito:groups"] = m.groups
	}
	claims["acr"], claims["amr"] = "urn:cognito:loa:1", []string{"pwd"}
	if m.federated {
		claims["acr"], claims["amr"] = "fed", []string{"fed"}
	}
	return claims
}

func (p *Pool) accessClaimSet(m mint) map[string]any {
	claims := p.common(m, sso.UseAccess, m.client.AccessTokenValidity)
	claims["client_id"] = m.client.ClientID
	claims["username"] = m.username
	claims["version"] = 2
	if len(m.scopes) > 0 {
		claims["scope"] = strings.Join(m.scopes, " ")
	}
	if m.resource != "" {
		claims["aud"] = m.resource
	}
	return claims
}

func (p *Pool) idClaimSet(m mint) map[string]any {
	claims := maps.Clone(m.attributes)
	if claims == nil {
		claims = make(map[string]any)
	}
	maps.Copy(claims, p.common(m, sso.UseID, m.client.IDTokenValidity))
	claims["aud"] = m.client.ClientID
	claims["cognito:username"] = m.username
	if m.nonce != "" {
		claims["nonce"] = m.nonce
	}
	if len(m.roles) > 0 {
		claims["cognito:roles"] = m.roles
	}
	if m.preferredRole != "" {
		claims["cognito:preferred_role"] = m.preferredRole
	}
	return claims
}

// machineClaimSet are the claims of a client-credentials token: those of an access token but for the user's.
func (p *Pool) machineClaimSet(m mint) map[string]any {
	claims := map[string]any{
		"iss":       p.issuer,
		"sub":       m.client.ClientID,
		"client_id": m.client.ClientID,
		"token_use": string(sso.UseAccess),
		"version":   2,
		"jti":       newUUID(),
		"auth_time": m.auth.Unix(),
		"iat":       m.issued.Unix(),
		"exp":       m.issued.Add(m.client.AccessTokenValidity).Unix(),
	}
	if len(m.scopes) > 0 {
		claims["scope"] = strings.Join(m.scopes, " ")
	}
	return claims
}

// signClaims signs claims with the key of the use.
func (p *Pool) signClaims(use sso.TokenUse, claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(fmt.Sprintf("ssotest: claims that cannot be marshalled: %v", err))
	}
	k := p.signingKey(use)
	return k.sign(k.header(), payload)
}

// accessHash is the at_hash of an access token signed with RS256 (OpenID Connect Core §3.1.3.6).
func accessHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// AccessToken mints an access token. It panics on claims that cannot be marshalled.
func (p *Pool) AccessToken(c Claims) string {
	m := p.mintOf(c)
	claims := p.accessClaimSet(m)
	if c.Machine {
		claims = p.machineClaimSet(m)
	}
	return p.signClaims(sso.UseAccess, c.finish(claims))
}

// IDToken mints an ID token. It panics on claims that cannot be marshalled.
func (p *Pool) IDToken(c Claims) string {
	m := p.mintOf(c)
	m.attributes = make(map[string]any)
	if c.Email != "" {
		m.attributes["email"], m.attributes["email_verified"] = c.Email, true
	}
	return p.signClaims(sso.UseID, c.finish(p.idClaimSet(m)))
}

// Sign signs any header and payload bytes with the key that signs tokens of the use, unchecked, for tests of verifiers.
func (p *Pool) Sign(use sso.TokenUse, header, payload []byte) string {
	return p.signingKey(use).sign(header, payload)
}

// KeyID is the id of the key that signs tokens of the use, for the headers that Sign takes.
func (p *Pool) KeyID(use sso.TokenUse) string { return p.signingKey(use).id }

// mintOf fills in the defaults of c.
func (p *Pool) mintOf(c Claims) mint {
	id := cmp.Or(c.ClientID, p.cfg.Clients[0].ClientID)
	client, ok := p.client(id)
	if !ok { // a client of somebody else's
		client = Client{ClientID: id, AccessTokenValidity: time.Hour, IDTokenValidity: time.Hour}
	}
	if c.TTL != 0 {
		client.AccessTokenValidity, client.IDTokenValidity = c.TTL, c.TTL
	}
	sub := c.Subject
	if u, ok := p.User(c.Username); ok && sub == "" {
		sub = u.Sub
	}
	sub = cmp.Or(sub, newSub())
	m := mint{
		client:   client,
		sub:      sub,
		username: cmp.Or(c.Username, sub),
		groups:   c.Groups,
		scopes:   c.Scopes,
		nonce:    c.Nonce,
		issued:   cmp.Or(c.IssuedAt, p.stamp()),
		eventID:  newUUID(),
	}
	m.auth = cmp.Or(c.AuthTime, m.issued)
	if client.revocable() {
		m.originJTI = newUUID()
	}
	switch {
	case c.Scopes != nil:
	case !c.Machine:
		m.scopes = []string{"openid"}
	default:
		m.scopes = slices.DeleteFunc(client.AllowedOAuthScopes, func(s string) bool { return !strings.Contains(s, "/") })
	}
	return m
}

// revocable reports whether the client's tokens have jti and origin_jti.
func (c Client) revocable() bool { return !c.DisableTokenRevocation || c.RefreshTokenRotation }

// finish adds what Claims says last.
func (c Claims) finish(claims map[string]any) map[string]any {
	if c.UserID != "" {
		claims[customPrefix+"userId"] = c.UserID
	}
	maps.Copy(claims, c.Extra)
	for _, name := range c.Drop {
		delete(claims, name)
	}
	return claims
}
