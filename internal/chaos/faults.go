package chaos

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
)

// Fault is one way in which something breaks.
type Fault string

// The faults. The last ones are those of the database and the way to it,
// which are no part of the model: see [Table], [Wire] and [Rival].
const (
	DatabaseDown      Fault = "database not there for a whole run"
	DatabaseRefuses   Fault = "database call not made"
	DatabaseAnswer    Fault = "database call made, answer lost"
	DatabaseLate      Fault = "database call made after its caller gave up"
	DatabaseSlow      Fault = "database slower than the deadline allows"
	CognitoThrottles  Fault = "attribute write throttled"
	CognitoFails      Fault = "attribute write failed"
	CognitoAnswer     Fault = "attribute written, answer lost"
	CognitoSlow       Fault = "attribute write slow"
	ColdStart         Fault = "cold start"
	TriggerAbandoned  Fault = "trigger given up after 5 s, still running"
	TriggerThrottled  Fault = "trigger throttled (429)"
	TriggerUnrunnable Fault = "trigger could not be started (502)"
	TriggerAnswer     Fault = "trigger done, answer lost"
	QueueFails        Fault = "message not taken"
	QueueAnswer       Fault = "message taken, answer lost"
	QueueSlow         Fault = "queue slow"
	MessageTwice      Fault = "message delivered twice"
	MessageLate       Fault = "message delivered late, out of order"
	MessagePoison     Fault = "unreadable message"
	ConsumerCrash     Fault = "consumer died between database and delete"
	ClockSkew         Fault = "clock of the sender wrong"
	StaleAttributes   Fault = "token made of old attributes"
	SecondTab         Fault = "second tab at the same time"
	Recreated         Fault = "user deleted and signed up again"

	DatabaseError Fault = "deadlock or serialisation failure in the database"
	WireCut       Fault = "connection to the database cut"
	WireHalt      Fault = "connection to the database silent, then cut"
	WireSlow      Fault = "connection to the database slow"
	RivalLock     Fault = "locks held by another program"
)

// rates are the probabilities of the faults, each time that they could strike.
// Those that are not listed happen by themselves or belong to a person's life.
var rates = map[Fault]float64{
	DatabaseDown: 0.06, DatabaseRefuses: 0.06, DatabaseAnswer: 0.06, DatabaseLate: 0.03, DatabaseSlow: 0.04,
	CognitoFails: 0.05, CognitoAnswer: 0.05, CognitoSlow: 0.05,
	ColdStart: 0.08, TriggerThrottled: 0.02, TriggerUnrunnable: 0.02, TriggerAnswer: 0.04,
	QueueFails: 0.05, QueueAnswer: 0.05, QueueSlow: 0.03,
	MessageTwice: 0.10, MessageLate: 0.10, MessagePoison: 0.002, ConsumerCrash: 0.15,
	StaleAttributes: 0.50,
}

// tally counts faults. It is safe for concurrent use.
type tally struct {
	mu sync.Mutex // guards n
	n  map[Fault]int
}

func (t *tally) add(f Fault, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = map[Fault]int{}
	}
	if n > 0 {
		t.n[f] += n
	}
}

func (t *tally) all() map[Fault]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.n)
}

// strikes reports whether a fault happens, and counts it. It draws from r
// even when no faults are on, so that later draws stay what they are.
func (w *world) strikes(r *rand.Rand, f Fault) bool {
	if r.Float64() >= rates[f] || w.calm.Load() {
		return false
	}
	w.faults.add(f, 1)
	return true
}

// happens counts a fault that is part of somebody's life or of the model.
func (w *world) happens(f Fault) { w.faults.add(f, 1) }

func sortedFaults(n map[Fault]int) []Fault { return slices.Sorted(maps.Keys(n)) }
