package chaos

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// chance decides from the seed and from what a decision is about, and from
// nothing else.
type chance uint64

func (c chance) of(about ...any) *rand.Rand {
	h := fnv.New64a()
	for _, a := range about {
		_, _ = fmt.Fprintf(h, "%v|", a)
	}
	return rand.New(rand.NewPCG(uint64(c), h.Sum64())) //nolint:gosec // a seed must give the same run again
}

// between is a duration from least to most.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)+1))
}

// tick is the grid of the world's time. It is coarse, so that what could happen
// at the same time does.
const tick = 20 * time.Millisecond

// nap sleeps until the first tick that is at least d away, or until ctx ends.
func nap(ctx context.Context, d time.Duration) error {
	earliest := time.Now().Add(d)
	until := earliest.Truncate(tick)
	if until.Before(earliest) {
		until = until.Add(tick)
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
