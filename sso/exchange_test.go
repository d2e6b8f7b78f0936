package sso_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

func TestExchange(t *testing.T) {
	t.Parallel()
	for _, public := range []bool{false, true} {
		s := newAuthServer(t)
		s.plain = public
		c := s.client(func(cfg *sso.ClientConfig) {
			if public {
				cfg.ClientSecret = ""
			}
		})
		flow, callback := s.start(c)
		set, err := c.Exchange(t.Context(), flow, callback)
		if err != nil {
			t.Fatalf("public=%t: %v", public, err)
		}
		if set.ID.Subject != testSubject || set.Access.Subject != testSubject || set.ID.UserID != "42" ||
			set.ID.Use != sso.UseID || set.Access.Use != sso.UseAccess || set.ID.ClientID != testClientID {
			t.Errorf("tokens = %+v / %+v", set.ID, set.Access)
		}
		if set.Refresh == "" || strings.Count(set.RawAccess.Reveal(), ".") != 2 || strings.Count(set.RawID.Reveal(), ".") != 2 {
			t.Error("a raw token is missing")
		}
		if n := s.tokenRequests(); n != 1 {
			t.Errorf("%d token requests, want 1", n)
		}
		form := s.lastRequest()
		if form.Get("code_verifier") != flow.CodeVerifier.Reveal() || form.Get("redirect_uri") != testRedirect {
			t.Errorf("form has %d members, verifier or redirect_uri wrong", len(form))
		}
		if form.Has("client_secret") == public {
			t.Errorf("public=%t, client_secret sent: %t", public, form.Has("client_secret"))
		}
		if strings.Contains(set.RawAccess.String()+set.Refresh.String(), ".") {
			t.Error("the token set shows a token")
		}
	}
}

// TestExchangeCallback is every way for a callback not to be ours. None may
// cause a token request, except those that only the server can know.
func TestExchangeCallback(t *testing.T) {
	t.Parallel()
	type change = func(v url.Values, flow *sso.Flow)
	set := func(name string, values ...string) change {
		return func(v url.Values, _ *sso.Flow) { v[name] = values }
	}
	drop := func(name string) change { return func(v url.Values, _ *sso.Flow) { v.Del(name) } }
	tests := []struct {
		name   string
		change change
		want   error // nil: accepted
	}{
		{"untouched", func(url.Values, *sso.Flow) {}, nil},
		{"unknown parameter beside", set("session_state", "x"), nil},
		{"issuer of the pool", func(v url.Values, _ *sso.Flow) {
			v.Set("iss", "https://cognito-idp.ap-northeast-2.amazonaws.com/"+testPoolID)
		}, nil},
		{"updated issuer of the pool", func(v url.Values, _ *sso.Flow) {
			v.Set("iss", "https://issuer-cognito-idp.ap-northeast-2.amazonaws.com/"+testPoolID)
		}, nil},
		{"flow one second short of its limit", func(_ url.Values, f *sso.Flow) { f.CreatedAt = f.CreatedAt.Add(-10*time.Minute + time.Second) }, nil},
		{"flow from a clock slightly ahead", func(_ url.Values, f *sso.Flow) { f.CreatedAt = f.CreatedAt.Add(30 * time.Second) }, nil},

		{"nothing at all", func(v url.Values, _ *sso.Flow) { clear(v) }, sso.ErrState},
		{"no state", drop("state"), sso.ErrState},
		{"empty state", set("state", ""), sso.ErrState},
		{"state of nobody", set("state", planted), sso.ErrState},
		{"state twice, same", func(v url.Values, _ *sso.Flow) { v.Add("state", v.Get("state")) }, sso.ErrState},
		{"state twice, right one first", func(v url.Values, _ *sso.Flow) { v.Add("state", planted) }, sso.ErrState},
		{"state twice, right one last", func(v url.Values, _ *sso.Flow) { v["state"] = []string{planted, v.Get("state")} }, sso.ErrState},
		{"state with another case", func(v url.Values, _ *sso.Flow) { v.Set("state", strings.ToUpper(v.Get("state"))) }, sso.ErrState},
		{"state cut short", func(v url.Values, _ *sso.Flow) { v.Set("state", v.Get("state")[:42]) }, sso.ErrState},
		{"state with more after it", func(v url.Values, _ *sso.Flow) { v.Set("state", v.Get("state")+"A") }, sso.ErrState},
		{"state with padding", func(v url.Values, _ *sso.Flow) { v.Set("state", v.Get("state")+"=") }, sso.ErrState},
		{"state with space", func(v url.Values, _ *sso.Flow) { v.Set("state", " "+v.Get("state")) }, sso.ErrState},
		{"state very long", set("state", strings.Repeat("a", 1<<20)), sso.ErrState},
		{"state under another name's case", func(v url.Values, _ *sso.Flow) { v["State"] = v["state"]; v.Del("state") }, sso.ErrState},
		{"nonce as state", func(v url.Values, f *sso.Flow) { v.Set("state", f.Nonce.Reveal()) }, sso.ErrState},
		{"state of another flow of the same browser", func(_ url.Values, f *sso.Flow) { f.State = "another" }, sso.ErrState},

		{"no code", drop("code"), sso.ErrState},
		{"empty code", set("code", ""), sso.ErrState},
		{"code twice", func(v url.Values, _ *sso.Flow) { v.Add("code", v.Get("code")) }, sso.ErrState},
		{"code and error", set("error", "access_denied"), sso.ErrState},
		{"code and empty error", set("error", ""), sso.ErrState},
		{"error twice", func(v url.Values, _ *sso.Flow) {
			v.Del("code")
			v["error"] = []string{"access_denied", "access_denied"}
		}, sso.ErrState},
		{"empty error", func(v url.Values, _ *sso.Flow) { v.Del("code"); v.Set("error", "") }, sso.ErrState},
		{"code too long", set("code", strings.Repeat("a", 2049)), sso.ErrState},
		{"code with newline", set("code", "a\r\nX: y"), sso.ErrState},
		{"code with NUL", set("code", "a\x00"), sso.ErrState},
		{"code with space", set("code", "a b"), sso.ErrState},
		{"code not ASCII", set("code", "é"), sso.ErrState},
		{"tokens in the query (implicit flow)", func(v url.Values, _ *sso.Flow) { v.Del("code"); v.Set("id_token", planted) }, sso.ErrState},

		{"wrong state beside an error", func(v url.Values, _ *sso.Flow) {
			v.Del("code")
			v.Set("error", "access_denied")
			v.Set("state", planted)
		}, sso.ErrState},
		{"no state beside an error", func(v url.Values, _ *sso.Flow) { v.Del("code"); v.Set("error", "access_denied"); v.Del("state") }, sso.ErrState},

		{"zero flow", func(_ url.Values, f *sso.Flow) { *f = sso.Flow{} }, sso.ErrState},
		{"zero flow and empty state", func(v url.Values, f *sso.Flow) { *f = sso.Flow{}; v.Set("state", "") }, sso.ErrState},
		{"flow with empty state", func(v url.Values, f *sso.Flow) { f.State = ""; v.Set("state", "") }, sso.ErrState},
		{"flow without nonce", func(_ url.Values, f *sso.Flow) { f.Nonce = "" }, sso.ErrState},
		{"flow without verifier", func(_ url.Values, f *sso.Flow) { f.CodeVerifier = "" }, sso.ErrState},
		{"flow without time", func(_ url.Values, f *sso.Flow) { f.CreatedAt = time.Time{} }, sso.ErrState},
		{"flow too old", func(_ url.Values, f *sso.Flow) { f.CreatedAt = f.CreatedAt.Add(-10*time.Minute - time.Second) }, sso.ErrState},
		{"flow of long ago", func(_ url.Values, f *sso.Flow) { f.CreatedAt = time.Unix(0, 0) }, sso.ErrState},
		{"flow from the future", func(_ url.Values, f *sso.Flow) { f.CreatedAt = f.CreatedAt.Add(2 * time.Minute) }, sso.ErrState},
		{"flow too old, and an error", func(v url.Values, f *sso.Flow) {
			v.Del("code")
			v.Set("error", "access_denied")
			f.CreatedAt = f.CreatedAt.Add(-time.Hour)
		}, sso.ErrState},

		{"issuer of another pool", set("iss", "https://cognito-idp.ap-northeast-2.amazonaws.com/ap-northeast-2_Attacker1"), sso.ErrIssuer},
		{"issuer with slash", func(v url.Values, _ *sso.Flow) {
			v.Set("iss", "https://cognito-idp.ap-northeast-2.amazonaws.com/"+testPoolID+"/")
		}, sso.ErrIssuer},
		{"empty issuer", set("iss", ""), sso.ErrIssuer},
		{"issuer twice", func(v url.Values, _ *sso.Flow) {
			iss := "https://cognito-idp.ap-northeast-2.amazonaws.com/" + testPoolID
			v["iss"] = []string{iss, iss}
		}, sso.ErrIssuer},
		{"wrong issuer beside an error", func(v url.Values, _ *sso.Flow) { v.Del("code"); v.Set("error", "access_denied"); v.Set("iss", planted) }, sso.ErrIssuer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newAuthServer(t)
			c := s.client()
			flow, callback := s.start(c)
			tt.change(callback, &flow)
			set, err := c.Exchange(t.Context(), flow, callback)
			if tt.want == nil {
				if err != nil || set == nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if set != nil || !errors.Is(err, tt.want) {
				t.Errorf("Exchange = %v, %v; want %v", set, err, tt.want)
			}
			if n := s.tokenRequests(); n != 0 {
				t.Errorf("%d token requests for a refused callback", n)
			}
			s.checkClean(err)
		})
	}
}

func TestExchangeCallbackError(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("d", 5000)
	tests := []struct {
		name, code, description string
		want, wantDescription   string
	}{
		{"cancelled", "access_denied", "", "access_denied", ""},
		{"silent sign-on needs a login", "login_required", "", "login_required", ""},
		{"trigger refused", "invalid_request", "PreSignUp failed with error " + planted + ". ", "invalid_request", "PreSignUp failed with error " + planted + ". "},
		{"Cognito is down", "server_error", "", "server_error", ""},
		{"unknown code", planted, planted, "other", planted},
		{"code in another case", "Access_Denied", "", "other", ""},
		{"code with markup", "<script>", "", "other", ""},
		{"huge code", strings.Repeat("e", 1<<20), "", "other", ""},
		{"huge description", "access_denied", long, "access_denied", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newAuthServer(t)
			c := s.client()
			flow, callback := s.start(c)
			callback.Del("code")
			callback.Set("error", tt.code)
			if tt.description != "" {
				callback.Set("error_description", tt.description)
			}
			set, err := c.Exchange(t.Context(), flow, callback)
			if set != nil {
				t.Error("tokens beside an error")
			}
			wantAuthError(t, err, tt.want, 0)
			var authErr *sso.AuthError
			errors.As(err, &authErr)
			if authErr.Description() != tt.wantDescription {
				t.Errorf("Description = %.60q", authErr.Description())
			}
			if s.tokenRequests() != 0 {
				t.Error("a token request after an error callback")
			}
			s.checkClean(err)
		})
	}
}

// TestExchangeFlowWithoutTime: a clock that has lost its time, and says the
// zero one, does not make a flow without a time young.
func TestExchangeFlowWithoutTime(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	c := s.client(func(cfg *sso.ClientConfig) { cfg.Now = func() time.Time { return time.Time{} } })
	flow, callback := s.start(c)
	flow.CreatedAt = time.Time{}
	if _, err := c.Exchange(t.Context(), flow, callback); !errors.Is(err, sso.ErrState) {
		t.Errorf("error = %v, want ErrState", err)
	}
}

func TestExchangeReplayed(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	c := s.client()
	flow, callback := s.start(c)
	if _, err := c.Exchange(t.Context(), flow, callback); err != nil {
		t.Fatal(err)
	}
	_, err := c.Exchange(t.Context(), flow, callback)
	wantAuthError(t, err, "invalid_grant", 400)
	s.checkClean(err)
}

// TestExchangeForeignCode is code injection: the attacker's code under the
// victim's flow, which PKCE refuses, and the nonce if PKCE did not.
func TestExchangeForeignCode(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	c := s.client()
	_, attacker := s.start(c)
	flow, callback := s.start(c)
	callback.Set("code", attacker.Get("code"))
	_, err := c.Exchange(t.Context(), flow, callback)
	wantAuthError(t, err, "invalid_grant", 400)

	// A server that forgets PKCE: the tokens are of the attacker's flow.
	attackerFlow, attacker := s.start(c)
	flow, callback = s.start(c)
	callback.Set("code", attacker.Get("code"))
	flow.CodeVerifier = attackerFlow.CodeVerifier
	if _, err = c.Exchange(t.Context(), flow, callback); !errors.Is(err, sso.ErrNonce) {
		t.Errorf("error = %v, want ErrNonce", err)
	}
	s.checkClean(err)
}

// answerRow is a way for a token endpoint's answer to be wrong.
type answerRow struct {
	name     string
	prepare  func(s *authServer)
	want     error
	authCode string // instead of want: an *AuthError
	status   int
}

// answerRaw answers with the given status, content type and body, whatever was
// asked.
func answerRaw(status int, contentType, body string) func(*authServer) {
	return func(s *authServer) {
		s.override = func(w http.ResponseWriter, _ map[string]any) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
}

func withIDClaims(changes claimSet) func(*authServer) {
	return func(s *authServer) { s.idClaims = changes }
}

func withAccessClaims(changes claimSet) func(*authServer) {
	return func(s *authServer) { s.accessClaims = changes }
}

func withAnswer(change func(answer map[string]any)) func(*authServer) {
	return func(s *authServer) { s.answer = change }
}

const jsonAnswer = "application/json;charset=UTF-8"

// answerRows are refused by Exchange and Refresh alike.
var answerRows = []answerRow{
	// The tokens.
	{name: "subject of ID token differs", prepare: withIDClaims(claimSet{"sub": "another"}), want: sso.ErrTokenMismatch},
	{name: "subject of access token differs", prepare: withAccessClaims(claimSet{"sub": "another"}), want: sso.ErrTokenMismatch},
	{name: "access token of another client", prepare: withAccessClaims(claimSet{"client_id": otherClient}), want: sso.ErrTokenMismatch},
	{name: "access token of an unknown client", prepare: withAccessClaims(claimSet{"client_id": "nobody"}), want: sso.ErrTokenMismatch},
	{name: "ID token of another client", prepare: withIDClaims(claimSet{"aud": otherClient}), want: sso.ErrTokenMismatch},
	{name: "ID token of another client, as ErrClient", prepare: withIDClaims(claimSet{"aud": otherClient}), want: sso.ErrClient},
	{name: "ID token of an unknown client", prepare: withIDClaims(claimSet{"aud": "nobody"}), want: sso.ErrClient},
	{name: "both of another client", prepare: func(s *authServer) {
		s.idClaims, s.accessClaims = claimSet{"aud": otherClient}, claimSet{"client_id": otherClient}
	}, want: sso.ErrClient},
	{name: "issuers differ", prepare: func(s *authServer) { s.idClaims = claimSet{"iss": s.URL + "/other-issuer"} }, want: sso.ErrTokenMismatch},
	{name: "issuer of another pool", prepare: withIDClaims(claimSet{"iss": "https://cognito-idp.ap-northeast-2.amazonaws.com/ap-northeast-2_Attacker1"}), want: sso.ErrIssuer},
	{name: "at_hash of another access token", prepare: withIDClaims(claimSet{"at_hash": rawURL(make([]byte, 16))}), want: sso.ErrTokenMismatch},
	{name: "at_hash with padding", prepare: withIDClaims(claimSet{"at_hash": rawURL(make([]byte, 16)) + "=="}), want: sso.ErrTokenMismatch},
	{name: "access token swapped", prepare: withAnswer(func(a map[string]any) {
		a["access_token"] = signToken("access-key=", claimSet{
			"sub": testSubject, "client_id": testClientID, "token_use": "access", "username": "Kakao_1",
		})
	}), want: sso.ErrIssuer},
	{name: "access token as ID token", prepare: withAnswer(func(a map[string]any) { a["id_token"] = a["access_token"] }), want: sso.ErrTokenUse},
	{name: "ID token as access token", prepare: withAnswer(func(a map[string]any) { a["access_token"] = a["id_token"] }), want: sso.ErrTokenUse},
	{name: "ID token expired", prepare: withIDClaims(claimSet{"exp": 1000}), want: sso.ErrExpired},
	{name: "access token expired", prepare: withAccessClaims(claimSet{"exp": 1000}), want: sso.ErrExpired},
	{name: "ID token with a signature of zeros", prepare: withAnswer(func(a map[string]any) {
		parts := strings.Split(a["id_token"].(string), ".")
		a["id_token"] = parts[0] + "." + parts[1] + "." + rawURL(make([]byte, 256))
	}), want: sso.ErrSignature},
	{name: "ID token unsigned", prepare: withAnswer(func(a map[string]any) { a["id_token"] = rawURL([]byte(`{"alg":"none","kid":"x"}`)) + ".e30." }), want: sso.ErrMalformed},
	{name: "ID token signed by an unknown key", prepare: withAnswer(func(a map[string]any) {
		_, rest, _ := strings.Cut(a["id_token"].(string), ".")
		a["id_token"] = rawURL([]byte(`{"alg":"RS256","kid":"unknown"}`)) + "." + rest
	}), want: sso.ErrUnknownKey},
	{name: "ID token with the access token's signature", prepare: withAnswer(func(a map[string]any) {
		parts := strings.Split(a["id_token"].(string), ".")
		a["id_token"] = parts[0] + "." + parts[1] + "." + strings.Split(a["access_token"].(string), ".")[2]
	}), want: sso.ErrSignature},

	// What is around them.
	{name: "no ID token", prepare: withAnswer(func(a map[string]any) { delete(a, "id_token") }), want: sso.ErrUnavailable, status: 200},
	{name: "empty ID token", prepare: withAnswer(func(a map[string]any) { a["id_token"] = "" }), want: sso.ErrUnavailable, status: 200},
	{name: "ID token is a number", prepare: withAnswer(func(a map[string]any) { a["id_token"] = 7 }), want: sso.ErrUnavailable, status: 200},
	{name: "ID token is a list", prepare: withAnswer(func(a map[string]any) { a["id_token"] = []any{a["id_token"]} }), want: sso.ErrUnavailable, status: 200},
	{name: "no access token", prepare: withAnswer(func(a map[string]any) { delete(a, "access_token") }), want: sso.ErrUnavailable, status: 200},
	{name: "access token is a number", prepare: withAnswer(func(a map[string]any) { a["access_token"] = 7 }), want: sso.ErrUnavailable, status: 200},
	{name: "token_type MAC", prepare: withAnswer(func(a map[string]any) { a["token_type"] = "mac" }), want: sso.ErrUnavailable, status: 200},
	{name: "token_type DPoP", prepare: withAnswer(func(a map[string]any) { a["token_type"] = "DPoP" }), want: sso.ErrUnavailable, status: 200},
	{name: "token_type missing", prepare: withAnswer(func(a map[string]any) { delete(a, "token_type") }), want: sso.ErrUnavailable, status: 200},
	{name: "token_type Bearer and more", prepare: withAnswer(func(a map[string]any) { a["token_type"] = "Bearer " + planted }), want: sso.ErrUnavailable, status: 200},
	{name: "expires_in is text", prepare: withAnswer(func(a map[string]any) { a["expires_in"] = planted }), want: sso.ErrUnavailable, status: 200},

	// Answers that are none.
	{name: "HTML", prepare: answerRaw(200, "text/html", "<html>"+planted+"</html>"), want: sso.ErrUnavailable, status: 200},
	{name: "HTML that says JSON", prepare: answerRaw(200, jsonAnswer, "<html>"+planted+"</html>"), want: sso.ErrUnavailable, status: 200},
	{name: "a form, which x/oauth2 would read", prepare: answerRaw(200, "application/x-www-form-urlencoded", "access_token="+planted+"&token_type=Bearer"), want: sso.ErrUnavailable, status: 200},
	{name: "plain text, which x/oauth2 would read", prepare: answerRaw(200, "text/plain", "access_token="+planted+"&token_type=Bearer"), want: sso.ErrUnavailable, status: 200},
	{name: "no content type", prepare: answerRaw(200, "", `{"access_token":"`+planted+`"}`), want: sso.ErrUnavailable, status: 200},
	{name: "broken JSON", prepare: answerRaw(200, jsonAnswer, `{"access_token":"`+planted), want: sso.ErrUnavailable, status: 200},
	{name: "JSON list", prepare: answerRaw(200, jsonAnswer, `["`+planted+`"]`), want: sso.ErrUnavailable, status: 200},
	{name: "JSON null", prepare: answerRaw(200, jsonAnswer, `null`), want: sso.ErrUnavailable, status: 200},
	{name: "two JSON objects", prepare: answerRaw(200, jsonAnswer, `{"access_token":"`+planted+`"}{}`), want: sso.ErrUnavailable, status: 200},
	{name: "empty body", prepare: answerRaw(200, jsonAnswer, ``), want: sso.ErrUnavailable, status: 200},
	{name: "huge body", prepare: answerRaw(200, jsonAnswer, `{"access_token":"`+strings.Repeat(planted, 1<<16)+`"}`), want: sso.ErrUnavailable, status: 200},
	{name: "huge error body", prepare: answerRaw(400, jsonAnswer, `{"error":"invalid_grant","x":"`+strings.Repeat(planted, 1<<16)+`"}`), want: sso.ErrUnavailable, status: 400},
	{name: "201", prepare: answerRaw(201, jsonAnswer, `{"access_token":"`+planted+`"}`), want: sso.ErrUnavailable, status: 201},
	{name: "204", prepare: answerRaw(204, "", ""), want: sso.ErrUnavailable, status: 204},

	// Outages.
	{name: "500", prepare: answerRaw(500, "text/html", planted), want: sso.ErrUnavailable, status: 500},
	{name: "500 with an OAuth error", prepare: answerRaw(500, jsonAnswer, `{"error":"invalid_grant"}`), want: sso.ErrUnavailable, status: 500},
	{name: "502", prepare: answerRaw(502, "text/html", planted), want: sso.ErrUnavailable, status: 502},
	{name: "503", prepare: answerRaw(503, jsonAnswer, `{"message":"`+planted+`"}`), want: sso.ErrUnavailable, status: 503},
	{name: "504", prepare: answerRaw(504, "", ""), want: sso.ErrUnavailable, status: 504},
	{name: "429", prepare: answerRaw(429, jsonAnswer, `{"error":"invalid_grant"}`), want: sso.ErrUnavailable, status: 429},
	{name: "408", prepare: answerRaw(408, "", planted), want: sso.ErrUnavailable, status: 408},
	{name: "403 of a firewall", prepare: answerRaw(403, "text/html", planted), want: sso.ErrUnavailable, status: 403},
	{name: "403 of a firewall in JSON", prepare: answerRaw(403, jsonAnswer, `{"message":"`+planted+`"}`), want: sso.ErrUnavailable, status: 403},
	{name: "404", prepare: answerRaw(404, "text/html", planted), want: sso.ErrUnavailable, status: 404},
	{name: "400 without an OAuth error", prepare: answerRaw(400, "text/html", planted), want: sso.ErrUnavailable, status: 400},
	{name: "400 with an error that is no text", prepare: answerRaw(400, jsonAnswer, `{"error":{"code":"`+planted+`"}}`), want: sso.ErrUnavailable, status: 400},
	{name: "400 with an empty error", prepare: answerRaw(400, jsonAnswer, `{"error":""}`), want: sso.ErrUnavailable, status: 400},
	{name: "connection dropped", prepare: func(s *authServer) {
		s.override = func(http.ResponseWriter, map[string]any) { panic(http.ErrAbortHandler) }
	}, want: sso.ErrUnavailable},
	{name: "connection dropped in the body", prepare: func(s *authServer) {
		s.override = func(w http.ResponseWriter, _ map[string]any) {
			w.Header().Set("Content-Type", jsonAnswer)
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"access_token":"` + planted))
			panic(http.ErrAbortHandler)
		}
	}, want: sso.ErrUnavailable},
	{name: "not HTTP", prepare: func(s *authServer) {
		s.override = func(w http.ResponseWriter, _ map[string]any) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = conn.Write([]byte(planted + "\r\n\r\n"))
			_ = conn.Close()
		}
	}, want: sso.ErrUnavailable},
	{name: "broken header", prepare: func(s *authServer) {
		s.override = func(w http.ResponseWriter, _ map[string]any) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n" + planted + "\r\n\r\n"))
			_ = conn.Close()
		}
	}, want: sso.ErrUnavailable},

	// Decisions of Cognito's.
	{name: "invalid_grant", prepare: answerRaw(400, jsonAnswer, `{"error":"invalid_grant","error_description":"`+planted+`"}`), authCode: "invalid_grant", status: 400},
	{name: "invalid_client", prepare: answerRaw(401, jsonAnswer, `{"error":"invalid_client"}`), authCode: "invalid_client", status: 401},
	{name: "unauthorized_client", prepare: answerRaw(400, jsonAnswer, `{"error":"unauthorized_client"}`), authCode: "unauthorized_client", status: 400},
	{name: "unknown error", prepare: answerRaw(400, jsonAnswer, `{"error":"`+planted+`"}`), authCode: "other", status: 400},
	{name: "error under 200", prepare: answerRaw(200, jsonAnswer, `{"error":"invalid_grant","error_description":"`+planted+`"}`), authCode: "invalid_grant", status: 200},
	{name: "error without content type", prepare: answerRaw(400, "", `{"error":"invalid_grant"}`), authCode: "invalid_grant", status: 400},
}

// check calls and compares with the row.
func (tt answerRow) check(t *testing.T, s *authServer, call func() (*sso.TokenSet, error)) {
	t.Helper()
	before := s.tokenRequests()
	set, err := call()
	if set != nil || err == nil {
		t.Fatal("accepted")
	}
	if n := s.tokenRequests() - before; n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
	if errors.Is(err, sso.ErrMissing) {
		t.Error("ErrMissing says that nobody is signed in, which no answer can")
	}
	var authErr *sso.AuthError
	switch {
	case tt.authCode != "":
		wantAuthError(t, err, tt.authCode, tt.status)
	case !errors.Is(err, tt.want):
		t.Errorf("error = %v, want %v", err, tt.want)
	case errors.As(err, &authErr):
		t.Errorf("%v is an *AuthError", err)
	case tt.want == sso.ErrUnavailable: //nolint:errorlint // of the row
		var unavailable *sso.EndpointError
		if !errors.As(err, &unavailable) || unavailable.Status != tt.status || unavailable.Endpoint != "token endpoint" {
			t.Errorf("%v is no *EndpointError of %d: %+v", err, tt.status, unavailable)
		}
	}
	s.checkClean(err)
}

func TestExchangeAnswer(t *testing.T) {
	t.Parallel()
	rows := append([]answerRow{
		{name: "nonce missing", prepare: withIDClaims(claimSet{"nonce": nil}), want: sso.ErrNonce},
		{name: "nonce empty", prepare: withIDClaims(claimSet{"nonce": ""}), want: sso.ErrNonce},
		{name: "nonce of Cognito's own", prepare: withIDClaims(claimSet{"nonce": planted}), want: sso.ErrNonce},
		{name: "nonce is no text", prepare: withIDClaims(claimSet{"nonce": 7}), want: sso.ErrClaim},
	}, answerRows...)
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newAuthServer(t)
			c := s.client()
			flow, callback := s.start(c)
			tt.prepare(s)
			tt.check(t, s, func() (*sso.TokenSet, error) { return c.Exchange(t.Context(), flow, callback) })
		})
	}
}

func TestExchangeAnswerAccepted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(*authServer)
	}{
		{"no at_hash", withIDClaims(claimSet{"at_hash": nil})},
		{"token_type in lower case", withAnswer(func(a map[string]any) { a["token_type"] = "bearer" })},
		{"expires_in as text of a number", withAnswer(func(a map[string]any) { a["expires_in"] = "3600" })},
		{"no expires_in", withAnswer(func(a map[string]any) { delete(a, "expires_in") })},
		{"no refresh token", withAnswer(func(a map[string]any) { delete(a, "refresh_token") })},
		{"more members", withAnswer(func(a map[string]any) { a["new"] = []int{1} })},
		{"email_verified as text", withIDClaims(claimSet{"email_verified": "true"})},
		{"aud as a list of one", withIDClaims(claimSet{"aud": []string{testClientID}})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newAuthServer(t)
			c := s.client()
			flow, callback := s.start(c)
			tt.prepare(s)
			if _, err := c.Exchange(t.Context(), flow, callback); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRedirectIsRefused: a redirect of an endpoint is neither followed nor
// sent anything.
func TestRedirectIsRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range []string{"", "/" + planted, "://" + planted} {
			s := newAuthServer(t)
			elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				t.Errorf("%d: the redirect was followed", status)
			}))
			t.Cleanup(elsewhere.Close)
			if location == "" {
				location = elsewhere.URL
			}
			redirect := func(w http.ResponseWriter) {
				w.Header().Set("Location", location)
				w.Header().Set("Content-Type", jsonAnswer)
				w.WriteHeader(status)
				_, _ = w.Write([]byte(`{"error":"invalid_grant"}`)) // not Cognito's decision, under a redirect
			}
			s.override = func(w http.ResponseWriter, _ map[string]any) { redirect(w) }
			c := s.client(func(cfg *sso.ClientConfig) {
				cfg.HTTPClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
			})
			flow, callback := s.start(c)
			_, err := c.Exchange(t.Context(), flow, callback)
			if !errors.Is(err, sso.ErrUnavailable) {
				t.Errorf("%d: error = %v", status, err)
			}
			s.checkClean(err)

			s.mu.Lock()
			s.revocation, s.userInfo = redirect, redirect
			s.mu.Unlock()
			if err := c.Revoke(t.Context(), "r"); !errors.Is(err, sso.ErrUnavailable) {
				t.Errorf("%d: Revoke = %v", status, err)
			}
			if _, err := c.UserInfo(t.Context(), sso.Secret(s.access(nil))); !errors.Is(err, sso.ErrUnavailable) {
				t.Errorf("%d: UserInfo = %v", status, err)
			}
		}
	}
}

// TestAnswerLimit: no more than a MiB of an answer is read, and a longer one
// is refused even if all that matters is at its beginning.
func TestAnswerLimit(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	c := s.client()
	for size, want := range map[int]error{1 << 19: nil, 1 << 20: sso.ErrUnavailable, 1 << 22: sso.ErrUnavailable} {
		s.override = func(w http.ResponseWriter, answered map[string]any) {
			answerJSON(w, http.StatusOK, answered)
			_, _ = w.Write([]byte(strings.Repeat(" ", size)))
		}
		flow, callback := s.start(c)
		if _, err := c.Exchange(t.Context(), flow, callback); !errors.Is(err, want) {
			t.Errorf("%d spaces after the answer: %v, want %v", size, err, want)
		}
	}

	for _, status := range []int{200, 400} {
		body := &endless{}
		c = s.client(func(cfg *sso.ClientConfig) {
			cfg.HTTPClient = &http.Client{Transport: transportFunc(func(*http.Request) (*http.Response, error) {
				resp := answerWith(status, jsonAnswer, "")
				resp.Body = body
				return resp, nil
			})}
		})
		flow, callback := s.start(c)
		if _, err := c.Exchange(t.Context(), flow, callback); !errors.Is(err, sso.ErrUnavailable) {
			t.Errorf("%d: endless answer: %v", status, err)
		}
		if body.read > 2<<20 || !body.closed {
			t.Errorf("%d: %d bytes read, closed: %t", status, body.read, body.closed)
		}
	}
}

// endless is a body that does not end for a long time.
type endless struct {
	read   int
	closed bool
}

func (b *endless) Read(p []byte) (int, error) {
	if b.read > 8<<20 {
		return 0, errors.New("far too much was read")
	}
	b.read += len(p)
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func (b *endless) Close() error { b.closed = true; return nil }

// endpointCalls are all calls that go to an endpoint.
func endpointCalls(s *authServer, c *sso.Client) map[string]func(context.Context) error {
	flow, callback := s.start(c)
	access := sso.Secret(s.access(nil))
	return map[string]func(context.Context) error{
		"Exchange": func(ctx context.Context) error { _, err := c.Exchange(ctx, flow, callback); return err },
		"Refresh":  func(ctx context.Context) error { _, err := c.Refresh(ctx, "refresh", testSubject); return err },
		"Revoke":   func(ctx context.Context) error { return c.Revoke(ctx, "refresh") },
		"UserInfo": func(ctx context.Context) error { _, err := c.UserInfo(ctx, access); return err },
		"ClientCredentials": func(ctx context.Context) error {
			_, _, err := c.ClientCredentials(ctx)
			return err
		},
	}
}

func TestContextErrors(t *testing.T) {
	t.Parallel()
	hang := transportFunc(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, context.Cause(r.Context()) // as net/http's own transport may
	})
	cause := errors.New(planted)
	tests := []struct {
		name    string
		ctx     func(t *testing.T) context.Context
		timeout time.Duration
		want    error
	}{
		{"cancelled before", func(t *testing.T) context.Context {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(cause)
			return ctx
		}, time.Minute, context.Canceled},
		{"cancelled during", func(t *testing.T) context.Context {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
			return ctx
		}, time.Minute, context.Canceled},
		{"deadline", func(t *testing.T) context.Context {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, cause)
			t.Cleanup(cancel)
			return ctx
		}, time.Minute, context.DeadlineExceeded},
		{"the client's own time limit", func(t *testing.T) context.Context { return t.Context() }, 20 * time.Millisecond, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newAuthServer(t)
			c := s.client(func(cfg *sso.ClientConfig) {
				cfg.HTTPClient = &http.Client{Transport: hang, Timeout: tt.timeout}
				// The keys at hand, so that nothing but the endpoint is waited for.
				if err := cfg.Verifier.Preload(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
			for name, call := range endpointCalls(s, c) {
				err := call(tt.ctx(t))
				if !errors.Is(err, tt.want) || !errors.Is(err, sso.ErrUnavailable) {
					t.Errorf("%s: error = %v, want %v and ErrUnavailable", name, err, tt.want)
				}
				s.checkClean(err)
			}
		})
	}
}

// TestSlowBody: a time limit while the body is read is a time-out too.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	s.override = func(w http.ResponseWriter, _ map[string]any) {
		w.Header().Set("Content-Type", jsonAnswer)
		_, _ = w.Write([]byte(`{"access_token":"`))
		w.(http.Flusher).Flush()
		<-release
	}
	c := s.client(func(cfg *sso.ClientConfig) { cfg.HTTPClient = &http.Client{Timeout: 50 * time.Millisecond} })
	flow, callback := s.start(c)
	_, err := c.Exchange(t.Context(), flow, callback)
	if !errors.Is(err, sso.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
}

func TestNetworkErrors(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{
		"refused":      &net.OpError{Op: "dial", Net: "tcp", Err: errors.New(planted)},
		"broken":       &net.OpError{Op: "read", Net: "tcp", Err: errors.New(planted)},
		"no such host": &net.DNSError{Err: planted, Name: planted, IsNotFound: true},
		"anything":     errors.New(planted),
	} {
		s := newAuthServer(t)
		c := s.client(func(cfg *sso.ClientConfig) {
			cfg.HTTPClient = &http.Client{Transport: transportFunc(func(*http.Request) (*http.Response, error) { return nil, cause })}
		})
		for call, f := range endpointCalls(s, c) {
			err := f(t.Context())
			if !errors.Is(err, sso.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %s: error = %v", name, call, err)
			}
			s.checkClean(err)
		}
	}
}

// TestCookieJarIsNotUsed: a jar shared with other calls must not carry what
// one user's answer set into another user's request.
func TestCookieJarIsNotUsed(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	c := s.client(func(cfg *sso.ClientConfig) { cfg.HTTPClient = &http.Client{Jar: failingJar{t}} })
	flow, callback := s.start(c)
	s.override = func(w http.ResponseWriter, answered map[string]any) {
		http.SetCookie(w, &http.Cookie{Name: "cognito", Value: "x"})
		answerJSON(w, http.StatusOK, answered)
	}
	if _, err := c.Exchange(t.Context(), flow, callback); err != nil {
		t.Fatal(err)
	}
}

type failingJar struct{ t *testing.T }

func (j failingJar) SetCookies(*url.URL, []*http.Cookie) { j.t.Error("a cookie was kept") }
func (j failingJar) Cookies(*url.URL) []*http.Cookie     { j.t.Error("a cookie was asked for"); return nil }

// TestKeysUnavailable: keys that cannot be had say nothing about the tokens.
func TestKeysUnavailable(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	v, err := sso.NewVerifier(sso.Config{
		UserPoolID: testPoolID, ClientIDs: []string{testClientID}, Issuers: []string{s.issuer()},
		JWKSURL: s.URL + "/missing.json", InsecureAllowHTTP: true, Now: s.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := s.client(func(cfg *sso.ClientConfig) { cfg.Verifier = v })
	flow, callback := s.start(c)
	set, err := c.Exchange(t.Context(), flow, callback)
	if set != nil || !errors.Is(err, sso.ErrKeysUnavailable) {
		t.Errorf("Exchange = %v, %v", set, err)
	}
	s.checkClean(err)
}
