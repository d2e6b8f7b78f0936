package migrate_test

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/mysql"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/postgres"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

type store interface {
	users.Store
	Close() error
}

// open opens the store of the database's kind.
func (db database) open(t *testing.T, cfg table.Config) store {
	t.Helper()
	var s store
	var err error
	switch db.d {
	case migrate.Postgres:
		var u *url.URL
		if u, err = url.Parse(db.dsn); err == nil {
			s, err = postgres.Open(t.Context(), postgres.Config{Table: cfg, Conn: conn(t, u.Host, u.User.Username(), strings.TrimPrefix(u.Path, "/"))})
		}
	case migrate.MySQL:
		var d *driver.Config
		if d, err = driver.ParseDSN(db.dsn); err == nil {
			s, err = mysql.Open(t.Context(), mysql.Config{Table: cfg, Conn: conn(t, d.Addr, d.User, d.DBName)})
		}
	default:
		path, _, _ := strings.Cut(strings.TrimPrefix(db.dsn, "file:"), "?")
		s, err = sqlite.Open(t.Context(), path, sqlite.Config{Table: cfg})
	}
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func conn(t *testing.T, addr, user, name string) dbconn.Config {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return dbconn.Config{Host: host, Port: n, Database: name, User: user, Password: dbconn.NewStatic(""), TLS: dbconn.TLS{InsecureNoTLS: true},
		ConnectTimeout: 20 * time.Second, StatementTimeout: 20 * time.Second} // the machine may be busy
}

// The stores work on what this package made, and find nothing to complain of.
func TestStoresOnNewTables(t *testing.T) {
	t.Parallel()
	for name, cfg := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, db database) {
				db.up(t, cfg)
				db.use(t, cfg, "")
			})
		})
	}
}

func TestStoresOnCompletedTables(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		kakaoType string
		cfg       table.Config
	}{
		"bigint":  {"bigint", kakao(table.SubjectNumber)},
		"varchar": {"varchar(30)", kakao(table.SubjectText)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, db database) {
				db.legacy(t, tc.kakaoType, "4000000009", "4000000001")
				db.apply(t, db.plan(t, tc.cfg))
				db.use(t, tc.cfg, "2")
			})
		})
	}
}

var person = users.Identity{Sub: sub, Provider: "Kakao", Subject: "4000000001", Email: "a@example.test", Name: "김하나"}

// use signs a person up, in, and up again after a deletion. linked is the row
// that should be theirs, "" for a new one.
func (db database) use(t *testing.T, cfg table.Config, linked string) {
	t.Helper()
	s, c := db.open(t, cfg), cfg.Complete()
	if checked, ok := s.(interface{ Check(context.Context) error }); ok {
		if err := checked.Check(t.Context()); err != nil {
			t.Errorf("Check: %v", err)
		}
	}
	who := person
	first, err := s.Ensure(t.Context(), who)
	if err != nil || linked != "" && (first.ID != linked || first.Outcome != users.Linked) || linked == "" && first.Outcome != users.Created {
		t.Fatalf("Ensure = %+v, %v, want row %q", first, err, linked)
	}
	if c.LastLogin != table.None {
		if r, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: sub, At: time.Now()}}); err != nil || r.Updated != 1 {
			t.Errorf("RecordSignIns = %+v, %v", r, err)
		}
	}
	if c.Moved != table.Adopt || len(c.Providers) == 0 {
		return
	}
	who.Sub = strings.Replace(sub, "3", "4", 1)
	if again, err := s.Ensure(t.Context(), who); err != nil || again.ID != first.ID || again.Outcome != users.Moved {
		t.Errorf("Ensure = %+v, %v", again, err)
	}
	if n := db.scalar(t, "SELECT count(*) FROM "+db.quote(c.Moves)+" WHERE user_id = '"+first.ID+"'"); n != "1" {
		t.Errorf("%s records of the move", n)
	}
}
