package middleware_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

func newSealer(t testing.TB, client string, keys ...[]byte) *middleware.Sealer {
	t.Helper()
	s, err := middleware.NewSealer(keys, client, "ap-northeast-2_Pool")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSealBinds: a sealed value opens only where it was sealed for.
func TestSealBinds(t *testing.T) {
	t.Parallel()
	const name, plain = "__Host-sso-flow-x", "the flow"
	s := newSealer(t, "board", cookieKey(1))
	sealed := s.Seal("flow", name, plain)
	if got, err := s.Open("flow", name, sealed); got != plain || err != nil {
		t.Fatalf("Open: %q, %v", got, err)
	}
	if s.Seal("flow", name, plain) == sealed {
		t.Error("sealing twice gives the same text")
	}
	if strings.Contains(sealed, base64.RawURLEncoding.EncodeToString([]byte(plain))[:8]) {
		t.Error("the sealed text shows what it holds")
	}
	otherPool, err := middleware.NewSealer([][]byte{cookieKey(1)}, "board", "ap-northeast-2_Other")
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(sealed)
	// A text of 4n+2 or 4n+3 characters, whose last one has bits that mean
	// nothing: 1 byte of version, 12 of nonce, 16 of tag and 9 of text are 38.
	loose := s.Seal("flow", name, plain+"!")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	end := len(loose) - 1
	stray := loose[:end] + alphabet[strings.IndexByte(alphabet, loose[end])+1:][:1]
	if twin, err := base64.RawURLEncoding.DecodeString(stray); err != nil || base64.RawURLEncoding.EncodeToString(twin) != loose {
		t.Fatal("the row of stray bits tests nothing")
	}
	flipped := func(i int) string {
		b := bytes.Clone(raw)
		b[(i+len(b))%len(b)] ^= 1
		return base64.RawURLEncoding.EncodeToString(b)
	}
	for _, row := range []struct {
		name        string
		s           *middleware.Sealer
		purpose, as string
		text        string
	}{
		{name: "another purpose", s: s, purpose: "session", as: name, text: sealed},
		{name: "another name", s: s, purpose: "flow", as: name + "y", text: sealed},
		{name: "no name", s: s, purpose: "flow", as: "", text: sealed},
		{name: "another client", s: newSealer(t, "desk", cookieKey(1)), purpose: "flow", as: name, text: sealed},
		{name: "another pool", s: otherPool, purpose: "flow", as: name, text: sealed},
		{name: "another key", s: newSealer(t, "board", cookieKey(2)), purpose: "flow", as: name, text: sealed},
		{name: "first byte", s: s, purpose: "flow", as: name, text: flipped(0)},
		{name: "nonce", s: s, purpose: "flow", as: name, text: flipped(1)},
		{name: "ciphertext", s: s, purpose: "flow", as: name, text: flipped(15)},
		{name: "tag", s: s, purpose: "flow", as: name, text: flipped(-1)},
		{name: "cut", s: s, purpose: "flow", as: name, text: sealed[:len(sealed)-4]},
		{name: "longer", s: s, purpose: "flow", as: name, text: sealed + "AAAA"},
		{name: "padded", s: s, purpose: "flow", as: name, text: sealed + "="},
		{name: "line break", s: s, purpose: "flow", as: name, text: sealed[:8] + "\n" + sealed[8:]},
		{name: "stray bits", s: s, purpose: "flow", as: name, text: stray},
		{name: "empty", s: s, purpose: "flow", as: name, text: ""},
		{name: "one byte", s: s, purpose: "flow", as: name, text: "AQ"},
		{name: "version and nonce alone", s: s, purpose: "flow", as: name, text: base64.RawURLEncoding.EncodeToString(raw[:13])},
		{name: "standard alphabet", s: s, purpose: "flow", as: name, text: strings.NewReplacer("-", "+", "_", "/").Replace(sealed) + "+"},
	} {
		if got, err := row.s.Open(row.purpose, row.as, row.text); err == nil {
			t.Errorf("%s: opens as %q", row.name, got)
		}
	}
}

// TestSealFieldsDoNotRun: neighbouring names cannot be shifted into each other.
func TestSealFieldsDoNotRun(t *testing.T) {
	t.Parallel()
	a, err := middleware.NewSealer([][]byte{cookieKey(1)}, "ab", "c")
	if err != nil {
		t.Fatal(err)
	}
	b, err := middleware.NewSealer([][]byte{cookieKey(1)}, "a", "bc")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open("flow", "n", a.Seal("flow", "n", "x")); err == nil {
		t.Error("client ab of pool c is client a of pool bc")
	}
}

func TestSealKeyRotation(t *testing.T) {
	t.Parallel()
	before := newSealer(t, "board", cookieKey(1))
	during := newSealer(t, "board", cookieKey(2), cookieKey(1))
	after := newSealer(t, "board", cookieKey(2))
	if _, err := during.Open("flow", "n", before.Seal("flow", "n", "x")); err != nil {
		t.Errorf("the old key does not open any more: %v", err)
	}
	sealed := during.Seal("flow", "n", "x")
	if _, err := after.Open("flow", "n", sealed); err != nil {
		t.Errorf("the first key does not seal: %v", err)
	}
	if _, err := before.Open("flow", "n", sealed); err == nil {
		t.Error("the old key sealed")
	}
}

func TestCookieKeys(t *testing.T) {
	t.Parallel()
	many := make([][]byte, 9)
	for i := range many {
		many[i] = cookieKey(i)
	}
	for name, keys := range map[string][][]byte{
		"none": nil, "empty list": {}, "empty": {{}}, "nil": {nil}, "16 bytes": {cookieKey(1)[:16]}, "31 bytes": {cookieKey(1)[:31]},
		"33 bytes": {append(cookieKey(1), 1)}, "64 bytes": {append(cookieKey(1), cookieKey(2)...)}, "zeros": {make([]byte, 32)},
		"one byte repeated": {bytes.Repeat([]byte{'k'}, 32)}, "twice": {cookieKey(1), cookieKey(1)}, "second bad": {cookieKey(1), make([]byte, 32)},
		"nine": many,
	} {
		_, err := middleware.NewSealer(keys, "board", "pool")
		var configErr *sso.ConfigError
		if !errors.As(err, &configErr) || configErr.Field != "LoginConfig.CookieKeys" {
			t.Errorf("%s: error %v, want a ConfigError of CookieKeys", name, err)
		}
	}
}

// FuzzOpenCookie: whatever opens is what was sealed, in its one spelling.
func FuzzOpenCookie(f *testing.F) {
	s := newSealer(f, "board", cookieKey(1), cookieKey(2))
	sealed := s.Seal("flow", "n", "plain")
	f.Add(sealed)
	f.Add(sealed + "=")
	f.Add(sealed[:len(sealed)-1])
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := s.Open("flow", "n", text)
		if err != nil {
			return
		}
		// Another process of the fuzzer sealed its own seed, with another nonce.
		if string(got) != "plain" {
			t.Fatalf("%q opens as %q", text, got)
		}
		if raw, err := base64.RawURLEncoding.DecodeString(text); err != nil || base64.RawURLEncoding.EncodeToString(raw) != text {
			t.Fatalf("%q opens and is not the one spelling of its bytes", text)
		}
	})
}

// FuzzAuthorization: what is accepted is scheme, spaces and a b64token.
func FuzzAuthorization(f *testing.F) {
	for _, row := range authorizationRows {
		for _, v := range row.values {
			f.Add(v)
		}
	}
	f.Fuzz(func(t *testing.T, value string) {
		token, err := middleware.ParseAuthorization(value)
		if err != nil {
			if token != "" || !errors.Is(err, sso.ErrMissing) && !errors.Is(err, middleware.ErrAuthorizationHeader) {
				t.Fatalf("%q: %q, %v", value, token, err)
			}
			return
		}
		if len(value) < 8 || !strings.EqualFold(value[:7], "bearer ") || strings.TrimLeft(value[7:], " ") != token {
			t.Fatalf("%q gives %q", value, token)
		}
		if token == "" || strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") != "" || token[0] == '=' {
			t.Fatalf("%q gives %q", value, token)
		}
	})
}
