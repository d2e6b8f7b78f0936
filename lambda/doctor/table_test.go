package doctor_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	_ "modernc.org/sqlite"

	"github.com/ssu-itsupport/cognito-sso/lambda/doctor"
	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// tabled gives the world a table, and returns it.
func (w *world) tabled(t *testing.T) *sql.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.db")
	store, err := sqlite.Open(t.Context(), path, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w.cfg.Database = &doctor.Database{
		Users: func(context.Context) (users.Store, error) { return store, nil }, Providers: []string{"Kakao", "Google"}, Columns: []string{"Kakao"},
		Pool: reconcile.NewCognitoPool(w.cfg.Cognito.(*cognitoidentityprovider.Client), w.pool.ID()),
		Plan: func(ctx context.Context) (migrate.Plan, error) {
			return migrate.NewPlan(ctx, db, migrate.SQLite, table.Config{}, migrate.Options{})
		},
	}
	return db
}

// user signs somebody up; old, so that no trigger may be at work.
func (w *world) user(t *testing.T, subject, id string) (sub string) {
	t.Helper()
	u, err := w.pool.AddUser(ssotest.User{Username: "Kakao_" + subject, Status: "EXTERNAL_PROVIDER", Attributes: map[string]string{"custom:userId": id}, Created: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return u.Sub
}

func exec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

var tables = []struct {
	name string
	seed func(*testing.T, *world, *sql.DB)
	want []doctor.ID
}{
	{"nothing", func(*testing.T, *world, *sql.DB) {}, nil},
	{"somebody in step", func(t *testing.T, w *world, db *sql.DB) {
		exec(t, db, "INSERT INTO users (cognito_sub, kakao_id) VALUES (?, '11')", w.user(t, "11", "1"))
	}, nil},
	{"another's id", func(t *testing.T, w *world, db *sql.DB) {
		exec(t, db, "INSERT INTO users (cognito_sub, kakao_id) VALUES (?, '11')", w.user(t, "11", "1"))
		exec(t, db, "INSERT INTO users (cognito_sub, kakao_id) VALUES (?, '12')", w.user(t, "12", "1"))
	}, ids(doctor.TableDrift)},
	{"no row", func(t *testing.T, w *world, _ *sql.DB) { w.user(t, "11", "1") }, ids(doctor.TableDrift)},
	{"no unique index", func(t *testing.T, w *world, db *sql.DB) {
		exec(t, db, "DROP TABLE users")
		exec(t, db, "CREATE TABLE users (id INTEGER PRIMARY KEY, cognito_sub TEXT, kakao_id TEXT, google_id TEXT, email TEXT, name TEXT, last_login_at TEXT, created_at TEXT)")
	}, ids(doctor.TableIncomplete)},
	{"no column", func(t *testing.T, w *world, db *sql.DB) {
		exec(t, db, "DROP TABLE users")
		exec(t, db, "CREATE TABLE users (id INTEGER PRIMARY KEY, kakao_id TEXT)")
	}, ids(doctor.TableIncomplete)},
	{"no table", func(t *testing.T, _ *world, db *sql.DB) { exec(t, db, "DROP TABLE users") }, ids(doctor.TableIncomplete)},
	{"two people, one id", func(t *testing.T, w *world, db *sql.DB) {
		exec(t, db, "DROP TABLE users")
		exec(t, db, "CREATE TABLE users (id INTEGER PRIMARY KEY, kakao_id TEXT)")
		exec(t, db, "INSERT INTO users (kakao_id) VALUES ('11'), ('11')")
	}, ids(doctor.TableBlocked)},
	{"the database is away", func(_ *testing.T, _ *world, db *sql.DB) { _ = db.Close() }, ids(doctor.NotAsked)},
	{"the table is away", func(t *testing.T, w *world, _ *sql.DB) {
		w.cfg.Database.Plan = nil
		store, _ := w.cfg.Database.Users(t.Context())
		_ = store.(*sqlite.Store).Close()
	}, ids(doctor.NotAsked)},
	{"the table cannot be opened", func(_ *testing.T, w *world, _ *sql.DB) {
		w.cfg.Database.Users = func(context.Context) (users.Store, error) { return nil, errors.New("no") }
	}, ids(doctor.NotAsked)},
	{"users may not be listed", func(_ *testing.T, w *world, _ *sql.DB) { w.pool.SetFaults(denied("ListUsers")) }, ids(doctor.NotAsked)},
}

func TestTable(t *testing.T) {
	t.Parallel()
	for _, row := range tables {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			row.seed(t, w, w.tabled(t))
			report := w.run(t)
			want(t, report, row.want...)
			for _, f := range report.Findings {
				if f.Subject != doctor.Table {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// A large pool is not read as a whole, and nothing is written.
func TestSample(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	db := w.tabled(t)
	for i := range 150 {
		subject := fmt.Sprint(1000 + i)
		exec(t, db, "INSERT INTO users (id, cognito_sub, kakao_id) VALUES (?, ?, ?)", i+1, w.user(t, subject, fmt.Sprint(i+1)), subject)
	}
	w.cfg.Database.Sample = 100
	report := w.run(t)
	want(t, report)
	if report.Users != 120 { // two pages
		t.Errorf("%d users were compared", report.Users)
	}
	exec(t, db, "DELETE FROM users WHERE id = 7")
	want(t, w.run(t), doctor.TableDrift)
	var rows int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM users").Scan(&rows); err != nil || rows != 149 {
		t.Errorf("%d rows: %v", rows, err)
	}
}
