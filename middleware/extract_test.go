package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

// serveWith sends one request with the header fields, as they are.
func serveWith(h http.Handler, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/?access_token=good&token=good&X-Token=good", nil)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// cookieRows are attacks and benign forms of a Cookie header whose cookie "t"
// is the token.
var cookieRows = []struct {
	name   string
	lines  []string
	status int
}{
	{"good", []string{"t=good"}, 200},
	{"padding", []string{"t=good=="}, 200},
	{"among others", []string{"a=1; t=good; b=2"}, 200},
	{"among as many as net/http reads", []string{"t=good" + strings.Repeat(";", 2999)}, 200},
	{"among more than net/http reads", []string{"t=good" + strings.Repeat(";", 3000)}, 400},
	{"among more, in two lines", []string{"t=good" + strings.Repeat(";", 1500), strings.Repeat(";", 1500)}, 400},
	{"without space", []string{"a=1;t=good;b=2"}, 200},
	{"in the second line (HTTP/2)", []string{"a=1", "t=good"}, 200},
	{"space before =", []string{"t =good"}, 200},
	{"space after =", []string{"t= good"}, 400},
	{"empty, space before =", []string{"t ="}, 400},
	{"twice, one with a space before =", []string{"t =good; t=good"}, 400},
	{"none", nil, 401},
	{"others alone", []string{"a=1; b=2"}, 401},
	{"name in another case", []string{"T=good"}, 401},
	{"a longer name", []string{"tt=good; xt=good"}, 401},
	{"__Host- before the name", []string{"__Host-t=good"}, 401},
	{"the name in a value", []string{"a=t=good"}, 401},
	{"bad token", []string{"t=bad"}, 401},
	{"twice", []string{"t=good; t=good"}, 400},
	{"twice, in two lines", []string{"t=good", "t=bad"}, 400},
	{"twice, one empty", []string{"t=good; t="}, 400},
	{"twice, one without =", []string{"t; t=good"}, 400},
	{"twice, one that net/http leaves out", []string{`t=good; t=a"b`}, 400},
	{"empty", []string{"t="}, 400},
	{"without =", []string{"t"}, 400},
	{"quoted", []string{`t="good"`}, 400},
	{"with a scheme", []string{"t=Bearer good"}, 400},
	{"percent-encoded", []string{"t=go%6fd"}, 400},
	{"comma", []string{"t=good,good"}, 400},
	{"space inside", []string{"t=go od"}, 400},
	{"not ASCII", []string{"t=gööd"}, 400},
	{"null byte", []string{"t=good\x00"}, 400},
	{"line break", []string{"t=good\r\nX-Injected: 1"}, 400},
	{"markup", []string{"t=<script>alert(1)</script>"}, 400},
}

func TestAttackCookie(t *testing.T) {
	t.Parallel()
	for _, row := range cookieRows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBearer(t, newStub(), middleware.BearerConfig{Extract: middleware.FromCookie("t")})
			checkSource(t, serveWith(b.Require(echo), http.Header{"Cookie": row.lines, "Authorization": {"Bearer other"}}), row.status)
			if row.status == 400 {
				// A cookie that cannot be read is refused, not ignored.
				checkSource(t, serveWith(b.Optional(echo), http.Header{"Cookie": row.lines}), row.status)
			}
		})
	}
}

// checkSource checks an answer to a token of the cookie or header.
func checkSource(t *testing.T, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if status == 200 {
		if got := w.Body.String(); got != "true access minji true 7" {
			t.Errorf("body %q", got)
		}
		return
	}
	code := map[int]string{400: "invalid_request"}[status]
	if status == 400 || !strings.Contains(w.Body.String(), "invalid_token") {
		checkChallenge(t, w, code)
	}
	if all := w.Body.String() + fmt.Sprint(w.Header()); strings.Contains(all, "good") || strings.Contains(all, "alert") || strings.Contains(all, "Injected") {
		t.Errorf("the answer echoes the request: %s", all)
	}
}

func TestAttackHeader(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		header http.Header
		status int
	}{
		{"good", http.Header{"X-Token": {"good"}}, 200},
		{"padding", http.Header{"X-Token": {"good=="}}, 200},
		{"beside Authorization, which is not looked at", http.Header{"X-Token": {"good"}, "Authorization": {"Bearer other", "Basic x"}}, 200},
		{"none", nil, 401},
		{"Authorization alone", http.Header{"Authorization": {"Bearer good"}}, 401},
		{"cookie alone", http.Header{"Cookie": {"X-Token=good"}}, 401},
		{"a longer name", http.Header{"X-Token2": {"good"}}, 401},
		{"underscore for hyphen", http.Header{"X_token": {"good"}}, 401},
		{"bad token", http.Header{"X-Token": {"bad"}}, 401},
		{"twice", http.Header{"X-Token": {"good", "good"}}, 400},
		{"twice, one empty", http.Header{"X-Token": {"", "good"}}, 400},
		{"joined by comma", http.Header{"X-Token": {"good, good"}}, 400},
		{"empty", http.Header{"X-Token": {""}}, 400},
		{"with a scheme", http.Header{"X-Token": {"Bearer good"}}, 400},
		{"spaces around", http.Header{"X-Token": {" good "}}, 400},
		{"quoted", http.Header{"X-Token": {`"good"`}}, 400},
		{"line break", http.Header{"X-Token": {"good\r\nX-Injected: 1"}}, 400},
		{"null byte", http.Header{"X-Token": {"good\x00"}}, 400},
		{"only padding", http.Header{"X-Token": {"=="}}, 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBearer(t, newStub(), middleware.BearerConfig{Extract: middleware.FromHeader("x-token")})
			checkSource(t, serveWith(b.Require(echo), row.header), row.status)
		})
	}
}

// TestExtractorPanics: names that cannot work, or that would read a header
// whose value is no bare token.
func TestExtractorPanics(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(){
		"no header":           func() { middleware.FromHeader("") },
		"header with a space": func() { middleware.FromHeader("X Token") },
		"header with a colon": func() { middleware.FromHeader("X-Token:") },
		"header that splits":  func() { middleware.FromHeader("X\r\nY") },
		"Authorization":       func() { middleware.FromHeader("authorization") },
		"Proxy-Authorization": func() { middleware.FromHeader("proxy-authorization") },
		"Cookie":              func() { middleware.FromHeader("COOKIE") },
		"no cookie":           func() { middleware.FromCookie("") },
		"cookie with =":       func() { middleware.FromCookie("a=b") },
		"cookie with ;":       func() { middleware.FromCookie("a;b") },
		"cookie with a space": func() { middleware.FromCookie("a b") },
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

// TestOwnExtractor: what an app's own function returns.
func TestOwnExtractor(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		raw      string
		err      error
		status   int
		optional int
	}{
		{"token", "good", nil, 200, 200},
		{"nothing and no error", "", nil, 401, 200},
		{"missing", "", sso.ErrMissing, 401, 200},
		{"a token beside missing", "good", sso.ErrMissing, 401, 200},
		{"malformed", "", middleware.ErrTokenSource, 400, 400},
		{"malformed, a token beside", "good", middleware.ErrAuthorizationHeader, 400, 400},
		{"unknown", "good", errors.New("SECRET"), 500, 500},
		{"refused by the verifier", "a b\r\nX: 1", nil, 401, 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			v := newStub()
			b := newBearer(t, v, middleware.BearerConfig{Extract: func(*http.Request) (string, error) { return row.raw, row.err }})
			if w := serve(b.Require(echo), "Bearer other"); w.Code != row.status || strings.Contains(w.Body.String(), "SECRET") {
				t.Errorf("Require: %d %s, want %d", w.Code, w.Body, row.status)
			}
			w := serve(b.Optional(echo), "Bearer other")
			if w.Code != row.optional {
				t.Errorf("Optional: %d, want %d", w.Code, row.optional)
			}
			if (row.err != nil || row.raw == "") && len(v.asked) > 0 {
				t.Errorf("the verifier was asked %q", v.asked)
			}
		})
	}
}

// TestStackedExtractors: an ID token in one header and an access token in
// another serve one request only if they are of one person.
func TestStackedExtractors(t *testing.T) {
	t.Parallel()
	v := newStub()
	access := newBearer(t, v, middleware.BearerConfig{})
	id := newBearer(t, v, middleware.BearerConfig{Use: sso.UseID, Extract: middleware.FromHeader("X-Id-Token")})
	both := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i, iok := middleware.TokenOf(r.Context(), sso.UseID)
		a, aok := middleware.TokenOf(r.Context(), sso.UseAccess)
		innermost, _ := middleware.Token(r.Context())
		fmt.Fprint(w, iok, i.ID, aok, a.ID, innermost.ID)
	})
	for _, row := range []struct {
		name       string
		h          http.Handler
		access, id string
		status     int
		body       string
	}{
		{"both", access.Require(id.Require(both)), "good", "id", 200, "truei1truea1i1"},
		{"the other way round", id.Require(access.Require(both)), "good", "id", 200, "truei1truea1a1"},
		{"another person's id token", access.Require(id.Require(both)), "good", "other-id", 400, ""},
		{"another person's access token", id.Require(access.Require(both)), "other", "id", 400, ""},
		{"no id token", access.Require(id.Require(both)), "good", "", 401, ""},
		{"no access token", access.Require(id.Require(both)), "", "id", 401, ""},
		{"id token optional and absent", access.Require(id.Optional(both)), "good", "", 200, "falsetruea1a1"},
		{"id token optional and bad", access.Require(id.Optional(both)), "good", "bad", 401, ""},
		{"id token optional and another's", access.Require(id.Optional(both)), "good", "other-id", 400, ""},
		{"the two exchanged", access.Require(id.Require(both)), "id", "good", 401, ""},
		{"the access token in both", access.Require(id.Require(both)), "good", "good", 401, ""},
		{"the same place for both", access.Require(newBearer(t, v, middleware.BearerConfig{Use: sso.UseID}).Require(both)), "good", "id", 401, ""},
	} {
		header := make(http.Header)
		if row.access != "" {
			header.Set("Authorization", "Bearer "+row.access)
		}
		if row.id != "" {
			header.Set("X-Id-Token", row.id)
		}
		if w := serveWith(row.h, header); w.Code != row.status || row.status == 200 && w.Body.String() != row.body {
			t.Errorf("%s: %d %q, want %d %q", row.name, w.Code, w.Body, row.status, row.body)
		}
	}
}

// TestCheck: what the hook's errors are answered with, and reach the app as.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		err    error
		status int
		code   string
		is     error
	}{
		{"nil", nil, 200, "", nil},
		{"unknown", errors.New("SECRET of a tenant"), 403, "insufficient_scope", middleware.ErrDenied},
		{"denied", middleware.ErrDenied, 403, "insufficient_scope", middleware.ErrDenied},
		{"denied, wrapped", fmt.Errorf("SECRET: %w", middleware.ErrDenied), 403, "insufficient_scope", middleware.ErrDenied},
		{"scope", &middleware.ScopeError{Scopes: []string{"api/x"}}, 403, "insufficient_scope", sso.ErrScope},
		{"group, wrapped", fmt.Errorf("SECRET: %w", sso.ErrGroup), 403, "insufficient_scope", sso.ErrGroup},
		{"not fresh", &middleware.FreshnessError{MaxAge: 60e9}, 401, "insufficient_user_authentication", middleware.ErrNotFresh},
		{"revoked", sso.ErrExpired, 401, "invalid_token", sso.ErrExpired},
		{"cannot tell", fmt.Errorf("SECRET: %w", sso.ErrUnavailable), 503, "temporarily_unavailable", sso.ErrUnavailable},
		{"too slow", fmt.Errorf("SECRET: %w", context.DeadlineExceeded), 503, "temporarily_unavailable", context.DeadlineExceeded},
		{"configuration", &sso.ConfigError{Field: "SECRET"}, 500, "server_error", sso.ErrConfig},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			check := func(r *http.Request, token sso.Token) error {
				calls++
				inContext, ok := middleware.Token(r.Context())
				if !ok || inContext.ID != token.ID || token.Subject != "minji" || r.URL.Path != "/" {
					t.Errorf("asked about %q, in the context %q", token.ID, inContext.ID)
				}
				return row.err
			}
			b := newBearer(t, newStub(), middleware.BearerConfig{Check: check})
			w := serve(b.Require(b.Require(echo)), "Bearer good")
			if w.Code != row.status || calls != 1 {
				t.Fatalf("status %d after %d calls, want %d after one", w.Code, calls, row.status)
			}
			if strings.Contains(w.Body.String(), "SECRET") {
				t.Errorf("the body holds the error's text: %s", w.Body)
			}
			if row.status != 200 && !strings.Contains(w.Body.String(), `"error":"`+row.code+`"`) {
				t.Errorf("body %s, want error %s", w.Body, row.code)
			}
			if got := w.Header().Get("Retry-After") != ""; got != (row.status == 503) {
				t.Errorf("Retry-After there: %v", got)
			}
			var handled error
			b = newBearer(t, newStub(), middleware.BearerConfig{Check: check, ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { handled = err }})
			serve(b.Require(echo), "Bearer good")
			if row.err != nil && (!errors.Is(handled, row.is) || !errors.Is(handled, row.err)) {
				t.Errorf("the handler got %v, want %v and the check's own", handled, row.is)
			}
		})
	}
}

// TestCheckNotAsked: the hook sees good tokens alone.
func TestCheckNotAsked(t *testing.T) {
	t.Parallel()
	asked := false
	b := newBearer(t, newStub(), middleware.BearerConfig{RequireUserID: true, Check: func(*http.Request, sso.Token) error {
		asked = true
		return nil
	}})
	for _, row := range []struct {
		name   string
		h      http.Handler
		header []string
		status int
	}{
		{"no token", b.Require(echo), nil, 401},
		{"no token, optional", b.Optional(echo), nil, 200},
		{"bad token", b.Optional(echo), []string{"Bearer bad"}, 401},
		{"bad header", b.Require(echo), []string{"Bearer"}, 400},
		{"wrong use", b.Require(echo), []string{"Bearer id"}, 401},
		{"no user id", b.Require(echo), []string{"Bearer no-id"}, 403},
		{"another person's beside it", newBearer(t, newStub(), middleware.BearerConfig{Extract: middleware.FromHeader("X")}).Require(b.Require(echo)), []string{"Bearer good"}, 400},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = row.header
		r.Header.Set("X", "other")
		w := httptest.NewRecorder()
		row.h.ServeHTTP(w, r)
		if w.Code != row.status || asked {
			t.Errorf("%s: %d, want %d; the check was asked: %v", row.name, w.Code, row.status, asked)
		}
	}
}

// TestCheckGoneClient: nobody is answered who left during the check.
func TestCheckGoneClient(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	b := newBearer(t, newStub(), middleware.BearerConfig{Check: func(r *http.Request, _ sso.Token) error {
		cancel()
		return fmt.Errorf("asking the database: %w", r.Context().Err())
	}})
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer good")
	w := newRecorder()
	b.Require(echo).ServeHTTP(w, r)
	if w.wrote || len(w.Header()) > 0 {
		t.Errorf("answered %v %q", w.Header(), w.Body)
	}
}

// FuzzFromCookie: what is accepted is the value of the only pair of that name.
func FuzzFromCookie(f *testing.F) {
	for _, row := range cookieRows {
		f.Add(strings.Join(row.lines, ";"))
	}
	extract := middleware.FromCookie("t")
	f.Fuzz(func(t *testing.T, line string) {
		token, err := extract(&http.Request{Header: http.Header{"Cookie": {line}}})
		if err != nil {
			if token != "" || !errors.Is(err, sso.ErrMissing) && !errors.Is(err, middleware.ErrTokenSource) {
				t.Fatalf("%q: %q, %v", line, token, err)
			}
			// Absent for us is absent for net/http.
			if errors.Is(err, sso.ErrMissing) && len((&http.Request{Header: http.Header{"Cookie": {line}}}).CookiesNamed("t")) > 0 {
				t.Fatalf("%q: net/http finds a cookie", line)
			}
			return
		}
		if token == "" || strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") != "" {
			t.Fatalf("%q gives %q", line, token)
		}
		if got := (&http.Request{Header: http.Header{"Cookie": {line}}}).CookiesNamed("t"); len(got) != 1 || got[0].Value != token {
			t.Fatalf("%q gives %q, net/http %v", line, token, got)
		}
	})
}
