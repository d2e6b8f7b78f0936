package functiontest

import (
	"database/sql"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Database is a fresh database on a real server, with a user table as
// table.Config has it by default.
type Database struct {
	// DB is the test's own way into it.
	DB *sql.DB
	// Env are the variables by which a function reaches it, in clear on
	// loopback.
	Env []string
}

// Kinds are the databases of a function, by their SSO_STORE.
var Kinds = map[string]func(testing.TB) Database{"postgres": Postgres, "mysql": MariaDB}

// Postgres is a database of PostgreSQL.
func Postgres(t testing.TB) Database {
	t.Helper()
	return PostgresAt(t, realtest.Postgres(t))
}

// PostgresAt is the database of a URL, which is empty.
func PostgresAt(t testing.TB, dsn string) Database {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := prepare(t, "pgx", dsn, migrate.Postgres)
	return Database{db, environment("postgres", u.Host, strings.TrimPrefix(u.Path, "/"), u.User.Username())}
}

// MariaDB is a database of MariaDB.
func MariaDB(t testing.TB) Database {
	t.Helper()
	dsn := realtest.MariaDB(t)
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := prepare(t, "mysql", dsn, migrate.MySQL)
	// The account of realtest has no password, and a function must have one.
	account := "'" + cfg.DBName + "'@'127.0.0.1'"
	for _, statement := range []string{"CREATE OR REPLACE USER " + account + " IDENTIFIED BY '" + password + "'", "GRANT ALL ON " + cfg.DBName + ".* TO " + account} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return Database{db, environment("mysql", cfg.Addr, cfg.DBName, cfg.DBName)}
}

const password = "not a secret"

func prepare(t testing.TB, driver, dsn string, d migrate.Dialect) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := migrate.Up(t.Context(), db, d, table.Config{}); err != nil {
		t.Fatal(err)
	}
	return db
}

// environment has generous times: many tests share two cores.
func environment(store, addr, database, user string) []string {
	host, port, _ := net.SplitHostPort(addr) // realtest's own
	return []string{
		"SSO_STORE=" + store, "SSO_DB_HOST=" + host, "SSO_DB_PORT=" + port, "SSO_DB_NAME=" + database, "SSO_DB_USER=" + user,
		"SSO_DB_AUTH=password", "SSO_DB_PASSWORD=" + password, "SSO_DB_INSECURE_NO_TLS=true",
		"SSO_DB_CONNECT_TIMEOUT=15s", "SSO_DB_STATEMENT_TIMEOUT=15s",
	}
}
