package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// legacy makes an old table with a column of Kakao ids and of something else.
func (db database) legacy(t *testing.T, kakaoType string, ids ...string) {
	t.Helper()
	db.run(t, "CREATE TABLE users ("+db.key()+", student_no varchar(20) DEFAULT 'none' NOT NULL, kakao_id "+kakaoType+")")
	for _, id := range ids {
		db.run(t, "INSERT INTO users (kakao_id) VALUES ("+id+")")
	}
}

func TestPlanCompletesALegacyTable(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		kakaoType string
		cfg       table.Config
	}{
		"bigint":  {"bigint", kakao(table.SubjectNumber)},
		"varchar": {"varchar(30)", kakao(table.SubjectText)},
		"refuse":  {"varchar(255)", with(kakao(""), func(c *table.Config) { c.Moved = table.Refuse })},
		"least": {"varchar(255)", with(kakao(""), func(c *table.Config) {
			c.Email, c.DisplayName, c.LastLogin, c.Created = table.None, table.None, table.None, table.None
		})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, db database) {
				db.legacy(t, tc.kakaoType, "4000000001", "NULL", "4000000002", "NULL")
				before := db.scalar(t, "SELECT sum(id * 31) FROM users")
				p := db.plan(t, tc.cfg)
				if p.Empty() {
					t.Fatal("the plan is empty")
				}
				for range 2 { // the same plan again does nothing
					db.apply(t, p)
					db.wantEmptyPlan(t, tc.cfg)
				}
				if after := db.scalar(t, "SELECT sum(id * 31) FROM users"); after != before {
					t.Errorf("the ids changed")
				}
				if n := db.scalar(t, "SELECT count(*) FROM users WHERE student_no = 'none' AND cognito_sub IS NULL"); n != "4" {
					t.Errorf("%s rows are as they were, want 4", n)
				}
				for _, insert := range []string{"kakao_id) VALUES (4000000001", "cognito_sub) VALUES ('a'), ('a'"} {
					if _, err := db.ExecContext(t.Context(), "INSERT INTO users ("+insert+")"); err == nil {
						t.Errorf("%s: taken twice", insert)
					}
				}
			})
		})
	}
}

// What the file says is what Apply does, and its comments lead back.
func TestPlanAsAFile(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.legacy(t, "varchar(30)", "'4000000001'")
		file := db.plan(t, kakao("")).String()
		forward, back, ok := strings.Cut(file, "-- The way back")
		if !ok {
			t.Fatalf("no way back:\n%s", file)
		}
		one, err := db.Conn(t.Context()) // as a person with one session
		if err != nil {
			t.Fatal(err)
		}
		defer one.Close()
		for s := range strings.SplitSeq(forward, ";\n") {
			if _, err := one.ExecContext(t.Context(), s); err != nil && strings.Trim(s, " \n") != "" {
				t.Fatalf("%s: %v", s, err)
			}
		}
		db.wantEmptyPlan(t, kakao(""))
		_, back, _ = strings.Cut(back, "\n")
		for s := range strings.SplitSeq(strings.ReplaceAll(back, "-- ", ""), ";\n") {
			if _, err := one.ExecContext(t.Context(), s); err != nil && s != "" {
				t.Fatalf("%s: %v", s, err)
			}
		}
		if got := db.columns(t, "users"); !slices.Equal(got, []string{"id", "student_no", "kakao_id"}) {
			t.Errorf("columns after the way back: %v", got)
		}
		if again := db.plan(t, kakao("")).String(); again != file {
			t.Errorf("the plan is another one now:\n%s\nwas\n%s", again, file)
		}
	})
}

func TestPlanNames(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.run(t, "CREATE TABLE "+db.quote("Order")+" ("+strings.Replace(db.key(), "id", db.quote("Group"), 1)+")")
		p := db.plan(t, odd)
		db.apply(t, p)
		db.wantEmptyPlan(t, odd)
		for line := range strings.Lines(p.String()) {
			if strings.HasPrefix(line, `ver`) || strings.HasPrefix(line, `';`) {
				t.Errorf("a provider's name has left its comment: %s", line)
			}
		}
	})
}

// A name that is taken by something else is not used.
func TestPlanFindsAFreeName(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.legacy(t, "varchar(30)")
		db.run(t, "CREATE INDEX users_kakao_id_key ON users (kakao_id)")
		db.apply(t, db.plan(t, kakao("")))
		db.wantEmptyPlan(t, kakao(""))
	})
}

func TestPlanSees(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.legacy(t, "varchar(30)")
		db.apply(t, db.plan(t, kakao("")))
		db.run(t, "CREATE TABLE members ("+db.key()+", kakao_id varchar(30), org int, cognito_sub varchar(255))",
			"CREATE UNIQUE INDEX two ON members (kakao_id, org)")
		if db.d != migrate.MySQL {
			db.run(t, "CREATE UNIQUE INDEX half ON members (kakao_id) WHERE org > 1", "CREATE UNIQUE INDEX low ON members (lower(cognito_sub))")
		} else {
			db.run(t, "CREATE UNIQUE INDEX prefix ON members (cognito_sub(8))")
		}
		cfg := with(kakao(""), func(c *table.Config) { c.Name = "members" })
		file := db.plan(t, cfg).String()
		for _, column := range []string{"kakao_id", "cognito_sub"} {
			if !strings.Contains(file, "("+db.quote(column)+")") {
				t.Errorf("no unique index for %s, which has none that suffices:\n%s", column, file)
			}
		}
	})
}

func TestDuplicatesAreRefused(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.run(t, "CREATE TABLE users ("+db.key()+", kakao_id varchar(30), cognito_sub varchar(255), google_id varchar(255))")
		for _, v := range []string{"'777123', 'sub-secret', 'g1'", "'777123', 'sub-other', 'g2'", "'888456', 'sub-secret', 'g3'",
			"'888456', NULL, NULL", "'888456', NULL, NULL", "'999', 'x', 'g4'"} {
			db.run(t, "INSERT INTO users (kakao_id, cognito_sub, google_id) VALUES ("+v+")")
		}
		refused := db.refusal(t, table.Config{}, migrate.Options{})
		if !errors.Is(refused, users.ErrSchema) || !errors.Is(refused, users.ErrAmbiguous) || errors.Is(refused, migrate.ErrNoTable) {
			t.Errorf("error is %v", refused)
		}
		if len(refused.Findings) != 2 {
			t.Errorf("reasons: %v", refused.Findings)
		}
		for column, want := range map[string]struct {
			count int64
			rows  []string
		}{"kakao_id": {2, []string{"1", "2", "3", "4"}}, "cognito_sub": {1, []string{"1", "3"}}} {
			f, ok := find(refused.Findings, migrate.DuplicateValues, column)
			if !ok || f.Count != want.count || len(f.Rows) != 0 || f.Severity != migrate.Blocks {
				t.Errorf("%s: %+v", column, f)
			}
			f, _ = find(db.refusal(t, table.Config{}, migrate.Options{RowIDs: 4}).Findings, migrate.DuplicateValues, column)
			if !slices.Equal(f.Rows, want.rows) {
				t.Errorf("%s: rows %v, want %v", column, f.Rows, want.rows)
			}
		}
		for _, secret := range []string{"777", "888", "sub-secret"} {
			if strings.Contains(refused.Error(), secret) {
				t.Errorf("the error holds personal data: %v", refused)
			}
		}
		if got := db.columns(t, "users"); len(got) != 4 {
			t.Errorf("the refused table was changed: %v", got)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	type row struct {
		only   migrate.Dialect // "" is all
		create string          // KEY stands for the primary key
		cfg    table.Config
		code   migrate.Code
		column string
	}
	for name, tc := range map[string]row{
		"no table":            {"", "CREATE TABLE others (KEY)", kakao(""), migrate.NoTable, ""},
		"a view":              {"", "CREATE VIEW users AS SELECT 1 AS id", kakao(""), migrate.NotATable, ""},
		"another key":         {"", "CREATE TABLE users (KEY)", with(kakao(""), func(c *table.Config) { c.ID = "uid" }), migrate.KeyWrong, "uid"},
		"two-part key":        {"", "CREATE TABLE users (id bigint NOT NULL, org int NOT NULL, PRIMARY KEY (id, org))", kakao(""), migrate.KeyWrong, "id"},
		"no key":              {"", "CREATE TABLE users (id bigint)", kakao(""), migrate.KeyWrong, "id"},
		"key of another type": {"", "CREATE TABLE users (KEY)", with(kakao(""), func(c *table.Config) { c.IDType = table.UUID }), migrate.KeyWrong, "id"},
		"key not numbered":    {"", "CREATE TABLE users (id bigint NOT NULL PRIMARY KEY)", kakao(""), migrate.KeyNotNumbered, "id"},
		"int key as bigint":   {migrate.Postgres, "CREATE TABLE users (id serial PRIMARY KEY)", kakao(""), migrate.KeyWrong, "id"},
		"short key of text":   {migrate.MySQL, "CREATE TABLE users (id varchar(20) PRIMARY KEY)", with(kakao(""), func(c *table.Config) { c.IDType = table.Text }), migrate.KeyWrong, "id"},
		"numbers as text":     {"", "CREATE TABLE users (KEY, kakao_id bigint)", kakao(""), migrate.ColumnType, "kakao_id"},
		"text as numbers":     {"", "CREATE TABLE users (KEY, kakao_id varchar(30))", kakao(table.SubjectNumber), migrate.ColumnType, "kakao_id"},
		"32 bits":             {migrate.Postgres, "CREATE TABLE users (KEY, kakao_id int)", kakao(table.SubjectNumber), migrate.ColumnType, "kakao_id"},
		"32 bits unsigned":    {migrate.MySQL, "CREATE TABLE users (KEY, kakao_id int unsigned)", kakao(table.SubjectNumber), migrate.ColumnType, "kakao_id"},
		"a sub of numbers":    {"", "CREATE TABLE users (KEY, cognito_sub bigint)", kakao(""), migrate.ColumnType, "cognito_sub"},
		"a short sub":         {migrate.Postgres, "CREATE TABLE users (KEY, cognito_sub varchar(35))", kakao(""), migrate.ColumnShort, "cognito_sub"},
		"a short sub, MySQL":  {migrate.MySQL, "CREATE TABLE users (KEY, cognito_sub varchar(35))", kakao(""), migrate.ColumnShort, "cognito_sub"},
		"decimals":            {migrate.Postgres, "CREATE TABLE users (KEY, kakao_id numeric(20, 2))", kakao(table.SubjectNumber), migrate.ColumnType, "kakao_id"},
		"a default":           {"", "CREATE TABLE users (KEY, kakao_id varchar(255) DEFAULT '')", kakao(""), migrate.ColumnDefault, "kakao_id"},
		"a time of numbers":   {"", "CREATE TABLE users (KEY, last_login_at bigint)", kakao(""), migrate.ColumnType, "last_login_at"},
		"an email of numbers": {"", "CREATE TABLE users (KEY, email bigint)", kakao(""), migrate.ColumnType, "email"},
		"a generated column":  {"", "CREATE TABLE users (KEY, a varchar(255), kakao_id varchar(255) GENERATED ALWAYS AS (a) STORED)", kakao(""), migrate.ColumnType, "kakao_id"},
		"a sub must be":       {"", "CREATE TABLE users (KEY, cognito_sub varchar(255) DEFAULT '' NOT NULL)", kakao(""), migrate.ColumnNotNull, "cognito_sub"},
		"a Kakao id must be":  {"", "CREATE TABLE users (KEY, kakao_id varchar(255) NOT NULL)", kakao(""), migrate.ColumnNotNull, "kakao_id"},
		"a login must be":     {migrate.Postgres, "CREATE TABLE users (KEY, last_login_at timestamptz NOT NULL)", kakao(""), migrate.ColumnNotNull, "last_login_at"},
		"another must be":     {"", "CREATE TABLE users (KEY, student_no varchar(20) NOT NULL)", kakao(""), migrate.InsertNeedsValue, "student_no"},
		"case of a name":      {migrate.Postgres, `CREATE TABLE users (KEY, "Kakao_ID" text)`, kakao(""), migrate.ColumnCase, "kakao_id"},
		"one null only":       {migrate.Postgres, "CREATE TABLE users (KEY, kakao_id text UNIQUE NULLS NOT DISTINCT)", kakao(""), migrate.NullsNotDistinct, "kakao_id"},
		"partitioned":         {migrate.Postgres, "CREATE TABLE users (id bigserial PRIMARY KEY) PARTITION BY HASH (id)", kakao(""), migrate.NotATable, ""},
		"no transactions":     {migrate.MySQL, "CREATE TABLE users (KEY) ENGINE = MyISAM", kakao(""), migrate.NotATable, ""},
		"without a type":      {migrate.SQLite, "CREATE TABLE users (KEY, kakao_id)", kakao(""), migrate.ColumnType, "kakao_id"},
		"key is no rowid":     {migrate.SQLite, "CREATE TABLE users (id INTEGER PRIMARY KEY) WITHOUT ROWID", kakao(""), migrate.KeyNotNumbered, "id"},
		"another's moves":     {"", "CREATE TABLE users (KEY); CREATE TABLE sso_moves (KEY)", kakao(""), migrate.MovesWrong, ""},
		"moves must be more": {"", "CREATE TABLE users (KEY); CREATE TABLE sso_moves (KEY, user_id varchar(128), provider varchar(255), from_sub varchar(255), to_sub varchar(255), moved_at timestamp, why varchar(10) NOT NULL)",
			kakao(""), migrate.MovesWrong, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, db database) {
				if tc.only != "" && tc.only != db.d {
					return // the row is about what one database has
				}
				for s := range strings.SplitSeq(tc.create, "; ") {
					db.run(t, strings.Replace(s, "(KEY", "("+db.key(), 1))
				}
				refused := db.refusal(t, tc.cfg, migrate.Options{})
				f, ok := find(refused.Findings, tc.code, tc.column)
				if !ok || f.Severity != migrate.Blocks || !errors.Is(refused, users.ErrSchema) || errors.Is(refused, migrate.ErrNoTable) != (tc.code == migrate.NoTable) {
					t.Errorf("refused for another reason: %v", refused)
				}
				if r := db.inspect(t.Context(), t, tc.cfg, migrate.Options{}); !r.Blocked() {
					t.Errorf("Inspect lets it pass: %+v", r)
				}
			})
		})
	}
}

// An index that a failed CREATE INDEX CONCURRENTLY left is dropped and made
// again; meanwhile nothing trusts it.
func TestInvalidIndex(t *testing.T) {
	t.Parallel()
	db := onPostgres(t)
	db.legacy(t, "text", "'1'", "'1'")
	if _, err := db.ExecContext(t.Context(), "CREATE UNIQUE INDEX CONCURRENTLY users_kakao_id_key ON users (kakao_id)"); err == nil {
		t.Fatal("the index was made over duplicates")
	}
	_ = db.refusal(t, kakao(""), migrate.Options{})
	db.run(t, "UPDATE users SET kakao_id = '2' WHERE id = 2")
	p := db.plan(t, kakao(""))
	if !strings.Contains(p.String(), `DROP INDEX CONCURRENTLY IF EXISTS "users_kakao_id_key"`) {
		t.Fatalf("the invalid index stays:\n%s", p)
	}
	db.apply(t, p)
	db.wantEmptyPlan(t, kakao(""))
	if n := db.scalar(t, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"); n != "0" {
		t.Errorf("%s invalid indexes", n)
	}
}

// An invalid index that is not of this package is left alone.
func TestForeignInvalidIndex(t *testing.T) {
	t.Parallel()
	db := onPostgres(t)
	db.legacy(t, "text", "'1'", "'1'")
	_, _ = db.ExecContext(t.Context(), "CREATE UNIQUE INDEX CONCURRENTLY theirs ON users (kakao_id)")
	db.run(t, "UPDATE users SET kakao_id = '2' WHERE id = 2")
	db.apply(t, db.plan(t, kakao("")))
	db.wantEmptyPlan(t, kakao(""))
	if n := db.scalar(t, "SELECT count(*) FROM pg_class WHERE relname = 'theirs'"); n != "1" {
		t.Error("somebody else's index was dropped")
	}
}

// A duplicate that comes between the look and the index: an error without the
// value, and nothing invalid is left.
func TestDuplicateComesMeanwhile(t *testing.T) {
	t.Parallel()
	for name, db := range map[string]func(*testing.T) database{"postgres": onPostgres, "mysql": onMariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := db(t)
			db.legacy(t, "varchar(30)", "'777123'")
			p := db.plan(t, kakao(""))
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			applied := make(chan error)
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			// An open transaction holds the step up: Apply has looked by then.
			if _, err := tx.ExecContext(ctx, "INSERT INTO users (kakao_id) VALUES ('777123')"); err != nil {
				t.Fatal(err)
			}
			go func() { applied <- p.Apply(ctx, db.DB) }()
			db.awaitBlocked(t)
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := <-applied; err == nil || strings.Contains(err.Error(), "777123") {
				t.Errorf("Apply: %v, want an error without the value", err)
			}
			if db.d == migrate.Postgres && db.scalar(t, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") != "0" {
				t.Error("an invalid index was left")
			}
		})
	}
}

// awaitBlocked waits until a session waits for a lock.
func (db database) awaitBlocked(t *testing.T) {
	t.Helper()
	query := "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
	if db.d == migrate.MySQL {
		query = "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND state LIKE 'Waiting for%lock%'"
	}
	deadline := time.Now().Add(20 * time.Second)
	for db.scalar(t, query) == "0" {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits for a lock")
		}
	}
}

func TestApplyAtTheSameTime(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.legacy(t, "varchar(30)", "'4000000001'")
		p := db.plan(t, table.Config{})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := p.Apply(t.Context(), db.DB); err != nil {
					t.Errorf("Apply: %v", err)
				}
			})
		}
		wg.Wait()
		db.wantEmptyPlan(t, table.Config{})
	})
}

// Sign-ups go on while a plan is applied.
func TestApplyWhileOthersWrite(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.run(t, "CREATE TABLE users ("+db.key()+", kakao_id varchar(30))")
		p, begun, stop, done := db.plan(t, kakao("")), make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for n := 0; ; n++ {
				if n == 1 {
					close(begun)
				}
				select {
				case <-stop:
					return
				default:
				}
				if _, err := db.ExecContext(context.WithoutCancel(t.Context()), fmt.Sprintf("INSERT INTO users (kakao_id) VALUES ('%d')", n)); err != nil && !strings.Contains(err.Error(), "locked") {
					t.Errorf("a writer was refused: %v", err)
				}
			}
		}()
		<-begun // and it goes on until after the plan
		db.apply(t, p)
		close(stop)
		<-done
		db.wantEmptyPlan(t, kakao(""))
	})
}

func TestApplyOfAnOldPlan(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.run(t, "CREATE TABLE users ("+db.key()+", kakao_id varchar(30), cognito_sub varchar(255), email varchar(255))")
		p := db.plan(t, kakao(""))
		db.run(t, "ALTER TABLE users DROP COLUMN email")
		if err := p.Apply(t.Context(), db.DB); !errors.Is(err, migrate.ErrChanged) {
			t.Errorf("Apply: %v, want ErrChanged", err)
		}
		db.run(t, "INSERT INTO users (kakao_id) VALUES ('1')", "INSERT INTO users (kakao_id) VALUES ('1')")
		if err := p.Apply(t.Context(), db.DB); !errors.Is(err, users.ErrAmbiguous) {
			t.Errorf("Apply: %v, want ErrAmbiguous", err)
		}
		if got := db.columns(t, "users"); !slices.Equal(got, []string{"id", "kakao_id", "cognito_sub"}) {
			t.Errorf("the table was changed: %v", got)
		}
	})
}

func TestApplyToAReadTable(t *testing.T) {
	t.Parallel()
	for name, db := range map[string]func(*testing.T) database{"postgres": onPostgres, "mysql": onMariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := db(t)
			db.legacy(t, "varchar(30)", "'1'")
			p := db.plan(t, kakao(""))
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback() }()
			if _, err := tx.ExecContext(t.Context(), "UPDATE users SET kakao_id = '2'"); err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			if err := p.Apply(t.Context(), db.DB); err == nil {
				t.Error("the table was altered under a writer")
			}
			if took := time.Since(started); took > 20*time.Second {
				t.Errorf("others were held up for %v", took)
			}
		})
	}
}
