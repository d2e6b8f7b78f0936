package keyset

import (
	"math/rand/v2"
	"time"
	"weak"
)

// The refresh by age drops keys that the server no longer publishes, and takes
// a key that was replaced under the same id. Nobody waits for it. Two things
// begin it, and neither is a goroutine that waits:
//
//   - A timer, in a process that runs: keys that are not used for hours are no
//     older than others when a token comes at last.
//   - The use of a key past its age. A process that was frozen (Lambda, a
//     sleeping machine) cannot rely on timers, whose clock stood still.
//
// The timer holds its Cache by a weak pointer, so that a Cache that nobody
// closed, but that nobody holds either, is collected and asks no more.

// due reports whether it is time to ask again by age. A clock that was set
// back makes it time: how old the keys are is then not known.
func (s *snapshot) due(now time.Time) bool {
	return !s.static && (now.Before(s.asked) || !now.Before(s.next))
}

// jitter returns 80 to 95 % of the age. So the processes of a fleet, started
// together, do not ask together, and the answer is there before the age is
// reached.
func jitter(age time.Duration) time.Duration {
	return age*80/100 + rand.N(age*15/100+1) //nolint:gosec // it spreads load, and keeps no secret
}

// retryAfter is how long after a refresh by age that failed the next begins.
// The keys are good for hours yet, so a server that is down is spared.
func (c *Cache) retryAfter() time.Duration { return max(c.cooldown, c.age/60) }

// refreshByAge begins the refresh unless a fetch runs, or ended just now.
func (c *Cache) refreshByAge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); !c.closed && c.inflight == nil && c.known.Load().due(now) {
		c.start(now, "")
	}
}

// arm sets the timer for the next refresh by age. Keys that became too old are
// left to the next token. c.mu is held.
func (c *Cache) arm(now time.Time) {
	if c.timer != nil {
		c.timer.Stop()
	}
	s := c.known.Load()
	if c.closed || s.usable(now) == nil {
		return
	}
	cache := weak.Make(c)
	c.timer = time.AfterFunc(max(s.next.Sub(now), c.cooldown), func() {
		if c := cache.Value(); c != nil {
			c.tick()
		}
	})
}

// tick is the timer's. The clock of the Config may say that it is early.
func (c *Cache) tick() {
	c.refreshByAge()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inflight == nil { // else its end will
		c.arm(c.now())
	}
}
