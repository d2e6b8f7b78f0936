package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// clock is the time of both verifiers in the differential test.
var clock = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// candidate is a token to be: its header and payload as they are written,
// and who signs it.
type candidate struct {
	header, payload string
	sign            func(input string) []byte
}

// with changes a JSON object that is written without white space between
// members: it replaces a member's value, adds the member if there is none,
// and removes it if the value is "".
func with(object, name, value string) string {
	at := strings.Index(object, `"`+name+`":`)
	if at < 0 {
		return object[:len(object)-1] + `,"` + name + `":` + value + "}"
	}
	start := at + len(name) + 3
	end := start + valueLen(object[start:])
	if value != "" {
		return object[:start] + value + object[end:]
	}
	if object[end] == ',' {
		return object[:at] + object[end+1:]
	}
	return object[:at-1] + object[end:]
}

// valueLen is the length of the JSON value that s begins with.
func valueLen(s string) int {
	depth, inString := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			depth++
		case depth == 0 && (c == ',' || c == '}'):
			return i
		case c == ']' || c == '}':
			depth--
		}
	}
	panic("no value")
}

func (c *candidate) token() string {
	input := encode([]byte(c.header)) + "." + encode([]byte(c.payload))
	return input + "." + encode(c.sign(input))
}

func decode(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// ring are the keys of the differential test. The JWKS that both verifiers
// have holds all but the stranger's.
type ring struct {
	pool, plain, rs384, enc, signOnly, stranger *signer
	short, cubic                                weakKey
	curve                                       *ecdsa.PrivateKey
	secret                                      []byte
}

var keys = sync.OnceValue(func() *ring {
	r := &ring{
		short:  newWeakKey("short", 1024, 65537),
		cubic:  newWeakKey("cubic", 2048, 3),
		secret: []byte("a secret that sits in the key set"),
	}
	for kid, dst := range map[string]**signer{
		poolKeyID: &r.pool, "plain": &r.plain, "rs384": &r.rs384, "enc": &r.enc, "sign-only": &r.signOnly, "stranger": &r.stranger,
	} {
		s, err := newSigner(kid)
		if err != nil {
			panic(err)
		}
		*dst = s
	}
	var err error
	if r.curve, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		panic(err)
	}
	return r
})

func (r *ring) jwks() []byte {
	without := func(m map[string]any, names ...string) map[string]any {
		for _, name := range names {
			delete(m, name)
		}
		return m
	}
	and := func(m map[string]any, name string, value any) map[string]any {
		m[name] = value
		return m
	}
	point, err := r.curve.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return jwksOf(
		r.pool.jwk(),
		without(r.plain.jwk(), "alg", "use"),
		and(r.rs384.jwk(), "alg", "RS384"),
		and(r.enc.jwk(), "use", "enc"),
		and(r.signOnly.jwk(), "key_ops", []string{"sign"}),
		r.short.jwk(), r.cubic.jwk(),
		map[string]any{"kid": "curve", "kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])},
		map[string]any{"kid": "secret", "kty": "oct", "use": "sig", "alg": "HS256", "k": encode(r.secret)},
	)
}

// weakKey is an RSA key that crypto/rsa does not make.
type weakKey struct {
	kid  string
	n, d *big.Int
	e    int64
}

func newWeakKey(kid string, bits int, e int64) weakKey {
	one := big.NewInt(1)
	for {
		p, err1 := rand.Prime(rand.Reader, bits/2)
		q, err2 := rand.Prime(rand.Reader, bits/2)
		if err1 != nil || err2 != nil {
			panic("no primes")
		}
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		n := new(big.Int).Mul(p, q)
		d := new(big.Int).ModInverse(big.NewInt(e), phi)
		if d != nil && n.BitLen() == bits {
			return weakKey{kid, n, d, e}
		}
	}
}

func (k weakKey) jwk() map[string]any {
	return map[string]any{"kid": k.kid, "alg": "RS256", "kty": "RSA", "use": "sig", "e": encode(big.NewInt(k.e).Bytes()), "n": encode(k.n.Bytes())}
}

// sign is PKCS #1 v1.5 with SHA-256, by hand.
func (k weakKey) sign(input string) []byte {
	digest := sha256.Sum256([]byte(input))
	prefix := []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}
	block := slices.Concat(prefix, digest[:])
	size := (k.n.BitLen() + 7) / 8
	padded := slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-3-len(block)), []byte{0}, block)
	return new(big.Int).Exp(new(big.Int).SetBytes(padded), k.d, k.n).FillBytes(make([]byte, size))
}

// rsaWith signs with PKCS #1 v1.5 and the hash.
func rsaWith(key *signer, h crypto.Hash) func(string) []byte {
	return func(input string) []byte {
		sig, err := rsa.SignPKCS1v15(nil, key.key, h, digestOf(h.New(), input))
		if err != nil {
			panic(err)
		}
		return sig
	}
}

func digestOf(h hash.Hash, input string) []byte {
	h.Write([]byte(input))
	return h.Sum(nil)
}

func pssWith(key *signer) func(string) []byte {
	return func(input string) []byte {
		sig, err := rsa.SignPSS(rand.Reader, key.key, crypto.SHA256, digestOf(sha256.New(), input), nil)
		if err != nil {
			panic(err)
		}
		return sig
	}
}

func es256(input string) []byte {
	r, s, err := ecdsa.Sign(rand.Reader, keys().curve, digestOf(sha256.New(), input))
	if err != nil {
		panic(err)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

func hs256(secret []byte) func(string) []byte {
	return func(input string) []byte { return digestOf(hmac.New(sha256.New, secret), input) }
}

// goodCandidate is a token of the use as Cognito makes it, valid for an hour.
func goodCandidate(use string) *candidate {
	payload := payloadOf(use, 1, clock)
	payload = with(payload, "exp", unix(time.Hour))
	return &candidate{
		header:  fmt.Sprintf(`{"kid":%q,"alg":"RS256"}`, poolKeyID),
		payload: payload,
		sign:    rsaWith(keys().pool, crypto.SHA256),
	}
}

// unix is the time so long after the clock.
func unix(d time.Duration) string { return strconv.FormatInt(clock.Add(d).Unix(), 10) }
