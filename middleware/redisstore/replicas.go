package redisstore

import (
	"context"
	"fmt"
	"time"
)

// replicated waits for the replicas, where that is asked for, until they have
// what this process wrote before. WAIT alone knows the writes of its own
// connection only, which may be none; replication is one stream, so a write of
// this very connection stands for all before it.
func (s *Store) replicated(ctx context.Context, op string) error {
	if s.cfg.WaitReplicas == 0 {
		return nil
	}
	pipe := s.cfg.Client.Pipeline()
	pipe.Set(ctx, s.cfg.Prefix+"wait", "", time.Minute)
	wait := pipe.Do(ctx, "WAIT", s.cfg.WaitReplicas, s.cfg.WaitTimeout.Milliseconds())
	if _, err := pipe.Exec(ctx); err != nil {
		return fail(ctx, op, err)
	}
	if n, err := wait.Int(); err != nil {
		return fail(ctx, op, err)
	} else if n < s.cfg.WaitReplicas {
		return fmt.Errorf("%w (%s: %d of %d)", ErrNotReplicated, op, n, s.cfg.WaitReplicas)
	}
	return nil
}
