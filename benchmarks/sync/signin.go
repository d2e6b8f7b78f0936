package main

import (
	"sync"
	"testing"
	"time"
)

// slowness is the database that answers late.
const slowness = 2 * time.Second

// states of a database.
const (
	healthy = "healthy"
	slow    = "2 s late"
	down    = "down"
)

var states = []string{healthy, slow, down}

// design is whether a sign-in waits for the database.
const (
	queued = "queue"
	direct = "direct"
)

// signIns is how long people waited at one state of the database.
type signInTimes struct {
	design, state string
	times         times
	refused       int // people who got no token
	lost          int // sign-ins that nobody can record any more
}

// signUpTimes is the same of sign-ups.
type signUpTimes struct {
	state   string
	times   times
	refused int
}

// outage measures sign-ins and sign-ups with a database in every state, by the
// queue and by a write in the trigger.
type outage struct {
	ins   []signInTimes
	ups   []signUpTimes
	ratio float64 // p95 of the queue, slow over healthy
	asked int     // turns of the database in all sign-ins of the queue
}

// outageSizes are counts. Those that wait for seconds wait together.
type outageSizes struct{ rounds, slice, waiting, together int }

func measureOutage(t testing.TB, d database, n outageSizes) outage {
	t.Helper()
	who := &subjects{}
	who.last.Store(3_000_000)
	var o outage
	queues, people := map[string]*stack{}, map[string][]string{}
	for _, state := range states {
		s := newStack(t, stackConfig{name: state, database: d, proxied: true}, who)
		queues[state], people[state] = s, s.residents(t, 20)
	}
	for state, s := range queues {
		s.door.turn(state)
	}
	o.measureQueue(t, queues, people, n)
	for _, state := range states {
		cfg := stackConfig{name: "sign-ups " + state, database: d, proxied: true, at: n.together}
		r := signUpTimes{state: state}
		r.times, r.refused = crowd(t, newStack(t, cfg, who), state, n, func(s *stack) string { return s.who.next() })
		o.ups = append(o.ups, r)
		cfg.name, cfg.program = "direct "+state, blocking
		o.ins = append(o.ins, measureDirect(t, newStack(t, cfg, who), state, n))
	}
	return o
}

// residents are people who have signed up, and in once more.
func (s *stack) residents(t testing.TB, n int) (people []string) {
	t.Helper()
	for range n {
		subject, _ := s.signUp(t)
		s.signIn(t, subject)
		people = append(people, subject)
	}
	return people
}

// turn brings the database into a state.
func (p *proxy) turn(state string) {
	p.silent.Store(state == down)
	p.delay.Store(0)
	if state == slow {
		p.delay.Store(int64(slowness))
	}
}

// measureQueue takes slices of all states in turns.
func (o *outage) measureQueue(t testing.TB, stacks map[string]*stack, people map[string][]string, n outageSizes) {
	t.Helper()
	taken := map[string]times{}
	turns, sent := map[string]int64{}, map[string]int{}
	for state, s := range stacks {
		turns[state] = s.door.turns.Load()
		sent[state], _, _ = s.queue.Counts(t)
	}
	for round := range n.rounds {
		for i := range states {
			state := states[(i+round)%len(states)] // nobody is always first
			for range n.slice {
				who := people[state][len(taken[state])%len(people[state])]
				taken[state] = append(taken[state], stacks[state].signIn(t, who).waited)
			}
		}
	}
	for _, state := range states {
		o.asked += int(stacks[state].door.turns.Load() - turns[state])
		waiting, _, _ := stacks[state].queue.Counts(t)
		lost := len(taken[state]) - (waiting - sent[state])
		o.ins = append(o.ins, signInTimes{design: queued, state: state, times: taken[state], lost: lost})
	}
	o.ratio = float64(taken[slow].p95()) / float64(taken[healthy].p95())
}

// measureDirect has people sign in where the sign-in itself writes to the
// database.
func measureDirect(t testing.TB, s *stack, state string, n outageSizes) signInTimes {
	t.Helper()
	people := s.residents(t, max(n.waiting, 20)) // before it breaks
	began, next := time.Now(), 0
	r := signInTimes{design: direct, state: state}
	r.times, r.refused = crowd(t, s, state, n, func(*stack) string {
		next++
		return people[(next-1)%len(people)]
	})
	if state != healthy { // each of them came once
		for _, subject := range people[:n.waiting] {
			r.lost += 1 - s.database.number(t, "SELECT count(*) FROM users WHERE last_login_at >= $1 AND kakao_id = $2", began, subject)
		}
	}
	return r
}

// crowd is people who sign in at a stack whose database comes into this state:
// one by one where it is healthy, together where they wait for seconds. Some
// may be refused.
func crowd(t testing.TB, s *stack, state string, n outageSizes, who func(*stack) string) (waited times, refused int) {
	t.Helper()
	var warm sync.WaitGroup
	for range n.together { // every process has its connections
		subject := s.who.next()
		warm.Go(func() { _, _ = s.pool.signIn(t.Context(), subject) })
	}
	warm.Wait()
	s.door.turn(state)
	people, together := n.waiting, n.together
	if state == healthy {
		people, together = n.rounds*n.slice, 1
	}
	next := make(chan string, people)
	for range people {
		next <- who(s)
	}
	close(next)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range together {
		wg.Go(func() {
			for subject := range next {
				v, err := s.pool.signIn(t.Context(), subject)
				mu.Lock()
				waited = append(waited, v.waited)
				if err != nil {
					refused++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return waited, refused
}
