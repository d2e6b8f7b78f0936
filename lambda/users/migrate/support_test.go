package migrate_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// database is a fresh database that a test has for itself.
type database struct {
	*sql.DB
	d   migrate.Dialect
	dsn string
}

// onEach runs a test against every database.
func onEach(t *testing.T, test func(t *testing.T, db database)) {
	t.Helper()
	for d, open := range map[migrate.Dialect]func(t *testing.T) (driver, dsn string){
		migrate.SQLite: func(t *testing.T) (string, string) {
			return "sqlite", "file:" + filepath.Join(t.TempDir(), "users.db") + "?_pragma=busy_timeout(50)&_pragma=journal_mode(WAL)"
		},
		migrate.Postgres: func(t *testing.T) (string, string) { return "pgx", realtest.Postgres(t) },
		migrate.MySQL:    func(t *testing.T) (string, string) { return "mysql", realtest.MariaDB(t) },
	} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			test(t, connect(t, d, open))
		})
	}
}

func connect(t *testing.T, d migrate.Dialect, open func(t *testing.T) (string, string)) database {
	t.Helper()
	driver, dsn := open(t)
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return database{db, d, dsn}
}

// onPostgres is for what only PostgreSQL has.
func onPostgres(t *testing.T) database {
	t.Helper()
	return connect(t, migrate.Postgres, func(t *testing.T) (string, string) { return "pgx", realtest.Postgres(t) })
}

func onMariaDB(t *testing.T) database {
	t.Helper()
	return connect(t, migrate.MySQL, func(t *testing.T) (string, string) { return "mysql", realtest.MariaDB(t) })
}

// run runs each statement.
func (db database) run(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// key is the primary key of a table that numbers its rows.
func (db database) key() string {
	return map[migrate.Dialect]string{
		migrate.Postgres: "id bigserial PRIMARY KEY", migrate.MySQL: "id bigint AUTO_INCREMENT PRIMARY KEY", migrate.SQLite: "id INTEGER PRIMARY KEY",
	}[db.d]
}

// quote makes an identifier.
func (db database) quote(name string) string {
	if db.d == migrate.MySQL {
		return table.Quote("`", name)
	}
	return table.Quote(`"`, name)
}

func (db database) scalar(t *testing.T, query string) (s string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&s); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return s
}

func (db database) up(t *testing.T, cfg table.Config) {
	t.Helper()
	if err := migrate.Up(t.Context(), db.DB, db.d, cfg); err != nil {
		t.Fatalf("Up: %v", err)
	}
}

func (db database) plan(t *testing.T, cfg table.Config) migrate.Plan {
	t.Helper()
	p, err := migrate.NewPlan(t.Context(), db.DB, db.d, cfg, migrate.Options{})
	if err != nil {
		t.Fatalf("NewPlan: %v", err)
	}
	return p
}

func (db database) apply(t *testing.T, p migrate.Plan) {
	t.Helper()
	if err := p.Apply(t.Context(), db.DB); err != nil {
		t.Fatalf("Apply: %v\n%s", err, p)
	}
}

func (db database) wantEmptyPlan(t *testing.T, cfg table.Config) {
	t.Helper()
	if p := db.plan(t, cfg); !p.Empty() {
		t.Errorf("the table lacks something:\n%s", p)
	}
}

// refusal is the reasons for which a plan is refused.
func (db database) refusal(t *testing.T, cfg table.Config, o migrate.Options) *migrate.RefusedError {
	t.Helper()
	p, err := migrate.NewPlan(t.Context(), db.DB, db.d, cfg, o)
	var refused *migrate.RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("NewPlan: %v, want a RefusedError, plan:\n%s", err, p)
	}
	return refused
}

func (db database) inspect(ctx context.Context, t *testing.T, cfg table.Config, o migrate.Options) migrate.Report {
	t.Helper()
	r, err := migrate.Inspect(ctx, db.DB, db.d, cfg, o)
	if err != nil {
		t.Fatalf("Inspect: %v", err)
	}
	return r
}

// columns are the table's, in its order.
func (db database) columns(t *testing.T, name string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+db.quote(name)+" WHERE 1 = 0")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// find is the finding of that code and column, if there is one.
func find(all []migrate.Finding, code migrate.Code, column string) (migrate.Finding, bool) {
	i := slices.IndexFunc(all, func(f migrate.Finding) bool { return f.Code == code && f.Column == column })
	if i < 0 {
		return migrate.Finding{}, false
	}
	return all[i], true
}

// kakao is a layout with one provider, of numbers or of text.
func kakao(t table.SubjectType) table.Config {
	return table.Config{Providers: map[string]table.ProviderColumn{"Kakao": {Name: "kakao_id", Type: t}}}
}
