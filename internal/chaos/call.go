package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// call is one run of a function: an attempt of a trigger, or a batch of
// messages. It travels in the context, through the handlers and the AWS SDK,
// so that whatever is called on the way knows whose faults to use.
type call struct {
	w      *world
	name   string  // unique in the run, and the same in every run of the seed
	person *person // nil for a batch

	// skew is how wrong the clock of the function is; set before it begins.
	skew time.Duration

	// down says whether the database is there at all.
	down func() bool

	mu    sync.Mutex // guards steps
	steps map[string]int
}

func (w *world) newCall(p *person, name string) *call {
	c := &call{w: w, name: name, person: p}
	c.down = sync.OnceValue(func() bool { return w.strikes(c.dice("down"), DatabaseDown) })
	return c
}

type callKey struct{}

func (c *call) in(ctx context.Context) context.Context { return context.WithValue(ctx, callKey{}, c) }

// callOf is nil for what is not part of a call, such as opening a store.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// dice are those of the n-th time that the call takes a step.
func (c *call) dice(step string) *rand.Rand {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.steps == nil {
		c.steps = map[string]int{}
	}
	c.steps[step]++
	return c.w.chance.of(c.name, step, c.steps[step])
}

// note adds a line to the history of the person, if there is one.
func (c *call) note(format string, args ...any) {
	if c.person != nil {
		c.person.note(c.w, "  %s: %s", c.name, fmt.Sprintf(format, args...))
	}
}

// tellsTime counts a time that the function gives away, if it is a wrong one.
func (c *call) tellsTime() {
	if c.skew != 0 {
		c.w.happens(ClockSkew)
	}
}
