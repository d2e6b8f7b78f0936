package ssotest

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestNoGoroutineIsLeft is not parallel: it looks at every goroutine of the process.
func TestNoGoroutineIsLeft(t *testing.T) { //nolint:paralleltest // see above
	p, err := Start(Config{Triggers: All(new(recorder))})
	if err != nil {
		t.Fatal(err)
	}
	p.SetFaults(func(f *Faults) { f.JWKS, f.TriggerTimeout = JWKSHang, map[string]int{"*": 2} })
	hostedTokens(t, p, "Kakao", kim)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.JWKSURL(), nil)
		if err != nil {
			t.Error(err)
			return
		}
		transport := &http.Transport{DisableKeepAlives: true}
		if resp, err := transport.RoundTrip(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}()
	for p.JWKSFetches() == 0 {
		runtime.Gosched()
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	<-answered
	deadline := time.Now().Add(5 * time.Second)
	for {
		left := leftovers()
		if left == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("goroutines of the pool are left:\n%s", left)
		}
		runtime.Gosched()
	}
}

// leftovers are the goroutines that Pool or functions methods started or run in, but for this test's.
func leftovers() string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var left []string
	for _, stack := range bytes.Split(buf, []byte("\n\n")) {
		s := string(stack)
		if strings.Contains(s, "ssotest.(*") && !strings.Contains(s, "TestNoGoroutineIsLeft(") {
			left = append(left, s)
		}
	}
	return strings.Join(left, "\n\n")
}
