package middleware_test

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// redirectTricks are return-to values that lead elsewhere in some reader.
var redirectTricks = []struct{ name, value string }{
	{"another origin", "https://evil.example/"},
	{"scheme-relative", "//evil.example"},
	{"three slashes", "///evil.example"},
	{"slash and backslash", `/\evil.example`},
	{"what http.Redirect makes one of", `/x/../\evil.example`},
	{"encoded slash", "/%2fevil.example"},
	{"encoded backslash", "/%5cevil.example"},
	{"tab inside", "/\t/evil.example"},
	{"line feed inside", "/\n/evil.example"},
	{"dot segment to a host", "/.//evil.example"},
	{"no slashes", "https:evil.example"},
	{"own host as a prefix", appBase + ".evil.example/"},
	{"own host as the user", appBase + "@evil.example/"},
	{"javascript", "javascript:alert(1)//evil.example"},
	{"full-width slashes", "/\uff0f\uff0fevil.example"},
}

var pageLink = regexp.MustCompile(`href="(/auth/login[^"]*)"`)

// TestAttackOpenRedirect: every way for a request to name a place to go to,
// through real requests up to the Location or link that the browser is given.
func TestAttackOpenRedirect(t *testing.T) {
	t.Parallel()
	inBothModes(t, attackOpenRedirect)
}

func attackOpenRedirect(t *testing.T) {
	t.Helper()
	for _, way := range []struct {
		name string
		// lead returns where the browser is led in the end.
		lead func(s *scene, value string) string
	}{
		{"after a sign-in", func(s *scene, value string) string {
			return s.victim.get(s.victim.begin(s.a, asVictim, value)).location()
		}},
		{"after a refused silent sign-in", func(s *scene, value string) string {
			login := s.a.base + "/auth/login?prompt=none&return_to=" + url.QueryEscape(value)
			first := s.victim.follow(s.victim.get(login), appBase+"/auth/callback")
			led := s.victim.get(first.location()).location()
			// The second time nobody is asked.
			if again := s.victim.get(login).location(); again != led {
				s.t.Errorf("led to %q, and then to %q", led, again)
			}
			return led
		}},
		{"from the page that ends a loop", func(s *scene, value string) string {
			s.victim.setCookie(s.a, s.a.login.TriesCookie(), "2")
			p := s.victim.get(s.a.base + "/auth/login?return_to=" + url.QueryEscape(value))
			link := pageLink.FindStringSubmatch(p.body)
			if p.status != 400 || link == nil {
				s.t.Fatalf("%d %s", p.status, p.body)
			}
			harmless(s.t, p)
			// What the link says is held to the same rule again.
			if to := param(s.t, html.UnescapeString(link[1]), "return_to"); to != "" {
				return to
			}
			return "/"
		}},
	} {
		for _, trick := range redirectTricks {
			t.Run(way.name+"/"+trick.name, func(t *testing.T) {
				t.Parallel()
				s := newScene(t)
				if to := way.lead(s, trick.value); to != "/" {
					t.Errorf("led to %q", to)
				}
			})
		}
	}
	for _, row := range []struct {
		name string
		to   func(s *scene) page
		want string // beginning of Location
	}{
		{"the callback's own return_to", func(s *scene) page {
			return s.victim.get(with(s.t, s.victim.begin(s.a, asVictim, "/own"), "return_to", "https://evil.example/"))
		}, "/own"},
		{"the callback's own redirect_uri", func(s *scene) page {
			return s.victim.get(with(s.t, s.victim.begin(s.a, asVictim, "/own"), "redirect_uri", "https://evil.example/"))
		}, "/own"},
		{"redirect_uri of a sign-in", func(s *scene) page {
			p := s.victim.get(s.a.base + "/auth/login?redirect_uri=https://evil.example/&rd=https://evil.example/")
			if to := param(s.t, p.location(), "redirect_uri"); to != appBase+"/auth/callback" {
				s.t.Errorf("Cognito is told %q", to)
			}
			return p
		}, "http"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := row.to(newScene(t))
			if p.status != 303 || !strings.HasPrefix(p.location(), row.want) {
				t.Errorf("%d %q", p.status, p.location())
			}
			harmless(t, p)
		})
	}
	for _, name := range []string{"return_to", "rd", "redirect", "redirect_uri", "logout_uri", "post_logout_redirect_uri", "next", "url"} {
		for _, place := range []string{"query", "form"} {
			t.Run("sign-out, "+name+" in the "+place, func(t *testing.T) {
				t.Parallel()
				s := newScene(t)
				s.victim.enter(s.a, asVictim)
				target, form := s.a.base+"/auth/logout", url.Values{}
				if place == "query" {
					target += "?" + name + "=" + url.QueryEscape("https://evil.example/")
				} else {
					form.Set(name, "https://evil.example/")
				}
				p := s.victim.send("POST", target, navigation, form)
				if p.status != 303 || !strings.HasPrefix(p.location(), s.pool.URL()+"/logout?") || param(t, p.location(), "logout_uri") != appBase+"/auth/logged-out" {
					t.Errorf("%d %q", p.status, p.location())
				}
				harmless(t, p)
				if s.victim.who(s.a) != "nobody" {
					t.Error("still signed in")
				}
			})
		}
	}
	t.Run("the page after signing out", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		p := s.victim.get(s.a.base + "/auth/logged-out?return_to=https://evil.example/&next=//evil.example")
		if p.status != 200 || p.location() != "" {
			t.Errorf("%d %q", p.status, p.location())
		}
		harmless(t, p)
	})
}
