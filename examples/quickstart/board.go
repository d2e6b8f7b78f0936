package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

// note is something that somebody left on the board.
type note struct {
	Text, Author string
	UserID       sso.UserID
}

// notes are the board's data: each one belongs to a userId.
type notes struct {
	mu  sync.Mutex // guards all
	all []note
}

const maxNotes = 5

func (n *notes) add(x note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append([]note{x}, n.all...)
	n.all = n.all[:min(len(n.all), maxNotes)]
}

func (n *notes) list() []note {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]note(nil), n.all...)
}

// apiView is what the desk's API answered.
type apiView struct{ Path, Body, Problem string }

// boardHandler is the community board: a web app whose pages are made on the
// server.
func (w *world) boardHandler() http.Handler {
	posts := &notes{all: []note{
		{"Lost: one blue umbrella, library, 2nd floor. 우산 찾습니다!", "박지우 Park Jiwoo", "1003"},
		{"Study group for the algorithms exam, Thursdays at six.", "최윤서 Choi Yunseo", "1004"},
	}}
	mux := w.routes(w.board)
	mux.Handle("GET /{$}", w.board.login.Optional(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		v := w.newView(r, w.board)
		v.SignIn.Title = "Hello! Who are you?"
		v.SignIn.Text = "The community board is where students leave notes. Sign in once, and the event desk knows you too."
		if v.Me != nil {
			v.Posts = posts.list()
			v.API = w.askDesk(r.Context(), "/api/me")
		}
		w.show(rw, http.StatusOK, "board", v)
	})))
	login := w.board.login
	mux.Handle("POST /posts", login.RequireSameOrigin(login.Require(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		text := strings.TrimSpace(r.PostFormValue("text"))
		if text == "" || utf8.RuneCountInString(text) > 140 {
			w.problem(rw, w.board, http.StatusBadRequest, "Not posted", "A note has 1 to 140 characters.")
			return
		}
		token, _ := middleware.Token(r.Context())
		posts.add(note{text, cmp.Or(token.Name, "somebody"), token.UserID})
		http.Redirect(rw, r, "/", http.StatusSeeOther)
	}))))
	return mux
}

// askDesk asks the desk's API on behalf of the person of the request, with the
// access token of their session. The browser takes no part in it.
func (w *world) askDesk(ctx context.Context, path string) apiView {
	a := apiView{Path: path}
	body, err := w.callDesk(ctx, http.MethodGet, path)
	if err != nil {
		w.log.ErrorContext(ctx, "asking the desk's API", "error", err)
		a.Problem = "The desk's API did not help: " + err.Error()
		return a
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, body, "", "  "); err != nil {
		a.Problem = "The desk's API answered something that is not JSON."
		return a
	}
	a.Body = pretty.String()
	return a
}

// callDesk calls the desk's API with the bearer token of the signed-in person.
func (w *world) callDesk(ctx context.Context, method, path string) ([]byte, error) {
	token, err := middleware.AccessToken(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, w.desk.url+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	res, body, err := send(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 300 {
		return nil, fmt.Errorf("it answered %s", res.Status)
	}
	return body, nil
}
