package mysql

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// uuids makes version 7 UUIDs (RFC 9562 §5.7): the time first, so that new
// rows go to the end of the primary key, and each above the one before it.
type uuids struct {
	now  func() time.Time
	mu   sync.Mutex
	last uint64 // guarded by mu
}

func (u *uuids) next() string {
	var b [16]byte
	_, _ = rand.Read(b[8:]) // never fails
	tick := u.tick()
	binary.BigEndian.PutUint64(b[:8], tick>>12<<16|7<<12|tick&0xfff)
	b[8] = b[8]&0x3f | 0x80
	return canonical(b)
}

// tick is the time in 1/4096 ms, which fills 60 bits, or one more than the
// last if the clock does not move on.
func (u *uuids) tick() uint64 {
	at := u.now()
	millis := uint64(max(0, at.UnixMilli()))                  //nolint:gosec // not negative
	tick := millis<<12 | uint64(at.Nanosecond()%1e6)*4096/1e6 //nolint:gosec // not negative
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = max(tick, u.last+1)
	return u.last
}

func canonical(b [16]byte) string {
	h := hex.EncodeToString(b[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// parseUUID takes the canonical text only.
func parseUUID(s string) (b [16]byte, ok bool) {
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(raw) != len(b) {
		return b, false
	}
	copy(b[:], raw)
	return b, canonical(b) == s
}

// form is how the primary key is kept.
type form int

const (
	formNumber form = iota
	formText        // text, a UUID in text too
	formUUID        // MariaDB's UUID
	formBytes       // a UUID as binary(16), first byte first
)

// value is the parameter for an id given as text; false for what no row can
// have as its id.
func (f form) value(id string) (any, bool) {
	switch f {
	case formNumber:
		n, err := strconv.ParseInt(id, 10, 64)
		return n, err == nil && strconv.FormatInt(n, 10) == id // "007" is nobody's id
	case formText:
		return id, utf8.ValidString(id) && !strings.ContainsRune(id, 0)
	case formUUID:
		_, ok := parseUUID(id)
		return id, ok
	default:
		b, ok := parseUUID(id)
		return b[:], ok
	}
}

// text is the id as text, of what the server returns. False for a number
// beyond 64 signed bits.
func (f form) text(raw string) (string, bool) {
	switch f {
	case formNumber:
		_, err := strconv.ParseInt(raw, 10, 64)
		return raw, err == nil
	case formBytes:
		if len(raw) != 16 {
			return "", false
		}
		return canonical([16]byte([]byte(raw))), true
	default:
		return raw, true
	}
}

// idForms are the types that a primary key may have.
var idForms = map[table.IDType]map[string]form{
	table.BigInt: {"bigint": formNumber},
	table.Int:    {"int": formNumber},
	table.UUID:   {"uuid": formUUID, "char": formText, "varchar": formText, "binary": formBytes},
	table.Text:   {"char": formText, "varchar": formText, "varbinary": formText},
}
