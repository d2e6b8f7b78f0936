package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// with has the columns of providers: name, column, name, column …
func with(pairs ...string) sqlite.Config {
	cfg := sqlite.Config{Table: table.Config{Providers: map[string]table.ProviderColumn{}}}
	for i := 0; i < len(pairs); i += 2 {
		cfg.Table.Providers[pairs[i]] = table.ProviderColumn{Name: pairs[i+1]}
	}
	return cfg
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		cfg  sqlite.Config
		want string // in the error; "" is good
	}{
		"zero value":           {sqlite.Config{}, ""},
		"another provider":     {with("Naver", "naver_id"), ""},
		"no provider at all":   {with(), ""},
		"a quote":              {with("Kakao", `k" OR "1`), "Providers"},
		"a space":              {with("Kakao", "kakao id"), "Providers"},
		"starts with a digit":  {with("Kakao", "1id"), "Providers"},
		"not ASCII":            {with("Kakao", "카카오"), "Providers"},
		"empty column":         {with("Kakao", ""), "Providers"},
		"no provider name":     {with("", "kakao_id"), "Providers"},
		"own column":           {with("Kakao", "cognito_sub"), "already that of Sub"},
		"own column, folded":   {with("Kakao", "EMAIL"), "already that of Email"},
		"one column for two":   {with("A", "x_id", "B", "X_ID"), "already"},
		"another schema":       {sqlite.Config{Table: table.Config{Name: "auth.users"}}, "another schema"},
		"unknown ID type":      {sqlite.Config{Table: table.Config{IDType: "serial"}}, "IDType"},
		"unknown journal":      {sqlite.Config{Journal: "OFF"}, "Journal"},
		"negative BusyTimeout": {sqlite.Config{BusyTimeout: -1}, "BusyTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "users.db"), tc.cfg)
			if err == nil {
				t.Cleanup(func() { _ = s.Close() })
			}
			if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
				t.Fatalf("Open: %v, want %q", err, tc.want)
			}
		})
	}
}

func TestOpenRefusesMemory(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", ":memory:"} {
		if _, err := sqlite.Open(t.Context(), path, sqlite.Config{}); err == nil {
			t.Errorf("Open(%q) succeeded", path)
		}
	}
}

func TestOpenUnreachable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "no such folder", "users.db")
	if _, err := sqlite.Open(t.Context(), path, sqlite.Config{BusyTimeout: time.Second}); !errors.Is(err, users.ErrUnavailable) {
		t.Fatalf("Open: %v, want ErrUnavailable", err)
	}
}

// The path stands in a URI.
func TestOpenOddPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "a?b.db", "a%20b.db", "a#b.db", "학생.db", "a&_pragma=x.db", "a'b\".db"} {
		dir := t.TempDir()
		open(t, filepath.Join(dir, name), sqlite.Config{})
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestOpenKeepsRows(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	var want users.Result
	for i := range 3 {
		s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Ensure(t.Context(), users.Identity{Sub: "s", Provider: "Kakao", Subject: "1"})
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && (got.ID != want.ID || got.Outcome != users.Existing) {
			t.Fatalf("after reopening: %+v, want id %s", got, want.ID)
		}
		want = got
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Cold starts come in crowds.
func TestOpenAtTheSameTime(t *testing.T) {
	t.Parallel()
	for _, journal := range []sqlite.Journal{sqlite.JournalWAL, sqlite.JournalDelete} {
		t.Run(string(journal), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "users.db")
			var wg sync.WaitGroup
			for range 12 {
				wg.Go(func() {
					s, err := sqlite.Open(t.Context(), path, sqlite.Config{Journal: journal, BusyTimeout: 30 * time.Second})
					if err != nil {
						t.Errorf("Open: %v", err)
						return
					}
					defer s.Close()
					if _, err := s.Ensure(t.Context(), users.Identity{Sub: "s", Provider: "Kakao", Subject: "1"}); err != nil {
						t.Errorf("Ensure: %v", err)
					}
				})
			}
			wg.Wait()
			s := open(t, path, sqlite.Config{Journal: journal})
			rows := 0
			if err := users.Walk(t.Context(), s, func(users.User) error { rows++; return nil }); err != nil || rows != 1 {
				t.Fatalf("%d rows, %v", rows, err)
			}
		})
	}
}

func TestOpenCompletesAnExistingTable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	exec(t, path, `CREATE TABLE users (id INTEGER PRIMARY KEY, Kakao_ID TEXT, student_no TEXT NOT NULL DEFAULT 'none');
		INSERT INTO users (id, kakao_id, student_no) VALUES (41, '777', '2026-1')`)
	s := open(t, path, with("Kakao", "kakao_id", "Naver", "naver_id"))
	for _, tc := range []struct {
		who  users.Identity
		want users.Result
	}{
		{users.Identity{Sub: "a", Provider: "Kakao", Subject: "777"}, users.Result{ID: "41", Outcome: users.Linked}},
		{users.Identity{Sub: "b", Provider: "Naver", Subject: "777"}, users.Result{ID: "42", Outcome: users.Created}},
		{users.Identity{Sub: "c", Provider: "Naver", Subject: "777"}, users.Result{ID: "42", Outcome: users.Moved}},
	} {
		if got, err := s.Ensure(t.Context(), tc.who); err != nil || got != tc.want {
			t.Errorf("Ensure = %+v, %v, want %+v", got, err, tc.want)
		}
	}
}

func TestOpenRefusesATable(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ script, want string }{
		"no primary key":     {"CREATE TABLE users (id INTEGER, kakao_id TEXT)", "primary key"},
		"text primary key":   {"CREATE TABLE users (id TEXT PRIMARY KEY)", "its type is text, but bigint"},
		"two-part key":       {"CREATE TABLE users (id INTEGER, org INTEGER, PRIMARY KEY (id, org))", "primary key"},
		"another key":        {"CREATE TABLE users (uid INTEGER PRIMARY KEY)", "key-wrong"},
		"key not numbered":   {"CREATE TABLE users (id INT PRIMARY KEY)", "INTEGER PRIMARY KEY"},
		"a view":             {"CREATE TABLE u (id INTEGER PRIMARY KEY); CREATE VIEW users AS SELECT id FROM u", "view"},
		"numbers as text":    {"CREATE TABLE users (id INTEGER PRIMARY KEY, kakao_id BIGINT)", "its type is bigint, but it must be text"},
		"a column must be":   {"CREATE TABLE users (id INTEGER PRIMARY KEY, org TEXT NOT NULL)", "insert-needs-value"},
		"other moves table":  {"CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE sso_moves (id INTEGER PRIMARY KEY)", "moves-table-wrong"},
		"shared kakao ids":   {"CREATE TABLE users (id INTEGER PRIMARY KEY, kakao_id TEXT); INSERT INTO users (kakao_id) VALUES ('11'), ('11'), ('22'), ('22'), ('33')", "2 values are shared by 4 rows"},
		"shared, two types":  {"CREATE TABLE users (id INTEGER PRIMARY KEY, kakao_id); INSERT INTO users (kakao_id) VALUES ('11'), (11)", "not declared"},
		"shared cognito_sub": {"CREATE TABLE users (id INTEGER PRIMARY KEY, cognito_sub TEXT); INSERT INTO users (cognito_sub) VALUES ('a'), ('a')", "1 values are shared by 2 rows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "users.db")
			exec(t, path, tc.script)
			_, err := sqlite.Open(t.Context(), path, sqlite.Config{})
			if !errors.Is(err, users.ErrSchema) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("Open: %v, want ErrSchema with %q", err, tc.want)
			}
			var columns int
			if err := openDB(t, path).QueryRowContext(t.Context(), "SELECT count(*) FROM pragma_table_info('users') WHERE name = 'last_login_at'").Scan(&columns); err != nil || columns != 0 {
				t.Errorf("the refused table was changed: %d, %v", columns, err)
			}
		})
	}
}

func exec(t *testing.T, path, script string) {
	t.Helper()
	if _, err := openDB(t, path).ExecContext(t.Context(), script); err != nil {
		t.Fatal(err)
	}
}

// A column of numbers must not take "042" for 42.
func TestNumbersAreCanonical(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	exec(t, path, "CREATE TABLE users (id INTEGER PRIMARY KEY, kakao_id INTEGER); INSERT INTO users (kakao_id) VALUES (42)")
	s := open(t, path, sqlite.Config{Table: table.Config{Providers: map[string]table.ProviderColumn{"Kakao": {Name: "kakao_id", Type: table.SubjectNumber}}}})
	for _, subject := range []string{"042", "42.0", "4.2e1", " 42", "42 ", "+42", "0x2a", "abc", "99999999999999999999"} {
		got, err := s.Ensure(t.Context(), users.Identity{Sub: "x", Provider: "Kakao", Subject: subject})
		if !errors.Is(err, users.ErrInvalid) {
			t.Errorf("Ensure(%q) = %+v, %v, want ErrInvalid", subject, got, err)
		}
	}
	if got, err := s.Ensure(t.Context(), users.Identity{Sub: "x", Provider: "Kakao", Subject: "42"}); err != nil || got.Outcome != users.Linked {
		t.Errorf("Ensure(42) = %+v, %v", got, err)
	}
}

// In a column of text they are different people.
func TestTextIsNotNumbers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	s := open(t, path, sqlite.Config{})
	ids := map[string]bool{}
	for i, subject := range []string{"42", "042", "42.0", " 42"} {
		got, err := s.Ensure(t.Context(), users.Identity{Sub: fmt.Sprint(i), Provider: "Kakao", Subject: subject})
		if err != nil || ids[got.ID] {
			t.Fatalf("Ensure(%q) = %+v, %v", subject, got, err)
		}
		ids[got.ID] = true
	}
}

func TestIDsAreNeverReused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	s := open(t, path, sqlite.Config{})
	first, err := s.Ensure(t.Context(), users.Identity{Sub: "a"})
	if err != nil {
		t.Fatal(err)
	}
	exec(t, path, "DELETE FROM users")
	second, err := s.Ensure(t.Context(), users.Identity{Sub: "b"})
	if err != nil || second.ID == first.ID {
		t.Fatalf("the id of a deleted row was given again: %+v, %v", second, err)
	}
}

// Another process holds the write lock: the wait ends with the context, and
// with BusyTimeout if that is sooner.
func TestBusy(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ busy, ctx time.Duration }{
		"the context ends first": {time.Minute, 150 * time.Millisecond},
		"BusyTimeout ends first": {150 * time.Millisecond, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "users.db")
			s := open(t, path, sqlite.Config{BusyTimeout: tc.busy})
			conn, err := openDB(t, path).Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), tc.ctx)
			defer cancel()
			started := time.Now()
			_, err = s.Ensure(ctx, users.Identity{Sub: "a"})
			if took := time.Since(started); !errors.Is(err, users.ErrUnavailable) || took > 20*time.Second {
				t.Fatalf("Ensure: %v after %v, want ErrUnavailable soon", err, took)
			}
			if _, err := s.IDBySub(t.Context(), "a"); !errors.Is(err, users.ErrNotFound) {
				t.Errorf("a reader waits for the writer: %v", err)
			}
			if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			if _, err := s.Ensure(t.Context(), users.Identity{Sub: "a"}); err != nil {
				t.Errorf("Ensure after the lock was freed: %v", err)
			}
		})
	}
}

// Two stores on one file are two processes to SQLite.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	stores := []*sqlite.Store{
		open(t, path, sqlite.Config{BusyTimeout: time.Minute}),
		open(t, path, sqlite.Config{BusyTimeout: time.Minute}),
	}
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			who := users.Identity{Sub: fmt.Sprint("s", i%20), Provider: "Kakao", Subject: fmt.Sprint(i % 20)}
			if _, err := stores[i%2].Ensure(t.Context(), who); err != nil {
				t.Errorf("Ensure: %v", err)
			}
		})
	}
	wg.Wait()
	rows := 0
	if err := users.Walk(t.Context(), stores[0], func(users.User) error { rows++; return nil }); err != nil || rows != 20 {
		t.Fatalf("%d rows, %v, want 20", rows, err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "users.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	calls := map[string]error{}
	_, calls["Ensure"] = s.Ensure(t.Context(), users.Identity{Sub: "a"})
	_, calls["IDBySub"] = s.IDBySub(t.Context(), "a")
	_, calls["Get"] = s.Get(t.Context(), "1")
	_, calls["RecordSignIns"] = s.RecordSignIns(t.Context(), []users.SignIn{{Sub: "a", At: time.Now()}})
	calls["Walk"] = users.Walk(t.Context(), s, func(users.User) error { return nil })
	for name, err := range calls {
		if !errors.Is(err, users.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}

func TestLegacyTimes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	s := open(t, path, sqlite.Config{})
	exec(t, path, `INSERT INTO users (last_login_at, created_at) VALUES
		('2020-01-02 03:04:05', '2020-01-02'), ('2020-01-02T03:04:05+09:00', 'long ago')`)
	for id, want := range map[string][2]time.Time{
		"1": {time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)},
		"2": {time.Date(2020, 1, 1, 18, 4, 5, 0, time.UTC), {}},
	} {
		u, err := s.Get(t.Context(), id)
		if err != nil || !u.LastLogin.Equal(want[0]) || !u.Created.Equal(want[1]) {
			t.Errorf("row %s = %+v, %v", id, u, err)
		}
	}
}
