package postgres_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Batches of the same people, each in an order of its own, wait for each other:
// a deadlock would be tried again, and hide, but costs its victim a second.
func TestBatchesDoNotEmbrace(t *testing.T) {
	t.Parallel()
	const people, writers, rounds = 400, 6, 15
	db := newDatabase(t, plainTable,
		fmt.Sprintf("INSERT INTO users (cognito_sub) SELECT 'sub-' || n FROM generate_series(1, %d) AS n ORDER BY md5(n::text)", people), "ANALYZE users")
	cfg := config(t, db.dsn, table.Config{})
	cfg.Conn.MaxConns = writers
	s := open(t, cfg)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for round := range rounds {
				var batch []users.SignIn
				for _, n := range rand.Perm(people) {
					batch = append(batch, users.SignIn{Sub: fmt.Sprintf("sub-%d", 1+n), At: cfgTime.Add(time.Duration(10*round+w+1) * time.Second)})
				}
				if _, err := s.RecordSignIns(t.Context(), batch); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := s.Close(); err != nil { // a session hands its counts in when it ends
		t.Error(err)
	}
	until(t, "sessions ended", func() bool { return db.value(t, "SELECT count(*)"+ours) == "0" })
	if n := db.scans(t, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n != "0" {
		t.Errorf("%s deadlocks", n)
	}
}

// Two rows of one sub, in a table without the index that forbids it, do not
// stand for a sub that has none.
func TestUnknownBesideTwice(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "CREATE TABLE users (id bigint, cognito_sub text, last_login_at timestamptz)", "INSERT INTO users VALUES (1, 'a'), (2, 'a'), (3, 'b')")
	s := open(t, config(t, db.dsn, table.Config{}))
	report, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: "nobody", At: cfgTime}, {Sub: "b", At: cfgTime}, {Sub: "a", At: cfgTime}})
	if err != nil || report.Updated != 3 || !slices.Equal(report.Unknown, []string{"nobody"}) {
		t.Errorf("RecordSignIns = %+v, %v", report, err)
	}
}

// What the table refuses of one person's is not called a fault of the table: so
// the consumer looks for whose it is, and the others do not follow it into the
// dead-letter queue.
func TestOneOfABatchIsRefused(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable, "ALTER TABLE users ADD CHECK (cognito_sub <> 'first-sub' OR last_login_at IS NULL)",
		"INSERT INTO users (cognito_sub) VALUES ('first-sub'), ('b')")
	s := open(t, config(t, db.dsn, table.Config{}))
	one, other := users.SignIn{Sub: student.Sub, At: cfgTime}, users.SignIn{Sub: "b", At: cfgTime}
	for _, batch := range [][]users.SignIn{{one, other}, {one}} {
		report, err := s.RecordSignIns(t.Context(), batch)
		if !errors.Is(err, users.ErrInvalid) || errors.Is(err, users.ErrSchema) || report.Updated != 0 {
			t.Errorf("RecordSignIns = %+v, %v", report, err)
		}
		wantSilent(t, err)
	}
	if report, err := s.RecordSignIns(t.Context(), []users.SignIn{other}); err != nil || report.Updated != 1 {
		t.Errorf("RecordSignIns = %+v, %v", report, err)
	}
}
