package sso_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	c := s.client()
	token, raw, err := c.ClientCredentials(t.Context(), "api/read", "api/write")
	if err != nil {
		t.Fatal(err)
	}
	if !token.Machine() || token.Subject != testClientID || token.ClientID != testClientID || token.UserID != "" {
		t.Errorf("token = %+v", token)
	}
	if got := token.Scopes(); !slices.Equal(got, []string{"api/read", "api/write"}) {
		t.Errorf("scopes = %v", got)
	}
	if strings.Count(raw.Reveal(), ".") != 2 {
		t.Error("the raw token is missing")
	}
	form := s.lastRequest()
	if form.Get("grant_type") != "client_credentials" || form.Get("client_secret") != testSecret || form.Get("scope") != "api/read api/write" {
		t.Error("the request is wrong")
	}
	if _, _, err := c.ClientCredentials(t.Context()); err != nil {
		t.Error(err)
	}
	if s.lastRequest().Has("scope") {
		t.Error("no scopes, yet scope was sent")
	}
}

func TestClientCredentialsRefuses(t *testing.T) {
	t.Parallel()
	tests := []answerRow{
		{name: "token of a user", prepare: withAccessClaims(claimSet{"sub": testSubject, "username": "Kakao_1"}), want: sso.ErrTokenMismatch},
		{name: "token of a user without a username", prepare: withAccessClaims(claimSet{"sub": testSubject}), want: sso.ErrTokenMismatch},
		{name: "token of another client", prepare: withAccessClaims(claimSet{"sub": otherClient, "client_id": otherClient}), want: sso.ErrTokenMismatch},
		{name: "token of an unknown client", prepare: withAccessClaims(claimSet{"sub": "x", "client_id": "x"}), want: sso.ErrClient},
		{name: "ID token", prepare: withAccessClaims(claimSet{"token_use": "id", "aud": testClientID}), want: sso.ErrTokenUse},
		{name: "expired", prepare: withAccessClaims(claimSet{"exp": 1000}), want: sso.ErrExpired},
		{name: "token_type MAC", prepare: withAnswer(func(a map[string]any) { a["token_type"] = "mac" }), want: sso.ErrUnavailable, status: 200},
		{name: "HTML", prepare: answerRaw(200, "text/html", planted), want: sso.ErrUnavailable, status: 200},
		{name: "no access token", prepare: answerRaw(200, jsonAnswer, `{"token_type":"Bearer"}`), want: sso.ErrUnavailable, status: 200},
		{name: "500", prepare: answerRaw(500, jsonAnswer, planted), want: sso.ErrUnavailable, status: 500},
		{name: "429", prepare: answerRaw(429, jsonAnswer, planted), want: sso.ErrUnavailable, status: 429},
		{name: "wrong secret", prepare: answerRaw(400, jsonAnswer, `{"error":"invalid_client","error_description":"`+planted+`"}`), authCode: "invalid_client", status: 400},
		{name: "forbidden scope", prepare: answerRaw(400, jsonAnswer, `{"error":"invalid_scope"}`), authCode: "invalid_scope", status: 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newAuthServer(t)
			c := s.client()
			tt.prepare(s)
			tt.check(t, s, func() (*sso.TokenSet, error) {
				token, raw, err := c.ClientCredentials(t.Context(), "api/read")
				if token.Subject != "" || raw != "" {
					t.Error("a token beside an error")
				}
				return nil, err
			})
		})
	}
}

func TestClientCredentialsChecksItsUse(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	_, _, err := s.client(func(cfg *sso.ClientConfig) { cfg.ClientSecret = "" }).ClientCredentials(t.Context())
	if got := configFields(t, err); !slices.Equal(got, []string{"ClientSecret"}) {
		t.Errorf("public client: %v", got)
	}
	for _, scope := range []string{"", "a b", `a"b`, "a\\b", "a\nb", "é"} {
		if _, _, err := s.client().ClientCredentials(t.Context(), scope); !errors.Is(err, sso.ErrConfig) {
			t.Errorf("scope %q: %v", scope, err)
		}
	}
	if s.tokenRequests() != 0 {
		t.Error("a request was made")
	}
}
