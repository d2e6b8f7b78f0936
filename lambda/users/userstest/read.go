package userstest

import (
	"context"
	"errors"
	"reflect"
	"slices"
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
	"page/limits": func(t *testing.T, s users.Store) {
		id := ensure(t, s, kakao(1)).ID
		for _, limit := range []int{-1, 0, users.MaxPage + 1} {
			if got, err := s.Page(t.Context(), "", limit); err == nil {
				t.Errorf("Page(limit %d) = %d rows, want an error", limit, len(got))
			}
		}
		for _, limit := range []int{1, users.MaxPage} {
			wantPage(t, s, "", limit, id)
		}
	},
	"page/goes on behind the cursor": func(t *testing.T, s users.Store) {
		ids := ensureMany(t, s, 5)
		wantPage(t, s, "", 2, ids[0], ids[1])
		wantPage(t, s, ids[1], 2, ids[2], ids[3])
		wantPage(t, s, ids[3], 2, ids[4])
		wantPage(t, s, ids[4], 2)
		wantPage(t, s, ids[2], users.MaxPage, ids[3], ids[4])
	},
	"page/shows what Get shows": func(t *testing.T, s users.Store) {
		who := kakao(1)
		who.Email, who.Name = "a@example.test", "김하나"
		id := ensure(t, s, who).ID
		record(t, s, in(1, time.Hour))
		addLegacy(t, s, OtherProvider, "900")
		for _, u := range wantRows(t, s, 2) {
			if one := get(t, s, u.ID); !reflect.DeepEqual(one, u) {
				t.Errorf("Page has %+v, Get %+v", u, one)
			}
		}
		if u := get(t, s, id); !u.LastLogin.Equal(monday.Add(time.Hour)) || u.Email != who.Email {
			t.Errorf("row = %+v", u)
		}
	},
	"page/a row that is gone is a cursor still": func(t *testing.T, s users.Store) {
		d, ok := s.(deleter)
		if !ok {
			t.Skip("the store under test has no Delete(ctx, id)")
		}
		ids := ensureMany(t, s, 4)
		for _, id := range ids[1:3] {
			if err := d.Delete(t.Context(), id); err != nil {
				t.Fatalf("Delete: %v", err)
			}
		}
		wantPage(t, s, ids[1], 2, ids[3])
		wantPage(t, s, ids[0], 2, ids[3])
	},
	"page/a cursor that is no id": func(t *testing.T, s users.Store) {
		ensureMany(t, s, 2)
		// A type of text has no wrong ids but these two.
		for _, after := range []string{"a\x00b", "\xff"} {
			if got, err := s.Page(t.Context(), after, 10); !errors.Is(err, users.ErrInvalid) {
				t.Errorf("Page(%q) = %d rows, %v, want ErrInvalid", after, len(got), err)
			}
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

// deleter is a store whose test can also delete a row.
type deleter interface {
	// Delete deletes the row with this id.
	Delete(ctx context.Context, id string) error
}

// ensureMany makes n rows and returns their ids in the order of Page.
func ensureMany(t *testing.T, s users.Store, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = ensure(t, s, kakao(i)).ID
	}
	return ids
}

func wantPage(t *testing.T, s users.Store, after string, limit int, want ...string) {
	t.Helper()
	page, err := s.Page(t.Context(), after, limit)
	if err != nil {
		t.Fatalf("Page: %v", err)
	}
	var got []string
	for _, u := range page {
		got = append(got, u.ID)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("Page(%q, %d) = %v, want %v", after, limit, got, want)
	}
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
			"Page":          func() error { _, err := s.Page(ctx, "", 10); return err },
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
	"context/a deadline that has passed is unavailable": func(t *testing.T, s users.Store) {
		ctx, cancel := context.WithDeadline(t.Context(), monday.AddDate(-20, 0, 0))
		defer cancel()
		if _, err := s.Ensure(ctx, kakao(1)); !errors.Is(err, users.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ensure: %v, want ErrUnavailable and context.DeadlineExceeded", err)
		}
		wantRows(t, s, 0)
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
