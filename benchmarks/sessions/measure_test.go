package sessions_test

import (
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"
)

const (
	rounds      = 30
	sliceLength = 20 * time.Millisecond
)

// blank is a ResponseWriter that keeps nothing, so that no contestant pays for
// the measuring.
type blank struct{ header http.Header }

func (w *blank) Header() http.Header         { return w.header }
func (w *blank) Write(p []byte) (int, error) { return len(p), nil }
func (w *blank) WriteHeader(int)             {}

// contestant answers one request with a session.
type contestant struct {
	name    string
	handler http.Handler
	cookies string // of a browser that is signed in
}

// request is what the browser sends.
func (c contestant) request(t testing.TB) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Accept", "text/html")
	if c.cookies != "" {
		r.Header.Set("Cookie", c.cookies)
	}
	return r
}

// slice answers requests for as long as a slice, and says how long each took.
func (c contestant) slice(t testing.TB) float64 {
	r, w := c.request(t), &blank{header: http.Header{}}
	n, started := 0, time.Now()
	for {
		for range 16 {
			clear(w.header)
			c.handler.ServeHTTP(w, r.WithContext(r.Context())) // a new one: gorilla keeps the session in it
		}
		n += 16
		if took := time.Since(started); took >= sliceLength {
			return float64(took.Nanoseconds()) / float64(n)
		}
	}
}

// allocs is how many allocations and bytes one request costs. It is for a time
// when nothing else runs.
func (c contestant) allocs(t testing.TB) (count, bytes uint64) {
	r, w := c.request(t), &blank{header: http.Header{}}
	const times = 500
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range times {
		clear(w.header)
		c.handler.ServeHTTP(w, r.WithContext(r.Context()))
	}
	runtime.ReadMemStats(&after)
	return (after.Mallocs - before.Mallocs) / times, (after.TotalAlloc - before.TotalAlloc) / times
}

// result is what a contestant costs beyond the bare handler, in nanoseconds.
type result struct {
	contestant
	extra          []float64 // of each round
	count, alloced uint64
}

func (r result) median() float64 {
	s := slices.Clone(r.extra)
	slices.Sort(s)
	return s[len(s)/2]
}

// over is the median over rounds of how much r costs for each 1 of other.
func (r result) over(other result) float64 {
	ratios := make([]float64, len(r.extra))
	for i := range ratios {
		ratios[i] = r.extra[i] / other.extra[i]
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// race measures all in turns: what the machine does meanwhile meets them all.
func race(t testing.TB, bare contestant, all []contestant) map[string]result {
	results := make(map[string]result, len(all))
	for _, c := range all {
		c.slice(t) // warm
		count, bytes := c.allocs(t)
		results[c.name] = result{contestant: c, count: count, alloced: bytes}
	}
	for range rounds {
		floor := bare.slice(t)
		for _, c := range all {
			r := results[c.name]
			r.extra = append(r.extra, c.slice(t)-floor)
			results[c.name] = r
		}
	}
	return results
}
