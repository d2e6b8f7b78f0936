package mysql_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// entered is when the people of these tests sign up, before they sign in.
var entered = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// The ways to a row, for columns that are there, that hold less, or are not there.
func TestFirstSignInByColumn(t *testing.T) {
	t.Parallel()
	uuid := strings.Replace(starter, "bigint NOT NULL AUTO_INCREMENT", "char(36) NOT NULL", 1)
	late := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		script   string
		layout   table.Config
		at       time.Time
		want     time.Time
		recorded bool
	}{
		"numbers":                   {starter, table.Config{}, entered.Add(123456 * time.Microsecond), entered.Add(123456 * time.Microsecond), true},
		"uuid":                      {uuid, table.Config{IDType: table.UUID}, entered.Add(123456 * time.Microsecond), entered.Add(123456 * time.Microsecond), true},
		"whole seconds, cut":        {strings.Replace(starter, "last_login_at datetime(6)", "last_login_at datetime", 1), table.Config{}, entered.Add(999 * time.Millisecond), entered, true},
		"timestamp":                 {strings.Replace(starter, "last_login_at datetime(6)", "last_login_at timestamp(3) NULL", 1), table.Config{}, entered.Add(time.Millisecond), entered.Add(time.Millisecond), true},
		"too late for a timestamp":  {strings.Replace(starter, "last_login_at datetime(6)", "last_login_at timestamp NULL", 1), table.Config{}, late, time.Time{}, false},
		"no column":                 {strings.Replace(starter, "last_login_at datetime(6),", "", 1), table.Config{LastLogin: table.None}, entered, time.Time{}, false},
		"no column, uuid":           {strings.Replace(uuid, "last_login_at datetime(6),", "", 1), table.Config{LastLogin: table.None, IDType: table.UUID}, entered, time.Time{}, false},
		"a column that fills alone": {strings.Replace(starter, "last_login_at datetime(6)", "last_login_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP", 1), table.Config{}, time.Now().Add(time.Hour).Truncate(time.Second), time.Now().Add(time.Hour).Truncate(time.Second), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t, row.script+";"+moves, row.layout)
			if _, err := f.AddLegacy(t.Context(), "Kakao", "1"); err != nil {
				t.Fatal(err)
			}
			for _, step := range []struct {
				who  users.Identity
				want users.Outcome
			}{{kakao("a", 1), users.Linked}, {kakao("b", 2), users.Created}, {users.Identity{Sub: "c"}, users.Created}, {kakao("d", 2), users.Moved}} {
				step.who.At = row.at
				got := ensure(t, f, step.who)
				u, err := f.Get(t.Context(), got.ID)
				if err != nil || got.Outcome != step.want || got.SignInRecorded != row.recorded || !u.LastLogin.Equal(row.want) {
					t.Errorf("%+v, row = %+v, %v, want %s and %v", got, u, err, step.want, row.want)
				}
			}
		})
	}
}

// Old tables have zeros where there is no time, and last logins of strangers stay
// what they are when one of them is in the way.
func TestFirstSignInBesideStrangers(t *testing.T) {
	t.Parallel()
	f := setUp(t, strings.Replace(starter, "UNIQUE (kakao_id)", "UNIQUE aaa (email), UNIQUE (kakao_id)", 1)+";"+moves, table.Config{})
	const zero, old = "0000-00-00 00:00:00.000000", "2009-01-01 00:00:00.000000"
	exec(t, f.db, "INSERT INTO users (id, kakao_id, email, last_login_at) VALUES (1, '1', 'a@example.test', ?), (2, '2', 'b@example.test', ?), (3, '3', 'c@example.test', NULL)", zero, old)
	for n, email := range []string{"a@example.test", "b@example.test", "c@example.test"} {
		who := kakao(fmt.Sprint("new-", n), 10+n)
		who.Email = email
		if got := ensure(t, f, who); got.Outcome != users.Created || !got.SignInRecorded {
			t.Errorf("Ensure = %+v", got)
		}
	}
	if got := scalar(t, f.db, "SELECT GROUP_CONCAT(COALESCE(last_login_at, 'none') ORDER BY id) FROM users WHERE id < 4"); got != zero+","+old+",none" {
		t.Errorf("last logins of the strangers: %s", got)
	}
	if got := ensure(t, f, kakao("a", 1)); got.ID != "1" || got.Outcome != users.Linked {
		t.Errorf("Ensure = %+v", got)
	}
	if got := scalar(t, f.db, "SELECT last_login_at FROM users WHERE id = 1"); got != entered.Format("2006-01-02 15:04:05.000000") {
		t.Errorf("the zero became %s", got)
	}
}

// An old program notes a sign-in of its own while the row is linked or moved. The
// store compares with what is there when it has the row, not with what it saw.
func TestLastLoginOfAnotherProgram(t *testing.T) {
	t.Parallel()
	uuid := strings.Replace(starter, "bigint NOT NULL AUTO_INCREMENT", "char(36) NOT NULL", 1)
	for name, row := range map[string]struct {
		script, old string
		layout      table.Config
		want        users.Outcome
	}{
		"linked":       {starter, "INSERT INTO users (id, kakao_id) VALUES (7, '1')", table.Config{}, users.Linked},
		"linked, uuid": {uuid, "INSERT INTO users (id, kakao_id) VALUES (UUID(), '1')", table.Config{IDType: table.UUID}, users.Linked},
		"moved":        {starter, "INSERT INTO users (id, kakao_id, cognito_sub) VALUES (7, '1', 'old')", table.Config{}, users.Moved},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t, row.script+";"+moves+";"+row.old, row.layout)
			if err := f.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			tx, err := f.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			later := entered.Add(90 * time.Minute)
			if _, err := tx.ExecContext(t.Context(), "UPDATE users SET last_login_at = ?", later.Format("2006-01-02 15:04:05")); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				got, err := f.Ensure(t.Context(), kakao("a", 1))
				if err == nil && (got.Outcome != row.want || !got.SignInRecorded) {
					err = fmt.Errorf("Ensure = %+v", got)
				}
				done <- err
			}()
			f.waits(t)
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if got := scalar(t, f.db, "SELECT last_login_at FROM users WHERE cognito_sub = 'a'"); got != later.Format("2006-01-02 15:04:05.000000") {
				t.Errorf("last login = %s", got)
			}
		})
	}
}

// waits returns when a statement waits for a lock. It does not go by innodb_trx,
// which is a copy that stays as it is while many look.
func (f fixture) waits(t *testing.T) {
	t.Helper()
	within(t, time.Minute, "waits for the lock", func() bool {
		return scalar(t, f.db, `SELECT COUNT(*) FROM information_schema.processlist
			WHERE db = DATABASE() AND id <> CONNECTION_ID() AND command = 'Query' AND time_ms > 300`) == "1"
	})
}
