package middleware_test

import (
	"net/url"
	"strings"
	"testing"
)

// kakaoTo goes from an authorization request through Kakao's page to an app,
// and returns the callback, or "" if Cognito kept the browser.
func (b *browser) kakaoTo(target string) (callback string) {
	b.t.Helper()
	p := b.follow(b.get(target), "https://")
	if hiddenState.MatchString(p.body) {
		u, err := url.Parse(p.url)
		if err != nil {
			b.t.Fatal(err)
		}
		form := url.Values{"state": {hiddenState.FindStringSubmatch(p.body)[1]}, "person": {asVictim}}
		p = b.follow(b.send("POST", u.Scheme+"://"+u.Host+u.Path, navigation, form), "https://")
	}
	return p.location()
}

// TestAttackAuthorizationRequest: somebody between the app and Cognito (an
// extension, a proxy of the browser's) changes the request on its way. What
// comes back never becomes a session.
func TestAttackAuthorizationRequest(t *testing.T) {
	t.Parallel()
	inBothModes(t, attackAuthorizationRequest)
}

func attackAuthorizationRequest(t *testing.T) {
	t.Helper()
	set := func(pairs ...string) func(q url.Values) {
		return func(q url.Values) {
			for i := 0; i+1 < len(pairs); i += 2 {
				q.Set(pairs[i], pairs[i+1])
			}
		}
	}
	del := func(names ...string) func(q url.Values) {
		return func(q url.Values) {
			for _, name := range names {
				q.Del(name)
			}
		}
	}
	other := strings.Repeat("A", 43)
	for _, row := range []struct {
		name   string
		change func(q url.Values)
		status int // of the callback; 0 if Cognito keeps the browser
		calls  int
	}{
		{"nothing changed", set(), 303, 1},
		{"nonce changed", set("nonce", other), 400, 1},
		{"nonce in another case", func(q url.Values) { q.Set("nonce", swapCase(q.Get("nonce"))) }, 400, 1},
		{"nonce removed", del("nonce"), 400, 1},
		{"nonce empty", set("nonce", ""), 400, 1},
		{"state as nonce", func(q url.Values) { q.Set("nonce", q.Get("state")) }, 400, 1},
		{"nonce twice", func(q url.Values) { q.Add("nonce", other) }, 403, 0},
		{"challenge changed", set("code_challenge", other), 400, 1},
		{"challenge of the empty verifier", set("code_challenge", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"), 400, 1},
		{"challenge removed", del("code_challenge", "code_challenge_method"), 400, 1},
		{"method plain", set("code_challenge_method", "plain"), 403, 0},
		{"method removed", del("code_challenge_method"), 403, 0},
		{"implicit flow", set("response_type", "token"), 403, 0},
		{"hybrid flow", set("response_type", "code id_token"), 403, 0},
		{"no ID token asked for", set("scope", "aws.cognito.signin.user.admin"), 503, 1},
		{"a scope that is not this app's", set("scope", "openid api/admin"), 500, 0},
		{"state changed", set("state", other), 400, 0},
		{"state removed", del("state"), 400, 0},
		{"state twice", func(q url.Values) { q.Add("state", q.Get("state")) }, 400, 0},
		{"silently, though a person waits", set("prompt", "none"), 400, 0},
		{"callback elsewhere", set("redirect_uri", "https://evil.example/auth/callback"), 0, 0},
		{"callback below the app's", set("redirect_uri", appBase+"/auth/callback/../open"), 0, 0},
		{"callback with a query", set("redirect_uri", appBase+"/auth/callback?x=1"), 0, 0},
		{"another app's callback", set("redirect_uri", deskBase+"/auth/callback"), 0, 0},
		{"another app's client", set("client_id", "desk"), 0, 0},
		{"another app altogether", set("client_id", "desk", "redirect_uri", deskBase+"/auth/callback"), 400, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			desk := s.newApp(deskBase)
			request := s.victim.get(s.a.base + "/auth/login?identity_provider=Kakao&prompt=login").location()
			callback := s.victim.kakaoTo(withQuery(t, request, row.change))
			if row.status == 0 {
				if callback != "" {
					t.Errorf("Cognito let the browser go to %s", callback)
				}
				return
			}
			p := s.victim.get(callback)
			if p.status != row.status || row.status != 303 && p.location() != "" {
				t.Errorf("%d %q, want %d (callback %s)", p.status, p.location(), row.status, callback)
			}
			if n := s.redeemed(); n != row.calls {
				t.Errorf("%d calls to the token endpoint, want %d", n, row.calls)
			}
			for _, a := range []*app{s.a, desk} {
				if now := s.victim.who(a); (now != "nobody") != (row.status == 303 && a == s.a) {
					t.Errorf("%s at %s", now, a.base)
				}
			}
		})
	}
}
