package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// Store is a [users.Store] in an SQLite file. It is safe for concurrent use,
// and several processes may have the file open.
type Store struct {
	cfg    Config
	write  *sql.DB // one connection; its transactions are BEGIN IMMEDIATE
	read   *sql.DB // query_only
	sql    statements
	closed atomic.Bool
}

var (
	_ users.Store = (*Store)(nil)

	errClosed = errors.New("sqlite: store is closed")
)

const (
	// attemptTimeout is how long SQLite itself waits for a lock. It cannot be
	// interrupted meanwhile, so it is short and the waiting is done in begin.
	attemptTimeout = 50 * time.Millisecond
	readers        = 4
)

// Open opens the file at path, makes it if it is missing, and makes or
// completes the table. A table that cannot be completed is refused with
// [users.ErrSchema], and a file that cannot be had in time with
// [users.ErrUnavailable]; nothing has been changed then. ctx bounds that work only. A database in memory is not
// supported: it would be another one in each connection.
func Open(ctx context.Context, path string, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if path == "" || path == ":memory:" {
		return nil, errors.New("sqlite: invalid configuration: path of a file is required")
	}
	s := &Store{cfg: cfg, sql: newStatements(cfg.Table)}
	if err := s.connect(path); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.complete(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) connect(path string) (err error) {
	if s.write, err = open(path, s.cfg, url.Values{"_txlock": {"immediate"}}, 1); err != nil {
		return err
	}
	s.read, err = open(path, s.cfg, url.Values{"_query_only": {"1"}}, readers)
	return err
}

func open(path string, cfg Config, params url.Values, conns int) (*sql.DB, error) {
	params.Add("_pragma", "busy_timeout("+strconv.FormatInt(attemptTimeout.Milliseconds(), 10)+")")
	params.Add("_pragma", "foreign_keys(1)")
	params.Add("_pragma", "journal_mode("+string(cfg.Journal)+")")
	// FULL, not WAL's usual NORMAL: a row lost in a power cut would give its id,
	// which a token may carry already, to somebody else.
	params.Add("_pragma", "synchronous(FULL)")
	// The path is escaped because it stands in a URI: it may hold ? and %.
	dsn := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + params.Encode()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// Close closes the file. Later calls of other methods return
// [users.ErrUnavailable].
func (s *Store) Close() error {
	s.closed.Store(true)
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} { // the writer last: it folds the WAL in
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// inTx runs fn in the one write transaction that exists at a time.
func (s *Store) inTx(ctx context.Context, op string, fn func(*sql.Tx) error) error {
	if s.closed.Load() {
		return fmt.Errorf("sqlite: %s: %w: %w", op, users.ErrUnavailable, errClosed)
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.BusyTimeout)
	defer cancel()
	tx, err := s.begin(ctx)
	if err != nil {
		return classify(ctx, op, err)
	}
	if err := fn(tx); err != nil {
		_ = tx.Rollback()
		return classify(ctx, op, err)
	}
	return classify(ctx, op, tx.Commit())
}

// begin waits for writers of other processes. Those of this one queue for the
// only connection.
func (s *Store) begin(ctx context.Context) (*sql.Tx, error) {
	const pause = 5 * time.Millisecond
	for {
		tx, err := s.write.BeginTx(ctx, nil)
		if err == nil || !busy(err) {
			return tx, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}
