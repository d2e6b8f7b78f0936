package userstest

import (
	"context"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// signedIn is the n-th person, who signs in at that time after monday.
func signedIn(n int, at time.Duration) users.Identity {
	id := kakao(n)
	id.At = monday.Add(at)
	return id
}

// wantRecorded: an outcome with which the sign-in was recorded, or was not.
func wantRecorded(t *testing.T, got users.Result, id string, o users.Outcome, recorded bool) {
	t.Helper()
	wantOutcome(t, got, id, o)
	if got.SignInRecorded != recorded {
		t.Fatalf("Ensure = %+v, want SignInRecorded %v", got, recorded)
	}
}

// aged is a store whose test can also set the last login of an old row.
type aged interface {
	// SetLastLogin writes the last login of the row with this id, as the
	// organisation's own programs did.
	SetLastLogin(ctx context.Context, id string, at time.Time) error
}

// addAged makes an old row with a last login.
func addAged(t *testing.T, s users.Store, n int, at time.Time) (id string) {
	t.Helper()
	a, ok := s.(aged)
	if !ok {
		t.Fatal("the store under test must have SetLastLogin(ctx, id, at) error")
	}
	id = addLegacy(t, s, Provider, kakao(n).Subject)
	if err := a.SetLastLogin(t.Context(), id, at); err != nil {
		t.Fatalf("SetLastLogin: %v", err)
	}
	wantLogin(t, s, id, at)
	return id
}

var firstSignInTests = map[string]func(*testing.T, users.Store){
	"first sign-in/created": func(t *testing.T, s users.Store) {
		got := ensure(t, s, signedIn(1, 123*time.Millisecond))
		wantRecorded(t, got, "", users.Created, true)
		wantLogin(t, s, got.ID, monday.Add(123*time.Millisecond))
	},
	"first sign-in/created without a provider": func(t *testing.T, s users.Store) {
		for _, who := range []users.Identity{{Sub: "native", At: monday}, {Sub: "other", Provider: "SomebodyElse", Subject: "1", At: monday}} {
			got := ensure(t, s, who)
			wantRecorded(t, got, "", users.Created, true)
			wantLogin(t, s, got.ID, monday)
		}
	},
	"first sign-in/linked": func(t *testing.T, s users.Store) {
		id := addLegacy(t, s, Provider, kakao(1).Subject)
		wantRecorded(t, ensure(t, s, signedIn(1, 0)), id, users.Linked, true)
		wantLogin(t, s, id, monday)
	},
	"first sign-in/linked with an earlier last login": func(t *testing.T, s users.Store) {
		id := addAged(t, s, 1, monday.Add(-time.Second))
		wantRecorded(t, ensure(t, s, signedIn(1, 0)), id, users.Linked, true)
		wantLogin(t, s, id, monday)
	},
	"first sign-in/linked with a later last login": func(t *testing.T, s users.Store) {
		id := addAged(t, s, 1, monday.Add(time.Second))
		wantRecorded(t, ensure(t, s, signedIn(1, 0)), id, users.Linked, true)
		wantLogin(t, s, id, monday.Add(time.Second))
	},
	"first sign-in/moved": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(1)).ID
		again := signedIn(1, 0)
		again.Sub = "sub-after-deletion"
		wantRecorded(t, ensure(t, s, again), id, users.Moved, true)
		wantLogin(t, s, id, monday)
	},
	"first sign-in/moved there and back": func(t *testing.T, s users.Store) {
		id := ensure(t, s, signedIn(1, 0)).ID
		for _, step := range []struct {
			sub      string
			at, want time.Duration
		}{{"second", time.Hour, time.Hour}, {kakao(1).Sub, time.Minute, time.Hour}, {"second", 2 * time.Hour, 2 * time.Hour}} {
			who := signedIn(1, step.at)
			who.Sub = step.sub
			wantRecorded(t, ensure(t, s, who), id, users.Moved, true)
			wantLogin(t, s, id, monday.Add(step.want))
		}
	},
	"first sign-in/no time, nothing recorded": func(t *testing.T, s users.Store) {
		wantRecorded(t, ensure(t, s, kakao(1)), "", users.Created, false)
		id := addAged(t, s, 2, monday)
		wantRecorded(t, ensure(t, s, kakao(2)), id, users.Linked, false)
		again := kakao(2)
		again.Sub = "sub-after-deletion"
		wantRecorded(t, ensure(t, s, again), id, users.Moved, false)
		wantLogin(t, s, id, monday)
	},
	"first sign-in/a time that cannot be": func(t *testing.T, s users.Store) {
		id := addLegacy(t, s, Provider, kakao(2).Subject)
		for n, o := range map[int]users.Outcome{1: users.Created, 2: users.Linked} {
			who := kakao(n)
			who.At = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
			wantRecorded(t, ensure(t, s, who), "", o, false)
		}
		wantLogin(t, s, id, time.Time{})
	},
	"first sign-in/existing is left alone": func(t *testing.T, s users.Store) {
		never, once := ensure(t, s, kakao(1)).ID, ensure(t, s, signedIn(2, 0)).ID
		wantRecorded(t, ensure(t, s, signedIn(1, time.Hour)), never, users.Existing, false)
		wantRecorded(t, ensure(t, s, signedIn(2, time.Hour)), once, users.Existing, false)
		wantLogin(t, s, never, time.Time{})
		wantLogin(t, s, once, monday)
	},
	"first sign-in/a row that gets the provider's id is existing": func(t *testing.T, s users.Store) {
		id := ensure(t, s, users.Identity{Sub: kakao(1).Sub, At: monday}).ID
		wantRecorded(t, ensure(t, s, signedIn(1, time.Hour)), id, users.Existing, false)
		wantLogin(t, s, id, monday)
	},
	"first sign-in/in another time zone": func(t *testing.T, s users.Store) {
		who := signedIn(1, 0)
		who.At = who.At.In(time.FixedZone("KST", 9*60*60))
		id := ensure(t, s, who).ID
		wantLogin(t, s, id, monday)
		wantReport(t, record(t, s, in(1, 0)), 0) // the same time to the store
		wantReport(t, record(t, s, in(1, time.Second)), 1)
	},
	"first sign-in/as precise as later ones": func(t *testing.T, s users.Store) {
		odd := 123456789 * time.Nanosecond
		id := ensure(t, s, signedIn(1, odd)).ID
		ensure(t, s, kakao(2))
		record(t, s, in(2, odd))
		other := ensure(t, s, kakao(2)).ID
		if a, b := get(t, s, id).LastLogin, get(t, s, other).LastLogin; !a.Equal(b) {
			t.Errorf("recorded with the row %v, and later %v", a, b)
		}
	},
	"first sign-in/a refused one leaves no time": func(t *testing.T, s users.Store) {
		ensure(t, s, users.Identity{Sub: "sub-1"})
		ensure(t, s, kakao(2))
		if got, err := s.Ensure(t.Context(), users.Identity{Sub: "sub-1", Provider: Provider, Subject: kakao(2).Subject, At: monday}); err == nil {
			t.Fatalf("Ensure = %+v", got)
		}
		for _, u := range wantRows(t, s, 2) {
			if !u.LastLogin.IsZero() {
				t.Errorf("row = %+v", u)
			}
		}
	},
	"first sign-in/50 of one new user": func(t *testing.T, s users.Store) { firstOfMany(t, s, "", users.Created) },
	"first sign-in/50 of one legacy user": func(t *testing.T, s users.Store) {
		firstOfMany(t, s, addAged(t, s, 1, monday.Add(-time.Hour)), users.Linked)
	},
}

// firstOfMany: the time in the row is that of the one call that says so.
func firstOfMany(t *testing.T, s users.Store, id string, o users.Outcome) {
	t.Helper()
	got, errs := together(crowd, func(i int) (users.Result, error) {
		return s.Ensure(t.Context(), signedIn(1, time.Duration(i)*time.Second))
	})
	wantNoErrors(t, errs)
	winner := -1
	for i, r := range got {
		wantRecorded(t, r, id, r.Outcome, r.Outcome == o)
		if r.SignInRecorded {
			if winner >= 0 {
				t.Fatalf("calls %d and %d say that they are the first", winner, i)
			}
			winner = i
		}
	}
	if winner < 0 {
		t.Fatalf("nobody was the first: %+v", got)
	}
	wantLogin(t, s, wantOneID(t, got), monday.Add(time.Duration(winner)*time.Second))
}
