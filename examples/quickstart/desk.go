package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

// event is something to go to, as the API shows it to one person.
type event struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	When  string `json:"when"`
	Going int    `json:"going"`
	Mine  bool   `json:"mine"`
}

// events are the desk's data: who goes where, by userId.
type events struct {
	list []event // not changed

	mu    sync.Mutex                     // guards going
	going map[string]map[sso.UserID]bool // event → who
}

func newEvents() *events {
	return &events{
		list: []event{
			{ID: "welcome", Title: "Welcome dinner · 신입생 환영회", When: "Fri 18:00, student hall"},
			{ID: "hike", Title: "Hike to Gwanaksan · 관악산 등산", When: "Sat 09:00, main gate"},
			{ID: "talk", Title: "Talk: one sign-in for every app", When: "Tue 16:30, room 301"},
		},
		going: map[string]map[sso.UserID]bool{"welcome": {"1003": true, "1004": true}, "hike": {"1003": true}},
	}
}

func (e *events) of(id sso.UserID) []event {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []event
	for _, x := range e.list {
		x.Going, x.Mine = len(e.going[x.ID]), e.going[x.ID][id]
		out = append(out, x)
	}
	return out
}

// guests returns who goes where.
func (e *events) guests() map[string][]sso.UserID {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string][]sso.UserID{}
	for _, x := range e.list {
		out[x.ID] = slices.Sorted(maps.Keys(e.going[x.ID]))
	}
	return out
}

// join reports whether there is such an event.
func (e *events) join(eventID string, id sso.UserID) bool {
	if !slices.ContainsFunc(e.list, func(x event) bool { return x.ID == eventID }) {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.going[eventID] == nil {
		e.going[eventID] = map[sso.UserID]bool{}
	}
	e.going[eventID][id] = true
	return true
}

// me is what the API says about the bearer of a token.
type me struct {
	UserID  sso.UserID `json:"userId"`
	GoingTo []string   `json:"goingTo"`
}

func (e *events) me(id sso.UserID) me {
	m := me{UserID: id, GoingTo: []string{}}
	for _, x := range e.of(id) {
		if x.Mine {
			m.GoingTo = append(m.GoingTo, x.Title)
		}
	}
	return m
}

// deskHandler is the event desk: an API behind bearer tokens, and a web app
// that is a client of it, as the board is.
func (w *world) deskHandler(ctx context.Context, weaken func(*sso.Config)) (http.Handler, error) {
	data := newEvents()
	// The API serves both apps; the list of guests is for the desk's own staff page alone.
	both, err := w.newBearer(ctx, weaken, w.board.clientID, w.desk.clientID)
	if err != nil {
		return nil, err
	}
	deskOnly, err := w.newBearer(ctx, weaken, w.desk.clientID)
	if err != nil {
		return nil, err
	}
	mux := w.routes(w.desk)
	w.addDeskAPI(mux, data, both, deskOnly)
	w.addDeskPages(mux)
	return mux, nil
}

// addDeskAPI adds what other programs ask.
func (w *world) addDeskAPI(mux *http.ServeMux, data *events, both, deskOnly *middleware.Bearer) {
	mux.Handle("GET /api/me", both.Require(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		id, _ := middleware.UserID(r.Context())
		writeJSON(rw, data.me(id))
	})))
	mux.Handle("GET /api/events", both.Require(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		id, _ := middleware.UserID(r.Context())
		writeJSON(rw, data.of(id))
	})))
	mux.Handle("POST /api/events/{event}/join", both.Require(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		id, _ := middleware.UserID(r.Context())
		if !data.join(r.PathValue("event"), id) {
			http.Error(rw, "there is no such event", http.StatusNotFound)
			return
		}
		writeJSON(rw, data.me(id))
	})))
	mux.Handle("GET /api/guests", deskOnly.Require(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		writeJSON(rw, data.guests())
	})))
}

// addDeskPages adds what people look at.
func (w *world) addDeskPages(mux *http.ServeMux) {
	mux.Handle("GET /{$}", w.desk.login.Optional(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		v := w.newView(r, w.desk)
		v.SignIn.Title = "Hello! Coming to an event?"
		v.SignIn.Text = "The event desk is another app, with a sign-in of its own. If the board knows you already, it will not ask."
		if v.Me != nil {
			w.fillEvents(r.Context(), &v)
		}
		w.show(rw, http.StatusOK, "desk", v)
	})))
	login := w.desk.login
	mux.Handle("POST /join", login.RequireSameOrigin(login.Require(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, err := w.callDesk(r.Context(), http.MethodPost, "/api/events/"+url.PathEscape(r.PostFormValue("event"))+"/join"); err != nil {
			w.problem(rw, w.desk, http.StatusBadGateway, "Not joined", "The desk's API did not take it: "+err.Error()+".")
			return
		}
		http.Redirect(rw, r, "/", http.StatusSeeOther)
	}))))
}

// newBearer is all it takes to protect an API.
func (w *world) newBearer(ctx context.Context, weaken func(*sso.Config), clientIDs ...string) (*middleware.Bearer, error) {
	cfg := w.pool.VerifierConfig(clientIDs...)
	if weaken != nil {
		weaken(&cfg)
	}
	v, err := sso.NewVerifier(cfg)
	if err != nil {
		return nil, err
	}
	if err := v.Preload(ctx); err != nil {
		return nil, err
	}
	return middleware.NewBearer(v, middleware.BearerConfig{RequireUserID: true})
}

func (w *world) fillEvents(ctx context.Context, v *view) {
	v.API = w.askDesk(ctx, "/api/events")
	if v.API.Problem != "" {
		return
	}
	if err := json.Unmarshal([]byte(v.API.Body), &v.Events); err != nil {
		v.API.Problem = "The desk's API answered in another form."
	}
}

func writeJSON(rw http.ResponseWriter, v any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(rw)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
}
