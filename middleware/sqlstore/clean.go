package sqlstore

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// cleaner is the goroutine that cleans.
type cleaner struct {
	stop context.CancelFunc // nil if there is none
	done sync.WaitGroup
}

// Clean deletes expired sessions, 200 at a time, until there are none or ctx
// ends, and returns how many it deleted. Several processes may clean at once.
func (s *Store) Clean(ctx context.Context) (int, error) {
	total := 0
	for {
		var keys []any
		err := s.do(ctx, "clean", true, func(ctx context.Context) (err error) {
			keys, err = s.keys(ctx, s.queries.expiredKeys, batch)
			return err
		})
		if err != nil || len(keys) == 0 {
			return total, err
		}
		n, err := s.deleteKeys(ctx, "clean", s.queries.removeExpired, keys)
		total += n
		if err != nil || len(keys) < batch {
			return total, err
		}
	}
}

// startCleaning cleans in the background until Close.
func (s *Store) startCleaning(every time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cleaner.stop = cancel
	s.cleaner.done.Go(func() {
		for {
			// Processes that started together do not clean together.
			timer := time.NewTimer(every/2 + rand.N(every)) //nolint:gosec // no secret
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			if _, err := s.Clean(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "sso: expired sessions could not be deleted", "error", err)
			}
		}
	})
}

// Close ends the background cleaning and waits for it. It leaves the database
// open, and the store goes on working. It always returns nil.
func (s *Store) Close() error {
	if s.cleaner.stop != nil {
		s.cleaner.stop()
		s.cleaner.done.Wait()
	}
	return nil
}
