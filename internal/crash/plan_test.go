package crash_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// window is a moment of a process, in which it can be killed.
type window string

const (
	startUp    window = "start-up"          // it has not asked for an event yet
	taken      window = "event taken"       // the database has heard nothing
	connecting window = "connecting"        // to the database
	sent       window = "statement sent"    // the database does not have it yet
	running    window = "statement running" // in the database, not committed
	committed  window = "committed"         // the answer is on its way back
	answering  window = "answering"         // the caller does not have it yet
	idle       window = "idle"              // its answer is told; the message is not deleted
)

// windows are all of them.
var windows = []window{startUp, taken, connecting, sent, running, committed, answering, idle}

// longest is how long a kill waits in its window, at most.
var longest = map[window]time.Duration{
	startUp: 6 * time.Millisecond, taken: 100 * time.Microsecond, connecting: 3 * time.Millisecond, sent: 5 * time.Millisecond,
	running: 3 * time.Millisecond, committed: 10 * time.Millisecond, answering: 3 * time.Millisecond, idle: 3 * time.Millisecond,
}

// fate is what becomes of a statement whose sender was killed while it was on
// its way.
type fate string

const (
	arrives fate = "arrives" // and runs, with nobody to hear of it
	half    fate = "arrives by half"
	gone    fate = "is gone"
)

// kill is one entry of the plan.
type kill struct {
	n        int
	of       string // the function
	at       window
	skip     int           // so many such windows go by first
	wait     time.Duration // in the window
	then     fate
	database bool // it is the database that is killed, while the function is there
}

func (k *kill) String() string {
	victim := k.of
	if k.database {
		victim = postgresName + ", for " + k.of
	}
	return fmt.Sprintf("#%d %s: %s after %v", k.n, victim, k.at, k.wait)
}

// The victims.
const (
	dbsyncName, signInsName = "sso-dbsync", "sso-signins"
	postgresName            = "PostgreSQL"
)

// plan hands out the kills of each function in their order. It is safe for
// concurrent use.
type plan struct {
	mu     sync.Mutex // guards what follows
	random *rand.Rand
	queues map[string][]*kill
	left   int
	done   chan struct{} // closed when none is left
}

func newPlan(seed uint64, kills int) *plan {
	p := &plan{random: rand.New(rand.NewPCG(seed, 0)), queues: map[string][]*kill{}, left: kills, done: make(chan struct{})}
	deal := map[string]*deck{dbsyncName: {random: p.random}, signInsName: {random: p.random}}
	for n := range kills {
		of := dbsyncName
		if n%5 > 2 {
			of = signInsName
		}
		p.queues[of] = append(p.queues[of], deal[of].kill(n, of))
	}
	if kills == 0 {
		close(p.done)
	}
	return p
}

// deck deals the windows evenly.
type deck struct {
	random *rand.Rand
	cards  []window
	fresh  bool // the last kill ended a process, so a new one will start
	turn   int
}

func (d *deck) kill(n int, of string) *kill {
	k := &kill{n: n, of: of, at: d.window(), then: []fate{arrives, half, gone}[d.random.IntN(3)]}
	k.wait = time.Duration(d.random.Int64N(int64(longest[k.at])))
	switch k.at {
	case sent, running, committed:
		k.database = d.random.Float64() < 0.15
	}
	if k.at != startUp && k.at != connecting {
		k.skip = d.random.IntN(6)
	}
	d.fresh = !k.database
	return k
}

// window deals a start only behind an end: else it might never come. The first
// two ends have one each, so that no plan is without.
func (d *deck) window() window {
	if d.fresh && (d.random.Float64() < 0.3 || d.turn < 2) {
		d.turn++
		return []window{startUp, connecting}[d.turn%2]
	}
	if len(d.cards) == 0 {
		d.cards = []window{taken, sent, running, committed, answering, idle}
		d.random.Shuffle(len(d.cards), func(i, j int) { d.cards[i], d.cards[j] = d.cards[j], d.cards[i] })
	}
	w := d.cards[0]
	d.cards = d.cards[1:]
	return w
}

// take gives out the next kill of a function if it belongs into this window.
func (p *plan) take(of string, at window) *kill {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.queues[of]
	if len(q) == 0 || q[0].at != at {
		return nil
	}
	if q[0].skip > 0 {
		q[0].skip--
		return nil
	}
	p.queues[of] = q[1:]
	return q[0]
}

// back takes a kill back that came too late: its victim had ended.
func (p *plan) back(k *kill) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queues[k.of] = append([]*kill{k}, p.queues[k.of]...)
}

// struck counts a kill off.
func (p *plan) struck() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left--; p.left == 0 {
		close(p.done)
	}
}

// delay is how long the proxy holds something, without a kill.
func (p *plan) delay() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(p.random.Int64N(int64(time.Millisecond)))
}

// String is the whole plan.
func (p *plan) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := ""
	for _, of := range []string{dbsyncName, signInsName} {
		for _, k := range p.queues[of] {
			text += fmt.Sprintf("%v, after %d others, a statement %s\n", k, k.skip, k.then)
		}
	}
	return text
}

// still says which kills are left, for a run that did not come to an end.
func (p *plan) still() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := ""
	for of, q := range p.queues {
		if len(q) > 0 {
			text += fmt.Sprintf("%d kills of %s are left, the next is %v; ", len(q), of, q[0])
		}
	}
	return text
}
