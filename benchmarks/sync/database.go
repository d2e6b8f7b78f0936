package main

import (
	"database/sql"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// database is a fresh one on a real server, with the starter table.
type database struct {
	kind string // SSO_STORE
	db   *sql.DB
	addr string // of the server
	name string
	user string
}

// kinds are the databases, in the order of the tables.
var kinds = []struct {
	name string
	open func(testing.TB) database
}{{"PostgreSQL", postgres}, {"MariaDB", mariaDB}}

// password is for an account of a server on loopback that lives for minutes.
const password = "not a secret"

// servers run until the process ends, since they take seconds to start. They
// flush every commit to the disk, as they do unless told otherwise: tests turn
// that off, but it is much of what a sign-up costs. They keep as much in memory
// as RDS lets a server of 2 GB.
var servers struct {
	postgres func() *realtest.PostgresServer
	mariaDB  func() *realtest.MariaDBServer
}

// share has the servers end with t.
func share(t testing.TB) {
	servers.postgres = sync.OnceValue(func() *realtest.PostgresServer {
		return realtest.NewPostgres(t, realtest.PostgresSetting("fsync", "on"), realtest.PostgresSetting("full_page_writes", "on"),
			realtest.PostgresSetting("shared_buffers", "512MB"))
	})
	servers.mariaDB = sync.OnceValue(func() *realtest.MariaDBServer {
		return realtest.NewMariaDB(t, realtest.MariaDBSetting("innodb-flush-log-at-trx-commit", "1"), realtest.MariaDBSetting("innodb-doublewrite", "ON"),
			realtest.MariaDBSetting("innodb-flush-method", "fsync"), realtest.MariaDBSetting("innodb-buffer-pool-size", "512M"),
			realtest.MariaDBSetting("innodb-log-file-size", "256M"))
	})
}

// started is a server, or the end of a test that cannot have it.
func started[S any](t testing.TB, server func() S) S {
	t.Helper()
	defer func() {
		switch f, ok := recover().(failure); {
		case ok && f.missing:
			t.Skipf("%v", f.error)
		case ok:
			t.Fatal(f.error)
		}
	}()
	return server()
}

// postgres is a fresh database on the server.
func postgres(t testing.TB) database {
	t.Helper()
	dsn := started(t, servers.postgres).Database(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return database{"postgres", connect(t, "pgx", dsn, migrate.Postgres), u.Host, strings.TrimPrefix(u.Path, "/"), u.User.Username()}
}

// mariaDB is the same of MariaDB.
func mariaDB(t testing.TB) database {
	t.Helper()
	dsn := started(t, servers.mariaDB).Database(t)
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	d := database{"mysql", connect(t, "mysql", dsn, migrate.MySQL), cfg.Addr, cfg.DBName, cfg.DBName}
	account := "'" + d.user + "'@'127.0.0.1'"
	d.exec(t, "CREATE OR REPLACE USER "+account+" IDENTIFIED BY '"+password+"'")
	d.exec(t, "GRANT ALL ON "+d.name+".* TO "+account)
	return d
}

func connect(t testing.TB, driver, dsn string, dialect migrate.Dialect) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := migrate.Up(t.Context(), db, dialect, table.Config{}); err != nil {
		t.Fatal(err)
	}
	return db
}

// through is a way into it by a proxy.
func (d database) through(t testing.TB, addr string) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.source(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// source is what sql.Open asks for.
func (d database) source(addr string) (driver, dsn string) {
	if d.kind == "mysql" {
		return "mysql", d.user + ":" + password + "@tcp(" + addr + ")/" + d.name
	}
	return "pgx", "postgres://" + d.user + "@" + addr + "/" + d.name + "?sslmode=disable"
}

func (d database) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	if _, err := d.db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", strings.SplitN(statement, "(", 2)[0], err)
	}
}

func (d database) number(t testing.TB, query string, args ...any) (n int) {
	t.Helper()
	if err := d.db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// env is how a function reaches it, by the server's own address or a proxy's.
// Times are the functions' defaults.
func (d database) env(addr string) []string {
	host, port, _ := net.SplitHostPort(addr) // of a listener
	return []string{
		"SSO_STORE=" + d.kind, "SSO_DB_HOST=" + host, "SSO_DB_PORT=" + port, "SSO_DB_NAME=" + d.name, "SSO_DB_USER=" + d.user,
		"SSO_DB_AUTH=password", "SSO_DB_PASSWORD=" + password, "SSO_DB_INSECURE_NO_TLS=true",
	}
}
