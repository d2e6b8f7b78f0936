package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// plainTable is the table of an empty table.Config.
var plainTable = fmt.Sprintf(usersTable(bigint, "text", "text", "timestamptz")+movesTable, "public")

var (
	student = users.Identity{Sub: "first-sub", Provider: "Kakao", Subject: "4000000001", Email: "person@example.test", Name: "Kim Hana", At: cfgTime}
	again   = users.Identity{Sub: "second-sub", Provider: "Kakao", Subject: "4000000001", Email: "other@example.test", At: cfgTime.Add(time.Hour)}
)

func ensure(t *testing.T, s users.Store, id users.Identity, want users.Outcome) string {
	t.Helper()
	got, err := s.Ensure(t.Context(), id)
	if err != nil || got.Outcome != want {
		t.Fatalf("Ensure = %+v, %v, want %s", got, err, want)
	}
	return got.ID
}

// wantError also holds that no error says anything about a person.
func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	wantSilent(t, err)
}

func wantSilent(t *testing.T, err error) {
	t.Helper()
	for _, id := range []users.Identity{student, again} {
		for _, secret := range []string{id.Sub, id.Subject, id.Email, id.Name} {
			if secret != "" && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
				t.Errorf("the error quotes %q: %v", secret, err)
			}
		}
	}
}

func TestMoveIsRecorded(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable)
	s := open(t, config(t, db.dsn, table.Config{}))
	id := ensure(t, s, student, users.Created)
	ensure(t, s, student, users.Existing)
	if n := db.value(t, "SELECT count(*) FROM sso_moves"); n != "0" {
		t.Fatalf("%s records without a move", n)
	}
	if got := ensure(t, s, again, users.Moved); got != id {
		t.Fatalf("id %s became %s", id, got)
	}
	ensure(t, s, again, users.Existing)
	got := db.value(t, `SELECT string_agg(concat_ws(' ', user_id, provider, from_sub, to_sub, moved_at BETWEEN now() - interval '1 minute' AND now()), ';') FROM sso_moves`)
	if want := id + " Kakao first-sub second-sub t"; got != want {
		t.Errorf("records %q, want %q", got, want)
	}
}

// Whoever loses the race to move a row must not record a move.
func TestMoveIsRecordedOnce(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable)
	s := open(t, config(t, db.dsn, table.Config{}))
	ensure(t, s, student, users.Created)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := s.Ensure(t.Context(), again); err != nil {
				t.Errorf("Ensure: %v", err)
			}
		})
	}
	wg.Wait()
	if n := db.value(t, "SELECT count(*) FROM sso_moves"); n != "1" {
		t.Errorf("%s records of one move", n)
	}
}

// An old program notes a sign-in of its own while the row is linked or moved. The
// store compares with what is there when it has the row, not with what it saw.
func TestLastLoginOfAnotherProgram(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]users.Outcome{"INSERT INTO users (kakao_id) VALUES ('4000000001')": users.Linked,
		"INSERT INTO users (kakao_id, cognito_sub) VALUES ('4000000001', 'old-sub')": users.Moved} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, plainTable, name)
			s := open(t, config(t, db.dsn, table.Config{}))
			db.exec(t, "BEGIN")
			db.exec(t, "UPDATE users SET last_login_at = '2026-03-02 10:30:00+00'")
			done := make(chan error, 1)
			go func() {
				got, err := s.Ensure(t.Context(), student) // an hour and a half before
				if err == nil && (got.Outcome != want || !got.SignInRecorded) {
					err = fmt.Errorf("Ensure = %+v", got)
				}
				done <- err
			}()
			until(t, "waits for the lock", func() bool {
				db.exec(t, "SELECT pg_stat_clear_snapshot()") // else a transaction sees what it saw first
				return db.value(t, "SELECT count(*)"+ours+" AND wait_event_type = 'Lock'") == "1"
			})
			db.exec(t, "COMMIT")
			if err := <-done; err != nil {
				t.Error(err)
			}
			if u, err := s.Get(t.Context(), db.value(t, "SELECT id::text FROM users")); err != nil || u.Sub != student.Sub || !u.LastLogin.Equal(cfgTime.Add(90*time.Minute)) {
				t.Errorf("row = %+v, %v", u, err)
			}
		})
	}
}

// No move without its record: the statement is one.
func TestMoveNeedsItsRecord(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable, "ALTER TABLE sso_moves ADD CHECK (to_sub <> 'second-sub')")
	s := open(t, config(t, db.dsn, table.Config{}))
	id := ensure(t, s, student, users.Created)
	_, err := s.Ensure(t.Context(), again)
	wantError(t, err, users.ErrSchema)
	if u, err := s.Get(t.Context(), id); err != nil || u.Sub != student.Sub {
		t.Errorf("row = %+v, %v", u, err)
	}
}

func TestMoveRefused(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable, "DROP TABLE sso_moves") // which nobody needs then
	s := open(t, config(t, db.dsn, table.Config{Moved: table.Refuse}))
	id := ensure(t, s, student, users.Created)
	before := db.value(t, "SELECT users::text || xmin || ctid FROM users")
	_, err := s.Ensure(t.Context(), again)
	wantError(t, err, users.ErrMoveRefused)
	if after := db.value(t, "SELECT users::text || xmin || ctid FROM users"); after != before {
		t.Errorf("the row was touched: %s, now %s", before, after)
	}
	if got := ensure(t, s, student, users.Existing); got != id {
		t.Errorf("id %s became %s", id, got)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
}
