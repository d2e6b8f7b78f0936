package middleware

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	_ "embed" // for the template and its style
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

//go:embed pages/page.html
var pageHTML string

//go:embed pages/style.css
var pageStyle string

var pageTemplate = template.Must(template.New("page").
	Funcs(template.FuncMap{"style": func() template.CSS { return template.CSS(pageStyle) }}). //nolint:gosec // a constant
	Parse(pageHTML))

// PageKind names one of Login's pages. Later versions may add kinds: a template
// should show a kind that it does not know by its texts.
type PageKind string

// The pages. What each says is in Page.Title and Page.Text.
const (
	PageChoose       PageKind = "choose"        // which provider to sign in with: LoginConfig.Providers
	PageLoggedOut    PageKind = "logged-out"    // signed out
	PageAgain        PageKind = "again"         // the sign-in took too long, or its page was opened twice
	PageExpired      PageKind = "expired"       // a form was sent without a session: it can be sent again
	PageNotFresh     PageKind = "not-fresh"     // a form was sent that needs a newer sign-in: it can be sent again
	PageCancelled    PageKind = "cancelled"     // the person cancelled
	PageRefused      PageKind = "refused"       // Cognito, a trigger or the provider refused
	PageLoop         PageKind = "loop"          // sign-ins succeed and their session does not come back
	PageFreshLoop    PageKind = "fresh-loop"    // sign-ins succeed, and a newer one is asked for all the same
	PageLogout       PageKind = "logout"        // asks, since only a POST signs out
	PageLogoutFailed PageKind = "logout-failed" // the session store is out of reach
	PageCrossOrigin  PageKind = "cross-origin"  // another site tried to sign the person out
	PageOtherSite    PageKind = "other-site"    // another site sent a request to the app: RequireSameOrigin
	PageForbidden    PageKind = "forbidden"     // signed in, without the right
	PageUnavailable  PageKind = "unavailable"   // Cognito, its keys or the store are out of reach
	PageBadRequest   PageKind = "bad-request"   // parameters that Login does not take
	PageMethod       PageKind = "method"        // a method that the address does not take
	PageNotFound     PageKind = "not-found"     // no such route under the prefix
	PageError        PageKind = "error"         // a fault of the app or its configuration
)

// Page is what one of Login's pages shows, for a template of LoginConfig.Pages.
// It holds fixed texts and paths of this app, and nothing that Cognito said: no
// token, no name, no error text.
type Page struct {
	Kind PageKind
	// Status is the HTTP status of the answer.
	Status int
	// Lang is the language of the texts, "en" or "ko", for the lang attribute.
	Lang string
	// Title is the heading, Text what is under it, a string for each paragraph.
	Title string
	Text  []string
	// Action is the label of the page's button and ActionURL where it leads;
	// both are "" on a page without one. With Post the button is that of a form
	// with method="post", and sending it by a link would do nothing.
	Action, ActionURL string
	Post              bool
	// NewTab has the link of the button open beside this page, which has to
	// stay: <a target="_blank" rel="noopener">.
	NewTab bool
	// Providers are the buttons of PageChoose.
	Providers []ProviderLink
	// HomeLabel and HomeURL are of a link to the app's start page.
	HomeLabel, HomeURL string
	// Nonce allows a style element: <style nonce="{{.Nonce}}">. Style
	// attributes and scripts are not allowed; see LoginConfig.Pages.
	Nonce string
}

const (
	// policyStart is common to all pages. It leaves out form-action: browsers
	// apply that to the redirects that follow a form too, and signing out goes
	// through Cognito and possibly an identity provider.
	policyStart = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src "
	// templatePolicy is what pages of the app's own may load beside the style
	// of their nonce. No scripts: a page may be at the address of a callback.
	templatePolicy = " 'self'; img-src 'self' data:; font-src 'self'"
)

// contentPolicy allows a page of ours its own style and nothing else.
var contentPolicy = func() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return policyStart + "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

// pageData is what a page can vary in: paths of this app alone.
type pageData struct {
	// LoginURL is behind the page's button, if there is one.
	LoginURL string
	// LogoutURL is where the page's button posts to instead.
	LogoutURL string
	// NewTab leaves this page open.
	NewTab bool
	// Providers are the buttons of PageChoose.
	Providers []ProviderLink
}

func newPage(kind PageKind, lang language, status int, data pageData) Page {
	text := pageTexts[kind][lang]
	p := Page{
		Kind:      kind,
		Status:    status,
		Lang:      string(lang),
		Title:     text.Title,
		Text:      text.Paragraphs,
		Providers: data.Providers,
		HomeLabel: homeTexts[lang],
		HomeURL:   defaultReturnTo,
	}
	switch {
	case text.Action == "":
	case data.LogoutURL != "":
		p.Action, p.ActionURL, p.Post = text.Action, data.LogoutURL, true
	case data.LoginURL != "":
		p.Action, p.ActionURL, p.NewTab = text.Action, data.LoginURL, data.NewTab
	}
	return p
}

// page writes one of Login's pages in the browser's language.
func (l *Login) page(w http.ResponseWriter, r *http.Request, status int, kind PageKind, data pageData) {
	p := newPage(kind, languageOf(r), status, data)
	body, policy, err := l.render(&p)
	if err != nil {
		// Not its text: the app's template may have put anything into it.
		l.log.ErrorContext(r.Context(), "sso: LoginConfig.Pages failed; the built-in page is shown", "page", string(kind))
		body, policy = builtInPage(&p), contentPolicy
	}
	h := w.Header()
	addVary(h, "Accept-Language")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", p.Lang)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// A page may be at the address of a callback, with its code. The sign-out
	// form needs the referrer's origin, or old browsers send "Origin: null".
	if p.Post {
		h.Set("Referrer-Policy", "same-origin")
	} else {
		h.Set("Referrer-Policy", "no-referrer")
	}
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// render makes the body of a page, and the policy it needs.
func (l *Login) render(p *Page) (body []byte, policy string, err error) {
	if l.pages == nil {
		return builtInPage(p), contentPolicy, nil
	}
	p.Nonce = rand.Text()
	var b bytes.Buffer
	if err := l.pages.Execute(&b, *p); err != nil {
		return nil, "", err
	}
	return b.Bytes(), policyStart + "'nonce-" + p.Nonce + "'" + templatePolicy, nil
}

func builtInPage(p *Page) []byte {
	var b bytes.Buffer
	// It cannot fail: a test makes every page, and a buffer takes everything.
	_ = pageTemplate.Execute(&b, *p)
	return b.Bytes()
}

// checkPages makes every page once with the app's template, in both languages,
// so that a mistake in it is found at start-up and not by somebody whose
// sign-in fails.
func checkPages(t *template.Template) error {
	if t == nil {
		return nil
	}
	for _, kind := range slices.Sorted(maps.Keys(pageTexts)) {
		for _, lang := range languages {
			for _, data := range samplePages {
				if problem := checkPage(t, newPage(kind, lang, http.StatusOK, data)); problem != "" {
					return &sso.ConfigError{Field: "LoginConfig.Pages", Problem: fmt.Sprintf("on page %q: %s", kind, problem)}
				}
			}
		}
	}
	return nil
}

// checkPage returns what is wrong with a template, seen on one page.
func checkPage(t *template.Template, p Page) (problem string) {
	p.Nonce = rand.Text()
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return "fails: " + err.Error()
	}
	body := b.Bytes()
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return "makes nothing"
	case !bytes.Contains(body, []byte(p.ActionURL)):
		return "leaves out ActionURL: nobody could go on from it"
	}
	for _, link := range p.Providers {
		if !bytes.Contains(body, []byte(link.URL)) {
			return "leaves out Providers: nobody could sign in"
		}
	}
	return ""
}

// samplePages are the forms a page may take. Their URLs have nothing that
// html/template would write in another way.
var samplePages = []pageData{
	{},
	{LoginURL: defaultPrefix + "/login/sample"},
	{LogoutURL: defaultPrefix + "/logout/sample"},
	{Providers: []ProviderLink{{"Kakao", "Kakao", "/sample/kakao"}, {"Google", "Google", "/sample/google"}}},
}
