package middleware_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What the victim's browser was doing when the attack came.
const (
	idle     = "idle"
	midFlow  = "mid-flow"  // a sign-in of the victim's is open in a tab
	signedIn = "signed in" // as the victim
)

// TestAttackLoginCSRFRows: somebody sends the callback of their own sign-in, or
// the start of one, to somebody else's browser. The victim is never signed in
// as the attacker, stays who they were, and finishes what they had begun.
func TestAttackLoginCSRFRows(t *testing.T) {
	t.Parallel()
	inBothModes(t, attackLoginCSRFRows)
}

func attackLoginCSRFRows(t *testing.T) {
	t.Helper()
	type attack = func(s *scene, stolen, own string) page
	link := func(s *scene, stolen, _ string) page { return s.victim.get(stolen) }
	as := func(method string, pairs ...string) attack {
		return func(s *scene, stolen, _ string) page {
			return s.victim.send(method, stolen, headers(crossSite, pairs...), nil)
		}
	}
	path := func(to string) attack {
		return func(s *scene, stolen, _ string) page {
			return s.victim.get(strings.Replace(stolen, "/auth/callback", to, 1))
		}
	}
	// planted puts the attacker's flow cookie into the victim's browser, under
	// the names that a sibling host or a network attacker can set: browsers
	// take no __Host- cookie from those.
	planted := func(rename func(name string) string) attack {
		return func(s *scene, stolen, _ string) page {
			for name, value := range s.attacker.flowCookies(s.a) {
				s.victim.setCookie(s.a, rename(name), value)
			}
			return s.victim.get(stolen)
		}
	}
	for _, row := range []struct {
		name     string
		victim   string
		do       attack
		status   int
		location string
		calls    int
		costs    bool // the victim's open tab has to begin again
	}{
		{name: "a link", victim: idle, do: link, status: 400},
		{name: "a link, beside the victim's own sign-in", victim: midFlow, do: link, status: 400},
		{name: "a link, to somebody signed in", victim: signedIn, do: link, status: 303, location: "/"},
		{name: "a frame", victim: midFlow, do: as("GET", "Sec-Fetch-Dest", "iframe"), status: 400},
		{name: "an image", victim: midFlow, do: as("GET", "Sec-Fetch-Dest", "image", "Sec-Fetch-Mode", "no-cors"), status: 400},
		{name: "fetch", victim: midFlow, do: as("GET", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "no-cors"), status: 400},
		{name: "HEAD", victim: midFlow, do: as("HEAD"), status: 405},
		{name: "prefetched", victim: midFlow, do: as("GET", "Sec-Purpose", "prefetch"), status: 503},
		{name: "a form (form_post)", victim: midFlow, status: 405, do: func(s *scene, stolen, _ string) page {
			u, _ := url.Parse(stolen)
			return s.victim.send("POST", s.a.base+"/auth/callback", crossSite, u.Query())
		}},
		{name: "a form with the query in the target too", victim: midFlow, do: as("POST"), status: 405},
		{name: "the attacker's code under the victim's state", victim: midFlow, status: 400, calls: 1, costs: true, do: func(s *scene, stolen, own string) page {
			return s.victim.get(with(s.t, own, "code", param(s.t, stolen, "code")))
		}},
		{name: "the victim's code under the attacker's state", victim: midFlow, status: 400, do: func(s *scene, stolen, own string) page {
			return s.victim.get(with(s.t, own, "state", param(s.t, stolen, "state")))
		}},
		{name: "an error under the attacker's state", victim: midFlow, status: 400, do: func(s *scene, stolen, _ string) page {
			return s.victim.get(with(s.t, without(s.t, stolen, "code"), "error", "login_required"))
		}},
		{name: "an error, to somebody signed in", victim: signedIn, status: 303, location: "/", do: func(s *scene, stolen, _ string) page {
			return s.victim.get(with(s.t, without(s.t, stolen, "code"), "error", "access_denied"))
		}},
		{name: "flow cookie without its prefix", victim: midFlow, status: 400, do: planted(func(n string) string { return strings.TrimPrefix(n, "__Host-") })},
		{name: "flow cookie as __Secure-", victim: midFlow, status: 400, do: planted(func(n string) string { return "__Secure-" + strings.TrimPrefix(n, "__Host-") })},
		{name: "flow cookie as __host-", victim: midFlow, status: 400, do: planted(func(n string) string { return "__host-" + strings.TrimPrefix(n, "__Host-") })},
		{name: "flow cookie under the victim's name", victim: midFlow, status: 400, costs: true, do: func(s *scene, stolen, _ string) page {
			for _, value := range s.attacker.flowCookies(s.a) {
				for name := range s.victim.flowCookies(s.a) {
					s.victim.setCookie(s.a, name, value)
				}
			}
			return s.victim.get(stolen)
		}},
		{name: "flow cookie under the victim's name, under the victim's state", victim: midFlow, status: 400, costs: true, do: func(s *scene, stolen, own string) page {
			for _, value := range s.attacker.flowCookies(s.a) {
				for name := range s.victim.flowCookies(s.a) {
					s.victim.setCookie(s.a, name, value)
				}
			}
			return s.victim.get(with(s.t, own, "code", param(s.t, stolen, "code")))
		}},
		{name: "path in another case", victim: midFlow, do: path("/auth/Callback"), status: 404},
		{name: "path with a slash after it", victim: midFlow, do: path("/auth/callback/"), status: 404},
		{name: "path with more after it", victim: midFlow, do: path("/auth/callback;x=1"), status: 404},
		{name: "path encoded", victim: midFlow, do: path("/auth/%63allback"), status: 400},
		{name: "the callback of another app", victim: midFlow, status: 400, do: func(s *scene, _, _ string) page {
			desk := s.newApp(deskBase)
			return s.victim.get(strings.Replace(s.attacker.begin(desk, asAttacker, "/"), deskBase, appBase, 1))
		}},
		{name: "a sign-in started for the victim, with the attacker's name filled in", victim: midFlow, status: 303, do: func(s *scene, _, _ string) page {
			p := s.victim.get(s.a.base + "/auth/login?identity_provider=Kakao&login_hint=attacker&username=attacker")
			if to := p.location(); !strings.HasPrefix(to, s.pool.URL()+"/oauth2/authorize?") || strings.Contains(to, "attacker") {
				s.t.Errorf("sent to %s", to)
			}
			return p
		}},
		{name: "a silent sign-in started for the victim", victim: midFlow, status: 303, do: func(s *scene, _, _ string) page {
			return s.victim.get(s.a.base + "/auth/login?prompt=none&return_to=%2Fopen")
		}},
		{name: "so many sign-ins that the victim's flow is dropped", victim: midFlow, status: 303, costs: true, do: func(s *scene, _, _ string) (p page) {
			for range 5 {
				s.pool.Advance(1e9)
				p = s.victim.get(s.a.base + "/auth/login")
			}
			return p
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			stolen, own := s.attacker.begin(s.a, asAttacker, "/"), ""
			before := "nobody"
			switch row.victim {
			case midFlow:
				own = s.victim.begin(s.a, asVictim, "/own")
			case signedIn:
				before = s.victim.enter(s.a, asVictim)
			}
			session, calls := s.victim.session(s.a), s.redeemed()

			p := row.do(s, stolen, own)
			if p.status != row.status || row.location != "" && p.location() != row.location {
				t.Errorf("%d %q, want %d %q", p.status, p.location(), row.status, row.location)
			}
			if n := s.redeemed() - calls; n != row.calls {
				t.Errorf("%d calls to the token endpoint, want %d", n, row.calls)
			}
			if now := s.victim.who(s.a); now != before || s.victim.session(s.a) != session {
				t.Errorf("the victim was %s and is %s", before, now)
			}
			if row.victim != midFlow {
				return
			}
			p = s.victim.send(http.MethodGet, own, navigation, nil)
			if row.costs {
				// To begin again is all the harm there is.
				if p.status != 400 || !strings.Contains(p.body, `href="/auth/login`) || s.victim.who(s.a) != "nobody" {
					t.Errorf("the victim's own callback: %d, and they are %s", p.status, s.victim.who(s.a))
				}
			} else if p.status != 303 || p.location() != "/own" {
				t.Errorf("the victim's own callback: %d %s", p.status, p.location())
			}
		})
	}
}
