package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

func TestSignOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	b.startKakao(a, "/") // another tab
	session := b.cookies(a)[a.login.SessionCookie()]

	p := b.signOut(a, nil)
	u, err := url.Parse(p.location())
	if p.status != 303 || err != nil || !strings.HasPrefix(p.location(), w.pool.URL()+"/logout?") {
		t.Fatalf("%d %s", p.status, p.location())
	}
	if q := u.Query(); q.Get("client_id") != "board" || q.Get("logout_uri") != appBase+"/auth/logged-out" || len(q) != 2 {
		t.Errorf("query %v", q)
	}
	if p.header.Get("Clear-Site-Data") != "" {
		t.Error("Clear-Site-Data would wipe sibling apps")
	}
	if left := b.leftOver(a); len(left) != 0 {
		t.Errorf("cookies left: %v", left)
	}
	if w.wire.count("/oauth2/revoke") != 1 {
		t.Error("the refresh token was not revoked")
	}
	if p := b.follow(p, ""); p.url != appBase+"/auth/logged-out" || p.status != 200 || !strings.Contains(p.body, "signed out") {
		t.Errorf("ended at %s: %d", p.url, p.status)
	}
	// The cookie, kept or stolen, is worth nothing.
	b.setCookie(a, a.login.SessionCookie(), session)
	if b.signedIn(a) {
		t.Error("the old cookie still signs in")
	}
	// Nor is the sign-in at Cognito left.
	b = w.newBrowserWith(b)
	if p := b.visit(a.base + "/"); !strings.HasPrefix(p.url, w.pool.URL()+"/login?") {
		t.Errorf("signed in again without a page: %s", p.url)
	}
	// Twice is fine.
	if p := b.signOut(a, nil); p.status != 303 {
		t.Errorf("again: %d", p.status)
	}
}

// newBrowserWith returns b without its session cookies for the apps.
func (w *world) newBrowserWith(b *browser) *browser {
	for base := range w.apps {
		a := &app{base: base}
		for name := range b.cookies(a) {
			b.setCookie(a, name, "")
		}
	}
	return b
}

// TestAttackLogoutCSRF: only a POST of the same origin signs out.
func TestAttackLogoutCSRF(t *testing.T) {
	t.Parallel()
	form := url.Values{}
	header := func(pairs ...string) http.Header {
		h := http.Header{"Accept": {"text/html"}}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	for _, row := range []struct {
		name, method string
		header       http.Header
		query        string
		status       int
	}{
		{"same origin", http.MethodPost, header("Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Origin", appBase), "", 303},
		{"same origin, no referrer", http.MethodPost, header("Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Origin", "null"), "", 303},
		{"old browser, same origin", http.MethodPost, header("Origin", appBase), "", 303},
		{"no browser", http.MethodPost, header(), "", 303},
		{"cross-site", http.MethodPost, header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Origin", "https://evil.example"), "", 403},
		{"cross-site without Origin", http.MethodPost, header("Sec-Fetch-Site", "cross-site"), "", 403},
		{"same-site sibling", http.MethodPost, header("Sec-Fetch-Site", "same-site", "Origin", "https://evil.example.ac.kr"), "", 403},
		{"unknown Sec-Fetch-Site", http.MethodPost, header("Sec-Fetch-Site", "weird"), "", 403},
		{"old browser, other origin", http.MethodPost, header("Origin", "https://evil.example"), "", 403},
		{"old browser, null origin", http.MethodPost, header("Origin", "null"), "", 403},
		{"old browser, other port", http.MethodPost, header("Origin", appBase+":8443"), "", 403},
		{"old browser, origin as prefix", http.MethodPost, header("Origin", appBase+".evil.example"), "", 403},
		{"link", http.MethodGet, header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"), "", 405},
		{"image", http.MethodGet, header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"), "", 405},
		{"own link", http.MethodGet, header("Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate"), "", 405},
		{"HEAD", http.MethodHead, header(), "", 405},
		{"PUT", http.MethodPut, header(), "", 405},
		{"DELETE", http.MethodDelete, header("Sec-Fetch-Site", "same-origin"), "", 405},
		{"method override in the query", http.MethodGet, header(), "?_method=POST", 405},
		{"method override in a header", http.MethodGet, header("X-HTTP-Method-Override", "POST"), "", 405},
		{"everywhere in the query of a GET", http.MethodGet, header(), "?everywhere=1", 405},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.newApp(appBase)
			b := w.newBrowser()
			b.signIn(a)
			p := b.send(row.method, a.base+"/auth/logout"+row.query, row.header, form)
			if p.status != row.status {
				t.Fatalf("status %d, want %d", p.status, row.status)
			}
			if in := b.signedIn(a); in == (row.status == 303) {
				t.Errorf("signed in: %v", in)
			}
			if row.status == 405 && p.header.Get("Allow") != http.MethodPost {
				t.Errorf("Allow: %q", p.header.Get("Allow"))
			}
			if row.status != 303 && row.method != http.MethodHead && !strings.Contains(p.body, `<form method="post" action="/auth/logout">`) {
				t.Errorf("no button: %s", p.body)
			}
		})
	}
}

// TestSignOutBehindProxy: a proxy rewrites Host, and the browser is too old for
// Sec-Fetch-Site.
func TestSignOutBehindProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	for origin, status := range map[string]int{appBase: 303, "https://evil.example": 403, "http://board.example.ac.kr": 403} {
		b := w.newBrowser()
		b.signIn(a)
		r := httptest.NewRequest(http.MethodPost, "/auth/logout", nil)
		r.Host = "10.0.0.7:8080"
		r.Header.Set("Origin", origin)
		r.Header.Set("Cookie", a.login.SessionCookie()+"="+b.cookies(a)[a.login.SessionCookie()])
		rec := httptest.NewRecorder()
		a.mux.ServeHTTP(rec, r)
		if rec.Code != status || b.signedIn(a) != (status == 403) {
			t.Errorf("Origin %s: %d, want %d", origin, rec.Code, status)
		}
	}
}

// TestSignOutIsNeverBlocked: Cognito down, slow or refusing does not keep
// anybody signed in.
func TestSignOutIsNeverBlocked(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(r *http.Request) (*http.Response, error){
		"refuses": func(r *http.Request) (*http.Response, error) { return nil, errors.New("PLANTED down") },
		"hangs": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.newApp(appBase)
			b := w.newBrowser()
			b.signIn(a)
			w.wire.setHook(hook)
			began := time.Now()
			if p := b.signOut(a, nil); p.status != 303 {
				t.Errorf("%d", p.status)
			}
			if d := time.Since(began); d > 8*time.Second { // 2, and the machine may be busy; 10 without a bound
				t.Errorf("took %v", d)
			}
			if b.signedIn(a) {
				t.Error("still signed in")
			}
		})
	}
}

// TestSignOutStoreDown: nobody is told to be signed out who is not.
func TestSignOutStoreDown(t *testing.T) {
	t.Parallel()
	for _, everywhere := range []string{"", "1"} {
		for _, failing := range []string{"get", "delete", "deleteBySubject"} {
			w := newWorld(t)
			a := w.newApp(appBase)
			b, other := w.newBrowser(), w.newBrowser()
			b.signIn(a)
			other.signIn(a)
			a.store.setHook(func(call string) error {
				if call == failing {
					return errStoreDown
				}
				return nil
			})
			form := url.Values{"everywhere": {everywhere}}
			p := b.signOut(a, form)
			if involved := failing == "get" || (failing == "delete") == (everywhere == ""); !involved {
				continue
			}
			if p.status != 503 || p.location() != "" || !strings.Contains(p.body, "not signed out yet") {
				t.Errorf("everywhere %q, %s fails: %d %s", everywhere, failing, p.status, p.body)
			}
			a.store.setHook(nil)
			if !b.signedIn(a) {
				t.Errorf("everywhere %q, %s fails: the session ended, so nobody can try again", everywhere, failing)
			}
			if p := b.signOut(a, form); p.status != 303 || b.signedIn(a) || other.signedIn(a) != (everywhere == "") {
				t.Errorf("everywhere %q, trying again: %d", everywhere, p.status)
			}
		}
	}
}

// globalSignOut records whom Cognito was asked to sign out.
type globalSignOut struct {
	mu    sync.Mutex
	names []string
	err   error
}

func (g *globalSignOut) SignOut(_ context.Context, username string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.names = append(g.names, username)
	return g.err
}

// TestSignOutEverywhere ends every session of the user in every app of the
// store, and nobody else's.
func TestSignOutEverywhere(t *testing.T) {
	t.Parallel()
	for _, globalErr := range []error{nil, errors.New("PLANTED: user Kakao_3141592653")} {
		w := newWorld(t)
		global := &globalSignOut{err: globalErr}
		board := w.newApp(appBase, func(c *middleware.LoginConfig) { c.GlobalSignOut = global })
		desk := w.newApp(deskBase, func(c *middleware.LoginConfig) { c.Sessions = board.store })
		laptop, phone, else1 := w.newBrowser(), w.newBrowser(), w.newBrowser()
		laptop.signIn(board)
		phone.signIn(board)
		laptop.visit(desk.base + "/")
		if p := else1.visit(else1.pickPerson(board, else1.startKakao(board, "/"), "1")); p.status != 200 {
			t.Fatalf("second person: %d", p.status)
		}
		// Not everywhere: only here.
		tablet := w.newBrowser()
		tablet.signIn(board)
		tablet.signOut(board, url.Values{"everywhere": {"0"}})
		if !phone.signedIn(board) || len(global.names) != 0 {
			t.Fatal("everywhere=0 signed out everywhere")
		}
		if p := laptop.signOut(board, url.Values{"everywhere": {"1"}}); p.status != 303 || !strings.HasPrefix(p.location(), w.pool.URL()+"/logout?") {
			t.Errorf("%d %s", p.status, p.location())
		}
		if laptop.signedIn(board) || laptop.signedIn(desk) || phone.signedIn(board) {
			t.Error("still signed in somewhere")
		}
		if !else1.signedIn(board) {
			t.Error("somebody else was signed out")
		}
		if len(global.names) != 1 || !strings.HasPrefix(strings.ToLower(global.names[0]), "kakao_") {
			t.Errorf("Cognito was asked for %q", global.names)
		}
	}
}

// A session past its limits can still end the others; where nothing tells whose
// they are, nobody is told that they ended.
func TestSignOutEverywhereLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase, func(c *middleware.LoginConfig) { c.IdleTimeout = time.Hour })
	late, other := w.newBrowser(), w.newBrowser()
	late.signIn(a)
	other.signIn(a)
	w.pool.Advance(50 * time.Minute)
	if !other.signedIn(a) {
		t.Fatal("not signed in")
	}
	w.pool.Advance(20 * time.Minute) // late is past its limit, other is not
	if p := late.signOut(a, url.Values{"everywhere": {"1"}}); p.status != 303 || other.signedIn(a) {
		t.Errorf("%d; the other browser is signed in: %t", p.status, other.signedIn(a))
	}
	other.signIn(a)
	if p := late.signOut(a, url.Values{"everywhere": {"1"}}); p.status != 401 || !other.signedIn(a) {
		t.Errorf("without a session: %d", p.status)
	}
	if p := late.signOut(a, url.Values{}); p.status != 303 {
		t.Errorf("only here, without a session: %d", p.status)
	}
}

func TestSignOutSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	one, two := w.newBrowser(), w.newBrowser()
	subject := strings.TrimPrefix(one.signIn(a).body, "hello ")
	two.signIn(a)
	if n, err := a.login.SignOutSubject(t.Context(), ""); n != 0 || err != nil || !one.signedIn(a) {
		t.Errorf("nobody: %d, %v", n, err)
	}
	if n, err := a.login.SignOutSubject(t.Context(), subject); n != 2 || err != nil {
		t.Errorf("%d, %v, want 2", n, err)
	}
	if one.signedIn(a) || two.signedIn(a) {
		t.Error("still signed in")
	}
	a.store.setHook(func(string) error { return errStoreDown })
	if _, err := a.login.SignOutSubject(t.Context(), subject); !errors.Is(err, middleware.ErrSessionStore) {
		t.Errorf("error %v, want ErrSessionStore", err)
	}
}

// TestSignOutOfScripts: fetch gets the address to go to.
func TestSignOutOfScripts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	p := b.send(http.MethodPost, a.base+"/auth/logout", script, url.Values{})
	var body struct {
		LogoutURL string `json:"logout_url"`
	}
	if err := json.Unmarshal([]byte(p.body), &body); err != nil || p.status != 200 || !strings.HasPrefix(body.LogoutURL, w.pool.URL()+"/logout?") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if b.signedIn(a) || len(b.leftOver(a)) != 0 {
		t.Error("still signed in")
	}
}

// TestAttackLogoutForm: an oversize or broken form is refused, and signs nobody
// out by half.
func TestAttackLogoutForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	if p := b.signOut(a, url.Values{"everywhere": {strings.Repeat("1", 1<<20)}}); p.status != 400 || !b.signedIn(a) {
		t.Errorf("oversize: %d", p.status)
	}
	if p := b.send(http.MethodPost, a.base+"/auth/logout?everywhere=1", navigation, url.Values{}); p.status != 303 {
		t.Errorf("query: %d", p.status)
	}
	if a.store.count("deleteBySubject") != 0 {
		t.Error("the query of a POST decided")
	}
}

// obedientStore does nothing for a context that has ended, as a real one.
type obedientStore struct{ middleware.SessionStore }

func (s obedientStore) Get(ctx context.Context, key string) (middleware.SessionRecord, error) {
	if err := ctx.Err(); err != nil {
		return middleware.SessionRecord{}, err
	}
	return s.SessionStore.Get(ctx, key)
}

func (s obedientStore) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.SessionStore.Delete(ctx, key)
}

func (s obedientStore) DeleteBySubject(ctx context.Context, subject string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return s.SessionStore.DeleteBySubject(ctx, subject)
}

// TestSignOutOfABrowserThatLeaves: somebody who signs out and closes the window
// at once is signed out.
func TestSignOutOfABrowserThatLeaves(t *testing.T) {
	t.Parallel()
	for _, everywhere := range []string{"", "1"} {
		t.Run("everywhere="+everywhere, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.newApp(appBase, func(c *middleware.LoginConfig) { c.Sessions = obedientStore{c.Sessions} })
			b := w.newBrowser()
			b.signIn(a)
			ctx, leave := context.WithCancel(t.Context())
			body := url.Values{"everywhere": {everywhere}}.Encode()
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, appBase+"/auth/logout", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Cookie", a.login.SessionCookie()+"="+b.session(a))
			leave()
			a.mux.ServeHTTP(httptest.NewRecorder(), r)
			if b.signedIn(a) {
				t.Error("still signed in")
			}
			if w.wire.count("/oauth2/revoke") != 1 {
				t.Error("the refresh token was not revoked")
			}
		})
	}
}

// TestLoggedOutIsTrue: a link to the page after signing out signs nobody out,
// and so tells nobody that they are.
func TestLoggedOutIsTrue(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T) {
		t.Helper()
		w := newWorld(t)
		a, b := w.newApp(appBase), w.newBrowser()
		b.signIn(a)
		p := b.send(http.MethodGet, a.base+"/auth/logged-out", navigation, nil)
		if p.status != 200 || strings.Contains(p.body, "You are signed out") || !strings.Contains(p.body, `<form method="post" action="/auth/logout">`) {
			t.Errorf("signed in: %d %s", p.status, p.body)
		}
		b.signOut(a, nil)
		if p := b.visit(a.base + "/auth/logged-out"); p.status != 200 || !strings.Contains(p.body, "You are signed out") {
			t.Errorf("signed out: %d %s", p.status, p.body)
		}
	})
}
