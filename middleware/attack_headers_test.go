package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// TestAttackSpoofedIdentity: headers with which a proxy would say who somebody
// is, or that a request needs no check, say nothing here. Rows with an advisory
// are what another project fell to.
func TestAttackSpoofedIdentity(t *testing.T) {
	t.Parallel()
	inBothModes(t, attackSpoofedIdentity)
}

func attackSpoofedIdentity(t *testing.T) {
	t.Helper()
	victim := ssotest.Claims{Subject: "victim", Username: "Kakao_" + hong.Subject, Groups: []string{"staff"}}
	for _, row := range []struct {
		name   string
		header func(s *scene) http.Header
	}{
		{"an access token as a bearer token", func(s *scene) http.Header {
			return http.Header{"Authorization": {"Bearer " + s.pool.AccessToken(victim)}}
		}},
		{"an ID token as a bearer token", func(s *scene) http.Header {
			return http.Header{"Authorization": {"Bearer " + s.pool.IDToken(victim)}}
		}},
		{"a password", func(*scene) http.Header { return http.Header{"Authorization": {"Basic YWRtaW46YWRtaW4="}} }},
		{"an access token as the session", func(s *scene) http.Header {
			return http.Header{"Cookie": {s.a.login.SessionCookie() + "=" + s.pool.AccessToken(victim)}}
		}},
		{"an ID token in a cookie of Amplify's", func(s *scene) http.Header {
			return http.Header{"Cookie": {"CognitoIdentityServiceProvider.board.victim.idToken=" + s.pool.IDToken(victim)}}
		}},
		{"a load balancer's claims", func(s *scene) http.Header {
			return http.Header{"X-Amzn-Oidc-Data": {s.pool.IDToken(victim)}, "X-Amzn-Oidc-Identity": {"victim"}, "X-Amzn-Oidc-Accesstoken": {s.pool.AccessToken(victim)}}
		}},
		{"IAP's claims", func(s *scene) http.Header {
			return http.Header{"X-Goog-Iap-Jwt-Assertion": {s.pool.IDToken(victim)}, "X-Goog-Authenticated-User-Email": {"accounts.google.com:victim"}}
		}},
		{"Cloudflare's claims", func(s *scene) http.Header {
			return http.Header{"Cf-Access-Jwt-Assertion": {s.pool.IDToken(victim)}}
		}},
		{"oauth2-proxy's user", func(*scene) http.Header {
			return http.Header{"X-Forwarded-User": {"victim"}, "X-Forwarded-Groups": {"staff"}, "X-Auth-Request-User": {"victim"}}
		}},
		{"its user with underscores (GHSA-vjrc)", func(*scene) http.Header {
			return http.Header{"X_Forwarded_User": {"victim"}, "X_auth_request_user": {"victim"}}
		}},
		{"another path to be judged by (GHSA-7x63)", func(*scene) http.Header {
			return http.Header{"X-Forwarded-Uri": {"/auth/logged-out"}, "X-Original-Uri": {"/open"}, "X-Rewrite-Url": {"/open"}}
		}},
		{"a health check's user agent (GHSA-5hvv)", func(*scene) http.Header {
			return http.Header{"User-Agent": {"GoogleHC/1.0"}, "X-Health-Check": {"1"}}
		}},
		{"a kubelet's", func(*scene) http.Header { return http.Header{"User-Agent": {"kube-probe/1.31"}} }},
		{"an inner request (CVE-2025-29927)", func(*scene) http.Header {
			return http.Header{"X-Middleware-Subrequest": {"middleware:middleware:middleware:middleware:middleware"}}
		}},
		{"from this machine", func(*scene) http.Header {
			return http.Header{"X-Forwarded-For": {"127.0.0.1"}, "X-Real-Ip": {"127.0.0.1"}, "X-Client-Ip": {"::1"}, "True-Client-Ip": {"127.0.0.1"}}
		}},
		{"a preflight's method", func(*scene) http.Header {
			return http.Header{"Access-Control-Request-Method": {"GET"}, "X-Http-Method-Override": {"OPTIONS"}, "X-Http-Method": {"OPTIONS"}}
		}},
		{"a certificate", func(*scene) http.Header {
			return http.Header{"X-Client-Verify": {"SUCCESS"}, "X-Ssl-Client-Verify": {"SUCCESS"}, "X-Forwarded-Client-Cert": {"Subject=\"CN=victim\""}}
		}},
		{"a user of the web server's", func(*scene) http.Header { return http.Header{"Remote-User": {"victim"}, "Remote_user": {"victim"}} }},
		{"our own names", func(*scene) http.Header {
			return http.Header{"X-Sso-User": {"victim"}, "X-Sso-User-Id": {"1"}, "X-User-Id": {"1"}}
		}},
		{"hop-by-hop games", func(*scene) http.Header {
			return http.Header{"Connection": {"Cookie, Authorization"}, "Upgrade": {"h2c"}}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			for path, status := range map[string]int{"/": 401, "/scope": 401, "/group": 401, "/userid": 401, "/token": 401, "/auth/me": 401, "/open": 200, "/openscope": 401} {
				p := s.attacker.send(http.MethodGet, s.a.base+path, headers(script, flat(row.header(s))...), nil)
				if p.status != status || path == "/open" && p.body != "nobody" {
					t.Errorf("%s: %d %s", path, p.status, p.body)
				}
			}
			if s.a.store.count("create") != 0 || s.redeemed() != 0 {
				t.Error("a session was made")
			}
			// With a session, they change nothing either.
			who := s.attacker.enter(s.a, asAttacker)
			if p := s.attacker.send(http.MethodGet, s.a.base+"/", headers(script, without2(flat(row.header(s)))...), nil); p.body != who {
				t.Errorf("signed in as %s, and seen as %d %s", who, p.status, p.body)
			}
		})
	}
}

// flat makes pairs of a header.
func flat(h http.Header) (pairs []string) {
	for name, values := range h {
		pairs = append(pairs, name, values[0])
	}
	return pairs
}

// without2 leaves Cookie out of pairs: a second session cookie is as good as
// none.
func without2(pairs []string) (rest []string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] != "Cookie" {
			rest = append(rest, pairs[i], pairs[i+1])
		}
	}
	return rest
}

// TestAttackResponseSplitting: line breaks in whatever a request says never
// reach a header of the answer.
func TestAttackResponseSplitting(t *testing.T) {
	t.Parallel()
	inBothModes(t, attackResponseSplitting)
}

func attackResponseSplitting(t *testing.T) {
	t.Helper()
	breaks := []struct{ name, text string }{
		{"CR LF", "\r\nX-Injected: 1"},
		{"LF", "\nX-Injected: 1"},
		{"CR", "\rX-Injected: 1"},
		{"CR LF twice", "\r\n\r\n<script>alert(1)</script>"},
		{"characters that end in CR LF", "嘊嘍X-Injected: 1"},
		{"NEL and line separator", "\u0085\u2028X-Injected: 1"},
		{"NUL", "\x00X-Injected: 1"},
		{"encoded twice", "%0d%0aX-Injected: 1"},
	}
	places := []struct {
		name   string
		status int
		send   func(s *scene, text string) page
	}{
		{"return_to", 303, func(s *scene, text string) page {
			return s.victim.get(s.a.base + "/auth/login?return_to=" + url.QueryEscape("/notes"+text))
		}},
		{"the path asked for", 303, func(s *scene, text string) page {
			return s.victim.get(s.a.base + "/notes" + url.PathEscape(text))
		}},
		{"identity_provider", 400, func(s *scene, text string) page {
			return s.victim.get(s.a.base + "/auth/login?identity_provider=" + url.QueryEscape("Kakao"+text))
		}},
		{"prompt", 400, func(s *scene, text string) page {
			return s.victim.get(s.a.base + "/auth/login?prompt=" + url.QueryEscape("login"+text))
		}},
		{"state", 400, func(s *scene, text string) page {
			return s.victim.get(s.a.base + "/auth/callback?code=x&state=" + url.QueryEscape("x"+text))
		}},
		{"error", 500, func(s *scene, text string) page {
			callback := s.victim.begin(s.a, asVictim, "/")
			return s.victim.get(with(s.t, without(s.t, callback, "code"), "error", "access_denied"+text, "error_description", text))
		}},
		{"a sign-out's form", 303, func(s *scene, text string) page {
			return s.victim.send(http.MethodPost, s.a.base+"/auth/logout", navigation, url.Values{"everywhere": {"1" + text}, "return_to": {text}})
		}},
	}
	for _, place := range places {
		for _, b := range breaks {
			t.Run(place.name+", "+b.name, func(t *testing.T) {
				t.Parallel()
				s := newScene(t)
				p := place.send(s, b.text)
				if p.status != place.status {
					t.Errorf("status %d, want %d", p.status, place.status)
				}
				harmless(t, p)
				if to, err := url.Parse(p.location()); err != nil || strings.Contains(to.Path, "Injected") {
					t.Errorf("sent to %q", p.location())
				}
			})
		}
	}
	// And on the wire, where net/http would mend what is left of it.
	t.Run("what a client reads", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		server := httptest.NewServer(s.a.mux)
		defer server.Close()
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		for _, b := range breaks {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/notes"+url.PathEscape(b.text)+"?q="+url.QueryEscape(b.text), nil)
			r.Header = headers(navigation)
			resp, err := client.Do(r)
			if err != nil {
				t.Fatalf("%s: %v", b.name, err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != 303 || resp.Header["X-Injected"] != nil || len(resp.Header["Location"]) != 1 {
				t.Errorf("%s: %d %v", b.name, resp.StatusCode, resp.Header)
			}
		}
	})
}
