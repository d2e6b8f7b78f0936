package middleware_test

import (
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// TestAttackCodeInjection: somebody got hold of a code of the victim's that was
// not redeemed (from a log, a Referer, a shared screen) and wants to be the
// victim with it. PKCE, the nonce and the flow cookie each stand in the way.
func TestAttackCodeInjection(t *testing.T) {
	t.Parallel()
	inBothModes(t, attackCodeInjection)
}

func attackCodeInjection(t *testing.T) {
	t.Helper()
	// minted makes tokens of the pool's for the victim, which the attacker
	// would have from another app.
	minted := func(s *scene) (id, access string) {
		return s.pool.IDToken(ssotest.Claims{Subject: "victim", Username: "Kakao_" + hong.Subject}), s.pool.AccessToken(ssotest.Claims{Subject: "victim"})
	}
	for _, row := range []struct {
		name   string
		do     func(s *scene, leaked, own string) page // own is the attacker's callback
		status int
		calls  int
		lee    bool // the attacker ends signed in as themselves
		spares bool // the victim's sign-in still ends well
	}{
		{name: "the callback, without a flow", status: 400, spares: true, do: func(s *scene, leaked, _ string) page {
			return s.newBrowser().get(leaked)
		}},
		{name: "the callback, beside a flow", status: 400, spares: true, do: func(s *scene, leaked, _ string) page {
			return s.attacker.get(leaked)
		}},
		{name: "the code under the attacker's state", status: 400, calls: 1, do: func(s *scene, leaked, own string) page {
			return s.attacker.get(with(s.t, own, "code", param(s.t, leaked, "code")))
		}},
		{name: "the callback with the flow cookie without its prefix", status: 400, spares: true, do: func(s *scene, leaked, _ string) page {
			for name, value := range s.victim.flowCookies(s.a) {
				s.attacker.setCookie(s.a, strings.TrimPrefix(name, "__Host-"), value)
			}
			return s.attacker.get(leaked)
		}},
		{name: "at another app", status: 400, calls: 1, spares: true, do: func(s *scene, leaked, _ string) page {
			desk := s.newApp(deskBase)
			return s.attacker.get(with(s.t, s.attacker.begin(desk, asAttacker, "/"), "code", param(s.t, leaked, "code")))
		}},
		{name: "the whole callback at another app", status: 400, spares: true, do: func(s *scene, leaked, _ string) page {
			s.newApp(deskBase)
			return s.attacker.get(strings.Replace(leaked, appBase, deskBase, 1))
		}},
		{name: "both codes", status: 400, spares: true, do: func(s *scene, leaked, own string) page {
			return s.attacker.get(own + "&code=" + param(s.t, leaked, "code"))
		}},
		{name: "both codes, the victim's first", status: 400, spares: true, do: func(s *scene, leaked, own string) page {
			return s.attacker.get(s.a.base + "/auth/callback?code=" + param(s.t, leaked, "code") + "&" + strings.SplitN(own, "?", 2)[1])
		}},
		{name: "after the victim used it", status: 400, calls: 2, do: func(s *scene, leaked, own string) page {
			if p := s.victim.get(leaked); p.status != 303 {
				s.t.Fatalf("the victim: %d", p.status)
			}
			return s.attacker.get(with(s.t, own, "code", param(s.t, leaked, "code")))
		}},
		{name: "by POST", status: 405, spares: true, do: func(s *scene, leaked, own string) page {
			return s.attacker.send("POST", with(s.t, own, "code", param(s.t, leaked, "code")), crossSite, nil)
		}},
		{name: "with a space after it", status: 400, spares: true, do: func(s *scene, leaked, own string) page {
			return s.attacker.get(with(s.t, own, "code", param(s.t, leaked, "code")+" "))
		}},
		{name: "in another case", status: 400, calls: 1, spares: true, do: func(s *scene, leaked, own string) page {
			return s.attacker.get(with(s.t, own, "code", strings.ToUpper(param(s.t, leaked, "code"))))
		}},
		{name: "with another parameter inside", status: 400, calls: 1, spares: true, do: func(s *scene, leaked, own string) page {
			return s.attacker.get(with(s.t, own, "code", param(s.t, leaked, "code")+"&client_id=desk"))
		}},
		{name: "a code of another pool", status: 400, calls: 1, spares: true, do: func(s *scene, _, own string) page {
			other := newScene(s.t)
			return s.attacker.get(with(s.t, own, "code", param(s.t, other.victim.begin(other.a, asVictim, "/"), "code")))
		}},
		{name: "tokens instead of a code", status: 400, spares: true, do: func(s *scene, _, own string) page {
			id, access := minted(s)
			return s.attacker.get(with(s.t, without(s.t, own, "code"), "id_token", id, "access_token", access, "token_type", "Bearer"))
		}},
		{name: "tokens beside the attacker's code", status: 303, calls: 1, lee: true, spares: true, do: func(s *scene, _, own string) page {
			id, access := minted(s)
			return s.attacker.get(with(s.t, own, "id_token", id, "access_token", access))
		}},
		{name: "a token as the code", status: 400, calls: 1, spares: true, do: func(s *scene, _, own string) page {
			_, access := minted(s)
			return s.attacker.get(with(s.t, own, "code", access))
		}},
		{name: "an answer in one parameter (JARM)", status: 400, spares: true, do: func(s *scene, _, own string) page {
			id, _ := minted(s)
			return s.attacker.get(with(s.t, without(s.t, own, "code"), "response", id))
		}},
		{name: "into a browser signed in as the attacker", status: 303, calls: 1, lee: true, spares: true, do: func(s *scene, leaked, own string) page {
			s.attacker.get(own)
			return s.attacker.get(leaked)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			leaked, own := s.victim.begin(s.a, asVictim, "/own"), s.attacker.begin(s.a, asAttacker, "/")
			p := row.do(s, leaked, own)
			if p.status != row.status {
				t.Errorf("status %d, want %d", p.status, row.status)
			}
			if n := s.redeemed(); n != row.calls {
				t.Errorf("%d calls to the token endpoint, want %d", n, row.calls)
			}
			now := s.attacker.who(s.a)
			if (now != "nobody") != row.lee {
				t.Errorf("the attacker is %s", now)
			}
			if p := s.victim.get(leaked); row.spares && (p.status != 303 || p.location() != "/own") {
				t.Errorf("the victim's own callback: %d %s", p.status, p.location())
			}
			if victim := s.victim.who(s.a); now != "nobody" && victim == now {
				t.Error("the attacker is the victim")
			}
		})
	}
}
