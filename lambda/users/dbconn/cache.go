package dbconn

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// fetchTimeout bounds one fetch of credentials, whoever waits for it.
const fetchTimeout = 3 * time.Second

// refetchAfter is the least age of credentials that are thrown away because
// the database refused them: a password that is simply wrong must not become
// a call to AWS for every event.
const refetchAfter = 5 * time.Second

// retryAfter is how long old credentials serve when new ones could not be
// fetched: not every connection shall wait for an API that is down.
const retryAfter = 30 * time.Second

// kept are credentials and how long they may be handed out.
type kept struct {
	Credentials
	fetched, until time.Time
}

// cache keeps the credentials of one target. Many callers share one fetch.
type cache struct {
	fetch func(context.Context) (Credentials, time.Time, error)
	now   func() time.Time
	// stale says whether old credentials are better than none: a password may
	// still be right, an expired token never is.
	stale bool

	flight singleflight.Group
	mu     sync.Mutex // guards kept; never held while fetching
	kept   kept
}

// wall strips the monotonic reading, which may have stood still while the
// function was frozen.
func (c *cache) wall() time.Time { return c.now().Round(0) }

func (c *cache) get(ctx context.Context) (Credentials, error) {
	c.mu.Lock()
	k := c.kept
	c.mu.Unlock()
	if c.wall().Before(k.until) {
		return k.Credentials, nil
	}
	select {
	case r := <-c.flight.DoChan("", func() (any, error) { return c.renew(ctx) }):
		creds, _ := r.Val.(Credentials)
		return creds, r.Err
	case <-ctx.Done():
		return Credentials{}, hide("waiting", ctx.Err())
	}
}

// renew outlives the caller that began it: others wait for it too.
func (c *cache) renew(ctx context.Context) (Credentials, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	creds, until, err := c.fetch(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if c.stale && c.kept.Password.value != nil { // a failed fetch discards nothing
			c.kept.until = c.wall().Add(retryAfter)
			return c.kept.Credentials, nil
		}
		return Credentials{}, err
	}
	c.kept = kept{Credentials: creds, fetched: c.wall(), until: until.Round(0)}
	return creds, nil
}

// refused throws used away, unless others took its place already or it is
// brand-new.
func (c *cache) refused(used Credentials) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.kept.equal(used) {
		return true
	}
	if c.wall().Sub(c.kept.fetched) < refetchAfter {
		return false
	}
	c.kept = kept{}
	return true
}

// caches are one for each target.
type caches struct {
	mu  sync.Mutex // guards by
	by  map[Target]*cache
	new func(Target) *cache
}

func (c *caches) of(to Target) *cache {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[Target]*cache{}
	}
	if c.by[to] == nil {
		c.by[to] = c.new(to)
	}
	return c.by[to]
}
