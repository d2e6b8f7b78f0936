package sso_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

func TestUserInfo(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	info, err := s.client().UserInfo(t.Context(), sso.Secret(s.access(nil)))
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject != testSubject || info.Username != "Kakao_1" || info.Email != "student@example.ac.kr" ||
		!info.EmailVerified || info.PhoneNumber != "+82" || info.PhoneNumberVerified || info.Name != "김학생" {
		t.Errorf("info = %+v", info)
	}
	var id string
	if ok, err := info.Claim("custom:userId", &id); !ok || err != nil || id != "42" {
		t.Errorf("Claim = %t, %v, %q", ok, err, id)
	}
	if ok, err := info.Claim("missing", &id); ok || err != nil {
		t.Errorf("missing claim = %t, %v", ok, err)
	}
	var n int
	if ok, err := info.Claim("email", &n); !ok || !errors.Is(err, sso.ErrClaim) || strings.Contains(err.Error(), "example") {
		t.Errorf("claim of another type = %t, %v", ok, err)
	}
}

func TestUserInfoFlags(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		`true`: true, `"true"`: true,
		`false`: false, `"false"`: false, `"TRUE"`: false, `"True"`: false, `"1"`: false, `1`: false, `" true"`: false,
		`null`: false, `[true]`: false, `{"true":true}`: false, `"yes"`: false, `""`: false,
	} {
		s := newAuthServer(t)
		s.userInfo = func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", jsonAnswer)
			_, _ = w.Write([]byte(`{"sub":"` + testSubject + `","email_verified":` + value + `,"phone_number_verified": ` + value + ` }`))
		}
		info, err := s.client().UserInfo(t.Context(), sso.Secret(s.access(nil)))
		if err != nil || info.EmailVerified != want || info.PhoneNumberVerified != want {
			t.Errorf("%s: %t, %t, %v; want %t", value, info.EmailVerified, info.PhoneNumberVerified, err, want)
		}
	}
}

func TestUserInfoErrors(t *testing.T) {
	t.Parallel()
	raw := func(status int, contentType, challenge, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", contentType)
			if challenge != "" {
				w.Header().Set("WWW-Authenticate", challenge)
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	tests := []struct {
		name     string
		answer   func(http.ResponseWriter)
		want     error
		authCode string
		status   int
	}{
		{"about somebody else", raw(200, jsonAnswer, "", `{"sub":"another"}`), sso.ErrTokenMismatch, "", 0},
		{"about nobody", raw(200, jsonAnswer, "", `{"email":"`+planted+`"}`), sso.ErrTokenMismatch, "", 0},
		{"sub in another case", raw(200, jsonAnswer, "", `{"Sub":"`+testSubject+`"}`), sso.ErrTokenMismatch, "", 0},
		{"sub is no text", raw(200, jsonAnswer, "", `{"sub":["`+planted+`"]}`), sso.ErrClaim, "", 0},
		{"email is no text", raw(200, jsonAnswer, "", `{"sub":"`+testSubject+`","email":7}`), sso.ErrClaim, "", 0},
		{"HTML", raw(200, "text/html", "", planted), sso.ErrUnavailable, "", 0},
		{"JWT, as a signed userInfo is", raw(200, "application/jwt", "", planted), sso.ErrUnavailable, "", 0},
		{"broken JSON", raw(200, jsonAnswer, "", `{"sub":"`+planted), sso.ErrUnavailable, "", 0},
		{"list", raw(200, jsonAnswer, "", `["`+planted+`"]`), sso.ErrUnavailable, "", 0},
		{"null", raw(200, jsonAnswer, "", `null`), sso.ErrTokenMismatch, "", 0},
		{"huge", raw(200, jsonAnswer, "", `{"sub":"`+strings.Repeat(planted, 1<<16)+`"}`), sso.ErrUnavailable, "", 0},
		{"500", raw(500, jsonAnswer, `error="invalid_token"`, planted), sso.ErrUnavailable, "", 0},
		{"429", raw(429, jsonAnswer, `error="invalid_token"`, planted), sso.ErrUnavailable, "", 0},
		{"401 of somebody else", raw(401, "text/html", `Basic realm="proxy"`, planted), sso.ErrUnavailable, "", 0},
		{"401 with a look-alike", raw(401, "text/html", `Bearer my_error="invalid_token"`, planted), sso.ErrUnavailable, "", 0},
		{"revoked, as AWS shows it", raw(401, jsonAnswer, `error="invalid_token", error_description="`+planted+`"`, ""), nil, "invalid_token", 401},
		{"revoked, as RFC 6750 has it", raw(401, jsonAnswer, `Bearer realm="x", error="invalid_token"`, ""), nil, "invalid_token", 401},
		{"revoked, in the body", raw(401, jsonAnswer, "", `{"error":"invalid_token","error_description":"`+planted+`"}`), nil, "invalid_token", 401},
		{"without openid", raw(403, jsonAnswer, `Bearer error="insufficient_scope"`, ""), nil, "insufficient_scope", 403},
		{"bad request", raw(400, jsonAnswer, `error="invalid_request", error_description="Bad OAuth2 request at UserInfo Endpoint"`, ""), nil, "invalid_request", 400},
		{"unknown error", raw(401, jsonAnswer, `error="`+planted+`"`, ""), nil, "other", 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newAuthServer(t)
			s.userInfo = tt.answer
			info, err := s.client().UserInfo(t.Context(), sso.Secret(s.access(nil)))
			if info.Subject != "" || err == nil {
				t.Fatalf("accepted: %v", err)
			}
			if tt.authCode != "" {
				wantAuthError(t, err, tt.authCode, tt.status)
			} else if !errors.Is(err, tt.want) {
				t.Errorf("error = %v, want %v", err, tt.want)
			}
			s.checkClean(err)
		})
	}
}

// TestUserInfoVerifiesFirst: a token that is no good is not sent anywhere.
func TestUserInfoVerifiesFirst(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	s.userInfo = func(http.ResponseWriter) { t.Error("a bad token was sent") }
	c := s.client()
	id := signToken("id-key=", claimSet{
		"sub": testSubject, "iss": s.issuer(), "aud": testClientID, "token_use": "id",
		"iat": s.clock().Unix(), "exp": s.clock().Unix() + 60,
	})
	for name, row := range map[string]struct {
		token string
		want  error
	}{
		"none":            {"", sso.ErrMissing},
		"garbage":         {"garbage\r\nX: y", sso.ErrMalformed},
		"expired":         {s.access(claimSet{"exp": 1000}), sso.ErrExpired},
		"ID token":        {id, sso.ErrTokenUse},
		"another issuer":  {s.access(claimSet{"iss": "https://evil.example"}), sso.ErrIssuer},
		"unknown client":  {s.access(claimSet{"client_id": "nobody"}), sso.ErrClient},
		"tampered access": {s.access(nil) + "A", sso.ErrSignature},
	} {
		_, err := c.UserInfo(t.Context(), sso.Secret(row.token))
		if !errors.Is(err, row.want) {
			t.Errorf("%s: error = %v, want %v", name, err, row.want)
		}
		s.checkClean(err)
	}
}
