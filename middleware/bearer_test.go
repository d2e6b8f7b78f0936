package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/secretscan"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// stub is a Verifier that answers by a table: raw token → token or error.
type stub struct {
	tokens map[string]sso.Token
	err    error

	mu    sync.Mutex // guards asked
	asked []string
}

func (s *stub) verify(ctx context.Context, raw string) (sso.Token, error) {
	s.mu.Lock()
	s.asked = append(s.asked, raw)
	s.mu.Unlock()
	if s.err != nil {
		return sso.Token{}, s.err
	}
	if err := ctx.Err(); err != nil {
		return sso.Token{}, fmt.Errorf("waiting for keys: %w", err)
	}
	tok, ok := s.tokens[raw]
	if !ok {
		return sso.Token{}, sso.ErrMalformed
	}
	return tok, nil
}

func (s *stub) VerifyAccess(ctx context.Context, raw string) (sso.Token, error) {
	return s.verify(ctx, raw)
}

func (s *stub) VerifyID(ctx context.Context, raw string) (sso.Token, error) {
	return s.verify(ctx, raw)
}

func newStub() *stub {
	at := time.Unix(1_800_000_000, 0)
	access := sso.Token{Use: sso.UseAccess, Subject: "minji", Issuer: "i", UserID: "7", ID: "a1", ClientID: "c", IssuedAt: at, ExpiresAt: at.Add(time.Hour)}
	noID := access
	noID.UserID = ""
	id := access
	id.Use, id.ID = sso.UseID, "i1"
	other := access
	other.Subject, other.ID = "mallory", "a2"
	otherID := id
	otherID.Subject = "mallory"
	renewed := access
	renewed.ID = "a3"
	return &stub{tokens: map[string]sso.Token{
		"good": access, "good==": access, "a.b.c": access, "no-id": noID, "id": id, "other": other, "other-id": otherID, "renewed": renewed,
	}}
}

func newBearer(t *testing.T, v middleware.Verifier, cfg middleware.BearerConfig) *middleware.Bearer {
	t.Helper()
	b, err := middleware.NewBearer(v, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// echo answers who the token is of.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	tok, ok := middleware.Token(r.Context())
	id, hasID := middleware.UserID(r.Context())
	fmt.Fprintf(w, "%v %s %s %v %s", ok, tok.Use, tok.Subject, hasID, id)
})

// serve sends one request; authorization may be several values.
func serve(h http.Handler, authorization ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if len(authorization) > 0 {
		r.Header["Authorization"] = authorization
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// authorizationRows are attacks and benign forms of the Authorization header.
var authorizationRows = []struct {
	name   string
	values []string
	status int
	code   string // error in the challenge
	token  string // what the verifier is asked
}{
	{"no header", nil, 401, "", ""},
	{"good", []string{"Bearer good"}, 200, "", "good"},
	{"scheme in lower case", []string{"bearer good"}, 200, "", "good"},
	{"scheme in upper case", []string{"BEARER good"}, 200, "", "good"},
	{"scheme in mixed case", []string{"bEaReR good"}, 200, "", "good"},
	{"two spaces", []string{"Bearer  good"}, 200, "", "good"},
	{"padding", []string{"Bearer good=="}, 200, "", "good=="},
	{"dots", []string{"Bearer a.b.c"}, 200, "", "a.b.c"},
	{"bad token", []string{"Bearer bad"}, 401, "invalid_token", "bad"},
	{"every character of b64token", []string{"Bearer azAZ09-._~+/="}, 401, "invalid_token", "azAZ09-._~+/="},
	{"two headers", []string{"Bearer good", "Bearer good"}, 400, "invalid_request", ""},
	{"two headers, one basic", []string{"Basic Zm9vOmJhcg==", "Bearer good"}, 400, "invalid_request", ""},
	{"two headers, one empty", []string{"", "Bearer good"}, 400, "invalid_request", ""},
	{"joined by comma", []string{"Bearer good, Bearer good"}, 400, "invalid_request", ""},
	{"joined by comma without space", []string{"Bearer good,good"}, 400, "invalid_request", ""},
	{"empty value", []string{""}, 400, "invalid_request", ""},
	{"only a space", []string{" "}, 400, "invalid_request", ""},
	{"leading space", []string{" Bearer good"}, 400, "invalid_request", ""},
	{"leading tab", []string{"\tBearer good"}, 400, "invalid_request", ""},
	{"scheme alone", []string{"Bearer"}, 400, "invalid_request", ""},
	{"scheme and a space", []string{"Bearer "}, 400, "invalid_request", ""},
	{"only padding", []string{"Bearer =="}, 400, "invalid_request", ""},
	{"padding inside", []string{"Bearer go=od"}, 400, "invalid_request", ""},
	{"tab instead of space", []string{"Bearer\tgood"}, 400, "invalid_request", ""},
	{"tab after space", []string{"Bearer \tgood"}, 400, "invalid_request", ""},
	{"trailing space", []string{"Bearer good "}, 400, "invalid_request", ""},
	{"two tokens", []string{"Bearer good good"}, 400, "invalid_request", ""},
	{"quoted", []string{`Bearer "good"`}, 400, "invalid_request", ""},
	{"parameter", []string{`Bearer token="good"`}, 400, "invalid_request", ""},
	{"line break", []string{"Bearer good\r\nX-Injected: 1"}, 400, "invalid_request", ""},
	{"bare line feed", []string{"Bearer good\n"}, 400, "invalid_request", ""},
	{"null byte", []string{"Bearer good\x00"}, 400, "invalid_request", ""},
	{"not ASCII", []string{"Bearer gööd"}, 400, "invalid_request", ""},
	{"full-width letters", []string{"Ｂearer good"}, 400, "invalid_request", ""},
	{"Kelvin-like folding of the scheme", []string{"Bea\u017fer good"}, 400, "invalid_request", ""},
	{"no-break space", []string{"Bearer\u00a0good"}, 400, "invalid_request", ""},
	{"colon after the scheme", []string{"Bearer: good"}, 400, "invalid_request", ""},
	{"percent-encoded", []string{"Bearer%20good"}, 401, "", ""},
	{"longer scheme", []string{"Bearers good"}, 401, "", ""},
	{"basic", []string{"Basic Zm9vOmJhcg=="}, 401, "", ""},
	{"token without scheme", []string{"good"}, 401, "", ""},
	{"JWT without scheme", []string{"a.b.c"}, 401, "", ""},
	{"DPoP", []string{"DPoP good"}, 401, "", ""},
	{"negotiate", []string{"Negotiate"}, 401, "", ""},
	{"double scheme", []string{"Bearer Bearer good"}, 400, "invalid_request", ""},
	{"markup", []string{"Bearer <script>alert(1)</script>"}, 400, "invalid_request", ""},
}

func TestAttackAuthorizationHeader(t *testing.T) {
	t.Parallel()
	for _, row := range authorizationRows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			v := newStub()
			w := serve(newBearer(t, v, middleware.BearerConfig{}).Require(echo), row.values...)
			if w.Code != row.status {
				t.Fatalf("status %d, want %d", w.Code, row.status)
			}
			if got := strings.Join(v.asked, "|"); got != row.token {
				t.Errorf("the verifier was asked %q, want %q", got, row.token)
			}
			if row.status == http.StatusOK {
				return
			}
			checkChallenge(t, w, row.code)
			if body := w.Body.String(); strings.Contains(body, "good") || strings.Contains(body, "alert") {
				t.Errorf("the body echoes the request: %s", body)
			}
		})
	}
}

// checkChallenge checks a refusal of Bearer; code is "" for a bare challenge.
func checkChallenge(t *testing.T, w *httptest.ResponseRecorder, code string) {
	t.Helper()
	challenge := w.Header().Get("WWW-Authenticate")
	if code == "" && challenge != `Bearer realm="api"` {
		t.Errorf("challenge %q, want a bare one", challenge)
	}
	if code != "" && !strings.HasPrefix(challenge, `Bearer realm="api", error="`+code+`", error_description="`) {
		t.Errorf("challenge %q, want error %q", challenge, code)
	}
	var body struct {
		Error       string
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Description == "" || body.Error == "" || code != "" && body.Error != code {
		t.Errorf("body %q: %v", w.Body, err)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestTokenFromHeaderOnly: a token elsewhere is no token.
func TestTokenFromHeaderOnly(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(r *http.Request){
		"query":               func(r *http.Request) { r.URL.RawQuery = "access_token=good" },
		"cookie":              func(r *http.Request) { r.Header.Set("Cookie", "access_token=good; Authorization=Bearer good") },
		"Proxy-Authorization": func(r *http.Request) { r.Header.Set("Proxy-Authorization", "Bearer good") },
		"X-Authorization":     func(r *http.Request) { r.Header.Set("X-Authorization", "Bearer good") },
		"X-Forwarded-Access-Token": func(r *http.Request) {
			r.Header.Set("X-Forwarded-Access-Token", "good")
		},
		"X-Amzn-Oidc-Accesstoken": func(r *http.Request) { r.Header.Set("X-Amzn-Oidc-Accesstoken", "good") },
		"name with another case":  func(r *http.Request) { r.Header["authorization"] = []string{"Bearer good"} },
		"form": func(r *http.Request) {
			r.Method = http.MethodPost
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Body = http.NoBody
			r.PostForm = map[string][]string{"access_token": {"good"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			change(r)
			w := httptest.NewRecorder()
			newBearer(t, newStub(), middleware.BearerConfig{}).Require(echo).ServeHTTP(w, r)
			if w.Code != http.StatusUnauthorized {
				t.Errorf("status %d, want 401", w.Code)
			}
		})
	}
}

// TestBearerErrors: what each error of a verifier is answered with.
func TestBearerErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err    error
		status int
		code   string
	}{
		{sso.ErrMalformed, 401, "invalid_token"}, {sso.ErrTooLarge, 401, "invalid_token"},
		{sso.ErrAlgorithm, 401, "invalid_token"}, {sso.ErrKeyID, 401, "invalid_token"},
		{sso.ErrUnknownKey, 401, "invalid_token"}, {sso.ErrSignature, 401, "invalid_token"},
		{sso.ErrExpired, 401, "invalid_token"}, {sso.ErrNotYetValid, 401, "invalid_token"},
		{sso.ErrIssuer, 401, "invalid_token"}, {sso.ErrTokenUse, 401, "invalid_token"},
		{sso.ErrClient, 401, "invalid_token"}, {sso.ErrUserID, 401, "invalid_token"},
		{sso.ErrClaim, 401, "invalid_token"},
		{fmt.Errorf("wrapped: %w", sso.ErrExpired), 401, "invalid_token"},
		{sso.ErrScope, 403, "insufficient_scope"}, {sso.ErrGroup, 403, "insufficient_scope"},
		{sso.ErrNoUserID, 403, "insufficient_scope"},
		{sso.ErrKeysUnavailable, 503, "temporarily_unavailable"},
		{fmt.Errorf("%w: dial tcp", sso.ErrKeysUnavailable), 503, "temporarily_unavailable"},
		{context.DeadlineExceeded, 503, "temporarily_unavailable"},
		{context.Canceled, 503, "temporarily_unavailable"}, // somebody else's, not this request's
		{sso.ErrConfig, 500, "server_error"},
		{errors.New("SECRET of a verifier"), 500, "server_error"},
	} {
		t.Run(row.err.Error(), func(t *testing.T) {
			t.Parallel()
			v := &stub{err: row.err}
			w := serve(newBearer(t, v, middleware.BearerConfig{}).Require(echo), "Bearer good")
			if w.Code != row.status {
				t.Fatalf("status %d, want %d", w.Code, row.status)
			}
			if !strings.Contains(w.Body.String(), `"error":"`+row.code+`"`) || strings.Contains(w.Body.String(), "SECRET") {
				t.Errorf("body %s, want error %s and no text of the error", w.Body, row.code)
			}
			if got := w.Header().Get("Retry-After") != ""; got != (row.status == 503) {
				t.Errorf("Retry-After there: %v", got)
			}
			if row.status >= 500 && w.Header().Get("WWW-Authenticate") != "" {
				t.Error("a challenge, though the credentials were not judged")
			}
			if row.status < 500 {
				checkChallenge(t, w, row.code)
			}
		})
	}
}

// TestGoneClient: nobody is answered who has left.
func TestGoneClient(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer good")
	called := false
	for _, cfg := range []middleware.BearerConfig{{}, {ErrorHandler: func(http.ResponseWriter, *http.Request, error) { called = true }}} {
		w := httptest.NewRecorder()
		newBearer(t, newStub(), cfg).Require(echo).ServeHTTP(w, r)
		if w.Body.Len() > 0 || len(w.Header()) > 0 || called {
			t.Errorf("answered: %v %q, handler called: %v", w.Header(), w.Body, called)
		}
	}
	// A deadline is the server's own: its client still waits.
	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	w := httptest.NewRecorder()
	newBearer(t, newStub(), middleware.BearerConfig{}).Require(echo).ServeHTTP(w, r.WithContext(ctx))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("deadline: status %d, want 503", w.Code)
	}
}

func TestBearerOptional(t *testing.T) {
	t.Parallel()
	h := newBearer(t, newStub(), middleware.BearerConfig{}).Optional(echo)
	for _, row := range []struct {
		values []string
		status int
		body   string
	}{
		{nil, 200, "false   false "},
		{[]string{"Basic Zm9vOmJhcg=="}, 200, "false   false "},
		{[]string{"Bearer good"}, 200, "true access minji true 7"},
		{[]string{"Bearer bad"}, 401, ""},
		{[]string{"Bearer"}, 400, ""},
		{[]string{"Bearer good", "Bearer good"}, 400, ""},
	} {
		w := serve(h, row.values...)
		if w.Code != row.status || row.status == 200 && w.Body.String() != row.body {
			t.Errorf("%q: %d %q, want %d %q", row.values, w.Code, w.Body, row.status, row.body)
		}
	}
}

func TestBearerConfig(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		v   middleware.Verifier
		cfg middleware.BearerConfig
	}{
		"no verifier":        {nil, middleware.BearerConfig{}},
		"unknown use":        {newStub(), middleware.BearerConfig{Use: "refresh"}},
		"realm with a quote": {newStub(), middleware.BearerConfig{Realm: `a"b`}},
		"realm that splits":  {newStub(), middleware.BearerConfig{Realm: "a\r\nSet-Cookie: x"}},
		"realm with \\":      {newStub(), middleware.BearerConfig{Realm: `a\b`}},
		"realm not ASCII":    {newStub(), middleware.BearerConfig{Realm: "학교"}},
	} {
		var configErr *sso.ConfigError
		if b, err := middleware.NewBearer(row.v, row.cfg); b != nil || !errors.As(err, &configErr) || configErr.Field == "" {
			t.Errorf("%s: %v, %v, want a ConfigError", name, b, err)
		}
	}
	w := serve(newBearer(t, newStub(), middleware.BearerConfig{Realm: "board v2"}).Require(echo))
	if got := w.Header().Get("WWW-Authenticate"); got != `Bearer realm="board v2"` {
		t.Errorf("challenge %q", got)
	}
}

func TestBearerRequireUserID(t *testing.T) {
	t.Parallel()
	h := newBearer(t, newStub(), middleware.BearerConfig{RequireUserID: true}).Require(echo)
	if w := serve(h, "Bearer good"); w.Code != 200 || w.Body.String() != "true access minji true 7" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	w := serve(h, "Bearer no-id")
	if w.Code != 403 {
		t.Errorf("status %d, want 403", w.Code)
	}
	checkChallenge(t, w, "insufficient_scope")
}

// TestBearerWrongUse: a Verifier that does not look at token_use changes nothing.
func TestBearerWrongUse(t *testing.T) {
	t.Parallel()
	if w := serve(newBearer(t, newStub(), middleware.BearerConfig{}).Require(echo), "Bearer id"); w.Code != 401 {
		t.Errorf("an ID token where an access token is needed: %d", w.Code)
	}
	if w := serve(newBearer(t, newStub(), middleware.BearerConfig{Use: sso.UseID}).Require(echo), "Bearer good"); w.Code != 401 {
		t.Errorf("an access token where an ID token is needed: %d", w.Code)
	}
	if w := serve(newBearer(t, newStub(), middleware.BearerConfig{Use: sso.UseID}).Require(echo), "Bearer id"); w.Code != 200 {
		t.Errorf("an ID token: %d", w.Code)
	}
}

func TestErrorHandler(t *testing.T) {
	t.Parallel()
	var got error
	b := newBearer(t, newStub(), middleware.BearerConfig{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
		got = err
		secretscan.Saw("an error for ErrorHandler", fmt.Sprintf("%+v", err))
		w.WriteHeader(http.StatusTeapot)
	}})
	for _, row := range []struct {
		h             http.Handler
		authorization []string
		want          error
	}{
		{b.Require(echo), nil, sso.ErrMissing},
		{b.Require(echo), []string{"Bearer"}, middleware.ErrAuthorizationHeader},
		{b.Require(echo), []string{"Bearer bad"}, sso.ErrMalformed},
		{b.Require(middleware.RequireScope("api/read")(echo)), []string{"Bearer good"}, sso.ErrScope},
		{b.Require(middleware.RequireGroup("staff")(echo)), []string{"Bearer good"}, sso.ErrGroup},
		{b.Require(middleware.RequireUserID(echo)), []string{"Bearer no-id"}, sso.ErrNoUserID},
		{b.Optional(middleware.RequireUserID(echo)), nil, sso.ErrMissing},
	} {
		w := serve(row.h, row.authorization...)
		if w.Code != http.StatusTeapot || !errors.Is(got, row.want) {
			t.Errorf("%q: %d, error %v, want %v", row.authorization, w.Code, got, row.want)
		}
	}
	var scope *middleware.ScopeError
	serve(b.Require(middleware.RequireScope("api/read", "api/write")(echo)), "Bearer good")
	if !errors.As(got, &scope) || strings.Join(scope.Scopes, " ") != "api/read api/write" {
		t.Errorf("error %v, want a ScopeError with both scopes", got)
	}
}

// TestStackedMiddlewares: an ID and an access token of one person are both
// there; anything else is refused.
func TestStackedMiddlewares(t *testing.T) {
	t.Parallel()
	v := newStub()
	access := newBearer(t, v, middleware.BearerConfig{})
	id := newBearer(t, v, middleware.BearerConfig{Use: sso.UseID})
	// The inner middleware reads a header of its own, by way of a gateway.
	inner := func(b *middleware.Bearer, token string, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer "+token)
			b.Require(next).ServeHTTP(w, r)
		})
	}
	both := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i, iok := middleware.TokenOf(r.Context(), sso.UseID)
		a, aok := middleware.TokenOf(r.Context(), sso.UseAccess)
		innermost, _ := middleware.Token(r.Context())
		fmt.Fprint(w, iok, i.ID, aok, a.ID, innermost.ID)
	})
	otherAccess := newBearer(t, v, middleware.BearerConfig{})
	for _, row := range []struct {
		name   string
		h      http.Handler
		token  string
		status int
		body   string
	}{
		{"access around id", access.Require(inner(id, "id", both)), "good", 200, "truei1truea1i1"},
		{"id around access", id.Require(inner(access, "good", both)), "id", 200, "truei1truea1a1"},
		{"the same token twice", access.Require(inner(otherAccess, "good", both)), "good", 200, "falsetruea1a1"},
		{"another person's id token", access.Require(inner(id, "other-id", both)), "good", 400, ""},
		{"another person's access token", access.Require(inner(otherAccess, "other", both)), "good", 400, ""},
		{"another token of that person", access.Require(inner(otherAccess, "renewed", both)), "good", 400, ""},
		{"optional outside, nobody", access.Optional(both), "", 200, "falsefalse"},
	} {
		var header []string
		if row.token != "" {
			header = []string{"Bearer " + row.token}
		}
		w := serve(row.h, header...)
		if w.Code != row.status || row.status == 200 && w.Body.String() != row.body {
			t.Errorf("%s: %d %q, want %d %q", row.name, w.Code, w.Body, row.status, row.body)
		}
	}
	// Nested in itself, it verifies once.
	v.asked = nil
	serve(access.Require(access.Optional(access.Require(echo))), "Bearer good")
	if len(v.asked) != 1 {
		t.Errorf("verified %d times, want once", len(v.asked))
	}
	// Optional outside does not weaken Require inside.
	if w := serve(access.Optional(access.Require(echo))); w.Code != 401 {
		t.Errorf("Require inside Optional: %d, want 401", w.Code)
	}
}

// TestRequireWithoutMiddleware: rights are never granted for want of a Bearer.
func TestRequireWithoutMiddleware(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.Handler{
		"scope": middleware.RequireScope("a")(echo), "any scope": middleware.RequireAnyScope("a")(echo),
		"group": middleware.RequireGroup("a")(echo), "user id": middleware.RequireUserID(echo),
	} {
		w := serve(h, "Bearer good")
		if w.Code != 401 {
			t.Errorf("%s: %d, want 401", name, w.Code)
		}
		checkChallenge(t, w, "")
	}
}

func TestRequirePanics(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(){
		"no scope":             func() { middleware.RequireScope() },
		"empty scope":          func() { middleware.RequireScope("a", "") },
		"scope with a space":   func() { middleware.RequireScope("a b") },
		"scope with a quote":   func() { middleware.RequireScope(`a"`) },
		"scope that splits":    func() { middleware.RequireScope("a\r\nb") },
		"no any-scope":         func() { middleware.RequireAnyScope() },
		"any-scope with space": func() { middleware.RequireAnyScope("a b") },
		"no group":             func() { middleware.RequireGroup() },
		"empty group":          func() { middleware.RequireGroup("") },
		"no any-group":         func() { middleware.RequireAnyGroup() },
		"empty any-group":      func() { middleware.RequireAnyGroup("a", "") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// TestRights checks scopes and groups with real tokens.
func TestRights(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	v, err := sso.NewVerifier(p.VerifierConfig())
	if err != nil {
		t.Fatal(err)
	}
	token := func(c ssotest.Claims) string { return "Bearer " + p.AccessToken(c) }
	reader := token(ssotest.Claims{Scopes: []string{"api/read"}, Groups: []string{"students"}})
	both := token(ssotest.Claims{Scopes: []string{"api/read", "api/write"}, Groups: []string{"staff", "students"}})
	machine := token(ssotest.Claims{Machine: true, Scopes: []string{"api/read"}})
	allOf := middleware.RequireScope("api/read", "api/write")
	anyOf := middleware.RequireAnyScope("api/admin", "api/write")
	group := middleware.RequireGroup("staff")
	b := newBearer(t, v, middleware.BearerConfig{})
	for _, row := range []struct {
		name   string
		h      http.Handler
		token  string
		status int
		scope  string
	}{
		{"all of, both", allOf(echo), both, 200, ""},
		{"all of, one", allOf(echo), reader, 403, "api/read api/write"},
		{"any of, one of them", anyOf(echo), both, 200, ""},
		{"any of, none", anyOf(echo), reader, 403, "api/admin api/write"},
		{"a scope's prefix", middleware.RequireScope("api/rea")(echo), reader, 403, "api/rea"},
		{"another case", middleware.RequireScope("API/READ")(echo), reader, 403, "API/READ"},
		{"group", group(echo), both, 200, ""},
		{"other group", group(echo), reader, 403, ""},
		{"group's prefix", middleware.RequireGroup("staf")(echo), both, 403, ""},
		{"machine, scope", middleware.RequireScope("api/read")(echo), machine, 200, ""},
		{"machine, group", group(echo), machine, 403, ""},
		{"machine, user id", middleware.RequireUserID(echo), machine, 403, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := serve(b.Require(row.h), row.token)
			if w.Code != row.status {
				t.Fatalf("status %d, want %d: %s", w.Code, row.status, w.Body)
			}
			if row.status == 403 {
				checkChallenge(t, w, "insufficient_scope")
				challenge := w.Header().Get("WWW-Authenticate")
				if has := strings.Contains(challenge, ", scope="); has != (row.scope != "") ||
					has && !strings.HasSuffix(challenge, `, scope="`+row.scope+`"`) {
					t.Errorf("challenge %q, want scope %q", challenge, row.scope)
				}
			}
		})
	}
	// An ID token has no scopes.
	idBearer := newBearer(t, v, middleware.BearerConfig{Use: sso.UseID})
	if w := serve(idBearer.Require(middleware.RequireScope("openid")(echo)), "Bearer "+p.IDToken(ssotest.Claims{})); w.Code != 403 {
		t.Errorf("scope of an ID token: %d, want 403", w.Code)
	}
	// The keys cannot be had: 503, and nobody's fault.
	down := ssotest.NewPool(t, ssotest.Config{})
	down.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSDown })
	dv, err := sso.NewVerifier(down.VerifierConfig())
	if err != nil {
		t.Fatal(err)
	}
	if w := serve(newBearer(t, dv, middleware.BearerConfig{}).Require(echo), "Bearer "+down.AccessToken(ssotest.Claims{})); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("keys down: %d", w.Code)
	}
}

// TestBearerAllocations: what Bearer adds to a handler, verification aside.
//
//nolint:paralleltest // testing.AllocsPerRun counts those of the whole process
func TestBearerAllocations(t *testing.T) {
	h := newBearer(t, constant(newStub().tokens["good"]), middleware.BearerConfig{}).Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, ok := middleware.Token(r.Context()); !ok {
			t.Error("no token")
		}
	}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer good")
	w := httptest.NewRecorder()
	if n := testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }); n > 2 {
		t.Errorf("%v allocations, want at most 2", n)
	}
}

// constant is a Verifier that accepts everything.
type constant sso.Token

func (c constant) VerifyAccess(context.Context, string) (sso.Token, error) { return sso.Token(c), nil }
func (c constant) VerifyID(context.Context, string) (sso.Token, error)     { return sso.Token(c), nil }
