package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
)

// Store is a [users.Store] in MySQL or MariaDB. It is safe for concurrent use.
type Store struct {
	cfg    Config
	db     *sql.DB
	login  *dbconn.Login
	ids    uuids
	known  atomic.Pointer[layout] // nil until a call has found the table to be right
	closed atomic.Bool
}

var _ users.Store = (*Store)(nil)

// Open checks cfg and returns a store. It does not connect: the first call
// does, and looks at the table once, see [Store.Check].
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("mysql: open: %w: %w", users.ErrUnavailable, err)
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	login := cfg.Conn.NewLogin()
	db, err := newPool(cfg, login)
	if err != nil {
		return nil, err
	}
	return &Store{cfg: cfg, db: db, login: login, ids: uuids{now: cfg.Now}}, nil
}

// Close closes the connections. Later calls of other methods return
// [users.ErrUnavailable].
func (s *Store) Close() error {
	s.closed.Store(true)
	return s.db.Close()
}

// operation is what do runs: everything that a call does on one connection.
// It may be run several times.
type operation func(ctx context.Context, c *link, l *layout) error

// do runs an operation on a connection and with the layout of the table, and
// again where that may help.
func (s *Store) do(ctx context.Context, op string, fn operation) error {
	if s.closed.Load() {
		return classify(ctx, op, errClosed)
	}
	err := s.login.Retry(ctx, isRefused, func(ctx context.Context) error {
		return again(ctx, func() error {
			return s.once(ctx, func(c *link) error {
				l, err := s.layout(ctx, c)
				if err != nil {
					return err
				}
				return fn(ctx, c, l)
			})
		})
	})
	return classify(ctx, op, err)
}

func (s *Store) once(ctx context.Context, fn func(*link) error) error {
	c, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return fn(&link{Conn: c, timeout: s.cfg.Conn.StatementTimeout})
}

// again tries until fn succeeds, fails for good, or ctx ends.
func again(ctx context.Context, fn func() error) error {
	var had tries
	for {
		err := fn()
		if err == nil || ctx.Err() != nil || !had.allow(err) {
			return err
		}
		pause(ctx, had.deadlock)
	}
}

// tries counts why an operation was run again. Each kind has a bound of its
// own, for a caller whose context has no end.
type tries struct{ dead, wait, deadlock int }

// allow is safe for every operation, since each may run twice.
func (t *tries) allow(err error) bool {
	const most = 2
	switch {
	case is(err, errorsDeadlock):
		t.deadlock++
		return t.deadlock <= 20
	case is(err, errorsLockWait):
		t.wait++
		return t.wait <= most
	case isDead(err), errors.Is(err, errNoAnswer):
		t.dead++
		return t.dead <= most
	}
	return false
}

// pause lets those who are in each other's way come at different times.
func pause(ctx context.Context, deadlocks int) {
	if deadlocks == 0 {
		return
	}
	longest := time.Duration(min(deadlocks, 10)) * 4 * time.Millisecond
	timer := time.NewTimer(rand.N(longest)) //nolint:gosec // spreads load, guards nothing
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// errNoAnswer: the statement got no answer in time, and the server should have
// ended it by itself before. So the connection is likely dead.
var errNoAnswer = errors.New("no answer from the server")

// link is a connection whose statements are bounded.
type link struct {
	*sql.Conn
	timeout time.Duration
}

// answerTime is added to the statement timeout, so that the server's answer
// that it ran out comes first.
const answerTime = 250 * time.Millisecond

func (c *link) bounded(ctx context.Context, fn func(context.Context) error) error {
	inner, cancel := context.WithTimeout(ctx, c.timeout+answerTime)
	defer cancel()
	err := fn(inner)
	if err != nil && inner.Err() != nil && ctx.Err() == nil {
		return errNoAnswer
	}
	return err
}

// execer is a connection or its transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// exec runs a statement: how many rows it changed, and the number that it
// leaves as its last insert id.
func (c *link) exec(ctx context.Context, on execer, q *query) (changed, last int64, err error) {
	err = c.bounded(ctx, func(ctx context.Context) error {
		res, err := on.ExecContext(ctx, q.text.String(), q.args...)
		if err != nil {
			return err
		}
		if changed, err = res.RowsAffected(); err != nil {
			return err
		}
		last, err = res.LastInsertId()
		return err
	})
	return changed, last, err
}

// rows runs a statement that returns n columns a row, all of them text or NULL.
func (c *link) rows(ctx context.Context, on execer, n int, q *query) (all [][]sql.NullString, err error) {
	err = c.bounded(ctx, func(ctx context.Context) error {
		rows, err := on.QueryContext(ctx, q.text.String(), q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			row, into := make([]sql.NullString, n), make([]any, n)
			for i := range row {
				into[i] = &row[i]
			}
			if err := rows.Scan(into...); err != nil {
				return err
			}
			all = append(all, row)
		}
		return rows.Err()
	})
	return all, err
}

// inTx runs fn in a transaction.
func (c *link) inTx(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}
