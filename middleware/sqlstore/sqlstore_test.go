package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/middleware/sqlstore"
	"github.com/ssu-itsupport/cognito-sso/middleware/storetest"
)

var (
	_ middleware.SessionStore  = (*sqlstore.Store)(nil)
	_ middleware.SessionLocker = (*sqlstore.Store)(nil)
)

// database is one that a test may use.
type database struct {
	name    string
	dialect sqlstore.Dialect
	open    func(t *testing.T) *sql.DB
}

// The drivers are told not to be strict in any way that they need not be.
var databases = []database{
	{"PostgreSQL", sqlstore.PostgreSQL, func(t *testing.T) *sql.DB { return open(t, "pgx", realtest.Postgres(t)) }},
	{"PostgreSQL, serializable", sqlstore.PostgreSQL, func(t *testing.T) *sql.DB {
		return open(t, "pgx", realtest.Postgres(t)+"&default_transaction_isolation=serializable")
	}},
	{"MariaDB", sqlstore.MySQL, func(t *testing.T) *sql.DB { return open(t, "mysql", realtest.MariaDB(t)) }},
	{"MariaDB, found rows, interpolated, not strict, far away", sqlstore.MySQL, func(t *testing.T) *sql.DB {
		return open(t, "mysql", realtest.MariaDB(t)+"?clientFoundRows=true&interpolateParams=true&sql_mode=%27%27&time_zone=%27-09:30%27")
	}},
	{"SQLite", sqlstore.SQLite, func(t *testing.T) *sql.DB {
		return open(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "s.db")+"?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	}},
}

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(8)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// newStore makes a store with its table and without a cleaner.
func newStore(t *testing.T, db *sql.DB, d sqlstore.Dialect, change ...func(*sqlstore.Config)) *sqlstore.Store {
	t.Helper()
	cfg := sqlstore.Config{DB: db, Dialect: d, CleanEvery: -1, Timeout: 20 * time.Second, Logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&cfg)
	}
	s, err := sqlstore.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// each runs a test with every database.
func each(t *testing.T, run func(t *testing.T, d database)) {
	t.Helper()
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			run(t, d)
		})
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d database) {
		s := newStore(t, d.open(t), d.dialect)
		// Its tests outlive this function, and the database must outlive them.
		t.Run("suite", func(t *testing.T) {
			storetest.Exercise(t, func(*testing.T) middleware.SessionStore { return s })
		})
	})
}

func record(key, subject string, ttl time.Duration) middleware.SessionRecord {
	return middleware.SessionRecord{Key: key, Subject: subject, ExpiresAt: time.Now().Add(ttl), Data: []byte("PLANTED-data")}
}

func rows(t *testing.T, db *sql.DB, table string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func mustCreate(t *testing.T, s *sqlstore.Store, rec middleware.SessionRecord) {
	t.Helper()
	if err := s.Create(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
}

// TestClean: more than one batch, and nothing that lives.
func TestClean(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d database) {
		db := d.open(t)
		s := newStore(t, db, d.dialect)
		for i := range 450 {
			mustCreate(t, s, record(fmt.Sprint("past-", i), "s", -time.Hour))
		}
		for i := range 5 {
			mustCreate(t, s, record(fmt.Sprint("live-", i), "s", time.Hour))
		}
		if n := rows(t, db, "sso_sessions"); n != 455 {
			t.Fatalf("%d rows before cleaning", n)
		}
		if n, err := s.Clean(t.Context()); n != 450 || err != nil {
			t.Errorf("Clean: %d, %v, want 450", n, err)
		}
		if n := rows(t, db, "sso_sessions"); n != 5 {
			t.Errorf("%d rows are left, want 5", n)
		}
		if n, err := s.Clean(t.Context()); n != 0 || err != nil {
			t.Errorf("Clean again: %d, %v", n, err)
		}
	})
}

// TestBackgroundCleaning ends with Close, which may be called again.
func TestBackgroundCleaning(t *testing.T) {
	t.Parallel()
	db := databases[len(databases)-1].open(t)
	var log lockedLog
	s := newStore(t, db, sqlstore.SQLite, func(c *sqlstore.Config) {
		c.CleanEvery, c.Logger = 20*time.Millisecond, slog.New(slog.NewTextHandler(&log, nil))
	})
	await := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}
	mustCreate(t, s, record("past", "s", -time.Hour))
	mustCreate(t, s, record("live", "s", time.Hour))
	await("the expired session stays", func() bool { return rows(t, db, "sso_sessions") == 1 })
	if _, err := db.ExecContext(t.Context(), "ALTER TABLE sso_sessions RENAME TO away"); err != nil {
		t.Fatal(err)
	}
	await("a failure is not logged", func() bool { return strings.Contains(log.String(), "expired sessions could not be deleted") })
	if _, err := db.ExecContext(t.Context(), "ALTER TABLE away RENAME TO sso_sessions"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	mustCreate(t, s, record("past", "s", -time.Hour)) // the store works on
	if _, err := s.Get(t.Context(), "live"); err != nil {
		t.Error(err)
	}
}

type lockedLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestMigrate: many processes at once, and again where there are sessions.
func TestMigrate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d database) {
		db := d.open(t)
		cfg := sqlstore.Config{DB: db, Dialect: d.dialect, CleanEvery: -1, Table: "Sessions_of_1"}
		s, err := sqlstore.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Create(t.Context(), record("k", "s", time.Hour)); !errors.Is(err, sqlstore.ErrNoTable) {
			t.Errorf("Create without a table: %v, want ErrNoTable", err)
		}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if err := s.Migrate(t.Context()); err != nil {
					t.Errorf("Migrate: %v", errors.Join(err, errors.Unwrap(err)))
				}
			})
		}
		wg.Wait()
		mustCreate(t, s, record("k", "s", time.Hour))
		if err := s.Migrate(t.Context()); err != nil {
			t.Errorf("Migrate again: %v", err)
		}
		if _, err := s.Get(t.Context(), "k"); err != nil {
			t.Errorf("Get after Migrate: %v", err)
		}
	})
}

// TestSchemaOfTheManual: what the package's comment shows is what Migrate runs.
func TestSchemaOfTheManual(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	text := words(strings.NewReplacer("//", "", `"`, "").Replace(string(manual)))
	for _, d := range []sqlstore.Dialect{sqlstore.PostgreSQL, sqlstore.MySQL, sqlstore.SQLite} {
		statements, err := sqlstore.Schema(d, "")
		if err != nil || len(statements) == 0 {
			t.Fatalf("%v: %v", d, err)
		}
		for _, s := range statements {
			s = strings.NewReplacer(`"`, "", "`", "").Replace(s)
			if !strings.Contains(text, words(s)+";") {
				t.Errorf("%v: doc.go does not show\n%s", d, s)
			}
		}
	}
}

func words(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestTables: a schema, names in use, and those that are refused.
func TestTables(t *testing.T) {
	t.Parallel()
	t.Run("in a schema", func(t *testing.T) {
		t.Parallel()
		db := databases[0].open(t)
		if _, err := db.ExecContext(t.Context(), `CREATE SCHEMA "Web"`); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"Web.order", "order", "Web." + strings.Repeat("x", 40)} { // a keyword is quoted
			s := newStore(t, db, sqlstore.PostgreSQL, func(c *sqlstore.Config) { c.Table = table })
			mustCreate(t, s, record("k", "s", time.Hour))
		}
	})
	for _, table := range []string{
		`a"; DROP TABLE users; --`, "a`b", "a b", "a.b.c", ".a", "a.", "1a", "é", "a-b", "a\x00", "a\n", strings.Repeat("x", 41), "'", `a"."b`,
	} {
		for _, d := range databases {
			if _, err := sqlstore.New(sqlstore.Config{DB: new(sql.DB), Dialect: d.dialect, Table: table}); err == nil || strings.Contains(err.Error(), table) && len(table) > 2 {
				t.Errorf("%v, table %q: %v", d.dialect, table, err)
			}
		}
		if _, err := sqlstore.Schema(sqlstore.MySQL, table); err == nil {
			t.Errorf("Schema takes %q", table)
		}
	}
	if _, err := sqlstore.New(sqlstore.Config{DB: new(sql.DB), Dialect: sqlstore.SQLite, Table: "main.a"}); err == nil {
		t.Error("SQLite takes a schema")
	}
	_, err := sqlstore.New(sqlstore.Config{})
	if err == nil || !strings.Contains(err.Error(), "DB") || !strings.Contains(err.Error(), "Dialect") {
		t.Errorf("empty config: %v", err)
	}
	if _, err := sqlstore.New(sqlstore.Config{DB: new(sql.DB), Dialect: 4}); err == nil {
		t.Error("an unknown dialect is taken")
	}
}

// TestBounds: what a column would cut or refuse is refused before.
func TestBounds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d database) {
		db := d.open(t)
		s := newStore(t, db, d.dialect)
		most := record(strings.Repeat("k", 64), strings.Repeat("s", 255), time.Hour)
		most.Data = make([]byte, 64<<10)
		mustCreate(t, s, most)
		none := record("none", "s", time.Hour)
		none.Data = nil
		mustCreate(t, s, none)
		if got, err := s.Get(t.Context(), "none"); err != nil || len(got.Data) != 0 {
			t.Errorf("no data: %v, %q", err, got.Data)
		}
		long := none
		long.Version, long.Data = 1, make([]byte, 64<<10+1)
		if err := s.Update(t.Context(), long); !errors.Is(err, sqlstore.ErrRecord) {
			t.Errorf("Update with too much data: %v", err)
		}
		for name, change := range map[string]func(*middleware.SessionRecord){
			"no key":       func(r *middleware.SessionRecord) { r.Key = "" },
			"long key":     func(r *middleware.SessionRecord) { r.Key = strings.Repeat("k", 65) },
			"no subject":   func(r *middleware.SessionRecord) { r.Subject = "" },
			"long subject": func(r *middleware.SessionRecord) { r.Subject = strings.Repeat("s", 256) },
			"much data":    func(r *middleware.SessionRecord) { r.Data = make([]byte, 64<<10+1) },
		} {
			rec := record("new", "s", time.Hour)
			change(&rec)
			if err := s.Create(t.Context(), rec); !errors.Is(err, sqlstore.ErrRecord) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := s.Lock(t.Context(), "none", strings.Repeat("h", 65), time.Minute); !errors.Is(err, sqlstore.ErrRecord) {
			t.Errorf("long holder: %v", err)
		}
		if err := s.Lock(t.Context(), "none", "", time.Minute); !errors.Is(err, sqlstore.ErrRecord) {
			t.Errorf("no holder: %v", err)
		}
		if n := rows(t, db, "sso_sessions"); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
	})
}

// TestErrorsShowNothing: whatever the database has against a statement, what is
// logged has no value of it.
func TestErrorsShowNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d database) {
		db := d.open(t)
		s := newStore(t, db, d.dialect)
		rec := record("PLANTED-key", "PLANTED-subject", time.Hour)
		rec.Version = 1
		calls := map[string]func(ctx context.Context) error{
			"get":     func(ctx context.Context) error { _, err := s.Get(ctx, rec.Key); return err },
			"create":  func(ctx context.Context) error { return s.Create(ctx, rec) },
			"update":  func(ctx context.Context) error { return s.Update(ctx, rec) },
			"delete":  func(ctx context.Context) error { return s.Delete(ctx, rec.Key) },
			"subject": func(ctx context.Context) error { _, err := s.DeleteBySubject(ctx, rec.Subject); return err },
			"lock":    func(ctx context.Context) error { return s.Lock(ctx, rec.Key, "PLANTED-holder", time.Minute) },
			"unlock":  func(ctx context.Context) error { return s.Unlock(ctx, rec.Key, "PLANTED-holder") },
			"clean":   func(ctx context.Context) error { _, err := s.Clean(ctx); return err },
			"migrate": s.Migrate,
		}
		verify := func(state string, ctx context.Context, skip string, want error) {
			for name, call := range calls {
				if name == skip {
					continue
				}
				err := call(ctx)
				switch {
				case err == nil:
					t.Errorf("%s, %s: no error", state, name)
				case errors.Is(err, middleware.ErrSessionGone), errors.Is(err, middleware.ErrSessionConflict), errors.Is(err, middleware.ErrSessionLocked):
					t.Errorf("%s, %s: an answer about the session: %v", state, name, err)
				case want != nil && !errors.Is(err, want):
					t.Errorf("%s, %s: %v, want %v", state, name, err, want)
				case strings.Contains(err.Error(), "PLANTED"):
					t.Errorf("%s, %s: %v", state, name, err)
				}
			}
		}
		done, cancel := context.WithCancel(t.Context())
		cancel()
		verify("cancelled", done, "", context.Canceled)
		past, cancel := context.WithTimeout(t.Context(), -time.Second)
		defer cancel()
		verify("too late", past, "", context.DeadlineExceeded)
		if _, err := db.ExecContext(t.Context(), "ALTER TABLE sso_sessions RENAME TO away"); err != nil {
			t.Fatal(err)
		}
		verify("no table", t.Context(), "migrate", sqlstore.ErrNoTable)
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE sso_sessions (other integer)"); err != nil {
			t.Fatal(err)
		}
		verify("another table", t.Context(), "migrate", nil)
		_ = db.Close()
		verify("closed", t.Context(), "", nil)
	})
}
