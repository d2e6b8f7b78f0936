package sso_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// renewed returns the forge's token, issued now.
func renewed(f *forge) string {
	f.payload.set("iat", unix(time.Now()))
	f.payload.set("exp", unix(time.Now().Add(24*time.Hour)))
	return f.token()
}

func wantAccess(t *testing.T, v *sso.Verifier, token string, target error) {
	t.Helper()
	tok, err := v.VerifyAccess(t.Context(), token)
	if !errors.Is(err, target) || (err == nil) != (tok.Subject != "") {
		t.Errorf("error is %v; want %v", err, target)
	}
}

// down answers as a key server that is out of order.
func down(*http.Request) (*http.Response, error) { return respond(503, ""), nil }

// TestRemovedKeyStops: within KeysRefresh, whether its tokens come all the
// time, never before, or were verified a moment ago.
func TestRemovedKeyStops(t *testing.T) {
	t.Parallel()
	for _, used := range []bool{false, true} {
		t.Run(fmt.Sprintf("used=%t", used), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := serve(poolKeys())
				v, access, id := newVerifier(t, s, func(c *sso.Config) { c.KeysRefresh = 10 * time.Minute })
				defer v.Close()
				token := renewed(access)
				wantAccess(t, v, token, nil)
				s.set(func(*http.Request) (*http.Response, error) { return respond(200, jwks(jwk(idKeyID, idKey()))), nil })
				for range 10 {
					time.Sleep(time.Minute)
					if used && s.fetches.Load() == 1 {
						began := time.Now()
						wantAccess(t, v, token, nil)
						if time.Since(began) != 0 {
							t.Error("a token waited")
						}
					}
				}
				wantFetches(t, s, 2)
				wantAccess(t, v, token, sso.ErrUnknownKey)
				_, err := v.VerifyID(t.Context(), renewed(id))
				wantError(t, err, nil)
			})
		})
	}
}

// TestKeyReplacedUnderItsID: Cognito never does this, but emulators and
// restored pools do.
func TestKeyReplacedUnderItsID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(poolKeys())
		v, access, _ := newVerifier(t, s)
		defer v.Close()
		old := renewed(access)
		wantAccess(t, v, old, nil)
		s.set(func(*http.Request) (*http.Response, error) {
			return respond(200, jwks(jwk(accessKeyID, attackerKey()))), nil
		})
		replaced := *access
		replaced.key = attackerKey()
		wantAccess(t, v, renewed(&replaced), sso.ErrSignature)
		time.Sleep(time.Hour)
		wantAccess(t, v, renewed(&replaced), nil)
		wantAccess(t, v, old, sso.ErrSignature)
	})
}

func TestStaleIfErrorOfTokens(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name        string
		stale, want time.Duration
	}{{"default", 0, 24 * time.Hour}, {"two hours", 2 * time.Hour, 2 * time.Hour}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := serve(poolKeys())
				v, access, _ := newVerifier(t, s, func(c *sso.Config) { c.StaleIfError = row.stale })
				defer v.Close()
				wantAccess(t, v, renewed(access), nil)
				began := time.Now()
				s.set(down)
				time.Sleep(row.want - time.Second)
				token := renewed(access)
				wantAccess(t, v, token, nil)
				wantAccess(t, v, token, nil)
				time.Sleep(time.Second)
				for range 3 {
					wantAccess(t, v, token, sso.ErrKeysUnavailable) // though it is remembered
					wantAccess(t, v, renewed(access), sso.ErrKeysUnavailable)
				}
				if d := time.Since(began); d != row.want {
					t.Errorf("waited until %v", d)
				}
				s.set(serve(poolKeys()).answer)
				time.Sleep(10 * time.Second)
				wantAccess(t, v, token, nil)
			})
		})
	}
}

// TestVerifiersShareNoFate: two pools, and the two issuers of one.
func TestVerifiersShareNoFate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve("")
		s.set(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "hangs.example" {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return respond(200, poolKeys()), nil
		})
		client := &http.Client{Transport: s}
		one, access, _ := newVerifier(t, s, func(c *sso.Config) {
			c.HTTPClient, c.Issuers = client, []string{"https://hangs.example/pool"}
		})
		defer one.Close()
		two, _, _ := newVerifier(t, s, func(c *sso.Config) { c.HTTPClient, c.JWKSURL = client, "https://hangs.example/keys" })
		defer two.Close()
		token := renewed(access)
		elsewhere := *access
		elsewhere.payload = append(object(nil), access.payload...)
		elsewhere.payload.set("iss", `"https://hangs.example/pool"`)
		other := elsewhere.token()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { wantAccess(t, one, other, sso.ErrKeysUnavailable) })
			wg.Go(func() { wantAccess(t, two, token, sso.ErrKeysUnavailable) })
		}
		synctest.Wait()
		began := time.Now()
		wantAccess(t, one, token, nil)
		if time.Since(began) != 0 {
			t.Error("an issuer waited for another")
		}
		wg.Wait()
		two.Close()
		wantAccess(t, one, token, nil)
	})
}

func TestClosedVerifier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(poolKeys())
		v, access, _ := newVerifier(t, s)
		token := renewed(access)
		wantAccess(t, v, token, nil)
		s.set(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })
		unknown := *access
		unknown.header = object{{"kid", `"unknown"`}, {"alg", `"RS256"`}}
		bad := renewed(&unknown)
		var wg sync.WaitGroup
		wg.Go(func() { wantAccess(t, v, bad, sso.ErrKeysUnavailable) })
		synctest.Wait()
		began := time.Now()
		v.Close()
		wg.Wait()
		v.Close()
		if time.Since(began) != 0 {
			t.Error("Close waited for a server that hangs")
		}
		n := s.fetches.Load()
		wantAccess(t, v, token, nil)
		wantAccess(t, v, bad, sso.ErrKeysUnavailable)
		wantError(t, v.Preload(t.Context()), sso.ErrKeysUnavailable)
		time.Sleep(23 * time.Hour)
		wantAccess(t, v, renewed(access), nil)
		time.Sleep(time.Hour)
		wantAccess(t, v, renewed(access), sso.ErrKeysUnavailable)
		wantFetches(t, s, n)
	})
}

func TestKeysFromBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve("")
		document := []byte(poolKeys())
		v, access, id := newVerifier(t, s, func(c *sso.Config) { c.JWKS = document })
		clear(document) // it was copied
		wantError(t, v.Preload(t.Context()), nil)
		unknown := *access
		unknown.header = object{{"kid", `"unknown"`}, {"alg", `"RS256"`}}
		for range 2 {
			for range 3 {
				wantAccess(t, v, renewed(access), nil)
				_, err := v.VerifyID(t.Context(), renewed(id))
				wantError(t, err, nil)
				wantAccess(t, v, renewed(&unknown), sso.ErrUnknownKey)
				time.Sleep(1000 * time.Hour)
			}
			v.Close() // changes nothing
		}
		updated := *access
		updated.payload = append(object(nil), access.payload...)
		updated.payload.set("iss", quote(updatedIss))
		wantAccess(t, v, renewed(&updated), nil)
		wantFetches(t, s, 0)
	})
}

// keysObserver keeps what it is told of keys.
type keysObserver struct {
	mu     sync.Mutex
	events []sso.KeysEvent
}

func (*keysObserver) Verified(context.Context, sso.VerifyEvent) {}

func (o *keysObserver) KeysFetched(e sso.KeysEvent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

func (o *keysObserver) take() []sso.KeysEvent {
	o.mu.Lock()
	defer o.mu.Unlock()
	events := o.events
	o.events = nil
	return events
}

func TestObserverOfKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := new(keysObserver)
		s := serve("")
		s.set(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			if r.URL.Host == "issuer-cognito-idp.ap-northeast-2.amazonaws.com" {
				return respond(403, ""), nil
			}
			return respond(200, poolKeys()), nil
		})
		v, _, _ := newVerifier(t, s, func(c *sso.Config) { c.Observer = o })
		defer v.Close()
		check := func(want ...sso.KeysEvent) {
			t.Helper()
			synctest.Wait()
			got := map[string]sso.KeysEvent{}
			for _, e := range o.take() {
				got[e.Issuer] = e
			}
			for _, e := range want {
				if got[e.Issuer] != e {
					t.Errorf("told %+v; want %+v", got[e.Issuer], e)
				}
			}
		}
		wantError(t, v.Preload(t.Context()), nil)
		check(sso.KeysEvent{Issuer: originalIss, Reason: sso.KeysOK, Duration: time.Second, Keys: 2, Age: time.Second},
			sso.KeysEvent{Issuer: updatedIss, Reason: sso.KeysNotSwitched, Duration: time.Second})
		for reason, answer := range map[sso.KeysReason]func(r *http.Request) (*http.Response, error){
			sso.KeysStatus:      down,
			sso.KeysUnreachable: func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") },
			sso.KeysTimeout:     func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() },
			sso.KeysTooLarge:    func(*http.Request) (*http.Response, error) { return respond(200, fmt.Sprintf("%2000000d", 1)), nil },
			sso.KeysUnusable:    func(*http.Request) (*http.Response, error) { return respond(200, "<html>"), nil },
		} {
			s.set(answer)
			began := time.Now()
			_ = v.Preload(t.Context())
			synctest.Wait()
			told := 0
			for _, e := range o.take() {
				if e.Issuer == originalIss {
					told++
					if e.Reason != reason || !e.Stale || e.Keys != 2 || e.Age < time.Since(began) {
						t.Errorf("%s: told %+v", reason, e)
					}
				} else if e.Reason != reason || e.Stale || e.Keys != 0 || e.Age != 0 {
					t.Errorf("%s: told %+v", reason, e)
				}
			}
			if told != 1 {
				t.Errorf("%s: told %d times", reason, told)
			}
		}
		s.set(down)
		time.Sleep(24 * time.Hour)
		o.take()
		_ = v.Preload(t.Context())
		check(sso.KeysEvent{Issuer: originalIss, Reason: sso.KeysStatus}) // no keys: nothing is stale

		shared, _, _ := newVerifier(t, serve(poolKeys()), func(c *sso.Config) {
			c.Observer, c.JWKSURL = o, "https://keys.example/x?secret"
		})
		defer shared.Close()
		wantError(t, shared.Preload(t.Context()), nil)
		check(sso.KeysEvent{Issuer: "https://keys.example/x", Reason: sso.KeysOK, Keys: 2})
	})
}

// TestRefreshWithoutKeys: an outage of the key server does not burn a refresh
// token that the pool rotates.
func TestRefreshWithoutKeys(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	s.rotate = true
	c := s.client()
	flow, callback := s.start(c)
	first, err := c.Exchange(t.Context(), flow, callback)
	if err != nil {
		t.Fatal(err)
	}

	// The app starts again while the key server is down.
	var outage atomic.Bool
	outage.Store(true)
	keys := new(keyServer)
	keys.set(func(r *http.Request) (*http.Response, error) {
		if outage.Load() {
			return respond(503, ""), nil
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	v, err := sso.NewVerifier(sso.Config{
		UserPoolID: testPoolID, ClientIDs: []string{testClientID}, Issuers: []string{s.issuer()}, JWKSURL: s.URL + "/jwks.json",
		InsecureAllowHTTP: true, Now: s.clock, HTTPClient: &http.Client{Transport: keys},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	c = s.client(func(cfg *sso.ClientConfig) { cfg.Verifier = v })
	before := s.tokenRequests()
	for range 10 {
		_, err = c.Refresh(t.Context(), first.Refresh, testSubject)
		wantError(t, err, sso.ErrKeysUnavailable)
	}
	wantFetches(t, keys, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Refresh(ctx, first.Refresh, testSubject)
	wantError(t, err, context.Canceled)
	if n := s.tokenRequests() - before; n != 0 {
		t.Errorf("the refresh token was redeemed %d times", n)
	}

	outage.Store(false)
	s.advance(10 * time.Second)
	second, err := c.Refresh(t.Context(), first.Refresh, testSubject)
	if err != nil {
		t.Fatal(err)
	}
	outage.Store(true) // known keys will do
	s.advance(time.Minute)
	if _, err := c.Refresh(t.Context(), second.Refresh, testSubject); err != nil {
		t.Error(err)
	}
}
