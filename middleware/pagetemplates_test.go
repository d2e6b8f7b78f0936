package middleware_test

import (
	"errors"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

// ownPages is what an app may write.
const ownPages = `<!doctype html><html lang="{{.Lang}}"><head><title>{{.Title}} – Board</title>
<style nonce="{{.Nonce}}">body { color: #123 }</style></head><body data-kind="{{.Kind}}" data-status="{{.Status}}"><main><h1>{{.Title}}</h1>
{{range .Text}}<p>{{.}}</p>{{end}}{{range .Providers}}<a class="{{.Name}}" href="{{.URL}}">{{.Label}}</a>{{end}}
{{if .Post}}<form method="post" action="{{.ActionURL}}"><button>{{.Action}}</button></form>{{else if .Action}}<a href="{{.ActionURL}}">{{.Action}}</a>{{end}}
<a href="{{.HomeURL}}">{{.HomeLabel}}</a></main></body></html>`

func withPages(text string) func(*middleware.LoginConfig) {
	return func(c *middleware.LoginConfig) { c.Pages = template.Must(template.New("own").Parse(text)) }
}

// TestPagesOfTheApp: an app's template in the place of ours, with the same
// headers and a policy that allows what it needs and no script.
func TestPagesOfTheApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase, withPages(ownPages), twoProviders)
	b := w.newBrowser()
	nonces := map[string]bool{}
	for _, row := range []struct {
		path   string
		status int
		want   []string
	}{
		{"/auth/logged-out", 200, []string{`data-kind="logged-out"`, "You are signed out", `<a href="/auth/login">Sign in</a>`}},
		{"/auth/logout", 405, []string{`data-kind="logout"`, `<form method="post" action="/auth/logout"><button>Sign out</button></form>`}},
		{"/auth/login?return_to=%2Fa%3Fb%3D%3Cscript%3E", 200, []string{`data-kind="choose"`, `class="Kakao"`, "Google account", "return_to=%2Fa%3Fb%3D%3Cscript%3E"}},
		{"/auth/nothing", 404, []string{`data-kind="not-found"`, `data-status="404"`}},
		{"/auth/callback?error=access_denied&state=<script>", 400, []string{`data-kind="again"`}},
	} {
		p := b.send(http.MethodGet, a.base+row.path, navigation, nil)
		for _, want := range row.want {
			if p.status != row.status || !strings.Contains(p.body, want) {
				t.Errorf("%s: %d %s\nwants %s", row.path, p.status, p.body, want)
			}
		}
		if strings.Contains(p.body, "<script") {
			t.Errorf("%s: what the request said is markup", row.path)
		}
		policy := p.header.Get("Content-Security-Policy")
		nonce := regexp.MustCompile(`'nonce-([^']+)'`).FindStringSubmatch(policy)
		if len(nonce) < 2 || len(nonce[1]) < 22 || !strings.Contains(p.body, `nonce="`+nonce[1]+`"`) || nonces[nonce[1]] {
			t.Errorf("%s: nonce %v of %s", row.path, nonce, policy)
			continue
		}
		nonces[nonce[1]] = true
		if want := "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'nonce-" + nonce[1] + "' 'self'; img-src 'self' data:; font-src 'self'"; policy != want {
			t.Errorf("%s: policy %q, want %q", row.path, policy, want)
		}
		if p.header.Get("Cache-Control") != "no-store" || p.header.Get("X-Frame-Options") != "DENY" || p.header.Get("X-Content-Type-Options") != "nosniff" || p.header.Get("Referrer-Policy") == "" {
			t.Errorf("%s: headers %v", row.path, p.header)
		}
	}
}

// TestPageHoldsNothingPersonal: what a template is given for somebody who is
// signed in, and after an error of Cognito's.
func TestPageHoldsNothingPersonal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase, withPages(`{{printf "%#v" .}}`+ownPages))
	b := w.newBrowser()
	b.signIn(a)
	for _, p := range []page{
		b.send(http.MethodGet, a.base+"/group", navigation, nil),
		b.send(http.MethodPost, a.base+"/auth/logout", http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}, url.Values{}),
		b.send(http.MethodGet, a.base+"/auth/callback?error=invalid_request&error_description=PLANTED&state="+b.authorize(a, "/auth/login").Get("state"), navigation, nil),
	} {
		if p.status != 403 {
			t.Fatalf("%d %s", p.status, p.body)
		}
		body := regexp.MustCompile(`Nonce:&#34;[A-Z2-7]+&#34;|nonce="[A-Z2-7]+"`).ReplaceAllString(p.body, "")
		if found := secretText.FindString(body); found != "" {
			t.Errorf("a page has %q: %s", found, p.body)
		}
	}
}

// TestPagesAreChecked: a template that does not do is found at start-up.
func TestPagesAreChecked(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, problem string }{
		{"a field that is not there", strings.Replace(ownPages, ".Title", ".Heading", 1), "Heading"},
		{"wrong on one kind alone", ownPages + `{{if eq .Kind "loop"}}{{.Nothing}}{{end}}`, `page "loop"`},
		{"wrong in Korean alone", ownPages + `{{if eq .Lang "ko"}}{{index .Text 9}}{{end}}`, "index"},
		{"wrong with providers alone", ownPages + `{{range .Providers}}{{.Logo}}{{end}}`, `Logo`},
		{"a template that is not defined", ownPages + `{{template "footer" .}}`, "footer"},
		{"the button in an unfinished tag", `<a href=` + ownPages, "fails"},
		{"no button", strings.ReplaceAll(ownPages, "{{.ActionURL}}", "/"), "ActionURL"},
		{"no button of a form", strings.Replace(ownPages, `action="{{.ActionURL}}"`, `action=""`, 1), "ActionURL"},
		{"no providers", strings.Replace(ownPages, "{{.URL}}", "/", 1), "Providers"},
		{"nothing at all", "", "makes nothing"},
		{"nothing but a button", `{{.ActionURL}}{{range .Providers}}{{.URL}}{{end}}`, "makes nothing"},
		{"an empty template", `{{define "other"}}x{{end}}`, "makes nothing"},
		{"as it should be", ownPages, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.newApp(appBase)
			cfg := a.cfg
			cfg.Pages = template.Must(template.New("own").Parse(row.text))
			_, err := middleware.NewLogin(w.client("board", a), cfg)
			var wrong *sso.ConfigError
			switch {
			case row.problem == "" && err != nil:
				t.Errorf("refused: %v", err)
			case row.problem != "" && (!errors.As(err, &wrong) || wrong.Field != "LoginConfig.Pages" || !strings.Contains(wrong.Problem, row.problem)):
				t.Errorf("error %v, want one about %q", err, row.problem)
			}
		})
	}
}

// client makes the client of an app again.
func (w *world) client(id string, a *app) *sso.Client {
	w.t.Helper()
	cc := w.pool.ClientConfig(id)
	cc.RedirectURL, cc.LogoutURL = a.base+"/auth/callback", a.base+"/auth/logged-out"
	c, err := sso.NewClient(cc)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// TestPagesThatFailLater: a template whose own function fails at run time shows
// the page of this package, whole.
func TestPagesThatFailLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var broken atomic.Bool
	a := w.newApp(appBase, func(c *middleware.LoginConfig) {
		c.Pages = template.Must(template.New("own").Funcs(template.FuncMap{"menu": func() (string, error) {
			if broken.Load() {
				return "", errors.New("PLANTED")
			}
			return "menu", nil
		}}).Parse("<b>half a page</b>" + ownPages + "{{menu}}"))
	})
	broken.Store(true)
	p := w.newBrowser().send(http.MethodGet, a.base+"/auth/logged-out", navigation, nil)
	if p.status != 200 || !strings.Contains(p.body, "You are signed out") || strings.Contains(p.body, "half") || p.header.Get("Content-Security-Policy") != middleware.ContentPolicy {
		t.Errorf("%d %s", p.status, p.body)
	}
	if !strings.Contains(w.logs.String(), "LoginConfig.Pages failed") {
		t.Error("nobody is told")
	}
}

// TestProviders: the page for choosing, one provider alone, and links for an
// app's own pages.
func TestProviders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	many := w.newApp(appBase, twoProviders)
	korean := http.Header{"Accept-Language": {"ko"}, "Sec-Fetch-Mode": {"navigate"}}
	b := w.newBrowser()
	for _, row := range []struct {
		name, path string
		header     http.Header
		want       []string
	}{
		{"plain", "/auth/login", navigation, []string{`<a class="button" href="/auth/login?identity_provider=Kakao">Continue with Kakao</a>`, `<a class="button" href="/auth/login?identity_provider=Google">Google account</a>`}},
		{"Korean", "/auth/login", korean, []string{">카카오로 계속하기</a>", ">구글 계정</a>", `lang="ko"`}},
		{"with a return path", "/auth/login?return_to=%2Fa%26b", navigation, []string{`href="/auth/login?identity_provider=Kakao&amp;return_to=%2Fa%26b"`}},
		{"with a return path elsewhere", "/auth/login?return_to=https://evil.example", navigation, []string{`href="/auth/login?identity_provider=Kakao"`}},
		{"to sign in anew", "/auth/login?prompt=login&return_to=%2Fa", navigation, []string{`href="/auth/login?identity_provider=Kakao&amp;prompt=login&amp;return_to=%2Fa"`}},
	} {
		p := b.send(http.MethodGet, many.base+row.path, row.header, nil)
		for _, want := range row.want {
			if p.status != 200 || !strings.Contains(p.body, want) {
				t.Errorf("%s: %d %s\nwants %s", row.name, p.status, p.body, want)
			}
		}
		if len(b.flowCookies(many)) != 0 {
			t.Errorf("%s: a flow is kept before anybody has chosen", row.name)
		}
	}
	if p := b.send(http.MethodGet, many.base+"/auth/login?prompt=evil", navigation, nil); p.status != 400 {
		t.Errorf("an unknown prompt: %d", p.status)
	}
	if q := b.authorize(many, "/auth/login?identity_provider=Kakao&return_to=%2Fa"); q.Get("identity_provider") != "Kakao" {
		t.Errorf("a button: %v", q)
	}
	if q := b.authorize(many, "/auth/login?prompt=none"); q.Has("identity_provider") {
		t.Errorf("silently: %v", q)
	}
	one := w.newApp(appBase, func(c *middleware.LoginConfig) { c.Providers = []middleware.Provider{{Name: "Google"}} })
	if q := b.authorize(one, "/auth/login"); q.Get("identity_provider") != "Google" {
		t.Errorf("one alone: %v", q)
	}
	if q := b.authorize(one, "/auth/login?identity_provider=Kakao"); q.Get("identity_provider") != "Kakao" {
		t.Errorf("another of the client's: %v", q)
	}
	if q := b.authorize(one, "/auth/login?prompt=none"); q.Has("identity_provider") {
		t.Errorf("one alone, silently: %v", q)
	}

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Language", "ko-KR")
	links := many.login.ProviderLinks(r, "/notes")
	if want := (middleware.ProviderLink{Name: "Kakao", Label: "카카오로 계속하기", URL: "/auth/login?identity_provider=Kakao&return_to=%2Fnotes"}); len(links) != 2 || links[0] != want {
		t.Errorf("links %+v", links)
	}
}

func TestProvidersConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	for name, providers := range map[string][]middleware.Provider{
		"not the client's": {{Name: "Evil"}},
		"in another case":  {{Name: "kakao"}},
		"without a name":   {{English: "Sign in"}},
		"twice":            {{Name: "Kakao"}, {Name: "Google"}, {Name: "Kakao", English: "again"}},
	} {
		cfg := a.cfg
		cfg.Providers = providers
		_, err := middleware.NewLogin(w.client("board", a), cfg)
		var wrong *sso.ConfigError
		if !errors.As(err, &wrong) || wrong.Field != "LoginConfig.Providers" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Copied.
	cfg := a.cfg
	cfg.Providers = []middleware.Provider{{Name: "Kakao"}}
	l, err := middleware.NewLogin(w.client("board", a), cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Providers[0].Name = "Evil"
	if links := l.ProviderLinks(httptest.NewRequest(http.MethodGet, "/", nil), "/"); links[0].Name != "Kakao" {
		t.Error("the config is not copied")
	}
}
