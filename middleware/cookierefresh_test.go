package middleware_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

const almostExpired = 59*time.Minute + 30*time.Second

// answerTo is what the app answers to a script with these cookies, and the
// session's cookies that the answer sets.
func (a *app) answerTo(ctx context.Context, cookie string) (status int, chunks []string) {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.Header.Set("Cookie", cookie)
	r.Header.Set("Sec-Fetch-Mode", "cors")
	w := httptest.NewRecorder()
	a.mux.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if strings.HasPrefix(c.Name, a.login.SessionCookie()) && c.MaxAge >= 0 {
			chunks = append(chunks, c.Value)
		}
	}
	return w.Code, chunks
}

// TestAttackCookieRefreshRace: requests with one cookie at the same time, or
// with one that was replaced already, under rotation without grace.
func TestAttackCookieRefreshRace(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		run  func(t *testing.T, w *world, one, two *app, old string)
		// calls are those to the token endpoint, with that of the sign-in.
		calls int
	}{
		{"50 at once", func(t *testing.T, _ *world, one, _ *app, old string) {
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if status, chunks := one.answerTo(t.Context(), old); status != 200 || len(chunks) == 0 {
						t.Errorf("%d, %d chunks", status, len(chunks))
					}
				})
			}
			wg.Wait()
		}, 2},
		{"the old cookie comes once more", func(t *testing.T, w *world, one, _ *app, old string) {
			one.answerTo(t.Context(), old)
			w.pool.Advance(2 * time.Minute) // past the old tokens' end
			if status, chunks := one.answerTo(t.Context(), old); status != 200 || len(chunks) == 0 {
				t.Errorf("%d, %d chunks", status, len(chunks))
			}
		}, 2},
		{"the old cookie comes much later", func(t *testing.T, w *world, one, _ *app, old string) {
			one.answerTo(t.Context(), old)
			w.pool.Advance(6 * time.Minute)
			if status, _ := one.answerTo(t.Context(), old); status != 401 {
				t.Errorf("%d", status)
			}
		}, 3},
		{"the browser left before the answer", func(t *testing.T, w *world, one, _ *app, old string) {
			ctx, cancel := context.WithCancel(t.Context())
			w.wire.setHook(func(*http.Request) (*http.Response, error) { cancel(); return nil, nil })
			one.answerTo(ctx, old)
			w.wire.setHook(nil)
			w.pool.Advance(time.Minute)
			for deadline := time.Now().Add(5 * time.Second); ; {
				status, chunks := one.answerTo(t.Context(), old)
				if status == 200 && len(chunks) > 0 {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d, %d chunks", status, len(chunks))
				}
			}
		}, 2},
		{"another process was first: the tokens are good for a moment", func(t *testing.T, _ *world, one, two *app, old string) {
			one.answerTo(t.Context(), old)
			for range 3 {
				if status, chunks := two.answerTo(t.Context(), old); status != 200 || len(chunks) != 0 {
					t.Errorf("the loser: %d, and sets %d chunks", status, len(chunks))
				}
			}
		}, 3},
		{"another process was first, and the moment is over", func(t *testing.T, w *world, one, two *app, old string) {
			one.answerTo(t.Context(), old)
			w.pool.Advance(time.Minute)
			if status, chunks := two.answerTo(t.Context(), old); status != 401 || len(chunks) != 0 {
				t.Errorf("the loser: %d, and sets %d chunks", status, len(chunks))
			}
		}, 3},
		{"the winner's cookie at the loser", func(t *testing.T, w *world, one, two *app, old string) {
			_, chunks := one.answerTo(t.Context(), old)
			two.answerTo(t.Context(), old)
			w.pool.Advance(30 * time.Minute)
			if status, _ := two.answerTo(t.Context(), cookieHeader(two, chunks...)); status != 200 {
				t.Errorf("%d", status)
			}
		}, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rotate)
			long := func(c *middleware.LoginConfig) { c.IdleTimeout = 12 * time.Hour }
			one, two := w.newApp(appBase, keepRefresh, long), w.newApp(appBase, keepRefresh, long)
			w.apps[appBase] = one.mux
			b := w.newBrowser()
			b.signIn(one)
			w.pool.Advance(almostExpired)
			row.run(t, w, one, two, cookieHeader(one, b.chunks(one)...))
			if n := w.wire.count("/oauth2/token"); n != row.calls {
				t.Errorf("%d calls to the token endpoint, want %d", n, row.calls)
			}
		})
	}
}

// TestSignOutRevokesTheLatest: a request to sign out with cookies that another
// answer is replacing ends the refresh token of that answer.
func TestSignOutRevokesTheLatest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rotate)
	a := w.newApp(appBase, keepRefresh)
	b := w.newBrowser()
	b.signIn(a)
	w.pool.Advance(almostExpired)
	old := b.copyOf(a)
	if !b.signedIn(a) {
		t.Fatal("signed out")
	}
	latest, _ := a.login.OpenSessionCookies(cookieHeader(a, b.chunks(a)...))
	var revoked string
	w.wire.setHook(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/oauth2/revoke" {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			form, _ := url.ParseQuery(string(body))
			revoked = form.Get("token")
		}
		return nil, nil
	})
	if p := old.signOut(a, nil); p.status != 303 || revoked == "" || revoked != latest.Refresh {
		t.Errorf("%d; a token was revoked: %t, and it is the latest: %t", p.status, revoked != "", revoked == latest.Refresh)
	}
}

// TestCookieSessionRevoked: Cognito ended the refresh token, so the session ends
// with its tokens, a moment later.
func TestCookieSessionRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase, keepRefresh)
	b := w.newBrowser()
	b.signIn(a)
	w.pool.SetFaults(func(f *ssotest.Faults) { f.TokenEndpoint = "invalid_grant" })
	w.pool.Advance(almostExpired)
	for range 5 {
		if !b.signedIn(a) {
			t.Error("signed out while the tokens are good")
		}
	}
	w.pool.Advance(31 * time.Second)
	for range 5 {
		if b.signedIn(a) {
			t.Error("signed in after the tokens' end")
		}
	}
	if n := w.wire.count("/oauth2/token"); n != 2 {
		t.Errorf("%d calls to the token endpoint, want sign-in and one refusal", n)
	}
}

// TestCookieSessionUnverified: tokens that came while their key could not be had
// do not cost the refresh token that came with them, under rotation.
func TestCookieSessionUnverified(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		advance time.Duration // before the keys come back
		during  int
	}{{"the tokens are good meanwhile", 10 * time.Second, 200}, {"they end meanwhile", 40 * time.Second, 503}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rotate)
			a := w.newApp(appBase, keepRefresh)
			b := w.newBrowser()
			b.signIn(a)
			w.pool.Advance(almostExpired)
			w.pool.RotateKeys()
			w.pool.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSDown })
			before, _ := a.login.OpenSessionCookies(cookieHeader(a, b.chunks(a)...))
			if p := b.send(http.MethodGet, a.base+"/", script, nil); p.status != 200 {
				t.Fatalf("at once: %d", p.status)
			}
			// It is in the browser, for any process.
			if after, _ := a.login.OpenSessionCookies(cookieHeader(a, b.chunks(a)...)); after.Refresh == before.Refresh || after.RawID != before.RawID {
				t.Error("the cookies do not hold the new refresh token beside the old tokens")
			}
			w.pool.Advance(row.advance)
			if p := b.send(http.MethodGet, a.base+"/", script, nil); p.status != row.during {
				t.Errorf("meanwhile: %d, want %d", p.status, row.during)
			}
			w.pool.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSOK })
			w.pool.Advance(time.Minute)
			if !b.signedIn(a) {
				t.Error("signed out by the outage")
			}
		})
	}
}

// TestCookieSessionGrows: refreshed tokens that do not fit change nothing.
func TestCookieSessionGrows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	small := w.newApp(appBase, keepRefresh)
	b := w.newBrowser()
	b.signIn(small)
	before := b.chunks(small)
	tight := w.newApp(appBase, func(c *middleware.LoginConfig) {
		c.Sessions, c.CookieSessions = nil, &middleware.CookieSessions{KeepRefreshToken: true, MaxBytes: 2 << 10}
	})
	w.pool.Advance(almostExpired)
	if status, chunks := tight.answerTo(t.Context(), cookieHeader(tight, before...)); status != 200 || len(chunks) != 0 {
		t.Errorf("%d, and sets %d chunks", status, len(chunks))
	}
	if !strings.Contains(w.logs.String(), "a session in cookies could not be written") {
		t.Error("the log does not say so")
	}
}
