package middleware

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// recordVersion is the first byte of what is sealed of a session. It is no
// JSON: it is read at every request, and in a cookie every byte of it travels.
const recordVersion = 1

// How a token is written: as its text, or as the decoded parts between its dots.
const (
	tokenText  = 0
	tokenParts = 1
	// maxTokenParts is that of an encrypted one.
	maxTokenParts = 5
)

// appendData writes d, with token for each of its tokens.
func appendData(b []byte, d *sessionData, token func(b []byte, token string) []byte) []byte {
	b = append(b, recordVersion, flag(d.Spent))
	for _, n := range []int64{d.Created, d.Seen, d.IDExpires, d.AccessExpires} {
		b = binary.BigEndian.AppendUint64(b, uint64(n)) //nolint:gosec // and back, bit by bit
	}
	b = appendField(b, d.Username)
	for _, text := range []string{d.RawID, d.RawAccess, d.Refresh} {
		b = token(b, text)
	}
	return b
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// readData is the reverse of appendData. It takes nothing less or more.
func readData(b []byte) (d sessionData, ok bool) {
	r := recordReader{b, true}
	head := r.bytes(2)
	if !r.ok || head[0] != recordVersion || head[1] > 1 {
		return d, false
	}
	d.Spent = head[1] == 1
	for _, n := range []*int64{&d.Created, &d.Seen, &d.IDExpires, &d.AccessExpires} {
		*n = r.int64()
	}
	d.Username = r.field()
	for _, token := range []*string{&d.RawID, &d.RawAccess, &d.Refresh} {
		*token = r.token()
	}
	return d, r.ok && len(r.rest) == 0
}

// recordReader reads what appendData and appendRecord wrote. Its ok is false
// from the first thing on that is not as it should be.
type recordReader struct {
	rest []byte
	ok   bool
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

// appendText writes a token as it is.
func appendText(b []byte, token string) []byte { return appendField(append(b, tokenText), token) }

// appendPacked writes a token decoded where that gives the same text back: it
// would be base64 within base64.
func appendPacked(b []byte, token string) []byte {
	parts := strings.Split(token, ".")
	if len(parts) < 3 || len(parts) > maxTokenParts {
		return appendText(b, token)
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
