package ssotest

import (
	"net/http"
	"net/url"
	"slices"
)

// serveLogout is GET /logout. It ends the browser's session with managed login, and nothing else: tokens live on, and so
// does the session at the identity provider.
//
// With logout_uri it goes to that URL, which must be registered, and to nothing but that URL: no state comes back.
// Else with redirect_uri and response_type it goes on to the login page and, from there, to the callback. OpenID
// Connect's own parameters (post_logout_redirect_uri, id_token_hint) mean nothing here.
func (h *hosted) serveLogout(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, http.MethodGet) {
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		refuse(w, &refusal{malformed: true})
		return
	}
	id := query.Get("client_id")
	client, known := h.p.client(id)
	switch {
	case id == "" || len(query["client_id"]) > 1 || len(query["logout_uri"]) > 1:
		toErrorPage(w, pageParametersMissing, id)
	case !known:
		toErrorPage(w, pageUnknownClient, id)
	case query.Get("logout_uri") != "":
		h.logout(w, r, client, query.Get("logout_uri"))
	case query.Get("redirect_uri") == "":
		// The text is of a live page (streamlit/streamlit#14601). Reports differ on whether the session is gone then;
		// here it is not, so that nobody comes to rely on it.
		h.showMessage(w, http.StatusBadRequest, message{
			Title: "An error was encountered with the requested page.",
			Code:  "Required String parameter 'redirect_uri' is not present",
			Hint:  "Cognito's logout wants client_id and logout_uri. It is not OpenID Connect's RP-initiated logout.",
		})
	default:
		h.logoutToLogin(w, r)
	}
}

func (h *hosted) logout(w http.ResponseWriter, r *http.Request, client Client, target string) {
	if !slices.Contains(client.LogoutURLs, target) { // the page is unverified
		toErrorPage(w, pageRedirectMismatch, client.ClientID)
		return
	}
	h.endSession(w, r)
	redirect(w, target)
}

func (h *hosted) logoutToLogin(w http.ResponseWriter, r *http.Request) {
	req, no := h.parseAuthorize(withoutProvider(r.URL.RawQuery))
	if no != nil {
		refuse(w, no)
		return
	}
	h.endSession(w, r)
	redirect(w, "/login?"+req.query)
}

// withoutProvider leaves out the parameters that pick a provider: logout does not support them.
func withoutProvider(query string) string {
	values, _ := url.ParseQuery(query) // it was read before
	values.Del("identity_provider")
	values.Del("idp_identifier")
	return values.Encode()
}
