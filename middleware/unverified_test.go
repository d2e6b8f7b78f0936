package middleware_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// TestNewKeyDuringOutage: the pool signs with a new key while the key server is
// down. What a refresh bought then cannot be verified, and what it was bought
// with is spent; the session goes on all the same, even if the store was down
// at that moment, or another process is next.
func TestNewKeyDuringOutage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name                    string
		storeDown, otherProcess bool
		longer                  bool // the store is down for longer than the key server
	}{
		{name: "one process"},
		{name: "another process is next", otherProcess: true},
		{name: "the store takes nothing", storeDown: true},
		{name: "the store takes nothing for longer", storeDown: true, longer: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rotate)
			// A store that takes nothing is not told of a session's use either.
			a := w.newApp(appBase, func(c *middleware.LoginConfig) {
				c.IdleTimeout = 12 * time.Hour
				c.Sessions = lockingStore{c.Sessions}
			})
			b := w.newBrowser()
			b.signIn(a)
			before := w.wire.count("/oauth2/token")
			w.pool.RotateKeys()
			w.pool.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSDown })
			var down atomic.Bool
			down.Store(row.storeDown)
			a.store.setHook(func(call string) error {
				if call == "update" && down.Load() {
					return errStoreDown
				}
				return nil
			})
			w.pool.Advance(59*time.Minute + 30*time.Second)
			for range 3 {
				if !b.signedIn(a) {
					t.Fatal("signed out while the old token was good")
				}
			}
			if n := w.wire.count("/oauth2/token") - before; n != 1 {
				t.Errorf("%d refreshes", n)
			}
			down.Store(row.longer)
			w.pool.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSOK })
			w.pool.Advance(20 * time.Second) // past the key server's cooldown
			next := a
			if row.otherProcess {
				next = w.newApp(appBase, a.sameSessions, func(c *middleware.LoginConfig) { c.IdleTimeout = 12 * time.Hour })
			}
			if !b.signedIn(next) {
				t.Fatal("signed out after the outage")
			}
			down.Store(false)
			w.pool.Advance(30 * time.Minute) // the first tokens are past
			if p := b.send(http.MethodGet, next.base+"/scope", script, nil); p.status != 200 {
				t.Errorf("later: %d %s", p.status, p.body)
			}
			if n := w.wire.count("/oauth2/token") - before; n != 2 {
				t.Errorf("%d refreshes, want one that is lost and one that is not", n)
			}
		})
	}
}

// lockingStore is a store with a lock that is always free.
type lockingStore struct{ middleware.SessionStore }

func (lockingStore) Lock(context.Context, string, string, time.Duration) error { return nil }
func (lockingStore) Unlock(context.Context, string, string) error              { return nil }

// TestRefusedSignInLeavesNoRefreshToken: tokens that are refused at the callback
// are of no use to anybody, and their refresh token would live for a month.
func TestRefusedSignInLeavesNoRefreshToken(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*ssotest.Faults){
		"forged keys":   func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSWrong },
		"a wrong clock": func(f *ssotest.Faults) { f.ClockSkew = -3 * time.Hour },
	} {
		w := newWorld(t)
		a := w.newApp(appBase)
		b := w.newBrowser()
		callback := b.callback(a, "/")
		w.pool.SetFaults(fault)
		if p := b.send(http.MethodGet, callback, navigation, nil); p.status != 400 {
			t.Errorf("%s: %d", name, p.status)
		}
		if w.wire.count("/oauth2/revoke") != 1 {
			t.Errorf("%s: the refresh token was not revoked", name)
		}
	}
}

// TestCodeIsKeptDuringKeyOutage: a code is good once.
func TestCodeIsKeptDuringKeyOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	callback := b.callback(a, "/")
	w.pool.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSDown })
	if p := b.send(http.MethodGet, callback, navigation, nil); p.status != 503 || w.wire.count("/oauth2/token") != 0 {
		t.Errorf("%d after %d token requests", p.status, w.wire.count("/oauth2/token"))
	}
}
