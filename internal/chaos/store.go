package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// faultyStore breaks the calls of a store: before them, after them, and by
// carrying them out when nobody waits for them any more.
type faultyStore struct {
	users.Store
	w *world
}

// Ensure implements [users.Store].
func (s *faultyStore) Ensure(ctx context.Context, id users.Identity) (users.Result, error) {
	if c := callOf(ctx); c != nil && !id.At.IsZero() {
		c.tellsTime()
	}
	return breaking(ctx, s.w, "ensure", func(ctx context.Context) (users.Result, error) {
		got, err := s.Store.Ensure(ctx, id)
		if err != nil || got.Outcome != users.Existing { // then it has written nothing
			s.w.truth.tried(id.Sub, id.At)
		}
		return got, err
	})
}

// IDBySub implements [users.Store].
func (s *faultyStore) IDBySub(ctx context.Context, sub string) (string, error) {
	return breaking(ctx, s.w, "id by sub", func(ctx context.Context) (string, error) { return s.Store.IDBySub(ctx, sub) })
}

// RecordSignIns implements [users.Store].
func (s *faultyStore) RecordSignIns(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	return breaking(ctx, s.w, "record sign-ins", func(ctx context.Context) (users.SignInReport, error) {
		report, err := s.Store.RecordSignIns(ctx, batch)
		if err == nil {
			s.w.truth.unknown(report.Unknown)
		}
		return report, err
	})
}

func breaking[T any](ctx context.Context, w *world, step string, fn func(context.Context) (T, error)) (T, error) {
	c := callOf(ctx)
	if c == nil || w.calm.Load() {
		return fn(ctx)
	}
	var none T
	r := c.dice(step)
	early, after := w.databaseLatency(r), w.databaseLatency(r)
	refused, lost, late := w.strikes(r, DatabaseRefuses), w.strikes(r, DatabaseAnswer), w.strikes(r, DatabaseLate)
	if err := nap(ctx, early); err != nil {
		c.note("%s: not made in time", step)
		return none, unavailable(err)
	}
	if c.down() || refused {
		c.note("%s: not made", step)
		return none, unavailable(nil)
	}
	if late {
		delay := between(r, 500*time.Millisecond, 8*time.Second)
		w.background.Go(func() { //nolint:contextcheck // it outlives its caller: that is the fault
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			_ = nap(ctx, delay)
			_, err := fn(ctx)
			c.note("%s: made late (error: %v)", step, err)
		})
		<-ctx.Done()
		return none, unavailable(ctx.Err())
	}
	got, err := fn(ctx)
	c.note("%s: %v, error: %v", step, got, err)
	if slow := nap(ctx, after); slow != nil || lost {
		c.note("%s: answer lost", step)
		return none, unavailable(slow)
	}
	return got, err
}

// unavailable is what a store says when a call got no answer.
func unavailable(cause error) error {
	if cause == nil {
		return fmt.Errorf("chaos: %w", users.ErrUnavailable)
	}
	return fmt.Errorf("chaos: %w: %w", users.ErrUnavailable, cause)
}
