package mysql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/mysql"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/userstest"
)

const moves = `CREATE TABLE sso_moves (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id varchar(255) NOT NULL,
	provider varchar(255) NOT NULL, from_sub varchar(255) NOT NULL, to_sub varchar(255) NOT NULL,
	moved_at datetime(6) NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`

// starter is the table of those who have none of their own.
const starter = `CREATE TABLE users (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
	kakao_id varchar(255) COLLATE utf8mb4_nopad_bin, google_id varchar(255) COLLATE utf8mb4_nopad_bin,
	cognito_sub varchar(255) COLLATE utf8mb4_nopad_bin, email varchar(255), name varchar(255),
	last_login_at datetime(6), created_at datetime(6),
	UNIQUE (kakao_id), UNIQUE (google_id), UNIQUE (cognito_sub)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`

// target is where a DSN leads to.
func target(t testing.TB, dsn string) dbconn.Config {
	t.Helper()
	d, err := driver.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(d.Addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return dbconn.Config{
		Host: host, Port: n, Database: d.DBName, User: d.User, Password: dbconn.NewStatic(d.Passwd),
		TLS: dbconn.TLS{InsecureNoTLS: true}, MaxConns: 6,
		ConnectTimeout: 20 * time.Second, StatementTimeout: 20 * time.Second, // the machine may be busy
	}
}

// openDB is the organisation's own way in: an old program, which is not strict.
func openDB(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn+"?multiStatements=true&interpolateParams=true&sql_mode=%27%27&time_zone=%27%2B00%3A00%27")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func exec(t testing.TB, db *sql.DB, script string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), script, args...); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
}

func scalar(t testing.TB, db *sql.DB, query string, args ...any) string {
	t.Helper()
	var v sql.NullString
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v.String
}

func open(t testing.TB, cfg mysql.Config) *mysql.Store {
	t.Helper()
	s, err := mysql.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// fixture is a store, its database, and the organisation's own way in.
type fixture struct {
	*mysql.Store
	db  *sql.DB
	dsn string
	cfg mysql.Config
}

func setUp(t testing.TB, script string, layout table.Config, change ...func(*mysql.Config)) fixture {
	t.Helper()
	dsn := realtest.MariaDB(t)
	db := openDB(t, dsn)
	exec(t, db, script)
	cfg := mysql.Config{Conn: target(t, dsn), Table: layout}
	for _, c := range change {
		c(&cfg)
	}
	return fixture{open(t, cfg), db, dsn, cfg}
}

// AddLegacy adds an old row past the store, as the organisation's programs did.
func (f fixture) AddLegacy(ctx context.Context, provider, subject string) (string, error) {
	l := f.cfg.Table.Complete()
	column, id := table.Quote("`", l.Providers[provider].Name), table.Quote("`", l.ID)
	set := ""
	if l.IDType == table.UUID || l.IDType == table.Text {
		set = id + " = " + map[bool]string{false: "UUID()", true: "UNHEX(REPLACE(UUID(), '-', ''))"}[f.binaryID(ctx)] + ", "
	}
	insert := "INSERT INTO " + table.Quote("`", l.Name) + " SET " + set + column + " = ?" //nolint:gosec // names of this test
	if _, err := f.db.ExecContext(ctx, insert, subject); err != nil {
		return "", err
	}
	var found string
	err := f.db.QueryRowContext(ctx, "SELECT "+f.idText(ctx, id)+" FROM "+table.Quote("`", l.Name)+" WHERE "+column+" = ?", subject).Scan(&found)
	return found, err
}

func (f fixture) binaryID(ctx context.Context) bool {
	l := f.cfg.Table.Complete()
	var kind string
	_ = f.db.QueryRowContext(ctx, "SELECT data_type FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?",
		l.Name, l.ID).Scan(&kind)
	return kind == "binary"
}

func (f fixture) idText(ctx context.Context, id string) string {
	if f.binaryID(ctx) {
		return "LOWER(INSERT(INSERT(INSERT(INSERT(HEX(" + id + "), 21, 0, '-'), 17, 0, '-'), 13, 0, '-'), 9, 0, '-'))"
	}
	return id
}

// SetLastLogin is what the organisation's own programs wrote.
func (f fixture) SetLastLogin(ctx context.Context, id string, at time.Time) error {
	l := f.cfg.Table.Complete()
	set := "UPDATE " + table.Quote("`", l.Name) + " SET " + table.Quote("`", l.LastLogin) + " = ? WHERE " + f.idText(ctx, table.Quote("`", l.ID)) + " = ?" //nolint:gosec // names of this test
	_, err := f.db.ExecContext(ctx, set, at.UTC().Format("2006-01-02 15:04:05.000000"), id)
	return err
}

// Delete removes a row, as the organisation may.
func (f fixture) Delete(ctx context.Context, id string) error {
	l := f.cfg.Table.Complete()
	remove := "DELETE FROM " + table.Quote("`", l.Name) + " WHERE " + f.idText(ctx, table.Quote("`", l.ID)) + " = ?" //nolint:gosec // names of this test
	_, err := f.db.ExecContext(ctx, remove, id)
	return err
}

// layouts are tables as organisations have them. Each is fit for everything
// that the suite asks, if not said otherwise.
var layouts = []struct {
	name   string
	script string
	layout table.Config
	// folds says that the column of subs takes some different texts for one,
	// so that the second of two such people is refused.
	folds bool
	brief bool // the story is enough; the others have the whole suite
}{
	{name: "starter", script: starter + ";" + moves},
	{
		name: "numbers and odd names",
		script: "CREATE TABLE `select` (`order` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `KAKAO_no` bigint, `google no_` int, g bigint unsigned," +
			"`group` varbinary(255), seen timestamp(3) NULL, since timestamp(3) NULL, student_no varchar(20) NOT NULL DEFAULT 'none', note text, nick tinytext," +
			"UNIQUE (`KAKAO_no`), UNIQUE (g), UNIQUE (`group`), KEY (seen)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;" +
			strings.ReplaceAll(moves, "sso_moves", "`table`"),
		layout: table.Config{
			Name: "select", ID: "order", IDType: table.Int, Sub: "group", Email: "note", DisplayName: "nick", LastLogin: "seen", Created: "since",
			Providers: map[string]table.ProviderColumn{"Kakao": {Name: "kakao_no", Type: table.SubjectNumber}, "Google": {Name: "g", Type: table.SubjectNumber}},
			Moves:     "table",
		},
	},
	{
		name: "collation folds", folds: true, brief: true,
		script: `CREATE TABLE users (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, kakao_id varchar(100), google_id char(100),
			cognito_sub char(255), email varchar(255) NOT NULL, name varchar(30) NOT NULL DEFAULT 'nobody',
			last_login_at timestamp(6) NULL, created_at datetime NOT NULL,
			UNIQUE (kakao_id), UNIQUE (google_id), UNIQUE (cognito_sub)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;` + moves,
	},
	{
		name: "another character set", folds: true,
		script: `CREATE TABLE users (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, kakao_id varchar(100), google_id varchar(100),
			cognito_sub varchar(255), email varchar(255), name varchar(60) CHARACTER SET euckr,
			last_login_at datetime(3), created_at datetime(6) DEFAULT CURRENT_TIMESTAMP(6),
			UNIQUE (kakao_id), UNIQUE (google_id), UNIQUE (cognito_sub), UNIQUE (email)) ENGINE=InnoDB DEFAULT CHARSET=latin1;` + moves,
	},
	{
		name: "uuid", brief: true, layout: table.Config{IDType: table.UUID},
		script: strings.Replace(starter, "bigint NOT NULL AUTO_INCREMENT", "uuid NOT NULL", 1) + ";" + moves,
	},
	{
		name: "uuid in text", brief: true, layout: table.Config{IDType: table.UUID},
		script: strings.Replace(starter, "bigint NOT NULL AUTO_INCREMENT", "char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL", 1) + ";" + moves,
	},
	{
		name: "uuid in bytes", layout: table.Config{IDType: table.UUID},
		script: strings.Replace(starter, "bigint NOT NULL AUTO_INCREMENT", "binary(16) NOT NULL", 1) + ";" + moves,
	},
	{
		name: "text", brief: true, layout: table.Config{IDType: table.Text},
		script: strings.Replace(starter, "bigint NOT NULL AUTO_INCREMENT", "varchar(128) NOT NULL", 1) + ";" + moves,
	},
}

// cannot are the suite's tests that a table fails as it must.
func cannot(t *testing.T, folds bool) {
	t.Helper()
	if folds && (strings.Contains(t.Name(), "_subs_apart")) {
		t.Skip("the organisation's collation takes the two for one: see TestCollation")
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	for _, row := range layouts {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if row.brief {
				story(t, setUp(t, row.script, row.layout))
				return
			}
			userstest.Exercise(t, func(t *testing.T) users.Store {
				cannot(t, row.folds)
				return setUp(t, row.script, row.layout)
			})
		})
	}
}

// story is what a table goes through in its life.
func story(t *testing.T, f fixture) {
	t.Helper()
	old, err := f.AddLegacy(t.Context(), "Kakao", "1")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, step := range []struct {
		who  users.Identity
		want users.Outcome
	}{
		{kakao("a", 1), users.Linked}, {kakao("a", 1), users.Existing}, {kakao("b", 1), users.Moved}, {kakao("b", 1), users.Existing},
		{kakao("c", 2), users.Created}, {kakao("c", 2), users.Existing},
		{users.Identity{Sub: "d"}, users.Created}, {kakao("d", 3), users.Existing}, {kakao("d", 3), users.Existing},
	} {
		got := ensure(t, f, step.who)
		if got.Outcome != step.want {
			t.Errorf("Ensure(%+v) = %+v, want %s", step.who, got, step.want)
		}
		if id, err := f.IDBySub(t.Context(), step.who.Sub); err != nil || id != got.ID {
			t.Errorf("IDBySub = %s, %v, want %s", id, err, got.ID)
		}
		if len(ids) == 0 || ids[len(ids)-1] != got.ID {
			ids = append(ids, got.ID)
		}
	}
	if len(ids) != 3 || ids[0] != old {
		t.Fatalf("ids = %v, the old one %s", ids, old)
	}
	if got, err := f.Ensure(t.Context(), kakao("c", 3)); !errors.Is(err, users.ErrConflict) {
		t.Errorf("Ensure = %+v, %v, want ErrConflict", got, err)
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for want, at := range []time.Time{at.Add(-time.Second), at} {
		report, err := f.RecordSignIns(t.Context(), []users.SignIn{{Sub: "c", At: at}, {Sub: "a", At: at}, {Sub: "b", At: at.Add(time.Duration(-2*want) * time.Second)}})
		if err != nil || report.Updated != 2-want || len(report.Unknown) != 1 || report.Unknown[0] != "a" {
			t.Errorf("RecordSignIns = %+v, %v", report, err)
		}
	}
	var walked []string
	for after := ""; ; after = walked[len(walked)-1] {
		page, err := f.Page(t.Context(), after, 1)
		if err != nil {
			t.Fatalf("Page: %v", err)
		}
		if len(page) == 0 {
			break
		}
		walked = append(walked, page[0].ID)
		if u, err := f.Get(t.Context(), page[0].ID); err != nil || !reflect.DeepEqual(u, page[0]) {
			t.Errorf("Get = %+v, %v, Page has %+v", u, err, page[0])
		}
	}
	slices.Sort(ids)
	if slices.Sort(walked); !slices.Equal(walked, ids) {
		t.Errorf("Page gives %v, want %v", walked, ids)
	}
}

func ensure(t testing.TB, s users.Store, id users.Identity) users.Result {
	t.Helper()
	got, err := s.Ensure(t.Context(), id)
	if err != nil {
		t.Fatalf("Ensure: %v", err)
	}
	return got
}

func kakao(sub string, subject int) users.Identity {
	return users.Identity{Sub: sub, Provider: "Kakao", Subject: fmt.Sprint(subject), At: entered}
}
