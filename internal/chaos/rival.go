package chaos

import (
	"context"
	"sync"
	"time"
)

// Rival is another program on the same table: it holds locks for a few
// milliseconds, again and again. It runs on real time, so start it outside of
// a bubble, with a connection of its own.
type Rival struct {
	stop   context.CancelFunc
	done   sync.WaitGroup
	once   sync.Once
	faults tally
}

// NewRival begins. begin starts a transaction on conn, such as "BEGIN".
func NewRival(seed uint64, conn Conn, begin string, d Dialect) *Rival {
	ctx, stop := context.WithCancel(context.Background()) //nolint:gosec // Calm calls it
	r := &Rival{stop: stop}
	r.done.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			dice := chance(seed).of("rival", n)
			wait(ctx, between(dice, 5*time.Millisecond, 60*time.Millisecond))
			r.hold(ctx, conn, begin, d, between(dice, 0, 12*time.Millisecond))
		}
	})
	return r
}

// hold takes the locks and lets go of them. It may fail as anybody may here.
func (r *Rival) hold(ctx context.Context, conn Conn, begin string, d Dialect, long time.Duration) {
	if conn.Exec(ctx, begin) != nil {
		return
	}
	if conn.Exec(ctx, d.Rival) == nil {
		r.faults.add(RivalLock, 1)
		wait(ctx, long)
	}
	_ = conn.Exec(context.WithoutCancel(ctx), "ROLLBACK")
}

// Calm ends it, and says how often it held locks. It may be called again.
func (r *Rival) Calm() map[Fault]int {
	r.once.Do(r.stop)
	r.done.Wait()
	return r.faults.all()
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
