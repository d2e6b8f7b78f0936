package middleware

import (
	"net/http"
	"net/url"
	"strings"
)

const (
	maxReturnTo     = 2048
	defaultReturnTo = "/"
)

// returnPath returns the form of s that is safe to send in Location: a path on
// this origin, with its query, re-serialised. What browsers and net/url may
// read differently is refused, not repaired.
//
// http.Redirect must not be used with the result or anything else a request
// said: it cleans paths, and so makes "/\evil.com" out of "/x/../\evil.com",
// which a browser takes for another host.
func returnPath(s string) (string, bool) {
	if s == "" || s[0] != '/' || len(s) > maxReturnTo {
		return "", false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '\\' {
			return "", false
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	if !plainPath(u.Path) {
		return "", false
	}
	// RequestURI leaves the fragment out. It is on this origin: the path starts
	// with one slash, as checked. It may be longer than s, with what s had not
	// encoded.
	out := u.RequestURI()
	return out, len(out) <= maxReturnTo
}

// plainPath checks a decoded path. What is wrong with the path as written is
// wrong with the decoded one too.
func plainPath(path string) bool {
	if path == "" || path[0] != '/' || strings.Contains(path, "//") {
		return false
	}
	for i := range len(path) {
		if c := path[i]; c < ' ' || c == 0x7f || c == '\\' {
			return false
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// requestTarget returns the path and query that the browser asked for, which
// http.StripPrefix and the like do not change.
func requestTarget(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}
