package sso_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/secretscan"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	testPoolID   = "ap-northeast-2_TestPool1"
	testClientID = "3n4b5urk1ft4fl3mg5e62d9ado"
	otherClient  = "7otherclient0000000000000a"
	testSecret   = "s3cretOfTheAppClient+0123456789"
	testSubject  = "34c84488-e0e1-70ae-d2ee-991ad1a898c8"
	testRedirect = "https://app.example.ac.kr/auth/callback"
	testLogout   = "https://app.example.ac.kr/auth/logged-out"
	// planted is planted wherever an endpoint may put text of its own; it must
	// never be in an error.
	planted = "LEAKED-personal-datum"
)

// testKeys are the pool's two keys: one signs ID tokens, the other access
// tokens. Made once: they take a while.
var testKeys = sync.OnceValue(func() map[string]*rsa.PrivateKey {
	keys := map[string]*rsa.PrivateKey{}
	for _, kid := range []string{"id-key=", "access-key="} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[kid] = key
	}
	return keys
})

func rawURL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// claimSet is a token's payload.
type claimSet map[string]any

func (c claimSet) with(changes claimSet) claimSet {
	c = maps.Clone(c)
	for name, value := range changes {
		if value == nil {
			delete(c, name)
		} else {
			c[name] = value
		}
	}
	return c
}

func signToken(kid string, c claimSet) string {
	header, _ := json.Marshal(map[string]string{"kid": kid, "alg": "RS256"})
	payload, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	signed := rawURL(header) + "." + rawURL(payload)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(nil, testKeys()[kid], crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + rawURL(sig)
}

// authServer is the part of Cognito that Client talks to, kept apart from
// ssotest so that the two can be wrong independently.
type authServer struct {
	*httptest.Server
	t     *testing.T
	now   time.Time
	plain bool // public client: no secret is expected

	// Changes to the tokens and answers that follow; set before use.
	idClaims, accessClaims claimSet
	answer                 func(answer map[string]any)
	// override, if set, answers the token endpoint instead, after the
	// request was counted and recorded. answered is what would be answered.
	override func(w http.ResponseWriter, answered map[string]any)
	rotate   bool

	mu            sync.Mutex // guards what follows
	codes         map[string]url.Values
	refreshTokens map[string]url.Values // live ones, with their authorize query
	revoked       map[string]bool       // access tokens
	lineage       map[string][]string   // refresh token → access tokens
	requests      []url.Values          // bodies that reached the token endpoint
	secrets       []string              // everything that must not be in an error
	userInfo      func(w http.ResponseWriter)
	revocation    func(w http.ResponseWriter)
	serial        int
}

func newAuthServer(t *testing.T) *authServer {
	t.Helper()
	s := &authServer{
		t: t, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC),
		codes: map[string]url.Values{}, refreshTokens: map[string]url.Values{},
		revoked: map[string]bool{}, lineage: map[string][]string{},
		secrets: []string{testSecret, planted},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jwks.json", s.serveKeys)
	mux.HandleFunc("POST /oauth2/token", s.serveToken)
	mux.HandleFunc("POST /oauth2/revoke", s.serveRevoke)
	mux.HandleFunc("GET /oauth2/userInfo", s.serveUserInfo)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *authServer) issuer() string { return s.URL + "/" + testPoolID }

func (s *authServer) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *authServer) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *authServer) verifier() *sso.Verifier {
	s.t.Helper()
	// otherClient is allowed by the verifier on purpose: an app may accept
	// several clients' tokens, and Client must still insist on its own.
	v, err := sso.NewVerifier(sso.Config{
		UserPoolID: testPoolID, ClientIDs: []string{testClientID, otherClient},
		Issuers: []string{s.issuer(), s.URL + "/other-issuer"}, JWKSURL: s.URL + "/jwks.json",
		InsecureAllowHTTP: true, Now: s.clock,
	})
	if err != nil {
		s.t.Fatalf("NewVerifier: %v", err)
	}
	return v
}

func (s *authServer) config() sso.ClientConfig {
	s.t.Helper()
	return sso.ClientConfig{
		Verifier: s.verifier(), Domain: s.URL, ClientID: testClientID, ClientSecret: testSecret,
		RedirectURL: testRedirect, LogoutURL: testLogout,
		IdentityProviders: []string{"Kakao", "Google"}, InsecureAllowHTTP: true, Now: s.clock,
	}
}

func (s *authServer) client(change ...func(*sso.ClientConfig)) *sso.Client {
	s.t.Helper()
	cfg := s.config()
	for _, f := range change {
		f(&cfg)
	}
	c, err := sso.NewClient(cfg)
	if err != nil {
		s.t.Fatalf("NewClient: %v", err)
	}
	return c
}

// start begins a flow and plays browser and Cognito up to the callback.
func (s *authServer) start(c *sso.Client) (sso.Flow, url.Values) {
	s.t.Helper()
	authURL, flow, err := c.AuthCodeURL(sso.AuthOptions{})
	if err != nil {
		s.t.Fatalf("AuthCodeURL: %v", err)
	}
	s.hide(flow.State, flow.Nonce, flow.CodeVerifier)
	return flow, s.authorize(authURL)
}

func (s *authServer) authorize(authURL string) url.Values {
	s.t.Helper()
	u, err := url.Parse(authURL)
	if err != nil {
		s.t.Fatal(err)
	}
	query := u.Query()
	code := s.fresh("code")
	s.mu.Lock()
	s.codes[code] = query
	s.mu.Unlock()
	return url.Values{"code": {code}, "state": {query.Get("state")}}
}

func (s *authServer) hide(secrets ...sso.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range secrets {
		secretscan.Learn("a part of a flow", secret.Reveal())
		s.secrets = append(s.secrets, secret.Reveal())
	}
}

// fresh makes a secret that no error may hold.
func (s *authServer) fresh(kind string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	text := fmt.Sprintf("%s-%d-must-not-planted", kind, s.serial)
	secretscan.Learn("a "+kind, text)
	s.secrets = append(s.secrets, text)
	return text
}

func (s *authServer) tokenRequests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func (s *authServer) lastRequest() url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		return nil
	}
	return s.requests[len(s.requests)-1]
}

func (s *authServer) serveKeys(w http.ResponseWriter, _ *http.Request) {
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	for kid, key := range testKeys() {
		set.Keys = append(set.Keys, map[string]string{
			"kid": kid, "alg": "RS256", "kty": "RSA", "use": "sig",
			"e": rawURL(big.NewInt(int64(key.E)).Bytes()), "n": rawURL(key.N.Bytes()),
		})
	}
	answerJSON(w, http.StatusOK, set)
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func answerError(w http.ResponseWriter, status int, code string) {
	answerJSON(w, status, map[string]string{"error": code, "error_description": planted})
}

func (s *authServer) serveToken(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		answerError(w, 400, "invalid_request")
		return
	}
	form := r.PostForm
	s.mu.Lock()
	s.requests = append(s.requests, form)
	s.mu.Unlock()

	if _, _, basic := r.BasicAuth(); basic || form.Get("client_id") != testClientID ||
		form.Get("client_secret") != map[bool]string{false: testSecret}[s.plain] {
		answerError(w, 401, "invalid_client")
		return
	}
	var answer map[string]any
	switch form.Get("grant_type") {
	case "authorization_code":
		answer = s.redeemCode(form)
	case "refresh_token":
		answer = s.redeemRefresh(form.Get("refresh_token"))
	case "client_credentials":
		answer = map[string]any{"access_token": s.access(claimSet{
			"sub": testClientID, "scope": form.Get("scope"), "username": nil, "cognito:groups": nil,
		})}
	default:
		answerError(w, 400, "unsupported_grant_type")
		return
	}
	if answer == nil {
		answerError(w, 400, "invalid_grant")
		return
	}
	answer["token_type"], answer["expires_in"] = "Bearer", 3600
	if s.answer != nil {
		s.answer(answer)
	}
	if s.override != nil {
		s.override(w, answer)
		return
	}
	answerJSON(w, http.StatusOK, answer)
}

func (s *authServer) redeemCode(form url.Values) map[string]any {
	s.mu.Lock()
	query, ok := s.codes[form.Get("code")]
	delete(s.codes, form.Get("code"))
	s.mu.Unlock()
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	if !ok || query.Get("code_challenge_method") != "S256" || query.Get("code_challenge") != rawURL(sum[:]) ||
		query.Get("redirect_uri") != form.Get("redirect_uri") {
		return nil
	}
	answer, refresh := s.issue(query)
	answer["refresh_token"] = refresh
	return answer
}

func (s *authServer) redeemRefresh(old string) map[string]any {
	s.mu.Lock()
	query, ok := s.refreshTokens[old]
	if ok && s.rotate {
		delete(s.refreshTokens, old)
	}
	s.mu.Unlock()
	if !ok {
		return nil
	}
	answer, refresh := s.issue(query)
	if s.rotate {
		answer["refresh_token"] = refresh
	}
	return answer
}

// issue makes one answer's tokens for an authorize query.
func (s *authServer) issue(query url.Values) (answer map[string]any, refresh string) {
	access := s.access(claimSet{"scope": query.Get("scope")})
	sum := sha256.Sum256([]byte(access))
	now := s.clock()
	id := signToken("id-key=", claimSet{
		"sub": testSubject, "iss": s.issuer(), "aud": testClientID, "token_use": "id",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "auth_time": now.Unix(),
		"cognito:username": "Kakao_1", "email": planted, "nonce": query.Get("nonce"),
		"at_hash": rawURL(sum[:16]), "custom:userId": "42",
	}.with(s.idClaims))
	refresh = s.fresh("refresh")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = append(s.secrets, id)
	s.refreshTokens[refresh] = query
	s.lineage[refresh] = append(s.lineage[refresh], access)
	return map[string]any{"access_token": access, "id_token": id}, refresh
}

// access mints an access token; the server's own changes come last.
func (s *authServer) access(changes claimSet) string {
	now := s.clock()
	token := signToken("access-key=", claimSet{
		"sub": testSubject, "iss": s.issuer(), "client_id": testClientID, "token_use": "access",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "auth_time": now.Unix(),
		"username": "Kakao_1", "scope": "openid", "version": 2, "jti": s.fresh("jti"),
	}.with(changes).with(s.accessClaims))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = append(s.secrets, token)
	return token
}

func (s *authServer) serveRevoke(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		answerError(w, 400, "invalid_request")
		return
	}
	id, secret, basic := r.BasicAuth()
	if s.plain {
		id, secret = r.PostForm.Get("client_id"), ""
	}
	if basic == s.plain || id != testClientID || secret != map[bool]string{false: testSecret}[s.plain] {
		answerError(w, 401, "invalid_client")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revocation != nil {
		s.revocation(w)
		return
	}
	token := r.PostForm.Get("token")
	delete(s.refreshTokens, token)
	for _, access := range s.lineage[token] {
		s.revoked[access] = true
	}
	w.WriteHeader(http.StatusOK) // with no body, as Cognito does
}

func (s *authServer) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.userInfo != nil {
		s.userInfo(w)
		return
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if s.revoked[token] {
		// No scheme in the header, as in AWS's sample.
		w.Header().Set("WWW-Authenticate", `error="invalid_token", error_description="`+planted+`"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{
		"sub": testSubject, "username": "Kakao_1", "email": "student@example.ac.kr",
		"email_verified": "true", "phone_number": "+82", "phone_number_verified": "false",
		"name": "김학생", "custom:userId": "42",
	})
}

// checkClean fails the test if err, however it is printed and whatever it
// wraps, shows one of the secrets.
func (s *authServer) checkClean(err error, more ...string) {
	s.t.Helper()
	s.mu.Lock()
	secrets := append(append([]string{}, s.secrets...), more...)
	s.mu.Unlock()
	for _, text := range everyText(err) {
		secretscan.Saw("an error of Client", text)
		for _, secret := range secrets {
			if secret != "" && strings.Contains(text, secret) {
				s.t.Errorf("the error shows a secret: %q has %.40q", text, secret)
			}
		}
	}
}

// everyText prints err and all it wraps in every way that loses nothing.
func everyText(err error) []string {
	if err == nil {
		return nil
	}
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		texts = append(texts, fmt.Sprintf(verb, err))
	}
	if j, jsonErr := json.Marshal(err); jsonErr == nil {
		texts = append(texts, string(j))
	}
	switch e := err.(type) { //nolint:errorlint // walks the tree itself
	case interface{ Unwrap() error }:
		texts = append(texts, everyText(e.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, wrapped := range e.Unwrap() {
			texts = append(texts, everyText(wrapped)...)
		}
	}
	return texts
}

// wantAuthError checks for an *AuthError of this code and status that is not
// an outage.
func wantAuthError(t *testing.T, err error, code string, status int) {
	t.Helper()
	var authErr *sso.AuthError
	if !errors.As(err, &authErr) {
		t.Fatalf("error = %v, want an *AuthError", err)
	}
	if authErr.Code != code || authErr.Status != status {
		t.Errorf("AuthError = %s/%d, want %s/%d", authErr.Code, authErr.Status, code, status)
	}
	if errors.Is(err, sso.ErrUnavailable) {
		t.Error("an *AuthError must not be ErrUnavailable")
	}
}

// transportFunc makes a function an http.RoundTripper.
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answerWith is a RoundTripper's answer of JSON.
func answerWith(status int, contentType, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
		Body: io.NopCloser(strings.NewReader(body)),
	}
}
