package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Store is a [users.Store] in PostgreSQL. It is safe for concurrent use, by
// many processes too.
type Store struct {
	table  table.Config
	login  *dbconn.Login
	pool   *pgxpool.Pool
	limit  time.Duration // of one statement, as the client sees it
	now    func() time.Time
	closed atomic.Bool
}

var (
	_ users.Store = (*Store)(nil)

	errClosed = errors.New("postgres: store is closed")
)

// Open returns a store on the table of cfg. It validates cfg and reads the
// certificates, but connects to nothing; see [Store.Check].
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	s := &Store{table: cfg.Table, login: cfg.Conn.NewLogin(), limit: cfg.Conn.StatementTimeout + networkSlack, now: cfg.Now}
	settings, err := cfg.pool(s.login)
	if err != nil {
		return nil, err
	}
	settings.PrepareConn = s.alive
	// The pool outlives ctx, which bounds the opening only.
	if s.pool, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), settings); err != nil {
		return nil, fmt.Errorf("postgres: invalid configuration: %w", err)
	}
	return s, nil
}

// Close waits for calls that run and closes the connections. Later calls of
// other methods return [users.ErrUnavailable].
func (s *Store) Close() error {
	if !s.closed.Swap(true) {
		s.pool.Close()
	}
	return nil
}

// lastUsed is the key of a connection's own data with the time of its last
// statement. A connection without it is new.
const lastUsed = "cognito-sso.used"

// alive looks at a connection that lay idle. It goes by the wall clock: the
// monotonic one, which the pool uses, may stand still while a function is
// frozen.
func (s *Store) alive(ctx context.Context, conn *pgx.Conn) (bool, error) {
	used, ok := conn.PgConn().CustomData()[lastUsed].(time.Time)
	if !ok || s.now().Round(0).Sub(used) < idleCheck {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if conn.Ping(ctx) == nil {
		return true, nil
	}
	s.pool.Reset() // what broke one has broken the others
	return false, nil
}

// query runs one statement in one round trip and returns its rows as text. It
// runs it again, once, on a new connection if the one it had was dead, and
// once with fresh credentials if the server refused the old ones.
func (s *Store) query(ctx context.Context, sql string, a *args) (rows [][][]byte, err error) {
	if s.closed.Load() {
		return nil, errClosed
	}
	err = s.login.Retry(ctx, refusedLogin, func(ctx context.Context) error {
		var reused bool
		rows, reused, err = s.once(ctx, sql, a)
		if err == nil || ctx.Err() != nil || !reused || !died(err) {
			return err
		}
		s.pool.Reset()
		rows, _, err = s.once(ctx, sql, a)
		return err
	})
	return rows, err
}

// once runs a statement on one connection; reused says that it was not new.
func (s *Store) once(ctx context.Context, sql string, a *args) (rows [][][]byte, reused bool, err error) {
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, false, err
	}
	defer c.Release()
	conn := c.Conn().PgConn()
	_, reused = conn.CustomData()[lastUsed]
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	// Parse, Bind and Execute go out together: nothing is prepared first.
	res := conn.ExecParams(ctx, sql, a.values, a.types, nil, nil).Read()
	conn.CustomData()[lastUsed] = s.now().Round(0)
	return res.Rows, reused, res.Err
}
