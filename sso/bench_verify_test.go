package sso_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

// What is measured here is a ratio to the floor: base64 of the three parts,
// SHA-256 and rsa.VerifyPKCS1v15 of the same token, which no verifier can do
// without. Times alone say little on a shared machine, and neither do two
// benchmarks one after the other: so slices of both alternate, and the median
// of the pairs counts. `make bench-verify` prints them.

const (
	slicePairs   = 40
	sliceRepeats = 3
	sliceLength  = 10 * time.Millisecond
)

// benchToken makes the nth of many distinct tokens as Cognito makes them, good
// by the real clock: some 1 KB of access token, 1.2 KB of ID token.
func benchToken(use sso.TokenUse, n int) string {
	began := time.Now().Add(-time.Minute)
	uuid := func(kind string) string { return quote(fmt.Sprintf("%s%06d-e0e1-70ae-d2ee-991ad1a898c8", kind, n)) }
	f := goodAccess()
	if use == sso.UseID {
		f = goodID()
		f.payload.set("at_hash", `"kRzyG4mnDO8DYgCQ2sJQVA"`)
		f.payload.drop("nonce")
		f.payload.set("cognito:groups", `["ap-northeast-2_AbCdEfGhI_Kakao","staff"]`)
		f.payload.set("cognito:username", `"Kakao_3912345678"`)
		f.payload.set("identities", `[{"dateCreated":"1767323045000","userId":"3912345678","providerName":"Kakao","providerType":"OIDC","issuer":null,"primary":"true"}]`)
		f.payload.set("email", `"gildong.hong@example.ac.kr"`)
		f.payload.drop("name")
	} else {
		f.payload.set("cognito:groups", `["ap-northeast-2_AbCdEfGhI_Kakao","staff"]`)
		f.payload.set("scope", `"openid email profile api/read"`)
		f.payload.set("event_id", uuid("ab"))
		f.payload.set("username", `"Kakao_3912345678"`)
	}
	f.header.set("kid", quote("abcdefghijklmnopqrsexample/abcdefghijklmnop+="))
	f.key = accessKey()
	f.payload.set("sub", uuid("34"))
	f.payload.set("jti", uuid("56"))
	f.payload.set("origin_jti", uuid("78"))
	f.payload.set("auth_time", unix(began))
	f.payload.set("iat", unix(began))
	f.payload.set("exp", unix(began.Add(time.Hour)))
	return f.token()
}

// benchTokens makes n distinct tokens, with every core.
func benchTokens(use sso.TokenUse, n int) []string {
	tokens := make([]string, n)
	var wg sync.WaitGroup
	const workers = 4
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				tokens[i] = benchToken(use, i)
			}
		})
	}
	wg.Wait()
	return tokens
}

// benchVerifier is a Verifier on the real clock that has its keys.
func benchVerifier(tb testing.TB, change ...func(*sso.Config)) *sso.Verifier {
	tb.Helper()
	v := verifier(append([]func(*sso.Config){func(c *sso.Config) {
		c.Now = nil
		c.HTTPClient = &http.Client{Transport: serve(jwks(jwk("abcdefghijklmnopqrsexample/abcdefghijklmnop+=", accessKey())))}
	}}, change...)...)
	tb.Cleanup(v.Close)
	if err := v.Preload(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return v
}

// floor is the least that any verifier does with a token.
func floor(tb testing.TB, token string) {
	input := token[:strings.LastIndexByte(token, '.')]
	header, payload, _ := strings.Cut(input, ".")
	_, err1 := base64url.DecodeString(header)
	_, err2 := base64url.DecodeString(payload)
	signature, err3 := base64url.DecodeString(token[len(input)+1:])
	digest := sha256.Sum256([]byte(input))
	err4 := rsa.VerifyPKCS1v15(&accessKey().PublicKey, crypto.SHA256, digest[:], signature)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		tb.Error("the floor refuses a token")
	}
}

func mustVerify(tb testing.TB, v *sso.Verifier, use sso.TokenUse, token string) {
	var err error
	if use == sso.UseID {
		_, err = v.VerifyID(context.Background(), token)
	} else {
		_, err = v.VerifyAccess(context.Background(), token)
	}
	if err != nil {
		tb.Error(err)
	}
}

// forgetful never has a token that comes round again: each is verified,
// remembered, and driven out before its next turn. It so pays for the memory
// and gains nothing, as a service would that sees every token once.
func forgetful(c *sso.Config) { c.TokenMemory = 8 }

func BenchmarkFloor(b *testing.B) {
	for _, use := range []sso.TokenUse{sso.UseAccess, sso.UseID} {
		b.Run(string(use), func(b *testing.B) {
			tokens := benchTokens(use, 256)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				floor(b, tokens[i%len(tokens)])
			}
		})
	}
}

func BenchmarkVerifyUncached(b *testing.B) {
	for _, use := range []sso.TokenUse{sso.UseAccess, sso.UseID} {
		b.Run(string(use), func(b *testing.B) {
			tokens, v := benchTokens(use, 256), benchVerifier(b, forgetful)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				mustVerify(b, v, use, tokens[i%len(tokens)])
			}
		})
	}
}

func BenchmarkVerifyRepeated(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tokens, v := benchTokens(sso.UseAccess, n), benchVerifier(b)
			for _, token := range tokens {
				mustVerify(b, v, sso.UseAccess, token)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				mustVerify(b, v, sso.UseAccess, tokens[i%len(tokens)])
			}
		})
	}
}

// op is something to measure; i counts up, and differs between threads.
type op func(i int)

// nsPerOp runs f for one slice on so many threads, from the ith call on, and
// returns what one call takes and where to go on. It looks at the clock once
// a batch.
func nsPerOp(threads, batch, i int, f op) (ns float64, next int) {
	began := time.Now()
	calls := make([]int, threads)
	var wg sync.WaitGroup
	for t := range threads {
		run := func() {
			for time.Since(began) < sliceLength {
				for range batch {
					f(i + calls[t] + t*101)
					calls[t]++
				}
			}
		}
		if threads == 1 {
			run()
		} else {
			wg.Go(run)
		}
	}
	wg.Wait()
	elapsed := time.Since(began)
	total := 0
	for _, n := range calls {
		total += n
	}
	return float64(elapsed.Nanoseconds()) / float64(total), i + slices.Max(calls)
}

// ratio is the time of f, less that of without if there is such a thing, to
// the time of the floor: the median of the repeats' medians.
func ratio(threads int, floor, f, without op) float64 {
	var medians []float64
	at := make([]int, 3)
	// Slices of quick calls go in batches, so that the clock does not count.
	began := time.Now()
	for i := range 16 {
		f(i)
	}
	batch := 1
	if time.Since(began) < 80*time.Microsecond {
		batch = 64
	}
	for range sliceRepeats {
		var pairs []float64
		for range slicePairs {
			var least, spent, bare float64
			least, at[0] = nsPerOp(threads, 1, at[0], floor)
			spent, at[1] = nsPerOp(threads, batch, at[1], f)
			if without != nil {
				bare, at[2] = nsPerOp(threads, batch, at[2], without)
			}
			pairs = append(pairs, (spent-bare)/least)
		}
		medians = append(medians, median(pairs))
	}
	return median(medians)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// BenchmarkRatios prints every ratio to the floor, and the one line that
// `make bench-verify` is for. It measures once, whatever b.N is.
func BenchmarkRatios(b *testing.B) {
	report := func(name string, got, limit float64) float64 {
		fmt.Printf("%-34s %8.4f  (limit %.4f)\n", name, got, limit)
		return got
	}
	var uncached, uncachedAllocs float64
	for _, use := range []sso.TokenUse{sso.UseAccess, sso.UseID} {
		tokens, v := benchTokens(use, 512), benchVerifier(b, forgetful)
		least := func(i int) { floor(b, tokens[i%len(tokens)]) }
		verify := func(i int) { mustVerify(b, v, use, tokens[i%len(tokens)]) }
		fmt.Printf("%s token: %d bytes\n", use, len(tokens[0]))
		uncached = max(uncached, report("uncached "+string(use), ratio(1, least, verify, nil), 1.12))
		report("uncached "+string(use)+", two threads", ratio(2, least, verify, nil), 1.25)
		uncachedAllocs = max(uncachedAllocs, report("uncached "+string(use)+", allocations", allocsOf(tokens, verify), 22))
	}

	var repeated, repeatedAllocs float64
	all := benchTokens(sso.UseAccess, 10_000)
	for _, n := range []int{1, 1000, 10_000} {
		tokens, v := all[:n], benchVerifier(b)
		least := func(i int) { floor(b, tokens[i%n]) }
		verify := func(i int) { mustVerify(b, v, sso.UseAccess, tokens[i%n]) }
		for range 2 {
			for i := range n {
				verify(i)
			}
		}
		limit := 0.01
		if n > 1000 {
			limit = 0.05
		}
		single := report(fmt.Sprintf("repeated, %d in play", n), ratio(1, least, verify, nil), limit)
		report(fmt.Sprintf("repeated, %d in play, two threads", n), ratio(2, least, verify, nil), limit)
		allocs := allocsOf(tokens, verify)
		report(fmt.Sprintf("repeated, %d in play, allocations", n), allocs, 0)
		if n == 1000 {
			repeated, repeatedAllocs = single, allocs
		}
	}

	bare, protected := bearerHandlers(b, all[:1000])
	least := func(i int) { floor(b, all[i%1000]) }
	added := report("bearer, repeated, over bare handler", ratio(1, least, requests(b, all[:1000], protected), requests(b, all[:1000], bare)), 0.02)
	report("bearer, repeated, allocations", allocsOf(all[:1000], requests(b, all[:1000], protected)), 2)

	fmt.Printf("VERIFY uncached=%.3f uncached_allocs=%.0f repeated=%.4f repeated_allocs=%.0f middleware=%.4f\n",
		uncached, uncachedAllocs, repeated, repeatedAllocs, added)
}

// allocsOf is the mean number of allocations of a call, over all tokens. It is
// the least of three: what the process does beside the call can only add.
func allocsOf(tokens []string, f op) float64 {
	i := 0
	mean := func() float64 { return testing.AllocsPerRun(len(tokens), func() { f(i); i++ }) }
	return min(mean(), mean(), mean())
}

// bearerHandlers returns a handler, and the same one behind a middleware.Bearer
// that has seen the tokens.
func bearerHandlers(tb testing.TB, tokens []string) (bare, protected http.Handler) {
	tb.Helper()
	b, err := middleware.NewBearer(benchVerifier(tb), middleware.BearerConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	served := 0
	seen := requests(tb, tokens, b.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, ok := middleware.Token(r.Context()); ok {
			served++
		}
	})))
	for i := range tokens {
		seen(i)
	}
	if served != len(tokens) {
		tb.Fatalf("%d of %d requests were let through", served, len(tokens))
	}
	bare = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	return bare, b.Require(bare)
}

// requests returns an op that has h serve a request with the ith token.
func requests(tb testing.TB, tokens []string, h http.Handler) op {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "/me", nil)
	if err != nil {
		tb.Fatal(err)
	}
	values := make([]string, len(tokens))
	for i, token := range tokens {
		values[i] = "Bearer " + token
	}
	value := make([]string, 1)
	r.Header["Authorization"] = value
	return func(i int) {
		value[0] = values[i%len(values)]
		h.ServeHTTP(nil, r)
	}
}
