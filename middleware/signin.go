package middleware

import (
	"net/http"
	"net/url"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// serveLogin starts a sign-in.
func (l *Login) serveLogin(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || hasRepeated(query, "return_to", "identity_provider", "prompt", "retry", "ask") {
		l.page(w, r, http.StatusBadRequest, PageBadRequest, pageData{})
		return
	}
	returnTo := l.returnTo(query.Get("return_to"))
	if query.Get("prompt") == promptNone && l.triedSilently(r) {
		// Cognito said a moment ago that this takes a page. An app that tries
		// again at each request would go round in circles.
		l.redirect(w, returnTo)
		return
	}
	if l.loops(w, r, query) {
		l.page(w, r, http.StatusBadRequest, PageLoop, pageData{LoginURL: l.loginURL(returnTo, "retry", "1")})
		return
	}
	way := l.way(r, query)
	target, f, err := l.client.AuthCodeURL(way.AuthOptions)
	if err != nil {
		l.page(w, r, http.StatusBadRequest, PageBadRequest, pageData{})
		return
	}
	if way.choose {
		l.page(w, r, http.StatusOK, PageChoose, pageData{Providers: l.choices(r, returnTo, way.Prompt)})
		return
	}
	err = l.addFlow(w, r, flow{Flow: f, ReturnTo: returnTo, Silent: way.Prompt == promptNone, Fallback: way.fallback})
	if err != nil {
		l.log.ErrorContext(r.Context(), "sso: the sign-in could not be started", "error", err)
		l.page(w, r, http.StatusInternalServerError, PageError, pageData{})
		return
	}
	l.redirect(w, target)
}

// loops says whether sign-ins went round in circles: they completed, and their
// session was never seen. The button of PageLoop starts afresh.
func (l *Login) loops(w http.ResponseWriter, r *http.Request, query url.Values) bool {
	if query.Has("retry") {
		l.cookies.remove(w, l.cookies.tries)
		return false
	}
	if tries, _ := l.cookies.get(r, l.cookies.tries); tries != maxTries {
		return false
	}
	l.log.WarnContext(r.Context(), "sso: sign-ins completed, but their session never came back; the browser refuses the cookie, or sessions are not shared between processes")
	return true
}

// way is how one sign-in is made.
type way struct {
	sso.AuthOptions
	// fallback has an ordinary sign-in follow if this one, which asks nobody,
	// fails.
	fallback bool
	// choose has the person pick a provider first.
	choose bool
}

// way decides how to sign in, by the parameters of Prefix/login.
func (l *Login) way(r *http.Request, query url.Values) way {
	to := way{AuthOptions: sso.AuthOptions{
		IdentityProvider: query.Get("identity_provider"),
		Prompt:           query.Get("prompt"),
		Lang:             string(languageOf(r)),
	}}
	switch {
	case to.Prompt == promptNone:
		// With a provider, Cognito answers login_required to those who signed
		// in through it (aws-amplify/amplify-js#14897).
		to.IdentityProvider = ""
	case to.IdentityProvider != "":
	case l.silentFirst && to.Prompt == "" && !query.Has("ask") && !l.triedSilently(r):
		to.Prompt, to.fallback = promptNone, true
	case len(l.providers) == 1:
		to.IdentityProvider = l.providers[0].Name
	case len(l.providers) > 1:
		to.choose = true
	}
	return to
}

// choices are the buttons of PageChoose.
func (l *Login) choices(r *http.Request, returnTo, prompt string) []ProviderLink {
	if prompt == "" {
		return l.providerLinks(languageOf(r), returnTo)
	}
	return l.providerLinks(languageOf(r), returnTo, "prompt", prompt)
}
