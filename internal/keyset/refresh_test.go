package keyset_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/keyset"
)

const (
	age   = keyset.DefaultRefreshAge
	stale = keyset.DefaultStaleIfError
)

// frozen is a clock that can run while timers stand still, as after a freeze.
type frozen struct{ ahead atomic.Int64 }

func (f *frozen) now() time.Time         { return time.Now().Add(time.Duration(f.ahead.Load())) }
func (f *frozen) freeze(d time.Duration) { f.ahead.Add(int64(d)) }
func (f *frozen) cache(s *server) *keyset.Cache {
	return keyset.New(keyset.Config{URL: "https://keys.example/jwks.json", Client: &http.Client{Transport: s}, Now: f.now})
}

func atOnce(t *testing.T, what string, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if d := time.Since(began); d != 0 {
		t.Errorf("%s waited %v", what, d)
	}
}

// TestColdHerdWhoseFirstCallerLeaves: 1,000 callers, the first of whom, whose
// call began the fetch, cancels, and then every tenth.
func TestColdHerdWhoseFirstCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.slow(2*time.Second, jwks("a"))
		c := newCache(s)
		defer c.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				if i%10 != 0 {
					want(t, c, "a", nil)
				} else if _, err := c.Key(ctx, "a"); !errors.Is(err, context.Canceled) {
					t.Errorf("cancelled: %v", err)
				}
			})
			if i == 0 {
				synctest.Wait()
				s.wantFetches(t, 1)
			}
		}
		time.Sleep(time.Second)
		cancel()
		wg.Wait()
		s.wantFetches(t, 1)
	})
}

// TestRefreshByAgeWithoutUse: keys that nobody uses are no older than others.
func TestRefreshByAgeWithoutUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(200, jwks("a", "b"))
		c := newCache(s)
		defer c.Close()
		want(t, c, "a", nil)
		s.serve(200, jwks("b"))
		time.Sleep(age * 79 / 100)
		want(t, c, "a", nil)
		s.wantFetches(t, 1) // not early
		time.Sleep(age * 21 / 100)
		s.wantFetches(t, 2)
		want(t, c, "a", keyset.ErrUnknownKey)
		want(t, c, "b", nil)
		n := s.fetches.Load()
		time.Sleep(10 * age)
		if got := s.fetches.Load() - n; got < 10 || got > 12 {
			t.Errorf("%d refreshes in 10 ages", got)
		}
	})
}

func TestRefreshIsJittered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		seen := map[time.Duration]bool{}
		for range 50 {
			s := new(server)
			s.serve(200, jwks("a"))
			c := newCache(s)
			t.Cleanup(c.Close)
			want(t, c, "a", nil)
			s.set(func(*http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				seen[time.Since(began)] = true
				return respond(200, jwks("a")), nil
			})
		}
		time.Sleep(age)
		mu.Lock()
		defer mu.Unlock()
		for d := range seen {
			if d < age*80/100 || d > age*95/100 {
				t.Errorf("refreshed at %v", d)
			}
		}
		if len(seen) < 40 {
			t.Errorf("50 caches refreshed at %d times", len(seen))
		}
	})
}

// TestRefreshAfterAFreeze: timers did not run, so use begins the refresh.
func TestRefreshAfterAFreeze(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(*keyset.Cache){
		"Key":        func(c *keyset.Cache) { _, _ = c.Key(context.Background(), "a") },
		"Ready":      func(c *keyset.Cache) { _ = c.Ready(context.Background()) },
		"Generation": func(c *keyset.Cache) { c.Generation() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, clock := new(server), new(frozen)
				s.serve(200, jwks("a", "b"))
				c := clock.cache(s)
				defer c.Close()
				want(t, c, "a", nil)
				clock.freeze(5 * time.Hour)
				s.slow(time.Second, jwks("b"))
				atOnce(t, "the use that begins a refresh", func() {
					for range 1000 {
						use(c)
					}
				})
				synctest.Wait()
				s.wantFetches(t, 2)
				atOnce(t, "a known key", func() { want(t, c, "a", nil) })
				time.Sleep(2 * time.Second)
				s.wantFetches(t, 2)
				s.serve(200, jwks("b"))
				want(t, c, "a", keyset.ErrUnknownKey)
			})
		})
	}
}

// outages are those of badAnswers that tests repeat a thousand times.
var outages = []string{"connection refused", "500", "redirect", "no keys", "HTML", "hang", "hanging body"}

// TestWarmCallersDoNotWait: at any time of an outage that hangs, known keys
// are there at once, and the server is asked at a pace.
func TestWarmCallersDoNotWait(t *testing.T) {
	t.Parallel()
	for _, name := range outages {
		answer := badAnswers[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := new(server)
				s.serve(200, jwks("a"))
				c := newCache(s)
				defer c.Close()
				want(t, c, "a", nil)
				s.set(answer)
				for range 3 * 60 * 6 { // 3 hours
					time.Sleep(10 * time.Second)
					atOnce(t, "a known key", func() { want(t, c, "a", nil) })
				}
				if n := s.fetches.Load() - 1; n < 120 || n > 150 { // one a minute, from the 48th to 57th on
					t.Errorf("%d fetches in 3 hours", n)
				}
				s.serve(200, jwks("b"))
				time.Sleep(61 * time.Second) // recovered without a token
				atOnce(t, "the new key", func() { want(t, c, "b", nil) })
			})
		})
	}
}

func TestStaleIfError(t *testing.T) {
	t.Parallel()
	for _, name := range outages {
		answer := badAnswers[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := new(server)
				s.serve(200, jwks("a"))
				c := newCache(s)
				defer c.Close()
				want(t, c, "a", nil)
				began := time.Now()
				s.set(answer)
				for range 71 { // 23 hours and 40 minutes
					time.Sleep(20 * time.Minute)
					want(t, c, "a", nil)
				}
				time.Sleep(stale - time.Since(began) - time.Nanosecond)
				want(t, c, "a", nil)
				time.Sleep(time.Nanosecond)
				began = time.Now()
				for range 1000 {
					want(t, c, "a", errFetch) // never "unknown"
				}
				if d := time.Since(began); d > keyset.DefaultTimeout {
					t.Errorf("the callers waited %v", d)
				}
				want(t, c, "b", errFetch)

				n := s.fetches.Load()
				time.Sleep(48 * time.Hour)
				if s.fetches.Load() > n+1 {
					t.Error("keys that are too old and that nobody uses are asked for")
				}
				s.serve(200, jwks("a"))
				want(t, c, "a", nil) // heals with the first token
				want(t, c, "b", keyset.ErrUnknownKey)
			})
		})
	}
}

// TestUnknownKidThenTooOld: a cooldown that a success began is no reason to
// call a known key unknown once it is too old.
func TestUnknownKidThenTooOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(200, jwks("a"))
		c := keyset.New(keyset.Config{
			URL: "https://keys.example", Client: &http.Client{Transport: s}, Now: time.Now,
			RefreshAge: 5 * time.Second, StaleIfError: 8 * time.Second,
		})
		defer c.Close()
		want(t, c, "unknown", keyset.ErrUnknownKey)
		s.serve(500, "")
		time.Sleep(9 * time.Second)
		want(t, c, "a", errFetch)
	})
}

// TestPublishedDuringARefresh: the fetch that runs began before the key was
// published, and is nobody's fault.
func TestPublishedDuringARefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, clock := new(server), new(frozen)
		s.serve(200, jwks("a"))
		c := clock.cache(s)
		defer c.Close()
		want(t, c, "a", nil)
		clock.freeze(2 * age)
		s.slow(2*time.Second, jwks("a"))
		want(t, c, "a", nil) // begins it
		synctest.Wait()
		s.serve(200, jwks("a", "b"))
		want(t, c, "b", nil) // the first token
		s.wantFetches(t, 3)
		for i := range 100 {
			want(t, c, fmt.Sprint("unknown", i), keyset.ErrUnknownKey)
		}
		s.wantFetches(t, 3) // and that was the cooldown's one
	})
}

// TestPublishedDuringASlowFetch: an attacker's fetches, one after another,
// delay a new key by one cooldown and no more.
func TestPublishedDuringASlowFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(200, jwks("a"))
		c := newCache(s)
		defer c.Close()
		want(t, c, "a", nil)
		s.slow(4*time.Second, jwks("a"))
		began := time.Now()
		go func() { _, _ = c.Key(context.Background(), "attack") }()
		synctest.Wait()
		s.slow(4*time.Second, jwks("a", "b")) // published now
		want(t, c, "b", keyset.ErrUnknownKey)
		time.Sleep(keyset.DefaultCooldown - time.Since(began))
		go func() { _, _ = c.Key(context.Background(), "attack again") }()
		synctest.Wait()
		want(t, c, "b", nil)
		if d := time.Since(began); d > keyset.DefaultCooldown+4*time.Second {
			t.Errorf("the key was delayed by %v", d)
		}
		s.wantFetches(t, 3)
	})
}

func TestFloodHoldsNoMemory(t *testing.T) { //nolint:paralleltest // it reads the size of the heap
	s := new(server)
	s.serve(200, jwks("a"))
	c := newCache(s)
	defer c.Close()
	want(t, c, "a", nil)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 50_000 {
		want(t, c, fmt.Sprint(i, strings.Repeat("k", 200)), keyset.ErrUnknownKey)
	}
	if after := heap(); after > before+2<<20 {
		t.Errorf("the heap grew by %d bytes", after-before)
	}
	runtime.KeepAlive(c)
}

func TestGeneration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		a := jwk("a")
		set := func(keys ...string) { s.serve(200, `{"keys":[`+strings.Join(keys, ",")+`]}`) }
		c := newCache(s)
		defer c.Close()
		seen := map[uint64]string{}
		last := c.Generation()
		step := func(name string, changes bool) {
			t.Helper()
			now := c.Generation()
			if now != c.GenerationAt(time.Now()) {
				t.Error(name, ": Generation and GenerationAt differ")
			}
			if (now != last) != changes {
				t.Errorf("%s: generation %d after %d", name, now, last)
			}
			if changes && seen[now] != "" {
				t.Errorf("%s: the generation of %q again", name, seen[now])
			}
			last, seen[now] = now, name
		}
		fetch := func() { t.Helper(); _ = c.Refresh(t.Context()) }
		set(a)
		fetch()
		step("first keys", true)
		set("{}", a)
		fetch()
		step("the same keys", false)
		set(a, jwk("b"))
		fetch()
		step("a key more", true)
		set(a, jwk("b"))
		fetch()
		step("another key of the same id", true)
		set(a)
		fetch()
		step("a key less", true)
		s.serve(500, "")
		fetch()
		step("an outage", false)
		time.Sleep(stale)
		step("too old", true)
		s.serve(200, jwks("z"))
		fetch()
		step("healed with other keys", true)
		c.Close()
		step("closed", false)
		time.Sleep(stale)
		step("closed and too old", true)
	})
}

// TestGenerationOfTheSameKeys: what was verified before an outage that
// outlasted StaleIfError holds again if the keys are the same.
func TestGenerationOfTheSameKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		body := jwks("a")
		s.serve(200, body)
		c := newCache(s)
		defer c.Close()
		want(t, c, "a", nil)
		before := c.Generation()
		s.serve(500, "")
		time.Sleep(stale)
		if c.Generation() == before {
			t.Error("too old, and the same generation")
		}
		s.serve(200, body)
		time.Sleep(keyset.DefaultCooldown) // the last failure may be just now
		want(t, c, "a", nil)
		if c.Generation() != before {
			t.Error("the same keys, another generation")
		}
	})
}

// TestSameKidNewKeyByAge: a key replaced under its id takes effect.
func TestSameKidNewKeyByAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(200, jwks("a"))
		c := newCache(s)
		defer c.Close()
		before, _ := c.Key(t.Context(), "a")
		s.serve(200, jwks("a"))
		time.Sleep(age)
		if after, err := c.Key(t.Context(), "a"); err != nil || after == before {
			t.Errorf("the old key stayed (%v)", err)
		}
	})
}

// TestClockSetBackRefreshes: how old the keys are is not known, so they are
// fetched, but not with every use.
func TestClockSetBackRefreshes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, clock := new(server), new(frozen)
		s.serve(200, jwks("a"))
		c := clock.cache(s)
		defer c.Close()
		want(t, c, "a", nil)
		clock.freeze(-1000 * time.Hour)
		s.serve(500, "")
		for range 100 {
			want(t, c, "a", nil)
			synctest.Wait()
		}
		s.wantFetches(t, 2)
		s.serve(200, jwks("b"))
		time.Sleep(61 * time.Second)
		want(t, c, "a", keyset.ErrUnknownKey)
	})
}

func TestReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(503, "")
		c := newCache(s)
		defer c.Close()
		for range 100 {
			if err := c.Ready(t.Context()); !is(err, errFetch) {
				t.Errorf("outage: %v", err)
			}
		}
		s.wantFetches(t, 1) // paced
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Ready(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		s.serve(200, jwks("a"))
		time.Sleep(keyset.DefaultCooldown)
		for range 100 {
			if err := c.Ready(t.Context()); err != nil {
				t.Error(err)
			}
		}
		s.wantFetches(t, 2)
		want(t, c, "unknown", keyset.ErrUnknownKey) // Ready began no cooldown
		s.wantFetches(t, 3)
	})
}

// TestNoSharedFate: a server that hangs is nothing to another's cache.
func TestNoSharedFate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		good := jwks("a")
		s.set(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "hangs.example" {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return respond(200, good), nil
		})
		client := &http.Client{Transport: s} // the same for both
		one := keyset.New(keyset.Config{URL: "https://hangs.example", Client: client, Now: time.Now})
		other := keyset.New(keyset.Config{URL: "https://keys.example", Client: client, Now: time.Now})
		defer one.Close()
		defer other.Close()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { want(t, one, "a", errFetch) })
		}
		synctest.Wait()
		atOnce(t, "the other", func() {
			want(t, other, "a", nil)
			want(t, other, "unknown", keyset.ErrUnknownKey)
		})
		wg.Wait()
		one.Close()
		time.Sleep(age)
		want(t, other, "a", nil)
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(200, jwks("a"))
		c := newCache(s)
		want(t, c, "a", nil)
		s.set(badAnswers["hang"])
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { want(t, c, "b", errFetch) })
		}
		synctest.Wait()
		atOnce(t, "Close", c.Close) // ends the fetch that hangs, and those who wait
		atOnce(t, "Close's callers", wg.Wait)
		c.Close()

		s.serve(200, jwks("a", "b"))
		n := s.fetches.Load()
		for range 23 {
			time.Sleep(time.Hour)
			want(t, c, "a", nil) // the last requests are served
			want(t, c, "b", errFetch)
			if err := c.Refresh(t.Context()); !is(err, errFetch) || !strings.Contains(err.Error(), "closed") {
				t.Errorf("Refresh: %v", err)
			}
		}
		if err := c.Ready(t.Context()); err != nil {
			t.Errorf("Ready: %v", err)
		}
		time.Sleep(time.Hour)
		want(t, c, "a", errFetch)
		if err := c.Ready(t.Context()); !is(err, errFetch) {
			t.Errorf("Ready: %v", err)
		}
		s.wantFetches(t, n)
	})
}

// TestCloseWaits: a fetch that takes its time to end, and its observer, are
// over when Close returns.
func TestCloseWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.set(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			time.Sleep(time.Second)
			return nil, r.Context().Err()
		})
		told := false
		c := keyset.New(keyset.Config{
			URL: "https://keys.example", Client: &http.Client{Transport: s}, Now: time.Now,
			OnFetch: func(r keyset.FetchResult) { told = r.Reason() == keyset.ReasonClosed },
		})
		go func() { _ = c.Refresh(context.Background()) }()
		synctest.Wait()
		began := time.Now()
		c.Close()
		if d := time.Since(began); d != time.Second || !told {
			t.Errorf("Close took %v; told is %t", d, told)
		}
	})
}

func TestCloseWhileUsed(t *testing.T) {
	t.Parallel()
	for range 50 {
		s := new(server)
		s.serve(200, jwks("a"))
		c := keyset.New(keyset.Config{URL: "https://keys.example", Client: &http.Client{Transport: s}, Now: time.Now, Cooldown: 1, RefreshAge: 1})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 20 {
					if i == 7 {
						c.Close()
					}
					_, _ = c.Key(context.Background(), fmt.Sprint(i))
					_ = c.Refresh(context.Background())
					c.Generation()
				}
			})
		}
		wg.Wait()
		n := s.fetches.Load()
		_, _ = c.Key(t.Context(), "x")
		s.wantFetches(t, n)
	}
}

// TestNoGoroutineIsLeft uses the real transport, which keeps connections, and
// with them goroutines, if it is let.
func TestNoGoroutineIsLeft(t *testing.T) { //nolint:paralleltest // it counts goroutines
	body := jwks("a")
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	mux.HandleFunc("/hangs", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	defer close(release)
	before := runtime.NumGoroutine()
	var caches []*keyset.Cache
	for _, path := range []string{"/good", "/bad", "/hangs"} {
		for range 10 {
			c := keyset.New(keyset.Config{URL: srv.URL + path, Client: new(http.Client), Now: time.Now})
			caches = append(caches, c)
			ctx, cancel := context.WithCancel(t.Context())
			if path == "/hangs" {
				cancel() // the fetch goes on
				go func() { _ = c.Refresh(context.Background()) }()
			}
			_ = c.Refresh(ctx)
			_, _ = c.Key(ctx, "b")
			cancel()
		}
	}
	for _, c := range caches {
		c.Close()
	}
	// The server's side of the connections, and the callers', end by
	// themselves, soon.
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines; %d before\n%s", n, before, stacks[:runtime.Stack(stacks, true)])
	}
}

// TestCloseEndsDialling: net/http goes on dialling for a fetch that ended. This
// server never answers the TLS handshake.
func TestCloseEndsDialling(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := keyset.New(keyset.Config{URL: "https://" + listener.Addr().String(), Client: new(http.Client), Now: time.Now})
	go func() { _ = c.Refresh(context.Background()) }()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 5)); err != nil { // it began
		t.Fatal(err)
	}
	c.Close()
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second)) // a handshake has 10
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection was left open")
	}
}

// TestForgottenCacheAsksNoMore: nobody closed it, and nobody holds it.
func TestForgottenCacheAsksNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(200, jwks("a"))
		func() { want(t, newCache(s), "a", nil) }()
		synctest.Wait()
		runtime.GC()
		time.Sleep(10 * age)
		s.wantFetches(t, 1)
	})
}

// tracked is a body that knows what was done with it.
type tracked struct {
	io.Reader
	ended, closed bool
}

func (b *tracked) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}

func (b *tracked) Close() error { b.closed = true; return nil }

func TestBodyIsReadAndClosed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		status int
		body   string
		ended  bool
	}{
		{"good", 200, jwks("a"), true},
		{"unusable", 200, `{"keys":[]}`, true},
		{"HTML", 200, "<html>", true},
		{"error", 500, "sorry", true},
		{"redirect", 302, "there", true},
		{"too large", 200, strings.Repeat(" ", 2*keyset.MaxBytes), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			body := &tracked{Reader: strings.NewReader(row.body)}
			s := new(server)
			s.set(func(r *http.Request) (*http.Response, error) {
				if !r.Close {
					t.Error("the connection would be kept")
				}
				resp := respond(row.status, "")
				resp.Body = body
				return resp, nil
			})
			c := newCache(s)
			_ = c.Refresh(t.Context())
			c.Close()
			if !body.closed || body.ended != row.ended {
				t.Errorf("closed is %t, read to its end %t", body.closed, body.ended)
			}
		})
	}
}

func TestOnFetch(t *testing.T) {
	t.Parallel()
	reasons := map[string]keyset.Reason{
		"connection refused": keyset.ReasonUnreachable, "hang": keyset.ReasonTimeout, "hanging body": keyset.ReasonTimeout,
		"500": keyset.ReasonStatus, "403": keyset.ReasonStatus, "201": keyset.ReasonStatus, "204": keyset.ReasonStatus,
		"redirect": keyset.ReasonStatus, "over 1 MiB": keyset.ReasonTooLarge,
	}
	for name, answer := range badAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				reason := reasons[name]
				if reason == "" {
					reason = keyset.ReasonUnusable
				}
				results := make(chan keyset.FetchResult, 3000)
				s := new(server)
				s.slow(2*time.Second, jwks("a", "b"))
				c := keyset.New(keyset.Config{
					URL: "https://keys.example/k?secret", Client: &http.Client{Transport: s}, Now: time.Now,
					StaleIfError: age, OnFetch: func(r keyset.FetchResult) { results <- r },
				})
				defer c.Close()
				check := func(reason keyset.Reason, keys int, age, took time.Duration, stale bool) {
					t.Helper()
					r := <-results
					if r.Reason() != reason || r.Keys != keys || r.Age != age || r.Stale() != stale || r.URL != "https://keys.example/k" {
						t.Errorf("%+v (%s)", r, r.Reason())
					}
					if took >= 0 && r.Duration != took {
						t.Errorf("took %v", r.Duration)
					}
				}
				want(t, c, "a", nil)
				check(keyset.ReasonOK, 2, 2*time.Second, 2*time.Second, false)
				s.set(answer)
				began := time.Now()
				_ = c.Refresh(t.Context())
				check(reason, 2, 2*time.Second+time.Since(began), -1, true)
				time.Sleep(age)
				for len(results) > 0 {
					<-results
				}
				_ = c.Refresh(t.Context())
				check(reason, 0, 0, -1, false)
			})
		})
	}
}

// TestOnFetchBlocksNobody: an observer that hangs is its own trouble.
func TestOnFetchBlocksNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(200, jwks("a"))
		release := make(chan struct{})
		c := keyset.New(keyset.Config{
			URL: "https://keys.example", Client: &http.Client{Transport: s}, Now: time.Now,
			OnFetch: func(keyset.FetchResult) { <-release },
		})
		atOnce(t, "Key", func() {
			want(t, c, "a", nil)
			want(t, c, "unknown", keyset.ErrUnknownKey)
		})
		close(release)
		c.Close()
	})
}

func TestStatic(t *testing.T) {
	t.Parallel()
	c, err := keyset.NewStatic([]byte(jwks("a")))
	if err != nil {
		t.Fatal(err)
	}
	generation := c.Generation()
	for range 2 {
		want(t, c, "a", nil)
		want(t, c, "unknown", keyset.ErrUnknownKey)
		if err := errors.Join(c.Refresh(t.Context()), c.Ready(t.Context())); err != nil {
			t.Error(err)
		}
		if c.Generation() != generation || c.GenerationAt(time.Now().AddDate(100, 0, 0)) != generation {
			t.Error("the generation changed")
		}
		c.Close()
	}
	good := jwks("a")
	for name, document := range map[string]string{
		"empty": "", "no keys": `{"keys":[]}`, "HTML": "<html>", "cut off": good[:len(good)-1],
		"over 1 MiB": good + strings.Repeat(" ", keyset.MaxBytes), "a bare key": jwk("a"),
	} {
		if c, err := keyset.NewStatic([]byte(document)); err == nil || c != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
