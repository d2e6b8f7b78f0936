package ssotest

import (
	"errors"
	"net/http"
)

// serveRevoke is POST /oauth2/revoke. A token that is unknown, expired or revoked already is a success (RFC 7009 §2.2).
func (h *hosted) serveRevoke(w http.ResponseWriter, r *http.Request) {
	if !h.oauthHeaders(w, r, http.MethodPost) {
		return
	}
	form, err := readForm(w, r)
	if err != nil {
		writeFailure(w, http.StatusBadRequest, "invalid_request", "")
		return
	}
	client, code := h.authenticate(r, form)
	switch {
	case code == "invalid_client":
		writeFailure(w, http.StatusUnauthorized, code, "")
		return
	case code != "", form.Get("token") == "", client.DisableTokenRevocation:
		writeFailure(w, http.StatusBadRequest, "invalid_request", "")
		return
	}
	var api *apiError
	switch err := h.p.revoke(client, form.Get("token")); {
	case err == nil:
		w.WriteHeader(http.StatusOK)
	case errors.Is(err, errRevokeUnsupported):
		writeFailure(w, http.StatusBadRequest, "unsupported_token_type", "")
	case errors.As(err, &api): // another client's token; what Cognito answers is unverified
		writeFailure(w, http.StatusBadRequest, "invalid_request", "")
	default:
		writeFailure(w, http.StatusInternalServerError, "server_error", "")
	}
}
