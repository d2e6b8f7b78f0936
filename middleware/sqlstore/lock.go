package sqlstore

import (
	"context"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

// Lock implements middleware.SessionLocker, with the row as the lock and the
// database's clock. It holds no transaction and no connection. It returns
// [ErrRecord] for a holder that is empty or longer than 64 bytes.
func (s *Store) Lock(ctx context.Context, key, holder string, lease time.Duration) error {
	if holder == "" || len(holder) > maxKey {
		return ErrRecord
	}
	return s.do(ctx, "lock", true, func(ctx context.Context) error {
		n, err := s.changed(ctx, s.queries.lock, holder, lease.Milliseconds(), key, holder)
		if n > 0 || err != nil {
			return err
		}
		return s.why(ctx, key, middleware.ErrSessionLocked)
	})
}

// Unlock implements middleware.SessionLocker.
func (s *Store) Unlock(ctx context.Context, key, holder string) error {
	if holder == "" {
		return nil // that is how a row is marked that nobody holds
	}
	return s.do(ctx, "unlock", true, func(ctx context.Context) error {
		_, err := s.changed(ctx, s.queries.unlock, key, holder)
		return err
	})
}
