package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRequireSameOrigin(t *testing.T) {
	t.Parallel()
	a := newWorld(t).newApp(appBase)
	changed := 0
	h := a.login.RequireSameOrigin(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { changed++ }))
	plain := strings.Replace(appBase, "https:", "http:", 1)
	for _, row := range []struct {
		name, method, site, origin, host string
		pass                             bool
	}{
		{"our form", "POST", "same-origin", appBase, "", true},
		{"typed by the person", "POST", "none", "", "", true},
		{"a program", "POST", "", "", "", true},
		{"an old browser", "POST", "", appBase, "", true},
		{"a link of another site", "GET", "cross-site", "", "", true},
		{"a script of another site that reads", "GET", "", "https://evil.example", "", true},
		{"another site", "POST", "cross-site", "https://evil.example", "", false},
		{"another site, PUT", "PUT", "cross-site", "https://evil.example", "", false},
		{"another site, DELETE", "DELETE", "cross-site", "", "", false},
		{"a method of nobody's", "BREW", "cross-site", "", "", false},
		{"a sibling host", "POST", "same-site", deskBase, "", false},
		{"an old browser, another site", "POST", "", "https://evil.example", "", false},
		{"an old browser, a sandbox", "POST", "", "null", "", false},
		{"an old browser, our host in clear", "POST", "", plain, "", false},
		{"an old browser, another port", "POST", "", appBase + ":8443", "", false},
		{"a Host to match", "POST", "", "https://evil.example", "evil.example", false},
		{"a site that is none", "POST", "Same-Origin", "https://evil.example", "", false},
	} {
		for _, reader := range []http.Header{navigation, script} {
			r := httptest.NewRequestWithContext(t.Context(), row.method, appBase+"/notes", nil)
			r.Header = reader.Clone()
			r.Header.Del("Sec-Fetch-Site")
			if row.site != "" {
				r.Header.Set("Sec-Fetch-Site", row.site)
			}
			if row.origin != "" {
				r.Header.Set("Origin", row.origin)
			}
			if row.host != "" {
				r.Host = row.host
			}
			before, w := changed, httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if passed := changed > before; passed != row.pass || passed == (w.Code == http.StatusForbidden) {
				t.Errorf("%s: passed %t, %d", row.name, passed, w.Code)
			}
			if json := strings.Contains(w.Body.String(), `"cross_origin"`); !row.pass && json == isPage(w) {
				t.Errorf("%s: %s", row.name, w.Body)
			}
			if isPage(w) && !strings.Contains(w.Body.String(), "Nothing was changed") {
				t.Errorf("%s: not its page: %s", row.name, w.Body)
			}
		}
	}
}

func isPage(w *httptest.ResponseRecorder) bool {
	return strings.HasPrefix(w.Header().Get("Content-Type"), "text/html")
}
