package sso

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"

	"github.com/ssu-itsupport/cognito-sso/internal/jose"
	"github.com/ssu-itsupport/cognito-sso/internal/strictjson"
)

// headerLimits bound a token's header, which Cognito gives two members.
var headerLimits = strictjson.Limits{Depth: 8, Values: 64}

// compact is a token taken apart, not verified.
type compact struct {
	signingInput []byte // header and payload as they were signed
	signature    []byte
	payload      string
	kid          string
}

// scratch is room to take a token apart in. What a compact has as bytes is in
// it, and gone when it is put back.
type scratch struct{ buf []byte }

var scratches = sync.Pool{New: func() any { return &scratch{buf: make([]byte, 4<<10)} }}

// hold copies raw, and returns the copy and free room behind it, enough for
// all that raw decodes to.
func (s *scratch) hold(raw string) (text, room []byte) {
	if need := 2 * len(raw); cap(s.buf) < need {
		s.buf = make([]byte, need)
	}
	s.buf = s.buf[:cap(s.buf)]
	n := copy(s.buf, raw)
	return s.buf[:n], s.buf[n:]
}

// base64url is RFC 7515's: no padding, and the unused bits of the last
// character zero, so that a token has one spelling only. Otherwise whoever
// has a token could make others that verify as well, and so pass a deny list.
var base64url = base64.RawURLEncoding.Strict()

// parseCompact takes a JWS in compact serialisation apart (RFC 7515 §7.1), in
// s, and checks its header.
func parseCompact(raw string, limit int, s *scratch) (compact, error) {
	if raw == "" {
		return compact{}, ErrMissing
	}
	if len(raw) > limit {
		return compact{}, ErrTooLarge // before any work in proportion to it
	}
	header, payload, signature, err := splitCompact(raw)
	if err != nil {
		return compact{}, err
	}
	text, room := s.hold(raw)
	var decoded [3][]byte
	at := 0
	for i, part := range [...]struct{ name, text string }{{"header", header}, {"payload", payload}, {"signature", signature}} {
		n, err := base64url.Decode(room, text[at:at+len(part.text)])
		// encoding/base64 skips CR and LF, even in strict mode, and then
		// the text is longer than what it stands for.
		if err != nil || base64url.EncodedLen(n) != len(part.text) {
			return compact{}, fmt.Errorf("%w: %s is not canonical base64url", ErrMalformed, part.name)
		}
		decoded[i], room = room[:n:n], room[n:]
		at += len(part.text) + 1
	}
	kid, err := parseHeader(string(decoded[0]))
	if err != nil {
		return compact{}, err
	}
	return compact{
		signingInput: text[:len(header)+1+len(payload)],
		signature:    decoded[2],
		payload:      string(decoded[1]),
		kid:          kid,
	}, nil
}

// splitCompact returns the three parts of a token.
func splitCompact(raw string) (header, payload, signature string, err error) {
	switch strings.Count(raw, ".") {
	case 2:
	case 4:
		return "", "", "", fmt.Errorf("%w: five parts, which looks like a refresh token (or another encrypted token); an access or ID token has three", ErrMalformed)
	default:
		return "", "", "", fmt.Errorf("%w: not three parts separated by dots", ErrMalformed)
	}
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, _ = strings.Cut(rest, ".")
	if header == "" || payload == "" || signature == "" {
		return "", "", "", fmt.Errorf("%w: a part is empty", ErrMalformed)
	}
	return header, payload, signature, nil
}

// parseHeader returns the kid of a JOSE header. alg must be RS256 whatever
// the key says, since that is what Cognito signs with. typ and cty are not
// looked at, because Cognito sets neither; jku, jwk, x5u and x5c are not
// either, because keys come from the configured issuer alone (RFC 8725
// §3.10).
func parseHeader(header string) (kid string, err error) {
	var alg, keyID string
	special := false
	if err := strictjson.Object(header, headerLimits, func(name, value string) {
		switch name {
		case "alg":
			alg = value
		case "kid":
			keyID = value
		case "crit", "b64", "zip":
			special = true
		}
	}); err != nil {
		return "", fmt.Errorf("%w: header is not a strict JSON object", ErrMalformed)
	}
	if !strictjson.Equal(alg, "RS256") {
		return "", fmt.Errorf("%w: alg is not RS256", ErrAlgorithm)
	}
	if special {
		return "", fmt.Errorf("%w: header has crit, b64 or zip", ErrAlgorithm)
	}
	kid, ok := strictjson.String(keyID)
	if !ok || kid == "" || len(kid) > jose.MaxKeyIDLen {
		return "", fmt.Errorf("%w: kid is not a string of 1 to %d bytes", ErrKeyID, jose.MaxKeyIDLen)
	}
	return kid, nil
}
