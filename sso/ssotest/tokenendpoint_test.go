package ssotest_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

func TestCodeIsSingleUse(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	v := newVisitor(t, p)
	code := v.kakao("web", webCallback).query(t).Get("code")
	results := make([]int, 20)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i] = v.redeem(code).status })
	}
	wg.Wait()
	slices.Sort(results)
	if results[0] != http.StatusOK || results[1] != http.StatusBadRequest {
		t.Errorf("of twenty at once: %v", results)
	}
}

func TestCodeExchange(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	newVisitor(t, p).kakao("web", webCallback)
	for _, test := range []struct {
		name      string
		authorize []string
		redeem    []string
		advance   time.Duration
		want      string // error, "" for none
	}{
		{"good", nil, nil, 0, ""},
		{"other redirect_uri", nil, []string{"redirect_uri", webCallback + "/"}, 0, "unauthorized_client"},
		{"other registered redirect_uri", nil, []string{"redirect_uri", "myapp://cb"}, 0, "unauthorized_client"},
		{"other client", nil, []string{"client_id", "second"}, 0, "invalid_grant"},
		{"no verifier", nil, []string{"code_verifier", ""}, 0, "invalid_grant"},
		{"wrong verifier", nil, []string{"code_verifier", verifier + "x"}, 0, "invalid_grant"},
		{"the challenge as verifier", nil, []string{"code_verifier", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, 0, "invalid_grant"},
		{"a verifier without a challenge", []string{"code_challenge", "", "code_challenge_method", ""}, nil, 0, "invalid_grant"},
		{"no PKCE at all", []string{"code_challenge", "", "code_challenge_method", ""}, []string{"code_verifier", ""}, 0, ""},
		{"no code", nil, []string{"code", ""}, 0, "invalid_request"},
		{"no redirect_uri", nil, []string{"redirect_uri", ""}, 0, "invalid_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := newVisitor(t, p)
			code := v.kakao("web", webCallback, test.authorize...).query(t).Get("code")
			got := v.redeem(code, test.redeem...)
			if got.field("error") != test.want || (got.status == http.StatusOK) != (test.want == "") {
				t.Fatalf("%d %s, want %q", got.status, got.body, test.want)
			}
		})
	}
}

func TestCodeLivesFiveMinutes(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	v := newVisitor(t, p)
	code := v.kakao("web", webCallback).query(t).Get("code")
	other := v.kakao("web", webCallback, "prompt", "login").query(t).Get("code")
	p.Advance(4*time.Minute + 50*time.Second)
	if got := v.redeem(code); got.status != http.StatusOK {
		t.Errorf("after 4:50: %d %s", got.status, got.body)
	}
	p.Advance(10 * time.Second)
	if got := v.redeem(other); got.field("error") != "invalid_grant" {
		t.Errorf("after 5:00: %d %s", got.status, got.body)
	}
}

func TestCodeOfAnotherClientIsNotSpent(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	code := v.kakao("web", webCallback).query(t).Get("code")
	if got := v.redeem(code, "client_id", "second"); got.field("error") != "invalid_grant" {
		t.Errorf("other client: %d %s", got.status, got.body)
	}
	if got := v.redeem(code); got.status != http.StatusOK {
		t.Errorf("the right client after it: %d %s", got.status, got.body)
	}
}

func TestUnreadableScope(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	for scope, want := range map[string]string{"openid": "", "openid email": "invalid_grant", "openid profile": "", "": "invalid_grant"} {
		code := v.kakao("unreadable", webCallback, "scope", scope, "prompt", "login").query(t).Get("code")
		if got := v.redeem(code, "client_id", "unreadable"); got.field("error") != want {
			t.Errorf("scope %q: %d %s", scope, got.status, got.body)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	v.kakao("web", webCallback)
	for asked, want := range map[string]string{
		"":                              "openid email aws.cognito.signin.user.admin api/read",
		"openid":                        "openid",
		"email openid":                  "email openid",
		"openid phone api/write":        "openid", // of the pool, not of the client: ignored
		"openid openid api/read":        "openid api/read",
		"api/read":                      "api/read",
		"aws.cognito.signin.user.admin": "aws.cognito.signin.user.admin",
	} {
		got := v.redeem(v.open(authorizeURL("web", webCallback, "scope", asked)).query(t).Get("code"))
		if got.status != http.StatusOK {
			t.Errorf("%q: %d %s", asked, got.status, got.body)
			continue
		}
		granted, _ := payload(t, got.field("access_token"))["scope"].(string)
		if g, w := strings.Fields(granted), strings.Fields(want); !sameSet(g, w) {
			t.Errorf("%q: granted %q, want %q", asked, granted, want)
		}
		if hasID := got.field("id_token") != ""; hasID != strings.Contains(want, "openid") {
			t.Errorf("%q: id token %v", asked, hasID)
		}
	}
}

func sameSet(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func TestResource(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	got := v.redeem(v.kakao("web", webCallback, "resource", "https://api.example/").query(t).Get("code"))
	if aud := payload(t, got.field("access_token"))["aud"]; aud != "https://api.example/" {
		t.Errorf("aud is %v", aud)
	}
}

func TestNonceOfCognito(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	got := v.redeem(v.kakao("web", webCallback, "nonce", "").query(t).Get("code"))
	if nonce, _ := payload(t, got.field("id_token"))["nonce"].(string); nonce == "" {
		t.Error("a federated sign-in without a nonce has none of Cognito's")
	}
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	basic := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("machine:"+basicSecret))}}
	for _, test := range []struct {
		name, body string
		header     http.Header
		want       string
	}{
		{"all scopes", form("grant_type", "client_credentials"), basic, "api/read https://api.example/v1/read"},
		{"one", form("grant_type", "client_credentials", "scope", "api/read"), basic, "api/read"},
		{"an identifier that is a URL", form("grant_type", "client_credentials", "scope", "https://api.example/v1/read"), basic, "https://api.example/v1/read"},
		{"one of another client is ignored", form("grant_type", "client_credentials", "scope", "api/read api/write openid"), basic, "api/read"},
		{"secret in the body", form("grant_type", "client_credentials", "scope", "api/read", "client_id", "machine", "client_secret", basicSecret), nil, "api/read"},
		{"Basic and the client's id", form("grant_type", "client_credentials", "scope", "api/read", "client_id", "machine"), basic, "api/read"},
	} {
		got := v.do(http.MethodPost, "/oauth2/token", test.body, test.header)
		if got.status != http.StatusOK {
			t.Errorf("%s: %d %s", test.name, got.status, got.body)
			continue
		}
		var answer map[string]any
		if err := json.Unmarshal([]byte(got.body), &answer); err != nil || len(answer) != 3 {
			t.Errorf("%s: %v %s", test.name, err, got.body)
		}
		claims := payload(t, got.field("access_token"))
		if claims["scope"] != test.want || claims["sub"] != "machine" || claims["client_id"] != "machine" {
			t.Errorf("%s: %v", test.name, claims)
		}
	}
}

func TestTokenEndpointFaults(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	v := newVisitor(t, p)
	for _, test := range []struct {
		fault  string
		status int
		want   int
		code   string
	}{
		{"invalid_grant", 0, 400, "invalid_grant"},
		{"", 503, 503, "server_error"},
		{"invalid_client", 401, 401, "invalid_client"},
	} {
		p.SetFaults(func(f *ssotest.Faults) { f.TokenEndpoint, f.TokenEndpointStatus = test.fault, test.status })
		if got := v.redeem("any"); got.status != test.want || got.field("error") != test.code {
			t.Errorf("%+v: %d %s", test, got.status, got.body)
		}
	}
	p.SetFaults(func(f *ssotest.Faults) { f.TokenEndpoint, f.TokenEndpointStatus, f.UserInfo = "", 0, 502 })
	if got := v.do(http.MethodGet, "/oauth2/userInfo", "", nil); got.status != 502 {
		t.Errorf("userInfo: %d", got.status)
	}
}

func TestTriggerFailureAtTokenEndpoint(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t, func(c *ssotest.Config) {
		c.Triggers.PreTokenGeneration = ssotest.TriggerFunc(func(_ context.Context, e json.RawMessage) (json.RawMessage, error) { return e, nil })
	}))
	v.pool.SetFaults(func(f *ssotest.Faults) { f.TriggerError = map[string]string{"TokenGeneration_HostedAuth": "no"} })
	got := v.redeem(v.kakao("web", webCallback).query(t).Get("code"))
	if got.status != http.StatusBadRequest || got.field("error") != "invalid_grant" || !strings.Contains(got.body, "PreTokenGeneration failed with error no.") {
		t.Errorf("token: %d %s", got.status, got.body)
	}
}
