package ssotest

import (
	"net/http"
	"slices"
	"strings"
)

// serveUserInfo is /oauth2/userInfo. It asks the pool, so it sees a revoked token before its expiry does.
func (h *hosted) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	if !h.oauthHeaders(w, r, http.MethodGet, http.MethodPost) {
		return
	}
	if status := h.p.currentFaults().UserInfo; status != 0 {
		writeFailure(w, status, "server_error", "")
		return
	}
	scheme, raw, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || raw == "" || len(r.Header.Values("Authorization")) > 1 {
		userInfoFailure(w, http.StatusBadRequest, "invalid_request", "Bad OAuth2 request at UserInfo Endpoint")
		return
	}
	claims, err := h.p.accessClaims(raw)
	if err != nil {
		userInfoFailure(w, http.StatusUnauthorized, "invalid_token",
			"Access token is expired, disabled, or deleted, or the user has globally signed out.")
		return
	}
	scope, _ := claims["scope"].(string)
	scopes := strings.Fields(scope)
	username, _ := claims["username"].(string)
	clientID, _ := claims["client_id"].(string)
	client, known := h.p.client(clientID)
	if username == "" || !known || !slices.Contains(scopes, "openid") {
		// A token of the API's sign-in is refused; that it is with this status and code is unverified.
		userInfoFailure(w, http.StatusUnauthorized, "invalid_token", "Access token does not contain openid scope")
		return
	}
	info := h.p.userClaims(username, client, scopes, true)
	if info == nil { // the user was deleted a moment ago
		userInfoFailure(w, http.StatusUnauthorized, "invalid_token", "User is deleted")
		return
	}
	info["username"] = username
	writeJSON(w, http.StatusOK, info)
}

// userInfoFailure has a WWW-Authenticate without the scheme that RFC 6750 wants first: so it is in AWS's sample.
func userInfoFailure(w http.ResponseWriter, status int, code, description string) {
	w.Header().Set("WWW-Authenticate", `error="`+code+`", error_description="`+description+`"`)
	writeFailure(w, status, code, description)
}
