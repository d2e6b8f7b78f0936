package tokenmemory_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/tokenmemory"
)

func useful(*int) bool { return false }

// token is the nth of many tokens that differ where real ones do.
func token(n int) string {
	return "header.payload." + strings.Repeat("x", 100) + fmt.Sprintf("%032x", n*2654435761)
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := tokenmemory.New[int](100)
	for _, text := range []string{"", "a", "short.er.token", token(1), token(2)} {
		if table.Get(text) != nil {
			t.Errorf("%q is known before it was put in", text)
		}
		value := len(text)
		table.Put(text, &value, useful)
		value = -1 // it was copied
		if got := table.Get(text); got == nil || *got != len(text) {
			t.Errorf("%q: %v", text, got)
		}
	}
	one := 1
	table.Put(token(1), &one, useful)
	if got := table.Get(token(1)); got == nil || *got != 1 || table.Len() != 5 {
		t.Errorf("put again: %v, and %d tokens", got, table.Len())
	}
	table.Delete(token(1))
	table.Delete(token(3))
	if table.Get(token(1)) != nil || table.Get(token(2)) == nil || table.Len() != 4 {
		t.Errorf("%d tokens after deleting one", table.Len())
	}
}

// TestWholeToken holds that a token of which one byte differs is another one,
// wherever that byte is: also outside of what is hashed.
func TestWholeToken(t *testing.T) {
	t.Parallel()
	table := tokenmemory.New[int](8)
	good, value := token(1), 1
	table.Put(good, &value, useful)
	for i := range good {
		other := good[:i] + "~" + good[i+1:]
		if table.Get(other) != nil {
			t.Errorf("found with byte %d changed", i)
		}
		if table.Delete(other); table.Get(good) == nil {
			t.Fatalf("deleted with byte %d changed", i)
		}
	}
	for _, other := range []string{good[1:], "x" + good, good + "x", good[:len(good)-1], good[len(good)-32:]} {
		if table.Get(other) != nil {
			t.Errorf("%q found", other)
		}
	}
}

func TestBound(t *testing.T) {
	t.Parallel()
	for size, bound := range map[int]int{1: 8, 8: 8, 9: 12, 1000: 1000} {
		table := tokenmemory.New[int](size)
		for n := range 10 * bound {
			table.Put(token(n), &n, useful)
			if got := table.Get(token(n)); got == nil || *got != n {
				t.Fatalf("size %d: %d is not there", size, n)
			}
		}
		if got := table.Len(); got > bound || got < bound*9/10 {
			t.Errorf("size %d: %d tokens are remembered", size, got)
		}
	}
}

// TestRoom holds that a table that is three fifths full has lost next to
// nothing: 10,000 tokens in play fit the default size.
func TestRoom(t *testing.T) {
	t.Parallel()
	table := tokenmemory.New[int](16384)
	for n := range 10_000 {
		table.Put(token(n), &n, useful)
	}
	if lost := 10_000 - table.Len(); lost > 50 { // some 4, by the seed; hundreds if each had one bucket
		t.Errorf("%d of 10,000 tokens are lost", lost)
	}
}

// TestSecondChance holds that tokens which are asked for stay while a flood of
// others, each seen once, goes by: in every table, since each has a seed of
// its own and one in twenty puts two of the tokens where they meet.
func TestSecondChance(t *testing.T) {
	t.Parallel()
	for range 30 {
		table := tokenmemory.New[int](400)
		for n := range 40 {
			table.Put(token(n), &n, useful)
		}
		missed := 0
		for n := 1000; n < 9000; n++ {
			table.Put(token(n), &n, useful)
			if hot := n % 40; table.Get(token(hot)) == nil {
				missed++ // 800 if what makes room is anybody's guess
				table.Put(token(hot), &hot, useful)
			}
		}
		if missed > 250 { // some 20 to 80; 440 where two drive each other out
			t.Fatalf("%d of 8,000 times it was gone", missed)
		}
	}
}

// TestUselessGoFirst: what is of no use makes room at once. Where it is not in
// the new token's buckets, one table in four, it cannot.
func TestUselessGoFirst(t *testing.T) {
	t.Parallel()
	const tables = 400
	gone := 0
	for range tables {
		table := tokenmemory.New[int](8) // two buckets: any token may go to either, or both times to one
		idle := -1
		for n := range 101 {
			if n == 100 { // all are in use, so that only useful decides
				for known := range 100 {
					if table.Get(token(known)) != nil {
						idle = known
					}
				}
			}
			table.Put(token(n), &n, func(v *int) bool { return *v == idle })
		}
		if table.Get(token(idle)) == nil {
			gone++
		}
	}
	if gone < tables/2 { // some 300; next to none if usefulness does not matter
		t.Errorf("of no use, and gone in %d of %d tables", gone, tables)
	}
}

func TestNilTable(t *testing.T) {
	t.Parallel()
	var table *tokenmemory.Table[int]
	value := 1
	table.Put("a", &value, useful)
	table.Delete("a")
	if table.Get("a") != nil || table.Len() != 0 {
		t.Error("nil remembers")
	}
}

// TestConcurrent is for the race detector, and holds that whatever is found
// belongs to the token asked for.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	table := tokenmemory.New[int](16)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 4000 {
				n := (i*7 + w*13) % 40
				if got := table.Get(token(n)); got != nil && *got != n {
					t.Errorf("%d for %d", *got, n)
				}
				switch i % 5 {
				case 0, 1:
					table.Put(token(n), &n, useful)
				case 2:
					table.Delete(token(n))
				}
			}
		})
	}
	wg.Wait()
	if table.Len() > 16 {
		t.Errorf("%d tokens", table.Len())
	}
}

//nolint:paralleltest // AllocsPerRun counts what every goroutine allocates
func TestGetDoesNotAllocate(t *testing.T) {
	table := tokenmemory.New[int](100)
	good, bad, value := token(1), token(2), 1
	table.Put(good, &value, useful)
	if n := testing.AllocsPerRun(100, func() { table.Get(good); table.Get(bad) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
