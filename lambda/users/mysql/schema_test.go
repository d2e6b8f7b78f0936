package mysql_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	numbers := table.Config{Providers: map[string]table.ProviderColumn{"Kakao": {Name: "kakao_id", Type: table.SubjectNumber}}}
	for _, row := range []struct {
		name     string
		old, new string // in the starter
		layout   table.Config
		want     []string
	}{
		{"no table", "TABLE users", "TABLE people", table.Config{}, []string{"table users: there is no such table"}},
		{"a view", starter, strings.Replace(starter, "TABLE users", "TABLE people", 1) + "; CREATE VIEW users AS SELECT * FROM people", table.Config{}, []string{"is a view"}},
		{"no transactions", "ENGINE=InnoDB", "ENGINE=MyISAM", table.Config{}, []string{"engine is MyISAM"}},
		{"no column of subs", "", "", table.Config{Sub: "sub"}, []string{"no column sub"}},
		{"no unique sub", "UNIQUE (cognito_sub)", "KEY (cognito_sub)", table.Config{}, []string{"cognito_sub needs a unique index"}},
		{"no unique provider", "UNIQUE (kakao_id)", "KEY (kakao_id)", table.Config{}, []string{"kakao_id needs a unique index"}},
		{"unique with another", "UNIQUE (kakao_id)", "UNIQUE (kakao_id, google_id)", table.Config{}, []string{"kakao_id needs a unique index"}},
		{"unique in part", "UNIQUE (cognito_sub)", "UNIQUE (cognito_sub(20))", table.Config{}, []string{"cognito_sub needs a unique index"}},
		{"several at once", "UNIQUE (kakao_id), UNIQUE (google_id), UNIQUE (cognito_sub)", "KEY (email)", table.Config{Email: "mail", LastLogin: "seen"},
			[]string{"kakao_id needs", "google_id needs", "cognito_sub needs", "no column mail", "no column seen"}},
		{"id is not numbered", "AUTO_INCREMENT PRIMARY", "PRIMARY", table.Config{}, []string{"id must be AUTO_INCREMENT"}},
		{"id is int", "id bigint", "id int", table.Config{}, []string{"id is int"}},
		{"id is text", "id bigint NOT NULL AUTO_INCREMENT", "id varchar(36) NOT NULL", table.Config{}, []string{"id is varchar(36)"}},
		{"id is short", "id bigint NOT NULL AUTO_INCREMENT", "id varchar(35) NOT NULL", table.Config{IDType: table.Text}, []string{"id is varchar(35), which is too short"}},
		{"id is bytes of another length", "id bigint NOT NULL AUTO_INCREMENT", "id binary(20) NOT NULL", table.Config{IDType: table.UUID}, []string{"id is binary(20)"}},
		{"key of two columns", "PRIMARY KEY,", ", org int NOT NULL DEFAULT 1, PRIMARY KEY (id, org),", table.Config{}, []string{"primary key must be column id alone"}},
		{"another key", "PRIMARY KEY,", "UNIQUE, org varchar(9) NOT NULL DEFAULT (UUID_SHORT()) PRIMARY KEY,", table.Config{}, []string{"primary key must be column id alone"}},
		{"numbers as text", "", "", numbers, []string{"kakao_id is varchar(255); for numbers"}},
		{"numbers too small", "kakao_id varchar(255) COLLATE utf8mb4_nopad_bin", "kakao_id int unsigned", numbers, []string{"kakao_id is int(10) unsigned; for numbers"}},
		{"text as numbers", "kakao_id varchar(255) COLLATE utf8mb4_nopad_bin", "kakao_id bigint", table.Config{}, []string{"kakao_id is bigint(20); it must be text"}},
		{"sub is padded bytes", "cognito_sub varchar(255) COLLATE utf8mb4_nopad_bin", "cognito_sub binary(36)", table.Config{}, []string{"cognito_sub is binary(36)"}},
		{"sub is required", "cognito_sub varchar(255) COLLATE utf8mb4_nopad_bin", "cognito_sub varchar(255) NOT NULL", table.Config{}, []string{"cognito_sub must allow NULL"}},
		{"sub has a default", "cognito_sub varchar(255) COLLATE utf8mb4_nopad_bin", "cognito_sub varchar(255) DEFAULT 'x'", table.Config{}, []string{"cognito_sub must have no default"}},
		{"sub is computed", "cognito_sub varchar(255) COLLATE utf8mb4_nopad_bin", "cognito_sub varchar(255) AS (CONCAT('x', kakao_id)) STORED", table.Config{}, []string{"cognito_sub is computed"}},
		{"times are text", "last_login_at datetime(6), created_at datetime(6)", "last_login_at varchar(30), created_at int", table.Config{}, []string{"last_login_at is varchar(30)", "created_at is int(11)"}},
		{"email is a number", "email varchar(255)", "email bigint", table.Config{}, []string{"email is bigint(20)"}},
		{"a column without a default", "name varchar(255)", "name varchar(255), student_no varchar(9) NOT NULL", table.Config{}, []string{"student_no must have a default"}},
		{"a default that fits once", "name varchar(255)", "name varchar(255), student_no varchar(9) NOT NULL DEFAULT 'none' UNIQUE", table.Config{}, []string{"index student_no is on columns whose default"}},
		{"a number that fits once", "name varchar(255)", "name varchar(255), student_no int DEFAULT 0 UNIQUE", table.Config{}, []string{"index student_no is on columns whose default"}},
		{"the table of another case", "TABLE users", "TABLE Users", table.Config{}, []string{"no such table"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			script := strings.Replace(starter, row.old, row.new, 1)
			if script == starter && row.old != row.new {
				t.Fatal("the row changes nothing")
			}
			f := setUp(t, script+";"+moves, row.layout)
			wantRefused(t, f, row.want)
		})
	}
}

func wantRefused(t *testing.T, f fixture, want []string) {
	t.Helper()
	err := f.Check(t.Context())
	if !errors.Is(err, users.ErrSchema) {
		t.Fatalf("Check: %v, want ErrSchema", err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("Check does not say %q:\n%v", w, err)
		}
	}
	if lines := strings.Count(err.Error(), "\n") + 1; lines != len(want) {
		t.Errorf("Check says %d things, want %d:\n%v", lines, len(want), err)
	}
	calls := map[string]error{}
	_, calls["Ensure"] = f.Ensure(t.Context(), kakao("a", 1))
	_, calls["IDBySub"] = f.IDBySub(t.Context(), "a")
	_, calls["Get"] = f.Get(t.Context(), "1")
	_, calls["Page"] = f.Page(t.Context(), "", 1)
	_, calls["RecordSignIns"] = f.RecordSignIns(t.Context(), []users.SignIn{{Sub: "a", At: time.Now()}})
	for name, err := range calls {
		if !errors.Is(err, users.ErrSchema) {
			t.Errorf("%s: %v, want ErrSchema", name, err)
		}
	}
	for _, name := range []string{"users", "people", "Users"} {
		if scalar(t, f.db, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND BINARY table_name = ?", name) == "0" {
			continue
		}
		if n := scalar(t, f.db, "SELECT COUNT(*) FROM "+name); n != "0" {
			t.Errorf("%s rows were written", n)
		}
	}
}

func TestCheckRefusesMoves(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		script string
		want   []string
	}{
		"no table":      {"SELECT 1", []string{"table sso_moves: there is no such table"}},
		"short columns": {strings.Replace(moves, "to_sub varchar(255)", "to_sub varchar(36)", 1), []string{"to_sub is varchar(36), which is shorter"}},
		"a column of its own": {strings.Replace(moves, "moved_at datetime(6) NOT NULL", "moved_at date, who varchar(9) NOT NULL", 1),
			[]string{"moved_at is date", "who must have a default"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, setUp(t, starter+";"+row.script, table.Config{}), row.want)
		})
	}
}

func TestCheckTakes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		old, new string
		layout   table.Config
	}{
		"defaults that differ": {"name varchar(255)", "name varchar(255), card char(36) NOT NULL DEFAULT UUID() UNIQUE, no int NULL UNIQUE", table.Config{}},
		"a tenant's email":     {"UNIQUE (kakao_id)", "UNIQUE (kakao_id), UNIQUE (name, email)", table.Config{}},
		"none of the extras":   {"email varchar(255), name varchar(255),\n\tlast_login_at datetime(6), created_at datetime(6),", "", table.Config{Email: table.None, DisplayName: table.None, LastLogin: table.None, Created: table.None}},
		"a computed column":    {"name varchar(255)", "name varchar(255), shown varchar(99) AS (COALESCE(name, 'nobody')) STORED", table.Config{}},
		"columns of any case":  {"cognito_sub varchar", "Cognito_SUB varchar", table.Config{}},
		"text, whole":          {"cognito_sub varchar(255)", "cognito_sub text", table.Config{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := strings.Replace(starter, row.old, row.new, 1)
			if script == starter {
				t.Fatal("the row changes nothing")
			}
			f := setUp(t, script+";"+moves, row.layout)
			if err := f.Check(t.Context()); err != nil {
				t.Fatalf("Check: %v", err)
			}
			a, b := ensure(t, f, kakao("a", 1)), ensure(t, f, kakao("b", 2))
			if a.ID == b.ID || ensure(t, f, kakao("a", 1)) != (users.Result{ID: a.ID, Outcome: users.Existing}) {
				t.Errorf("Ensure = %+v, %+v", a, b)
			}
			_, err := f.RecordSignIns(t.Context(), []users.SignIn{{Sub: "a", At: time.Now()}})
			if want := row.layout.LastLogin == table.None; errors.Is(err, users.ErrSchema) != want || (err != nil) != want {
				t.Errorf("RecordSignIns: %v", err)
			}
		})
	}
}

// A table that is mended is looked at again, without a new store.
func TestCheckAgain(t *testing.T) {
	t.Parallel()
	f := setUp(t, strings.Replace(starter, "UNIQUE (cognito_sub)", "KEY (cognito_sub)", 1)+";"+moves, table.Config{})
	if _, err := f.Ensure(t.Context(), kakao("a", 1)); !errors.Is(err, users.ErrSchema) {
		t.Fatalf("Ensure: %v, want ErrSchema", err)
	}
	exec(t, f.db, "ALTER TABLE users ADD UNIQUE (cognito_sub)")
	ensure(t, f, kakao("a", 1))
	// A column that goes away later is no riddle either.
	exec(t, f.db, "ALTER TABLE users DROP COLUMN email")
	if _, err := f.Ensure(t.Context(), users.Identity{Sub: "b", Email: "b@example.test"}); !errors.Is(err, users.ErrSchema) {
		t.Errorf("Ensure: %v, want ErrSchema", err)
	}
}

// An index that goes away later lets nobody be taken for two.
func TestAmbiguous(t *testing.T) {
	t.Parallel()
	f := setUp(t, starter+";"+moves, table.Config{})
	ensure(t, f, kakao("a", 1))
	exec(t, f.db, "ALTER TABLE users DROP INDEX cognito_sub; INSERT INTO users (cognito_sub, kakao_id) VALUES ('a', '2'); UPDATE users SET kakao_id = NULL")
	if _, err := f.IDBySub(t.Context(), "a"); !errors.Is(err, users.ErrAmbiguous) {
		t.Errorf("IDBySub: %v, want ErrAmbiguous", err)
	}
	if got, err := f.Ensure(t.Context(), kakao("a", 3)); !errors.Is(err, users.ErrAmbiguous) {
		t.Errorf("Ensure = %+v, %v, want ErrAmbiguous", got, err)
	}
}

// A name may have a schema before it.
func TestQualifiedName(t *testing.T) {
	t.Parallel()
	home := setUp(t, starter+";"+moves, table.Config{})
	other := setUp(t, "SELECT 1", table.Config{Name: home.cfg.Conn.Database + ".users"})
	first := ensure(t, other, kakao("a", 1))
	if got := ensure(t, home, kakao("a", 1)); got.ID != first.ID || got.Outcome != users.Existing {
		t.Errorf("Ensure = %+v", got)
	}
	if got := ensure(t, other, kakao("b", 1)); got.Outcome != users.Moved {
		t.Errorf("Ensure = %+v", got)
	}
	if n := scalar(t, home.db, "SELECT COUNT(*) FROM sso_moves"); n != "1" {
		t.Errorf("%s moves", n)
	}
	if report, err := other.RecordSignIns(t.Context(), []users.SignIn{{Sub: "b", At: time.Now()}, {Sub: "x", At: time.Now()}}); err != nil || report.Updated != 1 || len(report.Unknown) != 1 {
		t.Errorf("RecordSignIns = %+v, %v", report, err)
	}
	if page, err := other.Page(t.Context(), "", 10); err != nil || len(page) != 1 {
		t.Errorf("Page = %+v, %v", page, err)
	}
}
