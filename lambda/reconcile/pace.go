package reconcile

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// pace lets calls through at even distances: no bursts, which would eat what
// live traffic needs this second.
type pace struct {
	every time.Duration
	next  time.Time
}

func newPace(perSecond float64) *pace {
	return &pace{every: time.Duration(float64(time.Second) / perSecond)}
}

func (p *pace) wait(ctx context.Context) error {
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	due := p.next
	p.next = due.Add(p.every)
	return sleep(ctx, due.Sub(now))
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

const (
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = 20 * time.Second
)

// backoff is how long to wait after failure number n, from 1: doubling, and
// spread over its upper half.
func backoff(n int) time.Duration {
	d := lastBackoff
	if n < 8 {
		d = min(lastBackoff, firstBackoff<<(n-1))
	}
	return d/2 + rand.N(d/2) //nolint:gosec // no secret
}

// again calls f until it succeeds, fails in a way that will not pass, or was
// tried often enough.
func (r *run) again(ctx context.Context, f func() error) error {
	for n := 1; ; n++ {
		err := f()
		if err == nil || ctx.Err() != nil {
			return err
		}
		passes := errors.Is(err, ErrThrottled) || errors.Is(err, ErrUnavailable) || errors.Is(err, users.ErrUnavailable)
		if errors.Is(err, ErrThrottled) {
			r.report.Throttled++
			r.base.Throttled++
		}
		if !passes || n >= r.cfg.Attempts {
			return err
		}
		if err := sleep(ctx, backoff(n)); err != nil {
			return err
		}
	}
}
