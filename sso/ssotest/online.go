package ssotest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest/internal/exactjson"
)

func notAuthorized(message string) *apiError { return &apiError{"NotAuthorizedException", message} }

// accessClaims verifies one of the pool's own access tokens online: signature, expiry, revocation, sign-out, user enabled.
// Error: *apiError NotAuthorizedException ("Access Token has been revoked", "Access Token has expired", …), or
// UserNotFoundException.
func (p *Pool) accessClaims(raw string) (map[string]any, error) {
	claims, err := p.ownClaims(raw)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err = p.holder(claims)
	return claims, err
}

// ownClaims returns the claims of an access token that the pool signed and that has not expired.
func (p *Pool) ownClaims(raw string) (map[string]any, error) {
	invalid := notAuthorized("Invalid Access Token")
	head, rest, _ := strings.Cut(raw, ".")
	body, sig, ok := strings.Cut(rest, ".")
	var header struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
	}
	if !ok || decodePart(head, &header) != nil || header.Alg != "RS256" {
		return nil, invalid
	}
	p.mu.Lock()
	now, keys := p.stampLocked(), p.keys.published()
	p.mu.Unlock()
	at := slices.IndexFunc(keys, func(k signingKey) bool { return k.id == header.Kid && k.use == sso.UseAccess })
	signature, err := base64.RawURLEncoding.Strict().DecodeString(sig)
	if at < 0 || err != nil {
		return nil, invalid
	}
	sum := sha256.Sum256([]byte(head + "." + body))
	if rsa.VerifyPKCS1v15(&keys[at].private.PublicKey, crypto.SHA256, sum[:], signature) != nil {
		return nil, notAuthorized("Could not verify signature for Access Token")
	}
	var claims map[string]any
	if decodePart(body, &claims) != nil || claims["iss"] != p.issuer || claims["token_use"] != string(sso.UseAccess) {
		return nil, invalid
	}
	exp, ok := numericDate(claims["exp"])
	if !ok {
		return nil, invalid
	}
	if !now.Before(exp) {
		return nil, notAuthorized("Access Token has expired")
	}
	return claims, nil
}

func decodePart(part string, dst any) error {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return err
	}
	return exactjson.Unmarshal(text, dst)
}

func numericDate(claim any) (time.Time, bool) {
	n, ok := claim.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := n.Int64()
	return time.Unix(seconds, 0), err == nil
}

// holder returns the user whose access token it is, if neither the token is revoked nor the user disabled; p.mu is held.
func (p *Pool) holder(claims map[string]any) (*account, error) {
	name, _ := claims["username"].(string)
	if name == "" { // a machine's token
		return nil, notAuthorized("Invalid Access Token")
	}
	u, ok := p.users[name]
	if !ok || u.sub != claims["sub"] {
		return nil, errNoUser
	}
	revoked := notAuthorized("Access Token has been revoked")
	lineage, _ := claims["origin_jti"].(string)
	if p.sessions.revoked[lineage] {
		return nil, revoked
	}
	// A minted token is of no lineage that the pool knows, so its age tells.
	issued, ok := numericDate(claims["iat"])
	if !slices.Contains(p.sessions.lineages[name], lineage) && ok && !issued.After(u.signedOut) {
		return nil, revoked
	}
	if u.disabled {
		return nil, errDisabled
	}
	return u, nil
}
