package userstest

import (
	"slices"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

func record(t *testing.T, s users.Store, batch ...users.SignIn) users.SignInReport {
	t.Helper()
	r, err := s.RecordSignIns(t.Context(), batch)
	if err != nil {
		t.Fatalf("RecordSignIns: %v", err)
	}
	return r
}

func wantReport(t *testing.T, got users.SignInReport, updated int, unknown ...string) {
	t.Helper()
	slices.Sort(got.Unknown)
	if got.Updated != updated || !slices.Equal(got.Unknown, unknown) {
		t.Fatalf("report = %+v, want %d updated, unknown %v", got, updated, unknown)
	}
}

func wantLogin(t *testing.T, s users.Store, id string, want time.Time) {
	t.Helper()
	if got := get(t, s, id).LastLogin; !got.Equal(want) {
		t.Fatalf("LastLogin = %v, want %v", got, want)
	}
}

func in(n int, at time.Duration) users.SignIn {
	return users.SignIn{Sub: kakao(n).Sub, At: monday.Add(at)}
}

var signInTests = map[string]func(*testing.T, users.Store){
	"sign-ins/move forward": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(1)).ID
		wantReport(t, record(t, s, in(1, 0)), 1)
		wantLogin(t, s, id, monday)
		wantReport(t, record(t, s, in(1, time.Hour)), 1)
		wantLogin(t, s, id, monday.Add(time.Hour))
	},
	"sign-ins/never move back": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(1)).ID
		record(t, s, in(1, time.Hour))
		wantReport(t, record(t, s, in(1, 0)), 0)
		wantLogin(t, s, id, monday.Add(time.Hour))
	},
	"sign-ins/are the same in another time zone": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(1)).ID
		seoul := time.FixedZone("KST", 9*60*60)
		record(t, s, users.SignIn{Sub: kakao(1).Sub, At: monday.Add(time.Hour).In(seoul)})
		wantLogin(t, s, id, monday.Add(time.Hour))
		wantReport(t, record(t, s, in(1, 2*time.Hour)), 1)
		wantReport(t, record(t, s, users.SignIn{Sub: kakao(1).Sub, At: monday.Add(time.Hour).In(seoul)}), 0)
		wantLogin(t, s, id, monday.Add(2*time.Hour))
	},
	"sign-ins/disorder and duplicates in a batch": func(t *testing.T, s users.Store) {
		a, b := ensure(t, s, kakao(1)).ID, ensure(t, s, kakao(2)).ID
		wantReport(t, record(t, s, in(1, time.Minute), in(2, 0), in(1, time.Hour), in(1, 0), in(1, time.Hour)), 2)
		wantLogin(t, s, a, monday.Add(time.Hour))
		wantLogin(t, s, b, monday)
	},
	"sign-ins/a batch twice": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(1)).ID
		wantReport(t, record(t, s, in(1, 0)), 1)
		wantReport(t, record(t, s, in(1, 0)), 0)
		wantLogin(t, s, id, monday)
	},
	"sign-ins/unknown subs are reported and not made": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(1)).ID
		wantReport(t, record(t, s, in(8, 0), in(1, 0), in(9, 0), in(8, time.Hour)), 1, kakao(8).Sub, kakao(9).Sub)
		wantLogin(t, s, id, monday)
		wantRows(t, s, 1)
	},
	"sign-ins/known but already later is not unknown": func(t *testing.T, s users.Store) {
		ensure(t, s, kakao(1))
		record(t, s, in(1, time.Hour))
		wantReport(t, record(t, s, in(1, 0), in(9, 0)), 0, kakao(9).Sub)
	},
	"sign-ins/keep milliseconds": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(1)).ID
		record(t, s, in(1, 123*time.Millisecond))
		wantLogin(t, s, id, monday.Add(123*time.Millisecond))
		wantReport(t, record(t, s, in(1, 122*time.Millisecond)), 0)
		wantReport(t, record(t, s, in(1, 124*time.Millisecond)), 1)
	},
	"sign-ins/at odd times": func(t *testing.T, s users.Store) {
		// Both sides of a clock change, and of the seconds that 32 bits count.
		id, at := ensure(t, s, kakao(1)).ID, []time.Time{
			time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC),
			time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC),
			time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC),
			time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC),
			time.Date(2037, 12, 31, 23, 59, 59, 0, time.UTC),
		}
		for _, at := range at {
			wantReport(t, record(t, s, users.SignIn{Sub: kakao(1).Sub, At: at}), 1)
			wantLogin(t, s, id, at)
		}
	},
	"sign-ins/leave the rest of the row alone": func(t *testing.T, s users.Store) {
		who := kakao(1)
		who.Email, who.Name = "a@example.test", "김하나"
		id := ensure(t, s, who).ID
		before := get(t, s, id)
		record(t, s, in(1, 0))
		before.LastLogin = monday
		if after := get(t, s, id); !after.LastLogin.Equal(monday) || after.Sub != before.Sub || after.Email != before.Email ||
			after.Name != before.Name || !after.Created.Equal(before.Created) || after.Providers[Provider] != who.Subject {
			t.Errorf("row was %+v, is %+v", before, after)
		}
	},
	"sign-ins/of nobody": func(t *testing.T, s users.Store) {
		wantReport(t, record(t, s), 0)
	},
	"sign-ins/that cannot be are left out": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(1)).ID
		wantReport(t, record(t, s, users.SignIn{Sub: kakao(1).Sub}, users.SignIn{At: monday},
			users.SignIn{Sub: kakao(1).Sub, At: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)}), 0)
		wantLogin(t, s, id, time.Time{})
	},
	"sign-ins/a large batch": func(t *testing.T, s users.Store) {
		var batch []users.SignIn
		for n := range 30 {
			ensure(t, s, kakao(n))
		}
		for n := range 2000 {
			batch = append(batch, in(n%40, time.Duration(n)*time.Second))
		}
		var unknown []string
		for n := 30; n < 40; n++ {
			unknown = append(unknown, kakao(n).Sub)
		}
		wantReport(t, record(t, s, batch...), 30, unknown...)
	},
	"sign-ins/text is data": func(t *testing.T, s users.Store) {
		sub := `"],["x','y'); --\`
		id := ensure(t, s, users.Identity{Sub: sub}).ID
		wantReport(t, record(t, s, users.SignIn{Sub: sub, At: monday}), 1)
		wantLogin(t, s, id, monday)
	},
	"sign-ins/50 overlapping batches": func(t *testing.T, s users.Store) {
		ids := make([]string, 5)
		for n := range ids {
			ids[n] = ensure(t, s, kakao(n)).ID
		}
		_, errs := together(crowd, func(i int) (users.SignInReport, error) {
			var batch []users.SignIn
			for n := range ids { // each in another order: deadlocks show here
				batch = append(batch, in((n+i)%len(ids), time.Duration(i)*time.Second))
			}
			return s.RecordSignIns(t.Context(), batch)
		})
		wantNoErrors(t, errs)
		for _, id := range ids {
			wantLogin(t, s, id, monday.Add((crowd-1)*time.Second))
		}
	},
}
