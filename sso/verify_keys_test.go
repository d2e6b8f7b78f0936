package sso_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// newVerifier makes a Verifier whose keys s serves, on the clock of its
// bubble, and a token that is good by that clock.
func newVerifier(t *testing.T, s *keyServer, change ...func(*sso.Config)) (v *sso.Verifier, access, id *forge) {
	t.Helper()
	cfg := config(s)
	cfg.Now = nil
	for _, f := range change {
		f(&cfg)
	}
	v, err := sso.NewVerifier(cfg)
	if err != nil {
		t.Fatal(err)
	}
	access, id = goodAccess(), goodID()
	for _, f := range []*forge{access, id} {
		f.payload.set("iat", unix(time.Now()))
		f.payload.set("exp", unix(time.Now().Add(time.Hour)))
	}
	return v, access, id
}

func wantError(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error is %v; want %v", err, target)
	}
}

func wantFetches(t *testing.T, s *keyServer, n int64) {
	t.Helper()
	if got := s.fetches.Load(); got != n {
		t.Errorf("%d fetches; want %d", got, n)
	}
}

func TestColdHerdOfTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve("")
		s.set(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return respond(200, poolKeys()), nil
		})
		v, access, id := newVerifier(t, s)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { _, err := v.VerifyAccess(t.Context(), access.token()); wantError(t, err, nil) })
			wg.Go(func() { _, err := v.VerifyID(t.Context(), id.token()); wantError(t, err, nil) })
		}
		wg.Wait()
		wantFetches(t, s, 1)
	})
}

func TestFloodOfTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(poolKeys())
		v, access, _ := newVerifier(t, s)
		good := access.token()
		_, err := v.VerifyAccess(t.Context(), good)
		wantError(t, err, nil)
		bad := *access
		bad.key = attackerKey()
		for i := range 300 {
			bad.header = object{{"kid", quote(fmt.Sprint("k", i))}, {"alg", `"RS256"`}}
			_, err := v.VerifyAccess(t.Context(), bad.token())
			wantError(t, err, sso.ErrUnknownKey)
		}
		wantFetches(t, s, 2)
		bad.header = access.header
		for range 50 {
			_, err := v.VerifyAccess(t.Context(), bad.token())
			wantError(t, err, sso.ErrSignature)
		}
		wantFetches(t, s, 2)
		time.Sleep(time.Minute)
		_, err = v.VerifyAccess(t.Context(), good)
		wantError(t, err, nil)
		wantFetches(t, s, 2)
	})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"down": func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		},
		"503":   func(*http.Request) (*http.Response, error) { return respond(503, ""), nil },
		"empty": func(*http.Request) (*http.Response, error) { return respond(200, `{"keys":[]}`), nil },
		"HTML":  func(*http.Request) (*http.Response, error) { return respond(200, "<html>"), nil },
		"hang":  func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() },
		"oversize": func(*http.Request) (*http.Response, error) {
			return respond(200, poolKeys()+strings.Repeat(" ", 1<<20)), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := serve(poolKeys())
				v, access, id := newVerifier(t, s)
				_, err := v.VerifyAccess(t.Context(), access.token())
				wantError(t, err, nil)
				s.set(answer)

				unknown := *access
				unknown.header = object{{"kid", `"unknown"`}, {"alg", `"RS256"`}}
				_, err = v.VerifyAccess(t.Context(), unknown.token())
				wantError(t, err, sso.ErrKeysUnavailable)
				if errors.Is(err, context.DeadlineExceeded) || sso.ReasonOf(err) != "keys_unavailable" {
					t.Errorf("the server's slowness looks like the caller's: %v", err)
				}
				wantError(t, v.Preload(t.Context()), sso.ErrKeysUnavailable)
				// Known keys go on, for both kinds, at once.
				began := time.Now()
				_, err = v.VerifyAccess(t.Context(), access.token())
				wantError(t, err, nil)
				_, err = v.VerifyID(t.Context(), id.token())
				wantError(t, err, nil)
				if time.Since(began) != 0 {
					t.Error("a known key waited")
				}
			})
		})
	}
}

func TestRotatedKeyWorksOnItsFirstToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(poolKeys())
		v, access, _ := newVerifier(t, s)
		_, err := v.VerifyAccess(t.Context(), access.token())
		wantError(t, err, nil)

		s.set(func(*http.Request) (*http.Response, error) { return respond(200, jwks(jwk("new", attackerKey()))), nil })
		rotated := *access
		rotated.key = attackerKey()
		rotated.header = object{{"kid", `"new"`}, {"alg", `"RS256"`}}
		_, err = v.VerifyAccess(t.Context(), rotated.token())
		wantError(t, err, nil)
		_, err = v.VerifyAccess(t.Context(), access.token())
		wantError(t, err, sso.ErrUnknownKey) // the old one is gone
	})
}

func TestFirstCallerGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve("")
		s.set(func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(3 * time.Second):
				return respond(200, poolKeys()), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		v, access, _ := newVerifier(t, s)
		first, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			tok, err := v.VerifyAccess(first, access.token())
			wantError(t, err, context.Canceled)
			if errors.Is(err, sso.ErrKeysUnavailable) || sso.ReasonOf(err) != "canceled" || tok.Subject != "" {
				t.Errorf("error is %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() { _, err := v.VerifyAccess(t.Context(), access.token()); wantError(t, err, nil) })
		wg.Go(func() {
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := v.VerifyAccess(short, access.token())
			wantError(t, err, context.DeadlineExceeded)
			if sso.ReasonOf(err) != "deadline" {
				t.Errorf("reason is %q", sso.ReasonOf(err))
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		wantFetches(t, s, 1)
	})
}

// TestKeysBelongToOneIssuer has another issuer of the same Verifier, whose
// keys are the attacker's, vouch for the pool.
func TestKeysBelongToOneIssuer(t *testing.T) {
	t.Parallel()
	s := serve("")
	s.set(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "other.example" {
			return respond(200, jwks(jwk(accessKeyID, attackerKey()), jwk("theirs", attackerKey()))), nil
		}
		return respond(200, poolKeys()), nil
	})
	cfg := config(s)
	cfg.Issuers = []string{"https://other.example/pool"}
	v, err := sso.NewVerifier(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Preload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		iss, kid string
		want     error
	}{
		{"https://other.example/pool", accessKeyID, nil},
		{"https://other.example/pool", "theirs", nil},
		{originalIss, accessKeyID, sso.ErrSignature},
		{originalIss, "theirs", sso.ErrUnknownKey},
		{updatedIss, accessKeyID, sso.ErrSignature},
	} {
		f := goodAccess()
		f.key = attackerKey()
		f.header.set("kid", quote(row.kid))
		f.payload.set("iss", quote(row.iss))
		tok, err := v.VerifyAccess(t.Context(), f.token())
		checkOutcome(t, row.want, tok, err, f.token())
	}
}

func TestWhereKeysAreFetched(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		iss  string
		edit func(*sso.Config)
		want string
	}{
		{"original", originalIss, func(*sso.Config) {}, originalIss + "/.well-known/jwks.json"},
		{"updated", updatedIss, func(*sso.Config) {}, updatedIss + "/.well-known/jwks.json"},
		{"further", "https://a.example/p", func(c *sso.Config) { c.Issuers = []string{"https://a.example/p"} }, "https://a.example/p/.well-known/jwks.json"},
		{"further with a slash", "https://a.example/p/", func(c *sso.Config) { c.Issuers = []string{"https://a.example/p/"} }, "https://a.example/p/.well-known/jwks.json"},
		{"JWKSURL", originalIss, func(c *sso.Config) { c.JWKSURL = "https://k.example/?x=1" }, "https://k.example/?x=1"},
		{"JWKSURL for a further one", "https://a.example/p", func(c *sso.Config) {
			c.JWKSURL, c.Issuers = "https://k.example/", []string{"https://a.example/p"}
		}, "https://k.example/"},
		{"http, allowed", "http://127.0.0.1:1/p", func(c *sso.Config) {
			c.Issuers, c.InsecureAllowHTTP = []string{"http://127.0.0.1:1/p"}, true
		}, "http://127.0.0.1:1/p/.well-known/jwks.json"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var got string
			s := serve("")
			s.set(func(r *http.Request) (*http.Response, error) {
				got = r.URL.String()
				return respond(200, poolKeys()), nil
			})
			v := verifier(func(c *sso.Config) { c.HTTPClient.Transport = s; row.edit(c) })
			f := goodAccess()
			f.payload.set("iss", quote(row.iss))
			if _, err := v.VerifyAccess(t.Context(), f.token()); err != nil {
				t.Fatal(err)
			}
			if got != row.want {
				t.Errorf("fetched %s; want %s", got, row.want)
			}
		})
	}
}

func TestJWKSURLIsOneKeySet(t *testing.T) {
	t.Parallel()
	s := serve(poolKeys())
	v := verifier(func(c *sso.Config) { c.HTTPClient.Transport = s; c.JWKSURL = "https://k.example/" })
	for _, iss := range []string{originalIss, updatedIss} {
		f := goodAccess()
		f.payload.set("iss", quote(iss))
		if _, err := v.VerifyAccess(t.Context(), f.token()); err != nil {
			t.Error(err)
		}
	}
	wantFetches(t, s, 1)
}

func TestPreload(t *testing.T) {
	t.Parallel()
	status := func(n int) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) { return respond(n, poolKeys()), nil }
	}
	fail := func(err error) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) { return nil, err }
	}
	noHost := fail(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}})
	empty := func(*http.Request) (*http.Response, error) { return respond(200, `{"keys":[]}`), nil }
	for _, row := range []struct {
		name              string
		original, updated func(*http.Request) (*http.Response, error)
		jwksURL           string
		want              error
	}{
		{"both answer", status(200), status(200), "", nil},
		{"the updated one answers 403", status(200), status(403), "", nil},
		{"the updated one answers 404", status(200), status(404), "", nil},
		{"the updated one has no host", status(200), noHost, "", nil},
		{"the updated one is unreachable", status(200), fail(&net.OpError{Op: "dial", Err: errors.New("refused")}), "", sso.ErrKeysUnavailable},
		{"the updated one has no keys", status(200), empty, "", sso.ErrKeysUnavailable},
		{"the original answers 403", status(403), status(200), "", sso.ErrKeysUnavailable},
		{"the original has no host", noHost, status(200), "", sso.ErrKeysUnavailable},
		{"the original has no keys", empty, status(200), "", sso.ErrKeysUnavailable},
		{"both answer 403", status(403), status(403), "", sso.ErrKeysUnavailable},
		{"JWKSURL answers 403", status(200), status(200), "https://forbidden.example/", sso.ErrKeysUnavailable},
		{"JWKSURL answers", status(500), status(500), "https://keys.example/", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := serve("")
			s.set(func(r *http.Request) (*http.Response, error) {
				switch {
				case strings.HasPrefix(r.URL.Host, "issuer-"):
					return row.updated(r)
				case strings.HasPrefix(r.URL.Host, "cognito-"):
					return row.original(r)
				case strings.HasPrefix(r.URL.Host, "forbidden"):
					return respond(403, ""), nil
				}
				return respond(200, poolKeys()), nil
			})
			v := verifier(func(c *sso.Config) { c.HTTPClient.Transport = s; c.JWKSURL = row.jwksURL })
			wantError(t, v.Preload(t.Context()), row.want)
			if row.want == nil {
				n := s.fetches.Load()
				_, err := v.VerifyAccess(t.Context(), goodAccess().token())
				wantError(t, err, nil)
				wantFetches(t, s, n)
			}
		})
	}
}

func TestPreloadObeysItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve("")
		s.set(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })
		v, _, _ := newVerifier(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := v.Preload(ctx)
		wantError(t, err, context.DeadlineExceeded)
		if errors.Is(err, sso.ErrKeysUnavailable) {
			t.Errorf("error is %v", err)
		}
		wantError(t, v.Preload(t.Context()), sso.ErrKeysUnavailable)
	})
}

// TestUnusableKeyAmongGoodOnes has Cognito's key set hold keys that are not usable:
// their tokens are refused as of an unknown key, and the others work.
func TestUnusableKeyAmongGoodOnes(t *testing.T) {
	t.Parallel()
	s := serve(jwks(
		strings.Replace(jwk("enc", attackerKey()), `"use":"sig"`, `"use":"enc"`, 1),
		strings.Replace(jwk("512", attackerKey()), `"RS256"`, `"RS512"`, 1),
		`{"kty":"OKP","crv":"Ed448","kid":"x"}`, `null`,
		jwk(accessKeyID, accessKey()),
		jwk(accessKeyID, attackerKey()), // the first of a kid wins
	))
	v := verifier(func(c *sso.Config) { c.HTTPClient.Transport = s })
	_, err := v.VerifyAccess(t.Context(), goodAccess().token())
	wantError(t, err, nil)
	for kid, want := range map[string]error{"enc": sso.ErrUnknownKey, "512": sso.ErrUnknownKey, accessKeyID: sso.ErrSignature} {
		f := goodAccess()
		f.key = attackerKey()
		f.header.set("kid", quote(kid))
		_, err := v.VerifyAccess(t.Context(), f.token())
		wantError(t, err, want)
	}
}
