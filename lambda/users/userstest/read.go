package userstest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

var readTests = map[string]func(*testing.T, users.Store){
	"read/id by sub": func(t *testing.T, s users.Store) {
		want := ensure(t, s, kakao(1)).ID
		got, err := s.IDBySub(t.Context(), kakao(1).Sub)
		if err != nil || got != want {
			t.Fatalf("IDBySub = %q, %v, want %q", got, err, want)
		}
	},
	"read/no such sub": func(t *testing.T, s users.Store) {
		addLegacy(t, s, Provider, kakao(1).Subject) // a row without a sub is not that of ""
		for _, sub := range []string{"", "nobody"} {
			if got, err := s.IDBySub(t.Context(), sub); !errors.Is(err, users.ErrNotFound) {
				t.Errorf("IDBySub(%q) = %q, %v", sub, got, err)
			}
		}
	},
	"read/no such row": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(1)).ID
		for _, bad := range []string{"", "0" + id, "+" + id, id + " ", "-1", "x", "99999999999999999999", id + "' OR 1=1 --"} {
			if u, err := s.Get(t.Context(), bad); !errors.Is(err, users.ErrNotFound) {
				t.Errorf("Get(%q) = %+v, %v", bad, u, err)
			}
		}
	},
	"read/a legacy row": func(t *testing.T, s users.Store) {
		id := addLegacy(t, s, Provider, kakao(1).Subject)
		u := get(t, s, id)
		if u.ID != id || u.Sub != "" || u.Providers[Provider] != kakao(1).Subject || !u.LastLogin.IsZero() {
			t.Errorf("row = %+v", u)
		}
	},
	"walk/in the order of the ids, each once": func(t *testing.T, s users.Store) {
		var ids []string
		for n := range 25 {
			ids = append(ids, ensure(t, s, kakao(n)).ID)
		}
		for i, u := range wantRows(t, s, len(ids)) {
			if u.ID != ids[i] || u.Sub != kakao(i).Sub {
				t.Fatalf("row %d is %+v, want id %s", i, u, ids[i])
			}
		}
	},
	"walk/of an empty table": func(t *testing.T, s users.Store) { wantRows(t, s, 0) },
	"walk/over several pages": func(t *testing.T, s users.Store) {
		const n, workers = 600, 4
		_, errs := together(workers, func(w int) (any, error) {
			for i := w; i < n; i += workers {
				if _, err := s.Ensure(t.Context(), kakao(i)); err != nil {
					return nil, err
				}
			}
			return nil, nil
		})
		wantNoErrors(t, errs)
		seen := map[string]bool{}
		for _, u := range wantRows(t, s, n) {
			seen[u.ID] = true
		}
		if len(seen) != n {
			t.Errorf("%d different rows of %d", len(seen), n)
		}
	},
	"walk/stops at the first error": func(t *testing.T, s users.Store) {
		for n := range 5 {
			ensure(t, s, kakao(n))
		}
		stop, calls := errors.New("enough"), 0
		err := users.Walk(t.Context(), s, func(users.User) error {
			calls++
			if calls == 3 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) || calls != 3 {
			t.Fatalf("Walk = %v after %d calls", err, calls)
		}
	},
	"walk/may write meanwhile": func(t *testing.T, s users.Store) {
		for n := range 3 {
			ensure(t, s, kakao(n))
		}
		err := users.Walk(t.Context(), s, func(u users.User) error {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := s.RecordSignIns(ctx, []users.SignIn{{Sub: u.Sub, At: monday}})
			return err
		})
		if err != nil {
			t.Fatalf("Walk: %v", err)
		}
		for _, u := range wantRows(t, s, 3) {
			if !u.LastLogin.Equal(monday) {
				t.Errorf("row = %+v", u)
			}
		}
	},
}

var contextTests = map[string]func(*testing.T, users.Store){
	"context/a cancelled one is unavailable, and nothing happens": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(1)).ID
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		calls := map[string]func() error{
			"Ensure":        func() error { _, err := s.Ensure(ctx, kakao(2)); return err },
			"IDBySub":       func() error { _, err := s.IDBySub(ctx, kakao(1).Sub); return err },
			"RecordSignIns": func() error { _, err := s.RecordSignIns(ctx, []users.SignIn{in(1, 0)}); return err },
			"Get":           func() error { _, err := s.Get(ctx, id); return err },
			"Walk":          func() error { return users.Walk(ctx, s, func(users.User) error { return nil }) },
		}
		for name, call := range calls {
			if err := call(); !errors.Is(err, users.ErrUnavailable) || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want ErrUnavailable and context.Canceled", name, err)
			}
		}
		wantRows(t, s, 1)
		wantLogin(t, s, id, time.Time{})
	},
	"context/the store works on after many ended ones": func(t *testing.T, s users.Store) {
		for n := range 30 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*50*time.Microsecond)
			_, err := s.Ensure(ctx, kakao(n))
			cancel()
			if err != nil && !errors.Is(err, users.ErrUnavailable) {
				t.Fatalf("Ensure: %v", err)
			}
		}
		for n := range 30 {
			ensure(t, s, kakao(n))
		}
		wantRows(t, s, 30)
	},
}
