package sso_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// fadingKeys answers a verifier with keys of which one can be held back, as
// while the pool brings in a new one, or not at all.
type fadingKeys struct {
	hold atomic.Pointer[string] // a kid
	down atomic.Bool
}

func (k *fadingKeys) RoundTrip(*http.Request) (*http.Response, error) {
	if k.down.Load() {
		return answerWith(http.StatusServiceUnavailable, "text/plain", ""), nil
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	for kid, key := range testKeys() {
		if held := k.hold.Load(); held != nil && *held == kid {
			continue
		}
		set.Keys = append(set.Keys, map[string]string{
			"kid": kid, "alg": "RS256", "kty": "RSA", "use": "sig",
			"e": rawURL(big.NewInt(int64(key.E)).Bytes()), "n": rawURL(key.N.Bytes()),
		})
	}
	body, err := json.Marshal(set)
	return answerWith(http.StatusOK, "application/json", string(body)), err
}

// clientWithKeys is s.client, with a verifier that asks k.
func (s *authServer) clientWithKeys(k *fadingKeys) *sso.Client {
	s.t.Helper()
	v, err := sso.NewVerifier(sso.Config{
		UserPoolID: testPoolID, ClientIDs: []string{testClientID}, Issuers: []string{s.issuer()},
		JWKSURL: s.URL + "/jwks.json", InsecureAllowHTTP: true, Now: s.clock, HTTPClient: &http.Client{Transport: k},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(v.Close)
	return s.client(func(cfg *sso.ClientConfig) { cfg.Verifier = v })
}

// TestExchangeWithoutKeys: a code is good once, so it is not spent while no
// answer could be verified, and is good afterwards.
func TestExchangeWithoutKeys(t *testing.T) {
	t.Parallel()
	s, k := newAuthServer(t), new(fadingKeys)
	c := s.clientWithKeys(k)
	flow, callback := s.start(c)
	k.down.Store(true)
	_, err := c.Exchange(t.Context(), flow, callback)
	var spent *sso.UnverifiedError
	if !errors.Is(err, sso.ErrKeysUnavailable) || errors.As(err, &spent) || s.tokenRequests() != 0 {
		t.Fatalf("error = %v, %d token requests", err, s.tokenRequests())
	}
	// What needs no keys is still said.
	wrong, _ := s.start(c)
	if _, err := c.Exchange(t.Context(), wrong, callback); !errors.Is(err, sso.ErrState) {
		t.Errorf("another flow: %v", err)
	}
	k.down.Store(false)
	s.advance(time.Minute) // past the cooldown
	if _, err := c.Exchange(t.Context(), flow, callback); err != nil {
		t.Errorf("with keys again: %v", err)
	}
}

// TestNewKeyDuringOutage: tokens of a key that came into use while the key
// server is down cannot be verified. What they were bought with is spent, so
// the error hands over the refresh token that is good.
func TestNewKeyDuringOutage(t *testing.T) {
	t.Parallel()
	for _, held := range []string{"id-key=", "access-key="} {
		for _, outage := range []bool{true, false} { // false: the key is not published yet
			t.Run(fmt.Sprintf("%s down=%t", held, outage), func(t *testing.T) {
				t.Parallel()
				s, k := newAuthServer(t), new(fadingKeys)
				s.rotate = true
				want := sso.ErrUnknownKey
				if outage {
					want = sso.ErrKeysUnavailable
				}
				// A client whose verifier knows the other key alone.
				k.hold.Store(&held)
				c := s.clientWithKeys(k)
				if err := c.Verifier().Preload(t.Context()); err != nil {
					t.Fatal(err)
				}
				k.down.Store(outage)

				flow, callback := s.start(c)
				_, err := c.Exchange(t.Context(), flow, callback)
				left := wantUnverified(t, s, err, want)
				if err := c.Revoke(t.Context(), left); err != nil || s.alive(left) {
					t.Errorf("the refresh token of the sign-in cannot be revoked: %v", err)
				}

				helper := s.client()
				flow, callback = s.start(helper)
				first, err := helper.Exchange(t.Context(), flow, callback)
				if err != nil {
					t.Fatal(err)
				}
				_, err = c.Refresh(t.Context(), first.Refresh, testSubject)
				kept := wantUnverified(t, s, err, want)
				if s.alive(first.Refresh) || kept == first.Refresh {
					t.Fatal("the pool did not rotate")
				}

				k.hold.Store(nil)
				k.down.Store(false)
				s.advance(time.Minute)
				set, err := c.Refresh(t.Context(), kept, testSubject)
				if err != nil || set.ID.Subject != testSubject {
					t.Errorf("the refresh token that was handed over: %v", err)
				}
			})
		}
	}
}

func (s *authServer) alive(refresh sso.Secret) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.refreshTokens[refresh.Reveal()]
	return ok
}

// wantUnverified returns the refresh token of an UnverifiedError that is want.
func wantUnverified(t *testing.T, s *authServer, err error, want error) sso.Secret {
	t.Helper()
	var e *sso.UnverifiedError
	if !errors.As(err, &e) || !errors.Is(err, want) || sso.ReasonOf(err) != sso.ReasonOf(want) {
		t.Fatalf("error = %v, want an UnverifiedError that is %v", err, want)
	}
	if !s.alive(e.Refresh) {
		t.Error("its refresh token is none of the pool's")
	}
	s.checkClean(err)
	if shown := fmt.Sprintf("%+v %#v", *e, *e); strings.Contains(shown, e.Refresh.Reveal()) {
		t.Errorf("shows the refresh token: %s", shown)
	}
	return e.Refresh
}

// TestRefusedAnswerHandsOverItsRefreshToken: whatever is wrong with an answer,
// its refresh token is not left behind.
func TestRefusedAnswerHandsOverItsRefreshToken(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		prepare func(s *authServer)
		want    error
	}{
		{"another nonce", func(s *authServer) { s.idClaims = claimSet{"nonce": "another"} }, sso.ErrNonce},
		{"tokens of two people", func(s *authServer) { s.idClaims = claimSet{"sub": "another"} }, sso.ErrTokenMismatch},
		{"another client's", func(s *authServer) { s.accessClaims = claimSet{"client_id": otherClient} }, sso.ErrClient},
		{"from the future", func(s *authServer) { s.idClaims = claimSet{"iat": s.now.Add(time.Hour).Unix()} }, sso.ErrNotYetValid},
		{"without an ID token", func(s *authServer) { s.answer = func(a map[string]any) { delete(a, "id_token") } }, sso.ErrUnavailable},
		{"of another type", func(s *authServer) { s.answer = func(a map[string]any) { a["token_type"] = "mac" } }, sso.ErrUnavailable},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newAuthServer(t)
			row.prepare(s)
			c := s.client()
			flow, callback := s.start(c)
			_, err := c.Exchange(t.Context(), flow, callback)
			wantUnverified(t, s, err, row.want)
		})
	}
}
