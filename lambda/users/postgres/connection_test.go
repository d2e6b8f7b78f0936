package postgres_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
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
	"github.com/ssu-itsupport/cognito-sso/lambda/users/postgres"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

var cfgTime = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// until polls, since another process is in it.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-tick.C {
		if done() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

const ours = " FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'cognito-sso'"

// kill ends the store's connections, as the server does when it restarts.
func (db database) kill(t *testing.T) {
	t.Helper()
	db.exec(t, "SELECT pg_terminate_backend(pid)"+ours)
	until(t, "connections gone", func() bool { return db.value(t, "SELECT count(*)"+ours) == "0" })
}

// all are the store's calls.
func all(s *postgres.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Ensure":  func(ctx context.Context) error { _, err := s.Ensure(ctx, student); return err },
		"IDBySub": func(ctx context.Context) error { _, err := s.IDBySub(ctx, student.Sub); return err },
		"Get":     func(ctx context.Context) error { _, err := s.Get(ctx, "1"); return err },
		"Page":    func(ctx context.Context) error { _, err := s.Page(ctx, "", 1); return err },
		"Check":   func(ctx context.Context) error { return s.Check(ctx) },
		"RecordSignIns": func(ctx context.Context) error {
			_, err := s.RecordSignIns(ctx, []users.SignIn{{Sub: student.Sub, At: cfgTime}})
			return err
		},
	}
}

func TestDeadConnectionsCostNoError(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable)
	s := open(t, config(t, db.dsn, table.Config{}))
	ensure(t, s, student, users.Created)
	for name, call := range all(s) {
		var wg sync.WaitGroup // so that both connections of the pool are open
		for range 2 {
			wg.Go(func() { _, _ = s.Page(t.Context(), "", 1) })
		}
		wg.Wait()
		db.kill(t)
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestServerRestart(t *testing.T) {
	t.Parallel()
	server := realtest.NewPostgres(t)
	dsn := server.Database(t)
	connectTo(t, dsn, plainTable)
	s := open(t, config(t, dsn, table.Config{}))
	id := ensure(t, s, student, users.Created)
	for _, down := range []func(){server.Stop, server.Kill} {
		down()
		for name, call := range all(s) {
			if err := call(t.Context()); !errors.Is(err, users.ErrUnavailable) {
				t.Errorf("%s: %v, want ErrUnavailable", name, err)
			} else {
				wantSilent(t, err)
			}
		}
		server.Start(t)
		if got := ensure(t, s, student, users.Existing); got != id {
			t.Errorf("id %s became %s", id, got)
		}
	}
}

// A server that takes connections and answers nothing: the store's own
// timeouts hold where a context has none.
func TestServerStandsStill(t *testing.T) {
	t.Parallel()
	server := realtest.NewPostgres(t)
	dsn := server.Database(t)
	connectTo(t, dsn, plainTable)
	cfg := config(t, dsn, table.Config{})
	cfg.Conn.ConnectTimeout, cfg.Conn.StatementTimeout = 2*time.Second, time.Second
	s := open(t, cfg)
	works := func() bool { _, err := s.Ensure(t.Context(), student); return err == nil }
	until(t, "an answer in time", works) // the machine may be busy
	server.Pause()
	begin := time.Now()
	_, err := s.Ensure(t.Context(), again)
	wantError(t, err, users.ErrUnavailable)
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("it took %v to give up", took)
	}
	server.Resume()
	if _, err := s.Ensure(t.Context(), student); err != nil && !errors.Is(err, users.ErrUnavailable) {
		t.Error(err)
	}
}

// blocked has a store wait for a row that somebody else has locked.
func blocked(t *testing.T, change func(*postgres.Config)) (database, *postgres.Store) {
	t.Helper()
	db := newDatabase(t, plainTable, "INSERT INTO users (kakao_id) VALUES ('4000000001')")
	cfg := config(t, db.dsn, table.Config{})
	if change != nil {
		change(&cfg)
	}
	s := open(t, cfg)
	db.exec(t, "BEGIN")
	db.exec(t, "UPDATE users SET name = 'x'")
	t.Cleanup(func() { db.exec(t, "ROLLBACK") })
	return db, s
}

// watch is a second way in, since the first is inside a transaction, whose
// view of the activity stands still.
func (db database) watch(t *testing.T) database { return connectTo(t, db.dsn) }

func (db database) running(t *testing.T) bool {
	return db.value(t, "SELECT count(*)"+ours+" AND state = 'active'") != "0"
}

func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	db, s := blocked(t, func(c *postgres.Config) { c.Conn.StatementTimeout = 2 * time.Second })
	look := db.watch(t)
	_, err := s.IDBySub(t.Context(), "nobody") // connects: that is not what is timed here
	wantError(t, err, users.ErrNotFound)
	_, err = s.Ensure(t.Context(), student)
	wantError(t, err, users.ErrUnavailable)
	if !strings.Contains(err.Error(), "57014") {
		t.Errorf("not the server's own timeout: %v", err)
	}
	if look.running(t) {
		t.Error("the statement runs on")
	}
	if n := look.value(t, "SELECT count(*)"+ours); n != "1" {
		t.Errorf("%s connections: a timeout of the server must not cost one", n)
	}
	db.exec(t, "COMMIT")
	ensure(t, s, student, users.Linked)
}

func TestContextEndsStatement(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"the server is told": false, "the server cannot be told": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w wire
			db, s := blocked(t, func(c *postgres.Config) {
				c.Conn.StatementTimeout = 20 * time.Second
				if lost { // nobody can cancel it: its own timeout must
					c.Conn.StatementTimeout = 4 * time.Second
				}
				w.use(c)
			})
			look := db.watch(t)
			if _, err := s.IDBySub(t.Context(), "x"); !errors.Is(err, users.ErrNotFound) {
				t.Fatal(err)
			}
			w.down.Store(lost)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			begin := time.Now()
			_, err := s.Ensure(ctx, student)
			wantError(t, err, users.ErrUnavailable)
			wantError(t, err, context.DeadlineExceeded)
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			until(t, "the statement ends on the server", func() bool { return !look.running(t) })
			db.exec(t, "COMMIT")
			if got := look.value(t, "SELECT count(*) FROM users WHERE cognito_sub IS NULL"); got != "1" {
				t.Error("a call that failed did its work later")
			}
		})
	}
}

// After a freeze a connection may be gone without a word. The clock says that
// it lay idle; then it is looked at before it is used.
func TestConnectionLostInFreeze(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable)
	var w wire
	var frozen atomic.Int64
	cfg := config(t, db.dsn, table.Config{})
	cfg.Now = func() time.Time { return time.Now().Add(time.Duration(frozen.Load())) }
	cfg.Conn.MaxConns = 1 // the lost one must make room at once
	w.use(&cfg)
	s := open(t, cfg)
	ensure(t, s, student, users.Created)
	w.sink() // swallows what the old connection sends
	frozen.Store(int64(time.Hour))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // far less than StatementTimeout
	defer cancel()
	if _, err := s.Ensure(ctx, student); err != nil {
		t.Errorf("Ensure: %v", err)
	}
	if n := w.dials.Load(); n < 2 {
		t.Errorf("%d connections: the old one was not lost", n)
	}
}

// A connection that was used a moment ago costs no look, so it may time out.
// What is left of the context is for a new one.
func TestConnectionLostWithoutAWord(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable)
	var w wire
	cfg := config(t, db.dsn, table.Config{})
	cfg.Conn.StatementTimeout = 2 * time.Second
	w.use(&cfg)
	s := open(t, cfg)
	ensure(t, s, student, users.Created)
	w.sink()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := s.Ensure(ctx, student); err != nil {
		t.Errorf("Ensure: %v", err)
	}
}

// The connection that would be used is idle long enough to be looked at, and
// well: then it is kept.
func TestIdleConnectionIsKept(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable)
	var w wire
	var frozen atomic.Int64
	cfg := config(t, db.dsn, table.Config{})
	cfg.Now = func() time.Time { return time.Now().Add(time.Duration(frozen.Load())) }
	w.use(&cfg)
	s := open(t, cfg)
	ensure(t, s, student, users.Created)
	frozen.Store(int64(time.Hour))
	w.trips()
	ensure(t, s, student, users.Existing)
	if got := w.trips(); len(got) != 2 || got[1] != one || w.dials.Load() != 1 {
		t.Errorf("sent %v over %d connections, want a look and the statement over one", got, w.dials.Load())
	}
}

// Two rows locked in the opposite order by somebody else: the server ends one
// of the two, and it is the store's.
func TestDeadlockIsTriedAgain(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable, "INSERT INTO users (cognito_sub) VALUES ('a'), ('b')", "SET deadlock_timeout = '60s'")
	s := open(t, config(t, db.dsn, table.Config{}))
	look := db.watch(t)
	db.exec(t, "BEGIN")
	db.exec(t, "UPDATE users SET name = 'x' WHERE cognito_sub = 'b'")
	done := make(chan error, 1)
	go func() {
		report, err := s.RecordSignIns(context.WithoutCancel(t.Context()), []users.SignIn{{Sub: "a", At: cfgTime}, {Sub: "b", At: cfgTime}})
		if err == nil && report.Updated != 2 {
			err = errors.New("not both rows were updated")
		}
		done <- err
	}()
	until(t, "the store waits for b", func() bool {
		return look.value(t, "SELECT count(*)"+ours+" AND wait_event_type = 'Lock'") == "1"
	})
	db.exec(t, "UPDATE users SET name = 'x' WHERE cognito_sub = 'a'")
	db.exec(t, "COMMIT")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := look.value(t, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n == "0" {
		t.Log("the server has not counted the deadlock yet")
	}
}

// Somebody else makes the row of the sub in a transaction that is still open:
// nobody can see it, but the unique index knows.
func TestUniqueIndexRace(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		theirs string
		end    string
		want   users.Outcome
	}{
		"of the sub, committed":        {"INSERT INTO users (cognito_sub) VALUES ('first-sub')", "COMMIT", users.Existing},
		"of the sub, taken back":       {"INSERT INTO users (cognito_sub) VALUES ('first-sub')", "ROLLBACK", users.Created},
		"of the provider, committed":   {"INSERT INTO users (kakao_id) VALUES ('4000000001')", "COMMIT", users.Linked},
		"of the provider, taken back":  {"INSERT INTO users (kakao_id) VALUES ('4000000001')", "ROLLBACK", users.Created},
		"of both, committed":           {"INSERT INTO users (cognito_sub, kakao_id) VALUES ('first-sub', '4000000001')", "COMMIT", users.Existing},
		"of somebody who moves, comes": {"INSERT INTO users (cognito_sub, kakao_id) VALUES ('x', '4000000001')", "COMMIT", users.Moved},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, plainTable)
			s := open(t, config(t, db.dsn, table.Config{}))
			db.exec(t, "BEGIN")
			db.exec(t, row.theirs)
			got := waiting(t, db, s)
			db.exec(t, row.end)
			if r := <-got; r.err != nil || r.Outcome != row.want {
				t.Errorf("Ensure = %+v, want %s", r, row.want)
			}
			if n := db.value(t, "SELECT count(*) FROM users"); n != "1" {
				t.Errorf("%s rows", n)
			}
		})
	}
}

// The row is no longer as it was seen when the store gets at it.
func TestRowChangesMeanwhile(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		theirs string
		want   users.Outcome
		moves  string
	}{
		"somebody else took it":     {"UPDATE users SET cognito_sub = 'x'", users.Moved, "x first-sub"},
		"the same call was faster":  {"UPDATE users SET cognito_sub = 'first-sub'", users.Existing, ""},
		"only its name changed":     {"UPDATE users SET name = 'x'", users.Linked, ""},
		"it was deleted":            {"DELETE FROM users", users.Created, ""},
		"it got another Kakao user": {"UPDATE users SET kakao_id = '7', cognito_sub = 'x'", users.Created, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, plainTable, "INSERT INTO users (kakao_id) VALUES ('4000000001')")
			s := open(t, config(t, db.dsn, table.Config{}))
			db.exec(t, "BEGIN")
			db.exec(t, row.theirs)
			got := waiting(t, db, s)
			db.exec(t, "COMMIT")
			if r := <-got; r.err != nil || r.Outcome != row.want {
				t.Errorf("Ensure = %+v, want %s", r, row.want)
			}
			if moves := db.value(t, "SELECT coalesce(string_agg(from_sub || ' ' || to_sub, ';'), '') FROM sso_moves"); moves != row.moves {
				t.Errorf("moves %q, want %q", moves, row.moves)
			}
		})
	}
}

type answer struct {
	users.Result
	err error
}

// waiting returns when the store's Ensure of student waits for a lock.
func waiting(t *testing.T, db database, s *postgres.Store) <-chan answer {
	t.Helper()
	look, done := db.watch(t), make(chan answer, 1)
	go func() {
		got, err := s.Ensure(context.WithoutCancel(t.Context()), student)
		done <- answer{got, err}
	}()
	until(t, "the store waits", func() bool {
		return look.value(t, "SELECT count(*)"+ours+" AND wait_event_type = 'Lock'") == "1"
	})
	return done
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that nobody listens at
	if err != nil {
		t.Fatal(err)
	}
	dsn := "postgres://u@" + l.Addr().String() + "/d"
	_ = l.Close()
	for name, call := range all(open(t, config(t, dsn, table.Config{}))) {
		if err := call(t.Context()); !errors.Is(err, users.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable)
	s := open(t, config(t, db.dsn, table.Config{}))
	ensure(t, s, student, users.Created)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	for name, call := range all(s) {
		if err := call(t.Context()); !errors.Is(err, users.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
	until(t, "connections closed", func() bool { return db.value(t, "SELECT count(*)"+ours) == "0" })
}

// rotated is a source whose first password is an old one.
type rotated struct{ asked, refused atomic.Int32 }

func (r *rotated) Credentials(_ context.Context, to dbconn.Target) (dbconn.Credentials, error) {
	password := "old"
	if r.asked.Add(1) > 1 {
		password = "new-secret"
	}
	return dbconn.Credentials{User: to.User, Password: dbconn.NewSecret(password)}, nil
}

func (r *rotated) Refused(dbconn.Target, dbconn.Credentials) bool { r.refused.Add(1); return true }

func TestPasswords(t *testing.T) {
	t.Parallel()
	server := realtest.NewPostgres(t, realtest.PostgresPassword("new-secret"))
	dsn := server.Database(t)
	connectTo(t, dsn, plainTable)

	cfg := config(t, dsn, table.Config{})
	cfg.Conn.Password = dbconn.NewStatic("wrong-secret")
	_, err := open(t, cfg).Ensure(t.Context(), student)
	wantError(t, err, users.ErrUnavailable)
	if !strings.Contains(err.Error(), "28P01") || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}

	source := &rotated{}
	cfg.Conn.Password = source
	ensure(t, open(t, cfg), student, users.Created)
	if source.refused.Load() != 1 {
		t.Errorf("the source was told %d times", source.refused.Load())
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t, "127.0.0.1")
	other, _ := certificate(t, "127.0.0.1")
	server := realtest.NewPostgres(t, realtest.PostgresTLS(cert, key))
	dsn := server.Database(t)
	connectTo(t, dsn, plainTable)
	for name, row := range map[string]struct {
		host string
		tls  dbconn.TLS
		ok   bool
	}{
		"the authority and the name": {"127.0.0.1", dbconn.TLS{CAPEM: cert}, true},
		"another authority":          {"127.0.0.1", dbconn.TLS{CAPEM: other}, false},
		"another name":               {"localhost", dbconn.TLS{CAPEM: cert}, false},
		"no TLS":                     {"127.0.0.1", dbconn.TLS{InsecureNoTLS: true}, false},
	} {
		cfg := config(t, dsn, table.Config{})
		cfg.Conn.Host, cfg.Conn.TLS = row.host, row.tls
		err := open(t, cfg).Check(t.Context())
		if (err == nil) != row.ok || (err != nil && !errors.Is(err, users.ErrUnavailable)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A server that has no TLS is not spoken to in clear.
func TestNoTLSIsNoConnection(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable)
	cert, _ := certificate(t, "127.0.0.1")
	cfg := config(t, db.dsn, table.Config{})
	cfg.Conn.TLS = dbconn.TLS{CAPEM: cert}
	_, err := open(t, cfg).Ensure(t.Context(), student)
	wantError(t, err, users.ErrUnavailable)
}

// certificate makes one that is its own authority.
func certificate(t *testing.T, ip string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.ParseIP(ip)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}
