package userstest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

const crowd = 50

// together calls fn(0) … fn(n-1) at once and returns their results.
func together[T any](n int, fn func(i int) (T, error)) ([]T, []error) {
	got, errs := make([]T, n), make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			got[i], errs[i] = fn(i)
		})
	}
	close(start)
	wg.Wait()
	return got, errs
}

func wantNoErrors(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
}

func count(results []users.Result, o users.Outcome) (n int) {
	for _, r := range results {
		if r.Outcome == o {
			n++
		}
	}
	return n
}

func wantOneID(t *testing.T, results []users.Result) string {
	t.Helper()
	for _, r := range results {
		if r.ID != results[0].ID {
			t.Fatalf("one user got the ids %s and %s", results[0].ID, r.ID)
		}
	}
	return results[0].ID
}

var concurrencyTests = map[string]func(*testing.T, users.Store){
	"concurrency/50 ensures of one new user": func(t *testing.T, s users.Store) {
		got, errs := together(crowd, func(int) (users.Result, error) { return s.Ensure(t.Context(), kakao(1)) })
		wantNoErrors(t, errs)
		wantOneID(t, got)
		if n := count(got, users.Created); n != 1 {
			t.Errorf("%d calls say that they created the row", n)
		}
		wantRows(t, s, 1)
	},
	"concurrency/50 ensures of one new native user": func(t *testing.T, s users.Store) {
		got, errs := together(crowd, func(int) (users.Result, error) {
			return s.Ensure(t.Context(), users.Identity{Sub: "native"})
		})
		wantNoErrors(t, errs)
		wantOneID(t, got)
		wantRows(t, s, 1)
	},
	"concurrency/50 ensures of one legacy user": func(t *testing.T, s users.Store) {
		id := addLegacy(t, s, Provider, kakao(1).Subject)
		got, errs := together(crowd, func(int) (users.Result, error) { return s.Ensure(t.Context(), kakao(1)) })
		wantNoErrors(t, errs)
		if wantOneID(t, got) != id {
			t.Error("the legacy row was not used")
		}
		if n := count(got, users.Linked); n != 1 {
			t.Errorf("%d calls say that they linked the row", n)
		}
		wantRows(t, s, 1)
	},
	"concurrency/50 different users": func(t *testing.T, s users.Store) {
		got, errs := together(crowd, func(i int) (users.Result, error) { return s.Ensure(t.Context(), kakao(i)) })
		wantNoErrors(t, errs)
		seen := map[string]bool{}
		for i, r := range got {
			if seen[r.ID] {
				t.Fatalf("id %s was given to two users", r.ID)
			}
			seen[r.ID] = true
			if u := get(t, s, r.ID); u.Sub != kakao(i).Sub {
				t.Fatalf("row %s is %s's, want %s's", r.ID, u.Sub, kakao(i).Sub)
			}
		}
		wantRows(t, s, crowd)
	},
	"concurrency/one person under many new subs": func(t *testing.T, s users.Store) {
		// Deleted and signed up again, in several tabs: any order is fine, one
		// row it is.
		got, errs := together(crowd, func(i int) (users.Result, error) {
			who := kakao(1)
			who.Sub = fmt.Sprintf("tab-%d", i)
			return s.Ensure(t.Context(), who)
		})
		wantNoErrors(t, errs)
		wantOneID(t, got)
		wantRows(t, s, 1)
	},
	"concurrency/50 ensures of one user who came again": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(1)).ID
		again := kakao(1)
		again.Sub = "sub-after-deletion"
		got, errs := together(crowd, func(int) (users.Result, error) { return s.Ensure(t.Context(), again) })
		wantNoErrors(t, errs)
		if wantOneID(t, got) != id {
			t.Error("the row lost its id")
		}
		if n := count(got, users.Moved); n != 1 {
			t.Errorf("%d calls say that they moved the row", n)
		}
		if rows := wantRows(t, s, 1); rows[0].Sub != again.Sub {
			t.Errorf("sub = %q", rows[0].Sub)
		}
	},
	"concurrency/two providers of one new sub": func(t *testing.T, s users.Store) {
		got, errs := together(crowd, func(i int) (users.Result, error) {
			who := kakao(1)
			if i%2 == 0 {
				who.Provider, who.Subject = OtherProvider, "900"
			}
			return s.Ensure(t.Context(), who)
		})
		wantNoErrors(t, errs)
		wantOneID(t, got)
		rows := wantRows(t, s, 1)
		if rows[0].Providers[Provider] != kakao(1).Subject || rows[0].Providers[OtherProvider] != "900" {
			t.Errorf("Providers = %v", rows[0].Providers)
		}
	},
	"concurrency/two people fight over one provider id": func(t *testing.T, s users.Store) {
		// Both rows exist, neither has the provider's id: one gets it, for good.
		ensure(t, s, users.Identity{Sub: "a"})
		ensure(t, s, users.Identity{Sub: "b"})
		_, errs := together(crowd, func(i int) (users.Result, error) {
			return s.Ensure(t.Context(), users.Identity{Sub: string(rune('a' + i%2)), Provider: Provider, Subject: "7"})
		})
		for _, err := range errs {
			if err != nil && !errors.Is(err, users.ErrConflict) {
				t.Fatalf("Ensure: %v", err)
			}
		}
		rows := wantRows(t, s, 2)
		if (rows[0].Providers[Provider] == "7") == (rows[1].Providers[Provider] == "7") {
			t.Errorf("rows = %+v", rows)
		}
		for i, err := range errs {
			owner := rows[i%2].Providers[Provider] == "7"
			if owner != (err == nil) {
				t.Errorf("call %d: %v, but the row has the id: %v", i, err, owner)
			}
		}
	},
	"concurrency/sign-ins and ensures": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(0)).ID
		_, errs := together(crowd, func(i int) (struct{}, error) {
			if i%2 == 0 {
				_, err := s.Ensure(t.Context(), kakao(i))
				return struct{}{}, err
			}
			_, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: kakao(0).Sub, At: monday.Add(time.Duration(i) * time.Second)}})
			return struct{}{}, err
		})
		wantNoErrors(t, errs)
		if got := get(t, s, id).LastLogin; !got.Equal(monday.Add((crowd - 1) * time.Second)) {
			t.Errorf("LastLogin = %v: an older one won", got)
		}
	},
}
