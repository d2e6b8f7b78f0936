package fleettest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// judge knows what browsers saw, what crossed the wire and what was broken. It
// is safe for concurrent use.
type judge struct {
	clock *clock
	lease time.Duration
	began time.Time

	mu       sync.Mutex // guards what follows
	deaths   map[int]time.Time
	outages  []*outage
	ends     []*poolEnd
	subs     map[int]string // by person
	tokens   map[string]*issue
	codes    map[string]*issue
	signOuts []*signOut
	sessions []*session
	report   Report
	records  map[string]*record // by key
	lines    map[string]*issue  // by digest of a token
	over     map[string]bool    // calls, by id
	calls    map[string]*issue  // whose tokens a call redeems, by its id, while it is not over
	failures map[int][]*failure // by process
	keysAway func() bool
}

// record is what the store has of a session.
type record struct {
	key     string
	ends    time.Time // by the clock
	failed  time.Time // when the store last could not tell about it, by the clock
	holders []*holding
}

// holding is a time in which a process may have had the lock of a session, in
// the machine's time; to is zero while it lasts.
type holding struct {
	process  int
	holder   string
	from, to time.Time
}

// failure is of a call that a process made, in the machine's time.
type failure struct {
	at    time.Time
	store bool // else of the pool
}

// outage is a time without the store, in the machine's time.
type outage struct{ from, to time.Time }

// poolEnd is the end of a person's sign-ins by the pool's administrator.
type poolEnd struct {
	person     int
	from, to   time.Time // the call, in the machine's time
	bites      time.Time // by the clock: from when nobody is in by tokens of before
	bitesUntil time.Time // by the clock; zero for ever
}

// signOut is one of a person everywhere, in the machine's time. What is
// unanswered may be done or not, and a little later.
type signOut struct {
	person     int
	from, to   time.Time
	unanswered bool
}

// issue is a set of tokens that the pool gave out.
type issue struct {
	person   int
	number   int // in its line
	process  int // that asked
	at       time.Time
	expires  time.Time // by the clock
	call     string    // by which the pool gave it
	refresh  string    // digest
	id       string    // digest
	received bool      // the process has the answer
	stored   time.Time // the refresh token, in the machine's time; zero if not
	usable   time.Time // the ID token
	gone     bool      // its session had ended when it was to be stored
	record   *record   // of the first in a line
	open     []*asking
	before   *issue
	next     *issue // its refresh token was redeemed
}

// asking is a refresh that went on to the pool and is not over.
type asking struct {
	process int
	call    string
}

func newJudge(c *clock) *judge {
	return &judge{
		clock: c, began: time.Now(), deaths: map[int]time.Time{}, subs: map[int]string{},
		tokens: map[string]*issue{}, codes: map[string]*issue{},
		records: map[string]*record{}, lines: map[string]*issue{}, over: map[string]bool{}, calls: map[string]*issue{}, failures: map[int][]*failure{},
	}
}

// killed notes that a process is being killed.
func (j *judge) killed(process int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.deaths[process] = time.Now()
	j.report.Kills++
}

// lastDeath is when a process was last killed.
func (j *judge) lastDeath() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	last := j.began
	for _, death := range j.deaths {
		if death.After(last) {
			last = death
		}
	}
	return last
}

// endedByApp notes that the app has the pool end somebody's sign-ins.
func (j *judge) endedByApp() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.report.EndedByApp++
}

// storeDown notes that the store is about to be away, and returns what notes
// that it is back.
func (j *judge) storeDown() (back func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	o := &outage{from: time.Now()}
	j.outages = append(j.outages, o)
	j.report.Outages++
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		o.to = time.Now()
	}
}

// recovery is how long after an outage the last error of it may come: drivers
// find dead connections.
const recovery = 2 * time.Second

func (j *judge) storeWasDown(from, to time.Time) bool {
	for _, o := range j.outages {
		if o.from.Before(to) && (o.to.IsZero() || o.to.Add(recovery).After(from)) {
			return true
		}
	}
	return false
}

// poolEnds notes that the pool's administrator ends somebody's sign-ins. What
// it returns notes that it is done, and until when it holds.
func (j *judge) poolEnds(person int) (done func(holdsUntil time.Time)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := &poolEnd{person: person, from: time.Now()}
	j.ends = append(j.ends, e)
	return func(until time.Time) {
		j.mu.Lock()
		defer j.mu.Unlock()
		e.to = time.Now()
		e.bites, e.bitesUntil = j.clock.at(e.to).Add(tokenLife+slack), until
		j.report.Revoked++
	}
}

// enabled notes that somebody whom the pool had disabled is not any more.
func (j *judge) enabled(person int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.clock.at(time.Now())
	for _, e := range j.ends {
		if e.person == person && e.bitesUntil.After(now) {
			e.bitesUntil = now
		}
	}
}

// noted takes a note of a process.
func (j *judge) noted(n note) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	switch n.What {
	case callOver:
		j.callOver(n)
	case created, stored:
		r := j.record(n.Key)
		r.ends = n.Ends
		j.hasTokens(r, n, now)
	case gone:
		for _, token := range n.Tokens {
			if i := j.lines[token]; i != nil && i.stored.IsZero() {
				i.gone = true
			}
		}
	case locked:
		r := j.record(n.Key)
		r.holders = append(r.holders, &holding{process: n.Process, holder: n.Holder, from: now})
	case unlocked:
		for _, h := range j.record(n.Key).holders {
			if h.holder == n.Holder && h.to.IsZero() {
				h.to = now
			}
		}
	case storeFailed, storeTired:
		j.failures[n.Process] = append(j.failures[n.Process], &failure{now, true})
		j.record(n.Key).failed = j.clock.at(now)
		_, dying := j.deaths[n.Process]
		if n.What == storeFailed && !dying && !j.storeWasDown(now, now) {
			j.say(Wrong, nil, "the store failed process %d, and nothing was wrong with it", n.Process)
		}
	}
}

func (j *judge) record(key string) *record {
	r := j.records[key]
	if r == nil {
		r = &record{key: key}
		j.records[key] = r
	}
	return r
}

// callOver: of two sets of tokens at most, those that this call brought.
func (j *judge) callOver(n note) {
	j.over[n.Call] = true
	if n.Failed {
		j.failures[n.Process] = append(j.failures[n.Process], &failure{at: time.Now()})
	}
	i := j.calls[n.Call]
	if i == nil {
		return
	}
	delete(j.calls, n.Call)
	i.open = slices.DeleteFunc(i.open, func(a *asking) bool { return a.call == n.Call })
	if i.next != nil && i.next.call == n.Call {
		i.next.received = n.Got
	}
}

// hasTokens: the store has these.
func (j *judge) hasTokens(r *record, n note, now time.Time) {
	known := 0
	for _, token := range n.Tokens {
		i := j.lines[token]
		if i == nil {
			continue
		}
		known++
		if i.before == nil {
			i.record = r
		}
		if i.refresh == token && i.stored.IsZero() {
			i.stored = now
		}
		if i.id == token && i.usable.IsZero() {
			i.usable = now
		}
	}
	if known < 2 {
		j.say(Wrong, nil, "a record with %d tokens of the pool's", known)
	}
}

// asks notes that a refresh goes on to the pool, and returns the tokens it is
// for; nil if there are none. It does not go on, and ok is false, if its sender
// is not waiting for it any more. Two at a time are a violation, and so is one
// after the other.
func (j *judge) asks(process int, call, token string) (of *issue, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, dead := j.deaths[process]; dead || j.over[call] {
		return nil, false
	}
	j.report.Refreshes++
	of = j.tokens[token]
	if of == nil {
		j.say(Doubled, nil, "process %d redeems a refresh token that the pool never gave", process)
		return nil, true
	}
	for _, other := range of.open {
		if _, dead := j.deaths[other.process]; !dead {
			j.say(Doubled, j.sessionOf(of), "processes %d and %d redeem refresh token %d at a time", other.process, process, of.number)
		}
	}
	if of.next != nil && !j.lost(of.next) {
		j.say(Doubled, j.sessionOf(of), "process %d redeems refresh token %d, which process %d has redeemed", process, of.number, of.next.process)
	}
	of.open = append(of.open, &asking{process, call})
	j.calls[call] = of
	return of, true
}

// answered notes the tokens that the pool gave for such a refresh.
func (j *judge) answered(of *issue, process int, call string, got *answer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, _, expires, err := got.read()
	if err != nil {
		j.say(Wrong, nil, "the pool's answer: %v", err)
	}
	next := &issue{person: of.person, number: of.number + 1, process: process, expires: expires, before: of, call: call}
	of.next = next
	j.issued(next, got)
}

func (j *judge) issued(i *issue, got *answer) {
	i.at, i.refresh, i.id = time.Now(), digest(got.Refresh), digest(got.ID)
	j.tokens[got.Refresh], j.lines[i.refresh], j.lines[i.id] = i, i, i
}

// exchanged notes the tokens for a code.
func (j *judge) exchanged(process int, code string, got answer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	person, sub, expires, err := got.read()
	if err != nil {
		j.say(Wrong, nil, "the pool's answer: %v", err)
		return
	}
	j.subs[person] = sub
	i := &issue{person: person, process: process, expires: expires}
	j.codes[code] = i
	j.issued(i, &got)
}

// lost says whether nobody has the tokens: the store has not, and the process
// has not got the answer, or is dead.
func (j *judge) lost(i *issue) bool {
	_, dead := j.deaths[i.process]
	return i.stored.IsZero() && (dead || !i.received)
}

// last is the newest set of tokens in the line of i.
func (i *issue) last() *issue {
	for i.next != nil {
		i = i.next
	}
	return i
}

// livesUntil is until when a session has tokens that are good, by the clock:
// those that were stored when the request began.
func (j *judge) livesUntil(first *issue, from time.Time) time.Time {
	i := first.last()
	for i.before != nil && (i.usable.IsZero() || i.usable.After(from)) {
		i = i.before
	}
	return i.expires
}

func (j *judge) sessionOf(i *issue) *session {
	for i.before != nil {
		i = i.before
	}
	for _, s := range j.sessions {
		if s.first == i {
			return s
		}
	}
	return nil
}

// say notes a violation. j.mu is held.
func (j *judge) say(c Counter, s *session, format string, args ...any) {
	j.report.found[c]++
	text := fmt.Sprintf("VIOLATION (%s) at %v: ", c, time.Since(j.began).Round(time.Millisecond)) + fmt.Sprintf(format, args...)
	if s != nil {
		text += fmt.Sprintf("\n  session %d of browser %d, person %d:\n    %s", s.number, s.browser, s.person, strings.Join(s.life, "\n    "))
		if s.first != nil {
			for i := s.first; i != nil; i = i.next {
				text += fmt.Sprintf("\n    tokens %d: at %v to process %d, received %v, stored %v, until %s", i.number,
					i.at.Sub(j.began).Round(time.Millisecond), i.process, i.received, !i.stored.IsZero(), i.expires.UTC().Format(time.TimeOnly))
			}
		}
	}
	j.report.Violations = append(j.report.Violations, text)
}
