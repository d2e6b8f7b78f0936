package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

func hook(c lambda.Claims, err error) func(*lambda.Config) {
	return func(cfg *lambda.Config) {
		cfg.ExtraClaims = func(context.Context, lambda.ClaimsRequest) (lambda.Claims, error) { return c, err }
	}
}

func add(kv ...any) lambda.TokenClaims {
	c := lambda.TokenClaims{Add: map[string]any{}}
	for i := 0; i < len(kv); i += 2 {
		c.Add[kv[i].(string)] = kv[i+1]
	}
	return c
}

func suppress(names ...string) lambda.TokenClaims { return lambda.TokenClaims{Suppress: names} }

func TestExtraClaims(t *testing.T) {
	t.Parallel()
	const v1, v2, machine = "token_v1_refresh", "token_v2_later_sign_in", "token_v3_client_credentials"
	for name, tc := range map[string]struct {
		event  string
		claims lambda.Claims
		want   string
	}{
		"nothing, V1": {v1, lambda.Claims{}, fmt.Sprintf(v1Claim, "42")},
		"nothing, V2": {v2, lambda.Claims{}, fmt.Sprintf(v2Claim, "42")},
		"strings, V1": {v1, lambda.Claims{ID: add("dept", "a<b>&\u2028", "email", "x@example.test")},
			`{"claimsOverrideDetails":{"claimsToAddOrOverride":{"custom:userId":"42","dept":"a<b>&\u2028","email":"x@example.test"}}}`},
		"suppressed, V1": {v1, lambda.Claims{ID: suppress("email", "phone_number", "email")},
			`{"claimsOverrideDetails":{"claimsToAddOrOverride":{"custom:userId":"42"},"claimsToSuppress":["email","phone_number"]}}`},
		"any JSON, V2, each token its own": {v2, lambda.Claims{ID: add("year", 3, "staff", true), Access: add("roles", []string{"a", "b"}, "org", map[string]any{"id": 7})},
			`{"claimsAndScopeOverrideDetails":{"idTokenGeneration":{"claimsToAddOrOverride":{"custom:userId":"42","year":3,"staff":true}},` +
				`"accessTokenGeneration":{"claimsToAddOrOverride":{"custom:userId":"42","roles":["a","b"],"org":{"id":7}}}}}`},
		"scopes": {v2, lambda.Claims{AddScopes: []string{"api/read", "api/read"}, SuppressScopes: []string{"aws.cognito.signin.user.admin"}},
			`{"claimsAndScopeOverrideDetails":{"idTokenGeneration":{"claimsToAddOrOverride":{"custom:userId":"42"}},` +
				`"accessTokenGeneration":{"claimsToAddOrOverride":{"custom:userId":"42"},"scopesToAdd":["api/read"],"scopesToSuppress":["aws.cognito.signin.user.admin"]}}}`},
		"groups, V1: the roles stay": {v1, lambda.Claims{Groups: []string{"staff"}},
			`{"claimsOverrideDetails":{"claimsToAddOrOverride":{"custom:userId":"42"},"groupOverrideDetails":{"groupsToOverride":["staff"],"iamRolesToOverride":[],"preferredRole":null}}}`},
		"groups, V2": {v2, lambda.Claims{Groups: []string{"staff", "x"}},
			strings.TrimSuffix(fmt.Sprintf(v2Claim, "42"), "}}") + `,"groupOverrideDetails":{"groupsToOverride":["staff","x"],"iamRolesToOverride":[],"preferredRole":null}}}`},
		"an empty list of groups leaves them": {v2, lambda.Claims{Groups: []string{}}, fmt.Sprintf(v2Claim, "42")},
		"no groups, on purpose": {v1, lambda.Claims{NoGroups: true},
			`{"claimsOverrideDetails":{"claimsToAddOrOverride":{"custom:userId":"42"},"groupOverrideDetails":{"groupsToOverride":[],"iamRolesToOverride":[],"preferredRole":null}}}`},
		"a machine": {machine, lambda.Claims{Access: add("tenant", 7), AddScopes: []string{"api/write"}},
			`{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"claimsToAddOrOverride":{"tenant":7},"scopesToAdd":["api/write"]}}}`},
		"a machine, nothing": {machine, lambda.Claims{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, in := newWorld(t, hook(tc.claims, nil)), fixture(t, tc.event)
			out, err := w.Handle(t.Context(), in)
			if err != nil {
				t.Fatalf("%v (%v)", err, errors.Unwrap(err))
			}
			wantAnswer(t, in, out, tc.want)
		})
	}
}

// The roles of the event are repeated when the groups are replaced.
func TestGroupsKeepRoles(t *testing.T) {
	t.Parallel()
	in := changed(t, "token_v2_later_sign_in", `"iamRolesToOverride": [],
      "preferredRole": null`, `"iamRolesToOverride": ["arn:aws:iam::0:role/a"], "preferredRole": "arn:aws:iam::0:role/a", "later": 1.10`)
	out, err := newWorld(t, hook(lambda.Claims{Groups: []string{"staff"}}, nil)).Handle(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"groupOverrideDetails":{"groupsToOverride":["staff"],"iamRolesToOverride":["arn:aws:iam::0:role/a"],"later":1.10,"preferredRole":"arn:aws:iam::0:role/a"}`; !strings.Contains(string(out), want) {
		t.Errorf("answer = %s", out)
	}
}

type badJSON struct{ panics bool }

func (b badJSON) MarshalJSON() ([]byte, error) {
	if b.panics {
		panic("hana@example.test")
	}
	return nil, errors.New("hana@example.test")
}

// No wish that Cognito would ignore, or that would let somebody be another,
// gets through, and none is dropped without a word.
func TestBadClaims(t *testing.T) {
	t.Parallel()
	const v1, v2, machine = "token_v1_refresh", "token_v2_later_sign_in", "token_v3_client_credentials"
	rows := map[string]struct {
		event  string
		claims lambda.Claims
	}{
		"the userId":                        {v2, lambda.Claims{ID: add("custom:userId", "1")}},
		"the userId in the access token":    {v2, lambda.Claims{Access: add("custom:userId", "1")}},
		"the userId by another case":        {v2, lambda.Claims{Access: add("custom:userid", "1")}},
		"the userId suppressed":             {v1, lambda.Claims{ID: suppress("custom:userId")}},
		"the userId of a machine":           {machine, lambda.Claims{Access: add("custom:userId", "1")}},
		"a claim of Cognito":                {v2, lambda.Claims{ID: add("cognito:groups", []string{"admin"})}},
		"the groups suppressed":             {v2, lambda.Claims{ID: suppress("cognito:groups")}},
		"no name":                           {v2, lambda.Claims{ID: add("", "x")}},
		"no name suppressed":                {v2, lambda.Claims{ID: suppress("")}},
		"both added and suppressed":         {v2, lambda.Claims{ID: lambda.TokenClaims{Add: map[string]any{"a": 1}, Suppress: []string{"a"}}}},
		"null":                              {v2, lambda.Claims{ID: add("a", nil)}},
		"a nil pointer":                     {v2, lambda.Claims{ID: add("a", (*int)(nil))}},
		"a null of JSON":                    {v2, lambda.Claims{ID: add("a", json.RawMessage("null"))}},
		"not a number":                      {v2, lambda.Claims{ID: add("a", math.NaN())}},
		"a function":                        {v2, lambda.Claims{ID: add("a", func() {})}},
		"broken JSON":                       {v2, lambda.Claims{ID: add("a", json.RawMessage("{"))}},
		"JSON that quotes":                  {v2, lambda.Claims{ID: add("a", badJSON{})}},
		"a number in V1":                    {v1, lambda.Claims{ID: add("a", 1)}},
		"a list in V1":                      {v1, lambda.Claims{ID: add("a", []string{"x"})}},
		"JSON in V1":                        {v1, lambda.Claims{ID: add("a", json.RawMessage(`"x"`))}},
		"the access token in V1":            {v1, lambda.Claims{Access: add("a", "x")}},
		"suppressing in V1's access token":  {v1, lambda.Claims{Access: suppress("a")}},
		"a scope in V1":                     {v1, lambda.Claims{AddScopes: []string{"a"}}},
		"suppressing a scope in V1":         {v1, lambda.Claims{SuppressScopes: []string{"a"}}},
		"two scopes in one":                 {v2, lambda.Claims{AddScopes: []string{"a b"}}},
		"an empty scope":                    {v2, lambda.Claims{AddScopes: []string{""}}},
		"a scope with a quote":              {v2, lambda.Claims{AddScopes: []string{`a"`}}},
		"a scope with a backslash":          {v2, lambda.Claims{AddScopes: []string{`a\b`}}},
		"a scope that is not ASCII":         {v2, lambda.Claims{SuppressScopes: []string{"읽기"}}},
		"the scope of the user's own admin": {v2, lambda.Claims{AddScopes: []string{"aws.cognito.signin.user.admin"}}},
		"groups and no groups":              {v2, lambda.Claims{Groups: []string{"a"}, NoGroups: true}},
		"a group without a name":            {v2, lambda.Claims{Groups: []string{"a", ""}}},
		"an ID token for a machine":         {machine, lambda.Claims{ID: add("a", "x")}},
		"groups for a machine":              {machine, lambda.Claims{Groups: []string{"a"}}},
		"no groups for a machine":           {machine, lambda.Claims{NoGroups: true}},
	}
	for _, name := range strings.Fields("acr amr at_hash aud auth_time azp client_id device_key event_id exp iat identities iss jti nbf nonce origin_jti scope sub token_use username version cognito:username cognito:later") {
		rows["reserved: "+name] = struct {
			event  string
			claims lambda.Claims
		}{v2, lambda.Claims{Access: add(name, "x")}}
		rows["reserved, suppressed: "+name] = struct {
			event  string
			claims lambda.Claims
		}{v1, lambda.Claims{ID: suppress(name)}}
	}
	for name, tc := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hook(tc.claims, nil))
			out, err := w.Handle(t.Context(), fixture(t, tc.event))
			if !errors.Is(err, lambda.ErrBadClaims) || out != nil {
				t.Fatalf("Handle = %s, %v", out, err)
			}
			if r := w.result(t); r.Reason != "bad_claims" || r.Outcome != lambda.OutcomeFailed {
				t.Errorf("result = %+v", r)
			}
			wantNothingPersonal(t, "log", w.log.String())
		})
	}
}

// A hook that fails in whatever way keeps the token back, also one that may go
// out without a userId.
func TestExtraClaimsFail(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		hook   func() (lambda.Claims, error)
		reason lambda.Reason
	}{
		"an error":              {func() (lambda.Claims, error) { return lambda.Claims{}, errBroken }, "extra_claims"},
		"an error and claims":   {func() (lambda.Claims, error) { return lambda.Claims{ID: add("a", "x")}, errBroken }, "extra_claims"},
		"an error of the store": {func() (lambda.Claims, error) { return lambda.Claims{}, users.ErrUnavailable }, "extra_claims"},
		"a panic":               {func() (lambda.Claims, error) { panic("hana@example.test") }, "extra_claims"},
		"a panic with an error": {func() (lambda.Claims, error) { panic(errors.New("hana@example.test")) }, "extra_claims"},
		"a panic with nil":      {func() (lambda.Claims, error) { panic(nil) }, "extra_claims"},
		"the end of the goroutine": {func() (lambda.Claims, error) {
			runtime.Goexit()
			return lambda.Claims{}, nil
		}, "extra_claims"},
		"a value that panics": {func() (lambda.Claims, error) {
			return lambda.Claims{ID: add("a", badJSON{panics: true})}, nil
		}, "extra_claims"},
		"a decision": {func() (lambda.Claims, error) {
			return lambda.Claims{}, fmt.Errorf("blocked: %w", &lambda.PublicError{Text: "Your membership has ended"})
		}, "extra_claims_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *lambda.Config) {
				c.AllowMissingUserID = true
				c.ExtraClaims = func(context.Context, lambda.ClaimsRequest) (lambda.Claims, error) { return tc.hook() }
			})
			out, err := w.Handle(t.Context(), fixture(t, "token_v2_first_sign_in"))
			if !errors.Is(err, lambda.ErrExtraClaims) || out != nil {
				t.Fatalf("Handle = %s, %v", out, err)
			}
			r := w.result(t)
			if r.Reason != tc.reason || (r.Outcome == lambda.OutcomeRefused) != (tc.reason == "extra_claims_refused") {
				t.Errorf("result = %+v", r)
			}
			if r.Outcome == lambda.OutcomeRefused && err.Error() != "Your membership has ended" {
				t.Errorf("shown: %v", err)
			}
			if len(w.attrs.sets) > 0 {
				t.Errorf("written %v before the token was sure", w.attrs.sets)
			}
			wantNothingPersonal(t, "error", err.Error())
			wantNothingPersonal(t, "log", w.log.String())
		})
	}
}

// The hook has the time that is left, whether it heeds its context or not.
func TestExtraClaimsDeadline(t *testing.T) {
	t.Parallel()
	for name, heeds := range map[string]bool{"one that heeds it": true, "one that does not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(c *lambda.Config) {
					c.Now = time.Now
					c.ExtraClaims = func(ctx context.Context, _ lambda.ClaimsRequest) (lambda.Claims, error) {
						if heeds {
							<-ctx.Done()
							return lambda.Claims{}, ctx.Err()
						}
						<-time.After(time.Hour)
						return lambda.Claims{}, nil
					}
				})
				out, err := w.Handle(t.Context(), fixture(t, "token_v1_refresh"))
				if !errors.Is(err, lambda.ErrExtraClaims) || !errors.Is(err, context.DeadlineExceeded) || out != nil {
					t.Fatalf("Handle = %s, %v", out, err)
				}
				if r := w.result(t); r.Duration != 3900*time.Millisecond {
					t.Errorf("result = %+v", r)
				}
				<-time.After(2 * time.Hour) // the hook ends, and its answer goes nowhere
			})
		})
	}
}

func TestClaimsRequest(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]lambda.ClaimsRequest{
		"token_v1_first_sign_in": {Source: "TokenGeneration_HostedAuth", Version: 1, Sub: kakaoUser.Sub, Username: "Kakao_4000000001", UserID: "1000",
			Groups: []string{"ap-northeast-2_ExAmPlE01_Kakao", "staff"}, Scopes: []string{}, ClientMetadata: map[string]string{}},
		"token_v2_refresh": {Source: "TokenGeneration_RefreshTokens", Version: 2, Sub: kakaoUser.Sub, Username: "Kakao_4000000001", UserID: "42",
			Groups: []string{"ap-northeast-2_ExAmPlE01_Kakao", "staff"}, Scopes: []string{"openid", "profile", "email"}, ClientMetadata: map[string]string{"app": "library"}},
		"token_v3_client_credentials": {Source: "TokenGeneration_ClientCredentials", Version: 3, Machine: true,
			Groups: []string{}, Scopes: []string{"api/read"}, ClientMetadata: map[string]string{}},
	} {
		var got lambda.ClaimsRequest
		w := newWorld(t, func(c *lambda.Config) {
			c.ExtraClaims = func(_ context.Context, r lambda.ClaimsRequest) (lambda.Claims, error) {
				got = r
				return lambda.Claims{}, nil
			}
		})
		if _, err := w.Handle(t.Context(), fixture(t, name)); err != nil {
			t.Fatal(err)
		}
		if want.Sub != "" && got.Attributes["email"] != "hana@example.test" {
			t.Errorf("%s: attributes %v", name, got.Attributes)
		}
		got.Attributes = nil
		want.UserPoolID, want.ClientID = "ap-northeast-2_ExAmPlE01", "1example23456789clientid"
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v\nwant %+v", name, got, want)
		}
	}
}

// The hook's claims join those that are there already, and win.
func TestExtraClaimsJoin(t *testing.T) {
	t.Parallel()
	in := changed(t, "token_v2_later_sign_in", `"claimsAndScopeOverrideDetails": null`,
		`"claimsAndScopeOverrideDetails": {"idTokenGeneration": {"claimsToAddOrOverride": {"a": 1, "b": 2}, "claimsToSuppress": ["c", "d"]}, "accessTokenGeneration": {"scopesToAdd": ["x"]}}`)
	out, err := newWorld(t, hook(lambda.Claims{ID: lambda.TokenClaims{Add: map[string]any{"b": 3, "c": 4}, Suppress: []string{"d", "e"}}, AddScopes: []string{"x", "y"}}, nil)).
		Handle(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, in, out, `{"claimsAndScopeOverrideDetails":{"idTokenGeneration":{"claimsToAddOrOverride":{"a":1,"b":3,"c":4,"custom:userId":"42"},"claimsToSuppress":["d","e"]},`+
		`"accessTokenGeneration":{"scopesToAdd":["x","y"],"claimsToAddOrOverride":{"custom:userId":"42"}}}}`)
}
