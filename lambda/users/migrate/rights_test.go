package migrate_test

import (
	"fmt"
	"net/url"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
)

// The rights that docs/existing-table.md gives the functions are enough.
func TestRightsOfTheFunctions(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		db    func(*testing.T) database
		roles []string // %s stands for the role
	}{
		"postgres": {onPostgres, []string{"CREATE ROLE %s LOGIN", "GRANT SELECT, INSERT, UPDATE ON users TO %s",
			"GRANT INSERT ON sso_moves TO %s", "GRANT USAGE ON SEQUENCE users_id_seq TO %s"}},
		"mysql": {onMariaDB, []string{"CREATE USER %s@'%%'", "GRANT SELECT, INSERT, UPDATE ON users TO %s@'%%'", "GRANT INSERT ON sso_moves TO %s@'%%'"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := tc.db(t)
			db.legacy(t, "varchar(30)", "4000000009", "4000000001")
			db.apply(t, db.plan(t, kakao("")))
			role := "f_" + db.scalar(t, "SELECT "+map[migrate.Dialect]string{migrate.Postgres: "current_database()", migrate.MySQL: "database()"}[db.d])
			for _, s := range tc.roles {
				db.run(t, fmt.Sprintf(s, role))
			}
			db.worksAs(t, role)
		})
	}
}

// as is the database as another role sees it.
func (db database) as(t *testing.T, role string) database {
	t.Helper()
	if db.d == migrate.MySQL {
		c, err := driver.ParseDSN(db.dsn)
		if err != nil {
			t.Fatal(err)
		}
		c.User, c.Passwd = role, ""
		return connect(t, db.d, func(*testing.T) (string, string) { return "mysql", c.FormatDSN() })
	}
	u, err := url.Parse(db.dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	return connect(t, db.d, func(*testing.T) (string, string) { return "pgx", u.String() })
}

func (db database) worksAs(t *testing.T, role string) {
	t.Helper()
	theirs := db.as(t, role)
	s := theirs.open(t, kakao(""))
	who := person
	for _, outcome := range []string{"linked", "moved"} {
		who.Sub += "x"
		if got, err := s.Ensure(t.Context(), who); err != nil || string(got.Outcome) != outcome || got.ID != "2" {
			t.Errorf("Ensure = %+v, %v, want %s", got, err, outcome)
		}
	}
	who.Subject, who.Sub = "4000000002", "new"
	if got, err := s.Ensure(t.Context(), who); err != nil || got.Outcome != "created" {
		t.Errorf("Ensure = %+v, %v", got, err)
	}
	if _, err := theirs.ExecContext(t.Context(), "ALTER TABLE users ADD COLUMN x int"); err == nil {
		t.Error("the functions may change the schema")
	}
}
