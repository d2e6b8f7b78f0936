package sso_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// TestMaxAge holds that Exchange does not take Cognito's word for max_age:
// pools of the Lite plan ignore it.
func TestMaxAge(t *testing.T) {
	t.Parallel()
	const asked = 5 * time.Minute
	for name, row := range map[string]struct {
		authTime func(began time.Time) any // nil for none
		page     time.Duration             // how long the person takes
		maxAge   time.Duration
		want     error
	}{
		"just now":                         {func(b time.Time) any { return b.Unix() }, 0, asked, nil},
		"within it":                        {func(b time.Time) any { return b.Add(-asked).Unix() }, 0, asked, nil},
		"within it, and slow on the page":  {func(b time.Time) any { return b.Add(-asked).Unix() }, 9 * time.Minute, asked, nil},
		"authenticated on the page":        {func(b time.Time) any { return b.Add(4 * time.Minute).Unix() }, 5 * time.Minute, asked, nil},
		"clocks differ by half a minute":   {func(b time.Time) any { return b.Add(-asked - 30*time.Second).Unix() }, 0, asked, nil},
		"too old":                          {func(b time.Time) any { return b.Add(-asked - 2*time.Minute).Unix() }, 0, asked, sso.ErrNotFresh},
		"yesterday":                        {func(b time.Time) any { return b.Add(-24 * time.Hour).Unix() }, 0, asked, sso.ErrNotFresh},
		"epoch":                            {func(time.Time) any { return 0 }, 0, asked, sso.ErrNotFresh},
		"no auth_time":                     {nil, 0, asked, sso.ErrNotFresh},
		"auth_time is text":                {func(time.Time) any { return "now" }, 0, asked, sso.ErrClaim},
		"yesterday, and nobody asked":      {func(b time.Time) any { return b.Add(-24 * time.Hour).Unix() }, 0, 0, nil},
		"no auth_time, and nobody asked":   {nil, 0, 0, nil},
		"one second asked, and just now":   {func(b time.Time) any { return b.Unix() }, 0, time.Second, nil},
		"one second asked, and an hour on": {func(b time.Time) any { return b.Add(-time.Hour).Unix() }, 0, time.Second, sso.ErrNotFresh},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newAuthServer(t)
			c := s.client()
			url, flow, err := c.AuthCodeURL(sso.AuthOptions{MaxAge: row.maxAge})
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := json.Marshal(flow)
			if err != nil {
				t.Fatal(err)
			}
			s.idClaims = claimSet{"auth_time": nil}
			if row.authTime != nil {
				s.idClaims["auth_time"] = row.authTime(s.clock())
			}
			callback := s.authorize(url)
			s.advance(row.page)
			var opened sso.Flow // the way through a cookie must not lose the age
			if err := json.Unmarshal(sealed, &opened); err != nil {
				t.Fatal(err)
			}
			set, err := c.Exchange(t.Context(), opened, callback)
			if !errors.Is(err, row.want) || (set != nil) != (row.want == nil) {
				t.Errorf("error = %v, want %v", err, row.want)
			}
		})
	}
}

func TestFlowRefusesAnImpossibleAge(t *testing.T) {
	t.Parallel()
	for _, age := range []string{"-1", "99999999999999999", "9223372036854775807", `"300"`, "1.5"} {
		var f sso.Flow
		if err := json.Unmarshal([]byte(`{"state":"s","nonce":"n","code_verifier":"v","created_at":"2026-11-22T09:00:00Z","max_age":`+age+`}`), &f); err == nil {
			t.Errorf("max_age %s: %v", age, f.MaxAge)
		}
	}
}
