package keyset_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/keyset"
)

// jwk returns a key that parses. Nothing is ever signed with it: any odd
// number of 2048 bits is a modulus here.
func jwk(kid string) string {
	n := make([]byte, 256)
	_, _ = rand.Read(n)
	n[0] |= 0x80
	n[255] |= 1
	return fmt.Sprintf(`{"kid":%q,"kty":"RSA","alg":"RS256","use":"sig","e":"AQAB","n":%q}`,
		kid, base64.RawURLEncoding.EncodeToString(n))
}

func jwks(kids ...string) string {
	keys := make([]string, len(kids))
	for i, kid := range kids {
		keys[i] = jwk(kid)
	}
	return `{"keys":[` + strings.Join(keys, ",") + `]}`
}

// server is a key server without a socket, so that it lives in a bubble of
// synctest, where time is free.
type server struct {
	fetches atomic.Int64
	mu      sync.Mutex
	answer  func(*http.Request) (*http.Response, error)
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.fetches.Add(1)
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	return answer(r)
}

func (s *server) set(answer func(*http.Request) (*http.Response, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *server) serve(status int, body string) {
	s.set(func(*http.Request) (*http.Response, error) { return respond(status, body), nil })
}

// slow answers after d, or not at all if the request ends first.
func (s *server) slow(d time.Duration, body string) {
	s.set(func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return respond(200, body), nil
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	})
}

func respond(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func newCache(s *server) *keyset.Cache {
	return keyset.New(keyset.Config{URL: "https://keys.example/jwks.json", Client: &http.Client{Transport: s}, Now: time.Now})
}

// want checks an outcome: nil, keyset.ErrUnknownKey, a context's error, or
// errFetch for any *keyset.FetchError.
func want(t *testing.T, c *keyset.Cache, kid string, target error) {
	t.Helper()
	key, err := c.Key(t.Context(), kid)
	if (err == nil) != (key != nil) {
		t.Errorf("Key(%q) = %v, %v", kid, key, err)
	}
	if !is(err, target) {
		t.Errorf("Key(%q): %v; want %v", kid, err, target)
	}
}

var errFetch = errors.New("a FetchError")

func is(err, target error) bool {
	if errors.Is(target, errFetch) {
		var fe *keyset.FetchError
		return errors.As(err, &fe) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
	}
	return errors.Is(err, target)
}

func (s *server) wantFetches(t *testing.T, n int64) {
	t.Helper()
	if got := s.fetches.Load(); got != n {
		t.Errorf("%d fetches; want %d", got, n)
	}
}

func TestColdHerd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.slow(time.Second, jwks("a"))
		c := newCache(s)
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() { want(t, c, "a", nil) })
		}
		wg.Wait()
		s.wantFetches(t, 1)
	})
}

func TestColdHerdOfUnknownKids(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.slow(time.Second, jwks("a"))
		c := newCache(s)
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() { want(t, c, fmt.Sprint("unknown", i), keyset.ErrUnknownKey) })
		}
		wg.Wait()
		for i := range 1000 {
			want(t, c, fmt.Sprint("more", i), keyset.ErrUnknownKey)
		}
		s.wantFetches(t, 1)
		want(t, c, "a", nil)
	})
}

func TestUnknownKidFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(200, jwks("a"))
		c := newCache(s)
		want(t, c, "a", nil)
		for i := range 10_000 {
			want(t, c, fmt.Sprint("unknown", i), keyset.ErrUnknownKey)
		}
		s.wantFetches(t, 2) // the warm-up, and one
		time.Sleep(keyset.DefaultCooldown - time.Nanosecond)
		want(t, c, "unknown", keyset.ErrUnknownKey)
		s.wantFetches(t, 2)
		time.Sleep(time.Nanosecond)
		want(t, c, "unknown", keyset.ErrUnknownKey)
		want(t, c, "unknown", keyset.ErrUnknownKey)
		s.wantFetches(t, 3)
	})
}

func TestFloodDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(200, jwks("a"))
		c := newCache(s)
		want(t, c, "a", nil)
		want(t, c, "unknown", keyset.ErrUnknownKey)
		began := time.Now()
		want(t, c, "unknown", keyset.ErrUnknownKey)
		if d := time.Since(began); d != 0 {
			t.Errorf("waited %v", d)
		}
	})
}

func TestRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(200, jwks("a"))
		c := newCache(s)
		want(t, c, "a", nil)
		s.serve(200, jwks("b"))
		want(t, c, "b", nil) // the first token, at once
		want(t, c, "a", keyset.ErrUnknownKey)
		s.wantFetches(t, 2)
	})
}

func TestPublishedDuringAFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(200, jwks("a"))
		c := newCache(s)
		want(t, c, "a", nil)
		// A slow fetch that began before "b" was published costs it the rest
		// of one cooldown, counted from the fetch's start.
		s.slow(4*time.Second, jwks("a"))
		began := time.Now()
		want(t, c, "attack", keyset.ErrUnknownKey)
		s.serve(200, jwks("a", "b"))
		want(t, c, "b", keyset.ErrUnknownKey)
		time.Sleep(keyset.DefaultCooldown - time.Since(began))
		want(t, c, "b", nil)
	})
}

func TestKnownKidDoesNotWaitForAFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(200, jwks("a"))
		c := newCache(s)
		want(t, c, "a", nil)
		s.slow(3*time.Second, jwks("a"))
		var wg sync.WaitGroup
		wg.Go(func() { want(t, c, "unknown", keyset.ErrUnknownKey) })
		synctest.Wait()
		began := time.Now()
		want(t, c, "a", nil)
		if d := time.Since(began); d != 0 {
			t.Errorf("waited %v", d)
		}
		wg.Wait()
	})
}

func TestCancelledCallerFailsOnlyItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.slow(2*time.Second, jwks("a"))
		c := newCache(s)
		ctx, cancel := context.WithCancel(t.Context())
		short, cancelShort := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancelShort()
		var wg sync.WaitGroup
		wg.Go(func() { // the first one, whose fetch it is not
			if _, err := c.Key(ctx, "a"); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() { want(t, c, "a", nil) })
		wg.Go(func() {
			if _, err := c.Key(short, "a"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("deadline: %v", err)
			}
		})
		time.Sleep(time.Second)
		cancel()
		wg.Wait()
		s.wantFetches(t, 1)
	})
}

func TestCancelledBeforehandFetchesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.serve(200, jwks("a"))
		c := newCache(s)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Key(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := c.Refresh(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		synctest.Wait()
		s.wantFetches(t, 0)
		want(t, c, "a", nil)
		if _, err := c.Key(ctx, "a"); err != nil {
			t.Errorf("a known key needs no waiting: %v", err)
		}
	})
}

// spaces is an endless body that counts what is read of it.
type spaces struct{ read int }

func (s *spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	s.read += len(p)
	if s.read > 64<<20 {
		return 0, io.EOF // not endless after all, for the sake of this machine
	}
	return len(p), nil
}

func TestEndlessAnswerIsNotReadOn(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 500} {
		body := new(spaces)
		s := new(server)
		s.set(func(*http.Request) (*http.Response, error) {
			resp := respond(status, "")
			resp.Body = io.NopCloser(body)
			return resp, nil
		})
		want(t, newCache(s), "a", errFetch)
		if body.read > 2*keyset.MaxBytes {
			t.Errorf("status %d: read %d bytes", status, body.read)
		}
	}
}

// badAnswers are answers that must replace nothing.
var badAnswers = map[string]func(*http.Request) (*http.Response, error){
	"connection refused": func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") },
	"500":                func(*http.Request) (*http.Response, error) { return respond(500, jwks("b")), nil },
	"403":                func(*http.Request) (*http.Response, error) { return respond(403, jwks("b")), nil },
	"201":                func(*http.Request) (*http.Response, error) { return respond(201, jwks("b")), nil },
	"204":                func(*http.Request) (*http.Response, error) { return respond(204, ""), nil },
	"redirect": func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "evil.example" {
			return respond(200, jwks("b")), nil
		}
		resp := respond(302, jwks("b"))
		resp.Header.Set("Location", "https://evil.example/jwks.json")
		return resp, nil
	},
	"empty body":  func(*http.Request) (*http.Response, error) { return respond(200, ""), nil },
	"no keys":     func(*http.Request) (*http.Response, error) { return respond(200, `{"keys":[]}`), nil },
	"null keys":   func(*http.Request) (*http.Response, error) { return respond(200, `{"keys":null}`), nil },
	"no usable":   func(*http.Request) (*http.Response, error) { return respond(200, `{"keys":[{"kty":"EC"}]}`), nil },
	"bare key":    func(*http.Request) (*http.Response, error) { return respond(200, jwk("b")), nil },
	"HTML":        func(*http.Request) (*http.Response, error) { return respond(200, "<html>"), nil },
	"truncated":   func(*http.Request) (*http.Response, error) { s := jwks("b"); return respond(200, s[:len(s)-1]), nil },
	"garbage end": func(*http.Request) (*http.Response, error) { return respond(200, jwks("b")+"x"), nil },
	"over 1 MiB": func(*http.Request) (*http.Response, error) {
		return respond(200, jwks("b")+strings.Repeat(" ", keyset.MaxBytes)), nil
	},
	"cut off": func(*http.Request) (*http.Response, error) {
		resp := respond(200, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(jwks("b")[:100]), brokenReader{}))
		return resp, nil
	},
	"hang": func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() },
	"hanging body": func(r *http.Request) (*http.Response, error) {
		resp := respond(200, "")
		resp.Body = io.NopCloser(hangingReader{r.Context()})
		return resp, nil
	},
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type hangingReader struct{ ctx context.Context }

func (r hangingReader) Read([]byte) (int, error) { <-r.ctx.Done(); return 0, r.ctx.Err() }

func TestBadAnswerKeepsGoodKeys(t *testing.T) {
	t.Parallel()
	for name, answer := range badAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := new(server)
				s.serve(200, jwks("a"))
				c := newCache(s)
				want(t, c, "a", nil)
				s.set(answer)

				began := time.Now()
				want(t, c, "b", errFetch)
				if d := time.Since(began); d > keyset.DefaultTimeout {
					t.Errorf("took %v", d)
				}
				for range 100 {
					want(t, c, "a", nil)
					want(t, c, "b", errFetch) // not "unknown": nobody knows
				}
				if n := s.fetches.Load(); n != 2 {
					t.Errorf("%d fetches", n)
				}
				if err := c.Refresh(t.Context()); !is(err, errFetch) {
					t.Errorf("Refresh: %v", err)
				}
				want(t, c, "a", nil)

				s.serve(200, jwks("b"))
				time.Sleep(keyset.DefaultCooldown)
				want(t, c, "b", nil)
			})
		})
	}
}

func TestColdOutageHeals(t *testing.T) {
	t.Parallel()
	for name, answer := range badAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := new(server)
				s.set(answer)
				c := newCache(s)
				began := time.Now()
				for range 1000 {
					want(t, c, "a", errFetch)
				}
				if n := s.fetches.Load(); n != 1 {
					t.Errorf("%d fetches", n)
				}
				s.serve(200, jwks("a"))
				want(t, c, "a", errFetch) // still paced
				time.Sleep(keyset.DefaultCooldown - time.Since(began))
				want(t, c, "a", nil) // and no longer than that
			})
		})
	}
}

func TestRefreshIsNotPaced(t *testing.T) {
	t.Parallel()
	s := new(server)
	s.serve(503, "")
	c := newCache(s)
	for range 3 {
		if err := c.Refresh(t.Context()); !is(err, errFetch) {
			t.Error(err)
		}
	}
	s.wantFetches(t, 3)
	s.serve(200, jwks("a"))
	if err := c.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	want(t, c, "a", nil)
	want(t, c, "unknown", keyset.ErrUnknownKey) // the failure is over, its pace is not
	s.wantFetches(t, 4)
}

func TestSameKidNewKey(t *testing.T) {
	t.Parallel()
	s := new(server)
	s.serve(200, jwks("a"))
	c := newCache(s)
	before, err := c.Key(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	s.serve(200, jwks("a"))
	if err := c.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after, err := c.Key(t.Context(), "a"); err != nil || after == before {
		t.Errorf("the old key stayed (%v)", err)
	}
}

func TestClockSetBack(t *testing.T) {
	t.Parallel()
	s := new(server)
	s.serve(200, jwks("a"))
	now := time.Now()
	c := keyset.New(keyset.Config{URL: "https://keys.example", Client: &http.Client{Transport: s}, Now: func() time.Time { return now }})
	want(t, c, "a", nil)
	want(t, c, "unknown", keyset.ErrUnknownKey)
	now = now.Add(-time.Hour)
	s.serve(200, jwks("a", "b"))
	want(t, c, "b", nil) // not in an hour

	// That may have been the refresh by age. Without keys there is none.
	s.serve(500, "")
	c = keyset.New(keyset.Config{URL: "https://keys.example", Client: &http.Client{Transport: s}, Now: func() time.Time { return now }})
	want(t, c, "a", errFetch)
	now = now.Add(-time.Hour)
	s.serve(200, jwks("a"))
	want(t, c, "a", nil)
}

func TestClientTimeoutIsTheTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		s.slow(7*time.Second, jwks("a"))
		slow := keyset.New(keyset.Config{URL: "https://keys.example", Client: &http.Client{Transport: s, Timeout: 8 * time.Second}, Now: time.Now})
		want(t, slow, "a", nil)
		fast := keyset.New(keyset.Config{URL: "https://keys.example", Client: &http.Client{Transport: s, Timeout: time.Second}, Now: time.Now})
		began := time.Now()
		want(t, fast, "a", errFetch)
		if d := time.Since(began); d != time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestErrorNamesWhatToLookAt(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		answer func(*http.Request) (*http.Response, error)
		text   string
	}{
		{"status", badAnswers["403"], "status 403"},
		{"HTML", badAnswers["HTML"], "not a JSON Web Key Set"},
		{"no keys", badAnswers["no keys"], "no usable key"},
		{"size", badAnswers["over 1 MiB"], "larger than 1 MiB"},
		{"cut off", badAnswers["cut off"], "cut off"},
		{"hang", badAnswers["hang"], "HTTPClient.Timeout"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := new(server)
				s.set(row.answer)
				c := keyset.New(keyset.Config{URL: "https://keys.example/k?secret=hidden", Client: &http.Client{Transport: s}, Now: time.Now})
				_, err := c.Key(t.Context(), "a")
				if err == nil || !strings.Contains(err.Error(), row.text) || !strings.Contains(err.Error(), "https://keys.example/k") ||
					strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "<html>") {
					t.Errorf("error is %v", err)
				}
			})
		})
	}
}

// TestOverHTTP uses the real transport: redirects, compression and connections
// are its business.
func TestOverHTTP(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, jwks("a")) })
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(zip(jwks("a")))
	})
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(zip(jwks("a") + strings.Repeat(" ", 8<<20)))
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
	})
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		_, _ = io.WriteString(w, jwks("a"))
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<16)); err != nil {
				return
			}
		}
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	for path, target := range map[string]error{
		"/good": nil, "/gzip": nil, "/bomb": errFetch, "/redirect": errFetch, "/endless": errFetch, "/missing": errFetch,
	} {
		c := keyset.New(keyset.Config{URL: srv.URL + path, Client: srv.Client(), Now: time.Now})
		if _, err := c.Key(t.Context(), "a"); !is(err, target) {
			t.Errorf("%s: %v; want %v", path, err, target)
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
	if srv.Client().CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}

	dead := httptest.NewServer(mux)
	dead.Close()
	c := keyset.New(keyset.Config{URL: dead.URL, Client: srv.Client(), Now: time.Now})
	if _, err := c.Key(t.Context(), "a"); !is(err, errFetch) || !strings.Contains(err.Error(), "dial") {
		t.Errorf("dead server: %v", err)
	}
}

func zip(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.Bytes()
}

func TestConcurrentRotation(t *testing.T) {
	t.Parallel()
	s := new(server)
	s.serve(200, jwks("a", "k0"))
	c := keyset.New(keyset.Config{URL: "https://keys.example", Client: &http.Client{Transport: s}, Now: time.Now, Cooldown: time.Nanosecond})
	want(t, c, "a", nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				if i == 0 {
					s.serve(200, jwks("a", fmt.Sprint("k", j)))
				}
				want(t, c, "a", nil) // never gone
				_, _ = c.Key(t.Context(), fmt.Sprint("k", j))
			}
		})
	}
	wg.Wait()
}
