package middleware

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// recordVersion is the first byte of a session in cookies, before it is sealed.
const recordVersion = 1

// How a token is written: as its text, or as the decoded parts between its dots.
const (
	tokenText  = 0
	tokenParts = 1
	// maxTokenParts is that of an encrypted one.
	maxTokenParts = 5
)

// appendRecord writes a session of cookies: every byte of it travels with every
// request, so it is no JSON, and tokens are not base64 inside of base64.
func appendRecord(b []byte, sess *session) []byte {
	d := &sess.data
	b = append(b, recordVersion)
	b = append(b, sess.id[:]...)
	for _, n := range []int64{d.Created, d.Seen, d.IDExpires, d.AccessExpires} {
		b = binary.BigEndian.AppendUint64(b, uint64(n)) //nolint:gosec // and back, bit by bit
	}
	b = appendField(b, sess.subject)
	b = appendField(b, d.Username)
	for _, token := range []string{d.RawID, d.RawAccess, d.Refresh} {
		b = appendToken(b, token)
	}
	return b
}

// recordReader reads what appendRecord wrote. Its ok is false from the first
// thing on that is not as it should be.
type recordReader struct {
	rest []byte
	ok   bool
}

// readRecord is the reverse of appendRecord. It takes nothing less or more.
func readRecord(b []byte) (*session, bool) {
	r := recordReader{b, true}
	if v := r.bytes(1); !r.ok || v[0] != recordVersion {
		return nil, false
	}
	sess := &session{data: sessionData{Version: dataVersion}}
	copy(sess.id[:], r.bytes(sessionIDLen))
	d := &sess.data
	for _, n := range []*int64{&d.Created, &d.Seen, &d.IDExpires, &d.AccessExpires} {
		*n = r.int64()
	}
	sess.subject = r.field()
	d.Username = r.field()
	for _, token := range []*string{&d.RawID, &d.RawAccess, &d.Refresh} {
		*token = r.token()
	}
	if !r.ok || len(r.rest) > 0 || sess.subject == "" {
		return nil, false
	}
	return sess, true
}

func (r *recordReader) bytes(n int) []byte {
	if !r.ok || n > len(r.rest) {
		r.ok = false
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *recordReader) int64() int64 {
	b := r.bytes(8)
	if !r.ok {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b)) //nolint:gosec // as it was written
}

func (r *recordReader) field() string {
	b := r.bytes(4)
	if !r.ok {
		return ""
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(r.rest)) {
		r.ok = false
		return ""
	}
	return string(r.bytes(int(n)))
}

// appendToken writes a token decoded where that gives the same text back.
func appendToken(b []byte, token string) []byte {
	parts := strings.Split(token, ".")
	if len(parts) < 3 || len(parts) > maxTokenParts {
		return appendField(append(b, tokenText), token)
	}
	start := len(b)
	b = append(b, tokenParts, byte(len(parts))) //nolint:gosec // 3 to 5
	for _, part := range parts {
		raw, ok := decodeBase64(part)
		if !ok {
			return appendField(append(b[:start], tokenText), token)
		}
		b = appendField(b, string(raw))
	}
	return b
}

func (r *recordReader) token() string {
	kind := r.bytes(1)
	switch {
	case !r.ok:
		return ""
	case kind[0] == tokenText:
		return r.field()
	case kind[0] != tokenParts:
		r.ok = false
		return ""
	}
	count := r.bytes(1)
	if !r.ok || count[0] < 3 || count[0] > maxTokenParts {
		r.ok = false
		return ""
	}
	parts := make([]string, count[0])
	for i := range parts {
		parts[i] = base64.RawURLEncoding.EncodeToString([]byte(r.field()))
	}
	return strings.Join(parts, ".")
}
