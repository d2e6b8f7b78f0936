package sso_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

func credentialsSource(t *testing.T, c *sso.Client, scopes ...string) *sso.ClientCredentialsSource {
	t.Helper()
	source, err := c.ClientCredentialsSource(scopes...)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func mustToken(t *testing.T, source *sso.ClientCredentialsSource) sso.Secret {
	t.Helper()
	_, raw, err := source.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// eventually waits for what another goroutine is about to do.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
		<-time.After(time.Millisecond)
	}
}

func TestClientCredentialsSourceKeepsTheToken(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	source := credentialsSource(t, s.client(), "api/read")
	if s.tokenRequests() != 0 {
		t.Fatal("the constructor made a request")
	}
	token, first, err := source.Token(t.Context())
	if err != nil || !token.Machine() || !slices.Equal(token.Scopes(), []string{"api/read"}) {
		t.Fatalf("%+v, %v", token, err)
	}
	s.advance(47 * time.Minute) // less than four fifths of its hour
	for range 3 {
		if mustToken(t, source) != first {
			t.Error("another token")
		}
	}
	if n := s.tokenRequests(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestClientCredentialsSourceRenewsAhead holds that nobody waits for a renewal
// while the old token is good, and that an outage is not noticed either.
func TestClientCredentialsSourceRenewsAhead(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	source := credentialsSource(t, s.client())
	first := mustToken(t, source)

	down := make(chan struct{})
	s.override = func(w http.ResponseWriter, _ map[string]any) { <-down; w.WriteHeader(http.StatusServiceUnavailable) }
	s.advance(52 * time.Minute)
	if mustToken(t, source) != first { // while the renewal hangs
		t.Error("another token")
	}
	close(down)
	eventually(t, "the renewal fails", func() bool { return s.tokenRequests() == 2 })
	if mustToken(t, source) != first {
		t.Error("an outage took a good token away")
	}
}

func TestClientCredentialsSourceRenews(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	source := credentialsSource(t, s.client())
	first := mustToken(t, source)
	s.advance(52 * time.Minute)
	if mustToken(t, source) != first {
		t.Error("waited for the renewal")
	}
	eventually(t, "another token", func() bool { return mustToken(t, source) != first })
	if n := s.tokenRequests(); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestClientCredentialsSourceWaitsForTheFirstAndTheExpired(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	source := credentialsSource(t, s.client())
	first := mustToken(t, source)
	s.advance(time.Hour - 5*time.Second) // it would expire on its way
	if second := mustToken(t, source); second == first {
		t.Error("a token that is about to expire was handed out")
	}
}

func TestClientCredentialsSourceHerd(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	release := make(chan struct{})
	s.override = func(w http.ResponseWriter, answer map[string]any) { <-release; answerJSON(w, 200, answer) }
	source := credentialsSource(t, s.client())

	gone, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { // the first one's leaving fails nobody else
		if _, _, err := source.Token(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled caller: %v", err)
		}
	})
	eventually(t, "the request", func() bool { return s.tokenRequests() == 1 })
	var good atomic.Int32
	for range 50 {
		wg.Go(func() {
			if _, _, err := source.Token(t.Context()); err == nil {
				good.Add(1)
			}
		})
	}
	cancel()
	close(release)
	wg.Wait()
	if good.Load() != 50 || s.tokenRequests() != 1 {
		t.Errorf("%d of 50 callers have a token, %d requests", good.Load(), s.tokenRequests())
	}
}

// TestClientCredentialsSourceOutage holds that an outage is not made worse: one
// request in 5 seconds, and recovery after it.
func TestClientCredentialsSourceOutage(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	source := credentialsSource(t, s.client())
	s.override = func(w http.ResponseWriter, _ map[string]any) { w.WriteHeader(http.StatusServiceUnavailable) }
	for range 20 {
		if _, _, err := source.Token(t.Context()); !errors.Is(err, sso.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if n := s.tokenRequests(); n != 1 {
		t.Errorf("%d requests", n)
	}
	s.override = nil
	s.advance(4 * time.Second)
	if _, _, err := source.Token(t.Context()); !errors.Is(err, sso.ErrUnavailable) {
		t.Errorf("asked again too early: %v", err)
	}
	s.advance(2 * time.Second)
	mustToken(t, source)
}

func TestClientCredentialsSourceForgets(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	source := credentialsSource(t, s.client())
	first := mustToken(t, source)
	source.Forget("another token")
	if mustToken(t, source) != first {
		t.Error("it forgot the wrong token")
	}
	source.Forget(first)
	if mustToken(t, source) == first {
		t.Error("it did not forget")
	}
}

func TestClientCredentialsSourceRefuses(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	if _, err := s.client(func(cfg *sso.ClientConfig) { cfg.ClientSecret = "" }).ClientCredentialsSource(); !errors.Is(err, sso.ErrConfig) {
		t.Errorf("public client: %v", err)
	}
	if _, err := s.client().ClientCredentialsSource("a b"); !errors.Is(err, sso.ErrConfig) {
		t.Errorf("scope: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := credentialsSource(t, s.client()).Token(ended); !errors.Is(err, context.Canceled) || s.tokenRequests() != 0 {
		t.Errorf("ended context: %v", err)
	}
}
