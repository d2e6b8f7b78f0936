package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// awsProxy counts the operations of an AWS API that go through it, each of
// which may take a while, as on AWS.
type awsProxy struct {
	*httptest.Server
	mu  sync.Mutex // guards ops
	ops map[string]int
}

func newAWSProxy(t testing.TB, target string, takes time.Duration) *awsProxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &awsProxy{ops: map[string]int{}}
	on := httputil.NewSingleHostReverseProxy(u)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		p.mu.Lock()
		p.ops[op]++
		p.mu.Unlock()
		time.Sleep(takes)
		on.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// total is every call so far, and of one operation.
func (p *awsProxy) total(op string) (all, ofOp int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.ops {
		all += n
	}
	return all, p.ops[op]
}
