package ssotest

import "net/http"

// hostedHandler serves the pool's domain. Start calls it once, so what it makes lives as long as the pool.
func (p *Pool) hostedHandler() http.Handler { return (&hosted{p: p}).routes() }

// hosted serves what a pool's domain serves: the OAuth endpoints, managed login and, in place of the real
// identity providers, their stand-ins. It is safe for concurrent use.
type hosted struct {
	p *Pool

	codes       expiring[authorizationCode]
	sessions    expiring[hostedSession]
	pages       expiring[pageSession]
	federations expiring[federation]
	assertions  expiring[assertion]
}

// routes are the paths of the domain, and the discovery document, which AWS serves from the API's host. The key
// document has its own way in: see [Pool.serveJWKS].
func (h *hosted) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{pool}/.well-known/openid-configuration", h.serveDiscovery)
	mux.HandleFunc("/oauth2/authorize", h.serveAuthorize)
	mux.HandleFunc("/oauth2/idpresponse", h.serveIDPResponse)
	mux.HandleFunc("/oauth2/token", h.serveToken)
	mux.HandleFunc("/oauth2/userInfo", h.serveUserInfo)
	mux.HandleFunc("/oauth2/revoke", h.serveRevoke)
	mux.HandleFunc("/login", h.serveLogin)
	mux.HandleFunc("/logout", h.serveLogout)
	mux.HandleFunc("/error", h.serveError)
	mux.HandleFunc("/_idp/{provider}/authorize", h.serveStandIn)
	return mux
}
