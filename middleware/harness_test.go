package middleware_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/secretscan"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

const (
	appBase  = "https://board.example.ac.kr"
	deskBase = "https://desk.example.ac.kr"
)

var hong = ssotest.Person{Subject: "3141592653", Name: "홍길동", Email: "hong@personal.example"}

// cookieKey returns a key that looks random, by number.
func cookieKey(n int) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "test key %d", n))
	return sum[:]
}

// world is a pool and the apps that use it.
type world struct {
	t    *testing.T
	pool *ssotest.Pool
	// wire sees every call that an app makes to the pool.
	wire *wire
	logs *lockedBuffer
	apps map[string]http.Handler // by base URL
	// shared is the verifier of every app; nil is that each has its own.
	shared *sso.Verifier
}

// newWorld starts a pool with the app clients "board" and "desk", and the user
// of hong with a userId.
func newWorld(t *testing.T, change ...func(*ssotest.Config)) *world {
	t.Helper()
	client := func(id, base string) ssotest.Client {
		return ssotest.Client{
			ClientID: id, ClientSecret: "s3cretOfTheAppClient" + id,
			CallbackURLs: []string{base + "/auth/callback"}, LogoutURLs: []string{base + "/auth/logged-out"},
		}
	}
	cfg := ssotest.Config{
		Providers: []ssotest.Provider{ssotest.Kakao(hong, ssotest.Person{Subject: "2718281828", Name: "이몽룡"}), ssotest.Google()},
		Clients:   []ssotest.Client{client("board", appBase), client("desk", deskBase)},
	}
	for _, f := range change {
		f(&cfg)
	}
	w := &world{t: t, pool: ssotest.NewPool(t, cfg), logs: &lockedBuffer{}, apps: map[string]http.Handler{}}
	w.wire = &wire{next: secretscan.Transport(&http.Transport{})}
	t.Cleanup(func() {
		scanForSecrets(t, w.logs.String())
		secretscan.Saw("a log of Login", w.logs.String())
	})
	return w
}

// app is one web app of the world.
type app struct {
	*world
	base  string
	login *middleware.Login
	store *spyStore
	cfg   middleware.LoginConfig
	mux   *http.ServeMux
}

// newApp makes the app of base, with these pages:
//
//	/              Require: who it is
//	/open          Optional: who it is, or "nobody"
//	/scope, /group Require and a right
//	/token         Require: the access token
func (w *world) newApp(base string, change ...func(*middleware.LoginConfig)) *app {
	w.t.Helper()
	id := "board"
	if base == deskBase {
		id = "desk"
	}
	a := &app{world: w, base: base, store: &spyStore{SessionStore: middleware.NewMemoryStore()}}
	a.cfg = middleware.LoginConfig{
		BaseURL:    base,
		CookieKeys: [][]byte{cookieKey(1)},
		Sessions:   a.store,
		ServeMe:    true,
		Logger:     slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:        w.pool.VerifierConfig().Now,
	}
	if strings.Contains(w.t.Name(), inCookies) {
		a.cfg.Sessions, a.cfg.CookieSessions = nil, &middleware.CookieSessions{KeepRefreshToken: true}
	}
	for _, f := range change {
		f(&a.cfg)
	}
	cc := w.pool.ClientConfig(id)
	cc.HTTPClient = &http.Client{Transport: w.wire, Timeout: 5 * time.Second}
	cc.RedirectURL, cc.LogoutURL = a.cfg.BaseURL+"/auth/callback", a.cfg.BaseURL+"/auth/logged-out"
	if w.shared != nil {
		cc.Verifier = w.shared
	}
	client, err := sso.NewClient(cc)
	if err != nil {
		w.t.Fatal(err)
	}
	a.login, err = middleware.NewLogin(client, a.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	a.mux = http.NewServeMux()
	a.mux.Handle("/auth/", a.login)
	who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := middleware.Token(r.Context())
		if !ok {
			fmt.Fprint(w, "nobody")
			return
		}
		fmt.Fprint(w, "hello ", token.Subject)
	})
	a.mux.Handle("/", a.login.Require(who))
	a.mux.Handle("/open", a.login.Optional(who))
	a.mux.Handle("/scope", a.login.Require(middleware.RequireScope("openid")(who)))
	a.mux.Handle("/noscope", a.login.Require(middleware.RequireScope("api/admin")(who)))
	a.mux.Handle("/openscope", a.login.Optional(middleware.RequireScope("openid")(who)))
	a.mux.Handle("/group", a.login.Require(middleware.RequireGroup("staff")(who)))
	a.mux.Handle("/userid", a.login.Require(middleware.RequireUserID(who)))
	a.mux.Handle("/token", a.login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := middleware.AccessToken(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, token.Reveal())
	})))
	w.apps[base] = a.mux
	return a
}

// sameSessions is for another process, with the sessions of a.
func (a *app) sameSessions(c *middleware.LoginConfig) {
	c.Sessions, c.CookieSessions = a.cfg.Sessions, a.cfg.CookieSessions
}

// wire lets a test look at, delay or replace calls to the pool.
type wire struct {
	next http.RoundTripper

	mu    sync.Mutex
	calls []string
	hook  func(r *http.Request) (*http.Response, error) // nil, nil goes on
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.calls = append(w.calls, r.URL.Path)
	hook := w.hook
	w.mu.Unlock()
	if hook != nil {
		if resp, err := hook(r); resp != nil || err != nil {
			return resp, err
		}
	}
	return w.next.RoundTrip(r)
}

func (w *wire) setHook(f func(r *http.Request) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = f
}

// count returns how many calls went to a path.
func (w *wire) count(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		if c == path {
			n++
		}
	}
	return n
}

// spyStore counts, and fails or waits where a test says.
type spyStore struct {
	middleware.SessionStore

	mu     sync.Mutex
	counts map[string]int
	keys   []string
	hook   func(call string) error // called before each call
	after  func(call string)       // called after those that change a session
}

func (s *spyStore) note(call, key string) error {
	s.mu.Lock()
	if s.counts == nil {
		s.counts = map[string]int{}
	}
	s.counts[call]++
	if key != "" {
		s.keys = append(s.keys, key)
	}
	hook := s.hook
	s.mu.Unlock()
	if hook != nil {
		return hook(call)
	}
	return nil
}

// changed calls after, with the error of a call.
func (s *spyStore) changed(call string, err error) error {
	s.mu.Lock()
	after := s.after
	s.mu.Unlock()
	if after != nil {
		after(call)
	}
	return err
}

func (s *spyStore) setAfter(f func(call string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = f
}

func (s *spyStore) setHook(f func(call string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = f
}

func (s *spyStore) count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[call]
}

func (s *spyStore) Get(ctx context.Context, key string) (middleware.SessionRecord, error) {
	if err := s.note("get", key); err != nil {
		return middleware.SessionRecord{}, err
	}
	return s.SessionStore.Get(ctx, key)
}

func (s *spyStore) Create(ctx context.Context, rec middleware.SessionRecord) error {
	if err := s.note("create", rec.Key); err != nil {
		return err
	}
	return s.SessionStore.Create(ctx, rec)
}

func (s *spyStore) Update(ctx context.Context, rec middleware.SessionRecord) error {
	if err := s.note("update", rec.Key); err != nil {
		return err
	}
	return s.changed("update", s.SessionStore.Update(ctx, rec))
}

func (s *spyStore) Delete(ctx context.Context, key string) error {
	if err := s.note("delete", key); err != nil {
		return err
	}
	return s.changed("delete", s.SessionStore.Delete(ctx, key))
}

func (s *spyStore) DeleteBySubject(ctx context.Context, subject string) (int, error) {
	if err := s.note("deleteBySubject", ""); err != nil {
		return 0, err
	}
	n, err := s.SessionStore.DeleteBySubject(ctx, subject)
	return n, s.changed("deleteBySubject", err)
}

var errStoreDown = errors.New("test: store down")

// browser is a person's browser: it keeps cookies, follows redirects where
// told, and checks the attributes of every cookie that an app sets.
type browser struct {
	t    *testing.T
	w    *world
	jar  *cookiejar.Jar
	http *http.Client
}

func (w *world) newBrowser() *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	b := &browser{t: w.t, w: w, jar: jar}
	b.http = &http.Client{
		Jar:           jar,
		Transport:     b,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return b
}

// RoundTrip serves the apps in this process and everything else by network.
func (b *browser) RoundTrip(r *http.Request) (*http.Response, error) {
	app, ok := b.w.apps[r.URL.Scheme+"://"+r.URL.Host]
	if !ok {
		return http.DefaultTransport.RoundTrip(r)
	}
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.RequestURI(), r.Body)
	in.Host = r.URL.Host
	if r.Host != "" {
		in.Host = r.Host
	}
	in.Header = r.Header.Clone()
	rec := httptest.NewRecorder()
	app.ServeHTTP(rec, in)
	if err := r.Context().Err(); err != nil {
		return nil, err // a browser that left hears nothing
	}
	resp := rec.Result()
	resp.Request = r
	secretscan.LearnAnswer(resp)
	if resp.StatusCode >= http.StatusBadRequest {
		// The page or JSON of a refusal; Location and cookies are not in it.
		secretscan.Saw("an answer that says no", rec.Body.String()+"\n"+resp.Header.Get("WWW-Authenticate"))
	}
	for _, c := range resp.Cookies() {
		checkCookie(b.t, r.URL, c)
	}
	return resp, nil
}

// checkCookie holds what every cookie of Login must be.
func checkCookie(t *testing.T, u *url.URL, c *http.Cookie) {
	t.Helper()
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %s: want HttpOnly, SameSite=Lax, Path=/ and no Domain: %s", c.Name, c.Raw)
	}
	if u.Scheme == "https" && (!c.Secure || !strings.HasPrefix(c.Name, "__Host-")) {
		t.Errorf("cookie %s: want Secure and __Host-", c.Name)
	}
	if len(c.Raw) > 4096 {
		t.Errorf("cookie %s has %d bytes, more than browsers keep", c.Name, len(c.Raw))
	}
}

// page is an answer that was read.
type page struct {
	url    string
	status int
	header http.Header
	body   string
}

func (p page) location() string { return p.header.Get("Location") }

// navigation is what a browser sends when a person follows a link.
var navigation = http.Header{
	"Accept":         {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
	"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"same-origin"},
}

// script is what fetch sends.
var script = http.Header{
	"Accept":         {"*/*"},
	"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"},
}

// send sends one request and does not follow redirects.
func (b *browser) send(method, target string, header http.Header, form url.Values) page {
	b.t.Helper()
	p, err := b.try(b.t.Context(), method, target, header, form)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *browser) try(ctx context.Context, method, target string, header http.Header, form url.Values) (page, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(form.Encode()))
	if err != nil {
		return page{}, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.http.Do(req)
	if err != nil {
		return page{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return page{target, resp.StatusCode, resp.Header, string(body)}, err
}

// visit follows a link and all redirects, as a person does.
func (b *browser) visit(target string) page {
	b.t.Helper()
	return b.follow(b.send(http.MethodGet, target, navigation, nil), "")
}

// follow goes on until an answer is no redirect, or one to a URL that begins
// with stop.
func (b *browser) follow(p page, stop string) page {
	b.t.Helper()
	for range 20 {
		to := p.location()
		if to == "" || stop != "" && strings.HasPrefix(to, stop) {
			return p
		}
		base, err := url.Parse(p.url)
		if err != nil {
			b.t.Fatal(err)
		}
		next, err := base.Parse(to)
		if err != nil {
			b.t.Fatal(err)
		}
		p = b.send(http.MethodGet, next.String(), navigation, nil)
	}
	b.t.Fatal("more than 20 redirects")
	return p
}

var hiddenState = regexp.MustCompile(`name="state" value="([^"]+)"`)

// startKakao begins a sign-in and stops at Kakao's page.
func (b *browser) startKakao(a *app, returnTo string) page {
	b.t.Helper()
	p := b.visit(a.base + "/auth/login?identity_provider=Kakao&prompt=login&return_to=" + url.QueryEscape(returnTo))
	if !hiddenState.MatchString(p.body) {
		b.t.Fatalf("not at Kakao's page but at %s: %d", p.url, p.status)
	}
	return p
}

// pickPerson picks a person on Kakao's page and stops before the callback.
func (b *browser) pickPerson(a *app, kakao page, person string) (callback string) {
	b.t.Helper()
	state := html.UnescapeString(hiddenState.FindStringSubmatch(kakao.body)[1])
	u, err := url.Parse(kakao.url)
	if err != nil {
		b.t.Fatal(err)
	}
	form := url.Values{"state": {state}}
	if person == "cancel" {
		form.Set("cancel", "1")
	} else {
		form.Set("person", person)
	}
	p := b.send(http.MethodPost, u.Scheme+"://"+u.Host+u.Path, navigation, form)
	p = b.follow(p, a.base)
	if !strings.HasPrefix(p.location(), a.base+"/auth/callback?") {
		b.t.Fatalf("no callback but %d %s %s", p.status, p.url, p.location())
	}
	return p.location()
}

// callback returns a callback of a new sign-in that was not sent yet.
func (b *browser) callback(a *app, returnTo string) string {
	b.t.Helper()
	return b.pickPerson(a, b.startKakao(a, returnTo), "0")
}

// signIn signs hong in and returns the page after it.
func (b *browser) signIn(a *app) page {
	b.t.Helper()
	p := b.visit(b.callback(a, "/"))
	if p.status != http.StatusOK || !strings.HasPrefix(p.body, "hello ") {
		b.t.Fatalf("sign-in ended at %s: %d %s", p.url, p.status, p.body)
	}
	return p
}

// cookies returns what the browser keeps for an app, by name.
func (b *browser) cookies(a *app) map[string]string {
	u, _ := url.Parse(a.base + "/")
	all := map[string]string{}
	for _, c := range b.jar.Cookies(u) {
		all[c.Name] = c.Value
	}
	return all
}

// leftOver returns the cookies but that of the sessions which ended.
func (b *browser) leftOver(a *app) map[string]string {
	left := b.cookies(a)
	delete(left, a.login.EndedCookie())
	return left
}

func (b *browser) setCookie(a *app, name, value string) {
	u, _ := url.Parse(a.base + "/")
	c := &http.Cookie{Name: name, Value: value, Path: "/", Secure: u.Scheme == "https"}
	if value == "" {
		c.MaxAge = -1
	}
	b.jar.SetCookies(u, []*http.Cookie{c})
}

func (b *browser) flowCookies(a *app) map[string]string {
	flows := map[string]string{}
	for name, value := range b.cookies(a) {
		if strings.HasPrefix(name, a.login.FlowPrefix()) {
			flows[name] = value
		}
	}
	return flows
}

// signedIn says whether the app lets the browser in.
func (b *browser) signedIn(a *app) bool {
	b.t.Helper()
	p := b.send(http.MethodGet, a.base+"/", script, nil)
	switch p.status {
	case http.StatusOK:
		return true
	case http.StatusUnauthorized:
		return false
	}
	b.t.Fatalf("GET /: %d %s", p.status, p.body)
	return false
}

func (b *browser) signOut(a *app, form url.Values) page {
	b.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	return b.send(http.MethodPost, a.base+"/auth/logout", navigation, form)
}

// lockedBuffer is a bytes.Buffer for many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// secretText finds what must not be in a log: tokens, codes (UUIDs), 32 random
// bytes as text, cookies, addresses.
var secretText = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-|[A-Za-z0-9_-]{40,}|__Host-|@personal\.example|홍길동|PLANTED`)

func scanForSecrets(t *testing.T, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		if found := secretText.FindString(line); found != "" {
			t.Errorf("a log line holds %q: %s", found, line)
		}
	}
}
