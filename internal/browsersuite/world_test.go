package browsersuite_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/browsertest"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

var (
	hong = ssotest.Person{Subject: "3141592653", Name: "홍길동", Email: "hong@personal.example"}
	lee  = ssotest.Person{Subject: "2718281828", Name: "이몽룡"}
	kim  = ssotest.Person{Subject: "117000000000000000001", Name: "Kim Sora", Email: "sora@gmail.example", EmailVerified: true}
)

// stage is what all tests share: one browser, and one port for all hosts.
type stage struct {
	browser *browsertest.Browser
	front   *front
	worlds  atomic.Int64
}

func newStage(t *testing.T) *stage {
	t.Helper()
	f := newFront(t)
	return &stage{front: f, browser: browsertest.Start(t, browsertest.Config{
		Flags: map[string]any{
			"host-resolver-rules":                 "MAP * " + f.addr,
			"ignore-certificate-errors-spki-list": f.pin,
		},
		Preferences: map[string]any{
			"profile": map[string]any{"content_settings": map[string]any{"exceptions": map[string]any{
				// What "block all cookies" does, for the hosts of one test.
				"cookies": map[string]any{"[*.]nocookies.example,*": map[string]any{"setting": 2}},
			}}},
		},
	})}
}

// world is a pool and three apps: board and desk are siblings of one site, and
// the library is another site, as the pool's domain and the stranger are.
type world struct {
	t       *testing.T
	stage   *stage
	pool    *ssotest.Pool
	domain  string // of the pool
	board   *app
	desk    *app
	library *app
	// stranger is the origin of somebody else's site. It serves strange.
	stranger string
	strange  *http.ServeMux

	// stripping takes the session's cookie out of every request.
	stripping atomic.Bool
	// held keeps callbacks from the apps: what a stranger does with their own.
	held atomic.Bool

	ahead atomic.Int64 // how far the apps' clock is ahead of the pool's, in ns
	wire  *wire        // from the apps to the pool
	logs  *lockedBuffer

	mu    sync.Mutex
	seen  []seen
	begun map[string]int // requests that arrived, by host and path
}

// seen is a request that a host got, and how it answered.
type seen struct {
	host, method, path string
	query              url.Values
	header, answer     http.Header
	status             int
}

type worldConfig struct {
	pool  func(*ssotest.Config)
	login func(*middleware.LoginConfig)
	// noCookies puts the board on a host whose cookies the browser refuses.
	noCookies bool
}

func (s *stage) newWorld(t *testing.T, cfg worldConfig) *world {
	t.Helper()
	n := s.worlds.Add(1)
	w := &world{t: t, stage: s, logs: &lockedBuffer{}, strange: http.NewServeMux()}
	w.domain = fmt.Sprintf("https://login-%d.auth.example", n)
	w.stranger = fmt.Sprintf("https://www-%d.stranger.example", n)
	site := "example.ac.kr"
	if cfg.noCookies {
		site = "nocookies.example"
	}
	w.board = &app{w: w, id: "board", base: fmt.Sprintf("https://board-%d.%s", n, site)}
	w.desk = &app{w: w, id: "desk", base: fmt.Sprintf("https://desk-%d.example.ac.kr", n)}
	w.library = &app{w: w, id: "library", base: fmt.Sprintf("https://library-%d.example.org", n)}
	w.startPool(cfg)
	for _, a := range w.apps() {
		a.start(cfg)
	}
	w.serve(w.stranger, w.strange)
	t.Cleanup(w.checkLogs)
	return w
}

func (w *world) apps() []*app { return []*app{w.board, w.desk, w.library} }

func (w *world) startPool(cfg worldConfig) {
	w.t.Helper()
	pc := ssotest.Config{Providers: []ssotest.Provider{ssotest.Kakao(hong, lee), ssotest.Google(kim)}}
	for _, a := range w.apps() {
		pc.Clients = append(pc.Clients, ssotest.Client{
			ClientID: a.id, ClientName: a.id, ClientSecret: "s3cretOfTheAppClient" + a.id,
			CallbackURLs: []string{a.base + "/auth/callback"}, LogoutURLs: []string{a.base + "/auth/logged-out"},
		})
	}
	if cfg.pool != nil {
		cfg.pool(&pc)
	}
	w.pool = ssotest.NewPool(w.t, pc)
	target, err := url.Parse(w.pool.URL())
	if err != nil {
		w.t.Fatal(err)
	}
	w.serve(w.domain, &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	})
	w.wire = &wire{next: w.stage.front.transport()}
}

// now is the apps' clock.
func (w *world) now() time.Time {
	return w.pool.VerifierConfig().Now().Add(time.Duration(w.ahead.Load()))
}

// serve puts a host on the stage, and notes what it is asked.
func (w *world) serve(base string, h http.Handler) {
	host := strings.TrimPrefix(base, "https://")
	w.stage.front.add(host, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s := seen{host: host, method: r.Method, path: r.URL.Path, query: r.URL.Query(), header: r.Header.Clone()}
		if w.stripping.Load() {
			withoutSession(r)
		}
		w.begin(host, r.URL.Path)
		rec := &statusWriter{ResponseWriter: rw, status: http.StatusOK}
		if w.held.Load() && r.URL.Path == "/auth/callback" {
			http.Error(rec, "held", http.StatusNotFound)
		} else {
			h.ServeHTTP(rec, r)
		}
		s.status, s.answer = rec.status, maps.Clone(rw.Header())
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen = append(w.seen, s)
	}))
}

func (w *world) begin(host, path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun == nil {
		w.begun = map[string]int{}
	}
	w.begun[host+path]++
}

// arrived counts the requests for a path, answered or not.
func (w *world) arrived(base, path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begun[strings.TrimPrefix(base, "https://")+path]
}

// withoutSession is a proxy, or a browser, that loses one cookie.
func withoutSession(r *http.Request) {
	cookies := r.Cookies()
	r.Header.Del("Cookie")
	for _, c := range cookies {
		if !strings.Contains(c.Name, "-session-") {
			r.AddCookie(c)
		}
	}
}

// asked returns the answered requests that the host of base got for a path.
func (w *world) asked(base, path string) []seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	host := strings.TrimPrefix(base, "https://")
	return slices.DeleteFunc(slices.Clone(w.seen), func(s seen) bool { return s.host != host || s.path != path })
}

// pages counts how often the pool showed somebody a page to sign in at.
func (w *world) pages() int {
	return len(w.asked(w.domain, "/login")) + len(w.asked(w.domain, "/_idp/Kakao/authorize")) +
		len(w.asked(w.domain, "/_idp/Google/authorize"))
}

// checkLogs holds that no app wrote a code, state, cookie or name into its log.
func (w *world) checkLogs() {
	logs := w.logs.String()
	leaked := func(what, value string) {
		if len(value) >= 8 && strings.Contains(logs, value) {
			w.t.Errorf("the log of the apps contains a %s", what)
		}
	}
	for _, p := range []ssotest.Person{hong, lee, kim} {
		leaked("id at a provider", p.Subject)
		leaked("name", p.Name)
		leaked("email", p.Email)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.seen {
		leaked("code", s.query.Get("code"))
		leaked("state", s.query.Get("state"))
		for _, c := range (&http.Request{Header: s.header}).Cookies() {
			leaked("cookie", c.Value)
		}
	}
}

func (w *world) newTab() *browsertest.Tab { w.t.Helper(); return w.newProfile().NewTab() }

func (w *world) newProfile() *browsertest.Profile {
	return w.stage.browser.NewProfile(w.t)
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// wire lets a test delay or replace what the apps ask the pool.
type wire struct {
	next http.RoundTripper

	mu   sync.Mutex
	hook func(*http.Request) (*http.Response, error) // nil, nil goes on
	sent []string                                    // paths
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.sent = append(w.sent, r.URL.Path)
	hook := w.hook
	w.mu.Unlock()
	if hook != nil {
		if resp, err := hook(r); resp != nil || err != nil {
			return resp, err
		}
	}
	return w.next.RoundTrip(r)
}

func (w *wire) setHook(f func(*http.Request) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = f
}

func (w *wire) count(path string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.sent {
		if p == path {
			n++
		}
	}
	return n
}

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

// newLogin makes an app's login.
func (w *world) newLogin(id, base string, change func(*middleware.LoginConfig)) *middleware.Login {
	w.t.Helper()
	vc := w.pool.VerifierConfig(id)
	vc.Now = w.now
	v, err := sso.NewVerifier(vc)
	if err != nil {
		w.t.Fatal(err)
	}
	cc := w.pool.ClientConfig(id)
	cc.Verifier, cc.Now, cc.Domain = v, w.now, w.domain
	cc.HTTPClient = &http.Client{Transport: w.wire, Timeout: 10 * time.Second}
	client, err := sso.NewClient(cc)
	if err != nil {
		w.t.Fatal(err)
	}
	key := sha256.Sum256([]byte(base))
	cfg := middleware.LoginConfig{
		BaseURL: base, CookieKeys: [][]byte{key[:]}, ServeMe: true, Now: w.now,
		Logger: slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	login, err := middleware.NewLogin(client, cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return login
}
