package ssotest

import "net/http"

// discovery is the pool's OpenID Provider configuration, with the members of live samples
// (openiddict/openiddict-core#1586, anthropics/claude-code#13275). There is no code_challenge_methods_supported,
// though S256 works, and no grant_types_supported; end_session_endpoint is not RP-initiated logout.
type discovery struct {
	AuthorizationEndpoint    string   `json:"authorization_endpoint"`
	EndSessionEndpoint       string   `json:"end_session_endpoint"`
	IDTokenSigningAlgorithms []string `json:"id_token_signing_alg_values_supported"`
	Issuer                   string   `json:"issuer"`
	JWKSURI                  string   `json:"jwks_uri"`
	ResponseTypes            []string `json:"response_types_supported"`
	Scopes                   []string `json:"scopes_supported"`
	SubjectTypes             []string `json:"subject_types_supported"`
	TokenEndpoint            string   `json:"token_endpoint"`
	TokenEndpointAuth        []string `json:"token_endpoint_auth_methods_supported"`
	UserInfoEndpoint         string   `json:"userinfo_endpoint"`

	// AWS adds members without notice. These two are of nobody: a reader must step over them.
	UnknownText   string         `json:"ssotest_unknown_member"`
	UnknownObject map[string]any `json:"ssotest_unknown_object"`
}

// serveDiscovery is GET /<pool id>/.well-known/openid-configuration.
func (h *hosted) serveDiscovery(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("pool") != h.p.ID() {
		http.NotFound(w, r)
		return
	}
	if !allow(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	writeJSON(w, http.StatusOK, discovery{
		AuthorizationEndpoint:    h.p.URL() + "/oauth2/authorize",
		EndSessionEndpoint:       h.p.URL() + "/logout",
		IDTokenSigningAlgorithms: []string{"RS256"},
		Issuer:                   h.p.Issuer(),
		JWKSURI:                  h.p.JWKSURL(),
		ResponseTypes:            []string{"code", "token"},
		Scopes:                   []string{"openid", "email", "phone", "profile"},
		SubjectTypes:             []string{"public"},
		TokenEndpoint:            h.p.URL() + "/oauth2/token",
		TokenEndpointAuth:        []string{"client_secret_basic", "client_secret_post"},
		UserInfoEndpoint:         h.p.URL() + "/oauth2/userInfo",
		UnknownText:              "made up",
		UnknownObject:            map[string]any{"nested": []any{1, nil, true}},
	})
}
