package sso_test

import (
	"context"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// watch is an Observer that counts what was remembered.
type watch struct {
	looks, hits atomic.Int64
	last        atomic.Pointer[sso.VerifyEvent]
}

func (w *watch) Verified(_ context.Context, e sso.VerifyEvent) {
	w.looks.Add(1)
	if e.Remembered {
		w.hits.Add(1)
	}
	w.last.Store(&e)
}

func (*watch) KeysFetched(sso.KeysEvent) {}

// wantHits checks how many verifications so far were answered from memory.
func (w *watch) wantHits(t *testing.T, n int64) {
	t.Helper()
	if got := w.hits.Load(); got != n {
		t.Errorf("%d of %d were remembered; want %d", got, w.looks.Load(), n)
	}
}

func TestRememberedIsTheSame(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*forge{"access": goodAccess(), "ID": goodID(), "machine": goodMachine()} {
		w := new(watch)
		v := verifier(func(c *sso.Config) { c.Observer = w })
		first, err := v.Verify(t.Context(), f.token())
		wantError(t, err, nil)
		w.wantHits(t, 0)
		second, err := v.Verify(t.Context(), f.token())
		wantError(t, err, nil)
		w.wantHits(t, 1)
		if !reflect.DeepEqual(first, second) {
			t.Errorf("%s: %+v, then %+v", name, first, second)
		}
		if e := w.last.Load(); e.Use != first.Use || e.Reason != "ok" {
			t.Errorf("%s: event %+v", name, e)
		}
	}
}

// TestRememberedUse holds that a hit is no way round the use asked for, and
// that asking for the wrong one forgets nothing.
func TestRememberedUse(t *testing.T) {
	t.Parallel()
	w := new(watch)
	v := verifier(func(c *sso.Config) { c.Observer = w })
	access, id := goodAccess().token(), goodID().token()
	for _, token := range []string{access, id} {
		_, err := v.Verify(t.Context(), token)
		wantError(t, err, nil)
	}
	_, err := v.VerifyAccess(t.Context(), id)
	wantError(t, err, sso.ErrTokenUse)
	_, err = v.VerifyID(t.Context(), access)
	wantError(t, err, sso.ErrTokenUse)
	w.wantHits(t, 0)
	_, err = v.VerifyAccess(t.Context(), access)
	wantError(t, err, nil)
	_, err = v.VerifyID(t.Context(), id)
	wantError(t, err, nil)
	w.wantHits(t, 2)
}

// TestRememberedTimes moves the clock under a remembered token: it gets what a
// Verifier without a memory says at each moment.
func TestRememberedTimes(t *testing.T) {
	t.Parallel()
	for _, leeway := range []time.Duration{0, time.Minute} {
		f := goodAccess()
		f.payload.set("nbf", unix(now.Add(-30*time.Second)))
		token := f.token()
		var clock atomic.Pointer[time.Time]
		clock.Store(&now)
		w := new(watch)
		setUp := func(c *sso.Config) { c.Leeway = leeway; c.Now = func() time.Time { return *clock.Load() } }
		v := verifier(setUp, func(c *sso.Config) { c.Observer = w })
		plain := verifier(setUp, func(c *sso.Config) { c.TokenMemory = -1 })
		for _, row := range []struct {
			after time.Duration // from now
			want  error
		}{
			{time.Hour + leeway - time.Nanosecond, nil},
			{time.Hour + leeway, sso.ErrExpired},
			{24 * time.Hour, sso.ErrExpired},
			{-30*time.Second - leeway, nil},
			{-30*time.Second - leeway - time.Nanosecond, sso.ErrNotYetValid},
			{-time.Hour, sso.ErrNotYetValid},
		} {
			clock.Store(&now)
			_, err := v.VerifyAccess(t.Context(), token) // so that it is there
			wantError(t, err, nil)
			at, hits := now.Add(row.after), w.hits.Load()
			clock.Store(&at)
			_, err = v.VerifyAccess(t.Context(), token)
			wantError(t, err, row.want)
			if hit := w.hits.Load() > hits; hit != (row.want == nil) {
				t.Errorf("after %v: remembered is %v", row.after, hit)
			}
			_, err = plain.VerifyAccess(t.Context(), token)
			wantError(t, err, row.want)
		}
	}
}

// TestRememberedKeys holds that a token is forgotten with its key: another key
// under the same id, no key of that id, and keys that are too old.
func TestRememberedKeys(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		keys string
		want error
	}{
		"the same":  {poolKeys(), nil},
		"replaced":  {jwks(jwk(accessKeyID, attackerKey())), sso.ErrSignature},
		"removed":   {jwks(jwk(idKeyID, idKey())), sso.ErrUnknownKey},
		"one added": {jwks(jwk(accessKeyID, accessKey()), jwk("new", attackerKey())), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := serve(poolKeys()), new(watch)
			v := verifier(func(c *sso.Config) { c.HTTPClient.Transport = s; c.Observer = w })
			defer v.Close()
			token := goodAccess().token()
			for range 3 {
				_, err := v.VerifyAccess(t.Context(), token)
				wantError(t, err, nil)
			}
			w.wantHits(t, 2)
			s.set(func(*http.Request) (*http.Response, error) { return respond(200, row.keys), nil })
			wantError(t, v.Preload(t.Context()), nil)
			for range 2 {
				_, err := v.VerifyAccess(t.Context(), token)
				wantError(t, err, row.want)
			}
			switch {
			case row.want != nil:
				w.wantHits(t, 2)
			case name == "the same":
				w.wantHits(t, 4)
			default: // verified anew, once
				w.wantHits(t, 3)
			}
		})
	}
}

// TestRememberedOutage holds that remembered tokens end with their keys: an
// outage is not slept through.
func TestRememberedOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(poolKeys())
		v, f, _ := newVerifier(t, s)
		defer v.Close()
		_, err := v.VerifyAccess(t.Context(), f.token())
		wantError(t, err, nil)
		s.set(func(*http.Request) (*http.Response, error) { return respond(503, ""), nil })
		time.Sleep(23 * time.Hour)
		f.payload.set("iat", unix(time.Now()))
		f.payload.set("exp", unix(time.Now().Add(5*time.Hour)))
		token := f.token()
		for range 2 {
			_, err = v.VerifyAccess(t.Context(), token)
			wantError(t, err, nil)
		}
		time.Sleep(2 * time.Hour)
		_, err = v.VerifyAccess(t.Context(), token)
		wantError(t, err, sso.ErrKeysUnavailable)
	})
}

// TestOnlyVerifiedTokensAreRemembered floods a small memory with tokens that
// are bad in each way anybody can make them, and with those of a good one's
// signature.
func TestOnlyVerifiedTokensAreRemembered(t *testing.T) {
	t.Parallel()
	w := new(watch)
	v := verifier(func(c *sso.Config) { c.TokenMemory = 1; c.Observer = w })
	good := goodAccess().token()
	_, err := v.VerifyAccess(t.Context(), good)
	wantError(t, err, nil)
	_, _, signature := split(good)
	bad := goodAccess()
	bad.key = attackerKey()
	for i := range 40 {
		bad.payload.set("jti", quote(string(rune('a'+i))))
		_, err := v.VerifyAccess(t.Context(), bad.token())
		wantError(t, err, sso.ErrSignature)
		_, err = v.VerifyAccess(t.Context(), bad.signingInput()+"."+signature)
		wantError(t, err, sso.ErrSignature)
	}
	w.wantHits(t, 0)
	_, err = v.VerifyAccess(t.Context(), good)
	wantError(t, err, nil)
	w.wantHits(t, 1)
}

func TestTokenMemoryOff(t *testing.T) {
	t.Parallel()
	w := new(watch)
	v := verifier(func(c *sso.Config) { c.TokenMemory = -1; c.Observer = w })
	token := goodAccess().token()
	for range 3 {
		_, err := v.VerifyAccess(t.Context(), token)
		wantError(t, err, nil)
	}
	w.wantHits(t, 0)
}

// TestRememberedCannotBeAltered holds that what a caller does with a Token, or
// with the memory that the raw token stood in, is seen by nobody else.
func TestRememberedCannotBeAltered(t *testing.T) {
	t.Parallel()
	v := verifier()
	token := goodID().token()
	want, err := v.VerifyID(t.Context(), token)
	wantError(t, err, nil)
	for range 3 {
		tok, err := v.VerifyID(t.Context(), token)
		wantError(t, err, nil)
		if !reflect.DeepEqual(tok, want) || !tok.HasGroup("staff") || tok.Identities()[0].UserID != "canary-1" {
			t.Fatalf("altered: %+v", tok)
		}
		tok.Groups()[0], tok.Identities()[0].UserID = "evil", "evil"
		tok.Subject, tok.UserID, tok.Use = "evil", "1", sso.UseAccess
		_ = append(tok.Groups()[:0], "evil")
	}
}

// TestRememberedUnderRotation verifies from many goroutines while keys come
// and go: with the race detector, and for outcomes that cannot be.
func TestRememberedUnderRotation(t *testing.T) {
	t.Parallel()
	s := serve(poolKeys())
	v := verifier(func(c *sso.Config) { c.HTTPClient.Transport = s; c.TokenMemory = 8 })
	defer v.Close()
	wantError(t, v.Preload(t.Context()), nil)
	var tokens []string
	for i := range 16 {
		f := goodAccess()
		f.payload.set("jti", quote(string(rune('a'+i))))
		tokens = append(tokens, f.token())
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 300 {
				n := i % len(tokens)
				tok, err := v.VerifyAccess(t.Context(), tokens[n])
				switch {
				case err == nil && tok.ID != string(rune('a'+n)):
					t.Errorf("token %d has jti %q", n, tok.ID)
				case err != nil && sso.ReasonOf(err) != "unknown_key":
					t.Errorf("token %d: %v", n, err)
				}
			}
		})
	}
	for i := range 30 {
		keys := poolKeys()
		if i%2 == 0 {
			keys = jwks(jwk(idKeyID, idKey()))
		}
		s.set(func(*http.Request) (*http.Response, error) { return respond(200, keys), nil })
		wantError(t, v.Preload(t.Context()), nil)
	}
	wg.Wait()
	// The last set has the key.
	for _, token := range tokens {
		_, err := v.VerifyAccess(t.Context(), token)
		wantError(t, err, nil)
	}
}

// TestAllocations holds how much is allocated, which no load of the machine
// changes. Of the uncached 22 crypto/rsa takes 9 or 10 alone.
//
//nolint:paralleltest // AllocsPerRun counts what every goroutine allocates
func TestAllocations(t *testing.T) {
	for _, use := range []sso.TokenUse{sso.UseAccess, sso.UseID} {
		tokens := benchTokens(use, 32)
		v, small := benchVerifier(t), benchVerifier(t, forgetful)
		if n := allocsOf(tokens, func(i int) { mustVerify(t, small, use, tokens[i%len(tokens)]) }); n > 22 {
			t.Errorf("%s uncached: %v allocations", use, n)
		}
		for _, token := range tokens {
			mustVerify(t, v, use, token)
		}
		if n := allocsOf(tokens, func(i int) { mustVerify(t, v, use, tokens[i%len(tokens)]) }); n != 0 {
			t.Errorf("%s repeated: %v allocations", use, n)
		}
	}
	tokens := benchTokens(sso.UseAccess, 8)
	_, protected := bearerHandlers(t, tokens)
	if n := allocsOf(tokens, requests(t, tokens, protected)); n > 2 {
		t.Errorf("bearer: %v allocations", n)
	}
}
