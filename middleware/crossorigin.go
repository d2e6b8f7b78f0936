package middleware

import "net/http"

// RequireSameOrigin refuses requests of other origins that may change
// something, for the app's own forms and its front end: with 403, and for a
// person with a page. It is what Login's own sign-out is behind. GET, HEAD,
// OPTIONS and TRACE pass: change nothing on them, and check Origin yourself
// where a GET opens a WebSocket. So do programs other than browsers, which send
// neither Sec-Fetch-Site nor Origin.
//
// [http.CrossOriginProtection] does most of it. This one also knows the app's
// origin, LoginConfig.BaseURL, and believes no Host. Cookies of a session are
// SameSite=Lax besides, which keeps them out of forms of other sites, but not
// of those of sibling hosts.
func (l *Login) RequireSameOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		default:
			if l.crossOrigin(r) {
				l.refuseForeign(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (l *Login) refuseForeign(w http.ResponseWriter, r *http.Request) {
	l.log.InfoContext(r.Context(), "sso: a request from another origin refused")
	if isPerson(r) {
		l.page(w, r, http.StatusForbidden, PageOtherSite, pageData{})
		return
	}
	refusal{status: http.StatusForbidden, code: "cross_origin", description: "The request comes from another origin."}.writeJSON(w, "")
}

// crossOrigin says whether a request that changes something comes from another
// origin than ours, as far as browsers tell.
//
// http.CrossOriginProtection goes by Sec-Fetch-Site. For browsers that send
// none it compares Origin with Host, and so takes http://board for
// https://board, where somebody on the way may have made the page; and Host is
// a header like any other. BaseURL says which origin is ours.
func (l *Login) crossOrigin(r *http.Request) bool {
	if l.crossing.Check(r) != nil {
		return true
	}
	origin := r.Header.Get("Origin")
	return r.Header.Get("Sec-Fetch-Site") == "" && origin != "" && origin != l.base
}
