// Package jose is the one place that imports jwx: it parses a key set and
// checks RS256 signatures, and nothing else. jwx v2 is no longer maintained
// upstream, so a change to another version is a change of this package.
//
// What jwx accepts by default is far more than a Cognito key set holds, so
// which keys are usable is decided here.
package jose

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/ssu-itsupport/cognito-sso/internal/strictjson"
)

// MaxKeyIDLen is the longest kid, in bytes, of a key or a token header.
const MaxKeyIDLen = 256

const (
	minModulusBits = 2048 // RFC 8725 §3.5 by way of RFC 7518 §3.3
	maxModulusBits = 8192 // a larger one makes every check slow, a way to do harm
	minExponent    = 65537
)

var (
	// ErrNoUsableKey is returned by ParseSet for a document that is a key set
	// without one usable key.
	ErrNoUsableKey = errors.New("the key set holds no usable key")
	// ErrNotKeySet is returned by ParseSet for anything else.
	ErrNotKeySet = errors.New("the answer is not a JSON Web Key Set")
	// ErrSignature is returned by Key.Verify.
	ErrSignature = errors.New("jose: signature does not verify")
)

// rs256 is jwx's verifier, taken at start-up: its registry is global, and
// other code of the process may change it later.
var rs256 = func() jws.Verifier {
	v, err := jws.NewVerifier(jwa.RS256)
	if err != nil {
		panic("jose: jwx has no RS256 verifier: " + err.Error())
	}
	return v
}()

// Key is an RSA public key that may check RS256 signatures. It is immutable.
type Key struct{ public *rsa.PublicKey }

// Verify checks an RS256 signature over the JWS signing input. A key is used
// with this one algorithm whatever a token's header says (RFC 8725 §3.1).
func (k *Key) Verify(signingInput, signature []byte) error {
	if err := rs256.Verify(signingInput, signature, k.public); err != nil {
		return ErrSignature
	}
	return nil
}

// Set is the usable keys of a key set by key id. It is immutable; a nil Set
// is empty.
type Set struct{ keys map[string]*Key }

// Key returns the key with the id.
func (s *Set) Key(kid string) (*Key, bool) {
	if s == nil {
		return nil, false
	}
	k, ok := s.keys[kid]
	return k, ok
}

// Len returns how many keys the set has.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.keys)
}

// Equal reports whether the two hold the same keys under the same ids.
func (s *Set) Equal(other *Set) bool {
	if s.Len() != other.Len() {
		return false
	}
	if s.Len() == 0 {
		return true
	}
	return maps.EqualFunc(s.keys, other.keys, func(a, b *Key) bool { return a.public.Equal(b.public) })
}

// The document comes over TLS from a configured host and is at most 1 MiB.
// These bounds only keep a broken one cheap.
const maxEntries = 1000

var entryLimits = strictjson.Limits{Depth: 16, Values: 1000}

// ParseSet parses a JSON Web Key Set (RFC 7517 §5) entry by entry. An entry
// that is unusable is skipped and breaks nothing: key sets of others have
// failed whole because of one new kind of key (go-oidc #452, jwkset #60). If
// two usable entries have one kid, the first wins. A document without a
// usable key is an error, so that it never replaces good keys.
func ParseSet(document []byte) (*Set, error) {
	entries, err := splitSet(document)
	if err != nil {
		return nil, err
	}
	set := &Set{keys: make(map[string]*Key, len(entries))}
	for _, e := range entries {
		kid, key, err := parseEntry(e)
		if err != nil {
			continue
		}
		if _, taken := set.keys[kid]; !taken {
			set.keys[kid] = key
		}
	}
	if len(set.keys) == 0 {
		return nil, ErrNoUsableKey
	}
	return set, nil
}

// splitSet returns the entries of the member "keys". It is lax about what is
// inside them, since parseEntry is strict about each by itself, but there
// must be exactly one "keys" and nothing after the object.
func splitSet(document []byte) ([][]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(document),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil, ErrNotKeySet
	}
	var entries [][]byte
	found := false
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, ErrNotKeySet
		}
		if name.String() != "keys" {
			if err := dec.SkipValue(); err != nil {
				return nil, ErrNotKeySet
			}
			continue
		}
		if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '[' || found {
			return nil, ErrNotKeySet
		}
		found = true
		for dec.PeekKind() != ']' {
			entry, err := dec.ReadValue()
			if err != nil || len(entries) == maxEntries {
				return nil, ErrNotKeySet
			}
			entries = append(entries, bytes.Clone(entry))
		}
		if _, err := dec.ReadToken(); err != nil {
			return nil, ErrNotKeySet
		}
	}
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '}' || !found {
		return nil, ErrNotKeySet
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, ErrNotKeySet
	}
	return entries, nil
}

// entry holds the members of a JWK that are looked at. Private members (d, p,
// q, …) are not among them, so they are dropped.
type entry struct {
	kid, kty, use, alg, n, e string
	keyOps                   string
}

// parseEntry returns the key of one JWK, or an error saying why it is not
// usable for RS256.
func parseEntry(data []byte) (string, *Key, error) {
	var m entry
	if err := strictjson.Object(string(data), entryLimits, func(name, value string) {
		switch name {
		case "kid":
			m.kid = value
		case "kty":
			m.kty = value
		case "use":
			m.use = value
		case "alg":
			m.alg = value
		case "key_ops":
			m.keyOps = value
		case "n":
			m.n = value
		case "e":
			m.e = value
		}
	}); err != nil {
		return "", nil, err
	}
	kid, ok := strictjson.String(m.kid)
	switch {
	case !ok || kid == "" || len(kid) > MaxKeyIDLen:
		return "", nil, errors.New("jose: unusable kid")
	case !strictjson.Equal(m.kty, "RSA"):
		return "", nil, errors.New("jose: kty is not RSA")
	case m.use != "" && !strictjson.Equal(m.use, "sig"):
		return "", nil, errors.New("jose: use is not sig")
	case m.alg != "" && !strictjson.Equal(m.alg, "RS256"):
		return "", nil, errors.New("jose: alg is not RS256")
	case m.keyOps != "" && !allowsVerify(m.keyOps):
		return "", nil, errors.New("jose: key_ops does not allow verify")
	}
	key, err := parseRSA(m.n, m.e)
	if err != nil {
		return "", nil, err
	}
	return kid, key, nil
}

// allowsVerify reports whether key_ops is a list of strings that has "verify".
func allowsVerify(value string) bool {
	found, strings := false, true
	err := strictjson.Array(value, entryLimits, func(op string) {
		if _, ok := strictjson.String(op); !ok {
			strings = false
		}
		found = found || strictjson.Equal(op, "verify")
	})
	return err == nil && found && strings
}

// parseRSA makes a key of the members n and e alone.
func parseRSA(n, e string) (*Key, error) {
	// jwx cuts an exponent to 64 bits, so bound it before jwx sees it.
	// crypto/rsa itself refuses one above 31 bits.
	exponent, err := decodeUint(e)
	if err != nil {
		return nil, fmt.Errorf("jose: bad e: %w", err)
	}
	if exponent.BitLen() > 31 || exponent.Int64() < minExponent || exponent.Bit(0) == 0 {
		return nil, errors.New("jose: e is not an odd number from 65537 to 2^31-1")
	}
	modulus, err := decodeUint(n)
	if err != nil {
		return nil, fmt.Errorf("jose: bad n: %w", err)
	}
	if bits := modulus.BitLen(); bits < minModulusBits || bits > maxModulusBits || modulus.Bit(0) == 0 {
		return nil, errors.New("jose: n is not an odd number of 2048 to 8192 bits")
	}

	document := make([]byte, 0, len(n)+len(e)+32)
	document = append(document, `{"kty":"RSA","n":`...)
	document = append(document, n...)
	document = append(document, `,"e":`...)
	document = append(document, e...)
	document = append(document, '}')
	parsed, err := jwk.ParseKey(document)
	if err != nil {
		return nil, fmt.Errorf("jose: jwx: %w", err)
	}
	var public rsa.PublicKey
	if err := parsed.Raw(&public); err != nil {
		return nil, fmt.Errorf("jose: jwx: %w", err)
	}
	if public.E != int(exponent.Int64()) || public.N.Cmp(modulus) != 0 {
		return nil, errors.New("jose: jwx read another key") // fail closed: two readings of one key
	}
	return &Key{public: &public}, nil
}

// decodeUint reads a Base64urlUInt (RFC 7518 §2) as an unsigned number. A
// leading zero byte is let through: encoders that go by way of signed numbers
// add one.
func decodeUint(value string) (*big.Int, error) {
	s, ok := strictjson.String(value)
	if !ok {
		return nil, errors.New("not a string")
	}
	if strings.ContainsAny(s, "\r\n") { // which encoding/base64 skips
		return nil, errors.New("not base64url")
	}
	if len(s) > base64.RawURLEncoding.EncodedLen(maxModulusBits/8+1) {
		return nil, errors.New("too long")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errors.New("not base64url")
	}
	return new(big.Int).SetBytes(b), nil
}
