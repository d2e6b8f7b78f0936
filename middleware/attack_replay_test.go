package middleware_test

import (
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestAttackReplay: what was good once, sent again.
func TestAttackReplay(t *testing.T) {
	t.Parallel()
	// used is a sign-in of the victim's that went through, and what an observer
	// of it has.
	type used struct {
		callback, session string
		flows             map[string]string
	}
	putFlows := func(b *browser, a *app, flows map[string]string) {
		for name, value := range flows {
			b.setCookie(a, name, value)
		}
	}
	signOut := func(s *scene, everywhere string) {
		if p := s.victim.signOut(s.a, url.Values{"everywhere": {everywhere}}); p.status != 303 {
			s.t.Fatalf("signing out: %d", p.status)
		}
	}
	replaySession := func(end func(s *scene, u used)) func(s *scene, u used) page {
		return func(s *scene, u used) page {
			end(s, u)
			s.attacker.setCookie(s.a, s.a.login.SessionCookie(), u.session)
			return s.attacker.send(http.MethodGet, s.a.base+"/", script, nil)
		}
	}
	for _, row := range []struct {
		name   string
		do     func(s *scene, u used) page // ends at the attacker's answer
		status int
		calls  int  // to the token endpoint, after the sign-in
		stays  bool // the victim is still signed in
	}{
		{"the callback", func(s *scene, u used) page { return s.attacker.get(u.callback) }, 400, 0, true},
		{"the callback with its flow cookie", func(s *scene, u used) page {
			putFlows(s.attacker, s.a, u.flows)
			return s.attacker.get(u.callback)
		}, 400, 1, true},
		{"the callback with its flow cookie, in the victim's browser", func(s *scene, u used) page {
			putFlows(s.victim, s.a, u.flows)
			return s.victim.get(u.callback)
		}, 303, 1, true},
		{"the callback in the victim's browser", func(s *scene, u used) page { return s.victim.get(u.callback) }, 303, 0, true},
		{"the callback after signing out", func(s *scene, u used) page {
			signOut(s, "")
			return s.victim.get(u.callback)
		}, 400, 0, false},
		{"the callback with its flow cookie after signing out", func(s *scene, u used) page {
			signOut(s, "")
			putFlows(s.victim, s.a, u.flows)
			return s.victim.get(u.callback)
		}, 400, 1, false},
		{"the callback with its flow cookie, later", func(s *scene, u used) page {
			s.pool.Advance(10*time.Minute + time.Second)
			putFlows(s.attacker, s.a, u.flows)
			return s.attacker.get(u.callback)
		}, 400, 0, true},
		{"the code with a flow of the attacker's", func(s *scene, u used) page {
			own := s.attacker.begin(s.a, asAttacker, "/")
			return s.attacker.get(with(s.t, own, "code", param(s.t, u.callback, "code")))
		}, 400, 1, true},
		{"the flow cookie with a new code", func(s *scene, u used) page {
			own := s.attacker.begin(s.a, asAttacker, "/")
			putFlows(s.attacker, s.a, u.flows)
			return s.attacker.get(with(s.t, own, "state", param(s.t, u.callback, "state")))
		}, 400, 1, true},
		{"the session after signing out", replaySession(func(s *scene, _ used) { signOut(s, "") }), 401, 0, false},
		{"the session after signing out everywhere", replaySession(func(s *scene, _ used) { signOut(s, "1") }), 401, 0, false},
		{"the session after the app signed the user out", replaySession(func(s *scene, _ used) {
			subject := s.victim.who(s.a)[len("hello "):]
			if n, err := s.a.login.SignOutSubject(s.t.Context(), subject); n != 1 || err != nil {
				s.t.Fatalf("%d %v", n, err)
			}
		}), 401, 0, false},
		{"the session after signing in anew", replaySession(func(s *scene, _ used) { s.victim.enter(s.a, asVictim) }), 401, 1, true},
		{"the session after its idle limit", replaySession(func(s *scene, _ used) { s.pool.Advance(time.Hour + time.Second) }), 401, 0, false},
		{"the session after its absolute limit", replaySession(func(s *scene, _ used) {
			for range 26 {
				s.pool.Advance(28 * time.Minute)
				s.victim.who(s.a)
			}
		}), 401, -1, false},
		{"signing out, twice", func(s *scene, u used) page {
			signOut(s, "")
			s.victim.setCookie(s.a, s.a.login.SessionCookie(), u.session)
			return s.victim.signOut(s.a, nil)
		}, 303, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			u := used{callback: s.victim.begin(s.a, asVictim, "/")}
			u.flows = s.victim.flowCookies(s.a)
			if p := s.victim.get(u.callback); p.status != 303 {
				t.Fatalf("sign-in: %d", p.status)
			}
			u.session = s.victim.session(s.a)
			calls := s.redeemed()
			p := row.do(s, u)
			if p.status != row.status {
				t.Errorf("status %d, want %d", p.status, row.status)
			}
			if n := s.redeemed() - calls; n != row.calls && row.calls >= 0 {
				t.Errorf("%d calls to the token endpoint, want %d", n, row.calls)
			}
			if now := s.attacker.who(s.a); now != "nobody" {
				t.Errorf("the attacker is %s", now)
			}
			if in := s.victim.who(s.a) != "nobody"; in != row.stays {
				t.Errorf("the victim is signed in: %v", in)
			}
		})
	}
	t.Run("the callback, many times at once", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		callback, flows := s.victim.begin(s.a, asVictim, "/"), s.victim.flowCookies(s.a)
		var in atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			b := s.newBrowser()
			putFlows(b, s.a, flows)
			wg.Go(func() {
				if p, err := b.try(t.Context(), http.MethodGet, callback, crossSite, nil); err == nil && p.status == 303 {
					in.Add(1)
				}
			})
		}
		wg.Wait()
		// Those that came while the code was redeemed share one session; the
		// rest are refused. The code is spent by one of them.
		if in.Load() == 0 || s.a.store.count("create") != 1 {
			t.Errorf("%d signed in, with %d sessions", in.Load(), s.a.store.count("create"))
		}
	})
}

// TestAttackRevivalRows: a session ends in whatever way while a request of it
// is under way at whatever point; it stays ended.
func TestAttackRevivalRows(t *testing.T) {
	t.Parallel()
	for _, end := range []struct {
		name string
		// end ends the session, of a browser of its own, or by its subject.
		end func(s *scene, tab *browser, subject string)
	}{
		{"signed out", func(s *scene, tab *browser, _ string) { tab.signOut(s.a, nil) }},
		{"signed out everywhere", func(s *scene, tab *browser, _ string) {
			tab.signOut(s.a, url.Values{"everywhere": {"1"}})
		}},
		{"signed out by the app", func(s *scene, _ *browser, subject string) {
			if _, err := s.a.login.SignOutSubject(s.t.Context(), subject); err != nil {
				s.t.Error(err)
			}
		}},
		{"deleted in the store", func(s *scene, tab *browser, _ string) {
			if err := s.a.store.SessionStore.Delete(s.t.Context(), s.a.login.SessionKey(tab.session(s.a))); err != nil {
				s.t.Error(err)
			}
		}},
	} {
		for _, moment := range []struct {
			name    string
			advance time.Duration
			call    string // the store's call that is held back
		}{
			{"while its use is noted", 2 * time.Minute, "update"},
			{"before its refresh", 59*time.Minute + 30*time.Second, "get"},
			{"after its refresh", 59*time.Minute + 30*time.Second, "update"},
		} {
			for _, path := range []string{"/token", "/auth/me"} {
				t.Run(end.name+" "+moment.name+", at "+path[1:], func(t *testing.T) {
					t.Parallel()
					s := newScene(t)
					subject := s.victim.enter(s.a, asVictim)[len("hello "):]
					tab := s.newBrowser()
					tab.setCookie(s.a, s.a.login.SessionCookie(), s.victim.session(s.a))
					s.pool.Advance(moment.advance)

					held, release := make(chan struct{}), make(chan struct{})
					var first atomic.Bool
					s.a.store.setHook(func(call string) error {
						if call == moment.call && first.CompareAndSwap(false, true) {
							close(held)
							<-release
						}
						return nil
					})
					done := make(chan page)
					go func() { done <- s.victim.send(http.MethodGet, s.a.base+path, script, nil) }()
					<-held
					end.end(s, tab, subject)
					close(release)
					if p := <-done; p.status != 401 {
						t.Errorf("the request under way: %d", p.status)
					}
					for range 2 {
						if now := s.victim.who(s.a); now != "nobody" {
							t.Fatalf("the session is alive: %s", now)
						}
						s.pool.Advance(2 * time.Minute)
					}
				})
			}
		}
	}
}
