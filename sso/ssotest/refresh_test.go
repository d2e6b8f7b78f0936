package ssotest

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"
)

func rotating(grace time.Duration) Config {
	return Config{Clients: []Client{
		{ClientID: "web", RefreshTokenRotation: true, RetryGracePeriod: grace, RefreshTokenValidity: 10 * time.Hour},
		{ClientID: "other"},
	}}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	r := new(recorder)
	p := unserved(t, Config{Triggers: Triggers{PreTokenGeneration: r}})
	c := firstClient(p)
	first := hostedTokens(t, p, "Kakao", kim, "openid", "email")
	p.Advance(time.Hour)
	if err := p.withUser("Kakao_"+kim.Subject, func(u *account) error { return p.changeUser(u, change{"email": "new@example.com"}) }); err != nil {
		t.Fatal(err)
	}
	second, err := p.refresh(t.Context(), c, first.refresh, "TokenGeneration_RefreshTokens")
	if err != nil {
		t.Fatal(err)
	}
	if second.refresh != "" || second.expiresIn != time.Hour {
		t.Errorf("without rotation: a refresh token %t, %v", second.refresh != "", second.expiresIn)
	}
	for _, pair := range [][2]string{{first.access, second.access}, {first.id, second.id}} {
		before, after := payloadOf(t, pair[0]), payloadOf(t, pair[1])
		for _, name := range []string{"sub", "auth_time", "origin_jti", "scope", "acr", "amr", "aud", "client_id", "cognito:groups"} {
			if !reflect.DeepEqual(before[name], after[name]) {
				t.Errorf("%s went from %v to %v", name, before[name], after[name])
			}
		}
		for _, name := range []string{"iat", "exp", "jti", "event_id"} {
			if before[name] == after[name] {
				t.Errorf("%s stayed %v", name, before[name])
			}
		}
	}
	id := payloadOf(t, second.id)
	if id["email"] != "new@example.com" || id["nonce"] != nil || id["at_hash"] != accessHash(second.access) || id["name"] != nil {
		t.Errorf("the refreshed ID token is %v", id)
	}
	wantSources(t, p, "TokenGeneration_HostedAuth", "TokenGeneration_RefreshTokens")
}

func TestRefreshRefusals(t *testing.T) {
	t.Parallel()
	const name = "Kakao_3141592653"
	for _, row := range []struct {
		name string
		do   func(t *testing.T, p *Pool, tok *tokens, c *Client)
		kind string
		text string
	}{
		{"rubbish", func(_ *testing.T, _ *Pool, tok *tokens, _ *Client) { tok.refresh = "x" }, "NotAuthorizedException", "Invalid Refresh Token."},
		{"an access token", func(_ *testing.T, _ *Pool, tok *tokens, _ *Client) { tok.refresh = tok.access }, "NotAuthorizedException", "Invalid Refresh Token."},
		{"another client", func(_ *testing.T, p *Pool, _ *tokens, c *Client) { *c, _ = p.client("other") }, "NotAuthorizedException", "Invalid Refresh Token."},
		{"expired", func(_ *testing.T, p *Pool, _ *tokens, _ *Client) { p.Advance(10 * time.Hour) }, "NotAuthorizedException", "Refresh Token has expired"},
		{"revoked", func(t *testing.T, p *Pool, tok *tokens, c *Client) {
			if err := p.revoke(*c, tok.refresh); err != nil {
				t.Error(err)
			}
		}, "NotAuthorizedException", "Refresh Token has been revoked"},
		{"signed out", func(t *testing.T, p *Pool, _ *tokens, _ *Client) {
			if _, err := adminUserGlobalSignOut(t.Context(), p, userRef{poolRef{p.ID()}, name}); err != nil {
				t.Error(err)
			}
		}, "NotAuthorizedException", "Refresh Token has been revoked"},
		{"disabled and enabled again", func(t *testing.T, p *Pool, _ *tokens, _ *Client) {
			if _, err := adminDisableUser(t.Context(), p, userRef{poolRef{p.ID()}, name}); err != nil {
				t.Error(err)
			}
			if _, err := adminEnableUser(t.Context(), p, userRef{poolRef{p.ID()}, name}); err != nil {
				t.Error(err)
			}
		}, "NotAuthorizedException", "Refresh Token has been revoked"},
		{"deleted and made anew", func(t *testing.T, p *Pool, _ *tokens, c *Client) {
			if _, err := adminDeleteUser(t.Context(), p, userRef{poolRef{p.ID()}, name}); err != nil {
				t.Error(err)
			}
			if _, err := p.signInFederated(t.Context(), *c, "Kakao", kim); err != nil {
				t.Error(err)
			}
		}, "NotAuthorizedException", "Refresh Token has been revoked"},
		{"used before", func(t *testing.T, p *Pool, tok *tokens, c *Client) {
			if _, err := p.refresh(t.Context(), *c, tok.refresh, sourceRefresh); err != nil {
				t.Error(err)
			}
		}, "RefreshTokenReuseException", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := unserved(t, rotating(0))
			c := firstClient(p)
			tok := hostedTokens(t, p, "Kakao", kim)
			row.do(t, p, &tok, &c)
			_, err := p.refresh(t.Context(), c, tok.refresh, sourceRefresh)
			wantAPIError(t, err, row.kind, row.text)
		})
	}
}

func TestRotationGrace(t *testing.T) {
	t.Parallel()
	p := unserved(t, rotating(30*time.Second))
	c := firstClient(p)
	old := hostedTokens(t, p, "Kakao", kim).refresh
	redeem := func(token string) (string, error) {
		tok, err := p.refresh(t.Context(), c, token, sourceRefresh)
		return tok.refresh, err
	}
	p.Advance(9 * time.Hour)
	second, err := redeem(old)
	if err != nil || second == "" || second == old {
		t.Fatalf("rotation: %v", err)
	}
	p.Advance(29 * time.Second)
	retried, err := redeem(old)
	if err != nil || retried == second {
		t.Fatalf("within the grace period: %v", err)
	}
	p.Advance(time.Second) // the retry has not moved the end of the grace period
	_, err = redeem(old)
	wantAPIError(t, err, "RefreshTokenReuseException", "")
	third, err := redeem(second)
	if err != nil {
		t.Fatalf("the new one after somebody used the old one again: %v", err)
	}
	p.Advance(59*time.Minute + 29*time.Second) // one second left of the first one's ten hours
	fourth, err := redeem(third)
	if err != nil {
		t.Fatal(err)
	}
	p.Advance(time.Second)
	_, err = redeem(fourth)
	wantAPIError(t, err, "NotAuthorizedException", "Refresh Token has expired")
}

// TestConcurrentRotation: without grace, of many refreshes at the same time one wins.
func TestConcurrentRotation(t *testing.T) {
	t.Parallel()
	cfg := rotating(0)
	cfg.Triggers = All(new(recorder))
	p := unserved(t, cfg)
	c := firstClient(p)
	tok := hostedTokens(t, p, "Kakao", kim)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = p.refresh(t.Context(), c, tok.refresh, sourceRefresh) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		var api *apiError
		switch {
		case err == nil:
			won++
		case !errors.As(err, &api) || api.Type != "RefreshTokenReuseException":
			t.Errorf("error %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d won; want 1", won)
	}
}

func TestFailedTriggerDoesNotRotate(t *testing.T) {
	t.Parallel()
	cfg := rotating(0)
	cfg.Triggers = Triggers{PreTokenGeneration: failing(sourceRefresh, "no")}
	p := unserved(t, cfg)
	tok := hostedTokens(t, p, "Kakao", kim)
	_, err := p.refresh(t.Context(), firstClient(p), tok.refresh, sourceRefresh)
	wantTriggerError(t, err, "", "PreTokenGeneration failed with error no.")
	if _, err := p.refresh(t.Context(), firstClient(p), tok.refresh, sourceAuthentication); err != nil {
		t.Errorf("the refresh token was used up: %v", err)
	}
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	p := unserved(t, rotating(time.Minute))
	c := firstClient(p)
	one, two := hostedTokens(t, p, "Kakao", kim), hostedTokens(t, p, "Kakao", kim)
	next, err := p.refresh(t.Context(), c, one.refresh, sourceRefresh)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.revoke(c, "x"); err != nil {
		t.Errorf("an unknown token: %v", err)
	}
	if err := p.revoke(c, one.access); !errors.Is(err, errRevokeUnsupported) {
		t.Errorf("an access token: %v", err)
	}
	other, _ := p.client("other")
	wantAPIError(t, p.revoke(other, one.refresh), "UnauthorizedException", "")
	for range 2 {
		if err := p.revoke(c, one.refresh); err != nil {
			t.Fatal(err)
		}
	}
	_, err = p.refresh(t.Context(), c, next.refresh, sourceRefresh)
	wantAPIError(t, err, "NotAuthorizedException", "Refresh Token has been revoked")
	for _, raw := range []string{one.access, next.access} {
		_, err := p.accessClaims(raw)
		wantAPIError(t, err, "NotAuthorizedException", "Access Token has been revoked")
	}
	if _, err := p.accessClaims(two.access); err != nil {
		t.Errorf("another session: %v", err)
	}
	if _, err := p.refresh(t.Context(), c, two.refresh, sourceRefresh); err != nil {
		t.Errorf("another session: %v", err)
	}
}

func TestAccessClaims(t *testing.T) {
	t.Parallel()
	p, stranger := unserved(t, Config{}), unserved(t, Config{})
	if _, err := p.AddUser(User{Username: "u", Sub: "s-1"}); err != nil {
		t.Fatal(err)
	}
	minted := func(change func(*Claims)) string {
		c := Claims{Username: "u", Scopes: []string{adminScope}}
		if change != nil {
			change(&c)
		}
		return p.AccessToken(c)
	}
	good := minted(nil)
	if claims, err := p.accessClaims(good); err != nil || claims["sub"] != "s-1" {
		t.Fatalf("%v, %v", claims, err)
	}
	const kind = "NotAuthorizedException"
	for _, row := range []struct {
		name, raw, kind, text string
	}{
		{"nothing", "", kind, "Invalid Access Token"},
		{"two parts", "a.b", kind, "Invalid Access Token"},
		{"another pool's", stranger.AccessToken(Claims{Username: "u"}), kind, "Invalid Access Token"},
		{"an ID token", p.IDToken(Claims{Username: "u"}), kind, "Invalid Access Token"},
		{"an ID token signed with the access key", p.Sign("access", p.keys.current().access.header(), []byte(`{"token_use":"id"}`)), kind, "Invalid Access Token"},
		{"a changed payload", func() string {
			other := minted(func(c *Claims) { c.UserID = "1" })
			return good[:len(good)-342] + other[len(other)-342:]
		}(), kind, "Could not verify signature for Access Token"},
		{"alg none", p.Sign("access", []byte(`{"kid":"`+p.keys.current().access.id+`","alg":"none"}`), []byte(`{}`)), kind, "Invalid Access Token"},
		{"expired", minted(func(c *Claims) { c.TTL = -time.Second }), kind, "Access Token has expired"},
		{"no exp", minted(func(c *Claims) { c.Drop = []string{"exp"} }), kind, "Invalid Access Token"},
		{"another issuer", minted(func(c *Claims) { c.Extra = map[string]any{"iss": "x"} }), kind, "Invalid Access Token"},
		{"a machine's", p.AccessToken(Claims{Machine: true, Scopes: []string{}}), kind, "Invalid Access Token"},
		{"nobody's", p.AccessToken(Claims{Username: "gone"}), "UserNotFoundException", ""},
		{"another sub of that name", minted(func(c *Claims) { c.Subject = "s-2" }), "UserNotFoundException", ""},
	} {
		_, err := p.accessClaims(row.raw)
		t.Run(row.name, func(t *testing.T) { wantAPIError(t, err, row.kind, row.text) }) //nolint:paralleltest // shares the pool
	}
	p.RotateKeys()
	if _, err := p.accessClaims(good); err != nil {
		t.Errorf("after rotation: %v", err)
	}
	p.DropOldKeys()
	_, err := p.accessClaims(good)
	wantAPIError(t, err, kind, "Invalid Access Token")
	fresh := minted(nil)
	if _, err := adminDisableUser(t.Context(), p, userRef{poolRef{p.ID()}, "u"}); err != nil {
		t.Fatal(err)
	}
	_, err = p.accessClaims(fresh)
	wantAPIError(t, err, kind, "Access Token has been revoked")
	_, err = p.issue(t.Context(), grant{clientID: DefaultClientID, username: "u"}, "x")
	wantAPIError(t, err, kind, "User is disabled.")
}

func TestScopeNarrowing(t *testing.T) {
	t.Parallel()
	p := unserved(t, Config{
		CustomAttributes: []CustomAttribute{{Name: "userId", Mutable: true}, {Name: "secret", Mutable: true}},
		Clients: []Client{
			{ClientID: "default"},
			{ClientID: "narrow", ReadAttributes: []string{"email", "custom:secret"}},
		},
	})
	if _, err := p.AddUser(User{Username: "u", Attributes: map[string]string{
		"email": "a@b.kr", "email_verified": "true", "phone_number": "+8210", "name": "Kim", "custom:userId": "042", "custom:secret": "x",
	}}); err != nil {
		t.Fatal(err)
	}
	all := []string{"custom:userId", "email", "email_verified", "name", "phone_number", "phone_number_verified", "sub"}
	mail := []string{"email", "email_verified", "sub"}
	phone := []string{"phone_number", "phone_number_verified", "sub"}
	for _, row := range []struct {
		client string
		scopes []string
		want   []string
	}{
		{"default", []string{"openid"}, all},
		{"default", []string{"openid", "profile"}, all},
		{"default", []string{"openid", "email", "profile"}, all},
		{"default", []string{"openid", "api/read", adminScope}, all},
		{"default", []string{"openid", "email"}, mail},
		{"default", []string{"openid", "phone"}, phone},
		{"default", []string{"openid", "email", "phone"}, slices.Concat(mail, phone)},
		{"narrow", []string{"openid"}, []string{"custom:secret", "email", "sub"}},
		{"narrow", []string{"openid", "profile"}, []string{"custom:secret", "email", "sub"}},
	} {
		c, _ := p.client(row.client)
		slices.Sort(row.want)
		claims := p.userClaims("u", c, row.scopes, false)
		if got := slices.Sorted(maps.Keys(claims)); !slices.Equal(got, slices.Compact(row.want)) {
			t.Errorf("%s %v: %v; want %v", row.client, row.scopes, got, row.want)
		}
	}
	c, _ := p.client("default")
	claims, texts := p.userClaims("u", c, []string{"openid"}, false), p.userClaims("u", c, []string{"openid"}, true)
	if claims["email_verified"] != true || texts["email_verified"] != "true" || claims["phone_number_verified"] != false ||
		texts["phone_number_verified"] != "false" || claims["custom:userId"] != "042" {
		t.Errorf("claims %v, for userInfo %v", claims, texts)
	}
	if p.userClaims("gone", c, nil, false) != nil {
		t.Error("claims of nobody")
	}
	// Without openid there is no ID token; a scope whose attributes the client may not read is invalid_grant.
	g := grant{clientID: "narrow", username: "u", scopes: []string{"api/read"}, authTime: p.now(), resource: "https://api.example"}
	tok, err := p.issue(t.Context(), g, "x")
	if err != nil || tok.id != "" || payloadOf(t, tok.access)["aud"] != "https://api.example" {
		t.Errorf("without openid: %v, an ID token %t", err, tok.id != "")
	}
	g.scopes = []string{"openid", "email"}
	var refused *oauthError
	if _, err := p.issue(t.Context(), g, "x"); !errors.As(err, &refused) || refused.Code != "invalid_grant" {
		t.Errorf("an unreadable scope: %v", err)
	}
}
