// Package tokenmemory remembers what was found out about verified tokens: a
// bounded table, read without a lock and without allocating.
//
// It is no cache of verdicts: whoever asks must still check the time and that
// the keys have not changed, and only tokens that verified may be put in, so
// that nobody drives good ones out with made-up ones.
package tokenmemory

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	ways = 4 // slots of a bucket: tags and entries fill one cache line
	// tailLen is how much of a token's end is hashed. That is of its
	// signature, which differs in every bit from one token to the next; the
	// beginning is much the same in all.
	tailLen = 32
)

// Table remembers a V for each of a bounded number of tokens. It is safe for
// concurrent use. A nil Table remembers nothing.
//
// A token's place follows from a hash of the end of its signature, with a seed
// of this Table's own. The hash only says where to look: an entry is found if
// the whole token is the same, so that a good signature behind another payload
// finds nothing. The comparison is not of constant time: it begins only where
// 64 bits of a keyed hash of the signature agree, so it tells nobody anything
// who has not got the signature.
//
// The tokens themselves are kept, not digests of them: SHA-256 of a token
// takes ten times as long as everything else here. So they are in the
// process's memory, where those of running requests are too.
//
// Each token has two buckets that it may be in, and goes into the emptier one;
// so the table fills nearly to its bound before anything is driven out. Then
// an entry that is of no use any more makes room, or else one that was not
// asked for since the last time one was looked for here (second chance): a
// flood of tokens that are seen once drives out each other.
type Table[V any] struct {
	seed    maphash.Seed
	buckets []bucket[V]
	mu      sync.Mutex // held by writers; readers do without
	hand    int        // where the last look for room began
}

// bucket is one cache line. A reader may see a tag and an entry that do not
// belong together: then the token differs, and it finds nothing.
type bucket[V any] struct {
	tags    [ways]atomic.Uint64
	entries [ways]atomic.Pointer[entry[V]]
}

type entry[V any] struct {
	token string
	value V
	asked atomic.Bool // since it was last passed over
}

// New returns a Table for at most size tokens, rounded up to a multiple of 4
// and to 8 at least.
func New[V any](size int) *Table[V] {
	return &Table[V]{
		seed:    maphash.MakeSeed(),
		buckets: make([]bucket[V], max(2, (size+ways-1)/ways)),
	}
}

// Get returns what is remembered of the token, nil if nothing. It is shared:
// do not change it.
func (t *Table[V]) Get(token string) *V {
	if t == nil {
		return nil
	}
	tag := t.tag(token)
	first, second := t.places(tag)
	if e := first.find(tag, token); e != nil {
		return &e.value
	}
	if e := second.find(tag, token); e != nil {
		return &e.value
	}
	return nil
}

func (b *bucket[V]) find(tag uint64, token string) *entry[V] {
	for i := range b.tags {
		if b.tags[i].Load() != tag {
			continue
		}
		if e := b.entries[i].Load(); e != nil && e.token == token {
			if !e.asked.Load() { // do not write to a line that others read
				e.asked.Store(true)
			}
			return e
		}
	}
	return nil
}

// tag returns the hash of the token, never 0.
func (t *Table[V]) tag(token string) uint64 {
	return maphash.String(t.seed, token[max(0, len(token)-tailLen):]) | 1
}

// places returns the two buckets that a token with the tag may be in, which
// may be the same one.
func (t *Table[V]) places(tag uint64) (first, second *bucket[V]) {
	n := uint64(len(t.buckets))
	i, _ := bits.Mul64(tag, n) // from the upper bits
	j, _ := bits.Mul64(bits.RotateLeft64(tag, 32), n)
	return &t.buckets[i], &t.buckets[j]
}

// Put remembers a copy of the value for the token, in place of an earlier one.
// token is kept, so it should be a string of its own. useless says which values are of no use any more.
func (t *Table[V]) Put(token string, value *V, useless func(*V) bool) {
	if t == nil {
		return
	}
	tag := t.tag(token)
	e := &entry[V]{token: token, value: *value}
	first, second := t.places(tag)
	t.mu.Lock()
	defer t.mu.Unlock()
	b, i := first.slotOf(tag, token)
	if b == nil {
		b, i = second.slotOf(tag, token)
	}
	if b == nil {
		b, i = first, first.empty()
		if first.used() > second.used() || i == ways {
			b, i = second, second.empty()
		}
	}
	if i == ways {
		t.hand++
		b, i = victim([...]*bucket[V]{first, second}, t.hand, useless)
	}
	b.entries[i].Store(e)
	b.tags[i].Store(tag)
}

// Delete forgets the token.
func (t *Table[V]) Delete(token string) {
	if t == nil {
		return
	}
	tag := t.tag(token)
	first, second := t.places(tag)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range [...]*bucket[V]{first, second} {
		if at, i := b.slotOf(tag, token); at != nil {
			at.tags[i].Store(0)
			at.entries[i].Store(nil)
		}
	}
}

// Len returns how many tokens are remembered, by counting them.
func (t *Table[V]) Len() int {
	if t == nil {
		return 0
	}
	n := 0
	for i := range t.buckets {
		n += t.buckets[i].used()
	}
	return n
}

// slotOf returns b and the slot that has the token, or nil.
func (b *bucket[V]) slotOf(tag uint64, token string) (*bucket[V], int) {
	for i := range b.entries {
		if b.tags[i].Load() != tag {
			continue
		}
		if e := b.entries[i].Load(); e != nil && e.token == token {
			return b, i
		}
	}
	return nil, 0
}

// empty returns a slot without an entry, ways if there is none.
func (b *bucket[V]) empty() int {
	for i := range b.entries {
		if b.entries[i].Load() == nil {
			return i
		}
	}
	return ways
}

func (b *bucket[V]) used() int {
	n := 0
	for i := range b.entries {
		if b.entries[i].Load() != nil {
			n++
		}
	}
	return n
}

// victim returns the slot of two full buckets to use again: one whose value is
// useless, else one that was not asked for. It begins where the hand points,
// and takes from those it passes over their having been asked for. The hand
// moves on: if a token's own place said where to begin, two that are asked for
// in turn could drive each other out for ever.
func victim[V any](pair [2]*bucket[V], hand int, useless func(*V) bool) (*bucket[V], int) {
	const slots = 2 * ways
	for k := range slots {
		if b, i := pair[k/ways], k%ways; useless(&b.entries[i].Load().value) {
			return b, i
		}
	}
	begin := hand & (slots - 1)
	for k := begin; k < begin+slots; k++ {
		b, i := pair[k%slots/ways], k%ways
		if !b.entries[i].Load().asked.Swap(false) {
			return b, i
		}
	}
	return pair[begin/ways], begin % ways
}
