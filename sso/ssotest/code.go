package ssotest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"
)

// authorizationCode is what a code stands for until it is redeemed.
type authorizationCode struct {
	grant       grant
	redirectURI string
	challenge   string // of PKCE, "" if none was sent
}

// codeLifetime is that of Cognito's codes.
const codeLifetime = 5 * time.Minute

func (h *hosted) newCode(c authorizationCode) string {
	now, id := h.p.now(), newUUID()
	h.codes.put(now, id, c, now.Add(codeLifetime))
	return id
}

// redeem takes a code that was given to the client. The first try ends it, whether or not the rest of the request is
// good: an app that sends a code twice fails here as it does at AWS. (Whether Cognito keeps a code after a
// failed try is unverified.) Another client's try changes nothing.
func (h *hosted) redeem(code, clientID string) (authorizationCode, bool) {
	return h.codes.take(h.p.now(), code, func(c authorizationCode) bool { return c.grant.clientID == clientID })
}

// verifies checks PKCE (RFC 7636 §4.6) with the only method there is, S256. A verifier without a challenge is
// as wrong as a challenge without a verifier.
func (c authorizationCode) verifies(verifier string) bool {
	if c.challenge == "" || verifier == "" {
		return c.challenge == "" && verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(want), []byte(c.challenge)) == 1
}
