package realtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// MariaDB returns the DSN, of go-sql-driver/mysql, of a fresh and empty
// database that the test has for itself; it is dropped when the test ends. All
// tests of a process share one MariaDB server, which starts with the first and
// ends with the process. The user may do everything and needs no password.
// Parallel tests may call it.
//
// A database is safe from the end of its server, not from that of the machine.
func MariaDB(t testing.TB) string {
	t.Helper()
	programs := needMariaDB(t)
	s, err := sharedMariaDBServer(programs)
	if err != nil {
		t.Fatalf("MariaDB: %v", err)
	}
	name := s.create(t)
	t.Cleanup(func() { _ = s.admin("DROP DATABASE " + name) })
	return s.DSN(name)
}

var sharedMariaDB struct {
	sync.Mutex
	server *MariaDBServer
}

func sharedMariaDBServer(programs mariaDBPrograms) (*MariaDBServer, error) {
	sharedMariaDB.Lock()
	defer sharedMariaDB.Unlock()
	if sharedMariaDB.server == nil {
		s, err := newMariaDB(programs, mariaDBConfig{})
		if err != nil {
			return nil, err // the next test tries again
		}
		sharedMariaDB.server = s
	}
	return sharedMariaDB.server, nil
}

// MariaDBOption changes a server of [NewMariaDB].
type MariaDBOption func(*mariaDBConfig)

type mariaDBConfig struct {
	settings  []string
	cert, key []byte
}

// MariaDBSetting sets a variable of the server, as on mariadbd's command line
// without the dashes.
func MariaDBSetting(name, value string) MariaDBOption {
	return func(c *mariaDBConfig) { c.settings = append(c.settings, "--"+name+"="+value) }
}

// MariaDBTLS gives the server a certificate chain and its key, in PEM, and
// makes it refuse connections over TCP without TLS.
func MariaDBTLS(cert, key []byte) MariaDBOption {
	return func(c *mariaDBConfig) { c.cert, c.key = cert, key }
}

// MariaDBServer is a MariaDB server on 127.0.0.1. Stop, Kill, Pause, Resume and
// Start are for one goroutine at a time; the rest is safe for concurrent use.
type MariaDBServer struct {
	server
	programs  mariaDBPrograms
	cfg       mariaDBConfig
	databases atomic.Uint64
}

// NewMariaDB starts a server of the test's own, to be broken. It is stopped and
// removed when the test ends.
func NewMariaDB(t testing.TB, options ...MariaDBOption) *MariaDBServer {
	t.Helper()
	programs := needMariaDB(t)
	var cfg mariaDBConfig
	for _, o := range options {
		o(&cfg)
	}
	s, err := newMariaDB(programs, cfg)
	if err != nil {
		t.Fatalf("MariaDB: %v", err)
	}
	t.Cleanup(func() { _ = s.remove() })
	return s
}

// mariaDBPrograms is where MariaDB's programs are, and the account to run them
// as: the server refuses root.
type mariaDBPrograms struct {
	install, server string
	as              *user.User
}

func needMariaDB(t testing.TB) mariaDBPrograms {
	t.Helper()
	p := mariaDBPrograms{
		install: anyProgram("mariadb-install-db", "mysql_install_db"),
		server:  anyProgram("mariadbd", "/usr/sbin/mariadbd", "/usr/libexec/mariadbd"), // often not in the PATH of users
	}
	if p.install == "" || p.server == "" {
		missing(t, "needs MariaDB: mariadbd and mariadb-install-db are not in PATH")
	}
	if os.Geteuid() != 0 {
		return p
	}
	var err error
	if p.as, err = user.Lookup("mysql"); err != nil {
		missing(t, "needs the account mysql, since MariaDB does not run as root: "+err.Error())
	}
	return p
}

func anyProgram(names ...string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func newMariaDB(programs mariaDBPrograms, cfg mariaDBConfig) (*MariaDBServer, error) {
	dir, err := scratch("mariadb", programs.as)
	if err != nil {
		return nil, err
	}
	s := &MariaDBServer{server: server{name: "MariaDB", dir: dir, as: programs.as, goodbye: syscall.SIGTERM}, programs: programs, cfg: cfg}
	s.launch, s.ready = s.serve, func() error { return s.admin("SELECT 1") }
	err = s.initialise()
	if err == nil {
		s.port, err = onFreePort(s.start)
	}
	if err == nil {
		err = s.admin("CREATE USER IF NOT EXISTS "+mariaDBUser+"@'127.0.0.1'", "GRANT ALL ON *.* TO "+mariaDBUser+"@'127.0.0.1' WITH GRANT OPTION")
	}
	if err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// mariaDBUser comes over TCP; root over the socket.
const mariaDBUser = "tester"

// common is for making the files and for serving them. They are small, since
// they are written anew for each server; and each has its own place for
// temporary tables, since a server that starts removes all that it finds there.
func (s *MariaDBServer) common() []string {
	return []string{
		"--no-defaults", "--datadir=" + s.data(), "--tmpdir=" + s.dir, "--skip-name-resolve",
		"--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M",
	}
}

func (s *MariaDBServer) initialise() error {
	args := append(s.common(), "--auth-root-authentication-method=normal", "--skip-test-db")
	p, err := s.command("mariadb-install-db", s.programs.install, args...).start()
	if err != nil {
		return err
	}
	<-p.exited
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("mariadb-install-db: %s", p.tail())
	}
	return errors.Join(s.write("server.crt", s.cfg.cert), s.write("server.key", s.cfg.key))
}

func (s *MariaDBServer) data() string { return filepath.Join(s.dir, "data") }

func (s *MariaDBServer) socket() string { return filepath.Join(s.dir, "socket") }

func (s *MariaDBServer) command(name, path string, args ...string) command {
	return command{name: name, path: path, args: args, dir: s.dir, as: s.programs.as, whenDead: syscall.SIGKILL}
}

func (s *MariaDBServer) serve(port string) (*process, error) {
	args := append(s.common(),
		"--bind-address=127.0.0.1", "--port="+port, "--socket="+s.socket(), "--pid-file="+filepath.Join(s.dir, "pid"),
		"--skip-log-bin", "--performance-schema=OFF", "--max-connections=400", "--default-time-zone=+00:00",
		"--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=OFF", "--innodb-flush-method=nosync")
	if s.cfg.cert != nil {
		args = append(args, "--ssl-cert="+filepath.Join(s.dir, "server.crt"), "--ssl-key="+filepath.Join(s.dir, "server.key"),
			"--require-secure-transport=ON")
	}
	return s.command("mariadbd", s.programs.server, append(args, s.cfg.settings...)...).start()
}

// admin runs statements over the socket.
func (s *MariaDBServer) admin(statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Logger = "unix", s.socket(), "root", &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }()
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// Database makes a fresh and empty database and returns its DSN.
func (s *MariaDBServer) Database(t testing.TB) string {
	t.Helper()
	return s.DSN(s.create(t))
}

func (s *MariaDBServer) create(t testing.TB) (name string) {
	t.Helper()
	name = numbered("test", s.databases.Add(1))
	if err := s.admin("CREATE DATABASE " + name + " CHARACTER SET utf8mb4"); err != nil {
		t.Fatalf("MariaDB: %v\nThe end of its log:\n%s", err, s.proc.tail())
	}
	return name
}

// DSN is that of a database, without any tls parameter.
func (s *MariaDBServer) DSN(database string) string {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.DBName = "tcp", s.Addr(), mariaDBUser, database
	return cfg.FormatDSN()
}
