package ssotest

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// authorizeRequest is an authorization request that was checked.
type authorizeRequest struct {
	client       Client
	redirectURI  string
	responseType string // "code" or "token"
	scopes       []string
	state        string
	nonce        string
	challenge    string
	resource     string
	loginHint    string
	provider     string // that the app asks for, "" for any
	prompt       []string
	query        string // the parameters as they were sent, encoded anew
}

// refusal says no to an authorization request.
type refusal struct {
	// page, with clientID, is what the pool's own error page says. It is set if the request does not name a client and a
	// callback of that client: then the browser MUST NOT be sent to the callback.
	page, clientID string
	// malformed is a query that cannot be read at all.
	malformed bool

	// else the callback is told.
	redirectURI, state string
	code, description  string
}

// refuse sends the browser where the refusal belongs.
func refuse(w http.ResponseWriter, no *refusal) {
	switch {
	case no.malformed:
		http.Error(w, "Bad Request", http.StatusBadRequest)
	case no.page != "":
		toErrorPage(w, no.page, no.clientID)
	default:
		redirect(w, no.location())
	}
}

// location has the parameters in the order of a live sample:
// ?error_description=PreSignUp+failed+with+error+…&state=…&error=invalid_request (aws-amplify/amplify-js#14063).
func (no *refusal) location() string {
	var pairs []string
	if no.description != "" {
		pairs = append(pairs, "error_description", no.description)
	}
	if no.state != "" {
		pairs = append(pairs, "state", no.state)
	}
	return withQuery(no.redirectURI, append(pairs, "error", no.code)...)
}

// refusal makes one that the request's callback is told.
func (req *authorizeRequest) refusal(code, description string) *refusal {
	return &refusal{redirectURI: req.redirectURI, state: req.state, code: code, description: description}
}

// parseAuthorize checks an authorization request: the query of /oauth2/authorize, /login and /logout.
//
// "lang", "acr_values" and "max_age" are taken without effect: the pages have one language, and a pool below the plan
// that has the other two ignores them.
func (h *hosted) parseAuthorize(query string) (*authorizeRequest, *refusal) {
	values, err := url.ParseQuery(query)
	if err != nil {
		// Seen live as a plain 400 for a "%" that escapes nothing: Chainlit/chainlit#2620.
		return nil, &refusal{malformed: true}
	}
	client, redirectURI, no := h.callback(values)
	if no != nil {
		return nil, no
	}
	req := &authorizeRequest{
		client:       client,
		redirectURI:  redirectURI,
		responseType: values.Get("response_type"),
		state:        values.Get("state"),
		nonce:        values.Get("nonce"),
		challenge:    values.Get("code_challenge"),
		resource:     values.Get("resource"),
		loginHint:    values.Get("login_hint"),
		provider:     values.Get("identity_provider"),
		prompt:       strings.Fields(values.Get("prompt")),
		query:        values.Encode(),
	}
	if name := repeated(values); name != "" {
		if name == "state" {
			req.state = ""
		}
		return nil, req.refusal("invalid_request", "Duplicate parameter "+name)
	}
	if no := req.checkResponseType(); no != nil {
		return nil, no
	}
	if no := req.checkChallenge(values.Get("code_challenge_method")); no != nil {
		return nil, no
	}
	if no := h.resolveScopes(req, values.Get("scope")); no != nil {
		return nil, no
	}
	if no := req.checkRest(values.Get("idp_identifier")); no != nil {
		return nil, no
	}
	return req, nil
}

// callback finds the client and the callback of a request, which come first: whatever else is wrong may be told to
// the app only if both are right. The callback must be a registered one to the last byte.
func (h *hosted) callback(values url.Values) (Client, string, *refusal) {
	ids, uris := values["client_id"], values["redirect_uri"]
	id := values.Get("client_id")
	if len(ids) != 1 || len(uris) != 1 || id == "" || uris[0] == "" {
		return Client{}, "", &refusal{page: pageParametersMissing, clientID: id}
	}
	client, ok := h.p.client(id)
	if !ok {
		return Client{}, "", &refusal{page: pageUnknownClient, clientID: id}
	}
	if !slices.Contains(client.CallbackURLs, uris[0]) {
		return Client{}, "", &refusal{page: pageRedirectMismatch, clientID: id}
	}
	return client, uris[0], nil
}

func (req *authorizeRequest) checkResponseType() *refusal {
	flow, ok := map[string]string{"code": "code", "token": "implicit"}[req.responseType]
	switch {
	case req.responseType == "":
		return req.refusal("invalid_request", "Missing response_type")
	case !ok: // which error Cognito answers here is unverified
		return req.refusal("invalid_request", "Unsupported response_type")
	case !slices.Contains(req.client.AllowedOAuthFlows, flow):
		return req.refusal("unauthorized_client", "")
	}
	return nil
}

var challengeForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`) // RFC 7636 §4.2

func (req *authorizeRequest) checkChallenge(method string) *refusal {
	switch {
	case req.challenge == "" && method == "":
		return nil
	case req.challenge == "" || method == "":
		return req.refusal("invalid_request", "code_challenge and code_challenge_method go together")
	case method != "S256":
		return req.refusal("invalid_request", "code_challenge_method must be S256")
	case !challengeForm.MatchString(req.challenge): // unverified of Cognito
		return req.refusal("invalid_request", "Malformed code_challenge")
	}
	return nil
}

// scopeForm is RFC 6749 §3.3.
var scopeForm = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*$`)

// resolveScopes sets the scopes of a request: all of the client's if it names none, else those it names. One that the
// client is not associated with is left out; one that the pool does not have at all is refused.
func (h *hosted) resolveScopes(req *authorizeRequest, scope string) *refusal {
	if scope == "" {
		req.scopes = slices.Clone(req.client.AllowedOAuthScopes)
		return nil
	}
	if !scopeForm.MatchString(scope) {
		return req.refusal("invalid_scope", "")
	}
	asked := strings.Split(scope, " ")
	for _, s := range asked {
		isOIDC := slices.Contains(oidcScopes, s)
		switch {
		case !isOIDC && s != adminScope && !h.knowsScope(s):
			return req.refusal("invalid_scope", "")
		case isOIDC && !slices.Contains(asked, "openid"): // email, phone and profile go with openid only
			return req.refusal("invalid_scope", "")
		}
		if slices.Contains(req.client.AllowedOAuthScopes, s) && !slices.Contains(req.scopes, s) {
			req.scopes = append(req.scopes, s)
		}
	}
	if len(req.scopes) == 0 { // unverified of Cognito
		return req.refusal("invalid_scope", "")
	}
	return nil
}

// prompts are the values of prompt. select_account and consent change nothing here: Cognito only hands them on to the
// provider.
var prompts = []string{"none", "login", "select_account", "consent"}

func (req *authorizeRequest) checkRest(idpIdentifier string) *refusal {
	for _, prompt := range req.prompt { // what Cognito says to an unknown one is unverified
		if !slices.Contains(prompts, prompt) {
			return req.refusal("invalid_request", "Unsupported prompt")
		}
	}
	switch {
	case req.prompted("none") && len(req.prompt) > 1: // OpenID Connect Core §3.1.2.1
		return req.refusal("invalid_request", "prompt=none goes alone")
	case req.provider != "" && !req.client.supports(req.provider):
		return req.refusal("invalid_request", "Unsupported identity_provider")
	case idpIdentifier != "": // the fake's providers have no identifiers
		return req.refusal("invalid_request", "Unknown idp_identifier")
	case req.resource != "" && !isResource(req.resource):
		return req.refusal("invalid_request", "Malformed resource")
	}
	return nil
}

func (req *authorizeRequest) prompted(value string) bool { return slices.Contains(req.prompt, value) }

// isResource reports whether a resource indicator (RFC 8707) has a form that Cognito takes: https, http on
// localhost, or an app's own scheme, without a fragment.
func isResource(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || strings.Contains(s, "#") {
		return false
	}
	if u.Scheme == "http" {
		return u.Hostname() == "localhost"
	}
	return u.Host != "" || u.Scheme != "https"
}

// serveAuthorize is GET /oauth2/authorize.
func (h *hosted) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, http.MethodGet) {
		return
	}
	req, no := h.parseAuthorize(r.URL.RawQuery)
	if no != nil {
		refuse(w, no)
		return
	}
	if s, ok := h.session(r); ok && req.accepts(s) {
		h.answer(w, r, req, s, false)
		return
	}
	switch {
	case req.prompted("none"):
		refuse(w, req.refusal("login_required", "User is not logged in"))
	case req.provider != "" && req.provider != nativeProvider:
		h.startFederation(w, r, req)
	default:
		redirect(w, "/login?"+req.query)
	}
}

// accepts reports whether a session answers the request without asking the person. identity_provider
// picks: a session that was made through another provider does not do (measured by the reporter of
// aws-amplify/amplify-js#14897). That the client must support the session's provider is unverified.
func (req *authorizeRequest) accepts(s hostedSession) bool {
	return !req.prompted("login") && req.client.supports(s.provider) && (req.provider == "" || req.provider == s.provider)
}

// answer sends somebody who signed in back to the app.
func (h *hosted) answer(w http.ResponseWriter, r *http.Request, req *authorizeRequest, s hostedSession, interactive bool) {
	g := grant{
		clientID: req.client.ClientID,
		username: s.username,
		scopes:   req.scopes,
		nonce:    req.nonce,
		resource: req.resource,
		authTime: s.authTime,
	}
	if g.nonce == "" && interactive && s.provider != nativeProvider {
		// Cognito makes a nonce of its own for the provider, and it shows in the ID token; a sign-in by cookie
		// has none (nextauthjs/next-auth#3544).
		g.nonce = randomText()
	}
	if req.responseType == "token" {
		h.answerImplicit(w, r, req, g)
		return
	}
	code := h.newCode(authorizationCode{grant: g, redirectURI: req.redirectURI, challenge: req.challenge})
	pairs := []string{"code", code}
	if req.state != "" {
		pairs = append(pairs, "state", req.state)
	}
	redirect(w, withQuery(req.redirectURI, pairs...))
}

func (h *hosted) answerImplicit(w http.ResponseWriter, r *http.Request, req *authorizeRequest, g grant) {
	t, err := h.p.issue(r.Context(), g, sourceHostedAuth)
	if err != nil {
		refuse(w, req.failure(err))
		return
	}
	var pairs []string
	if t.id != "" {
		pairs = append(pairs, "id_token", t.id)
	}
	pairs = append(pairs, "access_token", t.access, "expires_in", strconv.Itoa(int(t.expiresIn/time.Second)), "token_type", "bearer")
	if req.state != "" {
		pairs = append(pairs, "state", req.state)
	}
	redirect(w, req.redirectURI+"#"+encodePairs(pairs...))
}

// failure is what the app is told of a sign-in that failed.
func (req *authorizeRequest) failure(err error) *refusal {
	var trigger *triggerError
	var oauth *oauthError
	var api *apiError
	switch {
	case errors.As(err, &trigger):
		return req.refusal("invalid_request", triggerDescription(trigger))
	case errors.As(err, &api):
		return req.refusal("invalid_request", api.Message)
	case errors.As(err, &oauth):
		return req.refusal(oauth.Code, oauth.Description)
	}
	return req.refusal("server_error", "")
}

// triggerDescription ends with a space, as in the live sample at [refusal.location].
func triggerDescription(err *triggerError) string { return err.Error() + " " }
