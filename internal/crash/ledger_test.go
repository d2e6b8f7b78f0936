package crash_test

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// ledger is what was killed, where.
type ledger struct {
	began time.Time
	mu    sync.Mutex // guards what follows
	hits  map[string]map[window]int
	lines []string
	// failed counts invocations that gave an error.
	failed map[string]int
}

func newLedger() *ledger {
	return &ledger{began: time.Now(), hits: map[string]map[window]int{}, failed: map[string]int{}}
}

func (l *ledger) hit(k *kill, who string, in window) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hits[who] == nil {
		l.hits[who] = map[window]int{}
	}
	l.hits[who][in]++
	l.lines = append(l.lines, fmt.Sprintf("%8v  %v; it was: %s", time.Since(l.began).Truncate(time.Millisecond), k, in))
}

func (l *ledger) fail(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed[what]++
}

// kills counts all.
func (l *ledger) kills() (all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, of := range l.hits {
		for _, n := range of {
			all += n
		}
	}
	return all
}

// at counts those of one victim in one window.
func (l *ledger) at(who string, w window) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hits[who][w]
}

func (l *ledger) history() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// summary has a line for each victim.
func (w *world) summary() string {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf("seed %d, %d people\n", w.cfg.seed, len(w.truth.everybody()))
	for _, who := range []string{dbsyncName, signInsName, postgresName} {
		text += fmt.Sprintf("%-12s killed:", who)
		for _, w := range windows {
			if n := l.hits[who][w]; n > 0 {
				text += fmt.Sprintf(" %s %d,", w, n)
			}
		}
		text = strings.TrimSuffix(text, ",") + "\n"
	}
	return text + fmt.Sprintf("%-12s %v\n", "failed:", l.failed)
}
