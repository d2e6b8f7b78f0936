package ssotest_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// refused is a request and what it is answered.
type refused struct {
	name   string
	method string // GET if empty
	target string
	body   string
	header http.Header

	status   int
	location string // whole
	code     string // "error" of the callback's query, or of the JSON
	text     string // in the page
}

func basic(id, secret string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}}
}

func toError(problem, client string) string {
	return "/error?error=" + url.QueryEscape(problem) + "&client_id=" + url.QueryEscape(client)
}

func callback(code string) string { return webCallback + "?state=st-1&error=" + code }

// authorizeRefusals are of /oauth2/authorize, and most of /login too.
func authorizeRefusals() []refused {
	const missing, unknown, mismatch = "Required parameters missing", "Client does not exist", "redirect_mismatch"
	web := func(pairs ...string) string { return authorizeURL("web", webCallback, pairs...) }
	return []refused{
		{name: "nothing", target: "/oauth2/authorize", status: 302, location: toError(missing, "")},
		{name: "no client_id", target: web("client_id", ""), status: 302, location: toError(missing, "")},
		{name: "no redirect_uri", target: web("redirect_uri", ""), status: 302, location: toError(missing, "web")},
		{name: "unknown client", target: web("client_id", "nobody"), status: 302, location: toError(unknown, "nobody")},
		{name: "client_id that is HTML", target: web("client_id", `"><script>`), status: 302, location: toError(unknown, `"><script>`)},
		{name: "callback elsewhere", target: web("redirect_uri", "https://evil.example/cb"), status: 302, location: toError(mismatch, "web")},
		{name: "callback with a slash more", target: web("redirect_uri", webCallback+"/"), status: 302, location: toError(mismatch, "web")},
		{name: "callback with a query more", target: web("redirect_uri", webCallback+"?a=b"), status: 302, location: toError(mismatch, "web")},
		{name: "callback with a fragment", target: web("redirect_uri", webCallback+"#x"), status: 302, location: toError(mismatch, "web")},
		{name: "callback of another host with the same prefix", target: web("redirect_uri", "http://localhost:8080.evil.example/cb"), status: 302, location: toError(mismatch, "web")},
		{name: "callback with credentials", target: web("redirect_uri", "http://localhost:8080@evil.example/cb"), status: 302, location: toError(mismatch, "web")},
		{name: "callback in capitals", target: web("redirect_uri", "http://LOCALHOST:8080/cb"), status: 302, location: toError(mismatch, "web")},
		{name: "callback with dots", target: web("redirect_uri", "http://localhost:8080/x/../cb"), status: 302, location: toError(mismatch, "web")},
		{name: "callback with other address of this machine", target: web("redirect_uri", "http://127.0.0.1:8080/cb"), status: 302, location: toError(mismatch, "web")},
		{name: "callback of another client", target: web("redirect_uri", secondCallback), status: 302, location: toError(mismatch, "web")},
		{name: "callback that is a logout URL", target: web("redirect_uri", webLogout), status: 302, location: toError(mismatch, "web")},
		{name: "two callbacks, the good one first", target: web() + "&redirect_uri=https://evil.example/", status: 302, location: toError(missing, "web")},
		{name: "two clients", target: web() + "&client_id=second", status: 302, location: toError(missing, "web")},
		{name: "two states", target: web() + "&state=other", status: 302, location: webCallback + "?error_description=Duplicate+parameter+state&error=invalid_request"},
		{name: "two scopes", target: web() + "&scope=email", status: 302, code: "invalid_request"},
		{name: "percent that escapes nothing", target: web() + "&x=%Xk", status: 400},
		{name: "semicolon", target: web() + "&x=1;y=2", status: 400},

		{name: "no response_type", target: web("response_type", ""), status: 302, code: "invalid_request"},
		{name: "response_type=id_token", target: web("response_type", "id_token"), status: 302, code: "invalid_request"},
		{name: "response_type=code token", target: web("response_type", "code token"), status: 302, code: "invalid_request"},
		{name: "response_type=CODE", target: web("response_type", "CODE"), status: 302, code: "invalid_request"},
		{name: "implicit of a client without it", target: web("response_type", "token"), status: 302, location: callback("unauthorized_client")},
		{name: "code of a client without it", target: authorizeURL("implicit", webCallback), status: 302, location: callback("unauthorized_client")},

		{name: "challenge without a method", target: web("code_challenge_method", ""), status: 302, code: "invalid_request"},
		{name: "method without a challenge", target: web("code_challenge", ""), status: 302, code: "invalid_request"},
		{name: "method plain", target: web("code_challenge_method", "plain"), status: 302, code: "invalid_request"},
		{name: "method s256", target: web("code_challenge_method", "s256"), status: 302, code: "invalid_request"},
		{name: "short challenge", target: web("code_challenge", "abc"), status: 302, code: "invalid_request"},
		{name: "padded challenge", target: web("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM="), status: 302, code: "invalid_request"},

		{name: "scope of no pool", target: web("scope", "openid nonsense"), status: 302, location: callback("invalid_scope")},
		{name: "scope of no resource server", target: web("scope", "openid api/delete"), status: 302, location: callback("invalid_scope")},
		{name: "scopes with two spaces", target: web("scope", "openid  email"), status: 302, location: callback("invalid_scope")},
		{name: "scopes with a quote", target: web("scope", `openid "`), status: 302, location: callback("invalid_scope")},
		{name: "scopes with commas", target: web("scope", "openid,email"), status: 302, location: callback("invalid_scope")},
		{name: "email without openid", target: web("scope", "email"), status: 302, location: callback("invalid_scope")},
		{name: "none of the client's", target: web("scope", "api/write"), status: 302, location: callback("invalid_scope")},

		{name: "provider of no pool", target: web("identity_provider", "Naver"), status: 302, code: "invalid_request"},
		{name: "provider in small letters", target: web("identity_provider", "kakao"), status: 302, code: "invalid_request"},
		{name: "provider of another client", target: authorizeURL("googleonly", webCallback, "identity_provider", "Kakao"), status: 302, code: "invalid_request"},
		{name: "password of a client without it", target: authorizeURL("googleonly", webCallback, "identity_provider", "COGNITO"), status: 302, code: "invalid_request"},
		{name: "idp_identifier", target: web("idp_identifier", "ssu.ac.kr"), status: 302, code: "invalid_request"},
		{name: "prompt=none with another", target: web("prompt", "none login"), status: 302, code: "invalid_request"},
		{name: "unknown prompt", target: web("prompt", "create"), status: 302, code: "invalid_request"},
		{name: "prompt=none without a session", target: web("prompt", "none"), status: 302, location: webCallback + "?error_description=User+is+not+logged+in&state=st-1&error=login_required"},
		{name: "prompt=none with a provider", target: web("prompt", "none", "identity_provider", "Kakao"), status: 302, code: "login_required"},
		{name: "resource on http elsewhere", target: web("resource", "http://api.example/"), status: 302, code: "invalid_request"},
		{name: "resource with a fragment", target: web("resource", "https://api.example/#x"), status: 302, code: "invalid_request"},
		{name: "resource without a scheme", target: web("resource", "api.example"), status: 302, code: "invalid_request"},
		{name: "error at a callback with a query", target: authorizeURL("web", "http://localhost:8080/cb?tenant=1", "scope", "nonsense"), status: 302, location: "http://localhost:8080/cb?tenant=1&state=st-1&error=invalid_scope"},
		{name: "error at an app's own scheme", target: authorizeURL("web", "myapp://cb", "scope", "nonsense"), status: 302, location: "myapp://cb?state=st-1&error=invalid_scope"},
		{name: "error without a state", target: web("scope", "nonsense", "state", ""), status: 302, location: webCallback + "?error=invalid_scope"},
		{name: "state with signs", target: web("scope", "nonsense", "state", "a&error=none#\r\nX: y"), status: 302, location: webCallback + "?state=a%26error%3Dnone%23%0D%0AX%3A+y&error=invalid_scope"},
		{name: "POST", method: http.MethodPost, target: web(), body: "a=b", status: 405},
		{name: "HEAD", method: http.MethodHead, target: web(), status: 405},
	}
}

func loginRefusals() []refused {
	good := strings.TrimPrefix(authorizeURL("web", webCallback), "/oauth2/authorize")
	return []refused{
		{name: "login: nothing", target: "/login", status: 302, location: toError("Required parameters missing", "")},
		{name: "login: callback elsewhere", target: "/login?" + form("client_id", "web", "response_type", "code", "redirect_uri", "https://evil.example/"), status: 302, location: toError("redirect_mismatch", "web")},
		{name: "login: POST without a page", method: http.MethodPost, target: "/login" + good, body: form("username", "native", "password", "Passw0rd!"), status: 400, text: "Something went wrong"},
		{name: "login: POST with a page of nobody", method: http.MethodPost, target: "/login" + good, body: form("username", "native", "password", "Passw0rd!", "page", "x"), status: 400, text: "Something went wrong"},
		{name: "login: POST of JSON", method: http.MethodPost, target: "/login" + good, body: "{}", header: http.Header{"Content-Type": {"application/json"}}, status: 400, text: "Something went wrong"},
		{name: "login: PUT", method: http.MethodPut, target: "/login" + good, body: "a=b", status: 405},
		{name: "stand-in of no provider", target: "/_idp/Naver/authorize?state=x", status: 404},
		{name: "stand-in of a password", target: "/_idp/COGNITO/authorize?state=x", status: 404},
		{name: "stand-in without a state", target: "/_idp/Kakao/authorize", status: 400, text: "Something went wrong"},
		{name: "stand-in with a state of nobody", method: http.MethodPost, target: "/_idp/Kakao/authorize", body: form("state", "x", "person", "0"), status: 400, text: "Something went wrong"},
		{name: "idpresponse: nothing", target: "/oauth2/idpresponse", status: 400, text: "Something went wrong"},
		{name: "idpresponse: state of nobody", target: "/oauth2/idpresponse?code=x&state=y", status: 400, text: "Something went wrong"},
		{name: "idpresponse: POST", method: http.MethodPost, target: "/oauth2/idpresponse", body: "a=b", status: 405},
		{name: "error page", target: "/error?error=redirect_mismatch&client_id=web", status: 400, text: "redirect_mismatch"},
		{name: "logout: nothing", target: "/logout", status: 302, location: toError("Required parameters missing", "")},
		{name: "logout: unknown client", target: "/logout?" + form("client_id", "nobody", "logout_uri", webLogout), status: 302, location: toError("Client does not exist", "nobody")},
		{name: "logout: elsewhere", target: "/logout?" + form("client_id", "web", "logout_uri", "https://evil.example/"), status: 302, location: toError("redirect_mismatch", "web")},
		{name: "logout: to a callback", target: "/logout?" + form("client_id", "web", "logout_uri", webCallback), status: 302, location: toError("redirect_mismatch", "web")},
		{name: "logout: two logout_uri", target: "/logout?" + form("client_id", "web", "logout_uri", webLogout, "logout_uri", "https://evil.example/"), status: 302, location: toError("Required parameters missing", "web")},
		{name: "logout: client_id only", target: "/logout?client_id=web", status: 400, text: "Required String parameter &#39;redirect_uri&#39; is not present"},
		{name: "logout: redirect_uri elsewhere", target: "/logout?" + form("client_id", "web", "response_type", "code", "redirect_uri", "https://evil.example/"), status: 302, location: toError("redirect_mismatch", "web")},
		{name: "logout: redirect_uri without response_type", target: "/logout?" + form("client_id", "web", "redirect_uri", webCallback), status: 302, location: webCallback + "?error_description=Missing+response_type&error=invalid_request"},
		{name: "logout: POST", method: http.MethodPost, target: "/logout?client_id=web", body: "a=b", status: 405},
		{name: "no such page", target: "/signup", status: 404},
		{name: "keys of another pool", target: "/ap-northeast-2_Other/.well-known/jwks.json", status: 404},
	}
}

func tokenRefusals() []refused {
	post := func(name, body string, header http.Header, status int, code string) refused {
		return refused{name: "token: " + name, method: http.MethodPost, target: "/oauth2/token", body: body, header: header, status: status, code: code}
	}
	const codeGrant, refreshGrant, machineGrant = "authorization_code", "refresh_token", "client_credentials"
	exchange := form("grant_type", codeGrant, "client_id", "web", "code", "c", "redirect_uri", webCallback)
	return []refused{
		{name: "token: GET", target: "/oauth2/token?" + exchange, status: 405},
		post("parameters in the query only", "x=y", nil, 400, "invalid_request"),
		post("JSON", `{"grant_type":"refresh_token"}`, http.Header{"Content-Type": {"application/json"}}, 400, "invalid_request"),
		post("no content type", exchange, http.Header{"Content-Type": nil}, 400, "invalid_request"),
		post("multipart", exchange, http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, 400, "invalid_request"),
		post("percent that escapes nothing", exchange+"&x=%Xk", nil, 400, "invalid_request"),
		post("too long", exchange+"&x="+strings.Repeat("x", 70<<10), nil, 400, "invalid_request"),
		post("two codes", exchange+"&code=d", nil, 400, "invalid_request"),
		post("no client", form("grant_type", codeGrant, "code", "c", "redirect_uri", webCallback), nil, 400, "invalid_request"),
		post("unknown client", form("grant_type", codeGrant, "client_id", "nobody", "code", "c", "redirect_uri", webCallback), nil, 400, "invalid_client"),
		post("no grant_type", form("client_id", "web"), nil, 400, "invalid_request"),
		post("grant_type=password", form("client_id", "web", "grant_type", "password", "username", "native", "password", "Passw0rd!"), nil, 400, "unsupported_grant_type"),
		post("secret of a public client", exchange+"&client_secret=x", nil, 400, "invalid_client"),
		post("no secret", form("grant_type", codeGrant, "client_id", "basic", "code", "c", "redirect_uri", webCallback), nil, 400, "invalid_client"),
		post("wrong secret", form("grant_type", codeGrant, "code", "c", "redirect_uri", webCallback), basic("basic", basicSecret+"x"), 400, "invalid_client"),
		post("empty secret", form("grant_type", codeGrant, "code", "c", "redirect_uri", webCallback), basic("basic", ""), 400, "invalid_client"),
		post("Basic of nobody", form("grant_type", codeGrant, "code", "c", "redirect_uri", webCallback), basic("nobody", "x"), 400, "invalid_client"),
		post("Basic and another client_id", form("grant_type", codeGrant, "client_id", "web", "code", "c", "redirect_uri", webCallback), basic("basic", basicSecret), 400, "invalid_client"),
		post("Basic and a secret in the body", form("grant_type", codeGrant, "client_id", "basic", "client_secret", basicSecret, "code", "c", "redirect_uri", webCallback), basic("basic", basicSecret), 400, "invalid_request"),
		post("Bearer instead of Basic", exchange, http.Header{"Authorization": {"Bearer x"}}, 400, "invalid_client"),
		post("unknown code", exchange, nil, 400, "invalid_grant"),
		post("code of a machine", form("grant_type", codeGrant, "code", "c", "redirect_uri", webCallback), basic("machine", basicSecret), 400, "unauthorized_client"),
		post("no refresh token", form("grant_type", refreshGrant, "client_id", "web"), nil, 400, "invalid_request"),
		post("unknown refresh token", form("grant_type", refreshGrant, "client_id", "web", "refresh_token", "x"), nil, 400, "invalid_grant"),
		post("credentials of a client with users", form("grant_type", machineGrant), basic("basic", basicSecret), 400, "unauthorized_client"),
		post("credentials of a public client", form("grant_type", machineGrant, "client_id", "web"), nil, 400, "unauthorized_client"),
		post("credentials with no scope that is allowed", form("grant_type", machineGrant, "scope", "api/write"), basic("machine", basicSecret), 400, "invalid_scope"),
	}
}

func otherRefusals(v *visitor) []refused {
	t := v.t
	t.Helper()
	got := v.redeem(v.kakao("web", webCallback).query(t).Get("code"))
	api := v.pool.AccessToken(ssotest.Claims{ClientID: "web", Username: "native", Scopes: []string{"aws.cognito.signin.user.admin"}})
	bearer := func(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
	revoke := func(name, body string, header http.Header, status int, code string) refused {
		return refused{name: "revoke: " + name, method: http.MethodPost, target: "/oauth2/revoke", body: body, header: header, status: status, code: code}
	}
	return []refused{
		{name: "userInfo: no token", target: "/oauth2/userInfo", status: 400, code: "invalid_request"},
		{name: "userInfo: token in the query", target: "/oauth2/userInfo?access_token=" + got.field("access_token"), status: 400, code: "invalid_request"},
		{name: "userInfo: Basic", target: "/oauth2/userInfo", header: basic("web", ""), status: 400, code: "invalid_request"},
		{name: "userInfo: Bearer of nothing", target: "/oauth2/userInfo", header: bearer(""), status: 400, code: "invalid_request"},
		{name: "userInfo: garbage", target: "/oauth2/userInfo", header: bearer("garbage"), status: 401, code: "invalid_token"},
		{name: "userInfo: ID token", target: "/oauth2/userInfo", header: bearer(got.field("id_token")), status: 401, code: "invalid_token"},
		{name: "userInfo: token of the API", target: "/oauth2/userInfo", header: bearer(api), status: 401, code: "invalid_token"},
		{name: "userInfo: machine", target: "/oauth2/userInfo", header: bearer(v.pool.AccessToken(ssotest.Claims{ClientID: "machine", Machine: true})), status: 401, code: "invalid_token"},
		{name: "userInfo: DELETE", method: http.MethodDelete, target: "/oauth2/userInfo", header: bearer(got.field("access_token")), status: 405},

		{name: "revoke: GET", target: "/oauth2/revoke", status: 405},
		revoke("no token", form("client_id", "web"), nil, 400, "invalid_request"),
		revoke("no client", form("token", "x"), nil, 400, "invalid_request"),
		revoke("JSON", `{"token":"x"}`, http.Header{"Content-Type": {"application/json"}}, 400, "invalid_request"),
		revoke("unknown client", form("client_id", "nobody", "token", "x"), nil, 401, "invalid_client"),
		revoke("wrong secret", form("token", "x"), basic("basic", "x"), 401, "invalid_client"),
		revoke("no secret", form("client_id", "basic", "token", "x"), nil, 401, "invalid_client"),
		revoke("access token", form("client_id", "web", "token", got.field("access_token")), nil, 400, "unsupported_token_type"),
		revoke("ID token", form("client_id", "web", "token", got.field("id_token")), nil, 400, "unsupported_token_type"),
		revoke("switched off", form("client_id", "norevoke", "token", "x"), nil, 400, "invalid_request"),
		revoke("another client's token", form("client_id", "second", "token", got.field("refresh_token")), nil, 400, "invalid_request"),
		revoke("garbage is a success", form("client_id", "web", "token", "garbage"), nil, 200, ""),
		revoke("own token is a success", form("client_id", "web", "token", got.field("refresh_token")), nil, 200, ""),
		revoke("twice is a success", form("client_id", "web", "token", got.field("refresh_token")), nil, 200, ""),
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	var rows []refused
	rows = append(rows, authorizeRefusals()...)
	rows = append(rows, loginRefusals()...)
	rows = append(rows, tokenRefusals()...)
	rows = append(rows, otherRefusals(newVisitor(t, p))...)
	for _, row := range rows { // in order: the last ones build on each other
		t.Run(row.name, func(t *testing.T) {
			method := row.method
			if method == "" {
				method = http.MethodGet
			}
			got := newVisitor(t, p).do(method, row.target, row.body, row.header)
			if got.status != row.status {
				t.Fatalf("status %d, want %d; %s %s", got.status, row.status, got.header.Get("Location"), got.body)
			}
			if to := got.header.Get("Location"); row.location != "" && to != row.location {
				t.Errorf("Location:\n got %s\nwant %s", to, row.location)
			}
			if !strings.Contains(got.body, row.text) {
				t.Errorf("no %q in %s", row.text, got.body)
			}
			code := got.field("error")
			if got.status == http.StatusFound {
				code = got.query(t).Get("error")
			}
			if row.code != "" && code != row.code {
				t.Errorf("error %q, want %q", code, row.code)
			}
			if row.status == http.StatusFound && row.code != "" && got.query(t).Get("state") != "st-1" {
				if !strings.Contains(row.name, "state") {
					t.Errorf("no state: %s", got.header.Get("Location"))
				}
			}
			if len(got.header.Values("Set-Cookie")) > 0 && strings.Contains(strings.Join(got.header.Values("Set-Cookie"), ";"), "cognito=") {
				t.Errorf("a session was made: %v", got.header)
			}
		})
	}
}
