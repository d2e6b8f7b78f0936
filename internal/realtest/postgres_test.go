package realtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
)

// asServer is set in a copy of the test binary that starts a server, says
// where it is, and waits for its end.
const asServer = "REALTEST_SERVER"

func TestMain(m *testing.M) {
	if which := os.Getenv(asServer); which != "" {
		os.Args = append(os.Args[:1], "-test.run=^TestChild$", "-test.v")
	}
	os.Exit(m.Run())
}

// TestChild is the test of that copy.
func TestChild(t *testing.T) { //nolint:paralleltest // it is another process
	if os.Getenv(asServer) == "" {
		t.Skip("runs in a process of its own, see TestServersDieWithTheProcess")
	}
	dsn := realtest.Postgres(t)
	query(t, dsn, "CREATE TABLE t (n int)")
	fmt.Printf("server %s %s\n", scalar[string](t, dsn, "SELECT pg_backend_pid()::text || ' ' || current_setting('data_directory')"), dsn)
	_, _ = io.Copy(io.Discard, os.Stdin) // until we are killed
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func query(t *testing.T, dsn, statement string) {
	t.Helper()
	if _, err := connect(t, dsn).Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func scalar[T any](t *testing.T, dsn, statement string) (v T) {
	t.Helper()
	if err := connect(t, dsn).QueryRow(t.Context(), statement).Scan(&v); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return v
}

// The server starts where it is told, by whom it is told; the socket is another
// way in. That it works in a namespace is seen in lambda/deploy/internal/lab.
func TestPostgresIn(t *testing.T) {
	t.Parallel()
	realtest.Postgres(t) // where there is none, all is skipped and not a part
	calls := 0
	at := netip.MustParseAddrPort("127.0.0.13:5432") // its own loopback address: nobody else's port
	s := realtest.NewPostgres(t, realtest.PostgresPassword("secret"), realtest.PostgresIn(func(f func() error) error {
		calls++
		return f()
	}, at))
	if s.Addr() != at.String() || scalar[string](t, s.DSN("postgres"), "SELECT host(inet_server_addr())") != "127.0.0.13" {
		t.Errorf("it is at %s", s.Addr())
	}
	if got := scalar[bool](t, s.SocketDSN("postgres", "postgres"), "SELECT inet_server_addr() IS NULL"); !got {
		t.Error("not over the socket")
	}
	s.Kill()
	s.Start(t)
	if calls != 2 {
		t.Errorf("%d starts", calls)
	}
}

func TestPostgresGivesEachTestADatabase(t *testing.T) {
	t.Parallel()
	realtest.Postgres(t) // where there is none, all is skipped and not a part
	var mu sync.Mutex
	seen, servers := map[string]bool{}, map[string]bool{}
	t.Run("users", func(t *testing.T) {
		for range 8 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				dsn := realtest.Postgres(t)
				query(t, dsn, "CREATE TABLE users (id int)") // fails where the database is another's too
				mu.Lock()
				defer mu.Unlock()
				seen[dsn] = true
				servers[scalar[string](t, dsn, "SELECT current_setting('data_directory')")] = true
			})
		}
	})
	if len(seen) != 8 || len(servers) != 1 {
		t.Fatalf("%d databases on %d servers, want 8 on 1", len(seen), len(servers))
	}
	for dsn := range seen {
		if _, err := pgx.Connect(t.Context(), dsn); err == nil {
			t.Error("a database is there after its test")
		}
	}
}

func TestPostgresServerStartsAgain(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*realtest.PostgresServer){
		"stop": (*realtest.PostgresServer).Stop,
		"kill": (*realtest.PostgresServer).Kill,
		"kill while paused": func(s *realtest.PostgresServer) {
			s.Pause()
			s.Kill()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := realtest.NewPostgres(t)
			dsn := s.Database(t)
			query(t, dsn, "CREATE TABLE t AS SELECT generate_series(1, 1000) n")
			conn := connect(t, dsn)
			end(s)
			if _, err := conn.Exec(t.Context(), "SELECT 1"); err == nil {
				t.Error("a connection outlived the server")
			}
			if _, err := pgx.Connect(t.Context(), dsn); err == nil {
				t.Fatal("the server is there after its end")
			}
			s.Start(t)
			if n := scalar[int](t, dsn, "SELECT count(*) FROM t"); n != 1000 {
				t.Errorf("%d rows after the start, want 1000", n)
			}
		})
	}
}

func TestPostgresPause(t *testing.T) {
	t.Parallel()
	s := realtest.NewPostgres(t)
	conn := connect(t, s.DSN("postgres"))
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := pgx.Connect(ctx, s.DSN("postgres")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("connect while paused: %v", err)
	}
	answer := make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), "SELECT 1")
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Errorf("an answer while paused: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	s.Resume()
	if err := <-answer; err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

func TestPostgresOptions(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t, "db.example.test")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	s := realtest.NewPostgres(t, realtest.PostgresTLS(cert, key), realtest.PostgresPassword("it's"), realtest.PostgresSetting("work_mem", "7MB"))
	secure := s.DSN("postgres") + "?sslmode=verify-full&sslrootcert=" + ca
	named := strings.Replace(secure, "127.0.0.1", "localhost", 1)
	if got := scalar[string](t, secure, "SELECT current_setting('work_mem') || ' ' || ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"); got != "7MB true" {
		t.Errorf("settings %q", got)
	}
	for name, dsn := range map[string]string{
		"no TLS":         s.DSN("postgres") + "?sslmode=disable",
		"another name":   named,
		"wrong password": strings.Replace(secure, "it%27s", "its", 1),
		"no password":    strings.Replace(secure, ":it%27s", "", 1),
	} {
		if dsn == secure {
			t.Fatalf("%s: the DSN has not the form that this test knows", name)
		}
		if _, err := pgx.Connect(t.Context(), dsn); err == nil {
			t.Errorf("%s: connected", name)
		}
	}
}

// A test binary that is killed leaves nothing behind; and the servers run for
// an account that is not root as for root.
func TestServersDieWithTheProcess(t *testing.T) {
	t.Parallel()
	realtest.Need(t, "sh")
	for name, credential := range map[string]*syscall.Credential{
		"this account": nil,
		"nobody":       {Uid: 65534, Gid: 65534},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if credential != nil && os.Geteuid() != 0 {
				t.Skip("needs root, to be somebody else")
			}
			dir, dsn, end := child(t, credential)
			if _, err := os.Stat(dir); err != nil {
				t.Fatalf("the server's directory: %v", err)
			}
			end()
			within(t, 20*time.Second, "the server is gone", func() bool {
				_, err := pgx.Connect(t.Context(), dsn)
				return err != nil
			})
			within(t, 20*time.Second, "its directory is gone", func() bool {
				_, err := os.Stat(dir)
				return errors.Is(err, os.ErrNotExist)
			})
		})
	}
}

// child starts the copy of this binary; end kills it.
func child(t *testing.T, credential *syscall.Credential) (dir, dsn string, end func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), copyOfMe(t))
	cmd.Dir = filepath.Dir(cmd.Path)
	cmd.Env = append(os.Environ(), asServer+"=postgres")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(end)
	var said strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := out.Read(buf)
		said.Write(buf[:n])
		if _, after, ok := strings.Cut(said.String(), "server "); ok && strings.Contains(after, "\n") {
			fields := strings.Fields(after)
			return filepath.Dir(fields[1]), fields[2], end
		}
		if err != nil {
			t.Fatalf("the child said: %s", said.String())
		}
	}
}

// copyOfMe is this binary where every account can reach it.
func copyOfMe(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "realtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	raw, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "child")
	if err := errors.Join(os.WriteFile(path, raw, 0o755), os.Chmod(dir, 0o755)); err != nil { //nolint:gosec // another account runs it
		t.Fatal(err)
	}
	return path
}

func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not after %v: %s", limit, what)
		}
	}
}
