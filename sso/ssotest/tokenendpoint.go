package ssotest

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Trigger sources of what is issued here.
const (
	sourceHostedAuth    = "TokenGeneration_HostedAuth"
	sourceRefreshTokens = "TokenGeneration_RefreshTokens"
)

// tokenResponse is RFC 6749 §5.1. Which members there are depends on the grant.
type tokenResponse struct {
	IDToken      string `json:"id_token,omitempty"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresIn    int64  `json:"expires_in"`
	TokenType    string `json:"token_type"`
}

// oauthFailure is RFC 6749 §5.2. Cognito seldom has a description.
type oauthFailure struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// serveToken is POST /oauth2/token.
func (h *hosted) serveToken(w http.ResponseWriter, r *http.Request) {
	if !h.oauthHeaders(w, r, http.MethodPost) {
		return
	}
	if f := h.p.currentFaults(); f.TokenEndpoint != "" || f.TokenEndpointStatus != 0 {
		// Both together make any answer, such as invalid_client with 401, which some report of Cognito.
		writeFailure(w, cmp.Or(f.TokenEndpointStatus, http.StatusBadRequest), cmp.Or(f.TokenEndpoint, "server_error"), "")
		return
	}
	form, err := readForm(w, r)
	if err != nil {
		writeFailure(w, http.StatusBadRequest, "invalid_request", "")
		return
	}
	client, code := h.authenticate(r, form)
	if code != "" {
		writeFailure(w, http.StatusBadRequest, code, "")
		return
	}
	t, err := h.exchange(r, client, form)
	if err != nil {
		writeTokenError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, tokenResponse{
		IDToken:      t.id,
		AccessToken:  t.access,
		RefreshToken: t.refresh,
		ExpiresIn:    int64(t.expiresIn / time.Second),
		TokenType:    "Bearer",
	})
}

// exchange runs the grant.
func (h *hosted) exchange(r *http.Request, client Client, form url.Values) (tokens, error) {
	switch form.Get("grant_type") {
	case "authorization_code":
		return h.exchangeCode(r, client, form)
	case "refresh_token":
		if form.Get("refresh_token") == "" {
			return tokens{}, &oauthError{Code: "invalid_request"}
		}
		return h.p.refresh(r.Context(), client, form.Get("refresh_token"), sourceRefreshTokens)
	case "client_credentials":
		return h.exchangeCredentials(r, client, form)
	case "":
		return tokens{}, &oauthError{Code: "invalid_request"}
	}
	return tokens{}, &oauthError{Code: "unsupported_grant_type"}
}

// exchangeCode redeems a code.
//
// The pre token generation trigger runs here. Whether Cognito runs it here or before it sends the code is unverified: AWS
// does not say. Emulators run it here; two public apps expect its failure at the callback, as
// "error=invalid_request&error_description=PreTokenGeneration failed with error …", which speaks for the other.
func (h *hosted) exchangeCode(r *http.Request, client Client, form url.Values) (tokens, error) {
	if !slices.Contains(client.AllowedOAuthFlows, "code") {
		return tokens{}, &oauthError{Code: "unauthorized_client"}
	}
	if form.Get("code") == "" || form.Get("redirect_uri") == "" {
		return tokens{}, &oauthError{Code: "invalid_request"}
	}
	code, ok := h.redeem(form.Get("code"), client.ClientID)
	switch {
	case !ok:
		return tokens{}, &oauthError{Code: "invalid_grant"}
	case code.redirectURI != form.Get("redirect_uri"): // misleading, and so in life
		return tokens{}, &oauthError{Code: "unauthorized_client"}
	case !code.verifies(form.Get("code_verifier")):
		return tokens{}, &oauthError{Code: "invalid_grant"}
	}
	return h.p.issue(r.Context(), code.grant, sourceHostedAuth)
}

// exchangeCredentials makes a token of the client itself. A scope that the client is not allowed is left out, as AWS says
// today; its guide of 2023 had an error instead. That a request of which nothing remains is refused, and
// how, is unverified.
func (h *hosted) exchangeCredentials(r *http.Request, client Client, form url.Values) (tokens, error) {
	if !slices.Contains(client.AllowedOAuthFlows, "client_credentials") {
		return tokens{}, &oauthError{Code: "unauthorized_client"}
	}
	var scopes []string
	asked := strings.Fields(form.Get("scope"))
	for _, scope := range client.AllowedOAuthScopes {
		if h.knowsScope(scope) && (len(asked) == 0 || slices.Contains(asked, scope)) {
			scopes = append(scopes, scope)
		}
	}
	if len(scopes) == 0 {
		return tokens{}, &oauthError{Code: "invalid_scope"}
	}
	return h.p.issueMachine(r.Context(), client, scopes)
}

// knowsScope reports whether a resource server of the pool has the custom scope <identifier>/<name>.
func (h *hosted) knowsScope(scope string) bool {
	i := strings.LastIndexByte(scope, '/') // the identifier may be a URL, a name has no slash
	return i >= 0 && slices.Contains(h.p.cfg.ResourceServers[scope[:i]], scope[i+1:])
}

// writeTokenError answers an error of a grant. How the token endpoint words a trigger that failed, and which
// code it gives a refresh token that was rotated out, is unverified.
func writeTokenError(w http.ResponseWriter, err error) {
	var oauth *oauthError
	var trigger *triggerError
	var api *apiError
	switch {
	case errors.As(err, &oauth):
		writeFailure(w, http.StatusBadRequest, oauth.Code, oauth.Description)
	case errors.As(err, &trigger):
		writeFailure(w, http.StatusBadRequest, "invalid_grant", triggerDescription(trigger))
	case errors.As(err, &api) && api.Type != "InternalErrorException":
		writeFailure(w, http.StatusBadRequest, "invalid_grant", "")
	default:
		writeFailure(w, http.StatusInternalServerError, "server_error", "")
	}
}

// oauthHeaders sets what every answer of the three OAuth endpoints has, answers a CORS preflight, and
// reports whether there is more to do.
func (h *hosted) oauthHeaders(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	header.Set("Pragma", "no-cache")
	header.Set("X-Amz-Cognito-Request-Id", newUUID())
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	if r.Method == http.MethodOptions {
		header.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
		header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		w.WriteHeader(http.StatusNoContent)
		return false
	}
	return allow(w, r, methods...)
}

func writeFailure(w http.ResponseWriter, status int, code, description string) {
	writeJSON(w, status, oauthFailure{code, description})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
