package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// How Cognito calls a trigger.
const (
	triggerTimeout  = 5 * time.Second // not configurable
	triggerAttempts = 3
)

var (
	errTimeout    = errors.New("chaos: no answer in 5 s")
	errThrottled  = errors.New("chaos: 429")
	errUnrunnable = errors.New("chaos: 502")
)

// invoke calls a trigger as Cognito does: an answer that does not come in 5 s
// is given up and the next attempt begins, while the first runs on. An error of
// the function, and a function that cannot run, end the flow at once.
func (f *flow) invoke(source string, ev json.RawMessage) (json.RawMessage, error) {
	for attempt := 1; ; attempt++ {
		c := f.w.newCall(f.p, fmt.Sprintf("%s %s #%d", f.name, source, attempt))
		out, err := f.attempt(c, ev)
		if err != nil {
			c.note("%v", err)
		}
		if attempt == triggerAttempts || (!errors.Is(err, errTimeout) && !errors.Is(err, errThrottled)) {
			return out, err
		}
	}
}

type outcome struct {
	answer json.RawMessage
	err    error
}

func (f *flow) attempt(c *call, ev json.RawMessage) (json.RawMessage, error) {
	w, r := f.w, c.dice("run")
	throttled, unrunnable, lost := w.strikes(r, TriggerThrottled), w.strikes(r, TriggerUnrunnable), w.strikes(r, TriggerAnswer)
	start := w.coldStart(r)
	fn := w.functions[r.IntN(len(w.functions))]
	limit := functionLimit(r)
	switch {
	case throttled:
		return nil, errThrottled
	case unrunnable:
		return nil, errUnrunnable
	}
	done := make(chan outcome, 1)
	w.background.Go(func() { done <- fn.run(c, ev, start, limit) })
	timeout := time.NewTimer(triggerTimeout)
	defer timeout.Stop()
	if lost {
		<-timeout.C
		return nil, errTimeout
	}
	select {
	case o := <-done:
		return o.answer, o.err
	case <-timeout.C:
		w.happens(TriggerAbandoned)
		return nil, errTimeout
	}
}

// coldStart is how long a new environment takes before the handler begins. It
// counts for Cognito and not for the handler's deadline, which is how a whole
// run can come after its own retry.
func (w *world) coldStart(r *rand.Rand) time.Duration {
	cold := between(r, 200*time.Millisecond, 7*time.Second)
	if w.strikes(r, ColdStart) {
		return cold
	}
	return 0
}

// functionLimit is the function's own timeout: as the documentation says, or
// Lambda's that somebody forgot to set.
func functionLimit(r *rand.Rand) time.Duration {
	if r.IntN(2) == 0 {
		return 4500 * time.Millisecond
	}
	return 15 * time.Second
}

// Handler answers trigger events: lambda.Triggers, or what a test broke of it.
type Handler func(context.Context, Event) (Event, error)

// function is one environment of the trigger function, with a store, a clock
// and connections of its own.
type function struct {
	handle Handler
	skew   time.Duration
}

func (fn *function) run(c *call, ev json.RawMessage, start, limit time.Duration) outcome {
	c.skew = fn.skew
	ctx := c.in(context.Background())
	_ = nap(ctx, start)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, err := fn.handle(ctx, ev)
	return outcome{out, err}
}
