package sso_test

import (
	"context"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// TestOnTokens holds that the hook sees every new set and nothing else: an app
// that loses a rotated refresh token loses a session.
func TestOnTokens(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	s.rotate = true
	var seen []sso.TokenSet
	c := s.client(func(cfg *sso.ClientConfig) {
		cfg.OnTokens = func(_ context.Context, set sso.TokenSet) { seen = append(seen, set) }
	})
	_, foreign := s.start(c)
	flow, callback := s.start(c)
	if _, err := c.Exchange(t.Context(), flow, foreign); err == nil || len(seen) != 0 {
		t.Fatalf("a callback of another flow: %v, %d sets", err, len(seen))
	}
	set, err := c.Exchange(t.Context(), flow, callback)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0].Refresh != set.Refresh || seen[0].Access.ID != set.Access.ID {
		t.Fatalf("after Exchange: %d sets", len(seen))
	}
	next, err := c.Refresh(t.Context(), set.Refresh, set.ID.Subject)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || seen[1].Refresh != next.Refresh || next.Refresh == set.Refresh {
		t.Fatalf("after Refresh: %d sets", len(seen))
	}
	if _, err := c.Refresh(t.Context(), set.Refresh, set.ID.Subject); err == nil {
		t.Fatal("a rotated token was redeemed again")
	}
	if _, err := c.Refresh(t.Context(), next.Refresh, "somebody else"); err == nil {
		t.Fatal("the tokens of another subject were taken")
	}
	if len(seen) != 2 {
		t.Errorf("the hook saw what was refused: %d sets", len(seen))
	}
}
