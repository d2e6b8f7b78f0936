package ssotest

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestFederatedTriggerOrder(t *testing.T) {
	t.Parallel()
	p := unserved(t, Config{Triggers: All(new(recorder))})
	first := []string{"PreSignUp_ExternalProvider", "PostConfirmation_ConfirmSignUp", "TokenGeneration_HostedAuth"}
	later := []string{"PreAuthentication_Authentication", "PostAuthentication_Authentication", "TokenGeneration_HostedAuth"}
	hostedTokens(t, p, "Kakao", kim)
	wantSources(t, p, first...)
	hostedTokens(t, p, "Kakao", kim)
	wantSources(t, p, slices.Concat(first, later)...)
	// Deleted and back again: a first sign-in, of another sub.
	before, _ := p.User("Kakao_" + kim.Subject)
	if _, err := adminDeleteUser(t.Context(), p, userRef{poolRef{p.ID()}, before.Username}); err != nil {
		t.Fatal(err)
	}
	hostedTokens(t, p, "Kakao", kim)
	wantSources(t, p, slices.Concat(first, later, first)...)
	if after, _ := p.User(before.Username); after.Sub == before.Sub {
		t.Error("the sub came back")
	}
}

func TestFederatedTokens(t *testing.T) {
	t.Parallel()
	p := unserved(t, Config{})
	tok := hostedTokens(t, p, "Google", Person{Subject: "g-1", Name: "Kim", Email: "kim@example.com", EmailVerified: true}, "openid", "profile")
	access, id := payloadOf(t, tok.access), payloadOf(t, tok.id)
	user, _ := p.User("Google_g-1")
	group := []any{p.ID() + "_Google"}
	for name, want := range map[string]any{
		"sub": user.Sub, "username": "Google_g-1", "scope": "openid profile", "cognito:groups": group, "acr": "fed",
		"amr": []any{"fed"}, "client_id": DefaultClientID, "version": 2.0, "aud": nil, "email": nil, "identities": nil,
	} {
		if !reflect.DeepEqual(access[name], want) {
			t.Errorf("access token: %s is %#v; want %#v", name, access[name], want)
		}
	}
	for name, want := range map[string]any{
		"sub": user.Sub, "cognito:username": "Google_g-1", "username": nil, "cognito:groups": group, "email": "kim@example.com",
		"email_verified": true, "name": "Kim", "nonce": "n-1", "aud": DefaultClientID, "scope": nil, "version": nil,
		"at_hash": accessHash(tok.access), "origin_jti": access["origin_jti"], "event_id": access["event_id"],
		"auth_time": access["auth_time"], "cognito:user_status": nil,
	} {
		if !reflect.DeepEqual(id[name], want) {
			t.Errorf("ID token: %s is %#v; want %#v", name, id[name], want)
		}
	}
	if id["jti"] == access["jti"] {
		t.Error("both tokens have one jti")
	}
	// The quirk: strings in the token, a boolean and a number in the attribute.
	entry := id["identities"].([]any)[0].(map[string]any)
	created, ok := entry["dateCreated"].(string)
	delete(entry, "dateCreated")
	if want := map[string]any{"userId": "g-1", "providerName": "Google", "providerType": "Google", "issuer": nil, "primary": "true"}; !ok || !reflect.DeepEqual(entry, want) {
		t.Errorf("identities of the token: %v", entry)
	}
	if attribute := user.Attributes["identities"]; !strings.Contains(attribute, `"primary":true,"dateCreated":`+created+`}`) {
		t.Errorf("the attribute identities is %s", attribute)
	}
	if parts := strings.Split(tok.refresh, "."); len(parts) != 5 || !strings.HasPrefix(tok.refresh, "eyJj") || len(tok.refresh) < 1700 {
		t.Errorf("a refresh token of %d parts and %d bytes: %.10s", len(parts), len(tok.refresh), tok.refresh)
	}
}

func TestKakaoHasNoVerifiedEmail(t *testing.T) {
	t.Parallel()
	p := unserved(t, Config{})
	who := kim
	who.EmailVerified = true // Kakao has no such claim
	id := payloadOf(t, hostedTokens(t, p, "Kakao", who).id)
	if id["email"] != kim.Email || id["email_verified"] != false {
		t.Errorf("email %v, verified %v", id["email"], id["email_verified"])
	}
	id = payloadOf(t, hostedTokens(t, p, "Kakao", Person{Subject: "2"}).id)
	if id["email"] != nil {
		t.Errorf("somebody who declined has the email %v", id["email"])
	}
}

// TestGhost: the user stays when PostConfirmation fails, and the trigger does not run again.
func TestGhost(t *testing.T) {
	t.Parallel()
	p := unserved(t, Config{Triggers: All(failing("PostConfirmation_ConfirmSignUp", "no database"))})
	_, err := tryHosted(t, p, "Kakao", kim)
	wantTriggerError(t, err, "", "PostConfirmation failed with error no database.")
	u, ok := p.User("Kakao_" + kim.Subject)
	if !ok || u.Status != statusExternal {
		t.Fatal("no ghost")
	}
	if id := payloadOf(t, hostedTokens(t, p, "Kakao", kim).id); id["custom:userId"] != nil || id["sub"] != u.Sub {
		t.Errorf("the ghost's ID token is %v", id)
	}
	if n := strings.Count(strings.Join(sources(p), " "), "PostConfirmation"); n != 1 {
		t.Errorf("PostConfirmation ran %d times", n)
	}
}

func TestLaterSignInUpdatesAttributes(t *testing.T) {
	t.Parallel()
	p := unserved(t, Config{})
	google := Person{Subject: "1", Name: "Kim", Email: "a@example.com", EmailVerified: true}
	hostedTokens(t, p, "Google", google)
	hostedTokens(t, p, "Kakao", kim)
	if err := p.withUser("Kakao_"+kim.Subject, func(u *account) error {
		return p.changeUser(u, change{"email_verified": "true", "custom:userId": "7"})
	}); err != nil {
		t.Fatal(err)
	}
	same := kim
	same.Name = ""
	hostedTokens(t, p, "Kakao", same)
	if u, _ := p.User("Kakao_" + kim.Subject); u.Attributes["email_verified"] != "true" || u.Attributes["name"] != kim.Name {
		t.Errorf("nothing changed at the provider, but %v", u.Attributes)
	}
	moved := kim
	moved.Email = "other@example.com"
	hostedTokens(t, p, "Kakao", moved)
	if u, _ := p.User("Kakao_" + kim.Subject); u.Attributes["email"] != moved.Email || u.Attributes["email_verified"] != "false" || u.Attributes["custom:userId"] != "7" {
		t.Errorf("the email moved, but %v", u.Attributes)
	}
	google.EmailVerified = false
	hostedTokens(t, p, "Google", google)
	if u, _ := p.User("Google_1"); u.Attributes["email_verified"] != "false" {
		t.Errorf("Google no longer vouches, but %v", u.Attributes)
	}
}

func TestMappedAttributes(t *testing.T) {
	t.Parallel()
	kakao := Kakao()
	kakao.AttributeMapping["custom:kakaoId"] = "sub"
	custom := []CustomAttribute{{Name: "kakaoId"}, {Name: "userId", Mutable: true}}
	attrs := []string{"email", "name", "custom:kakaoId"}
	cfg := Config{CustomAttributes: custom, Providers: []Provider{kakao}, Clients: []Client{
		{ClientID: "web", WriteAttributes: attrs},
		{ClientID: "reader", WriteAttributes: []string{"name"}},
	}}

	p := unserved(t, cfg)
	hostedTokens(t, p, "Kakao", kim)
	if u, _ := p.User("Kakao_" + kim.Subject); u.Attributes["custom:kakaoId"] != kim.Subject {
		t.Errorf("attributes %v", u.Attributes)
	}
	hostedTokens(t, p, "Kakao", kim) // the same value of an immutable attribute
	if err := p.withUser("Kakao_"+kim.Subject, func(u *account) error { u.attrs["custom:kakaoId"] = "x"; return nil }); err != nil {
		t.Fatal(err)
	}
	var refused *oauthError
	if _, err := tryHosted(t, p, "Kakao", kim); !errors.As(err, &refused) || refused.Code != "invalid_request" {
		t.Errorf("another value of an immutable attribute: %v", err)
	}

	p = unserved(t, cfg)
	c, _ := p.client("reader")
	if _, err := p.signInFederated(t.Context(), c, "Kakao", kim); err != nil {
		t.Fatal(err)
	}
	if u, _ := p.User("Kakao_" + kim.Subject); u.Attributes["email"] != "" || u.Attributes["name"] != kim.Name {
		t.Errorf("attributes that the client may not write: %v", u.Attributes)
	}
}

func TestFederationRefusals(t *testing.T) {
	t.Parallel()
	cfg := Config{Clients: []Client{{ClientID: "web", SupportedIdentityProviders: []string{"Kakao"}}}}
	for _, row := range []struct {
		name, provider string
		who            Person
		disabled       bool
	}{
		{"a provider the pool has not", "Naver", kim, false},
		{"a provider of another case", "kakao", kim, false},
		{"a provider the client has not", "Google", kim, false},
		{"nobody", "Kakao", Person{Name: "x"}, false},
		{"a malformed email", "Kakao", Person{Subject: "1", Email: "x"}, false},
		{"a disabled user", "Kakao", kim, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := unserved(t, cfg)
			if row.disabled {
				if _, err := p.AddUser(User{Username: "Kakao_" + kim.Subject, Status: statusExternal, Disabled: true}); err != nil {
					t.Fatal(err)
				}
			}
			before := len(p.Users())
			var refused *oauthError
			if _, err := tryHosted(t, p, row.provider, row.who); !errors.As(err, &refused) {
				t.Errorf("error %v", err)
			}
			if len(p.Users()) != before {
				t.Error("a user was made")
			}
		})
	}
}

// TestLinkingInPreSignUp: the sign-in during which the identity is linked fails, the next one is the destination's.
func TestLinkingInPreSignUp(t *testing.T) {
	t.Parallel()
	var p *Pool
	r := &recorder{answer: func(source string, event json.RawMessage) (json.RawMessage, error) {
		if source == "PreSignUp_ExternalProvider" {
			return event, linkUser(t, p, "native", "Kakao", kim.Subject)
		}
		return event, nil
	}}
	p = unserved(t, Config{Triggers: All(r)})
	native, err := p.AddUser(User{Username: "native", Password: "Passw0rd!"})
	if err != nil {
		t.Fatal(err)
	}
	var refused *oauthError
	if _, err := tryHosted(t, p, "Kakao", kim); !errors.As(err, &refused) || refused.Description != "Already found an entry for username Kakao_"+kim.Subject {
		t.Errorf("error %v", err)
	}
	id := payloadOf(t, hostedTokens(t, p, "Kakao", kim).id)
	if id["sub"] != native.Sub || id["cognito:username"] != "native" {
		t.Errorf("signed in as %v", id["cognito:username"])
	}
	if entry := id["identities"].([]any)[0].(map[string]any); entry["primary"] != "false" || entry["userId"] != kim.Subject {
		t.Errorf("identities %v", entry)
	}
	wantSources(t, p, "PreSignUp_ExternalProvider", "PreAuthentication_Authentication", "PostAuthentication_Authentication", "TokenGeneration_HostedAuth")
	if len(p.Users()) != 1 {
		t.Errorf("%d users", len(p.Users()))
	}
}

func linkUser(t *testing.T, p *Pool, username, provider, subject string) error {
	t.Helper()
	_, err := adminLinkProviderForUser(t.Context(), p, linkInput{
		poolRef:         poolRef{p.ID()},
		DestinationUser: providerUser{ProviderName: "Cognito", ProviderAttributeValue: username},
		SourceUser:      providerUser{provider, cognitoSubject, subject},
	})
	return err
}

// TestConcurrentFirstSignIns: of two first sign-ins at the same time one makes the user, and the other goes on as a later one.
func TestConcurrentFirstSignIns(t *testing.T) {
	t.Parallel()
	var both sync.WaitGroup
	both.Add(2)
	r := &recorder{answer: func(source string, event json.RawMessage) (json.RawMessage, error) {
		if source == "PreSignUp_ExternalProvider" {
			both.Done()
			both.Wait()
		}
		return event, nil
	}}
	p := unserved(t, Config{Triggers: All(r)})
	c := firstClient(p)
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		wg.Go(func() { _, errs[i] = p.signInFederated(t.Context(), c, "Kakao", kim) })
	}
	wg.Wait()
	if errs[0] != nil || errs[1] != nil || len(p.Users()) != 1 {
		t.Errorf("errors %v, %d users", errs, len(p.Users()))
	}
	got := sources(p)
	slices.Sort(got)
	want := []string{
		"PostAuthentication_Authentication", "PostConfirmation_ConfirmSignUp", "PreAuthentication_Authentication",
		"PreSignUp_ExternalProvider", "PreSignUp_ExternalProvider",
	}
	if !slices.Equal(got, want) {
		t.Errorf("triggers %v; want %v", got, want)
	}
}

// A user as the pool gave it can be added to another pool of the same id, one
// without an email included, and is then an old acquaintance.
func TestFederatedUserMovesToAnotherPool(t *testing.T) {
	t.Parallel()
	before := unserved(t, Config{})
	noEmail := Person{Subject: "4015926535", Name: "Han"}
	hostedTokens(t, before, "Kakao", noEmail)
	given, _ := before.User("Kakao_" + noEmail.Subject)

	after := unserved(t, Config{ID: before.ID(), Triggers: All(new(recorder))})
	if _, err := after.AddUser(given); err != nil {
		t.Fatal(err)
	}
	if got, _ := after.User(given.Username); !reflect.DeepEqual(got.Attributes, given.Attributes) {
		t.Errorf("attributes %v, want %v", got.Attributes, given.Attributes)
	}
	hostedTokens(t, after, "Kakao", noEmail)
	wantSources(t, after, "PreAuthentication_Authentication", "PostAuthentication_Authentication", "TokenGeneration_HostedAuth")
}
