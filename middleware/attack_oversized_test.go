package middleware_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// letters is an endless body.
type letters struct{ read int }

func (l *letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	l.read += len(p)
	if l.read > 64<<20 {
		return 0, io.EOF
	}
	return len(p), nil
}

// TestAttackOversized: requests that are far too large are answered at once, in
// few bytes, without a call to Cognito or a session; and the app goes on.
func TestAttackOversized(t *testing.T) {
	t.Parallel()
	inBothModes(t, attackOversized)
}

func attackOversized(t *testing.T) {
	t.Helper()
	const mega = 1 << 20
	long := strings.Repeat("a", mega)
	many := func(n int, pair string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "&"+pair, i)
		}
		return b.String()[1:]
	}
	for _, row := range []struct {
		name, method, target string
		header               http.Header
		body                 io.Reader
		status               int
	}{
		{"a long return_to", "GET", "/auth/login?return_to=/" + long, nil, nil, 303},
		{"a long provider", "GET", "/auth/login?identity_provider=" + long, nil, nil, 400},
		{"a long prompt", "GET", "/auth/login?prompt=" + long, nil, nil, 400},
		{"a prompt of many words", "GET", "/auth/login?prompt=" + strings.Repeat("login+", 10_000), nil, nil, 400},
		{"many parameters of a sign-in", "GET", "/auth/login?" + many(50_000, "p%d=x"), nil, nil, 400},
		{"many return_tos", "GET", "/auth/login?" + strings.Repeat("return_to=/a&", 5000), nil, nil, 400},
		{"a long state", "GET", "/auth/callback?code=x&state=" + long, nil, nil, 400},
		{"a long code", "GET", "/auth/callback?state=x&code=" + long, nil, nil, 400},
		{"a long error", "GET", "/auth/callback?state=x&error=" + long, nil, nil, 400},
		{"a long description", "GET", "/auth/callback?state=x&error=y&error_description=" + long, nil, nil, 400},
		{"many parameters of a callback", "GET", "/auth/callback?" + many(50_000, "p%d=x"), nil, nil, 400},
		{"a long path", "GET", "/" + long, nil, nil, 303},
		{"a long path of Login's", "GET", "/auth/" + long, nil, nil, 404},
		{"a path of many segments", "GET", "/" + strings.Repeat("a/", mega/2), nil, nil, 303},
		{"a long session cookie", "GET", "/", http.Header{"Cookie": {"{session}=1." + long}}, nil, 303},
		{"a long flow cookie", "GET", "/auth/callback?code=x&state=x", http.Header{"Cookie": {"{flow}=" + long}}, nil, 400},
		{"many flow cookies", "GET", "/auth/login", http.Header{"Cookie": {strings.ReplaceAll(many(5000, "{prefix}%d=x"), "&", "; ")}}, nil, 303},
		{"many cookies", "GET", "/", http.Header{"Cookie": {strings.ReplaceAll(many(2000, "c%d=x"), "&", "; ")}}, nil, 303},
		{"a long Accept-Language", "GET", "/auth/logged-out", http.Header{"Accept-Language": {strings.Repeat("ko;q=0.1,", mega/9)}}, nil, 200},
		{"a long Accept", "GET", "/", http.Header{"Accept": {strings.Repeat("a/b;q=0.1,", mega/10)}, "Sec-Fetch-Mode": nil, "Sec-Fetch-Dest": nil, "Sec-Fetch-Site": nil}, nil, 401},
		{"an endless form", "POST", "/auth/logout", nil, &letters{}, 400},
		{"a form of many fields", "POST", "/auth/logout", nil, strings.NewReader(many(100_000, "p%d=x")), 400},
		{"an endless body to a route that reads none", "POST", "/auth/login", nil, &letters{}, 405},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			// ServeHTTP is called as a server without limits of its own would.
			r := httptest.NewRequest(row.method, "/", row.body)
			r.RequestURI = row.target
			u, err := url.ParseRequestURI(row.target)
			if err != nil {
				t.Fatal(err)
			}
			r.URL = u
			r.Header = headers(navigation, "Content-Type", "application/x-www-form-urlencoded")
			for name, values := range row.header {
				r.Header.Del(name)
				for _, v := range values {
					r.Header.Set(name, strings.NewReplacer("{session}", s.a.login.SessionCookie(), "{flow}", s.a.login.FlowCookie("x"), "{prefix}", s.a.login.FlowPrefix()).Replace(v))
				}
			}
			rec := httptest.NewRecorder()
			began := time.Now()
			// Not through the mux, which cleans paths first.
			h := s.a.login.Require(http.NotFoundHandler())
			if strings.HasPrefix(row.target, "/auth/") {
				h = s.a.login
			}
			h.ServeHTTP(rec, r)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if rec.Code != row.status {
				t.Errorf("status %d, want %d", rec.Code, row.status)
			}
			size := rec.Body.Len()
			for name, values := range rec.Header() {
				for _, v := range values {
					size += len(name) + len(v)
				}
			}
			if size > 32<<10 {
				t.Errorf("the answer has %d bytes", size)
			}
			if body, ok := row.body.(*letters); ok && body.read > mega {
				t.Errorf("%d bytes of the body were read", body.read)
			}
			if len(s.wire.calls) != 0 || s.a.store.count("create") != 0 {
				t.Errorf("calls to Cognito: %q; %d sessions", s.wire.calls, s.a.store.count("create"))
			}
			if s.victim.enter(s.a, asVictim) == "nobody" {
				t.Error("afterwards nobody can sign in")
			}
		})
	}
}
