package userstest

import (
	"errors"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

var ensureTests = map[string]func(*testing.T, users.Store){
	"ensure/creates a row with all that is known": func(t *testing.T, s users.Store) {
		who := kakao(1)
		who.Email, who.Name = "a@example.test", "김하나"
		got := ensure(t, s, who)
		wantOutcome(t, got, "", users.Created)
		u := get(t, s, got.ID)
		if u.Sub != who.Sub || u.Providers[Provider] != who.Subject || u.Email != who.Email || u.Name != who.Name {
			t.Errorf("row = %+v", u)
		}
		if !u.LastLogin.IsZero() {
			t.Error("a new row has a last login already")
		}
		if u.Created.IsZero() {
			t.Error("a new row has no creation time")
		}
	},
	"ensure/is idempotent": func(t *testing.T, s users.Store) {
		first := ensure(t, s, kakao(1))
		for range 3 {
			wantOutcome(t, ensure(t, s, kakao(1)), first.ID, users.Existing)
		}
		wantRows(t, s, 1)
	},
	"ensure/links a legacy row": func(t *testing.T, s users.Store) {
		id := addLegacy(t, s, Provider, kakao(1).Subject)
		wantOutcome(t, ensure(t, s, kakao(1)), id, users.Linked)
		wantOutcome(t, ensure(t, s, kakao(1)), id, users.Existing)
		if rows := wantRows(t, s, 1); rows[0].Sub != kakao(1).Sub {
			t.Errorf("sub = %q", rows[0].Sub)
		}
	},
	"ensure/links nothing by another provider's id": func(t *testing.T, s users.Store) {
		addLegacy(t, s, OtherProvider, kakao(1).Subject)
		wantOutcome(t, ensure(t, s, kakao(1)), "", users.Created)
		wantRows(t, s, 2)
	},
	"ensure/links nothing by email": func(t *testing.T, s users.Store) {
		one, two := kakao(1), kakao(2)
		one.Email, two.Email = "same@example.test", "same@example.test"
		a, b := ensure(t, s, one), ensure(t, s, two)
		if a.ID == b.ID {
			t.Error("two people with one email share a row")
		}
	},
	"ensure/moves a row to a new sub": func(t *testing.T, s users.Store) {
		first := ensure(t, s, kakao(1))
		again := kakao(1)
		again.Sub = "sub-after-deletion"
		wantOutcome(t, ensure(t, s, again), first.ID, users.Moved)
		wantOutcome(t, ensure(t, s, again), first.ID, users.Existing)
		wantRows(t, s, 1)
		if _, err := s.IDBySub(t.Context(), kakao(1).Sub); !errors.Is(err, users.ErrNotFound) {
			t.Errorf("the old sub still has a row: %v", err)
		}
	},
	"ensure/a move keeps the rest of the row": func(t *testing.T, s users.Store) {
		who := kakao(1)
		who.Email, who.Name = "old@example.test", "Old"
		id := ensure(t, s, who).ID
		record(t, s, in(1, 0))
		before := get(t, s, id)
		who.Sub, who.Email, who.Name = "sub-after-deletion", "new@example.test", "New"
		wantOutcome(t, ensure(t, s, who), id, users.Moved)
		after := get(t, s, id)
		if after.Sub != who.Sub || after.Email != before.Email || after.Name != before.Name ||
			!after.LastLogin.Equal(monday) || !after.Created.Equal(before.Created) || after.Providers[Provider] != who.Subject {
			t.Errorf("row was %+v, is %+v", before, after)
		}
	},
	"ensure/moves there and back": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(1)).ID
		again := kakao(1)
		again.Sub = "second"
		wantOutcome(t, ensure(t, s, again), id, users.Moved)
		wantOutcome(t, ensure(t, s, kakao(1)), id, users.Moved)
		wantOutcome(t, ensure(t, s, kakao(1)), id, users.Existing)
		wantRows(t, s, 1)
	},
	"ensure/native user by sub alone": func(t *testing.T, s users.Store) {
		native := users.Identity{Sub: "native"}
		got := ensure(t, s, native)
		wantOutcome(t, got, "", users.Created)
		wantOutcome(t, ensure(t, s, native), got.ID, users.Existing)
		if u := get(t, s, got.ID); len(u.Providers) != 0 {
			t.Errorf("Providers = %v", u.Providers)
		}
	},
	"ensure/native users do not share a row": func(t *testing.T, s users.Store) {
		a, b := ensure(t, s, users.Identity{Sub: "a"}), ensure(t, s, users.Identity{Sub: "b"})
		if a.ID == b.ID {
			t.Error("one row for two subs")
		}
	},
	"ensure/an unconfigured provider goes by sub": func(t *testing.T, s users.Store) {
		who := users.Identity{Sub: "x", Provider: "SomebodyElse", Subject: "1"}
		got := ensure(t, s, who)
		wantOutcome(t, ensure(t, s, who), got.ID, users.Existing)
		other := who
		other.Sub = "y"
		wantOutcome(t, ensure(t, s, other), "", users.Created)
	},
	"ensure/a row that was known by sub gets the provider's id": func(t *testing.T, s users.Store) {
		first := ensure(t, s, users.Identity{Sub: kakao(1).Sub})
		wantOutcome(t, ensure(t, s, kakao(1)), first.ID, users.Existing)
		if u := get(t, s, first.ID); u.Providers[Provider] != kakao(1).Subject {
			t.Errorf("Providers = %v", u.Providers)
		}
		wantRows(t, s, 1)
	},
	"ensure/a second provider joins the row of the sub": func(t *testing.T, s users.Store) {
		first := ensure(t, s, kakao(1))
		second := users.Identity{Sub: kakao(1).Sub, Provider: OtherProvider, Subject: "900"}
		wantOutcome(t, ensure(t, s, second), first.ID, users.Existing)
		u := get(t, s, first.ID)
		if u.Providers[Provider] != kakao(1).Subject || u.Providers[OtherProvider] != "900" {
			t.Errorf("Providers = %v", u.Providers)
		}
	},
	"ensure/an existing row keeps its email and name": func(t *testing.T, s users.Store) {
		who := kakao(1)
		who.Email, who.Name = "old@example.test", "Old"
		first := ensure(t, s, who)
		who.Email, who.Name = "new@example.test", "New"
		ensure(t, s, who)
		if u := get(t, s, first.ID); u.Email != "old@example.test" || u.Name != "Old" {
			t.Errorf("row = %+v", u)
		}
	},
	"ensure/text is data": func(t *testing.T, s users.Store) {
		who := users.Identity{Sub: `x'; DROP TABLE users; --"`, Name: `"'$1\`, Email: "%s?"}
		got := ensure(t, s, who)
		if u := get(t, s, got.ID); u.Sub != who.Sub || u.Name != who.Name || u.Email != who.Email {
			t.Errorf("row = %+v", u)
		}
	},
	"ensure/case tells subs apart": func(t *testing.T, s users.Store) {
		if ensure(t, s, users.Identity{Sub: "abc"}).ID == ensure(t, s, users.Identity{Sub: "ABC"}).ID {
			t.Error("abc and ABC share a row")
		}
	},
	"ensure/trailing blanks tell subs apart": func(t *testing.T, s users.Store) {
		if ensure(t, s, users.Identity{Sub: "abc"}).ID == ensure(t, s, users.Identity{Sub: "abc "}).ID {
			t.Error(`"abc" and "abc " share a row`)
		}
	},
	"ensure/a refused name or email loses nobody": func(t *testing.T, s users.Store) {
		// They decorate a new row. What the database cannot hold is left out.
		for i, who := range []users.Identity{
			{Sub: "nul", Name: "a\x00b", Email: "a\x00@example.test"},
			{Sub: "broken", Name: "a\xffb", Email: "\xff@example.test"},
			{Sub: "long", Name: strings.Repeat("김", 5000), Email: strings.Repeat("x", 70_000) + "@example.test"},
		} {
			got := ensure(t, s, who)
			wantOutcome(t, got, "", users.Created)
			wantOutcome(t, ensure(t, s, who), got.ID, users.Existing)
			wantRows(t, s, i+1)
		}
	},
	"ensure/a later row of the email's owner is another one": func(t *testing.T, s users.Store) {
		one, two := users.Identity{Sub: "a", Email: "same@example.test"}, kakao(2)
		two.Email = one.Email
		if ensure(t, s, one).ID == ensure(t, s, two).ID {
			t.Error("an email has linked two people")
		}
	},
	"ensure/ids are not given twice": func(t *testing.T, s users.Store) {
		seen := map[string]bool{}
		for n := range 20 {
			id := ensure(t, s, kakao(n)).ID
			if seen[id] {
				t.Fatalf("id %s was given twice", id)
			}
			seen[id] = true
		}
	},
}

var conflictTests = map[string]func(*testing.T, users.Store){
	"conflict/sub and provider id on two rows": func(t *testing.T, s users.Store) {
		ensure(t, s, users.Identity{Sub: "sub-1"})
		ensure(t, s, kakao(2))
		wantError(t, s, users.Identity{Sub: "sub-1", Provider: Provider, Subject: kakao(2).Subject}, users.ErrConflict)
		wantUntouched(t, s)
	},
	"conflict/sub on another row than a legacy one": func(t *testing.T, s users.Store) {
		ensure(t, s, users.Identity{Sub: "sub-1"})
		addLegacy(t, s, Provider, kakao(2).Subject)
		wantError(t, s, users.Identity{Sub: "sub-1", Provider: Provider, Subject: kakao(2).Subject}, users.ErrConflict)
		wantUntouched(t, s)
	},
	"conflict/the row of the sub has another id at the provider": func(t *testing.T, s users.Store) {
		ensure(t, s, kakao(1))
		who := kakao(1)
		who.Subject = kakao(2).Subject
		wantError(t, s, who, users.ErrConflict)
		if rows := wantRows(t, s, 1); rows[0].Providers[Provider] != kakao(1).Subject {
			t.Errorf("row = %+v", rows[0])
		}
	},
	"conflict/a moved row does not take another one's sub": func(t *testing.T, s users.Store) {
		ensure(t, s, kakao(1))
		ensure(t, s, kakao(2))
		who := kakao(1)
		who.Sub = kakao(2).Sub // of person 2, who has an id at the provider too
		wantError(t, s, who, users.ErrConflict)
		for i, u := range wantRows(t, s, 2) {
			if u.Sub != kakao(i+1).Sub || u.Providers[Provider] != kakao(i+1).Subject {
				t.Errorf("row = %+v", u)
			}
		}
	},
	"invalid/identities": func(t *testing.T, s users.Store) {
		long := strings.Repeat("x", users.MaxIDLength+1)
		for name, who := range map[string]users.Identity{
			"nothing":                  {},
			"no sub":                   {Provider: Provider, Subject: "1"},
			"provider without subject": {Sub: "s", Provider: Provider},
			"subject without provider": {Sub: "s", Subject: "1"},
			"long sub":                 {Sub: long},
			"long subject":             {Sub: "s", Provider: Provider, Subject: long},
			"NUL in sub":               {Sub: "a\x00b"},
			"line feed in subject":     {Sub: "s", Provider: Provider, Subject: "1\n2"},
			"sub is not UTF-8":         {Sub: "\xff\xfe"},
			"sub was not UTF-8":        {Sub: "a\uFFFD"},
		} {
			t.Run(name, func(t *testing.T) { wantError(t, s, who, users.ErrInvalid) })
		}
		wantRows(t, s, 0)
	},
}

func wantError(t *testing.T, s users.Store, who users.Identity, want error) {
	t.Helper()
	got, err := s.Ensure(t.Context(), who)
	if !errors.Is(err, want) {
		t.Fatalf("Ensure = %+v, %v, want %v", got, err, want)
	}
	for _, secret := range []string{who.Sub, who.Subject, who.Email} {
		if len(secret) > 3 && strings.Contains(err.Error(), secret) {
			t.Errorf("the error quotes the identity: %v", err)
		}
	}
}

// wantUntouched: after a refused Ensure of sub-1 with kakao(2)'s id.
func wantUntouched(t *testing.T, s users.Store) {
	t.Helper()
	for _, u := range wantRows(t, s, 2) {
		if u.Sub == "sub-1" && u.Providers[Provider] != "" {
			t.Errorf("the refused call left its mark: %+v", u)
		}
	}
}
