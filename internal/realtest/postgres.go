package realtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres returns the DSN, a postgres:// URL, of a fresh and empty database
// that the test has for itself; it is dropped when the test ends. All tests of
// a process share one PostgreSQL server, which starts with the first and ends
// with the process. The role is a superuser and needs no password. Parallel
// tests may call it.
//
// Nothing is flushed to the disk: a database is safe from the end of its
// server, not from that of the machine.
func Postgres(t testing.TB) string {
	t.Helper()
	bin, as := needPostgres(t)
	s, err := sharedPostgres(bin, as)
	if err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	name := s.create(t)
	t.Cleanup(func() {
		if err := s.admin("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Logf("PostgreSQL: %s stays until the server ends: %v", name, err)
		}
	})
	return s.DSN(name)
}

var shared struct {
	sync.Mutex
	postgres *PostgresServer
	sqs      *SQSServer
}

func sharedPostgres(bin string, as *user.User) (*PostgresServer, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.postgres == nil {
		s, err := newPostgres(bin, as, postgresConfig{})
		if err != nil {
			return nil, err // the next test tries again
		}
		shared.postgres = s
	}
	return shared.postgres, nil
}

// PostgresOption changes a server of [NewPostgres].
type PostgresOption func(*postgresConfig)

type postgresConfig struct {
	settings  []string
	cert, key []byte
	password  string
	within    Within
	at        netip.AddrPort // not valid: 127.0.0.1 and a free port
}

// PostgresIn starts the server within a network namespace, at this address of
// it, and lets everybody in who gets there. The test's own way in is
// [PostgresServer.SocketDSN]. The thread of within must live as long as the
// server.
func PostgresIn(within Within, at netip.AddrPort) PostgresOption {
	return func(c *postgresConfig) { c.within, c.at = within, at }
}

// PostgresSetting sets a parameter of the server, as in postgresql.conf.
func PostgresSetting(name, value string) PostgresOption {
	return func(c *postgresConfig) { c.settings = append(c.settings, "-c", name+"="+value) }
}

// PostgresTLS gives the server a certificate chain and its key, in PEM, and
// makes it refuse connections over TCP without TLS.
func PostgresTLS(cert, key []byte) PostgresOption {
	return func(c *postgresConfig) { c.cert, c.key = cert, key }
}

// PostgresPassword makes the server ask everybody who comes over TCP for a
// password (SCRAM), and gives this one to the role of the DSN.
func PostgresPassword(password string) PostgresOption {
	return func(c *postgresConfig) { c.password = password }
}

// PostgresServer is a PostgreSQL server on 127.0.0.1. Stop, Kill, Pause,
// Resume and Start are for one goroutine at a time; the rest is safe for
// concurrent use.
type PostgresServer struct {
	server
	bin       string
	cfg       postgresConfig
	databases atomic.Uint64
}

// NewPostgres starts a server of the test's own, to be broken. It is stopped
// and removed when the test ends.
func NewPostgres(t testing.TB, options ...PostgresOption) *PostgresServer {
	t.Helper()
	bin, as := needPostgres(t)
	var cfg postgresConfig
	for _, o := range options {
		o(&cfg)
	}
	s, err := newPostgres(bin, as, cfg)
	if err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	t.Cleanup(func() { _ = s.remove() })
	return s
}

// needPostgres finds the directory with PostgreSQL's programs, and the account
// to run them as: they refuse root.
func needPostgres(t testing.TB) (bin string, as *user.User) {
	t.Helper()
	bin = postgresPrograms()
	if bin == "" {
		missing(t, "needs PostgreSQL: initdb and postgres are neither in PATH nor in /usr/lib/postgresql/*/bin")
	}
	if os.Geteuid() != 0 {
		return bin, nil
	}
	as, err := user.Lookup("postgres")
	if err != nil {
		missing(t, "needs the account postgres, since PostgreSQL does not run as root: "+err.Error())
	}
	return bin, as
}

func postgresPrograms() string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // Debian keeps them out of PATH
	slices.Sort(dirs)
	slices.Reverse(dirs) // the newest first
	if found, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(found); err == nil {
			dirs = slices.Insert(dirs, 0, filepath.Dir(real))
		}
	}
	for _, dir := range dirs {
		if executable(dir, "initdb") && executable(dir, "postgres") {
			return dir
		}
	}
	return ""
}

func executable(dir, name string) bool {
	_, err := exec.LookPath(filepath.Join(dir, name))
	return err == nil
}

func newPostgres(bin string, as *user.User, cfg postgresConfig) (*PostgresServer, error) {
	dir, err := scratch("postgres", as)
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{server: server{name: "PostgreSQL", dir: dir, as: as, goodbye: os.Interrupt}, bin: bin, cfg: cfg}
	s.launch, s.ready = s.serve, func() error { return s.admin("SELECT 1") }
	err = s.initialise()
	if err == nil {
		err = s.listen()
	}
	if err == nil {
		err = s.setPassword()
	}
	if err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// listen starts it for the first time, where it stays.
func (s *PostgresServer) listen() (err error) {
	if at := s.cfg.at; at.IsValid() {
		s.host = at.Addr().String()
		return s.start(strconv.Itoa(int(at.Port())))
	}
	s.port, err = onFreePort(s.start)
	return err
}

func (s *PostgresServer) initialise() error {
	p, err := s.command("initdb", "-D", s.data(), "-U", postgresRole, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync").start()
	if err != nil {
		return err
	}
	<-p.exited
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("initdb: %s", p.tail())
	}
	return errors.Join(s.writeAccess(), s.write("data/server.crt", s.cfg.cert), s.write("data/server.key", s.cfg.key))
}

const postgresRole = "postgres"

// writeAccess says who may come how. The socket is our own way in, whatever
// TCP asks for.
func (s *PostgresServer) writeAccess() error {
	kind, from, method := "host", "127.0.0.1/32", "trust"
	if s.cfg.at.IsValid() {
		from = "0.0.0.0/0"
	}
	if s.cfg.cert != nil {
		kind = "hostssl"
	}
	if s.cfg.password != "" {
		method = "scram-sha-256"
	}
	return s.write("data/pg_hba.conf", []byte("local all all trust\n"+kind+" all all "+from+" "+method+"\n"))
}

func (s *PostgresServer) data() string { return filepath.Join(s.dir, "data") }

func (s *PostgresServer) command(program string, args ...string) command {
	// SIGQUIT ends the server and its children without a clean end.
	return command{name: program, path: filepath.Join(s.bin, program), args: args, dir: s.dir, as: s.as, whenDead: syscall.SIGQUIT}
}

func (s *PostgresServer) serve(port string) (*process, error) {
	args := []string{
		"-D", s.data(), "-c", "port=" + port, "-c", "listen_addresses=" + cmp.Or(s.host, "127.0.0.1"), "-c", "unix_socket_directories=" + s.dir,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=400", "-c", "timezone=UTC",
	}
	if s.cfg.cert != nil {
		args = append(args, "-c", "ssl=on")
	}
	c := s.command("postgres", append(args, s.cfg.settings...)...)
	c.within = s.cfg.within
	return c.start()
}

func (s *PostgresServer) setPassword() error {
	if s.cfg.password == "" {
		return nil
	}
	return s.admin("ALTER ROLE " + postgresRole + " PASSWORD '" + strings.ReplaceAll(s.cfg.password, "'", "''") + "'")
}

// adminTime bounds one statement of ours. Databases are copied slowly on a
// busy machine.
const adminTime = startTime

// admin runs a statement over the socket.
func (s *PostgresServer) admin(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, fmt.Sprintf("host=%s port=%s user=%s dbname=postgres", s.dir, s.port, postgresRole))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

// Database makes a fresh and empty database and returns its DSN.
func (s *PostgresServer) Database(t testing.TB) string {
	t.Helper()
	return s.DSN(s.create(t))
}

func (s *PostgresServer) create(t testing.TB) (name string) {
	t.Helper()
	name = numbered("test", s.databases.Add(1))
	if err := s.admin("CREATE DATABASE " + name); err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	return name
}

// SocketDSN is the URL of a database for a role over the server's socket: it
// needs no network and no password.
func (s *PostgresServer) SocketDSN(database, role string) string {
	q := url.Values{"host": {s.dir}, "port": {s.port}, "user": {role}}
	return "postgres:///" + database + "?" + q.Encode()
}

// DSN is the URL of a database. It asks for no TLS where [PostgresTLS] was not
// given, and else leaves sslmode to be added.
func (s *PostgresServer) DSN(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(postgresRole), Host: s.Addr(), Path: "/" + database}
	if s.cfg.password != "" {
		u.User = url.UserPassword(postgresRole, s.cfg.password)
	}
	if s.cfg.cert == nil {
		u.RawQuery = "sslmode=disable"
	}
	return u.String()
}
