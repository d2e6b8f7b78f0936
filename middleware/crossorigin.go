package middleware

import "net/http"

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
