package reconcile

import (
	"crypto/sha256"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// key stands for a sub, or for an id at a provider: short, and of one size.
// Whatever is concluded from one is looked up in full before it counts.
type key [16]byte

func keyOf(parts ...string) key {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write([]byte(p))
		_, _ = h.Write([]byte{0})
	}
	return key(h.Sum(nil)[:16])
}

// index is the table as it was when the run began.
type index struct {
	ids       []string
	subs      map[key]uint32 // → position in ids
	providers map[key]uint32
	seen      []uint64 // a bit for each row whose user is in the pool
	// doubled are pairs of rows that seem to share a sub or a provider's id.
	doubled [][2]uint32
}

func newIndex() *index {
	return &index{subs: map[key]uint32{}, providers: map[key]uint32{}}
}

func (x *index) add(u users.User) {
	row := uint32(len(x.ids)) //nolint:gosec // four thousand million rows do not fit in memory
	x.ids = append(x.ids, u.ID)
	if row%64 == 0 {
		x.seen = append(x.seen, 0)
	}
	if u.Sub != "" {
		x.claim(x.subs, keyOf(u.Sub), row)
	}
	for provider, subject := range u.Providers {
		x.claim(x.providers, keyOf(provider, subject), row)
	}
}

func (x *index) claim(in map[key]uint32, k key, row uint32) {
	if first, taken := in[k]; taken {
		x.doubled = append(x.doubled, [2]uint32{first, row})
		return
	}
	in[k] = row
}

// id returns the primary key of the row with k.
func (x *index) id(in map[key]uint32, k key) (string, bool) {
	row, ok := in[k]
	if !ok {
		return "", false
	}
	return x.ids[row], true
}

func (x *index) see(k key) {
	if row, ok := x.subs[k]; ok {
		x.seen[row/64] |= 1 << (row % 64)
	}
}

func (x *index) saw(row uint32) bool { return x.seen[row/64]&(1<<(row%64)) != 0 }

const shortKey = 8

// seenKeys are the beginnings of the subs whose users were in the pool: rows
// may have moved by the time that they are needed again.
func (x *index) seenKeys() []byte {
	var out []byte
	for k, row := range x.subs {
		if x.saw(row) {
			out = append(out, k[:shortKey]...)
		}
	}
	return out
}

func (x *index) seeKeys(saved []byte) {
	set := make(map[[shortKey]byte]struct{}, len(saved)/shortKey)
	for ; len(saved) >= shortKey; saved = saved[shortKey:] {
		set[[shortKey]byte(saved)] = struct{}{}
	}
	for k := range x.subs {
		if _, ok := set[[shortKey]byte(k[:shortKey])]; ok {
			x.see(k)
		}
	}
}

// unseen are the rows whose sub was not in the pool, in the table's order.
func (x *index) unseen() []uint32 {
	unseen := make([]bool, len(x.ids))
	n := 0
	for _, row := range x.subs {
		if !x.saw(row) {
			unseen[row] = true
			n++
		}
	}
	rows := make([]uint32, 0, n)
	for row, is := range unseen {
		if is {
			rows = append(rows, uint32(row))
		}
	}
	return rows
}
