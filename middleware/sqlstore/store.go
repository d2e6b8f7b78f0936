package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

const (
	maxKey     = 64
	maxSubject = 255
	maxData    = 64 << 10
	// maxTries is how often a statement is run that keeps losing to others.
	maxTries = 5
	// batch is how many rows one statement deletes.
	batch = 200
)

// Store is a [middleware.SessionStore] and a [middleware.SessionLocker] in a
// table. It is safe for concurrent use.
type Store struct {
	db      *sql.DB
	dialect Dialect
	table   string
	queries queries
	timeout time.Duration
	log     *slog.Logger
	cleaner cleaner
}

// bounded is a context for one call.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.timeout < 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.timeout)
}

// do runs f, and again where the database undid it for another statement; if
// it is repeatable, also where the connection broke and nobody knows whether
// it was carried out.
func (s *Store) do(ctx context.Context, op string, repeatable bool, f func(context.Context) error) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var err error
	for n := range maxTries {
		err = f(ctx)
		again := lostRace(err) || repeatable && n == 0 && err != nil && broken(err)
		if !again || ctx.Err() != nil {
			break
		}
	}
	return s.fail(ctx, op, err)
}

// changed runs a statement and returns how many rows it changed.
func (s *Store) changed(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Get implements middleware.SessionStore.
func (s *Store) Get(ctx context.Context, key string) (middleware.SessionRecord, error) {
	rec := middleware.SessionRecord{Key: key}
	var expires int64
	err := s.do(ctx, "get", true, func(ctx context.Context) error {
		err := s.db.QueryRowContext(ctx, s.queries.get, key).Scan(&rec.Subject, &rec.Version, &expires, &rec.Data)
		if errors.Is(err, sql.ErrNoRows) {
			return middleware.ErrSessionGone
		}
		return err
	})
	if err != nil {
		return middleware.SessionRecord{}, err
	}
	rec.ExpiresAt = time.UnixMilli(expires)
	return rec, nil
}

// checkRecord refuses what a server that is not strict would cut.
func checkRecord(rec middleware.SessionRecord) error {
	if rec.Key == "" || len(rec.Key) > maxKey || rec.Subject == "" || len(rec.Subject) > maxSubject || len(rec.Data) > maxData {
		return ErrRecord
	}
	return nil
}

// notNull is data for a column that takes no NULL.
func notNull(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// Create implements middleware.SessionStore. It returns [ErrRecord] for a
// record that breaks the bounds of [middleware.SessionRecord].
func (s *Store) Create(ctx context.Context, rec middleware.SessionRecord) error {
	if err := checkRecord(rec); err != nil {
		return err
	}
	return s.do(ctx, "create", false, func(ctx context.Context) error {
		for range 2 {
			n, err := s.changed(ctx, s.queries.insert, rec.Key, rec.Subject, rec.ExpiresAt.UnixMilli(), notNull(rec.Data))
			if n > 0 || err != nil {
				return err
			}
			// One that has expired is only waiting to be cleaned.
			if n, err = s.changed(ctx, s.queries.dropExpired, rec.Key); err != nil {
				return err
			} else if n == 0 {
				break
			}
		}
		return middleware.ErrSessionConflict
	})
}

// Update implements middleware.SessionStore.
func (s *Store) Update(ctx context.Context, rec middleware.SessionRecord) error {
	if len(rec.Data) > maxData {
		return ErrRecord
	}
	return s.do(ctx, "update", false, func(ctx context.Context) error {
		n, err := s.changed(ctx, s.queries.update, rec.ExpiresAt.UnixMilli(), notNull(rec.Data), rec.Key, rec.Version)
		if n > 0 || err != nil {
			return err
		}
		return s.why(ctx, rec.Key, middleware.ErrSessionConflict)
	})
}

// why says why a statement changed nothing: the session is gone, or else.
func (s *Store) why(ctx context.Context, key string, otherwise error) error {
	var one int
	err := s.db.QueryRowContext(ctx, s.queries.exists, key).Scan(&one)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return middleware.ErrSessionGone
	case err != nil:
		return err
	}
	return otherwise
}

// Delete implements middleware.SessionStore.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.do(ctx, "delete", true, func(ctx context.Context) error {
		_, err := s.changed(ctx, s.queries.remove, key)
		return err
	})
}

// DeleteBySubject implements middleware.SessionStore. It deletes the sessions
// that are there when it is called, 200 at a time; where it fails in between,
// the number is that of those deleted so far.
func (s *Store) DeleteBySubject(ctx context.Context, subject string) (int, error) {
	var keys []any
	err := s.do(ctx, "delete by subject", true, func(ctx context.Context) (err error) {
		keys, err = s.keys(ctx, s.queries.keysOfSubject, subject)
		return err
	})
	if err != nil {
		return 0, err
	}
	return s.deleteKeys(ctx, "delete by subject", s.queries.removeKeys, keys)
}

// deleteKeys runs a statement that ends in a list of keys.
func (s *Store) deleteKeys(ctx context.Context, op, query string, keys []any) (deleted int, err error) {
	for some := range slices.Chunk(keys, batch) {
		err := s.do(ctx, op, true, func(ctx context.Context) error {
			n, err := s.changed(ctx, s.dialect.keyList(query, len(some)), some...)
			deleted += int(n)
			return err
		})
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

// keys returns the keys that a query finds, as arguments of another.
func (s *Store) keys(ctx context.Context, query string, args ...any) ([]any, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []any
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}
