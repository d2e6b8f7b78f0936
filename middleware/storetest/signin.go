package storetest

import (
	"crypto/rand"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

const (
	base     = "https://app.example.test"
	clientID = "app"
)

// newSite starts a pool and two processes, and signs somebody in.
func newSite(t *testing.T, open func(t *testing.T) middleware.SessionStore) *site {
	t.Helper()
	cookieKey := make([]byte, 32)
	_, _ = rand.Read(cookieKey)
	s := &site{t: t, cookieKey: cookieKey, pool: ssotest.NewPool(t, ssotest.Config{
		Providers: []ssotest.Provider{ssotest.Kakao(ssotest.Person{Subject: "3141592653", Name: "홍길동", Email: "hong@personal.example"})},
		Clients: []ssotest.Client{{
			ClientID: clientID, ClientSecret: "s3cretOfTheAppClient", RefreshTokenRotation: true,
			CallbackURLs: []string{base + prefix + "/callback"}, LogoutURLs: []string{base + prefix + "/logged-out"},
		}},
	})}
	for i := range s.processes {
		s.processes[i] = s.newProcess(open(t))
	}
	cookies := s.signIn(s.processes[0])
	for _, p := range s.processes {
		p.cookies = cookies
		p.wire.reset()
	}
	s.key = <-s.processes[0].store.created
	return s
}

func (s *site) newProcess(store middleware.SessionStore) *process {
	s.t.Helper()
	locker, ok := store.(lockStore)
	if !ok {
		s.t.Fatal("the store is no middleware.SessionLocker")
	}
	p := &process{t: s.t, store: &handle{lockStore: locker, created: make(chan string, 1)}, wire: &wire{}}
	cfg := s.pool.ClientConfig(clientID)
	cfg.HTTPClient = &http.Client{Transport: p.wire, Timeout: 20 * time.Second}
	cfg.RedirectURL, cfg.LogoutURL = base+prefix+"/callback", base+prefix+"/logged-out"
	client, err := sso.NewClient(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := middleware.NewLogin(client, middleware.LoginConfig{
		BaseURL: base, Prefix: prefix, Sessions: p.store, IdleTimeout: 4 * time.Hour,
		CookieKeys: [][]byte{s.cookieKey},
		Logger:     slog.New(slog.DiscardHandler),
		Now:        s.pool.VerifierConfig().Now,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", l)
	mux.Handle("/", l.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	p.handler = mux
	return p
}

var hiddenState = regexp.MustCompile(`name="state" value="([^"]+)"`)

// signIn signs in as a browser does, and returns the app's cookies.
func (s *site) signIn(p *process) []*http.Cookie {
	s.t.Helper()
	started := p.send(http.MethodGet, prefix+"/login?identity_provider=Kakao")
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	var back string // to the app
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), base) {
			back = r.URL.RequestURI()
			return http.ErrUseLastResponse
		}
		return nil
	}}
	kakao, page := s.visit(browser, http.MethodGet, started.Header().Get("Location"), nil)
	state := hiddenState.FindStringSubmatch(page)
	if state == nil {
		s.t.Fatal("no sign-in page of Kakao")
	}
	to := *kakao
	to.RawQuery = ""
	s.visit(browser, http.MethodPost, to.String(), url.Values{"state": {html.UnescapeString(state[1])}, "person": {"0"}})
	p.cookies = cookiesOf(started.Header())
	var kept []*http.Cookie
	for _, c := range cookiesOf(p.send(http.MethodGet, back).Header()) {
		if c.MaxAge >= 0 && c.Value != "" {
			kept = append(kept, c)
		}
	}
	if len(kept) == 0 {
		s.t.Fatal("the sign-in set no cookie")
	}
	return kept
}

// cookiesOf are those that an answer sets.
func cookiesOf(h http.Header) []*http.Cookie { return (&http.Response{Header: h}).Cookies() }

// visit follows redirects, but not back to the app, and returns where it ended
// and the page there.
func (s *site) visit(browser *http.Client, method, target string, form url.Values) (*url.URL, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := browser.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.Request.URL, string(body)
}
