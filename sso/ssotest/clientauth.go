package ssotest

import (
	"crypto/subtle"
	"net/http"
	"net/url"
)

// authenticate finds the app client of a request to the token or revocation endpoint: HTTP Basic or the body for one with a
// secret, client_id alone for a public one. It returns the OAuth error code, "" if all is well.
//
// The two halves of Basic are compared as they are. RFC 6749 §2.3.1 has them form-encoded, AWS shows them
// plain, and whether Cognito decodes is unverified: a secret with a "+" tells.
func (h *hosted) authenticate(r *http.Request, form url.Values) (Client, string) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if r.Header.Get("Authorization") != "" {
		basicID, basicSecret, ok := r.BasicAuth()
		switch {
		case !ok || id != "" && id != basicID:
			return Client{}, "invalid_client"
		case form.Has("client_secret"): // one method only, RFC 6749 §2.3
			return Client{}, "invalid_request"
		}
		id, secret = basicID, basicSecret
	}
	if id == "" {
		return Client{}, "invalid_request"
	}
	client, ok := h.p.client(id)
	if !ok || subtle.ConstantTimeCompare([]byte(secret), []byte(client.ClientSecret)) != 1 {
		return Client{}, "invalid_client"
	}
	return client, ""
}
