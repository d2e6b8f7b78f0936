// Package userstest is the conformance suite of user stores. A store passes if
// its tests do:
//
//	func TestStore(t *testing.T) {
//		userstest.Exercise(t, func(t *testing.T) users.Store { … })
//	}
//
// It is test support: import it from tests only.
package userstest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// Provider is the provider of the suite's identities. The store under test
// must keep its ids, and OtherProvider's, in columns of their own, as text or
// as 64-bit numbers.
const (
	Provider      = "Kakao"
	OtherProvider = "Google"
)

// Exercise runs the suite. newStore makes an empty store for each test and
// ends it with t.Cleanup.
func Exercise(t *testing.T, newStore func(t *testing.T) users.Store) {
	t.Helper()
	for _, group := range []map[string]func(*testing.T, users.Store){ensureTests, conflictTests, concurrencyTests, firstSignInTests, signInTests, readTests, contextTests} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, newStore(t))
			})
		}
	}
}

// kakao is the identity of the n-th person.
func kakao(n int) users.Identity {
	return users.Identity{Sub: fmt.Sprintf("sub-%d", n), Provider: Provider, Subject: fmt.Sprint(4_000_000_000 + n)}
}

func ensure(t *testing.T, s users.Store, id users.Identity) users.Result {
	t.Helper()
	got, err := s.Ensure(t.Context(), id)
	if err != nil {
		t.Fatalf("Ensure: %v", err)
	}
	if got.ID == "" {
		t.Fatal("Ensure gave no id")
	}
	return got
}

func wantOutcome(t *testing.T, got users.Result, id string, o users.Outcome) {
	t.Helper()
	if got.Outcome != o || (id != "" && got.ID != id) {
		t.Fatalf("Ensure = %+v, want id %q, outcome %q", got, id, o)
	}
}

func get(t *testing.T, s users.Store, id string) users.User {
	t.Helper()
	u, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return u
}

func walk(t *testing.T, s users.Store) []users.User {
	t.Helper()
	var all []users.User
	if err := users.Walk(t.Context(), s, func(u users.User) error { all = append(all, u); return nil }); err != nil {
		t.Fatalf("Walk: %v", err)
	}
	return all
}

func wantRows(t *testing.T, s users.Store, n int) []users.User {
	t.Helper()
	all := walk(t, s)
	if len(all) != n {
		t.Fatalf("the table has %d rows, want %d", len(all), n)
	}
	return all
}

// legacy makes a row that carries the provider's id and no sub, as the
// organisation's old table has it. The contract has no way to write one, so
// stores say how.
type legacy interface {
	// AddLegacy adds a row with a provider id and no sub, and returns its id.
	AddLegacy(ctx context.Context, provider, subject string) (string, error)
}

func addLegacy(t *testing.T, s users.Store, provider, subject string) string {
	t.Helper()
	l, ok := s.(legacy)
	if !ok {
		t.Fatal("the store under test must have AddLegacy(ctx, provider, subject) (id string, err error)")
	}
	id, err := l.AddLegacy(t.Context(), provider, subject)
	if err != nil {
		t.Fatalf("AddLegacy: %v", err)
	}
	return id
}

// monday is a time that every column type can hold.
var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
