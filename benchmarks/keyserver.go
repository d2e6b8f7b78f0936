package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
)

// fault is what a key server does instead of answering with its keys.
type fault int

const (
	healthy fault = iota
	down          // the connection is closed without an answer
	failing       // 500
	empty         // {"keys":[]}
	hanging       // no answer while the client waits
)

// keyServer serves a key set on loopback, and the discovery document of the
// one library that insists on it.
type keyServer struct {
	*httptest.Server
	fetches atomic.Int64 // of the key set alone
	fault   atomic.Int64
	keys    atomic.Pointer[[]byte]
	release chan struct{} // closed at the end, for whoever hangs
	once    sync.Once
}

func newKeyServer(keys []byte, tls bool) *keyServer {
	s := &keyServer{release: make(chan struct{})}
	s.keys.Store(&keys)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ErrorLog = quietLog
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	return s
}

func (s *keyServer) close() {
	s.once.Do(func() {
		close(s.release)
		s.CloseClientConnections()
		s.Close()
	})
}

func (s *keyServer) jwksURL() string { return s.URL + "/" + poolID + "/.well-known/jwks.json" }

func (s *keyServer) set(f fault) { s.fault.Store(int64(f)) }

// rotate replaces the keys.
func (s *keyServer) rotate(keys []byte) { s.keys.Store(&keys) }

func (s *keyServer) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
		_, _ = w.Write([]byte(`{"issuer":"` + issuer + `","jwks_uri":"` + s.jwksURL() + `"}`))
		return
	}
	s.fetches.Add(1)
	switch fault(s.fault.Load()) {
	case healthy:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(*s.keys.Load())
	case failing:
		w.WriteHeader(http.StatusInternalServerError)
	case empty:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"keys":[]}`))
	case hanging:
		select {
		case <-r.Context().Done():
		case <-s.release:
		}
	case down:
		panic(http.ErrAbortHandler)
	}
}

// client sends every request to the key server, whatever its host: libraries
// that derive addresses from the issuer find it too.
func (s *keyServer) client() *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: atATime}
	host := strings.TrimPrefix(s.URL, "http://")
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host = "http", host
		return transport.RoundTrip(r)
	})}
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
