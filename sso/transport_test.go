package sso_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// api notes the bearer tokens that reach it, and answers 401 to some.
type api struct {
	*httptest.Server
	refuse   func(token string) bool
	redirect string

	mu     sync.Mutex
	tokens []string
	bodies []string
}

func newAPI(t *testing.T) *api {
	t.Helper()
	a := &api{refuse: func(string) bool { return false }}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *api) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	token := r.Header.Get("Authorization")
	a.mu.Lock()
	a.tokens, a.bodies = append(a.tokens, token), append(a.bodies, string(body))
	a.mu.Unlock()
	switch {
	case a.refuse(token):
		w.WriteHeader(http.StatusUnauthorized)
	case a.redirect != "":
		http.Redirect(w, r, a.redirect, http.StatusTemporaryRedirect)
	}
}

func (a *api) seen() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.tokens)
}

// numbered gives token-1 until it is forgotten, then token-2, ….
func numbered() (token func(context.Context) (sso.Secret, error), forget func(sso.Secret)) {
	n := '1'
	return func(context.Context) (sso.Secret, error) { return sso.Secret("token-" + string(n)), nil },
		func(sso.Secret) { n++ }
}

func send(t *testing.T, rt http.RoundTripper, method, url string, body io.Reader) (int, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: rt}).Do(req)
	if err != nil {
		return 0, err
	}
	_ = resp.Body.Close()
	if req.Header.Get("Authorization") != "" {
		t.Error("the caller's request was changed")
	}
	return resp.StatusCode, nil
}

func transport(t *testing.T, change ...func(*sso.TransportConfig)) *sso.Transport {
	t.Helper()
	cfg := sso.TransportConfig{InsecureAllowHTTP: true}
	cfg.Token, cfg.Refused = numbered()
	for _, f := range change {
		f(&cfg)
	}
	rt, err := sso.NewTransport(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

func TestTransport(t *testing.T) {
	t.Parallel()
	refused := func(tokens ...string) func(string) bool {
		return func(token string) bool { return slices.Contains(tokens, strings.TrimPrefix(token, "Bearer ")) }
	}
	streamed := func() io.Reader { return io.MultiReader(strings.NewReader("body")) } // no GetBody
	for name, row := range map[string]struct {
		refuse func(string) bool
		body   func() io.Reader
		change func(*sso.TransportConfig)
		want   int
		tokens string
	}{
		"sends the token":                      {want: 200, tokens: "Bearer token-1"},
		"a refused token is replaced once":     {refuse: refused("token-1"), want: 200, tokens: "Bearer token-1,Bearer token-2"},
		"two refused tokens are 401":           {refuse: refused("token-1", "token-2"), want: 401, tokens: "Bearer token-1,Bearer token-2"},
		"a body is sent again":                 {refuse: refused("token-1"), body: func() io.Reader { return strings.NewReader("body") }, want: 200, tokens: "Bearer token-1,Bearer token-2"},
		"a body that cannot be had again":      {refuse: refused("token-1"), body: streamed, want: 401, tokens: "Bearer token-1"},
		"no Refused, no second try":            {refuse: refused("token-1"), change: func(c *sso.TransportConfig) { c.Refused = nil }, want: 401, tokens: "Bearer token-1"},
		"the same token is not sent twice":     {refuse: refused("token-1"), change: func(c *sso.TransportConfig) { c.Refused = func(sso.Secret) {} }, want: 401, tokens: "Bearer token-1"},
		"no second token, and the 401 is kept": {refuse: refused("token-1"), change: failsAfterFirst, want: 401, tokens: "Bearer token-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			if row.refuse != nil {
				a.refuse = row.refuse
			}
			var body io.Reader
			if row.body != nil {
				body = row.body()
			}
			rt := transport(t, func(c *sso.TransportConfig) { c.Origins = []string{a.URL} }, func(c *sso.TransportConfig) {
				if row.change != nil {
					row.change(c)
				}
			})
			status, err := send(t, rt, http.MethodPost, a.URL+"/x?y=z", body)
			if err != nil || status != row.want || strings.Join(a.seen(), ",") != row.tokens {
				t.Errorf("%d, %v, tokens %q; want %d, %q", status, err, a.seen(), row.want, row.tokens)
			}
			for _, b := range a.bodies {
				if row.body != nil && b != "body" {
					t.Errorf("body = %q", b)
				}
			}
		})
	}
}

var errNoToken = errors.New("no token")

func failsAfterFirst(c *sso.TransportConfig) {
	calls := 0
	c.Token = func(context.Context) (sso.Secret, error) {
		if calls++; calls > 1 {
			return "", errNoToken
		}
		return "token-1", nil
	}
}

// TestTransportKeepsTokensAtHome holds that no token leaves for another origin,
// whoever asks for it.
func TestTransportKeepsTokensAtHome(t *testing.T) {
	t.Parallel()
	home, away := newAPI(t), newAPI(t)
	rt := transport(t, func(c *sso.TransportConfig) { c.Origins = []string{home.URL} })
	for name, url := range map[string]string{
		"another port":          away.URL + "/",
		"user info":             strings.Replace(away.URL, "://", "://"+strings.TrimPrefix(home.URL, "http://")+"@", 1),
		"another name for it":   strings.Replace(home.URL, "127.0.0.1", "localhost", 1),
		"a host that begins so": strings.Replace(home.URL, "127.0.0.1", "127.0.0.1.example.invalid", 1),
		"another scheme":        strings.Replace(home.URL, "http:", "https:", 1),
	} {
		if _, err := send(t, rt, http.MethodGet, url, nil); !errors.Is(err, sso.ErrOrigin) {
			t.Errorf("%s: %v", name, err)
		}
	}
	home.redirect = away.URL + "/"
	if _, err := send(t, rt, http.MethodGet, home.URL, nil); !errors.Is(err, sso.ErrOrigin) {
		t.Errorf("redirect: %v", err)
	}
	if got := away.seen(); len(got) != 0 {
		t.Errorf("%d requests reached the other origin", len(got))
	}
}

func TestTransportWithoutToken(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	rt := transport(t, func(c *sso.TransportConfig) {
		c.Origins = []string{a.URL}
		c.Token = func(context.Context) (sso.Secret, error) { return "", errNoToken }
	})
	if _, err := send(t, rt, http.MethodGet, a.URL, nil); !errors.Is(err, errNoToken) || len(a.seen()) != 0 {
		t.Errorf("%v; %d requests", err, len(a.seen()))
	}
}

func TestTransportConfig(t *testing.T) {
	t.Parallel()
	some := func(context.Context) (sso.Secret, error) { return "", nil }
	for name, row := range map[string]struct {
		cfg  sso.TransportConfig
		want string
	}{
		"nothing":           {sso.TransportConfig{}, "TransportConfig.Origins,TransportConfig.Token"},
		"https":             {sso.TransportConfig{Token: some, Origins: []string{"https://a.example", "https://a.example:8443"}}, ""},
		"http":              {sso.TransportConfig{Token: some, Origins: []string{"http://a.example"}}, "TransportConfig.Origins[0]"},
		"http on localhost": {sso.TransportConfig{Token: some, Origins: []string{"http://localhost:1"}}, "TransportConfig.Origins[0]"},
		"insecure http":     {sso.TransportConfig{Token: some, Origins: []string{"http://localhost:1"}, InsecureAllowHTTP: true}, ""},
		"path":              {sso.TransportConfig{Token: some, Origins: []string{"https://a.example", "https://a.example/"}}, "TransportConfig.Origins[1]"},
		"query":             {sso.TransportConfig{Token: some, Origins: []string{"https://a.example?x"}}, "TransportConfig.Origins[0]"},
		"user":              {sso.TransportConfig{Token: some, Origins: []string{"https://u@a.example"}}, "TransportConfig.Origins[0]"},
		"no scheme":         {sso.TransportConfig{Token: some, Origins: []string{"a.example"}}, "TransportConfig.Origins[0]"},
		"no host":           {sso.TransportConfig{Token: some, Origins: []string{"https://"}}, "TransportConfig.Origins[0]"},
		"ftp":               {sso.TransportConfig{Token: some, Origins: []string{"ftp://a.example"}, InsecureAllowHTTP: true}, "TransportConfig.Origins[0]"},
		"not a URL":         {sso.TransportConfig{Token: some, Origins: []string{"https://%zz"}}, "TransportConfig.Origins[0]"},
	} {
		rt, err := sso.NewTransport(row.cfg)
		if row.want == "" {
			if err != nil || rt == nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if got := strings.Join(configFields(t, err), ","); got != row.want || rt != nil {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

// TestHTTPClientOfClientCredentials goes the whole way: a refused token is
// forgotten, and another is asked for.
func TestHTTPClientOfClientCredentials(t *testing.T) {
	t.Parallel()
	s, a := newAuthServer(t), newAPI(t)
	source := credentialsSource(t, s.client(), "api/read")
	if _, err := source.HTTPClient(a.URL); !errors.Is(err, sso.ErrConfig) {
		t.Errorf("http origin: %v", err)
	}
	rt := transport(t, func(c *sso.TransportConfig) {
		c.Origins = []string{a.URL}
		c.Token = func(ctx context.Context) (sso.Secret, error) { _, raw, err := source.Token(ctx); return raw, err }
		c.Refused = source.Forget
	})
	first := "Bearer " + mustToken(t, source).Reveal()
	a.refuse = func(token string) bool { return token == first }
	if status, err := send(t, rt, http.MethodGet, a.URL, nil); err != nil || status != 200 || s.tokenRequests() != 2 {
		t.Errorf("%d, %v, %d token requests", status, err, s.tokenRequests())
	}
	hc, err := source.HTTPClient("https://api.example.ac.kr")
	if err != nil || hc.Transport == nil {
		t.Fatal(err)
	}
	if resp, err := hc.Get(a.URL); !errors.Is(err, sso.ErrOrigin) { //nolint:noctx // nothing is sent
		_ = resp.Body.Close()
		t.Errorf("another origin: %v", err)
	}
}
