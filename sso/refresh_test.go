package sso_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

func TestRefresh(t *testing.T) {
	t.Parallel()
	for _, rotate := range []bool{false, true} {
		s := newAuthServer(t)
		s.rotate = rotate
		c := s.client()
		flow, callback := s.start(c)
		first, err := c.Exchange(t.Context(), flow, callback)
		if err != nil {
			t.Fatal(err)
		}
		s.advance(50 * time.Minute)
		second, err := c.Refresh(t.Context(), first.Refresh, first.ID.Subject)
		if err != nil {
			t.Fatalf("rotate=%t: %v", rotate, err)
		}
		if (second.Refresh != first.Refresh) != rotate || second.Refresh == "" {
			t.Errorf("rotate=%t: the refresh token to keep is wrong", rotate)
		}
		if second.RawAccess == first.RawAccess || !second.Access.ExpiresAt.After(first.Access.ExpiresAt) {
			t.Error("the access token is not new")
		}
		// The refresh token that was kept works again; a rotated one is dead.
		if _, err := c.Refresh(t.Context(), second.Refresh, testSubject); err != nil {
			t.Errorf("rotate=%t: second refresh: %v", rotate, err)
		}
		_, err = c.Refresh(t.Context(), first.Refresh, testSubject)
		if rotate {
			wantAuthError(t, err, "invalid_grant", 400)
			s.checkClean(err)
		} else if err != nil {
			t.Error(err)
		}
	}
}

// TestRefreshKeepsTheOldTokenForNoneAndEmpty: an answer without a refresh
// token, or with an empty one, leaves the given one.
func TestRefreshKeepsTheOldTokenForNoneAndEmpty(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	c := s.client()
	flow, callback := s.start(c)
	set, err := c.Exchange(t.Context(), flow, callback)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{nil, ""} {
		s.answer = func(a map[string]any) { a["refresh_token"] = value }
		got, err := c.Refresh(t.Context(), set.Refresh, testSubject)
		if err != nil || got.Refresh != set.Refresh {
			t.Errorf("%v: Refresh = %v", value, err)
		}
	}
}

func TestRefreshRefusesBeforeAsking(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	c := s.client()
	if _, err := c.Refresh(t.Context(), "", testSubject); !errors.Is(err, sso.ErrMissing) {
		t.Errorf("no refresh token: %v", err)
	}
	if _, err := c.Refresh(t.Context(), "refresh", ""); !errors.Is(err, sso.ErrTokenMismatch) {
		t.Errorf("no subject: %v", err)
	}
	if s.tokenRequests() != 0 {
		t.Error("the refresh token was spent")
	}
}

func TestRefreshAnswer(t *testing.T) {
	t.Parallel()
	rows := append([]answerRow{
		{name: "both of another subject", prepare: func(s *authServer) {
			s.idClaims, s.accessClaims = claimSet{"sub": "another"}, claimSet{"sub": "another"}
		}, want: sso.ErrTokenMismatch},
	}, answerRows...)
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newAuthServer(t)
			c := s.client()
			flow, callback := s.start(c)
			first, err := c.Exchange(t.Context(), flow, callback)
			if err != nil {
				t.Fatal(err)
			}
			tt.prepare(s)
			tt.check(t, s, func() (*sso.TokenSet, error) { return c.Refresh(t.Context(), first.Refresh, testSubject) })
		})
	}
}
