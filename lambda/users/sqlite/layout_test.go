package sqlite_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// person is one person under any sub.
func person(sub string) users.Identity {
	return users.Identity{Sub: sub, Provider: "Kakao", Subject: "4000000001", Email: "a@example.test", Name: "Hana", At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
}

func TestWithoutOptionalColumns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	exec(t, path, "CREATE TABLE people (no INTEGER PRIMARY KEY, kakao TEXT)")
	s := open(t, path, sqlite.Config{Table: table.Config{
		Name: "people", ID: "no", Email: table.None, DisplayName: table.None, LastLogin: table.None, Created: table.None,
		Providers: map[string]table.ProviderColumn{"Kakao": {Name: "kakao"}},
	}})
	exec(t, path, "INSERT INTO people (kakao) VALUES ('4000000001'), ('4000000002')")
	var got users.Result
	for _, step := range []struct {
		subject, sub string
		want         users.Outcome
	}{{"4000000002", "l", users.Linked}, {"4000000002", "m", users.Moved}, {"4000000003", "c", users.Created}, {"4000000001", "a", users.Linked}} {
		who := person(step.sub)
		who.Subject = step.subject
		var err error
		if got, err = s.Ensure(t.Context(), who); err != nil || got.Outcome != step.want || got.SignInRecorded {
			t.Fatalf("Ensure = %+v, %v, want %s: there is no column for the sign-in", got, err, step.want)
		}
	}
	u, err := s.Get(t.Context(), got.ID)
	if err != nil || u.Sub != "a" || u.Providers["Kakao"] != "4000000001" || u.Email != "" || !u.Created.IsZero() {
		t.Errorf("Get = %+v, %v", u, err)
	}
	if _, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: "a", At: time.Now()}}); !errors.Is(err, users.ErrSchema) {
		t.Errorf("RecordSignIns without a column: %v, want ErrSchema", err)
	}
	want := []string{"no", "kakao", "cognito_sub"}
	if got := names(t, path, "people"); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("columns = %v, want %v", got, want)
	}
}

func names(t *testing.T, path, name string) []string {
	t.Helper()
	rows, err := openDB(t, path).QueryContext(t.Context(), "SELECT name FROM pragma_table_info(?)", name)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

func TestAdoptLeavesARecord(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	s := open(t, path, sqlite.Config{Table: table.Config{Moves: "who_moved"}, Now: func() time.Time { return now }})
	first, err := s.Ensure(t.Context(), person("a"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second call finds it done
		if got, err := s.Ensure(t.Context(), person("b")); err != nil || got.ID != first.ID {
			t.Fatalf("Ensure = %+v, %v", got, err)
		}
	}
	var user, provider, from, to, at string
	row := openDB(t, path).QueryRowContext(t.Context(), "SELECT user_id, provider, from_sub, to_sub, moved_at FROM who_moved WHERE (SELECT count(*) FROM who_moved) = 1")
	if err := row.Scan(&user, &provider, &from, &to, &at); err != nil {
		t.Fatalf("not one record: %v", err)
	}
	if user != first.ID || provider != "Kakao" || from != "a" || to != "b" || at != "2026-03-02T09:00:00.000000Z" {
		t.Errorf("record = %q %q %q %q %q", user, provider, from, to, at)
	}
}

// A move without its record does not happen.
func TestAdoptAndItsRecordAreOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	s := open(t, path, sqlite.Config{})
	first, err := s.Ensure(t.Context(), person("a"))
	if err != nil {
		t.Fatal(err)
	}
	exec(t, path, "CREATE TRIGGER full BEFORE INSERT ON sso_moves BEGIN SELECT raise(ABORT, 'no'); END")
	if got, err := s.Ensure(t.Context(), person("b")); err == nil {
		t.Errorf("Ensure = %+v though the record failed", got)
	}
	if u, err := s.Get(t.Context(), first.ID); err != nil || u.Sub != "a" {
		t.Errorf("row = %+v, %v", u, err)
	}
	exec(t, path, "DROP TRIGGER full; CREATE TRIGGER stuck BEFORE UPDATE ON users BEGIN SELECT raise(ABORT, 'no'); END")
	if got, err := s.Ensure(t.Context(), person("b")); err == nil {
		t.Errorf("Ensure = %+v though the update failed", got)
	}
	var records int
	if err := openDB(t, path).QueryRowContext(t.Context(), "SELECT count(*) FROM sso_moves").Scan(&records); err != nil || records != 0 {
		t.Errorf("%d records of a move that was not, %v", records, err)
	}
}

func TestRefuseChangesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	s := open(t, path, sqlite.Config{Table: table.Config{Moved: table.Refuse}})
	first, err := s.Ensure(t.Context(), person("a"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Ensure(t.Context(), person("b")); !errors.Is(err, users.ErrMoveRefused) {
		t.Errorf("Ensure = %+v, %v, want ErrMoveRefused", got, err)
	}
	if u, err := s.Get(t.Context(), first.ID); err != nil || u.Sub != "a" {
		t.Errorf("row = %+v, %v", u, err)
	}
	if len(names(t, path, "sso_moves")) != 0 {
		t.Error("a table of moves was made for a store that refuses them")
	}
}

// Somebody dropped the unique indexes of a table in use.
func TestAmbiguous(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ script, want string }{
		"two rows with the provider's id": {`DROP INDEX users_kakao_id_key;
			INSERT INTO users (kakao_id, cognito_sub) VALUES ('4000000001', 'x'), ('4000000001', 'y')`, "x y"},
		"two rows with the sub": {`DROP INDEX users_cognito_sub_key;
			INSERT INTO users (cognito_sub) VALUES ('a'), ('a')`, "a a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "users.db")
			exec(t, path, "CREATE TABLE users (id INTEGER PRIMARY KEY, kakao_id TEXT)")
			s := open(t, path, sqlite.Config{})
			exec(t, path, tc.script)
			got, err := s.Ensure(t.Context(), person("a"))
			if !errors.Is(err, users.ErrAmbiguous) || strings.Contains(err.Error(), "4000000001") {
				t.Fatalf("Ensure = %+v, %v, want ErrAmbiguous", got, err)
			}
			var subs string
			if err := openDB(t, path).QueryRowContext(t.Context(), "SELECT group_concat(cognito_sub, ' ') FROM users").Scan(&subs); err != nil || subs != tc.want {
				t.Errorf("the rows were changed: %q, %v", subs, err)
			}
		})
	}
}

func TestOpenRefusesDuplicatesAsAmbiguous(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	exec(t, path, "CREATE TABLE users (id INTEGER PRIMARY KEY, kakao_id TEXT); INSERT INTO users (kakao_id) VALUES ('4000000001'), ('4000000001')")
	_, err := sqlite.Open(t.Context(), path, sqlite.Config{})
	if !errors.Is(err, users.ErrAmbiguous) || !errors.Is(err, users.ErrSchema) || strings.Contains(err.Error(), "4000000001") {
		t.Errorf("Open: %v, want ErrSchema and ErrAmbiguous, and no id", err)
	}
}

func TestInt32EndsWithAnError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	s := open(t, path, sqlite.Config{Table: table.Config{IDType: table.Int}})
	exec(t, path, "INSERT INTO users (id) VALUES (2147483646)")
	if got, err := s.Ensure(t.Context(), users.Identity{Sub: "a"}); err != nil || got.ID != "2147483647" {
		t.Errorf("Ensure = %+v, %v", got, err)
	}
	if got, err := s.Ensure(t.Context(), users.Identity{Sub: "b"}); err == nil {
		t.Errorf("Ensure = %+v: more than 32 bits", got)
	}
	if _, err := s.IDBySub(t.Context(), "b"); !errors.Is(err, users.ErrNotFound) {
		t.Errorf("the refused row is there: %v", err)
	}
}
