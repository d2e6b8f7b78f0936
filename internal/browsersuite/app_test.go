package browsersuite_test

import (
	"encoding/json"
	"html/template"
	"net/http"
	"sync"

	"github.com/ssu-itsupport/cognito-sso/internal/browsertest"
	"github.com/ssu-itsupport/cognito-sso/middleware"
)

// app is a web app with a login. Its pages:
//
//	/        and what is below: private, who it is, a secret, and signing out
//	/open    for anybody: how to sign in
//	/notes   private: a form, and what it was sent
//	/api     private: JSON
//	/bare    for anybody: nothing
type app struct {
	w        *world
	id, base string
	login    *middleware.Login

	mu    sync.Mutex
	notes []string
}

const secret = "Your grade is A+"

var appPages = template.Must(template.New("").Parse(`
{{define "head"}}<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{.App}}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><h1 id="app">{{.App}}</h1>{{end}}
{{define "private"}}{{template "head" .}}
<p id="who">{{.Name}}</p><p id="secret">{{.Secret}}</p><p id="path">{{.Path}}</p>
<p><a id="notes" href="/notes">Notes</a> <a id="next" href="/next">Next</a></p>
<form method="post" action="/auth/logout"><button id="sign-out">Sign out</button></form>
{{end}}
{{define "open"}}{{template "head" .}}
{{with .Name}}<p id="who">{{.}}</p>{{else}}<p id="nobody">Nobody is signed in.</p>
<p><a id="signin" href="/auth/login?return_to=/next%3Fa%3D1">Sign in</a></p>
<p><a id="kakao" href="/auth/login?identity_provider=Kakao">Kakao</a></p>
<p><a id="google" href="/auth/login?identity_provider=Google">Google</a></p>
<p><a id="naver" href="/auth/login?identity_provider=Naver">Naver</a></p>
<p><a id="silent" href="/auth/login?prompt=none&amp;return_to=/open">Silently</a></p>{{end}}
{{end}}
{{define "notes"}}{{template "head" .}}
{{with .Saved}}<p id="saved">{{.}}</p>{{end}}
<form method="post" action="/notes"><textarea id="text" name="text"></textarea><button id="save">Save</button></form>
{{end}}`))

type view struct{ App, Name, Secret, Path, Saved string }

func (a *app) start(cfg worldConfig) {
	a.w.t.Helper()
	a.login = a.w.newLogin(a.id, a.base, cfg.login)
	show := func(name string, fill func(*http.Request, *view)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v := view{App: a.id, Path: r.URL.RequestURI()}
			if token, ok := middleware.Token(r.Context()); ok {
				v.Name, v.Secret = token.Name, secret
			}
			fill(r, &v)
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_ = appPages.ExecuteTemplate(w, name, v)
		})
	}
	nothing := func(*http.Request, *view) {}
	mux := http.NewServeMux()
	mux.Handle("/auth/", a.login)
	mux.Handle("/", a.login.Require(show("private", nothing)))
	mux.Handle("/open", a.login.Optional(show("open", nothing)))
	mux.Handle("/bare", show("head", nothing))
	mux.Handle("/notes", http.NewCrossOriginProtection().Handler(a.login.Require(show("notes", a.note))))
	mux.Handle("/api", a.login.Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"secret": secret})
	})))
	mux.HandleFunc("/favicon.ico", http.NotFound)
	a.w.serve(a.base, mux)
}

// note keeps what the form was sent.
func (a *app) note(r *http.Request, v *view) {
	if r.Method != http.MethodPost {
		return
	}
	v.Saved = r.PostFormValue("text")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.notes = append(a.notes, v.Saved)
}

func (a *app) saved() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.notes)
}

// beginKakao opens a private page and stops at Kakao's own.
func (a *app) beginKakao(tab *browsertest.Tab, path string) {
	a.w.t.Helper()
	tab.Open(a.base + path)
	tab.WantAt(a.w.domain + "/login?")
	tab.Click(viaKakao)
	tab.WantAt(a.w.domain + "/_idp/Kakao/")
}

// signIn signs hong in through Kakao and ends at the path.
func (a *app) signIn(tab *browsertest.Tab, path string) {
	a.w.t.Helper()
	a.beginKakao(tab, path)
	tab.Click(person(0))
	a.wantIn(tab, path)
}

// wantIn checks that the tab shows the private page of hong.
func (a *app) wantIn(tab *browsertest.Tab, path string) {
	a.w.t.Helper()
	tab.WantText("#who", hong.Name)
	tab.WantText("#app", a.id)
	if at := tab.At(); at != a.base+path {
		tab.Fail("the browser is not at %s of %s", path, a.id)
	}
}

// wantAsked opens a private page and checks that the pool asks who it is.
func (a *app) wantAsked(tab *browsertest.Tab, path string) {
	a.w.t.Helper()
	tab.Open(a.base + path)
	tab.WantAt(a.w.domain + "/login?")
	tab.See(viaKakao)
}

const viaKakao = `a[href*="identity_provider=Kakao"]`

// person is the button of one of the people on a provider's page.
func person(i int) string { return `button[name="person"][value="` + string(rune('0'+i)) + `"]` }
