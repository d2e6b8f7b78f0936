package ssotest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// FuzzAPI: whatever body an operation gets, it answers in JSON, never with 500, and the users' names and subs stay a
// one-to-one map.
func FuzzAPI(f *testing.F) {
	cfg, err := Config{ID: "ap-northeast-2_Fuzz"}.withDefaults()
	if err != nil {
		f.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(operations))
	for i := range names {
		f.Add(uint8(i), `{"UserPoolId":"ap-northeast-2_Fuzz","Username":"u","ClientId":"testclient"}`)
	}
	at := func(name string) uint8 { return uint8(slices.Index(names, name)) } //nolint:gosec // 37 operations
	for name, members := range map[string]string{
		"AdminCreateUser":           `"UserAttributes":[{"Name":"email","Value":"a@b"}],"TemporaryPassword":"Passw0rd!"`,
		"AdminUpdateUserAttributes": `"UserAttributes":[{"Name":"custom:userId"}]`,
		"AdminLinkProviderForUser":  `"DestinationUser":{"ProviderName":"Cognito","ProviderAttributeValue":"u"},"SourceUser":{"ProviderName":"Google","ProviderAttributeName":"Cognito_Subject","ProviderAttributeValue":"1"}`,
		"ListUsers":                 `"Limit":1,"Filter":"sub ^= \"\"","AttributesToGet":["sub"],"PaginationToken":"MSBh"`,
		"InitiateAuth":              `"ClientId":"testclient","AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"u","PASSWORD":"Passw0rd!"}`,
		"RespondToAuthChallenge":    `"ClientId":"testclient","ChallengeName":"NEW_PASSWORD_REQUIRED","ChallengeResponses":{"USERNAME":"u","NEW_PASSWORD":"Passw0rd!"},"Session":"x"`,
		"CreateGroup":               `"GroupName":"g","Precedence":1`,
	} {
		f.Add(at(name), `{"UserPoolId":"ap-northeast-2_Fuzz","Username":"u",`+members+`}`)
	}
	f.Fuzz(func(t *testing.T, op uint8, body string) {
		p, err := newPool(cfg, "http://127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if _, err := p.AddUser(User{Username: "u", Password: "Passw0rd!", Sub: "s"}); err != nil {
			t.Fatal(err)
		}
		name := names[int(op)%len(names)]
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		req.Header.Set(targetHeader, targetPrefix+name)
		req.Header.Set("Authorization", signedPrefix)
		w := httptest.NewRecorder()
		p.apiHandler().ServeHTTP(w, req)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: %s", name, w.Body)
		}
		if len(p.users) != len(p.subs) {
			t.Errorf("%s: %d users, %d subs", name, len(p.users), len(p.subs))
		}
		for sub, username := range p.subs {
			if u := p.users[username]; u == nil || u.sub != sub {
				t.Errorf("%s: the sub %s is of nobody", name, sub)
			}
		}
	})
}

// FuzzTokenChanges: whatever a trigger answers, the claims that it may not change stay.
func FuzzTokenChanges(f *testing.F) {
	f.Add(`{"claimsToAddOrOverride":{"sub":"x","cognito:groups":"y","a":1},"claimsToSuppress":["iss"]}`, true)
	f.Add(`{"idTokenGeneration":{"claimsToAddOrOverride":{"aud":["x"]}},"accessTokenGeneration":{"claimsToAddOrOverride":{"aud":{},"scope":"x"},"scopesToAdd":["a b"]},"groupOverrideDetails":{}}`, false)
	f.Fuzz(func(t *testing.T, details string, v1 bool) {
		version := "V2_0"
		if v1 {
			version = "V1_0"
		}
		changes, err := parseTokenChanges(json.RawMessage(details), version)
		if err != nil {
			return
		}
		for token, change := range map[string]tokenChange{"ID": changes.id, "access": changes.access} {
			claims := map[string]any{"sub": "s", "iss": "i", "token_use": token, "cognito:username": "u", "custom:userId": "1"}
			if token == "ID" {
				claims["aud"] = "c"
			}
			change.apply(claims, "c")
			if claims["sub"] != "s" || claims["iss"] != "i" || claims["token_use"] != token || claims["cognito:username"] != "u" ||
				(claims["aud"] != "c" && (token == "ID" || claims["aud"] != nil)) || claims["cognito:groups"] != nil {
				t.Errorf("%s token: %s made %v", token, details, claims)
			}
		}
	})
}
