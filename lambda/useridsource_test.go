package lambda_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

func always(c *lambda.Config) { c.UserIDSource = lambda.AlwaysStore }

// token_v1_refresh and token_v2_later_sign_in say custom:userId 42.
func TestAlwaysStore(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		row      string
		refuse   bool
		attrErr  error
		claim    string // "" is refused
		written  bool
		mismatch bool
	}{
		"the attribute is right":                {row: "42", claim: "42"},
		"the attribute is right, strict":        {row: "42", refuse: true, claim: "42"},
		"the row wins":                          {row: "7", claim: "7", written: true, mismatch: true},
		"the row wins, and Cognito throttles":   {row: "7", attrErr: errBroken, claim: "7", written: true, mismatch: true},
		"refused":                               {row: "7", refuse: true, mismatch: true},
		"a new row for an attribute of old":     {claim: "1000", written: true, mismatch: true},
		"a new row is no excuse when refusing":  {refuse: true, mismatch: true},
		"a row that differs by a zero":          {row: "042", refuse: true, mismatch: true},
		"a row that differs by a blank, healed": {row: "42 ", claim: "42 ", written: true, mismatch: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, always, func(c *lambda.Config) { c.RefuseMismatch = tc.refuse })
			if tc.row != "" {
				w.store.rows = map[string]string{kakaoUser.Sub: tc.row}
			}
			w.attrs.err = tc.attrErr
			in := fixture(t, "token_v2_later_sign_in")
			out, err := w.Handle(t.Context(), in)
			r := w.result(t)
			if tc.claim == "" {
				if !errors.Is(err, lambda.ErrMismatch) || out != nil || r.Outcome != lambda.OutcomeRefused || r.Reason != "user_id_mismatch" {
					t.Fatalf("Handle = %s, %v, %+v", out, err, r)
				}
			} else {
				if err != nil {
					t.Fatal(err)
				}
				wantAnswer(t, in, out, fmt.Sprintf(v2Claim, tc.claim))
			}
			if (len(w.attrs.sets) == 1) != tc.written || r.Healed != tc.written || r.Mismatch != tc.mismatch {
				t.Errorf("written %v, result %+v", w.attrs.sets, r)
			}
			wantNothingPersonal(t, "log", w.log.String())
		})
	}
}

// A wrong attribute is written again at every token until Cognito takes it:
// what this process remembers is not in the way.
func TestMismatchIsCorrectedEveryTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, always)
	w.store.rows = map[string]string{kakaoUser.Sub: "7"}
	for range 2 {
		if _, err := w.Handle(t.Context(), fixture(t, "token_v1_refresh")); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.attrs.sets) != 2 {
		t.Errorf("written %v", w.attrs.sets)
	}
}

// A store that is down fails closed even if there is an attribute, since it is
// not believed; and if a token may go out without an id, then really without:
// Cognito would put the attribute into it.
func TestAlwaysStoreWithoutStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, always)
	w.store.err = users.ErrUnavailable
	if out, err := w.Handle(t.Context(), fixture(t, "token_v2_later_sign_in")); !errors.Is(err, users.ErrUnavailable) || out != nil {
		t.Fatalf("Handle = %s, %v", out, err)
	}
	for name, want := range map[string]string{
		"token_v1_refresh":       `{"claimsOverrideDetails":{"claimsToSuppress":["custom:userId"]}}`,
		"token_v2_later_sign_in": `{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"claimsToSuppress":["custom:userId"]},"idTokenGeneration":{"claimsToSuppress":["custom:userId"]}}}`,
	} {
		w := newWorld(t, always, func(c *lambda.Config) { c.AllowMissingUserID = true })
		w.store.err = users.ErrUnavailable
		in := fixture(t, name)
		out, err := w.Handle(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		wantAnswer(t, in, out, want)
		if r := w.result(t); r.Outcome != lambda.OutcomeDegraded || r.FromStore || len(w.attrs.sets) > 0 {
			t.Errorf("result = %+v, written %v", r, w.attrs.sets)
		}
	}
}

// Where a token may go out without the store, a store that hangs leaves time
// for the hook.
func TestDegradedWithHook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *lambda.Config) {
			c.Now, c.AllowMissingUserID = time.Now, true
			c.ExtraClaims = func(_ context.Context, r lambda.ClaimsRequest) (lambda.Claims, error) {
				if r.UserID != "" || r.Sub != kakaoUser.Sub || r.Machine {
					t.Errorf("request = %+v", r)
				}
				return lambda.Claims{ID: lambda.TokenClaims{Add: map[string]any{"plan": "guest"}}}, nil
			}
		})
		w.store.hang = true
		in := fixture(t, "token_v1_first_sign_in")
		out, err := w.Handle(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		wantAnswer(t, in, out, `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"plan":"guest"}}}`)
		if r := w.result(t); r.Duration != 3*time.Second || r.Outcome != lambda.OutcomeDegraded {
			t.Errorf("result = %+v", r)
		}
	})
}
