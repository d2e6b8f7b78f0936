package ssotest

import "net/http"

// Values of "error" on the error page. redirect_mismatch and "Required parameters missing" were seen live with a
// client_id (aws/aws-aspnet-cognito-identity-provider#167, agentic-community/mcp-gateway-registry#1545),
// "Client does not exist" without one; "Invalid state" after amazon-amplify/amplify-js#6291.
const (
	pageParametersMissing = "Required parameters missing"
	pageUnknownClient     = "Client does not exist"
	pageRedirectMismatch  = "redirect_mismatch"
	pageInvalidState      = "Invalid state"
)

// toErrorPage sends the browser to the pool's own error page: where the app cannot be trusted, it is told nothing.
func toErrorPage(w http.ResponseWriter, problem, clientID string) {
	redirect(w, "/error?"+encodePairs("error", problem, "client_id", clientID))
}

// serveError answers 400, as seen live. It repeats the text it is given, escaped.
func (h *hosted) serveError(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	query := r.URL.Query()
	h.showMessage(w, http.StatusBadRequest, message{
		Title:    "An error was encountered with the requested page.",
		Code:     query.Get("error"),
		ClientID: query.Get("client_id"),
		Hint:     errorHints[query.Get("error")],
	})
}

// errorHints are not Cognito's: they spare whoever works locally a search.
var errorHints = map[string]string{
	pageParametersMissing: "The request needs client_id and redirect_uri.",
	pageUnknownClient:     "The pool has no app client with this client_id.",
	pageRedirectMismatch:  "The URL is not one of the app client's registered URLs. It must match exactly, to the last slash.",
	pageInvalidState:      "This answer was not made for this browser. Go back to the app and sign in again.",
}

// showSomethingWentWrong is the page of a sign-in that took longer than five minutes.
func (h *hosted) showSomethingWentWrong(w http.ResponseWriter) {
	h.showMessage(w, http.StatusBadRequest, message{
		Title: "Something went wrong",
		Text:  "This page was open for too long, or was used already.",
		Hint:  "Go back to the app and sign in again.",
	})
}
