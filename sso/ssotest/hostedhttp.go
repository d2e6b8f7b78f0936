package ssotest

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// maxForm bounds the body of a form. The largest honest one holds a refresh token of about 2 kB.
const maxForm = 64 << 10

// errForm is a body that is no form, or one that names a parameter twice (RFC 6749 §3.2).
var errForm = errors.New("ssotest: not a form")

// readForm reads an application/x-www-form-urlencoded body. The query string is no part of it.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, errForm
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || repeated(form) != "" {
		return nil, errForm
	}
	return form, nil
}

// repeated returns a parameter that is there more than once, "" if there is none.
func repeated(values url.Values) string {
	for name, list := range values {
		if len(list) > 1 {
			return name
		}
	}
	return ""
}

// allow answers 405 and reports false unless the request has one of the methods.
func allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m {
			return true
		}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	return false
}

// redirect sends the browser to a URL exactly as it is: http.Redirect would clean its path.
func redirect(w http.ResponseWriter, target string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusFound)
}

// withQuery appends name, value, name, value, … to a URL, in this order and leaving the rest of it untouched:
// a registered callback may have a query of its own.
func withQuery(target string, pairs ...string) string {
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	return target + separator + encodePairs(pairs...)
}

func encodePairs(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1]))
	}
	return b.String()
}
