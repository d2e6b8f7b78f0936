package sqlite

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// newID is a UUID of version 7 (RFC 9562, section 5.7): new rows come last, so
// pages in the order of keys miss none, and its time goes below a millisecond.
func newID(now time.Time) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(b[:6], ms[2:])
	// The 12 bits behind it are the rest of the time, in 1/4096 ms.
	binary.BigEndian.PutUint16(b[6:], uint16(now.UnixNano()%1e6*4096/1e6)|0x7000)
	b[8] = b[8]&0x3f | 0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
