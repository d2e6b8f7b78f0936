package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAttackTossedCookies: cookies of Login's names, or nearly, that somebody
// managed to put into a browser keep nobody from signing in as themselves, sign
// nobody in, and crash nothing.
func TestAttackTossedCookies(t *testing.T) {
	t.Parallel()
	inBothModes(t, attackTossedCookies)
}

func attackTossedCookies(t *testing.T) {
	t.Helper()
	for _, row := range []struct {
		name string
		// cookies is sent beside the browser's own from the callback on.
		cookies func(s *scene) string
		status  int // of the callback
	}{
		{"rubbish under the session's name without prefix", func(s *scene) string { return bare(s.a.login.SessionCookie()) + "=x" }, 303},
		{"rubbish under the flow's name without prefix", func(s *scene) string {
			for name := range s.victim.flowCookies(s.a) {
				return bare(name) + "=x"
			}
			return ""
		}, 303},
		{"the flow cookie twice", func(s *scene) string {
			for name := range s.victim.flowCookies(s.a) {
				return name + "=x"
			}
			return ""
		}, 400},
		{"the flow cookie twice, the same", func(s *scene) string {
			for name, value := range s.victim.flowCookies(s.a) {
				return name + "=" + value
			}
			return ""
		}, 400},
		{"a session of nobody", func(s *scene) string { return s.a.login.SessionCookie() + "=1." + strings.Repeat("A", 43) }, 303},
		{"a session that is rubbish", func(s *scene) string { return s.a.login.SessionCookie() + "=%00%0d%0a" }, 303},
		{"the attacker's session", func(s *scene) string {
			s.attacker.enter(s.a, asAttacker)
			return s.a.login.SessionCookie() + "=" + s.attacker.session(s.a)
		}, 303},
		{"too many tries", func(s *scene) string { return s.a.login.TriesCookie() + "=2" }, 303},
		{"negative tries", func(s *scene) string { return s.a.login.TriesCookie() + "=-5" }, 303},
		{"tries without end", func(s *scene) string { return s.a.login.TriesCookie() + "=" + strings.Repeat("9", 4000) }, 303},
		{"tries of no number", func(s *scene) string { return s.a.login.TriesCookie() + "=x" }, 303},
		{"a refused silent sign-in", func(s *scene) string {
			return strings.Replace(s.a.login.TriesCookie(), "-tries-", "-silent-", 1) + "=1"
		}, 303},
		{"a hundred flows of rubbish", func(s *scene) string {
			var all []string
			for n := range 100 {
				all = append(all, fmt.Sprintf("%s%d=x", s.a.login.FlowPrefix(), n))
			}
			return strings.Join(all, "; ")
		}, 303},
		{"a cookie without a name", func(*scene) string { return "=x" }, 303},
		{"a cookie without a value", func(s *scene) string { return s.a.login.SessionCookie() }, 303},
		{"$Version of RFC 2965", func(*scene) string { return `$Version=1; $Path="/"` }, 303},
		{"commas for semicolons", func(s *scene) string { return "a=b, " + s.a.login.SessionCookie() + "=x" }, 303},
		{"bytes that are not ASCII", func(s *scene) string { return s.a.login.SessionCookie() + "=\xff\xfe" }, 303},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			callback := s.victim.begin(s.a, asVictim, "/own")
			extra := row.cookies(s)
			r := httptest.NewRequest(http.MethodGet, callback, nil)
			r.Header = headers(navigation)
			all := []string{extra}
			for name, value := range s.victim.cookies(s.a) {
				all = append(all, name+"="+value)
			}
			r.Header.Set("Cookie", strings.Join(all, "; "))
			rec := httptest.NewRecorder()
			s.a.mux.ServeHTTP(rec, r)
			if rec.Code != row.status {
				t.Fatalf("status %d, want %d", rec.Code, row.status)
			}
			s.victim.jar.SetCookies(r.URL, rec.Result().Cookies())
			// Who comes out of it is the victim, or nobody.
			now := s.victim.who(s.a)
			if (now != "nobody") != (row.status == 303) {
				t.Errorf("%s", now)
			}
			if row.status == 303 {
				if other := s.newBrowser().enter(s.a, asAttacker); now == other {
					t.Error("signed in as the attacker")
				}
			}
			if n := len(rec.Result().Cookies()); n > 40 {
				t.Errorf("%d cookies set", n)
			}
		})
	}
}

// bare is a cookie's name without the prefix that browsers protect.
func bare(name string) string { return strings.TrimPrefix(name, "__Host-") }

// TestAttackFixationRows: a session that the attacker knows and put into the
// victim's browser, or had the victim use, is not the victim's afterwards.
func TestAttackFixationRows(t *testing.T) {
	t.Parallel()
	inBothModes(t, attackFixationRows)
}

func attackFixationRows(t *testing.T) {
	t.Helper()
	for _, row := range []struct {
		name string
		// plant puts what the attacker knows into the victim's browser, and
		// returns it: a value of the session cookie.
		plant func(s *scene) string
		// ends is set where a sign-in over a live session ends that one.
		ends bool
	}{
		{"an id made up", func(s *scene) string { return put(s, "1."+strings.Repeat("A", 43)) }, false},
		{"an id of another version", func(s *scene) string { return put(s, "0."+strings.Repeat("A", 43)) }, false},
		{"a store's key", func(s *scene) string { return put(s, s.a.login.SessionKey("1."+strings.Repeat("A", 43))) }, false},
		{"the attacker's own session", func(s *scene) string {
			s.attacker.enter(s.a, asAttacker)
			return put(s, s.attacker.session(s.a))
		}, true},
		{"the attacker's session that ended", func(s *scene) string {
			s.attacker.enter(s.a, asAttacker)
			id := s.attacker.session(s.a)
			s.attacker.signOut(s.a, nil)
			return put(s, id)
		}, false},
		{"the victim's session of before", func(s *scene) string {
			s.victim.enter(s.a, asVictim)
			return s.victim.session(s.a)
		}, true},
		{"the victim's session that was signed out", func(s *scene) string {
			s.victim.enter(s.a, asVictim)
			id := s.victim.session(s.a)
			s.victim.signOut(s.a, nil)
			return id
		}, false},
		{"a session of another app", func(s *scene) string {
			desk := s.newApp(deskBase)
			s.attacker.enter(desk, asAttacker)
			return put(s, s.attacker.session(desk))
		}, false},
		{"a flow cookie's value", func(s *scene) string {
			s.attacker.begin(s.a, asAttacker, "/")
			for _, value := range s.attacker.flowCookies(s.a) {
				return put(s, value)
			}
			return ""
		}, false},
		{"the cookie without its prefix", func(s *scene) string {
			id := "1." + strings.Repeat("A", 43)
			s.victim.setCookie(s.a, bare(s.a.login.SessionCookie()), id)
			return id
		}, false},
		{"in the query", func(s *scene) string {
			s.attacker.enter(s.a, asAttacker)
			id := s.attacker.session(s.a)
			s.victim.get(s.a.base + "/auth/login?" + s.a.login.SessionCookie() + "=" + id)
			return id
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			known := row.plant(s)
			who := s.victim.enter(s.a, asVictim)
			if fresh := s.victim.session(s.a); fresh == known || fresh == "" {
				t.Fatal("the session is the one that was planted")
			}
			thief := s.newBrowser()
			thief.setCookie(s.a, s.a.login.SessionCookie(), known)
			now := thief.who(s.a)
			if now == who {
				t.Error("the attacker is the victim")
			}
			if row.ends && now != "nobody" {
				t.Errorf("the session of before is still %s", now)
			}
		})
	}
	t.Run("a sign-in that fails keeps the session of before", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		who := s.victim.enter(s.a, asVictim)
		id := s.victim.session(s.a)
		p := s.victim.get(with(t, s.victim.begin(s.a, asAttacker, "/"), "code", "of-nobody"))
		if p.status != 303 || s.victim.who(s.a) != who || s.victim.session(s.a) != id {
			t.Errorf("%d, and the victim is %s", p.status, s.victim.who(s.a))
		}
	})
}

// put puts a value under the session cookie of the victim's browser.
func put(s *scene, value string) string {
	s.victim.setCookie(s.a, s.a.login.SessionCookie(), value)
	return value
}
