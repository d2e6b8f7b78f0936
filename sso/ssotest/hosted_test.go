package ssotest_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

const (
	webCallback    = "http://localhost:8080/cb"
	secondCallback = "http://localhost:9090/cb"
	webLogout      = "http://localhost:8080/bye"
	verifier       = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	basicSecret    = "s3cretS3cretS3cretS3cretS3cret"
)

var hong = ssotest.Person{Subject: "3141592653", Name: "홍길동", Email: "hong@example.com"}

// newHostedPool has an app client for every case.
func newHostedPool(t ssotest.TB, change ...func(*ssotest.Config)) *ssotest.Pool {
	cfg := ssotest.Config{
		Providers: []ssotest.Provider{
			ssotest.Kakao(hong, ssotest.Person{Subject: "2718281828", Name: "<b>이몽룡</b>"}),
			ssotest.Google(ssotest.Person{Subject: "g-1", Name: "Kim", Email: "kim@gmail.com", EmailVerified: true}),
		},
		ResourceServers: map[string][]string{"api": {"read", "write"}, "https://api.example/v1": {"read"}},
		Clients: []ssotest.Client{
			{
				ClientID: "web", ClientName: "Course Registration",
				CallbackURLs:       []string{webCallback, "http://localhost:8080/cb?tenant=1", "myapp://cb"},
				LogoutURLs:         []string{webLogout},
				AllowedOAuthScopes: []string{"openid", "email", "aws.cognito.signin.user.admin", "api/read"},
			},
			{ClientID: "second", CallbackURLs: []string{secondCallback}},
			{ClientID: "basic", ClientSecret: basicSecret, CallbackURLs: []string{webCallback}},
			{ClientID: "googleonly", CallbackURLs: []string{webCallback}, SupportedIdentityProviders: []string{"Google"}},
			{ClientID: "implicit", CallbackURLs: []string{webCallback}, AllowedOAuthFlows: []string{"implicit"}},
			{ClientID: "unreadable", CallbackURLs: []string{webCallback}, ReadAttributes: []string{"email", "custom:userId"}},
			{ClientID: "norevoke", CallbackURLs: []string{webCallback}, DisableTokenRevocation: true},
			{ClientID: "rotating", CallbackURLs: []string{webCallback}, RefreshTokenRotation: true},
			{
				ClientID: "machine", ClientSecret: basicSecret, AllowedOAuthFlows: []string{"client_credentials"},
				AllowedOAuthScopes: []string{"openid", "api/read", "https://api.example/v1/read"}, // openid means nothing here
			},
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	p := ssotest.NewPool(t, cfg)
	if _, err := p.AddUser(ssotest.User{Username: "native", Password: "Passw0rd!", Attributes: map[string]string{"email": "n@example.com"}}); err != nil {
		t.Fatalf("AddUser: %v", err)
	}
	return p
}

// visitor is a browser with its cookies.
type visitor struct {
	t    *testing.T
	pool *ssotest.Pool
	http *http.Client
}

func newVisitor(t *testing.T, p *ssotest.Pool) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, p, &http.Client{
		Jar:           jar,
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response that was read, and where it came from.
type answer struct {
	url    string
	status int
	header http.Header
	body   string
}

// field returns a member of a JSON answer.
func (a answer) field(name string) string {
	var m map[string]any
	if json.Unmarshal([]byte(a.body), &m) != nil {
		return ""
	}
	s, _ := m[name].(string)
	return s
}

// query returns the query of where the answer redirects to.
func (a answer) query(t *testing.T) url.Values {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		t.Fatalf("Location: %v", err)
	}
	return u.Query()
}

func (v *visitor) do(method, target, body string, header http.Header) answer {
	v.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = v.pool.URL() + target
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := v.http.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer{target, res.StatusCode, res.Header, string(text)}
}

// follow goes on until a page, or a redirect out of the pool.
func (v *visitor) follow(a answer) answer {
	v.t.Helper()
	for range 10 {
		to := a.header.Get("Location")
		if strings.HasPrefix(to, "/") {
			to = v.pool.URL() + to
		}
		if !strings.HasPrefix(to, v.pool.URL()+"/") {
			return a
		}
		a = v.do(http.MethodGet, to, "", nil)
	}
	v.t.Fatal("too many redirects")
	return a
}

func (v *visitor) open(target string) answer {
	v.t.Helper()
	return v.follow(v.do(http.MethodGet, target, "", nil))
}

var (
	actionForm = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	hiddenForm = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// submit sends the form of a page with these fields.
func (v *visitor) submit(page answer, fields url.Values) answer {
	v.t.Helper()
	action, hidden := actionForm.FindStringSubmatch(page.body), hiddenForm.FindStringSubmatch(page.body)
	if action == nil || hidden == nil {
		v.t.Fatalf("no form: %d %s", page.status, page.body)
	}
	fields.Set(html.UnescapeString(hidden[1]), html.UnescapeString(hidden[2]))
	return v.follow(v.do(http.MethodPost, html.UnescapeString(action[1]), fields.Encode(), nil))
}

// authorizeURL is a plain request of an app client; pairs replace its parameters, "" removes one.
func authorizeURL(client, callback string, pairs ...string) string {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {callback}, "state": {"st-1"}, "nonce": {"no-1"},
		"scope": {"openid"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return "/oauth2/authorize?" + q.Encode()
}

// signIn walks from an authorization request to the callback.
func (v *visitor) signIn(target string, who ssotest.Person) answer {
	v.t.Helper()
	page := v.open(target)
	if !strings.Contains(page.body, "local stand-in") {
		v.t.Fatalf("not a stand-in: %d %s %s", page.status, page.header.Get("Location"), page.body)
	}
	return v.submit(page, url.Values{"subject": {who.Subject}, "name": {who.Name}, "email": {who.Email}})
}

// kakao signs hong in. Of two first sign-ins of one person at the same time one fails, as at AWS: tests that share a pool
// have had theirs before they go parallel.
func (v *visitor) kakao(client, callback string, pairs ...string) answer {
	v.t.Helper()
	back := v.signIn(authorizeURL(client, callback, append(pairs, "identity_provider", "Kakao")...), hong)
	if to := back.header.Get("Location"); !strings.Contains(to, "code=") && !strings.Contains(to, "access_token=") {
		v.t.Fatalf("signing in: %d %s %s", back.status, to, back.body)
	}
	return back
}

func form(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	return q.Encode()
}

// redeem exchanges a code of the client "web", or as pairs say.
func (v *visitor) redeem(code string, pairs ...string) answer {
	v.t.Helper()
	q := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"web"}, "redirect_uri": {webCallback}, "code": {code},
		"code_verifier": {verifier},
	}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return v.do(http.MethodPost, "/oauth2/token", q.Encode(), nil)
}

func payload(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestFederatedSignIn(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	v := newVisitor(t, p)

	first := v.do(http.MethodGet, authorizeURL("web", webCallback), "", nil)
	if to := first.header.Get("Location"); first.status != http.StatusFound || !strings.HasPrefix(to, "/login?") || !strings.Contains(to, "state=st-1") {
		t.Fatalf("without a provider: %d %s", first.status, to)
	}
	login := v.follow(first)
	link := regexp.MustCompile(`href="([^"]*identity_provider=Kakao[^"]*)"`).FindStringSubmatch(login.body)
	if link == nil {
		t.Fatalf("no Kakao button: %s", login.body)
	}
	back := v.signIn(html.UnescapeString(link[1]), hong)
	if to := back.header.Get("Location"); back.status != http.StatusFound || !regexp.MustCompile(`^http://localhost:8080/cb\?code=[0-9a-f-]{36}&state=st-1$`).MatchString(to) {
		t.Fatalf("callback: %d %s %s", back.status, to, back.body)
	}

	got := v.redeem(back.query(t).Get("code"))
	if got.status != http.StatusOK {
		t.Fatalf("token: %d %s", got.status, got.body)
	}
	var answer map[string]any
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"access_token", "id_token", "refresh_token"} {
		if s, _ := answer[name].(string); s == "" {
			t.Errorf("no %s", name)
		}
	}
	if answer["token_type"] != "Bearer" || answer["expires_in"] != 3600.0 || len(answer) != 5 {
		t.Errorf("answer: %s", got.body)
	}
	if got.header.Get("X-Amz-Cognito-Request-Id") == "" || got.header.Get("Access-Control-Allow-Origin") != "*" ||
		!strings.Contains(got.header.Get("Cache-Control"), "no-store") || got.header.Get("Content-Type") != "application/json;charset=UTF-8" {
		t.Errorf("headers: %v", got.header)
	}
	id := payload(t, got.field("id_token"))
	if id["nonce"] != "no-1" || id["aud"] != "web" || id["cognito:username"] != "Kakao_3141592653" || id["email"] != hong.Email || id["name"] != hong.Name {
		t.Errorf("id token: %v", id)
	}
	if access := payload(t, got.field("access_token")); access["scope"] != "openid" || access["client_id"] != "web" {
		t.Errorf("access token: %v", access)
	}

	info := v.do(http.MethodGet, "/oauth2/userInfo", "", http.Header{"Authorization": {"Bearer " + got.field("access_token")}})
	if info.status != http.StatusOK || info.field("sub") != id["sub"] || info.field("username") != "Kakao_3141592653" || info.field("email_verified") != "false" {
		t.Errorf("userInfo: %d %s", info.status, info.body)
	}
	if again := v.do(http.MethodPost, "/oauth2/userInfo", "", http.Header{"Authorization": {"bearer " + got.field("access_token")}}); again.status != http.StatusOK {
		t.Errorf("userInfo by POST: %d %s", again.status, again.body)
	}

	fresh := v.do(http.MethodPost, "/oauth2/token", form("grant_type", "refresh_token", "client_id", "web", "refresh_token", got.field("refresh_token")), nil)
	if fresh.status != http.StatusOK || fresh.field("access_token") == "" || fresh.field("id_token") == "" || fresh.field("refresh_token") != "" {
		t.Errorf("refresh: %d %s", fresh.status, fresh.body)
	}
	gone := v.do(http.MethodPost, "/oauth2/revoke", form("client_id", "web", "token", got.field("refresh_token")), nil)
	if gone.status != http.StatusOK || gone.body != "" {
		t.Errorf("revoke: %d %q", gone.status, gone.body)
	}
	dead := v.do(http.MethodPost, "/oauth2/token", form("grant_type", "refresh_token", "client_id", "web", "refresh_token", got.field("refresh_token")), nil)
	if dead.status != http.StatusBadRequest || dead.field("error") != "invalid_grant" {
		t.Errorf("refresh after revoke: %d %s", dead.status, dead.body)
	}
	info = v.do(http.MethodGet, "/oauth2/userInfo", "", http.Header{"Authorization": {"Bearer " + got.field("access_token")}})
	if info.status != http.StatusUnauthorized || !strings.HasPrefix(info.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("userInfo after revoke: %d %v", info.status, info.header)
	}
}

func TestTriggerFailureReachesTheCallback(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t, func(c *ssotest.Config) {
		c.Triggers.PreSignUp = ssotest.TriggerFunc(func(_ context.Context, e json.RawMessage) (json.RawMessage, error) { return e, nil })
	}))
	v.pool.SetFaults(func(f *ssotest.Faults) {
		f.TriggerError = map[string]string{"PreSignUp_ExternalProvider": "User already exists."}
	})
	back := v.signIn(authorizeURL("web", webCallback, "identity_provider", "Kakao"), hong)
	want := webCallback + "?error_description=PreSignUp+failed+with+error+User+already+exists..+&state=st-1&error=invalid_request"
	if got := back.header.Get("Location"); got != want {
		t.Errorf("callback:\n got %s\nwant %s", got, want)
	}
}

func TestImplicit(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	back := v.kakao("implicit", webCallback, "response_type", "token", "code_challenge", "", "code_challenge_method", "")
	to, err := url.Parse(back.header.Get("Location"))
	if err != nil || to.RawQuery != "" {
		t.Fatalf("callback: %v %s", err, to)
	}
	q, err := url.ParseQuery(to.Fragment)
	if err != nil || q.Get("token_type") != "bearer" || q.Get("state") != "st-1" || q.Get("expires_in") != "3600" || q.Has("refresh_token") || q.Has("code") {
		t.Errorf("fragment: %v %v", err, q)
	}
	if payload(t, q.Get("id_token"))["aud"] != "implicit" || payload(t, q.Get("access_token"))["client_id"] != "implicit" {
		t.Errorf("tokens: %v", q)
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	v := newVisitor(t, p)
	got := v.do(http.MethodGet, "/"+p.ID()+"/.well-known/openid-configuration", "", nil)
	var doc map[string]any
	if err := json.Unmarshal([]byte(got.body), &doc); err != nil || got.status != http.StatusOK {
		t.Fatalf("%d %v", got.status, err)
	}
	for name, want := range map[string]string{
		"issuer": p.Issuer(), "jwks_uri": p.JWKSURL(), "authorization_endpoint": p.URL() + "/oauth2/authorize",
		"token_endpoint": p.URL() + "/oauth2/token", "userinfo_endpoint": p.URL() + "/oauth2/userInfo",
		"end_session_endpoint": p.URL() + "/logout",
	} {
		if doc[name] != want {
			t.Errorf("%s is %v, want %s", name, doc[name], want)
		}
	}
	for _, name := range []string{"code_challenge_methods_supported", "grant_types_supported", "authorization_response_iss_parameter_supported", "revocation_endpoint"} {
		if _, ok := doc[name]; ok {
			t.Errorf("%s is there", name)
		}
	}
	if other := v.do(http.MethodGet, "/ap-northeast-2_Other/.well-known/openid-configuration", "", nil); other.status != http.StatusNotFound {
		t.Errorf("another pool's: %d", other.status)
	}
	if keys := v.do(http.MethodGet, p.JWKSURL(), "", nil); keys.status != http.StatusOK || !strings.Contains(keys.body, `"kid"`) || p.JWKSFetches() != 1 {
		t.Errorf("keys: %d %s, %d fetches", keys.status, keys.body, p.JWKSFetches())
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/userInfo"} {
		got := v.do(http.MethodOptions, path, "", http.Header{"Origin": {"http://localhost:3000"}, "Access-Control-Request-Headers": {"authorization"}})
		if got.status != http.StatusNoContent || got.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(got.header.Get("Access-Control-Allow-Headers"), "Authorization") {
			t.Errorf("%s: %d %v", path, got.status, got.header)
		}
	}
}
