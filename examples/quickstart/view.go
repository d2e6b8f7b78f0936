package main

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

//go:embed pages
var pageFiles embed.FS

var templates = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// view is what a page shows. Me is nil for a visitor who is not signed in.
type view struct {
	App, Other appView
	PoolURL    string
	SignIn     signInView
	Me         *meView
	Row        []field
	RowProblem string
	LastLogin  string
	Triggers   []triggerView
	SignOut    string
	API        apiView
	Posts      []note
	Events     []event
	// Title and Text are of a page that says what went wrong.
	Title, Text string
}

type appView struct{ Key, Name, Korean, URL string }

type signInView struct{ Title, Text, Any, Kakao, Google string }

type meView struct {
	Name, Via string
	UserID    sso.UserID
}

type field struct{ Name, Value string }

type triggerView struct {
	Source, Words, App, Took string
	Failed                   bool
}

// newView fills in what both apps show about whoever is signed in.
func (w *world) newView(r *http.Request, a *app) view {
	other := w.board
	if a == w.board {
		other = w.desk
	}
	v := view{App: a.view(), Other: other.view(), PoolURL: w.pool.URL(), SignOut: "/auth/logout"}
	v.SignIn.Any, v.SignIn.Kakao, v.SignIn.Google = signInLinks()
	token, ok := middleware.Token(r.Context())
	if !ok {
		return v
	}
	v.Me = &meView{Name: cmp.Or(token.Name, token.Email, "somebody without a name"), UserID: token.UserID, Via: via(token)}
	v.Triggers = w.triggersOf(token.Username)
	w.fillRow(r, token.UserID, &v)
	return v
}

func (a *app) view() appView { return appView{a.key, a.name, a.korean, a.url} }

// via says which account somebody came with.
func via(t sso.Token) string {
	ids := t.Identities()
	if len(ids) == 0 {
		return "a user of the pool itself"
	}
	return fmt.Sprintf("%s account %s", ids[0].Provider, ids[0].UserID)
}

// fillRow looks the row up by the token's userId, as any code of the
// organisation would that has its own tables.
func (w *world) fillRow(r *http.Request, id sso.UserID, v *view) {
	v.LastLogin = "never yet"
	u, err := w.backend.users.Get(r.Context(), id.String())
	switch {
	case errors.Is(err, users.ErrNotFound):
		v.RowProblem = "The table has no row with my userId."
		return
	case err != nil:
		w.log.ErrorContext(r.Context(), "reading the user table", "error", err)
		v.RowProblem = "The table cannot be read just now."
		return
	}
	v.Row = []field{
		{"id", u.ID}, {"name", u.Name}, {"email", u.Email},
		{"kakao_id", u.Providers["Kakao"]}, {"google_id", u.Providers["Google"]},
		{"cognito_sub", u.Sub}, {"created_at", clock(u.Created)}, {"last_login_at", clock(u.LastLogin)},
	}
	v.LastLogin = cmp.Or(clock(u.LastLogin), v.LastLogin)
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// triggerWords explain the triggers that are called here.
var triggerWords = map[string]string{
	"PreSignUp_ExternalProvider":        "Somebody new: may they sign up?",
	"PostConfirmation_ConfirmSignUp":    "They are in: link or create their row, note the first login.",
	"PreAuthentication_Authentication":  "Somebody known: may they sign in?",
	"PostAuthentication_Authentication": "They signed in: put a message into the queue.",
	"TokenGeneration_HostedAuth":        "Put the userId into the tokens.",
	"TokenGeneration_RefreshTokens":     "Put the userId into renewed tokens.",
}

// maxTriggers is how many calls a page shows.
const maxTriggers = 9

// triggersOf returns the latest trigger calls for one user of the pool.
func (w *world) triggersOf(username string) []triggerView {
	var found []triggerView
	for _, c := range slices.Backward(w.pool.TriggerCalls()) {
		if c.Username != username {
			continue
		}
		found = append(found, w.triggerView(c))
		if len(found) == maxTriggers {
			break
		}
	}
	slices.Reverse(found)
	return found
}

func (w *world) triggerView(c ssotest.TriggerCall) triggerView {
	t := triggerView{
		Source: c.Source, Words: cmp.Or(triggerWords[c.Source], "—"), App: c.ClientID,
		Took: fmt.Sprintf("%.1f ms", millis(c.Duration)), Failed: c.Err != nil,
	}
	for _, a := range []*app{w.board, w.desk} {
		if c.ClientID == a.clientID {
			t.App = strings.ToLower(a.name)
		}
	}
	return t
}

// show answers with a page.
func (w *world) show(rw http.ResponseWriter, status int, name string, v view) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, v); err != nil {
		w.log.Error("page", "name", name, "error", err)
		http.Error(rw, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	h := rw.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	rw.WriteHeader(status)
	_, _ = rw.Write(b.Bytes())
}

// problem answers with a page that says what went wrong.
func (w *world) problem(rw http.ResponseWriter, a *app, status int, title, text string) {
	other := w.board
	if a == w.board {
		other = w.desk
	}
	w.show(rw, status, "problem", view{App: a.view(), Other: other.view(), PoolURL: w.pool.URL(), Title: title, Text: text})
}

func serveStyle(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Cache-Control", "no-cache")
	http.ServeFileFS(rw, r, pageFiles, "pages/style.css")
}
