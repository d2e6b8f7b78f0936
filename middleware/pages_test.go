package middleware_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

// TestPageHeaders: every page and redirect of Login's own.
func TestPageHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	for _, row := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/auth/logged-out", 200}, {"GET", "/auth/logout", 405}, {"GET", "/auth/callback", 400}, {"GET", "/auth/callback?state=a&code=b", 400},
		{"POST", "/auth/callback", 405}, {"GET", "/auth/nothing", 404}, {"GET", "/auth/", 404}, {"GET", "/auth/login/", 404}, {"GET", "/auth/LOGIN", 404},
		{"GET", "/auth/login?prompt=x", 400}, {"DELETE", "/auth/login", 405}, {"PUT", "/auth/logged-out", 405}, {"GET", "/auth/login", 303}, {"POST", "/auth/logout", 303},
	} {
		p := w.newBrowser().send(row.method, a.base+row.path, navigation, nil)
		if p.status != row.status {
			t.Errorf("%s %s: %d, want %d", row.method, row.path, p.status, row.status)
		}
		want := map[string]string{"Cache-Control": "no-store"}
		if row.status != 303 {
			want["Content-Type"] = "text/html; charset=utf-8"
			want["Content-Language"] = "en"
			want["Content-Security-Policy"] = middleware.ContentPolicy
			want["X-Frame-Options"] = "DENY"
			want["X-Content-Type-Options"] = "nosniff"
			want["Vary"] = "Accept-Language"
			want["Cross-Origin-Opener-Policy"] = "same-origin"
			want["Cross-Origin-Resource-Policy"] = "same-origin"
		}
		if !strings.Contains(p.body, "<form") {
			want["Referrer-Policy"] = "no-referrer"
		} else {
			want["Referrer-Policy"] = "same-origin"
		}
		for name, value := range want {
			if got := p.header.Get(name); got != value {
				t.Errorf("%s %s: %s is %q, want %q", row.method, row.path, name, got, value)
			}
		}
	}
}

// TestPages checks every page, in both languages, as a browser would parse it.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	for lang, accept := range map[string]string{"en": "en-US,en;q=0.9", "ko": "ko-KR,ko;q=0.9,en-US;q=0.8"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", accept)
		var pages []*httptest.ResponseRecorder
		a.login.AllPages(func(middleware.PageKind) http.ResponseWriter {
			rec := httptest.NewRecorder()
			pages = append(pages, rec)
			return rec
		}, r)
		if len(pages) < 15 {
			t.Fatalf("%d pages", len(pages))
		}
		for _, p := range pages {
			checkPage(t, p.Result(), lang)
		}
	}
	texts := middleware.PageTexts()
	if len(texts["en"]) != len(texts["ko"]) || len(texts) != 2 {
		t.Fatal("a page lacks a language")
	}
	for lang, pages := range texts {
		for _, page := range pages {
			for i, text := range page {
				if text == "" && i != 1 || (lang == "ko" && text != "") != strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Hangul, r) }) {
					t.Errorf("%s: %q", lang, text)
				}
			}
		}
	}
}

// checkPage looks at a page as a browser would, for what a policy would stop and
// for what somebody who cannot see it needs.
func checkPage(t *testing.T, resp *http.Response, lang string) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !utf8.Valid(body) {
		t.Fatalf("not UTF-8: %v", err)
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	count := map[string]int{}
	in := ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if text, ok := token.(xml.CharData); ok && in == "style" {
			// The policy allows this style by its hash, and no other.
			sum := sha256.Sum256(text)
			if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(resp.Header.Get("Content-Security-Policy"), want) {
				t.Error("the policy does not allow the page's style")
			}
		}
		in = ""
		n, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		in = n.Name.Local
		count[in]++
		switch in {
		case "html":
			if len(n.Attr) != 1 || n.Attr[0].Name.Local != "lang" || n.Attr[0].Value != lang {
				t.Errorf("html has %v, want lang=%s", n.Attr, lang)
			}
		case "script", "img", "link", "iframe", "base", "object":
			t.Errorf("the page has a %s", in)
		}
		for _, attr := range n.Attr {
			if attr.Name.Local == "style" || strings.HasPrefix(attr.Name.Local, "on") {
				t.Errorf("%s has %s", in, attr.Name.Local)
			}
			if attr.Name.Local == "href" && (!strings.HasPrefix(attr.Value, "/") || strings.HasPrefix(attr.Value, "//")) {
				t.Errorf("link to %q", attr.Value)
			}
		}
	}
	if count["h1"] != 1 || count["main"] != 1 || count["title"] != 1 || count["style"] != 1 || count["p"] < 2 {
		t.Errorf("elements: %v", count)
	}
}

func TestLanguageOf(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]string{
		"": "en", "ko": "ko", "ko-KR": "ko", "KO-kr": "ko", "en": "en", "en-US,ko;q=0.5": "en", "ko;q=0.5,en;q=0.9": "en", "fr,ko;q=0.3,de": "ko",
		"fr": "en", "*": "en", "ko;q=0": "en", "ko;q=0,en;q=0": "en", "ko;q=x": "en", "ko;q=2": "en", "ko;q=NaN": "en", "kok": "en", "ko-": "ko", ",,,ko": "ko",
		"en;q=0.8,ko;q=0.8": "en", "ko;q=0.8,en;q=0.8": "ko", "ko ; q=0.9": "ko", "ko;x=y;q=0.9": "ko",
		strings.Repeat("fr,", 1000) + "ko": "en", "\x00": "en",
		// "*" is every language that is not named (RFC 9110 §12.5.4).
		"en;q=0,*": "ko", "en;q=0.1,*;q=0.5": "ko", "*;q=0.5,en;q=0.1": "ko", "ko;q=0,*": "en", "ko;q=0.4,*;q=0.9": "en", "ko,*;q=0.1": "ko", "*,ko": "ko", "*;q=0": "en",
		"fr,*;q=0.5": "en", "en;q=0,*;q=0": "en", "ko;q=0.5,en;q=0.5,*": "ko",
		// One region refused is not the language refused.
		"ko-KP;q=0,ko;q=0.9,en;q=0.5": "ko", "ko;q=0.2,ko-KR;q=0.9,en;q=0.5": "ko", "en-GB;q=0,ko;q=0.1": "ko",
		// Weights that are none.
		"ko;q=1.001,en;q=0.1": "en", "ko;q=0x1p-1,en;q=0.1": "en", "ko;q=1e0,en;q=0.1": "en", "ko;q=+1,en;q=0.1": "en", "ko;q=.9,en;q=0.1": "en", "ko;q=Inf,en;q=0.1": "en",
		"ko;q=0.9999,en;q=0.1": "en", "ko;q=,en;q=0.1": "en", "ko;q=-1,en;q=0.1": "en", "ko;q=1_0,en;q=0.1": "en", "ko;q=0.,en;q=0": "en",
		"ko;q=1.000,en;q=0.999": "ko", "ko;q=0.999,en;q=0.998": "ko", "ko;q=1.,en;q=0.9": "ko", "ko;Q=0.9,en;q=0.8": "ko", "ko;q=0.09,en;q=0.1": "en",
		"zh-Hant-TW,zh;q=0.9": "en", "x-ko": "en", "i-ko": "en", "ko_KR": "en", "ko KR": "en", "koko": "en",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", accept)
		if got := middleware.LanguageOf(r); got != want {
			t.Errorf("%.40q: %s, want %s", accept, got, want)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Accept-Language"] = []string{"en;q=0.5", "ko"}
	if got := middleware.LanguageOf(r); got != "ko" {
		t.Errorf("two lines of one header: %s", got)
	}
}

// FuzzLanguageOf: any header gives one of the two languages, Korean only to
// somebody who asks for it, and adding a language that the pages are not in
// changes nothing.
func FuzzLanguageOf(f *testing.F) {
	for _, seed := range []string{"", "ko", "en-US,en;q=0.9,ko;q=0.8", "*;q=0.5,en;q=0.1", "ko;q=0.5;x=\"a,b\"", ";;,=,q=1", "ko-KR;q=0.000"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		of := func(accept string) string {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header["Accept-Language"] = []string{accept}
			return middleware.LanguageOf(r)
		}
		got := of(accept)
		if got != "en" && got != "ko" {
			t.Fatalf("%q: %q", accept, got)
		}
		if got == "ko" && !strings.Contains(strings.ToLower(accept), "ko") && !strings.Contains(accept, "*") {
			t.Fatalf("%q gives Korean", accept)
		}
		if other := of("fr;q=0.7," + accept); other != got && strings.Count(accept, ",") < 60 {
			t.Fatalf("%q gives %s, and %s after French", accept, got, other)
		}
	})
}

// TestKorean: the whole way in Korean, managed login included.
func TestKorean(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	h := maps.Clone(navigation)
	h.Set("Accept-Language", "ko-KR,ko;q=0.9")
	b := w.newBrowser()
	p := b.send(http.MethodGet, a.base+"/auth/login", h, nil)
	if u, err := url.Parse(p.location()); err != nil || u.Query().Get("lang") != "ko" {
		t.Errorf("sent to %s", p.location())
	}
	p = b.send(http.MethodGet, a.base+"/auth/logged-out", h, nil)
	if p.header.Get("Content-Language") != "ko" || !strings.Contains(p.body, "로그아웃되었습니다") {
		t.Errorf("page: %s", p.body)
	}
}

// TestBrowserOrScript: who is sent to sign in and who gets 401.
func TestBrowserOrScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	for _, row := range []struct {
		name, method string
		header       http.Header
		redirect     bool
	}{
		{"browser", "GET", navigation, true},
		{"browser, HEAD", "HEAD", navigation, true},
		{"fetch", "GET", script, false},
		{"fetch that accepts HTML", "GET", http.Header{"Sec-Fetch-Mode": {"cors"}, "Accept": {"text/html"}}, false},
		{"navigation that accepts anything", "GET", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {"*/*"}}, true},
		{"image", "GET", http.Header{"Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"image"}, "Accept": {"image/*"}}, false},
		{"websocket", "GET", http.Header{"Sec-Fetch-Mode": {"websocket"}}, false},
		{"only Sec-Fetch-Dest", "GET", http.Header{"Sec-Fetch-Dest": {"empty"}, "Accept": {"text/html"}}, false},
		{"old browser", "GET", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}}, true},
		{"old browser in another case", "GET", http.Header{"Accept": {"Text/HTML"}}, true},
		{"HTML refused", "GET", http.Header{"Accept": {"application/json,text/html;q=0"}}, false},
		{"JSON", "GET", http.Header{"Accept": {"application/json"}}, false},
		{"curl", "GET", http.Header{"Accept": {"*/*"}}, false},
		{"nothing", "GET", http.Header{}, false},
		{"jQuery", "GET", http.Header{"Accept": {"application/json, text/javascript, */*; q=0.01"}, "X-Requested-With": {"XMLHttpRequest"}}, false},
		{"script, POST", "POST", script, false},
		{"curl, POST", "POST", http.Header{"Accept": {"*/*"}}, false},
		{"fetch that accepts HTML, POST", "POST", http.Header{"Sec-Fetch-Mode": {"cors"}, "Accept": {"text/html"}}, false},
		{"OPTIONS", "OPTIONS", http.Header{}, false},
	} {
		p := w.newBrowser().send(row.method, a.base+"/notes?x=1", row.header, nil)
		if vary := p.header.Get("Vary"); !strings.Contains(vary, "Cookie") || !strings.Contains(vary, "Accept") || !strings.Contains(vary, "Sec-Fetch-Mode") {
			t.Errorf("%s: Vary %q", row.name, vary)
		}
		if p.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", row.name, p.header.Get("Cache-Control"))
		}
		if row.redirect {
			if p.status != 303 || p.location() != "/auth/login?return_to=%2Fnotes%3Fx%3D1" {
				t.Errorf("%s: %d %s, want a redirect", row.name, p.status, p.location())
			}
			continue
		}
		var body struct {
			Error    string
			LoginURL string `json:"login_url"`
		}
		err := json.Unmarshal([]byte(p.body), &body)
		if p.status != 401 || err != nil || body.Error != "login_required" || body.LoginURL != "/auth/login" || p.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s %q, want 401", row.name, p.status, p.body, p.header.Get("WWW-Authenticate"))
		}
	}
}

// TestFormWithoutSession: who sends a form and has no session any more is told
// on a page that stays, since the browser can send the form again from there.
func TestFormWithoutSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	for _, row := range []struct {
		name, target string
		header       http.Header
		login        string
	}{
		{"the app's form", "/notes?x=1", navigation, "/auth/login"},
		{"an old browser's", "/notes", http.Header{"Accept": {"text/html"}}, "/auth/login"},
		{"a sign-out everywhere", "/auth/logout", navigation, "/auth/login"},
	} {
		p := w.newBrowser().send(http.MethodPost, a.base+row.target, row.header, url.Values{"text": {"abc"}, "everywhere": {"1"}})
		if p.status != 401 || !strings.Contains(p.body, "Your sign-in has ended") || p.header.Get("WWW-Authenticate") == "" || p.header.Get("Cache-Control") != "no-store" ||
			!strings.Contains(p.body, `href="`+row.login+`" target="_blank" rel="noopener"`) {
			t.Errorf("%s: %d %s", row.name, p.status, p.body)
		}
		if p := w.newBrowser().send(http.MethodPost, a.base+row.target, korean(row.header), url.Values{"everywhere": {"1"}}); !strings.Contains(p.body, "새 탭에서 로그인") {
			t.Errorf("%s: %s", row.name, p.body)
		}
	}
}

func korean(h http.Header) http.Header {
	h = h.Clone()
	h.Set("Accept-Language", "ko-KR,ko;q=0.9")
	return h
}

// TestAttackHeaderSpoofing: no request header decides where a browser is sent,
// which cookies are set, or who it is.
func TestAttackHeaderSpoofing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	absolute := regexp.MustCompile(`https?://`)
	for _, row := range []struct{ name, value string }{
		{"Host", "evil.example"}, {"X-Forwarded-Host", "evil.example"}, {"X-Forwarded-Proto", "http"}, {"X-Forwarded-Port", "8080"},
		{"X-Forwarded-Uri", "//evil.example/"}, {"X-Forwarded-Prefix", "//evil.example"}, {"X-Forwarded-Server", "evil.example"},
		{"X-Original-Url", "https://evil.example/"}, {"X-Rewrite-Url", "/auth/logged-out"}, {"X-Original-Uri", "//evil.example"},
		{"Forwarded", `for=1;host=evil.example;proto=http`}, {"X-Host", "evil.example"}, {"Referer", "https://evil.example/"}, {"Origin", "https://evil.example"},
		{"X-Forwarded-User", "admin"}, {"X-Forwarded-Email", "hong@personal.example"}, {"X-Auth-Request-User", "admin"}, {"X-Real-Ip", "127.0.0.1"},
		{"Remote-User", "admin"}, {"X-Amzn-Oidc-Data", "eyJhbGciOiJub25lIn0.e30."}, {"X-Forwarded-Access-Token", "x"}, {"X_Forwarded_User", "admin"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := w.newBrowser()
			h := maps.Clone(navigation)
			h[row.name] = []string{row.value}
			send := func(target string) page {
				if row.name != "Host" {
					return b.send(http.MethodGet, target, h, nil)
				}
				// By hand: a client's cookie jar goes by the Host header too.
				u, _ := url.Parse(target)
				req := httptest.NewRequest(http.MethodGet, u.RequestURI(), nil)
				req.Header, req.Host = maps.Clone(navigation), row.value
				for _, c := range b.jar.Cookies(u) {
					req.AddCookie(c)
				}
				rec := httptest.NewRecorder()
				a.mux.ServeHTTP(rec, req)
				b.jar.SetCookies(u, rec.Result().Cookies())
				return page{target, rec.Code, rec.Header(), ""}
			}
			if p := send(a.base + "/notes"); p.status != 303 || p.location() != "/auth/login?return_to=%2Fnotes" {
				t.Errorf("Require: %d %s", p.status, p.location())
			}
			p := send(a.base + "/auth/login?return_to=%2Fnotes")
			u, err := url.Parse(p.location())
			if err != nil || p.status != 303 || !strings.HasPrefix(p.location(), w.pool.URL()+"/") || u.Query().Get("redirect_uri") != appBase+"/auth/callback" {
				t.Fatalf("login: %d %s", p.status, p.location())
			}
			callback := b.callback(a, "/notes")
			if p := send(callback); p.status != 303 || p.location() != "/notes" || absolute.MatchString(p.location()) {
				t.Errorf("callback: %d %s", p.status, p.location())
			}
			if !b.signedIn(a) {
				t.Error("not signed in")
			}
			if strings.Contains(p.location(), "evil") {
				t.Error("the header reached a Location")
			}
		})
	}
}

// TestAttackRequestTarget: forms of the request line cannot become a return-to
// elsewhere.
func TestAttackRequestTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	protected := a.login.Require(http.NotFoundHandler())
	for target, want := range map[string]string{
		"/notes":                        "/auth/login?return_to=%2Fnotes",
		"//evil.example/":               "/auth/login",
		"https://evil.example/x":        "/auth/login?return_to=%2Fx",
		"/%2fevil.example":              "/auth/login",
		`/\evil.example`:                "/auth/login",
		"/a/../b":                       "/auth/login",
		"/a%0d%0aX:1":                   "/auth/login",
		"/auth/logout":                  "/auth/login",
		"/" + strings.Repeat("a", 3000): "/auth/login",
		"*":                             "/auth/login",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RequestURI = target
		if u, err := url.ParseRequestURI(target); err == nil {
			r.URL = u
		}
		r.Header = maps.Clone(navigation)
		rec := httptest.NewRecorder()
		protected.ServeHTTP(rec, r)
		if rec.Code != 303 || rec.Header().Get("Location") != want {
			t.Errorf("%.40q: %d %q, want %q", target, rec.Code, rec.Header().Get("Location"), want)
		}
	}
	// http.StripPrefix changes r.URL, and the browser knows nothing of it.
	r := httptest.NewRequest(http.MethodGet, "/board/notes?x=1", nil)
	r.Header = maps.Clone(navigation)
	rec := httptest.NewRecorder()
	http.StripPrefix("/board", protected).ServeHTTP(rec, r)
	if got := rec.Header().Get("Location"); got != "/auth/login?return_to=%2Fboard%2Fnotes%3Fx%3D1" {
		t.Errorf("behind StripPrefix: %q", got)
	}
}

// TestMe: JSON for the app's own front end, and for no other origin.
func TestMe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	get := func(site string) page {
		h := maps.Clone(script)
		h.Set("Sec-Fetch-Site", site)
		return b.send(http.MethodGet, a.base+"/auth/me", h, nil)
	}
	if p := get("same-origin"); p.status != 401 || !strings.Contains(p.body, `"login_url":"/auth/login"`) || p.location() != "" {
		t.Errorf("nobody: %d %s", p.status, p.body)
	}
	if p := b.send(http.MethodGet, a.base+"/auth/me", navigation, nil); p.status != 401 {
		t.Errorf("nobody, navigation: %d", p.status)
	}
	b.signIn(a)
	p := get("same-origin")
	var me map[string]any
	if err := json.Unmarshal([]byte(p.body), &me); err != nil || p.status != 200 || me["sub"] == "" || me["name"] != "홍길동" || me["email"] != hong.Email || me["emailVerified"] != nil {
		t.Errorf("%d %s", p.status, p.body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": "",
		"Vary": "Cookie, Sec-Fetch-Site",
	} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, site := range []string{"cross-site", "same-site"} {
		if p := get(site); p.status != 403 || strings.Contains(p.body, hong.Email) {
			t.Errorf("%s: %d %s", site, p.status, p.body)
		}
	}
	if p := b.send(http.MethodPost, a.base+"/auth/me", script, nil); p.status != 405 {
		t.Errorf("POST: %d", p.status)
	}
	off := w.newApp(appBase, a.sameSessions, func(c *middleware.LoginConfig) { c.ServeMe = false })
	if p := b.send(http.MethodGet, off.base+"/auth/me", script, nil); p.status != 404 {
		t.Errorf("not enabled: %d", p.status)
	}
}

// TestProtectedPagesAreNotStored: the back button after signing out.
func TestProtectedPagesAreNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	if p := b.send(http.MethodGet, a.base+"/open", navigation, nil); p.header.Get("Cache-Control") != "" || !strings.Contains(p.header.Get("Vary"), "Cookie") {
		t.Errorf("nobody's page: %v", p.header)
	}
	b.signIn(a)
	for _, path := range []string{"/", "/open"} {
		if p := b.send(http.MethodGet, a.base+path, navigation, nil); p.header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("%s: Cache-Control %q", path, p.header.Get("Cache-Control"))
		}
	}
}
