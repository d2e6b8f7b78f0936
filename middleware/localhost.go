package middleware

import (
	"net"
	"net/http"
)

// isLocalhost says whether a host is one that InsecureLocalhost allows.
func isLocalhost(name string) bool { return name == "localhost" || name == "127.0.0.1" }

// misdirected answers requests for another host than localhost under
// InsecureLocalhost, and says whether it did: whoever runs a service that way
// shall see it at once, and so shall a page elsewhere whose name was pointed at
// this machine.
func (l *Login) misdirected(w http.ResponseWriter, r *http.Request) bool {
	if !l.localOnly {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if isLocalhost(host) {
		return false
	}
	l.log.WarnContext(r.Context(), "sso: InsecureLocalhost is set, so a request for another host was refused")
	if isNavigation(r) {
		l.page(w, r, http.StatusMisdirectedRequest, PageBadRequest, pageData{})
	} else {
		refusal{status: http.StatusMisdirectedRequest, code: "invalid_request", description: "This is for localhost alone."}.writeJSON(w, "")
	}
	return true
}
