package middleware_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// TestAttackMixUp: a callback that says it comes from another authorization
// server (RFC 9207) costs no code, and what it says is not shown, whether it
// brings a code or an error.
func TestAttackMixUp(t *testing.T) {
	t.Parallel()
	inBothModes(t, attackMixUp)
}

func attackMixUp(t *testing.T) {
	t.Helper()
	for _, row := range []struct {
		name string
		iss  func(issuer string) string
	}{
		{"another pool", func(iss string) string { return iss + "X" }},
		{"another region", func(string) string { return "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_TestPool1" }},
		{"another server", func(string) string { return "https://evil.example/" }},
		{"a slash after it", func(iss string) string { return iss + "/" }},
		{"a path after it", func(iss string) string { return iss + "/.well-known/openid-configuration" }},
		{"a query after it", func(iss string) string { return iss + "?" }},
		{"a fragment after it", func(iss string) string { return iss + "#" }},
		{"a space before it", func(iss string) string { return " " + iss }},
		{"in another case", swapCase},
		{"another scheme", func(iss string) string { return "ftp" + strings.TrimPrefix(iss, "http") }},
		{"a user in it", func(iss string) string { return strings.Replace(iss, "://", "://evil@", 1) }},
		{"encoded twice", url.QueryEscape},
		{"its beginning", func(iss string) string { return iss[:len(iss)-1] }},
		{"the pool's id alone", func(iss string) string { return iss[strings.LastIndexByte(iss, '/')+1:] }},
		{"empty", func(string) string { return "" }},
		{"null", func(string) string { return "null" }},
	} {
		for _, kind := range []string{"code", "error"} {
			t.Run(row.name+", with "+kind, func(t *testing.T) {
				t.Parallel()
				s := newScene(t)
				callback := with(t, s.victim.begin(s.a, asVictim, "/"), "iss", row.iss(s.pool.Issuer()))
				if kind == "error" {
					callback = with(t, without(t, callback, "code"), "error", "access_denied")
				}
				p := s.victim.get(callback)
				if p.status != 400 || p.location() != "" || !strings.Contains(p.body, `href="/auth/login`) {
					t.Errorf("%d %q: %s", p.status, p.location(), p.body)
				}
				if s.redeemed() != 0 || s.victim.who(s.a) != "nobody" {
					t.Errorf("%d calls to the token endpoint; %s", s.redeemed(), s.victim.who(s.a))
				}
				harmless(t, p)
			})
		}
	}
	t.Run("the pool itself", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		if p := s.victim.get(with(t, s.victim.begin(s.a, asVictim, "/"), "iss", s.pool.Issuer())); p.status != 303 || s.victim.who(s.a) == "nobody" {
			t.Errorf("%d", p.status)
		}
	})
}

// unsigned makes a token with alg "none" of a signed one.
func unsigned(token string) string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	return header + "." + strings.Split(token, ".")[1] + "."
}

// TestAttackTwoApps: answers and callbacks that belong to another app, user,
// pool or sign-in than the one that asked.
func TestAttackTwoApps(t *testing.T) {
	t.Parallel()
	inBothModes(t, attackTwoApps)
}

func attackTwoApps(t *testing.T) {
	t.Helper()
	type tokens struct{ id, access string }
	for _, row := range []struct {
		name string
		// answer makes what the token endpoint answers, of what it would, for
		// the nonce of this sign-in.
		answer func(s *scene, real tokens, nonce string) tokens
		status int
	}{
		{"untouched", func(_ *scene, real tokens, _ string) tokens { return real }, 303},
		{"of another sign-in", func(s *scene, _ tokens, _ string) tokens {
			return tokens{s.pool.IDToken(ssotest.Claims{Subject: "v", Nonce: strings.Repeat("A", 43)}), s.pool.AccessToken(ssotest.Claims{Subject: "v"})}
		}, 400},
		{"without a nonce", func(s *scene, _ tokens, _ string) tokens {
			return tokens{s.pool.IDToken(ssotest.Claims{Subject: "v"}), s.pool.AccessToken(ssotest.Claims{Subject: "v"})}
		}, 400},
		{"of another app", func(s *scene, _ tokens, nonce string) tokens {
			return tokens{
				s.pool.IDToken(ssotest.Claims{ClientID: "desk", Subject: "v", Nonce: nonce}),
				s.pool.AccessToken(ssotest.Claims{ClientID: "desk", Subject: "v"}),
			}
		}, 400},
		{"access token of another app", func(s *scene, real tokens, _ string) tokens {
			return tokens{real.id, s.pool.AccessToken(ssotest.Claims{ClientID: "desk", Subject: "v"})}
		}, 400},
		{"ID token of another app", func(s *scene, real tokens, nonce string) tokens {
			return tokens{s.pool.IDToken(ssotest.Claims{ClientID: "desk", Subject: "v", Nonce: nonce}), real.access}
		}, 400},
		{"access token of another user", func(s *scene, real tokens, _ string) tokens {
			return tokens{real.id, s.pool.AccessToken(ssotest.Claims{Subject: "v"})}
		}, 400},
		{"ID token of another user", func(s *scene, real tokens, nonce string) tokens {
			return tokens{s.pool.IDToken(ssotest.Claims{Subject: "v", Nonce: nonce}), real.access}
		}, 400},
		{"of another pool", func(s *scene, _ tokens, nonce string) tokens {
			other := newWorld(s.t)
			return tokens{other.pool.IDToken(ssotest.Claims{Subject: "v", Nonce: nonce}), other.pool.AccessToken(ssotest.Claims{Subject: "v"})}
		}, 400},
		{"swapped", func(_ *scene, real tokens, _ string) tokens { return tokens{real.access, real.id} }, 400},
		{"the ID token twice", func(_ *scene, real tokens, _ string) tokens { return tokens{real.id, real.id} }, 400},
		{"ID token unsigned", func(_ *scene, real tokens, _ string) tokens { return tokens{unsigned(real.id), real.access} }, 400},
		{"access token unsigned", func(_ *scene, real tokens, _ string) tokens { return tokens{real.id, unsigned(real.access)} }, 400},
		{"ID token expired", func(s *scene, real tokens, nonce string) tokens {
			now := s.a.cfg.Now()
			return tokens{s.pool.IDToken(ssotest.Claims{Subject: "v", Nonce: nonce, IssuedAt: now.Add(-2 * time.Hour), TTL: time.Hour}), real.access}
		}, 400},
		{"no ID token", func(_ *scene, real tokens, _ string) tokens { return tokens{"", real.access} }, 503},
		{"no access token", func(_ *scene, real tokens, _ string) tokens { return tokens{real.id, ""} }, 503},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			request := s.victim.get(s.a.base + "/auth/login?identity_provider=Kakao&prompt=login").location()
			callback := s.victim.kakaoTo(request)
			s.wire.setHook(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path != "/oauth2/token" {
					return nil, nil
				}
				resp, err := s.wire.next.RoundTrip(r)
				if err != nil {
					return nil, err
				}
				defer resp.Body.Close()
				var real struct {
					ID     string `json:"id_token"`
					Access string `json:"access_token"`
				}
				if err := json.NewDecoder(resp.Body).Decode(&real); err != nil {
					return nil, err
				}
				given := row.answer(s, tokens{real.ID, real.Access}, param(t, request, "nonce"))
				body, _ := json.Marshal(map[string]any{"id_token": given.id, "access_token": given.access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": "of-another-sign-in"})
				return answer(200, "application/json", string(body))(r)
			})
			p := s.victim.get(callback)
			if p.status != row.status {
				t.Errorf("status %d, want %d", p.status, row.status)
			}
			if n := s.redeemed(); n != 1 {
				t.Errorf("%d calls to the token endpoint, want 1", n)
			}
			if in := s.victim.who(s.a) != "nobody"; in != (row.status == 303) || !s.a.stored(map[bool]int{true: 1}[in]) {
				t.Errorf("signed in: %v, with %d sessions stored", in, s.a.store.count("create"))
			}
		})
	}
	// Two app clients behind one host, with one browser, one key and one store.
	for _, row := range []struct{ name, from, to string }{
		{"the board's callback at the desk's path", "/board", "/desk"},
		{"the desk's callback at the board's path", "/desk", "/board"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *ssotest.Config) {
				for i, prefix := range []string{"/board", "/desk"} {
					c.Clients[i].CallbackURLs = []string{appBase + prefix + "/callback"}
					c.Clients[i].LogoutURLs = []string{appBase + prefix + "/logged-out"}
				}
			})
			mux := http.NewServeMux()
			store := middleware.NewMemoryStore()
			for prefix, id := range map[string]string{"/board": "board", "/desk": "desk"} {
				cc := w.pool.ClientConfig(id)
				cc.HTTPClient = &http.Client{Transport: w.wire, Timeout: 5 * time.Second}
				cc.RedirectURL, cc.LogoutURL = appBase+prefix+"/callback", appBase+prefix+"/logged-out"
				client, err := sso.NewClient(cc)
				if err != nil {
					t.Fatal(err)
				}
				l, err := middleware.NewLogin(client, middleware.LoginConfig{
					BaseURL: appBase, Prefix: prefix, CookieKeys: [][]byte{cookieKey(1)}, Sessions: store, Now: w.pool.VerifierConfig().Now,
					Logger: slog.New(slog.NewJSONHandler(w.logs, nil)),
				})
				if err != nil {
					t.Fatal(err)
				}
				mux.Handle(prefix+"/", l)
				mux.Handle(prefix+"/in", l.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "in") })))
			}
			w.apps[appBase] = mux
			b := w.newBrowser()
			callbacks := map[string]string{}
			for _, prefix := range []string{"/board", "/desk"} {
				callbacks[prefix] = b.kakaoTo(b.get(appBase + prefix + "/login?identity_provider=Kakao&prompt=login").location())
			}
			crossed := strings.Replace(callbacks[row.from], row.from+"/callback", row.to+"/callback", 1)
			if p := b.get(crossed); p.status != 400 || w.wire.count("/oauth2/token") != 0 {
				t.Errorf("crossed: %d, %d calls to the token endpoint", p.status, w.wire.count("/oauth2/token"))
			}
			if p := b.get(callbacks[row.from]); p.status != 303 {
				t.Errorf("the callback itself afterwards: %d", p.status)
			}
			for prefix, status := range map[string]int{row.from: 200, row.to: 401} {
				if p := b.send("GET", appBase+prefix+"/in", script, nil); p.status != status {
					t.Errorf("%s/in: %d, want %d", prefix, p.status, status)
				}
			}
		})
	}
}
