package postgres_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// What a column takes for equal is more than what is equal. Nobody may get a
// row because of it.
func TestColumnsThatFoldValues(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		kakao, has, comes string
		want              error // nil: linked
	}{
		"citext, the same":             {"citext", "AbC", "AbC", nil},
		"citext, another case":         {"citext", "AbC", "aBc", users.ErrConflict},
		"char, the same":               {"char(20)", "4000000001", "4000000001", nil},
		"char, blanks behind":          {"char(20)", "4000000001", "4000000001 ", users.ErrInvalid},
		"number that is text, zeros":   {"bigint", "42", "042", users.ErrInvalid},
		"number that is text, letters": {"bigint", "42", "4e1", users.ErrSchema},
		"collation without case":       {`text COLLATE "nocase"`, "AbC", "aBc", users.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, "CREATE EXTENSION IF NOT EXISTS citext",
				`CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
				inPublic(usersTable(bigint, "varchar(300)", row.kakao, "timestamptz")+movesTable),
				"INSERT INTO users (kakao_id) VALUES ('"+row.has+"')")
			s := open(t, config(t, db.dsn, table.Config{}))
			who := users.Identity{Sub: "first-sub", Provider: "Kakao", Subject: row.comes}
			if row.want == nil {
				ensure(t, s, who, users.Linked)
				ensure(t, s, who, users.Existing)
				return
			}
			_, err := s.Ensure(t.Context(), who)
			wantError(t, err, row.want)
			if strings.Contains(err.Error(), row.comes) {
				t.Errorf("the error quotes the id: %v", err)
			}
			if n := db.value(t, "SELECT count(*) FROM users WHERE cognito_sub IS NULL"); n != "1" {
				t.Error("the row of somebody else was taken")
			}
		})
	}
}

// The same for the sub, in every method that looks it up.
func TestSubThatFoldsCase(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "CREATE EXTENSION IF NOT EXISTS citext", inPublic(usersTable(bigint, "citext", "text", "timestamptz")+movesTable))
	s := open(t, config(t, db.dsn, table.Config{}))
	id := ensure(t, s, users.Identity{Sub: "AbC"}, users.Created)
	_, err := s.Ensure(t.Context(), users.Identity{Sub: "aBc"})
	wantError(t, err, users.ErrConflict)
	_, err = s.IDBySub(t.Context(), "aBc")
	wantError(t, err, users.ErrNotFound)
	if got, err := s.IDBySub(t.Context(), "AbC"); err != nil || got != id {
		t.Errorf("IDBySub = %s, %v", got, err)
	}
	report, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: "aBc", At: time.Now()}, {Sub: "AbC", At: time.Now()}})
	if err != nil || report.Updated != 1 || fmt.Sprint(report.Unknown) != "[aBc]" {
		t.Errorf("RecordSignIns = %+v, %v", report, err)
	}
}

// An empty text is no id, as programs write it that know no NULL.
func TestEmptyTextIsNoID(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable, "INSERT INTO users (cognito_sub, kakao_id) VALUES ('', '4000000001')",
		"INSERT INTO users (cognito_sub, kakao_id) VALUES ('second-sub', '')")
	s := open(t, config(t, db.dsn, table.Config{}))
	ensure(t, s, student, users.Linked)
	ensure(t, s, users.Identity{Sub: "second-sub", Provider: "Kakao", Subject: "7"}, users.Existing)
	if got := db.value(t, "SELECT string_agg(cognito_sub || kakao_id, ' ' ORDER BY id) FROM users"); got != "first-sub4000000001 second-sub7" {
		t.Errorf("rows = %s", got)
	}
}

// A name or email is worth less than the student who comes with it.
func TestDecorationThatDoesNotFit(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]string{
		"too long":            "ALTER TABLE users ALTER email TYPE varchar(10), ALTER name TYPE char(3)",
		"against a check":     "ALTER TABLE users ADD CHECK (email LIKE '%.ac.kr')",
		"too large for index": "CREATE INDEX ON users (repeat(md5(name), 400))",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, plainTable, alter)
			s := open(t, config(t, db.dsn, table.Config{}))
			who := student
			who.Name = strings.Repeat("가나다라", 3000)
			ensure(t, s, who, users.Created)
			ensure(t, s, who, users.Existing)
		})
	}
}

// An old database does not know every letter.
func TestDatabaseOfAnotherEncoding(t *testing.T) {
	t.Parallel()
	outer := newDatabase(t)
	name := outer.value(t, "SELECT current_database() || '_euckr'")
	outer.exec(t, "CREATE DATABASE "+name+" ENCODING 'EUC_KR' LOCALE 'C' TEMPLATE template0")
	dsn := strings.Replace(outer.dsn, outer.value(t, "SELECT current_database()"), name, 1)
	db := connectTo(t, dsn, plainTable)
	s := open(t, config(t, dsn, table.Config{}))
	known, unknown := student, users.Identity{Sub: "x", Name: "😀"}
	known.Name = "김하나"
	id := ensure(t, s, known, users.Created)
	if u, err := s.Get(t.Context(), id); err != nil || u.Name != known.Name {
		t.Errorf("row = %+v, %v", u, err)
	}
	ensure(t, s, unknown, users.Created)
	if n := db.value(t, "SELECT count(*) FROM users WHERE name IS NULL"); n != "1" {
		t.Errorf("%s rows without a name", n)
	}
}

// The defaults of the organisation hold where an identity says nothing.
func TestDefaultsHold(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, inPublic(oddTable))
	s := open(t, config(t, db.dsn, oddLayout))
	ensure(t, s, users.Identity{Sub: "first-sub"}, users.Created)
	if got := db.value(t, `SELECT concat_ws('|', student_no, kind, mail, "from" IS NULL, badge IS NOT NULL, abs(extract(epoch FROM made) - extract(epoch FROM now())) < 60) FROM "select"`); got != "none|1||t|t|t" {
		t.Errorf("row = %s", got)
	}
}

func TestTableWithNothingOptional(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "CREATE TABLE users (id serial PRIMARY KEY, cognito_sub text UNIQUE)")
	s := open(t, config(t, db.dsn, table.Config{IDType: table.Int, Providers: map[string]table.ProviderColumn{}, Moved: table.Refuse,
		Email: table.None, DisplayName: table.None, LastLogin: table.None, Created: table.None}))
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := s.Ensure(t.Context(), student)
	if err != nil || got.Outcome != users.Created || got.SignInRecorded {
		t.Fatalf("Ensure = %+v, %v: there is no column for the sign-in", got, err)
	}
	ensure(t, s, student, users.Existing)
	ensure(t, s, again, users.Created) // a provider without a column is no bond
	u, err := s.Get(t.Context(), got.ID)
	if err != nil || u.Sub != student.Sub || u.Email != "" || !u.Created.IsZero() || len(u.Providers) != 0 {
		t.Errorf("row = %+v, %v", u, err)
	}
	_, err = s.RecordSignIns(t.Context(), []users.SignIn{{Sub: student.Sub, At: time.Now()}})
	wantError(t, err, users.ErrSchema)
}

// Without a column for it the rest of Ensure is the same, whatever becomes of the row.
func TestTableWithoutLastLogin(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable, "ALTER TABLE users DROP last_login_at", "INSERT INTO users (kakao_id) VALUES ('4000000001')")
	s := open(t, config(t, db.dsn, table.Config{LastLogin: table.None}))
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		who  users.Identity
		want users.Outcome
	}{{student, users.Linked}, {again, users.Moved}, {again, users.Existing}} {
		if got, err := s.Ensure(t.Context(), step.who); err != nil || got.Outcome != step.want || got.SignInRecorded {
			t.Errorf("Ensure = %+v, %v, want %s", got, err, step.want)
		}
	}
}

// A unique index of the organisation is no race, and no reason to link.
func TestAnotherUniqueIndex(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable, "ALTER TABLE users ADD CONSTRAINT one_email UNIQUE (email)")
	s := open(t, config(t, db.dsn, table.Config{}))
	ensure(t, s, student, users.Created)
	other := users.Identity{Sub: "second-sub", Provider: "Kakao", Subject: "7", Email: student.Email}
	_, err := s.Ensure(t.Context(), other)
	wantError(t, err, users.ErrConflict)
	if !strings.Contains(err.Error(), "one_email") {
		t.Errorf("does not name the constraint: %v", err)
	}
	if n := db.value(t, "SELECT count(*) FROM users"); n != "1" {
		t.Errorf("%s rows", n)
	}
}

func TestInfiniteTimes(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable, "INSERT INTO users (cognito_sub, last_login_at, created_at) VALUES ('first-sub', 'infinity', '-infinity')")
	s := open(t, config(t, db.dsn, table.Config{}))
	page, err := s.Page(t.Context(), "", 10)
	if err != nil || len(page) != 1 || !page[0].LastLogin.IsZero() || !page[0].Created.IsZero() {
		t.Errorf("Page = %+v, %v", page, err)
	}
}

// Ids of every type are ordered as their type is, not as text.
func TestPageOrder(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable, "INSERT INTO users (id) SELECT * FROM generate_series(-3, 12)")
	s := open(t, config(t, db.dsn, table.Config{}))
	var got []string
	for after, n := "", 3; n == 3; {
		page, err := s.Page(t.Context(), after, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page {
			got, after = append(got, u.ID), u.ID
		}
		n = len(page)
	}
	if want := "-3 -2 -1 0 1 2 3 4 5 6 7 8 9 10 11 12"; strings.Join(got, " ") != want {
		t.Errorf("order %v", got)
	}
}

// Several processes, each with its own pool, as Lambda instances are.
func TestManyInstances(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable)
	ids := make([]string, 50)
	var wg sync.WaitGroup
	for i := range ids {
		s := open(t, config(t, db.dsn, table.Config{}))
		wg.Go(func() {
			got, err := s.Ensure(t.Context(), student)
			if err != nil {
				t.Errorf("Ensure: %v", err)
			}
			ids[i] = got.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("ids %v", ids)
		}
	}
	if n := db.value(t, "SELECT count(*) FROM users"); n != "1" {
		t.Errorf("%s rows", n)
	}
}

// A proxy may drop what the store says of time zones when it connects.
func TestTimeZoneBehindProxy(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, seoul, inPublic(usersTable(bigint, "text", "text", "timestamp")+movesTable))
	cfg := config(t, db.dsn, table.Config{})
	cfg.Configure = func(p *pgxpool.Config) error { delete(p.ConnConfig.RuntimeParams, "timezone"); return nil }
	s := open(t, cfg)
	ensure(t, s, student, users.Created)
	if _, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: student.Sub, At: cfgTime}}); err != nil {
		t.Fatal(err)
	}
	if got := db.value(t, "SELECT to_char(last_login_at, 'YYYY-MM-DD HH24:MI') FROM users"); got != "2026-03-02 09:00" {
		t.Errorf("the column has %s", got)
	}
}
