// Package keyset keeps the keys of one key server: it fetches them when they
// are first needed and again when a token names a key that is not among them,
// and it never loses good keys to a bad answer.
package keyset

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/jose"
)

const (
	// DefaultCooldown paces fetches for unknown key ids and after failures.
	DefaultCooldown = 10 * time.Second
	// DefaultTimeout bounds one fetch, body included.
	DefaultTimeout = 5 * time.Second
	// MaxBytes bounds the document, after decompression.
	MaxBytes = 1 << 20
)

// ErrUnknownKey is returned by Cache.Key if the server, asked lately and
// successfully, publishes no usable key of that id. An outage is a
// *FetchError instead, never this.
var ErrUnknownKey = errors.New("keyset: unknown key id")

// Config describes the key server of a Cache.
type Config struct {
	// URL is where the key set is. Required.
	URL string
	// Client fetches it. Its redirects are not followed, and its Timeout, if
	// any, takes the place of DefaultTimeout. Required.
	Client *http.Client
	// Now is the clock of the cooldown. Required.
	Now func() time.Time
	// Cooldown defaults to DefaultCooldown.
	Cooldown time.Duration
}

// Cache keeps the keys of one key server. It is safe for concurrent use.
//
// A key that is known is returned without a lock, a wait or a fetch, whatever
// state the server is in. For one that is not known, at most one fetch runs
// at a time. It is nobody's own: each caller waits for it only as long as its
// own context lasts, and no caller's cancellation ends it.
//
// Fetches are paced by skipping, not by waiting: within the cooldown of an
// earlier fetch that failed, or that was made for an unknown key id, the
// answer is given from what is known. So a flood of made-up key ids costs one
// fetch per cooldown, and a broken server is asked once per cooldown and no
// less often. The cooldown counts from the start of a fetch: one that began
// just before a key was published delays that key by one cooldown at most.
// The first successful fetch, and Refresh, start no cooldown, so a key that
// is new works on its first token.
type Cache struct {
	url      string
	client   *http.Client
	timeout  time.Duration
	now      func() time.Time
	cooldown time.Duration

	keys atomic.Pointer[jose.Set] // the last good set, nil before the first

	mu       sync.Mutex // guards what follows; never held during a fetch
	inflight *fetch     // the fetch that runs, if any
	pacedAt  time.Time  // start of the last fetch that began a cooldown
	failure  error      // what the last fetch failed with, nil if it did not
}

// fetch is one request to the key server. Its results may be read once done
// is closed.
type fetch struct {
	done chan struct{}
	set  *jose.Set
	err  error
}

// New returns an empty Cache. It fetches nothing.
func New(cfg Config) *Cache {
	client := *cfg.Client
	// A redirect of the key server is no key set: following it would let
	// whoever controls any redirect on that host choose the keys.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &Cache{
		url:      cfg.URL,
		client:   &client,
		timeout:  DefaultTimeout,
		now:      cfg.Now,
		cooldown: cfg.Cooldown,
	}
	if client.Timeout > 0 {
		c.timeout = client.Timeout
	}
	if c.cooldown <= 0 {
		c.cooldown = DefaultCooldown
	}
	return c
}

// Key returns the key with the id, fetching the set if need be. It returns
// ErrUnknownKey, a *FetchError if the server cannot be asked now, or ctx's
// error.
func (c *Cache) Key(ctx context.Context, kid string) (*jose.Key, error) {
	if key, ok := c.keys.Load().Key(kid); ok {
		return key, nil
	}
	f, err := c.fetchFor(ctx, kid)
	if err != nil {
		return nil, err
	}
	if f != nil {
		select {
		case <-f.done:
			if f.err != nil {
				return nil, f.err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if key, ok := c.keys.Load().Key(kid); ok {
		return key, nil
	}
	return nil, ErrUnknownKey
}

// fetchFor returns the fetch to wait for because kid is not known. It returns
// nil if kid is known by now, and an error if no fetch may be made.
func (c *Cache) fetchFor(ctx context.Context, kid string) (*fetch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // nobody would wait for the answer
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inflight != nil {
		return c.inflight, nil
	}
	known := c.keys.Load()
	if _, ok := known.Key(kid); ok {
		return nil, nil // a fetch ended between our look and the lock
	}
	now := c.now()
	if c.cooling(now) {
		if c.failure != nil {
			return nil, c.failure // cannot tell: an outage is not a bad token
		}
		return nil, ErrUnknownKey
	}
	if known.Len() > 0 {
		c.pacedAt = now // paced whatever it brings
	}
	return c.start(now, kid), nil
}

// cooling reports whether a cooldown is on. A clock that was set back ends
// it, so that it cannot last for longer than the cooldown. c.mu is held.
func (c *Cache) cooling(now time.Time) bool {
	if c.pacedAt.IsZero() {
		return false
	}
	since := now.Sub(c.pacedAt)
	return since >= 0 && since < c.cooldown
}

// start begins a fetch, made for kid if that is not "". c.mu is held.
func (c *Cache) start(began time.Time, kid string) *fetch {
	f := &fetch{done: make(chan struct{})}
	c.inflight = f
	// The context belongs to the fetch, not to a caller: others wait for it
	// too. Its timeout ends the goroutine.
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	go func() {
		defer cancel()
		f.set, f.err = c.get(ctx)
		c.finish(f, began, kid)
	}()
	return f
}

// finish publishes the result of a fetch.
func (c *Cache) finish(f *fetch, began time.Time, kid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inflight = nil
	c.failure = f.err
	if f.err == nil {
		c.keys.Store(f.set) // the whole set: keys that are gone are gone
	}
	_, found := f.set.Key(kid)
	if f.err != nil || (kid != "" && !found) {
		c.pacedAt = began
	}
	close(f.done)
}

// Refresh fetches the set now, or waits for the fetch that runs. It returns a
// *FetchError or ctx's error. It is not paced.
func (c *Cache) Refresh(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	f := c.inflight
	if f == nil {
		f = c.start(c.now(), "")
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
