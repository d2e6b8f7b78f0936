package sso_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

func TestRevoke(t *testing.T) {
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
			t.Fatal(err)
		}
		if _, err := c.UserInfo(t.Context(), set.RawAccess); err != nil {
			t.Fatalf("UserInfo before: %v", err)
		}
		if err := c.Revoke(t.Context(), set.Refresh); err != nil {
			t.Fatalf("public=%t: %v", public, err)
		}
		_, err = c.Refresh(t.Context(), set.Refresh, testSubject)
		wantAuthError(t, err, "invalid_grant", 400)
		_, err = c.UserInfo(t.Context(), set.RawAccess)
		wantAuthError(t, err, "invalid_token", 401)
		s.checkClean(err)
		// Again: a revoked token is no error.
		if err := c.Revoke(t.Context(), set.Refresh); err != nil {
			t.Errorf("twice: %v", err)
		}
	}
}

func TestRevokeErrors(t *testing.T) {
	t.Parallel()
	raw := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", jsonAnswer)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	tests := []struct {
		name     string
		answer   func(http.ResponseWriter)
		authCode string // "": ErrUnavailable
		status   int
	}{
		{"not a refresh token", raw(400, `{"error":"unsupported_token_type"}`), "unsupported_token_type", 400},
		{"revocation is off", raw(400, `{"error":"invalid_request","error_description":"`+planted+`"}`), "invalid_request", 400},
		{"wrong secret", raw(401, `{"error":"invalid_client"}`), "invalid_client", 401},
		{"500", raw(500, planted), "", 0},
		{"429", raw(429, `{"error":"invalid_request"}`), "", 0},
		{"403 of a firewall", raw(403, planted), "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newAuthServer(t)
			s.revocation = tt.answer
			err := s.client().Revoke(t.Context(), sso.Secret(s.fresh("refresh")))
			if tt.authCode != "" {
				wantAuthError(t, err, tt.authCode, tt.status)
			} else if !errors.Is(err, sso.ErrUnavailable) {
				t.Errorf("error = %v", err)
			}
			s.checkClean(err)
		})
	}
	if err := newAuthServer(t).client().Revoke(t.Context(), ""); !errors.Is(err, sso.ErrMissing) {
		t.Errorf("no token: %v", err)
	}
}
