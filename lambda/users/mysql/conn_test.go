package mysql_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/mysql"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// within polls until done.
func within(t *testing.T, d time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !done(); {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", d, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// The server ends our sessions, as its wait_timeout or an operator does.
func TestKilledConnections(t *testing.T) {
	t.Parallel()
	f := setUp(t, starter+";"+moves, table.Config{})
	first := ensure(t, f, kakao("a", 1))
	for round := range 3 {
		rows, err := f.db.QueryContext(t.Context(), "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		rows.Close()
		if len(ids) == 0 {
			t.Fatal("no session to end")
		}
		for _, id := range ids {
			exec(t, f.db, "KILL "+id)
		}
		if got := ensure(t, f, kakao("a", 1)); got.ID != first.ID || got.Outcome != users.Existing {
			t.Fatalf("round %d: Ensure = %+v", round, got)
		}
	}
}

// The connection breaks before or after the statement; nobody is lost or made
// twice.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for name, row := range map[string]struct {
			prefix string
			who    users.Identity
			want   []users.Outcome // before, after
		}{
			"existing":                  {"INSERT", kakao("a", 1), []users.Outcome{users.Existing, users.Existing}},
			"created":                   {"INSERT", kakao("b", 2), []users.Outcome{users.Created, users.Existing}},
			"linked":                    {"INSERT", kakao("c", 9), []users.Outcome{users.Linked, users.Existing}},
			"moved":                     {"START", kakao("d", 1), []users.Outcome{users.Moved, users.Moved}},
			"moved, lost in the middle": {"UPDATE", kakao("d", 1), []users.Outcome{users.Moved, users.Moved}},
			"moved, lost at the end":    {"COMMIT", kakao("d", 1), []users.Outcome{users.Moved, users.Existing}},
		} {
			t.Run(fmt.Sprintf("%s/after %v", name, after), func(t *testing.T) {
				t.Parallel()
				var p *proxy
				f := setUp(t, starter+";"+moves, table.Config{}, func(cfg *mysql.Config) { p = through(t, cfg) })
				ensure(t, f, kakao("a", 1))
				if _, err := f.AddLegacy(t.Context(), "Kakao", "9"); err != nil {
					t.Fatal(err)
				}
				p.cutOnce(after, row.prefix)
				want := row.want[0]
				if after {
					want = row.want[1]
				}
				got := ensure(t, f, row.who)
				if got.Outcome != want {
					t.Errorf("Ensure = %+v, want %s", got, want)
				}
				if id, err := f.IDBySub(t.Context(), row.who.Sub); err != nil || id != got.ID {
					t.Errorf("IDBySub = %s, %v, want %s", id, err, got.ID)
				}
				rows, records := scalar(t, f.db, "SELECT COUNT(*) FROM users"), scalar(t, f.db, "SELECT COUNT(*) FROM sso_moves")
				if wantRows := map[bool]string{true: "3", false: "2"}[name == "created"]; rows != wantRows {
					t.Errorf("%s rows, want %s", rows, wantRows)
				}
				if wantRecords := map[bool]string{true: "1", false: "0"}[strings.HasPrefix(name, "moved")]; records != wantRecords {
					t.Errorf("%s moves, want %s", records, wantRecords)
				}
				if p.connections() != 2 {
					t.Errorf("%d connections, want 2", p.connections())
				}
			})
		}
	}
}

// After a freeze the connection may be dead without a sign of it, so it is not
// used at all.
func TestFreeze(t *testing.T) {
	t.Parallel()
	var frozen atomic.Int64
	var p *proxy
	f := setUp(t, starter+";"+moves, table.Config{}, func(cfg *mysql.Config) {
		p = through(t, cfg)
		cfg.Conn.MaxIdleTime = time.Minute
		cfg.Now = func() time.Time { return time.Now().Add(time.Duration(frozen.Load())) }
	})
	ensure(t, f, kakao("a", 1))
	for _, step := range []struct {
		frozen time.Duration
		want   int
	}{{59 * time.Second, 1}, {59 * time.Second, 1}, {61 * time.Second, 2}, {time.Second, 2}, {-time.Hour, 3}} {
		frozen.Add(int64(step.frozen))
		ensure(t, f, kakao("a", 1))
		if got := p.connections(); got != step.want {
			t.Errorf("after %v: %d connections, want %d", step.frozen, got, step.want)
		}
	}
}

func TestServerRestarts(t *testing.T) {
	t.Parallel()
	server := realtest.NewMariaDB(t)
	dsn := server.Database(t)
	exec(t, openDB(t, dsn), starter+";"+moves)
	s := open(t, mysql.Config{Conn: target(t, dsn)})
	first := ensure(t, s, kakao("a", 1))
	for name, end := range map[string]func(){"stop": server.Stop, "kill": server.Kill} {
		end()
		if _, err := s.Ensure(t.Context(), kakao("a", 1)); !errors.Is(err, users.ErrUnavailable) {
			t.Errorf("%s: Ensure: %v, want ErrUnavailable", name, err)
		}
		server.Start(t)
		if got := ensure(t, s, kakao("a", 1)); got.ID != first.ID || got.Outcome != users.Existing {
			t.Errorf("%s: Ensure = %+v", name, got)
		}
	}
	// A server that stands still: each call ends with its context, or by its
	// own bounds.
	bounded := target(t, dsn)
	bounded.StatementTimeout, bounded.ConnectTimeout = time.Second, time.Second
	b := open(t, mysql.Config{Conn: bounded})
	works := func() bool { _, err := b.Ensure(t.Context(), kakao("a", 1)); return err == nil }
	within(t, time.Minute, "an answer in time", works) // the machine may be busy
	server.Pause()
	defer server.Resume()
	// A stopped process may run on for a moment.
	within(t, 20*time.Second, "the server stands still", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := s.IDBySub(ctx, "a")
		return err != nil
	})
	for name, s := range map[string]users.Store{"by its context": s, "by itself": b} {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if name == "by its context" {
			ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
		}
		if _, err := s.Ensure(ctx, kakao("a", 1)); !errors.Is(err, users.ErrUnavailable) {
			t.Errorf("%s: Ensure: %v, want ErrUnavailable", name, err)
		}
		cancel()
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: Ensure took %v", name, took)
		}
	}
	server.Resume()
	ensure(t, s, kakao("a", 1))
	within(t, time.Minute, "an answer in time", works)
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port //nolint:errcheck // it is one
	_ = l.Close()
	s := open(t, mysql.Config{Conn: dbconn.Config{
		Host: "127.0.0.1", Port: port, Database: "d", User: "u", Password: dbconn.NewStatic("p"), TLS: dbconn.TLS{InsecureNoTLS: true}}})
	calls := map[string]error{}
	_, calls["Ensure"] = s.Ensure(t.Context(), kakao("a", 1))
	_, calls["IDBySub"] = s.IDBySub(t.Context(), "a")
	_, calls["Get"] = s.Get(t.Context(), "1")
	_, calls["Page"] = s.Page(t.Context(), "", 1)
	_, calls["RecordSignIns"] = s.RecordSignIns(t.Context(), []users.SignIn{{Sub: "a", At: time.Now()}})
	calls["Check"] = s.Check(t.Context())
	for name, err := range calls {
		if !errors.Is(err, users.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	f := setUp(t, starter+";"+moves, table.Config{})
	ensure(t, f, kakao("a", 1))
	for range 2 {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	calls := map[string]error{"Check": f.Check(t.Context())}
	_, calls["Ensure"] = f.Ensure(t.Context(), kakao("a", 1))
	_, calls["Page"] = f.Page(t.Context(), "", 1)
	for name, err := range calls {
		if !errors.Is(err, users.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}

// A row that somebody else holds: the call ends with its context, and in the
// server soon after; the next one works.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	f := setUp(t, starter+";"+moves, table.Config{}, func(cfg *mysql.Config) { cfg.Conn.StatementTimeout = 3 * time.Second })
	if _, err := f.AddLegacy(t.Context(), "Kakao", "1"); err != nil {
		t.Fatal(err)
	}
	if err := f.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	tx, err := f.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), "UPDATE users SET name = 'x'"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if got, err := f.Ensure(ctx, kakao("a", 1)); !errors.Is(err, users.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ensure = %+v, %v, want ErrUnavailable", got, err)
	}
	within(t, 30*time.Second, "the statement has ended in the server", func() bool {
		return scalar(t, f.db, "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'INSERT%'") == "0"
	})
	// Without an end of its own the call has one all the same.
	if got, err := f.Ensure(t.Context(), kakao("a", 1)); !errors.Is(err, users.ErrUnavailable) {
		t.Errorf("Ensure = %+v, %v, want ErrUnavailable", got, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got := ensure(t, f, kakao("a", 1)); got.Outcome != users.Linked {
		t.Errorf("Ensure = %+v", got)
	}
}

// The organisation's program and the store lock the same two rows in another
// order. The store is the victim, since the other has done more, and goes on
// when the other has ended.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	f := setUp(t, starter+";"+moves, table.Config{})
	a, b := ensure(t, f, kakao("a", 1)), ensure(t, f, kakao("b", 2))
	exec(t, f.db, "CREATE TABLE other (n int PRIMARY KEY) ENGINE=InnoDB")
	tx, err := f.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	do := func(statement string, args ...any) {
		t.Helper()
		if _, err := tx.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	for n := range 50 {
		do("INSERT INTO other VALUES (?)", n)
	}
	do("UPDATE users SET name = 'x' WHERE id = ?", b.ID)
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	result := make(chan error, 1)
	go func() {
		_, err := f.RecordSignIns(t.Context(), []users.SignIn{{Sub: "b", At: at}, {Sub: "a", At: at}})
		result <- err
	}()
	deadlocks := "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'Innodb_deadlocks'"
	before := scalar(t, f.db, deadlocks)
	f.waits(t)
	do("UPDATE users SET name = 'x' WHERE id = ?", a.ID) // closes the circle
	if scalar(t, f.db, deadlocks) == before {
		t.Error("there was no deadlock")
	}
	if err := tx.Commit(); err != nil {
		t.Fatalf("the organisation's program was the victim: %v", err)
	}
	if err := <-result; err != nil {
		t.Fatalf("RecordSignIns: %v", err)
	}
	for _, id := range []string{a.ID, b.ID} {
		if u, err := f.Get(t.Context(), id); err != nil || !u.LastLogin.Equal(at) || u.Name != "x" {
			t.Errorf("row = %+v, %v", u, err)
		}
	}
}

// A server with every setting that could make a store go wrong.
func TestHostileServer(t *testing.T) {
	t.Parallel()
	server := realtest.NewMariaDB(t,
		realtest.MariaDBSetting("sql-mode", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH,HIGH_NOT_PRECEDENCE,SIMULTANEOUS_ASSIGNMENT"),
		realtest.MariaDBSetting("default-time-zone", "+09:00"), realtest.MariaDBSetting("autocommit", "0"),
		realtest.MariaDBSetting("character-set-server", "euckr"), realtest.MariaDBSetting("character-set-client-handshake", "FALSE"),
		realtest.MariaDBSetting("transaction-isolation", "SERIALIZABLE"), realtest.MariaDBSetting("init-connect", "SET NAMES gbk, sql_safe_updates = 1"))
	dsn := server.Database(t)
	db := openDB(t, dsn)
	exec(t, db, "SET NAMES utf8mb4; "+strings.Replace(strings.Replace(starter, "last_login_at datetime(6)", "last_login_at timestamp(6) NULL", 1),
		"cognito_sub varchar(255) COLLATE utf8mb4_nopad_bin", "cognito_sub char(255) COLLATE utf8mb4_general_ci", 1)+";"+moves)
	s := open(t, mysql.Config{Conn: target(t, dsn)})
	at := time.Date(2026, 3, 2, 23, 30, 0, 123456000, time.UTC)
	for _, text := range []string{`\`, `'`, `\' OR 1=1 -- `, `"`, "뷁\xe2\x80\x99", "a\\", "`", `\'; DROP TABLE users; -- x`} {
		if strings.HasSuffix(text, " ") {
			continue
		}
		who := users.Identity{Sub: text, Provider: "Kakao", Subject: text, Name: text, Email: text + "@example.test"}
		got := ensure(t, s, who)
		if again := ensure(t, s, who); again.ID != got.ID || again.Outcome != users.Existing {
			t.Errorf("%s: Ensure = %+v", text, again)
		}
		if report, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: text, At: at}}); err != nil || report.Updated != 1 {
			t.Errorf("%s: RecordSignIns = %+v, %v", text, report, err)
		}
		u, err := s.Get(t.Context(), got.ID)
		if err != nil || u.Sub != text || u.Name != text || u.Email != who.Email || u.Providers["Kakao"] != text || !u.LastLogin.Equal(at) {
			t.Errorf("%s: row = %+v, %v", text, u, err)
		}
		if age := time.Since(u.Created); age < -time.Minute || age > time.Minute {
			t.Errorf("%s: created %v ago", text, age)
		}
	}
	if got := scalar(t, db, "SELECT DATE_FORMAT(MAX(last_login_at), '%Y-%m-%d %T') FROM users"); got != "2026-03-02 23:30:00" {
		t.Errorf("the organisation reads %s", got)
	}
}

// authority makes a certificate for 127.0.0.1 that is its own authority.
func authority(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := authority(t)
	stranger, _ := authority(t)
	server := realtest.NewMariaDB(t, realtest.MariaDBTLS(cert, key))
	dsn := server.Database(t)
	for name, row := range map[string]struct {
		host string
		tls  dbconn.TLS
		good bool
	}{
		"its authority":       {"127.0.0.1", dbconn.TLS{CAPEM: cert}, true},
		"another authority":   {"127.0.0.1", dbconn.TLS{CAPEM: stranger}, false},
		"the system's":        {"127.0.0.1", dbconn.TLS{SystemCAs: true}, false},
		"another name":        {"localhost", dbconn.TLS{CAPEM: cert}, false},
		"without TLS at all ": {"127.0.0.1", dbconn.TLS{InsecureNoTLS: true}, false},
	} {
		cfg := target(t, dsn)
		cfg.Host, cfg.TLS = row.host, row.tls
		_, err := open(t, mysql.Config{Conn: cfg}).Ensure(t.Context(), kakao("a", 1))
		// The database has no table: to be told so is to have come in.
		if got := errors.Is(err, users.ErrSchema); got != row.good || errors.Is(err, users.ErrUnavailable) == row.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// rotating hands out a password that the server does not take any more, until
// it is told so.
type rotating struct {
	mu       sync.Mutex
	now, new string // guarded by mu
	refused  int    // guarded by mu
}

func (r *rotating) Credentials(_ context.Context, to dbconn.Target) (dbconn.Credentials, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return dbconn.Credentials{User: to.User, Password: dbconn.NewSecret(r.now)}, nil
}

func (r *rotating) Refused(dbconn.Target, dbconn.Credentials) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused++
	r.now = r.new
	return true
}

func TestPasswordRotates(t *testing.T) {
	t.Parallel()
	f := setUp(t, starter+";"+moves, table.Config{})
	user := "rotated_" + f.cfg.Conn.Database
	exec(t, f.db, fmt.Sprintf("CREATE USER %s@'127.0.0.1' IDENTIFIED BY 'second'; GRANT SELECT, INSERT, UPDATE ON %s.* TO %[1]s@'127.0.0.1'", user, f.cfg.Conn.Database))
	source := &rotating{now: "first", new: "second"}
	cfg := f.cfg
	cfg.Conn.User, cfg.Conn.Password = user, source
	s := open(t, cfg)
	ensure(t, s, kakao("a", 1)) // also: no other right is needed
	ensure(t, s, kakao("b", 1))
	if source.refused != 1 {
		t.Errorf("refused %d times", source.refused)
	}
	cfg.Conn.Password = dbconn.NewStatic("wrong")
	_, err := open(t, cfg).Ensure(t.Context(), kakao("a", 1))
	if !errors.Is(err, users.ErrUnavailable) || strings.Contains(err.Error(), user) {
		t.Errorf("Ensure: %v, want ErrUnavailable", err)
	}
	exec(t, f.db, "REVOKE UPDATE ON "+f.cfg.Conn.Database+".* FROM "+user+"@'127.0.0.1'")
	cfg.Conn.Password = dbconn.NewStatic("second")
	if _, err := open(t, cfg).Ensure(t.Context(), kakao("a", 1)); !errors.Is(err, users.ErrSchema) {
		t.Errorf("without a right: %v, want ErrSchema", err)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := func() mysql.Config {
		return mysql.Config{Conn: dbconn.Config{Host: "127.0.0.1", Database: "d", User: "u", Password: dbconn.NewStatic("p"), TLS: dbconn.TLS{InsecureNoTLS: true}}}
	}
	for name, row := range map[string]struct {
		change func(*mysql.Config)
		want   []string
	}{
		"good":          {func(*mysql.Config) {}, nil},
		"nothing":       {func(c *mysql.Config) { *c = mysql.Config{} }, []string{"Host", "Database", "User", "Password"}},
		"a quote":       {func(c *mysql.Config) { c.Table.Name = "a`b" }, []string{"Name"}},
		"of both kinds": {func(c *mysql.Config) { c.Conn.Host, c.Table.Moved = "", "perhaps" }, []string{"Host", "Moved"}},
		"no such file":  {func(c *mysql.Config) { c.Conn.TLS = dbconn.TLS{CAFile: "no such file"} }, []string{"CAFile"}},
	} {
		cfg := good()
		row.change(&cfg)
		s, err := mysql.Open(t.Context(), cfg)
		if (err == nil) != (row.want == nil) {
			t.Errorf("%s: Open: %v", name, err)
		}
		for _, w := range row.want {
			if err != nil && !strings.Contains(err.Error(), w) {
				t.Errorf("%s: Open does not say %s: %v", name, w, err)
			}
		}
		if s != nil {
			_ = s.Close()
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mysql.Open(ctx, good()); !errors.Is(err, users.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v", err)
	}
}
