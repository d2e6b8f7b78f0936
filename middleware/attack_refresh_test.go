package middleware_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// nearEnd is when tokens of an hour are due.
const nearEnd = 59*time.Minute + 30*time.Second

// TestAttackRefresh: answers to a refresh that are not this user's tokens never
// become the session's; what says nothing about the session does not end it
// while its tokens live.
func TestAttackRefresh(t *testing.T) {
	t.Parallel()
	type tokens = map[string]any
	made := func(change func(s *scene, subject string, good tokens)) func(s *scene, subject string) (int, string) {
		return func(s *scene, subject string) (int, string) {
			good := tokens{
				"id_token": s.pool.IDToken(ssotest.Claims{Subject: subject}), "access_token": s.pool.AccessToken(ssotest.Claims{Subject: subject}),
				"token_type": "Bearer", "expires_in": 3600,
			}
			change(s, subject, good)
			body, _ := json.Marshal(good)
			return 200, string(body)
		}
	}
	plain := func(status int, body string) func(*scene, string) (int, string) {
		return func(*scene, string) (int, string) { return status, body }
	}
	for _, row := range []struct {
		name   string
		answer func(s *scene, subject string) (status int, body string)
		// now and later: is the victim signed in at once, and when the old
		// tokens have ended with Cognito still answering so?
		now, later bool
	}{
		{"good tokens", made(func(*scene, string, tokens) {}), true, true},
		{"tokens of another user", made(func(s *scene, _ string, good tokens) {
			good["id_token"], good["access_token"] = s.pool.IDToken(ssotest.Claims{Subject: "lee"}), s.pool.AccessToken(ssotest.Claims{Subject: "lee"})
		}), false, false},
		{"ID token of another user", made(func(s *scene, _ string, good tokens) {
			good["id_token"] = s.pool.IDToken(ssotest.Claims{Subject: "lee"})
		}), false, false},
		{"access token of another user", made(func(s *scene, _ string, good tokens) {
			good["access_token"] = s.pool.AccessToken(ssotest.Claims{Subject: "lee"})
		}), false, false},
		{"tokens of another app", made(func(s *scene, subject string, good tokens) {
			good["id_token"] = s.pool.IDToken(ssotest.Claims{ClientID: "desk", Subject: subject})
			good["access_token"] = s.pool.AccessToken(ssotest.Claims{ClientID: "desk", Subject: subject})
		}), false, false},
		{"unsigned tokens", made(func(_ *scene, _ string, good tokens) {
			good["id_token"], good["access_token"] = unsigned(good["id_token"].(string)), unsigned(good["access_token"].(string))
		}), true, false},
		{"swapped tokens", made(func(_ *scene, _ string, good tokens) {
			good["id_token"], good["access_token"] = good["access_token"], good["id_token"]
		}), true, false},
		{"no ID token", made(func(_ *scene, _ string, good tokens) { delete(good, "id_token") }), true, false},
		{"no access token", made(func(_ *scene, _ string, good tokens) { delete(good, "access_token") }), true, false},
		{"not a bearer token", made(func(_ *scene, _ string, good tokens) { good["token_type"] = "mac" }), true, false},
		{"invalid_grant", plain(400, `{"error":"invalid_grant"}`), false, false},
		{"invalid_client", plain(400, `{"error":"invalid_client"}`), true, false},
		{"an error nobody knows", plain(400, `{"error":"evil.example"}`), true, false},
		{"HTML", plain(200, "<html>evil.example</html>"), true, false},
		{"a redirect", plain(302, ""), true, false},
		{"throttled", plain(429, ""), true, false},
		{"down", plain(503, "evil.example"), true, false},
		{"an endless answer", plain(200, `{"id_token":"`+strings.Repeat("a", 4<<20)+`"}`), true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			who := s.victim.enter(s.a, asVictim)
			subject := who[len("hello "):]
			s.wire.setHook(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path != "/oauth2/token" {
					return nil, nil
				}
				status, body := row.answer(s, subject)
				resp, err := answer(status, "application/json", body)(r)
				if status == 302 {
					resp.Header.Set("Location", "https://evil.example/")
				}
				return resp, err
			})
			// is says whether the victim is signed in: as themselves, if so.
			is := func(when string, want bool) {
				p := s.victim.send(http.MethodGet, s.a.base+"/", script, nil)
				if in := p.status == 200; in != want || in && p.body != who {
					t.Errorf("%s: %d %s", when, p.status, p.body)
				}
				harmless(t, p)
			}
			s.pool.Advance(nearEnd)
			is("now", row.now)
			s.pool.Advance(10 * time.Minute)
			is("later", row.later)
		})
	}
}

// TestAttackRefreshRace: refresh tokens rotate without grace, and many requests
// come at once, or something goes wrong in between. A refresh token is spent
// once, and nobody is signed out for it.
func TestAttackRefreshRace(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		// requests come at once, at this many processes with one store.
		requests, processes int
		hook                func(s *scene, n *atomic.Int32) func(call string) error
		signedOut           bool // by another tab, at the same time
	}{
		{name: "many requests", requests: 50, processes: 1},
		{name: "many requests in two processes", requests: 50, processes: 2},
		{name: "many requests in four processes", requests: 60, processes: 4},
		{name: "the store fails once", requests: 10, processes: 1, hook: func(_ *scene, n *atomic.Int32) func(string) error {
			return func(call string) error {
				if call == "update" && n.Add(1) == 1 {
					return errStoreDown
				}
				return nil
			}
		}},
		{name: "the session changed meanwhile", requests: 10, processes: 1, hook: func(_ *scene, n *atomic.Int32) func(string) error {
			return func(call string) error {
				if call == "update" && n.Add(1) <= 2 {
					return middleware.ErrSessionConflict
				}
				return nil
			}
		}},
		{name: "a sign-out at once", requests: 30, processes: 1, signedOut: true},
		{name: "a sign-out at once, in two processes", requests: 30, processes: 2, signedOut: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rotate)
			s := &scene{w, w.newApp(appBase), w.newBrowser(), w.newBrowser()}
			apps := []*app{s.a}
			if row.processes > 1 {
				// Without the spy, which cannot lock.
				apps = nil
				for range row.processes {
					apps = append(apps, w.newApp(appBase, func(c *middleware.LoginConfig) { c.Sessions = s.a.store.SessionStore }))
				}
				s.a = apps[0]
			}
			w.apps[appBase] = s.a.mux
			s.victim.enter(s.a, asVictim)
			cookie := s.a.login.SessionCookie() + "=" + s.victim.session(s.a)
			w.pool.Advance(nearEnd)
			var n atomic.Int32
			if row.hook != nil {
				s.a.store.setHook(row.hook(s, &n))
			}
			calls := s.redeemed()
			var wg sync.WaitGroup
			for i := range row.requests {
				wg.Go(func() {
					status := serveCookie(apps[i%len(apps)].mux, cookie)
					if status != 200 && (status != 401 || !row.signedOut) {
						t.Errorf("status %d", status)
					}
				})
			}
			if row.signedOut {
				if p := s.victim.signOut(s.a, url.Values{}); p.status != 303 {
					t.Errorf("signing out: %d", p.status)
				}
			}
			wg.Wait()
			if row.hook != nil {
				s.a.store.setHook(nil)
			}
			if got := s.redeemed() - calls; got > 1 {
				t.Errorf("%d refreshes, want 1", got)
			}
			w.pool.Advance(time.Minute)
			if status := serveCookie(s.a.mux, cookie); (status == 200) == row.signedOut {
				t.Errorf("afterwards: %d", status)
			}
		})
	}
}
