package ssotest

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// generation are the tokens of a user in the groups a and b whose pre token generation trigger answers a response.
func generation(t *testing.T, version, response string) (access, id map[string]any, err error) {
	t.Helper()
	p := unserved(t, Config{Triggers: Triggers{
		PreTokenGeneration: responding("TokenGeneration_HostedAuth", response), PreTokenGenerationVersion: version,
	}})
	if _, err := p.AddUser(User{Username: "u", Sub: "s-1", Groups: []string{"a", "b"}, Attributes: map[string]string{"custom:userId": "1", "email": "a@b.kr"}}); err != nil {
		t.Fatal(err)
	}
	tok, err := p.issue(t.Context(), grant{clientID: DefaultClientID, username: "u", scopes: []string{"openid", adminScope}, nonce: "n", authTime: p.now()}, "TokenGeneration_HostedAuth")
	if err != nil {
		return nil, nil, err
	}
	return payloadOf(t, tok.access), payloadOf(t, tok.id), nil
}

func TestPreTokenGeneration(t *testing.T) {
	t.Parallel()
	groups := []any{"a", "b"}
	const scope = "openid " + adminScope
	for _, row := range []struct {
		name, version, response string
		access, id              map[string]any // what some claims must be; nil is absent
	}{
		{"V1 null", "V1_0", `{"claimsOverrideDetails":null}`,
			map[string]any{"cognito:groups": groups}, map[string]any{"cognito:groups": groups, "custom:userId": "1"}},
		{"V1 nothing", "V1_0", `{}`, map[string]any{"cognito:groups": groups}, map[string]any{"custom:userId": "1"}},
		{"V1 adds and overrides", "V1_0", `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"custom:userId":"42","x":"y"}}}`,
			map[string]any{"custom:userId": nil, "x": nil}, map[string]any{"custom:userId": "42", "x": "y", "cognito:groups": groups}},
		{"V1 suppresses", "V1_0", `{"claimsOverrideDetails":{"claimsToSuppress":["email","custom:userId"]}}`,
			nil, map[string]any{"email": nil, "custom:userId": nil}},
		{"suppress wins over add", "V1_0", `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"x":"y"},"claimsToSuppress":["x"]}}`,
			nil, map[string]any{"x": nil}},
		{"V1 changes the groups of both tokens", "V1_0", `{"claimsOverrideDetails":{"groupOverrideDetails":{"groupsToOverride":["c"],"iamRolesToOverride":["r1","r2"],"preferredRole":"r1"}}}`,
			map[string]any{"cognito:groups": []any{"c"}, "cognito:roles": nil},
			map[string]any{"cognito:groups": []any{"c"}, "cognito:roles": []any{"r1", "r2"}, "cognito:preferred_role": "r1"}},
		{"an empty groupOverrideDetails suppresses the groups", "V1_0", `{"claimsOverrideDetails":{"groupOverrideDetails":{}}}`,
			map[string]any{"cognito:groups": nil}, map[string]any{"cognito:groups": nil}},
		{"a null groupOverrideDetails suppresses the groups", "V1_0", `{"claimsOverrideDetails":{"groupOverrideDetails":null}}`,
			map[string]any{"cognito:groups": nil}, map[string]any{"cognito:groups": nil}},
		{"the zero value of aws-lambda-go suppresses the groups", "V2_0",
			`{"claimsAndScopeOverrideDetails":{"idTokenGeneration":{"claimsToAddOrOverride":null,"claimsToSuppress":null},"accessTokenGeneration":{"claimsToAddOrOverride":null,"claimsToSuppress":null,"scopesToAdd":null,"scopesToSuppress":null},"groupOverrideDetails":{"groupsToOverride":null,"iamRolesToOverride":null,"preferredRole":null}}}`,
			map[string]any{"cognito:groups": nil, "scope": scope}, map[string]any{"cognito:groups": nil, "custom:userId": "1"}},
		{"V2 changes both tokens", "V2_0",
			`{"claimsAndScopeOverrideDetails":{"idTokenGeneration":{"claimsToAddOrOverride":{"n":9007199254740993,"o":{"a":[1]}},"claimsToSuppress":["email"]},"accessTokenGeneration":{"claimsToAddOrOverride":{"custom:userId":"42","list":["a"]}}}}`,
			map[string]any{"custom:userId": "42", "list": []any{"a"}, "n": nil, "cognito:groups": groups},
			map[string]any{"n": 9007199254740993.0, "o": map[string]any{"a": []any{1.0}}, "email": nil, "custom:userId": "1"}},
		{"V2 scopes", "V2_0", `{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"scopesToAdd":["api/read","openid","api/write"],"scopesToSuppress":["` + adminScope + `","api/write"]}}}`,
			map[string]any{"scope": "openid api/read"}, nil},
		{"V2 without any scope", "V2_0", `{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"scopesToSuppress":["` + adminScope + `","openid"]}}}`,
			map[string]any{"scope": nil}, map[string]any{"custom:userId": "1"}},
		{"V3 does as V2", "V3_0", `{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"claimsToAddOrOverride":{"x":true}}}}`,
			map[string]any{"x": true}, nil},
		{"an answer in the form of the other version does nothing", "V2_0", `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"x":"y"},"groupOverrideDetails":{}}}`,
			map[string]any{"x": nil, "cognito:groups": groups}, map[string]any{"x": nil}},
		{"members of another case do nothing", "V1_0", `{"claimsOverrideDetails":{"ClaimsToAddOrOverride":{"x":"y"},"GroupOverrideDetails":{}}}`,
			map[string]any{"cognito:groups": groups}, map[string]any{"x": nil}},
		{"aud may be added to the access token as the client's id", "V2_0", `{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"claimsToAddOrOverride":{"aud":"` + DefaultClientID + `"}}}}`,
			map[string]any{"aud": DefaultClientID}, nil},
		{"aud may not be anything else", "V2_0", `{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"claimsToAddOrOverride":{"aud":"other"}},"idTokenGeneration":{"claimsToAddOrOverride":{"aud":"other"},"claimsToSuppress":["aud"]}}}`,
			map[string]any{"aud": nil}, map[string]any{"aud": DefaultClientID}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			access, id, err := generation(t, row.version, row.response)
			if err != nil {
				t.Fatal(err)
			}
			for token, claims := range map[string][2]map[string]any{"access": {access, row.access}, "ID": {id, row.id}} {
				for name, want := range claims[1] {
					if !reflect.DeepEqual(claims[0][name], want) {
						t.Errorf("%s token: %s is %#v; want %#v", token, name, claims[0][name], want)
					}
				}
			}
		})
	}
}

// TestProtectedClaims: no trigger changes or suppresses them.
func TestProtectedClaims(t *testing.T) {
	t.Parallel()
	plainAccess, plainID, err := generation(t, "V2_0", `{}`)
	if err != nil {
		t.Fatal(err)
	}
	add, suppress := map[string]any{}, []string{}
	for name := range fixedClaims {
		add[name], suppress = "evil", append(suppress, name)
	}
	for _, name := range []string{"cognito:username", "cognito:groups", "cognito:roles", "cognito:preferred_role", "cognito:anything"} {
		add[name], suppress = "evil", append(suppress, name)
	}
	for _, details := range []map[string]any{{"claimsToAddOrOverride": add}, {"claimsToSuppress": suppress}} {
		response, err := json.Marshal(map[string]any{"claimsAndScopeOverrideDetails": map[string]any{"idTokenGeneration": details, "accessTokenGeneration": details}})
		if err != nil {
			t.Fatal(err)
		}
		access, id, err := generation(t, "V2_0", string(response))
		if err != nil {
			t.Fatal(err)
		}
		for _, pair := range []struct{ plain, got map[string]any }{{plainAccess, access}, {plainID, id}} {
			if len(pair.plain) != len(pair.got) {
				t.Errorf("claims %v\nwant those of %v", pair.got, pair.plain)
			}
			for name, value := range pair.got {
				if _, ok := pair.plain[name]; !ok || value == "evil" {
					t.Errorf("%s is %v", name, value)
				}
			}
		}
	}
}

func TestPreTokenGenerationRefusals(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, version, response string }{
		{"V1 with a number", "V1_0", `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"custom:userId":42}}}`},
		{"V1 with an object", "V1_0", `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"x":{}}}}`},
		{"V1 with a list", "V1_0", `{"claimsOverrideDetails":[]}`},
		{"V1 with text to suppress", "V1_0", `{"claimsOverrideDetails":{"claimsToSuppress":"email"}}`},
		{"V1 with text for groups", "V1_0", `{"claimsOverrideDetails":{"groupOverrideDetails":"a"}}`},
		{"V2 with a list", "V2_0", `{"claimsAndScopeOverrideDetails":{"idTokenGeneration":[]}}`},
		{"V2 with text for scopes", "V2_0", `{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"scopesToAdd":"a"}}}`},
		{"V2 with text for groups", "V2_0", `{"claimsAndScopeOverrideDetails":{"groupOverrideDetails":{"groupsToOverride":"a"}}}`},
	} {
		_, _, err := generation(t, row.version, row.response)
		wantTriggerError(t, err, lambdaMalformed, "Unrecognizable lambda output: a member of the override details has the wrong type")
	}
}

// TestPreTokenEvents has the three forms of the event.
func TestPreTokenEvents(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ version, number, scopes, response string }{
		{"V1_0", "1", "", `{"claimsOverrideDetails":null}`},
		{"V2_0", "2", `,"scopes":["openid"]`, `{"claimsAndScopeOverrideDetails":null}`},
		{"V3_0", "3", `,"scopes":["openid"]`, `{"claimsAndScopeOverrideDetails":null}`},
	} {
		var r recorder
		p := unserved(t, Config{Triggers: Triggers{PreTokenGeneration: &r, PreTokenGenerationVersion: row.version}})
		if _, err := p.AddUser(User{Username: "u", Sub: "s-1", Groups: []string{"a"}}); err != nil {
			t.Fatal(err)
		}
		p.groups["a"].roleARN, p.groups["a"].precedence = "arn:r", new(int)
		tok, err := p.issue(t.Context(), grant{clientID: DefaultClientID, username: "u", scopes: []string{"openid"}, authTime: p.now()}, "TokenGeneration_HostedAuth")
		if err != nil {
			t.Fatal(err)
		}
		event := string(r.seen()[0])
		for _, want := range []string{
			`{"version":"` + row.number + `","triggerSource":"TokenGeneration_HostedAuth",`,
			`"request":{"userAttributes":{"cognito:user_status":"CONFIRMED","sub":"s-1"},"groupConfiguration":{"groupsToOverride":["a"],"iamRolesToOverride":["arn:r"],"preferredRole":"arn:r"}` + row.scopes + `}`,
			`"response":` + row.response + `}`,
		} {
			if !strings.Contains(event, want) {
				t.Errorf("%s: the event\n%s\nlacks\n%s", row.version, event, want)
			}
		}
		id := payloadOf(t, tok.id)
		if id["cognito:preferred_role"] != "arn:r" || !reflect.DeepEqual(id["cognito:roles"], []any{"arn:r"}) {
			t.Errorf("roles %v, preferred %v", id["cognito:roles"], id["cognito:preferred_role"])
		}
	}
}

func TestPreferredRole(t *testing.T) {
	t.Parallel()
	n := func(i int) *int { return &i }
	for _, row := range []struct {
		name string
		a, b *int
		want string
	}{
		{"the lower one", n(2), n(1), "role-b"},
		{"zero is the lowest", n(0), n(1), "role-a"},
		{"one without", nil, n(5), "role-b"},
		{"none", nil, nil, ""},
		{"two alike", n(1), n(1), ""},
	} {
		p := unserved(t, Config{})
		p.groups["a"] = &group{roleARN: "role-a", precedence: row.a}
		p.groups["b"] = &group{roleARN: "role-b", precedence: row.b}
		all, preferred := p.roles(&account{groups: []string{"a", "b", "gone"}})
		if len(all) != 2 || preferred != row.want {
			t.Errorf("%s: %v, %q; want %q", row.name, all, preferred, row.want)
		}
	}
}

func TestMachineTokens(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		version string
		calls   int
		scope   string
	}{{"V1_0", 0, "api/read"}, {"V2_0", 0, "api/read"}, {"V3_0", 1, "api/read api/extra"}} {
		r := responding("TokenGeneration_ClientCredentials", `{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"claimsToAddOrOverride":{"x":1,"sub":"evil"},"scopesToAdd":["api/extra"]}}}`)
		p := unserved(t, Config{
			ResourceServers: map[string][]string{"api": {"read"}},
			Clients:         []Client{{ClientID: "job", ClientSecret: "s", AllowedOAuthFlows: []string{"client_credentials"}}},
			Triggers:        Triggers{PreTokenGeneration: r, PreTokenGenerationVersion: row.version},
		})
		tok, err := p.issueMachine(t.Context(), firstClient(p), []string{"api/read"})
		if err != nil {
			t.Fatal(err)
		}
		claims := payloadOf(t, tok.access)
		if len(r.seen()) != row.calls || claims["scope"] != row.scope || claims["sub"] != "job" || (claims["x"] != nil) != (row.calls == 1) {
			t.Errorf("%s: %d calls, %v", row.version, len(r.seen()), claims)
		}
		if tok.id != "" || tok.refresh != "" || claims["username"] != nil {
			t.Errorf("%s: a machine has an ID token, a refresh token or a username", row.version)
		}
		if _, err := p.accessClaims(tok.access); err == nil {
			t.Error("a machine's token is a user's")
		}
	}
	p := unserved(t, Config{Triggers: Triggers{PreTokenGeneration: failing("TokenGeneration_ClientCredentials", "no"), PreTokenGenerationVersion: "V3_0"}})
	_, err := p.issueMachine(t.Context(), firstClient(p), nil)
	wantTriggerError(t, err, "", "PreTokenGeneration failed with error no.")
}
