package realtest_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
)

func mariaDB(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(0) // each statement connects anew
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func mariaDBExec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func mariaDBText(t *testing.T, db *sql.DB, query string) (v string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func TestMariaDBGivesEachTestADatabase(t *testing.T) {
	needMariaDB(t)
	t.Parallel()
	var names, servers []string
	for range 2 {
		t.Run("user", func(t *testing.T) {
			db := mariaDB(t, realtest.MariaDB(t))
			mariaDBExec(t, db, "CREATE TABLE users (id int)") // fails where the database is another's too
			names = append(names, mariaDBText(t, db, "SELECT DATABASE()"))
			servers = append(servers, mariaDBText(t, db, "SELECT @@datadir"))
		})
	}
	if len(names) != 2 || names[0] == names[1] || servers[0] != servers[1] {
		t.Errorf("databases %v, servers %v", names, servers)
	}
	db := mariaDB(t, realtest.MariaDB(t))
	if n := mariaDBText(t, db, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name IN ('"+strings.Join(names, "', '")+"')"); n != "0" {
		t.Errorf("%s databases outlive their tests", n)
	}
}

func TestMariaDBServerStartsAgain(t *testing.T) {
	t.Parallel()
	s := realtest.NewMariaDB(t)
	db := mariaDB(t, s.Database(t))
	mariaDBExec(t, db, "CREATE TABLE users (id int)")
	for name, end := range map[string]func(){"stop": s.Stop, "kill": s.Kill} {
		mariaDBExec(t, db, "INSERT INTO users VALUES (1)")
		end()
		if err := db.PingContext(t.Context()); err == nil {
			t.Errorf("%s: the server is there", name)
		}
		s.Start(t)
	}
	if n := mariaDBText(t, db, "SELECT COUNT(*) FROM users"); n != "2" {
		t.Errorf("%s rows are there, want 2", n)
	}
}

func TestMariaDBPause(t *testing.T) {
	t.Parallel()
	s := realtest.NewMariaDB(t, realtest.MariaDBSetting("sql-mode", "ANSI_QUOTES"))
	db := mariaDB(t, s.Database(t))
	if mode := mariaDBText(t, db, "SELECT @@sql_mode"); mode != "ANSI_QUOTES" {
		t.Errorf("sql_mode = %q", mode)
	}
	s.Pause()
	ping := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		return db.PingContext(ctx)
	}
	within(t, 20*time.Second, "the server stands still", func() bool { return errors.Is(ping(), context.DeadlineExceeded) })
	s.Resume()
	within(t, 20*time.Second, "the server goes on", func() bool { return ping() == nil })
}

const asMariaDB = "REALTEST_MARIADB"

// TestMariaDBChild runs in a copy of the test binary.
func TestMariaDBChild(t *testing.T) { //nolint:paralleltest // alone in its process
	if os.Getenv(asMariaDB) == "" {
		t.Skip("runs in a process of its own, see TestMariaDBDiesWithTheProcess")
	}
	dsn := realtest.MariaDB(t)
	fmt.Printf("server %s %s\n", mariaDBText(t, mariaDB(t, dsn), "SELECT @@datadir"), dsn)
	_, _ = io.Copy(io.Discard, os.Stdin) // until we are killed
}

func TestMariaDBDiesWithTheProcess(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMariaDBChild$", "-test.v") //nolint:gosec // ourselves
	cmd.Env = append(os.Environ(), asMariaDB+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var dir, dsn string
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if n, _ := fmt.Sscanf(lines.Text(), "server %s %s", &dir, &dsn); n == 2 {
			break
		}
	}
	if dsn == "" {
		t.Fatal("the copy started no server")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	db := mariaDB(t, dsn)
	within(t, 20*time.Second, "the server is gone", func() bool { return db.PingContext(t.Context()) != nil })
	within(t, 20*time.Second, "its directory is gone", func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	})
}

// needMariaDB skips a test that would take a skipped part of it for a failure.
func needMariaDB(t *testing.T) {
	t.Helper()
	realtest.Need(t, "mariadbd")
	realtest.Need(t, "mariadb-install-db")
}
