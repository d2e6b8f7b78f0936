package ssotest

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// federation is a sign-in that is away at an identity provider.
type federation struct {
	browser  string
	provider string
	req      *authorizeRequest
}

// assertion is what a stand-in vouches for; its code is exchanged at once, in this process.
type assertion struct {
	state string
	who   Person
}

// startFederation sends the browser to the provider's stand-in, with the parameters Cognito would send.
func (h *hosted) startFederation(w http.ResponseWriter, r *http.Request, req *authorizeRequest) {
	provider, ok := h.p.provider(req.provider)
	if !ok {
		refuse(w, req.refusal("invalid_request", "Unsupported identity_provider"))
		return
	}
	now, state := h.p.now(), randomText()
	h.federations.put(now, state, federation{browser(w, r), provider.Name, req}, now.Add(pageLifetime))
	pairs := []string{"response_type", "code", "scope", "openid", "state", state}
	if req.loginHint != "" && provider.Type == "OIDC" { // handed on to OIDC providers, not to Google
		pairs = append(pairs, "login_hint", req.loginHint)
	}
	if len(req.prompt) > 0 {
		pairs = append(pairs, "prompt", strings.Join(req.prompt, " "))
	}
	redirect(w, "/_idp/"+url.PathEscape(provider.Name)+"/authorize?"+encodePairs(pairs...))
}

// standInView is what a stand-in's page shows.
type standInView struct {
	Provider      Provider
	NumericIDs    bool
	VerifiesEmail bool
	Action, State string
	Typed         Person
	Problems      map[string]string
}

// serveStandIn is the page that takes the place of the provider's own login. A POST has one of the fields
//
//	cancel  anything: the person declines
//	person  the place in Provider.People, from 0
//	subject, name, email, email_verified  anybody else
//
// and state, as the page was given it.
func (h *hosted) serveStandIn(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
		return
	}
	provider, ok := h.p.provider(r.PathValue("provider"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	form := r.URL.Query()
	if r.Method == http.MethodPost {
		var err error
		if form, err = readForm(w, r); err != nil {
			h.showSomethingWentWrong(w)
			return
		}
	}
	state := form.Get("state")
	away, ok := h.federations.get(h.p.now(), state)
	if !ok || away.provider != provider.Name {
		h.showSomethingWentWrong(w)
		return
	}
	view := standInView{
		Provider:      provider,
		NumericIDs:    provider.numericIDs(),
		VerifiesEmail: provider.verifiesEmail(),
		Action:        "/_idp/" + url.PathEscape(provider.Name) + "/authorize",
		State:         state,
	}
	if r.Method != http.MethodPost {
		view.Typed.Email = form.Get("login_hint")
		show(w, http.StatusOK, standInPage, view)
		return
	}
	if form.Has("cancel") {
		redirect(w, "/oauth2/idpresponse?"+encodePairs("error", "access_denied", "state", state))
		return
	}
	who, problems := provider.person(form)
	if len(problems) > 0 {
		view.Typed, view.Problems = who, problems
		show(w, http.StatusBadRequest, standInPage, view)
		return
	}
	now, code := h.p.now(), randomText()
	h.assertions.put(now, code, assertion{state, who}, now.Add(pageLifetime))
	redirect(w, "/oauth2/idpresponse?"+encodePairs("code", code, "state", state))
}

// person reads who was picked or typed.
func (p Provider) person(form url.Values) (Person, map[string]string) {
	if form.Has("person") {
		i, err := strconv.Atoi(form.Get("person"))
		if err != nil || i < 0 || i >= len(p.People) {
			return Person{}, map[string]string{"person": "Pick a person of the list."}
		}
		return p.People[i], nil
	}
	who := Person{
		Subject:       strings.TrimSpace(form.Get("subject")),
		Name:          strings.TrimSpace(form.Get("name")),
		Email:         strings.TrimSpace(form.Get("email")),
		EmailVerified: form.Has("email_verified") && p.verifiesEmail(),
	}
	return who, p.checkPerson(who)
}

// serveIDPResponse is where a provider sends the browser back to.
func (h *hosted) serveIDPResponse(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, http.MethodGet) {
		return
	}
	query, now := r.URL.Query(), h.p.now()
	state := query.Get("state")
	away, ok := h.federations.get(now, state)
	if !ok {
		h.showSomethingWentWrong(w)
		return
	}
	if !sameBrowser(r, away.browser) {
		toErrorPage(w, pageInvalidState, away.req.client.ClientID)
		return
	}
	if _, ok := h.federations.take(now, state, func(federation) bool { return true }); !ok {
		h.showSomethingWentWrong(w)
		return
	}
	if query.Get("error") != "" {
		// The person cancelled. That Cognito hands on access_denied is unverified.
		refuse(w, away.req.refusal("access_denied", away.provider+" Error - access_denied"))
		return
	}
	a, ok := h.assertions.take(now, query.Get("code"), func(a assertion) bool { return a.state == state })
	if !ok {
		refuse(w, away.req.refusal("invalid_request", away.provider+" Error - 400 invalid_grant"))
		return
	}
	username, err := h.p.signInFederated(r.Context(), away.req.client, away.provider, a.who)
	if err != nil {
		refuse(w, away.req.failure(err))
		return
	}
	h.answer(w, r, away.req, h.startSession(w, username, away.provider), true)
}
