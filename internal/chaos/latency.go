package chaos

import (
	"math/rand/v2"
	"time"
)

// databaseLatency is nothing most of the time, so that many calls share a tick.
func (w *world) databaseLatency(r *rand.Rand) time.Duration {
	usual, slow := w.usual(r), between(r, 900*time.Millisecond, 6*time.Second)
	if w.strikes(r, DatabaseSlow) {
		return slow
	}
	return usual
}

func (w *world) usual(r *rand.Rand) time.Duration {
	if d := between(r, 0, 300*time.Millisecond); r.Float64() < 0.4 && !w.calm.Load() {
		return d
	}
	return 0
}
