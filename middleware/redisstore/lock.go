package redisstore

import (
	"context"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

// Lock implements middleware.SessionLocker, by Redis' clock. It returns
// [ErrRecord] for a holder that is empty or longer than 64 bytes.
func (s *Store) Lock(ctx context.Context, key, holder string, lease time.Duration) error {
	switch {
	case holder == "" || len(holder) > maxKey:
		return ErrRecord
	case key == "":
		return middleware.ErrSessionGone
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	n, err := lockScript.Run(ctx, s.cfg.Client, s.keys(key), holder, max(lease.Milliseconds(), 1)).Int()
	switch {
	case err != nil:
		return fail(ctx, "lock", err)
	case n == -1:
		return middleware.ErrSessionGone
	case n == 0:
		return middleware.ErrSessionLocked
	}
	return nil
}

// Unlock implements middleware.SessionLocker.
func (s *Store) Unlock(ctx context.Context, key, holder string) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	return fail(ctx, "unlock", unlockScript.Run(ctx, s.cfg.Client, []string{s.lockKey(key)}, holder).Err())
}
