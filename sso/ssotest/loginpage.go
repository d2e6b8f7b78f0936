package ssotest

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// loginView is what the login page shows.
type loginView struct {
	ClientName string
	Providers  []providerLink
	Native     bool   // the form for username and password
	Action     string // where the form goes
	Page       string // the page session
	Username   string // as typed
	Problem    string
}

type providerLink struct{ Name, URL string }

// serveLogin is the page of managed login: GET shows it, POST takes a username and password.
func (h *hosted) serveLogin(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
		return
	}
	req, no := h.parseAuthorize(r.URL.RawQuery)
	if no != nil {
		refuse(w, no)
		return
	}
	if r.Method == http.MethodPost {
		h.signIn(w, r, req)
		return
	}
	now, id := h.p.now(), randomText()
	h.pages.put(now, id, pageSession{browser: browser(w, r)}, now.Add(pageLifetime))
	view := h.loginView(req)
	view.Page, view.Username = id, req.loginHint
	show(w, http.StatusOK, loginPage, view)
}

func (h *hosted) loginView(req *authorizeRequest) loginView {
	view := loginView{
		ClientName: req.client.ClientName,
		Native:     req.client.supports(nativeProvider),
		Action:     "/login?" + req.query,
	}
	if req.provider == nativeProvider {
		return view // identity_provider=COGNITO leaves out the buttons
	}
	for _, name := range req.client.SupportedIdentityProviders {
		if _, ok := h.p.provider(name); ok {
			view.Providers = append(view.Providers, providerLink{name, "/oauth2/authorize?" + withProvider(req.query, name)})
		}
	}
	return view
}

// withProvider is the query of the same request that goes straight to a provider.
func withProvider(query, provider string) string {
	values, _ := url.ParseQuery(query) // it was read before
	values.Set("identity_provider", provider)
	return values.Encode()
}

// signIn takes the form. What was typed wrong is said on the page; the username stays, and the page's
// five minutes go on.
func (h *hosted) signIn(w http.ResponseWriter, r *http.Request, req *authorizeRequest) {
	form, err := readForm(w, r)
	if err != nil {
		h.showSomethingWentWrong(w)
		return
	}
	page, ok := h.pages.get(h.p.now(), form.Get("page"))
	if !ok || !sameBrowser(r, page.browser) || !req.client.supports(nativeProvider) {
		h.showSomethingWentWrong(w)
		return
	}
	view := h.loginView(req)
	view.Page, view.Username = form.Get("page"), strings.TrimSpace(form.Get("username"))
	if view.Username == "" || form.Get("password") == "" {
		view.Problem = "Enter your username and your password."
		show(w, http.StatusBadRequest, loginPage, view)
		return
	}
	username, err := h.p.signInNative(r.Context(), req.client, view.Username, form.Get("password"))
	if err != nil {
		view.Problem = signInProblem(err)
		show(w, http.StatusBadRequest, loginPage, view)
		return
	}
	h.pages.drop(view.Page)
	h.answer(w, r, req, h.startSession(w, username, nativeProvider), true)
}

// signInProblem is what the page says above the form: the text of the API's error, or of the trigger.
func signInProblem(err error) string {
	var api *apiError
	var trigger *triggerError
	switch {
	case errors.As(err, &api):
		return api.Message
	case errors.As(err, &trigger):
		return trigger.Error()
	}
	return "Something went wrong. Try again."
}
