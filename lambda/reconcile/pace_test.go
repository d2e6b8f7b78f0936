package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// clockPool notes when it is called; its users have rows and no attribute.
type clockPool struct {
	users    int
	list     []time.Time
	set      []time.Time
	throttle int // of the first calls of SetAttribute
}

func (p *clockPool) ID() string { return "pool" }

func (p *clockPool) user(i int) reconcile.PoolUser {
	return reconcile.PoolUser{Username: fmt.Sprint(i), Status: "CONFIRMED", Attributes: map[string]string{"sub": fmt.Sprint("s", i)}}
}

func (p *clockPool) List(_ context.Context, token string) ([]reconcile.PoolUser, string, error) {
	p.list = append(p.list, time.Now())
	if n := len(p.list); n <= p.users {
		return []reconcile.PoolUser{p.user(n - 1)}, fmt.Sprint("t", n), nil
	}
	return nil, "", nil
}

func (p *clockPool) BySub(context.Context, string) (reconcile.PoolUser, error) {
	return reconcile.PoolUser{}, reconcile.ErrNoUser
}

func (p *clockPool) User(_ context.Context, name string) (reconcile.PoolUser, error) {
	var i int
	_, err := fmt.Sscan(name, &i)
	return p.user(i), err
}

func (p *clockPool) SetAttribute(context.Context, string, string, string) error {
	p.set = append(p.set, time.Now())
	if p.throttle > 0 {
		p.throttle--
		return reconcile.ErrThrottled
	}
	return nil
}

// mapStore has a row for every sub that it is asked for.
type mapStore struct{ users.Store }

func (mapStore) Page(context.Context, string, int) ([]users.User, error) { return nil, nil }
func (mapStore) IDBySub(_ context.Context, sub string) (string, error)   { return sub[1:], nil }
func (mapStore) Get(_ context.Context, id string) (users.User, error) {
	return users.User{ID: id, Sub: "s" + id}, nil
}

func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &clockPool{users: 20}
		report, err := reconcile.Run(t.Context(), reconcile.Config{Pool: p, Users: mapStore{}, Providers: []string{"Kakao"}, Apply: true, SkipYounger: -1})
		if err != nil || report.Repaired[reconcile.AttributeMissing] != 20 {
			t.Fatalf("Run = %+v, %v", report, err)
		}
		apart(t, "reads", p.list, 100*time.Millisecond)
		apart(t, "writes", p.set, 200*time.Millisecond)
		if took := p.set[19].Sub(p.set[0]); took > 19*200*time.Millisecond {
			t.Errorf("20 writes took %v: slower than their pace", took)
		}
	})
}

func apart(t *testing.T, what string, at []time.Time, least time.Duration) {
	t.Helper()
	for i := 1; i < len(at); i++ {
		if d := at[i].Sub(at[i-1]); d < least {
			t.Errorf("%s %d and %d are %v apart, want %v", what, i-1, i, d, least)
		}
	}
}

// A throttled call waits longer each time, and in the end succeeds.
func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &clockPool{users: 1, throttle: 7}
		report, err := reconcile.Run(t.Context(), reconcile.Config{Pool: p, Users: mapStore{}, Providers: []string{"Kakao"}, Apply: true, SkipYounger: -1})
		if err != nil || report.Throttled != 7 || len(p.set) != 8 {
			t.Fatalf("Run = %+v, %v after %d calls", report, err, len(p.set))
		}
		for i := 1; i < len(p.set); i++ {
			most := min(20*time.Second, 250*time.Millisecond<<(i-1))
			if d := p.set[i].Sub(p.set[i-1]); d < min(most/2, 200*time.Millisecond) || d > max(most, 200*time.Millisecond) {
				t.Errorf("wait %d was %v, want at most %v", i, d, most)
			}
		}
	})
}

// Waiting ends with the context, not with the wait.
func TestCancelWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		p := &clockPool{users: 1, throttle: 1000}
		_, err := reconcile.Run(ctx, reconcile.Config{Pool: p, Users: mapStore{}, Providers: []string{"Kakao"}, Apply: true, SkipYounger: -1})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("Run = %v after %v", err, time.Since(start))
		}
	})
}
