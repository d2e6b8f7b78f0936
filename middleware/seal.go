package middleware

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	cookieKeyLen  = 32
	maxCookieKeys = 8
	// sealVersion is the first byte of everything sealed, and part of what its
	// key is derived from: a later format cannot be taken for this one.
	sealVersion = 1
)

var errSeal = errors.New("middleware: sealed value does not open")

// purpose is what something was sealed for.
type purpose string

const (
	purposeFlow    purpose = "flow"    // a flow cookie; its name is the cookie's
	purposeSession purpose = "session" // a session record; its name is the record's Key
	// purposeCookieSession is a session in cookies; its name is the first one's.
	purposeCookieSession purpose = "cookie session"
)

// sealer encrypts and authenticates with AES-256-GCM under random nonces. A
// sealed value opens only under the purpose, name and realm it was sealed for:
// a flow cookie is no session, one app's cookie is no other app's, and one
// record's data cannot be moved to another. It is safe for concurrent use.
//
// The nonces are of 96 bits, so a key should seal no more than 2³² values;
// with a session's data sealed once a minute that is 8,000 user-years. Each
// purpose has a key of its own, derived from the configured one.
type sealer struct {
	realm string // the app client and its pool
	aeads map[purpose][]cipher.AEAD
}

// newSealer makes a sealer of keys that checkCookieKeys has accepted.
func newSealer(keys [][]byte, clientID, poolID string) (*sealer, error) {
	s := &sealer{
		realm: string(appendField(appendField(nil, clientID), poolID)),
		aeads: make(map[purpose][]cipher.AEAD),
	}
	for _, p := range []purpose{purposeFlow, purposeSession, purposeCookieSession} {
		for _, key := range keys {
			derived, err := hkdf.Key(sha256.New, key, nil, "cognito-sso/middleware seal v1 "+string(p), cookieKeyLen)
			if err != nil {
				return nil, err
			}
			block, err := aes.NewCipher(derived)
			if err != nil {
				return nil, err
			}
			aead, err := cipher.NewGCMWithRandomNonce(block)
			if err != nil {
				return nil, err
			}
			s.aeads[p] = append(s.aeads[p], aead)
		}
	}
	return s, nil
}

// checkCookieKeys refuses keys that are no secret.
func checkCookieKeys(keys [][]byte) error {
	wrong := func(problem string) error {
		return &sso.ConfigError{Field: "LoginConfig.CookieKeys", Problem: problem}
	}
	if len(keys) == 0 || len(keys) > maxCookieKeys {
		return wrong("must be 1 to 8 keys of 32 random bytes")
	}
	for i, key := range keys {
		if len(key) != cookieKeyLen {
			return wrong("each key must be exactly 32 random bytes")
		}
		if bytes.Count(key, key[:1]) == len(key) {
			return wrong("a key of one repeated byte is not random")
		}
		for _, other := range keys[:i] {
			if bytes.Equal(key, other) {
				return wrong("a key is given twice")
			}
		}
	}
	return nil
}

// seal encrypts under the first key.
func (s *sealer) seal(p purpose, name string, plain []byte) []byte {
	out := []byte{sealVersion}
	return s.aeads[p][0].Seal(out, nil, plain, s.bind(p, name))
}

// open decrypts under any of the keys.
func (s *sealer) open(p purpose, name string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, errSeal
	}
	bind := s.bind(p, name)
	for _, aead := range s.aeads[p] {
		if plain, err := aead.Open(nil, nil, sealed[1:], bind); err == nil {
			return plain, nil
		}
	}
	return nil, errSeal
}

// sealText and openText are for cookies: base64url without padding, of which a
// value has exactly one spelling.
func (s *sealer) sealText(p purpose, name string, plain []byte) string {
	return base64.RawURLEncoding.EncodeToString(s.seal(p, name, plain))
}

func (s *sealer) openText(p purpose, name, text string) ([]byte, error) {
	sealed, ok := decodeBase64(text)
	if !ok {
		return nil, errSeal
	}
	return s.open(p, name, sealed)
}

// bind is the additional data that ties a sealed value to its place.
func (s *sealer) bind(p purpose, name string) []byte {
	return append(appendField(appendField(nil, string(p)), name), s.realm...)
}

// appendField appends a field that cannot run into its neighbours.
func appendField(b []byte, field string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field))) //nolint:gosec // names and ids, not gigabytes
	return append(b, field...)
}

// decodeBase64 decodes strict, unpadded base64url. The package alone would
// skip line breaks and accept stray bits at the end.
func decodeBase64(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return b, err == nil
}
