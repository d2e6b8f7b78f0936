// Package keyset keeps the keys of one key server: it fetches them when they
// are first needed, when a token names a key that is not among them, and by
// age, and it never loses good keys to a bad answer.
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
	// DefaultRefreshAge is the age by which keys are fetched again.
	DefaultRefreshAge = time.Hour
	// DefaultStaleIfError is the age up to which keys are used if they cannot
	// be fetched again.
	DefaultStaleIfError = 24 * time.Hour
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
	// any, takes the place of DefaultTimeout. If its Transport is nil, the
	// Cache has one of its own, like http.DefaultTransport. Required.
	Client *http.Client
	// Now is the clock of the cooldown and of the keys' age. Required.
	Now func() time.Time
	// Cooldown defaults to DefaultCooldown.
	Cooldown time.Duration
	// RefreshAge is the age by which keys are fetched again in the
	// background. Defaults to DefaultRefreshAge.
	RefreshAge time.Duration
	// StaleIfError is the age up to which keys are used if the server gives
	// no new ones. Defaults to DefaultStaleIfError.
	StaleIfError time.Duration
	// OnFetch, if not nil, is called after each fetch by the goroutine that
	// made it. No caller of Key waits for it, and the next fetch may end
	// meanwhile. Close waits for it, so it must not call Close.
	OnFetch func(FetchResult)
}

// Cache keeps the keys of one key server. It is safe for concurrent use.
//
// A key that is known is returned without a lock, a wait or a fetch, whatever
// state the server is in, until it has the age StaleIfError. For one that is
// not known, at most one fetch runs at a time. It is nobody's own: each caller
// waits for it only as long as its own context lasts, and no caller's
// cancellation ends it.
//
// Fetches are paced by skipping, not by waiting: within the cooldown of an
// earlier fetch that failed, or that was made for an unknown key id, the
// answer is given from what is known. So a flood of made-up key ids costs one
// fetch per cooldown, and a broken server is asked once per cooldown and no
// less often. Nothing is remembered of a key id that is unknown. The cooldown
// counts from the start of a fetch: one that began just before a key was
// published delays that key by one cooldown at most. The first successful
// fetch, Refresh and the refresh by age start no cooldown, so a key that is
// new works on its first token. See refresh.go for the refresh by age.
type Cache struct {
	url      string
	client   *http.Client
	own      *http.Transport // the client's, if it is this Cache's
	timeout  time.Duration
	now      func() time.Time
	cooldown time.Duration
	age      time.Duration
	stale    time.Duration
	onFetch  func(FetchResult)

	known atomic.Pointer[snapshot] // never nil; stored with mu held

	mu       sync.Mutex  // guards what follows; never held during a fetch
	inflight *fetch      // the fetch that runs, if any
	pacedAt  time.Time   // start of the last fetch that began a cooldown
	failure  error       // what the last fetch failed with, nil if it did not
	timer    *time.Timer // of the refresh by age, if any
	closed   bool

	running sync.WaitGroup // fetches; added to with mu held
}

// snapshot is what is known of the server at one time. It is immutable.
type snapshot struct {
	set        *jose.Set // the last good one, nil before the first
	generation uint64    // of set; even
	static     bool      // set is given, and has no age
	fetched    time.Time // start of the fetch that brought set
	asked      time.Time // start of the last fetch
	next       time.Time // when to ask again by age
	expires    time.Time // when set is too old to be used
}

// usable returns the keys that may be used now, nil if there are none.
func (s *snapshot) usable(now time.Time) *jose.Set {
	if s.static || now.Before(s.expires) {
		return s.set
	}
	return nil
}

// fetch is one request to the key server. err may be read once done is closed.
type fetch struct {
	done   chan struct{}
	cancel context.CancelFunc
	err    error
}

func (f *fetch) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// New returns an empty Cache. It fetches nothing.
func New(cfg Config) *Cache {
	client := *cfg.Client
	// A redirect of the key server is no key set: following it would let
	// whoever controls any redirect on that host choose the keys.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	or := func(d, otherwise time.Duration) time.Duration {
		if d > 0 {
			return d
		}
		return otherwise
	}
	c := &Cache{
		url:      cfg.URL,
		client:   &client,
		timeout:  or(client.Timeout, DefaultTimeout),
		cooldown: or(cfg.Cooldown, DefaultCooldown),
		age:      or(cfg.RefreshAge, DefaultRefreshAge),
		stale:    or(cfg.StaleIfError, DefaultStaleIfError),
		onFetch:  cfg.OnFetch,
		// Without the monotonic reading, which stands still while the machine
		// or the Lambda environment sleeps: keys age meanwhile.
		now: func() time.Time { return cfg.Now().Round(0) },
	}
	if client.Transport == nil {
		if c.own = newTransport(); c.own != nil {
			client.Transport = c.own
		}
	}
	c.known.Store(new(snapshot))
	return c
}

// newTransport returns a transport that keeps no connection; Close ends what
// it has left. It returns nil if the program has replaced
// http.DefaultTransport by one of another kind.
func newTransport() *http.Transport {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil
	}
	t := standard.Clone()
	t.DisableKeepAlives = true
	return t
}

// NewStatic returns a Cache of a key set that is given. It never fetches, and
// its keys have no age.
func NewStatic(document []byte) (*Cache, error) {
	if len(document) > MaxBytes {
		return nil, errTooLarge
	}
	set, err := jose.ParseSet(document)
	if err != nil {
		return nil, err
	}
	c := &Cache{now: func() time.Time { return time.Time{} }}
	c.known.Store(&snapshot{set: set, generation: 2, static: true})
	return c, nil
}

// Key returns the key with the id, fetching the set if need be. It returns
// ErrUnknownKey, a *FetchError if the server cannot be asked now, or ctx's
// error.
func (c *Cache) Key(ctx context.Context, kid string) (*jose.Key, error) {
	if key, ok := c.current(c.now()).Key(kid); ok {
		return key, nil
	}
	joined, err := c.ask(ctx, kid)
	if err == nil && joined {
		// That fetch began before this call and maybe before the key was
		// published. Ask again, unless a cooldown is on.
		_, err = c.ask(ctx, kid)
	}
	if err != nil {
		return nil, err
	}
	if key, ok := c.known.Load().usable(c.now()).Key(kid); ok {
		return key, nil
	}
	return nil, ErrUnknownKey
}

// Ready returns nil if there are keys to be used, after fetching them if need
// be and if no cooldown forbids it. Its errors are those of Key, without
// ErrUnknownKey.
func (c *Cache) Ready(ctx context.Context) error {
	if c.current(c.now()).Len() > 0 {
		return nil
	}
	_, err := c.ask(ctx, "")
	return err
}

// current returns the keys that may be used now, and begins the refresh by
// age if it is due.
func (c *Cache) current(now time.Time) *jose.Set {
	s := c.known.Load()
	set := s.usable(now)
	if set != nil && s.due(now) {
		c.refreshByAge()
	}
	return set
}

// Generation identifies the keys that may be used now: it is another one
// whenever they change and when they become too old, so that what was verified
// with keys of another generation must be verified again. Read it before the
// key it is to stand for. Like Key it begins the refresh by age.
func (c *Cache) Generation() uint64 { return c.GenerationAt(c.now()) }

// GenerationAt is Generation for a caller that has asked the clock.
func (c *Cache) GenerationAt(now time.Time) uint64 {
	s := c.known.Load()
	if s.usable(now) == nil {
		return s.generation + 1 // odd: of no set
	}
	if s.due(now) {
		c.refreshByAge()
	}
	return s.generation
}

// ask waits for a fetch that may bring kid, "" for any key. joined reports
// that the fetch ran already.
func (c *Cache) ask(ctx context.Context, kid string) (joined bool, err error) {
	f, joined, err := c.fetchFor(ctx, kid)
	if f == nil {
		return false, err
	}
	return joined, f.wait(ctx)
}

// fetchFor returns the fetch to wait for because kid is not known. It returns
// nil if kid is known by now, and an error if no fetch may be made.
func (c *Cache) fetchFor(ctx context.Context, kid string) (f *fetch, joined bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err // nobody would wait for the answer
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	known := c.known.Load()
	set := known.usable(now)
	if has(set, kid) {
		return nil, false, nil // a fetch ended between our look and the lock
	}
	switch {
	case known.static:
		return nil, false, ErrUnknownKey
	case c.closed:
		return nil, false, c.fail(ReasonClosed, textClosed)
	case c.inflight != nil:
		return c.inflight, true, nil
	case !c.cooling(now):
	case c.failure != nil:
		return nil, false, c.failure // cannot tell: an outage is not a bad token
	case set != nil:
		return nil, false, ErrUnknownKey
	}
	if set != nil {
		c.pacedAt = now // paced whatever it brings
	}
	return c.start(now, kid), false, nil
}

// has reports whether the set has the key, or any if kid is "".
func has(set *jose.Set, kid string) bool {
	if kid == "" {
		return set.Len() > 0
	}
	_, ok := set.Key(kid)
	return ok
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

// start begins a fetch, made for kid if that is not "". c.mu is held, nothing
// is in flight, and c is not closed.
func (c *Cache) start(began time.Time, kid string) *fetch {
	// The context belongs to the fetch, not to a caller: others wait for it
	// too. Its timeout, or Close, ends the goroutine.
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	f := &fetch{done: make(chan struct{}), cancel: cancel}
	c.inflight = f
	c.running.Go(func() {
		defer cancel()
		set, err := c.get(ctx)
		result := c.finish(f, set, err, began, kid)
		if c.onFetch != nil {
			c.onFetch(result)
		}
	})
	return f
}

// finish publishes the result of a fetch. A failed one (err is not nil)
// replaces nothing.
func (c *Cache) finish(f *fetch, set *jose.Set, err *FetchError, began time.Time, kid string) FetchResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	known := *c.known.Load()
	known.asked = began
	if err == nil {
		if !known.set.Equal(set) {
			known.set = set // the whole set: keys that are gone are gone
			known.generation += 2
		}
		known.fetched = began
		known.next = began.Add(jitter(c.age))
		known.expires = began.Add(c.stale)
		f.err, c.failure = nil, nil
	} else {
		if c.closed {
			err = c.fail(ReasonClosed, textClosed)
		}
		known.next = began.Add(c.retryAfter())
		f.err, c.failure = err, err
	}
	c.known.Store(&known)
	c.inflight = nil
	if err != nil || !has(set, kid) {
		c.pacedAt = began
	}
	c.arm(now)
	close(f.done)
	result := known.result(now)
	result.URL, result.Err, result.Duration = withoutQuery(c.url), err, now.Sub(began)
	return result
}

// Refresh fetches the set now, or waits for the fetch that runs. It returns a
// *FetchError or ctx's error. It is not paced.
func (c *Cache) Refresh(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	if c.known.Load().static {
		c.mu.Unlock()
		return nil
	}
	if c.closed {
		c.mu.Unlock()
		return c.fail(ReasonClosed, textClosed)
	}
	f := c.inflight
	if f == nil {
		f = c.start(c.now(), "")
	}
	c.mu.Unlock()
	return f.wait(ctx)
}

// Close ends the fetch that runs, if any, and the refresh by age. When it
// returns no goroutine is left. Keys that are known go on until they are too
// old; what would need a fetch is a *FetchError from then on. Close may be
// called more than once.
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.inflight != nil {
		c.inflight.cancel()
	}
	c.mu.Unlock()
	c.running.Wait()
	if c.own != nil {
		// A fetch that ended early leaves its dialling behind, whose
		// connection would then wait for another fetch.
		c.own.CloseIdleConnections()
	}
}
