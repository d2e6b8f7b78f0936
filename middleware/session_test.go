package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// TestIdleAndAbsoluteLimits
func TestIdleAndAbsoluteLimits(t *testing.T) {
	t.Parallel()
	limits := func(c *middleware.LoginConfig) { c.IdleTimeout, c.AbsoluteTimeout = 30*time.Minute, 4*time.Hour }
	w := newWorld(t)
	a := w.newApp(appBase, limits)
	idle := w.newBrowser()
	idle.signIn(a)
	w.pool.Advance(30*time.Minute + time.Second)
	if idle.signedIn(a) {
		t.Error("signed in after the idle limit")
	}
	if a.cfg.Sessions != nil && a.store.count("delete") == 0 {
		t.Error("the ended session was not deleted")
	}

	busy := w.newBrowser()
	busy.signIn(a)
	var used time.Duration
	for busy.signedIn(a) {
		w.pool.Advance(20 * time.Minute)
		used += 20 * time.Minute
		if used > 5*time.Hour {
			t.Fatal("the absolute limit never comes")
		}
	}
	if used < 4*time.Hour-20*time.Minute || used > 4*time.Hour+20*time.Minute {
		t.Errorf("ended after %v, want 4h", used)
	}
}

// TestLimitsAreInTheRecord: a store that never drops anything does not prolong
// a session.
func TestLimitsAreInTheRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase) // its store is on the real clock
	b := w.newBrowser()
	b.signIn(a)
	w.pool.Advance(time.Hour + time.Second)
	if b.signedIn(a) {
		t.Error("signed in after the idle limit")
	}
}

// TestTouch: a session in use is written back at most once a minute.
func TestTouch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	for range 20 {
		b.signedIn(a)
	}
	if n := a.store.count("update"); n != 0 {
		t.Errorf("%d updates in the first minute", n)
	}
	w.pool.Advance(61 * time.Second)
	for range 20 {
		b.signedIn(a)
	}
	if n := a.store.count("update"); n != 1 {
		t.Errorf("%d updates in the second minute, want 1", n)
	}
	// A store that cannot note it signs nobody out.
	w.pool.Advance(61 * time.Second)
	a.store.setHook(failOn("update", errStoreDown))
	if !b.signedIn(a) {
		t.Error("signed out because the use could not be noted")
	}
	// A conflict means that another request noted it.
	a.store.setHook(failOn("update", middleware.ErrSessionConflict))
	if !b.signedIn(a) {
		t.Error("signed out by a conflict")
	}
}

func failOn(call string, err error) func(string) error {
	return func(c string) error {
		if c == call {
			return err
		}
		return nil
	}
}

// TestAttackRevival: a request in flight while its session is signed out does
// not bring it back: neither its touch nor its refresh.
func TestAttackRevival(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		advance time.Duration
		call    string // the store's call that is held back
		revokes int
	}{
		{"touch", 2 * time.Minute, "update", 1},
		{"refresh", 59*time.Minute + 30*time.Second, "update", 2},
		{"refresh, read", 59*time.Minute + 30*time.Second, "get", 1},
	} {
		for _, everywhere := range []string{"", "1"} {
			t.Run(row.name+everywhere, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				a := w.newApp(appBase)
				b := w.newBrowser()
				b.signIn(a)
				cookie := b.cookies(a)[a.login.SessionCookie()]
				w.pool.Advance(row.advance)

				held, release := make(chan struct{}), make(chan struct{})
				var first atomic.Bool
				a.store.setHook(func(call string) error {
					if call == row.call && first.CompareAndSwap(false, true) {
						close(held)
						<-release
					}
					return nil
				})
				done := make(chan page)
				go func() { done <- b.send(http.MethodGet, a.base+"/", script, nil) }()
				<-held
				other := w.newBrowser()
				other.setCookie(a, a.login.SessionCookie(), cookie)
				if p := other.signOut(a, url.Values{"everywhere": {everywhere}}); p.status != 303 {
					t.Fatalf("signing out: %d", p.status)
				}
				close(release)
				if p := <-done; p.status != 401 {
					t.Errorf("the request in flight: %d", p.status)
				}
				if b.signedIn(a) {
					t.Error("the session is alive again")
				}
				// One for signing out, and one for the new tokens, if they came.
				if n := w.wire.count("/oauth2/revoke"); n != row.revokes {
					t.Errorf("%d refresh tokens were revoked, want %d", n, row.revokes)
				}
			})
		}
	}
}

// TestRefresh: tokens are replaced ahead of their end, once for many requests.
func TestRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rotate)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	token := func() string { return b.send(http.MethodGet, a.base+"/token", script, nil).body }
	before := token()
	w.pool.Advance(58 * time.Minute)
	if token() != before {
		t.Error("refreshed long before the end")
	}
	w.pool.Advance(90 * time.Second)
	calls := w.wire.count("/oauth2/token")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			p, err := b.try(t.Context(), http.MethodGet, a.base+"/token", script, nil)
			if err != nil || p.status != 200 || p.body == before {
				t.Errorf("%v %d", err, p.status)
			}
		})
	}
	wg.Wait()
	if n := w.wire.count("/oauth2/token") - calls; n != 1 {
		t.Errorf("%d refreshes for 50 requests, want 1", n)
	}
	// On and on, also well past the first tokens' end.
	for range 5 {
		w.pool.Advance(50 * time.Minute)
		if !b.signedIn(a) {
			t.Fatal("signed out")
		}
	}
}

// TestLateReader: a request that read the session before another one refreshed
// it takes over the new tokens, and asks for none itself.
func TestLateReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rotate)
	a := w.newApp(appBase)
	slow := &spyStore{SessionStore: a.store.SessionStore}
	other := w.newApp(appBase, func(c *middleware.LoginConfig) { c.Sessions = slow })
	w.apps[appBase] = a.mux
	b := w.newBrowser()
	b.signIn(a)
	cookie := a.login.SessionCookie() + "=" + b.cookies(a)[a.login.SessionCookie()]
	w.pool.Advance(59*time.Minute + 30*time.Second)
	held, release := make(chan struct{}), make(chan struct{})
	var n atomic.Int32
	slow.setHook(func(string) error {
		if n.Add(1) == 2 { // it has read the session, and is about to refresh
			close(held)
			<-release
		}
		return nil
	})
	late := make(chan int)
	go func() { late <- serveCookie(other.mux, cookie) }()
	<-held
	if !b.signedIn(a) {
		t.Fatal("signed out")
	}
	close(release)
	if status := <-late; status != 200 {
		t.Errorf("the late one: %d", status)
	}
	if n := w.wire.count("/oauth2/token"); n != 2 {
		t.Errorf("%d calls to the token endpoint, want sign-in and one refresh", n)
	}
}

// TestAccessTokenEndsFirst: the ID token lives on while Cognito is down, and the
// access token does not.
func TestAccessTokenEndsFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *ssotest.Config) { c.Clients[0].AccessTokenValidity = 5 * time.Minute })
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	w.wire.setHook(answer(503, "text/html", ""))
	w.pool.Advance(6 * time.Minute)
	for path, status := range map[string]int{"/": 200, "/scope": 503, "/token": 502} {
		if p := b.send(http.MethodGet, a.base+path, script, nil); p.status != status {
			t.Errorf("%s: %d, want %d: %s", path, p.status, status, p.body)
		}
	}
	w.wire.setHook(nil)
	w.pool.Advance(5 * time.Second)
	for _, path := range []string{"/", "/scope", "/token"} {
		if p := b.send(http.MethodGet, a.base+path, script, nil); p.status != 200 {
			t.Errorf("%s: %d after the outage", path, p.status)
		}
	}
}

// rotate makes every client rotate refresh tokens with no grace.
func rotate(c *ssotest.Config) {
	for i := range c.Clients {
		c.Clients[i].RefreshTokenRotation = true
	}
}

// TestRefreshTwoProcesses: two processes with one store refresh one session at
// once. The one that loses adopts what the other stored; nobody is signed out.
func TestRefreshTwoProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rotate)
	one := w.newApp(appBase)
	two := w.newApp(appBase, func(c *middleware.LoginConfig) { c.Sessions = one.store })
	w.apps[appBase] = one.mux
	b := w.newBrowser()
	b.signIn(one)
	for range 5 {
		w.pool.Advance(59*time.Minute + 30*time.Second)
		var wg sync.WaitGroup
		// Both have read the session before either refreshes.
		var both sync.WaitGroup
		both.Add(2)
		var n atomic.Int32
		one.store.setHook(func(call string) error {
			if call == "get" && n.Add(1) <= 2 {
				both.Done()
				both.Wait()
			}
			return nil
		})
		cookie := one.login.SessionCookie() + "=" + b.cookies(one)[one.login.SessionCookie()]
		for _, a := range []*app{one, two} {
			wg.Go(func() {
				status := serveCookie(a.mux, cookie)
				if status != 200 {
					t.Errorf("status %d", status)
				}
			})
		}
		wg.Wait()
		one.store.setHook(nil)
		if !b.signedIn(one) {
			t.Fatal("signed out")
		}
	}
}

func serveCookie(h http.Handler, cookie string) int {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", cookie)
	r.Header.Set("Sec-Fetch-Mode", "cors")
	w := newRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// TestRefreshConflict: a touch of another process between our reading and our
// writing does not cost the new tokens.
func TestRefreshConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rotate)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	w.pool.Advance(59*time.Minute + 30*time.Second)
	var n atomic.Int32
	a.store.setHook(func(call string) error {
		if call == "update" && n.Add(1) <= 2 {
			return middleware.ErrSessionConflict
		}
		return nil
	})
	if !b.signedIn(a) {
		t.Fatal("signed out")
	}
	a.store.setHook(nil)
	w.pool.Advance(59 * time.Minute)
	if !b.signedIn(a) {
		t.Error("the new refresh token was lost")
	}
}

// TestRefreshStoreHiccup: the store fails once while the new tokens are written.
func TestRefreshStoreHiccup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rotate)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	w.pool.Advance(59*time.Minute + 30*time.Second)
	var n atomic.Int32
	a.store.setHook(func(call string) error {
		if call == "update" && n.Add(1) == 1 {
			return errStoreDown
		}
		return nil
	})
	if !b.signedIn(a) {
		t.Fatal("signed out")
	}
	w.pool.Advance(59 * time.Minute)
	if !b.signedIn(a) {
		t.Error("the new refresh token was lost")
	}
}

// TestStoreReadOnly: the store cannot be written for a long time, while refresh
// tokens rotate. Nobody is signed out, not even where another process has given
// the session up meanwhile; and signing out works.
func TestStoreReadOnly(t *testing.T) {
	t.Parallel()
	for _, ending := range []string{"recovers", "given up elsewhere", "signed out"} {
		t.Run(ending, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rotate)
			long := func(c *middleware.LoginConfig) { c.IdleTimeout = 6 * time.Hour } // use cannot be noted
			a := w.newApp(appBase, long)
			b := w.newBrowser()
			b.signIn(a)
			cookie := a.login.SessionCookie() + "=" + b.cookies(a)[a.login.SessionCookie()]
			w.pool.Advance(59*time.Minute + 30*time.Second)
			a.store.setHook(failOn("update", errStoreDown))
			calls := w.wire.count("/oauth2/token")
			var spent string
			w.wire.setHook(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/oauth2/token" {
					body, _ := io.ReadAll(r.Body)
					r.Body = io.NopCloser(strings.NewReader(string(body)))
					form, _ := url.ParseQuery(string(body))
					spent = form.Get("refresh_token")
				}
				return nil, nil
			})
			for range 5 {
				if !b.signedIn(a) {
					t.Fatal("signed out")
				}
			}
			w.pool.Advance(5 * time.Minute) // past the stored token's end
			if !b.signedIn(a) {
				t.Fatal("signed out after the stored token's end")
			}
			if n := w.wire.count("/oauth2/token") - calls; n != 1 {
				t.Errorf("%d refreshes, want 1", n)
			}
			switch ending {
			case "given up elsewhere":
				// Its own store works. It is refused by Cognito.
				other := w.newApp(appBase, long, func(c *middleware.LoginConfig) { c.Sessions = a.store.SessionStore })
				w.apps[appBase] = a.mux
				if status := serveCookie(other.mux, cookie); status != 401 {
					t.Errorf("the other process answers %d", status)
				}
			case "signed out":
				revoked := w.wire.count("/oauth2/revoke")
				var body []byte
				w.wire.setHook(func(r *http.Request) (*http.Response, error) {
					if r.URL.Path == "/oauth2/revoke" {
						body, _ = io.ReadAll(r.Body)
						r.Body = io.NopCloser(strings.NewReader(string(body)))
					}
					return nil, nil
				})
				if p := b.signOut(a, nil); p.status != 303 {
					t.Errorf("signing out: %d", p.status)
				}
				a.store.setHook(nil)
				if status := serveCookie(a.mux, cookie); status != 401 {
					t.Errorf("signed out, and answered %d", status)
				}
				form, _ := url.ParseQuery(string(body))
				if w.wire.count("/oauth2/revoke") != revoked+1 || form.Get("token") == "" || form.Get("token") == spent {
					t.Error("the refresh token that counts was not revoked")
				}
				return
			}
			a.store.setHook(nil)
			if !b.signedIn(a) {
				t.Fatal("signed out")
			}
			// A new process now finds everything in the store.
			fresh := w.newApp(appBase, long, func(c *middleware.LoginConfig) { c.Sessions = a.store })
			w.pool.Advance(55 * time.Minute)
			if !b.signedIn(fresh) {
				t.Error("the new tokens were never stored")
			}
		})
	}
}

// TestOutageSignsNobodyOut: Cognito is down. Requests go on while the token
// lives, then get 503, and are signed in once it is back.
func TestOutageSignsNobodyOut(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(r *http.Request) (*http.Response, error){
		"cannot connect":        func(*http.Request) (*http.Response, error) { return nil, errors.New("PLANTED refused") },
		"502":                   answer(502, "text/html", "<h1>PLANTED</h1>"),
		"429":                   answer(429, "application/json", `{"error":"too_many_requests"}`),
		"captive portal":        answer(200, "text/html", "<h1>PLANTED</h1>"),
		"client secret changed": answer(400, "application/json", `{"error":"invalid_client"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.newApp(appBase)
			b := w.newBrowser()
			b.signIn(a)
			w.pool.Advance(59*time.Minute + 30*time.Second)
			w.wire.setHook(hook)
			for range 5 {
				if !b.signedIn(a) {
					t.Fatal("signed out while the token lives")
				}
			}
			if n := w.wire.count("/oauth2/token"); n != 2 { // sign-in, and one refresh
				t.Errorf("%d calls to the token endpoint within one pause", n)
			}
			w.pool.Advance(time.Minute)
			if p := b.send(http.MethodGet, a.base+"/", navigation, nil); p.status != 503 || p.header.Get("Retry-After") == "" || p.location() != "" {
				t.Errorf("token past, browser: %d", p.status)
			}
			if p := b.send(http.MethodGet, a.base+"/", script, nil); p.status != 503 || !strings.Contains(p.body, "temporarily_unavailable") {
				t.Errorf("token past, script: %d %s", p.status, p.body)
			}
			if p := b.send(http.MethodGet, a.base+"/open", navigation, nil); p.status != 503 {
				t.Errorf("token past, optional: %d", p.status)
			}
			w.wire.setHook(nil)
			w.pool.Advance(5 * time.Second)
			if !b.signedIn(a) {
				t.Error("signed out by the outage")
			}
		})
	}
}

// answer makes every call to the pool's OAuth endpoints answer this.
func answer(status int, contentType, body string) func(r *http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {contentType}}, Request: r,
			Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

// TestHangingRefresh: while its token lives, a request does not wait long for a
// Cognito that hangs, and the next ones not at all.
func TestHangingRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	w.pool.Advance(59*time.Minute + 30*time.Second)
	w.wire.setHook(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	began := time.Now()
	if !b.signedIn(a) {
		t.Error("signed out")
	}
	if d := time.Since(began); d > 8*time.Second { // 3, and the machine may be busy; 10 without a bound
		t.Errorf("waited %v", d)
	}
}

// TestSessionStoreDown: 503, and signed in when it is back.
func TestSessionStoreDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	a.store.setHook(failOn("get", errStoreDown))
	for _, path := range []string{"/", "/open", "/auth/me"} {
		if p := b.send(http.MethodGet, a.base+path, script, nil); p.status != 503 {
			t.Errorf("%s: %d, want 503", path, p.status)
		}
	}
	if p := b.send(http.MethodGet, a.base+"/", navigation, nil); p.status != 503 || !strings.Contains(p.body, "<h1>") {
		t.Errorf("browser: %d %s", p.status, p.body)
	}
	a.store.setHook(nil)
	if !b.signedIn(a) {
		t.Error("signed out by the outage")
	}
}

// TestRevokedRefreshToken: Cognito ended it, so the session ends with its token.
func TestRevokedRefreshToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	w.pool.SetFaults(func(f *ssotest.Faults) { f.TokenEndpoint = "invalid_grant" })
	w.pool.Advance(59*time.Minute + 30*time.Second)
	if b.signedIn(a) {
		t.Error("signed in with a revoked refresh token")
	}
	calls := w.wire.count("/oauth2/token")
	if b.signedIn(a) || w.wire.count("/oauth2/token") != calls {
		t.Error("an ended session asks Cognito again")
	}
}

// TestSlowWinner: the process whose refresh succeeded stores its tokens so late
// that another one, refused by Cognito, has given the session up. That mends the
// session; but not one that was signed out meanwhile.
func TestSlowWinner(t *testing.T) {
	t.Parallel()
	for _, signOut := range []bool{false, true} {
		t.Run(fmt.Sprint(signOut), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rotate)
			one := w.newApp(appBase)
			slow := &spyStore{SessionStore: one.store.SessionStore}
			two := w.newApp(appBase, func(c *middleware.LoginConfig) { c.Sessions = slow })
			w.apps[appBase] = one.mux
			b, phone := w.newBrowser(), w.newBrowser()
			b.signIn(one)
			phone.signIn(one)
			cookie := one.login.SessionCookie() + "=" + b.cookies(one)[one.login.SessionCookie()]
			w.pool.Advance(59*time.Minute + 30*time.Second)
			held, release := make(chan struct{}), make(chan struct{})
			slow.setHook(func(call string) error {
				if call == "update" {
					close(held)
					<-release
					slow.setHook(nil)
				}
				return nil
			})
			winner := make(chan int)
			go func() { winner <- serveCookie(two.mux, cookie) }()
			<-held
			if status := serveCookie(one.mux, cookie); status != 401 {
				t.Errorf("the loser answered %d", status)
			}
			if signOut {
				// Even now it is known whose session it is.
				if p := b.signOut(one, url.Values{"everywhere": {"1"}}); p.status != 303 || phone.signedIn(one) {
					t.Errorf("signing out: %d", p.status)
				}
			}
			close(release)
			want := map[bool]int{false: 200, true: 401}[signOut]
			if status := <-winner; status != want {
				t.Errorf("the winner answered %d, want %d", status, want)
			}
			if status := serveCookie(one.mux, cookie); status != want {
				t.Errorf("afterwards: %d, want %d", status, want)
			}
		})
	}
}

// TestRemovedKey: the pool's keys were replaced, so the old ID token no longer
// verifies: the session goes on with a new one.
func TestRemovedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	w.pool.RotateKeys()
	w.pool.DropOldKeys()
	// A new process has not seen the old keys.
	fresh := w.newApp(appBase, a.sameSessions)
	if !b.signedIn(fresh) {
		t.Error("signed out by a key rotation")
	}
}

// TestKeysDown: without keys nobody can tell.
func TestKeysDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	w.pool.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSDown })
	fresh := w.newApp(appBase, a.sameSessions)
	if p := b.send(http.MethodGet, fresh.base+"/", script, nil); p.status != 503 {
		t.Errorf("%d, want 503", p.status)
	}
	w.pool.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSOK })
	w.pool.Advance(time.Minute)
	if !b.signedIn(fresh) {
		t.Error("signed out by the outage")
	}
}

// TestStoredSessions: the store holds nothing that can be used or read, and
// nothing that can be moved.
func TestStoredSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	alice, mallory := w.newBrowser(), w.newBrowser()
	alice.signIn(a)
	if p := mallory.visit(mallory.pickPerson(a, mallory.startKakao(a, "/"), "1")); p.status != 200 {
		t.Fatalf("second person: %d", p.status)
	}
	token := alice.send(http.MethodGet, a.base+"/token", script, nil).body
	key := func(b *browser) string { return a.login.SessionKey(b.cookies(a)[a.login.SessionCookie()]) }
	rec, err := a.store.SessionStore.Get(t.Context(), key(alice))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%s %s %q", rec.Key, rec.Subject, rec.Data)
	for name, secret := range map[string]string{
		"access token": token[:20], "id": alice.cookies(a)[a.login.SessionCookie()][2:], "e-mail": hong.Email, "JWT": "eyJ",
	} {
		if strings.Contains(text, secret) {
			t.Errorf("the record shows the %s", name)
		}
	}
	if len(rec.Key) > 64 {
		t.Errorf("the key has %d bytes", len(rec.Key))
	}
	// Whoever can write to the store cannot become somebody else.
	mine, err := a.store.SessionStore.Get(t.Context(), key(mallory))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"another session's data": rec.Data, "rubbish": []byte("{}"), "nothing": nil, "one byte cut": mine.Data[:len(mine.Data)-1],
		"another version": append([]byte{2}, mine.Data[1:]...),
	} {
		forged, err := a.store.SessionStore.Get(t.Context(), mine.Key)
		if err != nil {
			t.Fatal(err)
		}
		forged.Data = data
		if err := a.store.SessionStore.Update(t.Context(), forged); err != nil {
			t.Fatal(err)
		}
		if mallory.signedIn(a) {
			t.Errorf("%s: signed in", name)
		}
	}
	// Nor does another subject on the record make one.
	if err := a.store.SessionStore.Delete(t.Context(), rec.Key); err != nil {
		t.Fatal(err)
	}
	rec.Subject = mine.Subject
	if err := a.store.SessionStore.Create(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if alice.signedIn(a) {
		t.Error("signed in with the subject of somebody else on the record")
	}
}

// TestKeyRotationOfCookies: sessions survive a new key in front, and end when
// their key is removed.
func TestKeyRotationOfCookies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	pending := b.callback(a, "/pending")
	with := func(keys ...[]byte) *app {
		return w.newApp(appBase, a.sameSessions, func(c *middleware.LoginConfig) { c.CookieKeys = keys })
	}
	if during := with(cookieKey(2), cookieKey(1)); !b.signedIn(during) {
		t.Error("signed out by the new key")
	}
	if p := b.send(http.MethodGet, pending, navigation, nil); p.location() != "/pending" {
		t.Errorf("a sign-in under way: %d %s", p.status, p.location())
	}
	if after := with(cookieKey(2)); !b.signedIn(after) {
		t.Error("the session made under the new key does not open")
	}
	if gone := with(cookieKey(3)); b.signedIn(gone) {
		t.Error("signed in without the key")
	}
}

// TestRightsOfSessions: scopes are those of the session's access token.
func TestRightsOfSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	for _, path := range []string{"/scope", "/noscope", "/group", "/userid", "/openscope"} {
		if p := b.send(http.MethodGet, a.base+path, script, nil); p.status != 401 || !strings.Contains(p.body, "login_url") {
			t.Errorf("nobody, %s: %d %s", path, p.status, p.body)
		}
		if p := b.send(http.MethodGet, a.base+path, navigation, nil); p.status != 303 || !strings.HasPrefix(p.location(), "/auth/login?") {
			t.Errorf("nobody, %s in a browser: %d %s", path, p.status, p.location())
		}
	}
	b.signIn(a)
	for path, status := range map[string]int{"/scope": 200, "/openscope": 200, "/noscope": 403, "/group": 403, "/userid": 403} {
		if p := b.send(http.MethodGet, a.base+path, script, nil); p.status != status || status == 403 && !strings.Contains(p.body, "insufficient_scope") {
			t.Errorf("%s: %d %s, want %d", path, p.status, p.body, status)
		}
		if p := b.send(http.MethodGet, a.base+path, navigation, nil); p.status != status || status == 403 && !strings.Contains(p.body, "<h1>") {
			t.Errorf("%s in a browser: %d %s, want %d", path, p.status, p.body, status)
		}
	}
}

// TestGoneBrowser: nothing is written to a browser that left.
func TestGoneBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a)
	ctx, cancel := context.WithCancel(t.Context())
	a.store.setHook(func(string) error {
		cancel()
		return ctx.Err()
	})
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.Header.Set("Cookie", a.login.SessionCookie()+"="+b.cookies(a)[a.login.SessionCookie()])
	rec := newRecorder()
	a.mux.ServeHTTP(rec, r)
	if rec.wrote {
		t.Errorf("answered %d %s", rec.Code, rec.Body)
	}
}
