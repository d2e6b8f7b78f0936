package chaos_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/chaos"
	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// A guard that is taken away must show, and in the right counter.
func TestTheSuiteCanSee(t *testing.T) {
	t.Parallel()
	if underRace {
		t.Skip("needs many people")
	}
	for _, row := range []struct {
		name     string
		want     chaos.Counter
		sabotage func(*testing.T, *stage) chaos.Break
	}{
		{"ensure looks, then inserts, without unique keys", chaos.Doubled, lookThenInsert},
		{"the consumer makes rows", chaos.Doubled, store(func(b *broken) { b.record = makesRows })},
		{"rows are found by email", chaos.Wrong, store(func(b *broken) { b.ensure = byEmail })},
		{"the answer is another row", chaos.Wrong, store(func(b *broken) { b.ensure = anotherRow })},
		{"an id is told that was rolled back", chaos.Wrong, store(func(b *broken) { b.ensure = rolledBack })},
		{"a row keeps its old sub", chaos.Drift, store(func(b *broken) { b.ensure = keepsOldSub })},
		{"linking makes a new row of the old one", chaos.Lost, store(func(b *broken) { b.ensure = newForOld })},
		{"linking takes name and email from the pool", chaos.Lost, store(func(b *broken) { b.ensure = overwrites })},
		{"the newest message wins, not the newest time", chaos.MovedBack, store(func(b *broken) { b.record = lastOneWins })},
		{"the consumer takes the time of its own clock", chaos.MovedBack, store(func(b *broken) { b.record = ownClock })},
		{"the first sign-in is not written with the row", chaos.Lost, store(func(b *broken) { b.ensure = forgetsTime })},
		{"linking and moving set the last login, whatever it is", chaos.MovedBack, store(func(b *broken) { b.ensure = overwritesTime })},
		{"errors of ensure are ignored", chaos.Lost, breaks(chaos.Break{Triggers: ignoresErrors})},
		{"the attribute is never written", chaos.Drift, breaks(chaos.Break{Attributes: writesNothing})},
		{"the attribute goes to somebody else", chaos.Wrong, breaks(chaos.Break{Attributes: writesElsewhere()})},
		{"messages are deleted before they are written", chaos.Lost, breaks(chaos.Break{Delete: true})},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			// Who is faster is not the seed's, so one run may not show it.
			const mostRuns = 20
			for seed := uint64(7); seed < 7+mostRuns; seed++ {
				r := play(t, onSQLite, chaos.Config{Seed: seed, People: 50}, row.sabotage)
				t.Log(r.Line())
				if r.Count(row.want) > 0 {
					return
				}
			}
			t.Errorf("not seen as %s in %d runs", row.want, mostRuns)
		})
	}
}

func breaks(b chaos.Break) func(*testing.T, *stage) chaos.Break {
	return func(*testing.T, *stage) chaos.Break { return b }
}

// broken is a store with some of its methods done wrong, by SQL of its own.
type broken struct {
	users.Store
	db     *sql.DB
	ensure func(*broken, context.Context, users.Identity) (users.Result, error)
	record func(*broken, context.Context, []users.SignIn) (users.SignInReport, error)
}

func (b *broken) Ensure(ctx context.Context, id users.Identity) (users.Result, error) {
	if b.ensure == nil {
		return b.Store.Ensure(ctx, id)
	}
	return b.ensure(b, ctx, id)
}

func (b *broken) RecordSignIns(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	if b.record == nil {
		return b.Store.RecordSignIns(ctx, batch)
	}
	return b.record(b, ctx, batch)
}

func store(set func(*broken)) func(*testing.T, *stage) chaos.Break {
	return func(t *testing.T, s *stage) chaos.Break {
		db, err := sql.Open("sqlite", s.dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return chaos.Break{Store: func(inner users.Store) users.Store {
			b := &broken{Store: inner, db: db}
			set(b)
			return b
		}}
	}
}

func column(id users.Identity) string {
	return map[string]string{"Kakao": "kakao_id", "Google": "google_id"}[id.Provider]
}

// lookThenInsert is what a first version often is.
func lookThenInsert(t *testing.T, s *stage) chaos.Break {
	d := chaos.SQLite()
	d.Create[0] = strings.ReplaceAll(d.Create[0], " UNIQUE", "")
	s.table.Dialect = d
	open := s.open
	s.open = func(ctx context.Context, wrap func(users.Store) users.Store) (users.Store, io.Closer, error) {
		store, closer, err := open(ctx, wrap)
		if err != nil {
			return nil, nil, err
		}
		names, err := s.table.Conn.Query(ctx, "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'users' AND sql IS NOT NULL")
		for _, name := range names {
			err = errors.Join(err, s.table.Conn.Exec(ctx, `DROP INDEX "`+name[0]+`"`))
		}
		return store, closer, err
	}
	return store(func(b *broken) {
		b.ensure = func(b *broken, ctx context.Context, id users.Identity) (users.Result, error) {
			where, key := "cognito_sub", id.Sub
			if c := column(id); c != "" {
				where, key = c, id.Subject
			}
			var row string
			err := b.db.QueryRowContext(ctx, "SELECT id FROM users WHERE "+where+" = ?", key).Scan(&row)
			if err == nil {
				_, err = b.db.ExecContext(ctx, "UPDATE users SET cognito_sub = ? WHERE id = ?", id.Sub, row)
				return users.Result{ID: row, Outcome: users.Existing}, err
			}
			time.Sleep(30 * time.Millisecond)                                                                          // the way to the database and back
			res, err := b.db.ExecContext(ctx, "INSERT INTO users (cognito_sub, "+where+") VALUES (?, ?)", id.Sub, key) //nolint:gosec // a column of ours
			if where == "cognito_sub" {
				res, err = b.db.ExecContext(ctx, "INSERT INTO users (cognito_sub) VALUES (?)", id.Sub)
			}
			if err != nil {
				return users.Result{}, users.ErrUnavailable
			}
			n, err := res.LastInsertId()
			return users.Result{ID: strconv.FormatInt(n, 10), Outcome: users.Created}, err
		}
	})(t, s)
}

func byEmail(b *broken, ctx context.Context, id users.Identity) (users.Result, error) {
	var row string
	if b.db.QueryRowContext(ctx, "SELECT id FROM users WHERE email = ?", id.Email).Scan(&row) == nil {
		return users.Result{ID: row, Outcome: users.Linked}, nil
	}
	return b.Store.Ensure(ctx, id)
}

func anotherRow(b *broken, ctx context.Context, id users.Identity) (users.Result, error) {
	got, err := b.Store.Ensure(ctx, id)
	if err != nil {
		return got, err
	}
	err = b.db.QueryRowContext(ctx, "SELECT id FROM users WHERE id <> ? ORDER BY id LIMIT 1", got.ID).Scan(&got.ID)
	return got, err
}

func rolledBack(b *broken, ctx context.Context, id users.Identity) (users.Result, error) {
	if id.Sub[0] < '4' { // a quarter of them
		return users.Result{ID: "999999", Outcome: users.Created}, nil
	}
	return b.Store.Ensure(ctx, id)
}

func keepsOldSub(b *broken, ctx context.Context, id users.Identity) (users.Result, error) {
	var row string
	if c := column(id); c != "" &&
		b.db.QueryRowContext(ctx, "SELECT id FROM users WHERE "+c+" = ? AND cognito_sub IS NOT NULL", id.Subject).Scan(&row) == nil {
		return users.Result{ID: row, Outcome: users.Existing}, nil
	}
	return b.Store.Ensure(ctx, id)
}

func newForOld(b *broken, ctx context.Context, id users.Identity) (users.Result, error) {
	if c := column(id); c != "" {
		//nolint:gosec // a column of ours
		if _, err := b.db.ExecContext(ctx, "DELETE FROM users WHERE cognito_sub IS NULL AND "+c+" = ?", id.Subject); err != nil {
			return users.Result{}, users.ErrUnavailable
		}
	}
	return b.Store.Ensure(ctx, id)
}

func overwrites(b *broken, ctx context.Context, id users.Identity) (users.Result, error) {
	got, err := b.Store.Ensure(ctx, id)
	if err == nil {
		_, err = b.db.ExecContext(ctx, "UPDATE users SET name = ?, email = ? WHERE id = ?", id.Name, id.Email, got.ID)
	}
	return got, err
}

// forgetsTime says that it wrote the time, and did not.
func forgetsTime(b *broken, ctx context.Context, id users.Identity) (users.Result, error) {
	id.At = time.Time{}
	got, err := b.Store.Ensure(ctx, id)
	got.SignInRecorded = got.Outcome != users.Existing
	return got, err
}

func overwritesTime(b *broken, ctx context.Context, id users.Identity) (users.Result, error) {
	got, err := b.Store.Ensure(ctx, id)
	if err == nil && got.SignInRecorded {
		_, err = b.db.ExecContext(ctx, "UPDATE users SET last_login_at = ? WHERE id = ?", stamp(id.At), got.ID)
	}
	return got, err
}

func lastOneWins(b *broken, ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	for _, s := range batch {
		if _, err := b.db.ExecContext(ctx, "UPDATE users SET last_login_at = ? WHERE cognito_sub = ?", stamp(s.At), s.Sub); err != nil {
			return users.SignInReport{}, users.ErrUnavailable
		}
	}
	return b.Store.RecordSignIns(ctx, nil)
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z") }

func ownClock(b *broken, ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	now := make([]users.SignIn, len(batch))
	for i, s := range batch {
		now[i] = users.SignIn{Sub: s.Sub, At: time.Now()}
	}
	return b.Store.RecordSignIns(ctx, now)
}

func makesRows(b *broken, ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	for _, s := range batch {
		_, _ = b.db.ExecContext(ctx, "INSERT INTO users (cognito_sub) VALUES (?) ON CONFLICT DO NOTHING", s.Sub)
	}
	return b.Store.RecordSignIns(ctx, batch)
}

func ignoresErrors(next chaos.Handler) chaos.Handler {
	return func(ctx context.Context, ev chaos.Event) (chaos.Event, error) {
		out, err := next(ctx, ev)
		if err != nil {
			return ev, nil
		}
		return out, nil
	}
}

// attributesFunc is an [lambda.Attributes].
type attributesFunc func(ctx context.Context, pool, username, name, value string) error

func (f attributesFunc) SetUserID(ctx context.Context, pool, username, name, value string) error {
	return f(ctx, pool, username, name, value)
}

func writesNothing(lambda.Attributes) lambda.Attributes {
	return attributesFunc(func(context.Context, string, string, string, string) error { return nil })
}

// writesElsewhere gives everybody the id that the one before should have got,
// as a variable does that all requests share.
func writesElsewhere() func(lambda.Attributes) lambda.Attributes {
	return func(next lambda.Attributes) lambda.Attributes {
		last := make(chan string, 1)
		last <- ""
		return attributesFunc(func(ctx context.Context, pool, username, name, value string) error {
			before := <-last
			last <- value
			if before != "" {
				value = before
			}
			return next.SetUserID(ctx, pool, username, name, value)
		})
	}
}
