package chaos

import (
	"sync"
	"time"
)

// truth is what the model knows by itself: what was sent, what was handed out.
type truth struct {
	mu sync.Mutex // guards what follows
	// newest is the latest time that anybody tried to send, by sub.
	newest map[string]time.Time
	// kept are the messages that the queue took, by sub.
	kept map[string][]sent
	// unsent are the messages that it did not take, by sub: nobody knows of
	// these sign-ins, which is the one way to lose one.
	unsent map[string]map[string]bool
	// signedUp is when the sign-up began that ended well, by sub. From then on
	// the row has a last login.
	signedUp map[string]time.Time
	// missed is when a store last said that it does not know the sub.
	missed map[string]time.Time
	// welcomed is when the sub first got a token.
	welcomed map[string]time.Time
	tokens   []token
	out      []*person // who could not sign in when nothing was broken any more
}

type sent struct{ at, taken time.Time }

// token is what an app got.
type token struct {
	person     *person
	sub        string
	id, access string
	both       bool // the access token has the claim too
	flow       string
}

func newTruth() *truth {
	return &truth{newest: map[string]time.Time{}, kept: map[string][]sent{}, unsent: map[string]map[string]bool{},
		signedUp: map[string]time.Time{}, missed: map[string]time.Time{}, welcomed: map[string]time.Time{}}
}

// attempted notes a message that somebody tries to send.
func (t *truth) attempted(raw string) {
	b, ok := readBody(raw)
	if !ok {
		return
	}
	t.tried(b.Sub, b.At)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.unsent[b.Sub] == nil {
		t.unsent[b.Sub] = map[string]bool{}
	}
	t.unsent[b.Sub][raw] = true
}

// tried notes a time that somebody tried to write, or to send.
func (t *truth) tried(sub string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.After(t.newest[sub]) {
		t.newest[sub] = at
	}
}

// confirmed notes a sign-up that ended well.
func (t *truth) confirmed(sub string, began time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signedUp[sub] = began
}

// accepted notes a message that the queue took: from now on it must count.
func (t *truth) accepted(raw string) {
	b, ok := readBody(raw)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept[b.Sub] = append(t.kept[b.Sub], sent{b.At, time.Now()})
	delete(t.unsent[b.Sub], raw)
}

// unknown notes that a store knew nothing of these subs. That is true of who
// was lost at sign-up and came again, and of no one who had a token before.
func (t *truth) unknown(subs []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, sub := range subs {
		if t.welcomed[sub].IsZero() {
			t.missed[sub] = time.Now()
		}
	}
}

func (t *truth) token(k token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens = append(t.tokens, k)
	if t.welcomed[k.sub].IsZero() {
		t.welcomed[k.sub] = time.Now()
	}
}

// due is the last login that the row of a sub must have at least.
func (t *truth) due(sub string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	var due time.Time
	for _, m := range t.kept[sub] {
		excused := !m.taken.After(t.missed[sub])
		if !excused && m.at.After(due) {
			due = m.at
		}
	}
	return due
}

// first is the last login that the row of a sub must have at least, by its
// sign-up alone: whichever trigger made the row, its clock was no slower than
// the slowest. Zero if nobody signed up, or if the queue did not take a message:
// it may have been that of the sign-up, for a row that was there without a time.
func (t *truth) first(sub string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	began, ok := t.signedUp[sub]
	if !ok || len(t.unsent[sub]) > 0 {
		return time.Time{}
	}
	return began.Add(-slowestClock)
}

// slowestClock is more than any clock of skews is behind, and than a second tab
// may be ahead of the sign-up.
const slowestClock = 2 * time.Minute

// most is the last login that the row of these subs may have at most.
func (t *truth) most(subs []string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	var most time.Time
	for _, sub := range subs {
		if t.newest[sub].After(most) {
			most = t.newest[sub]
		}
	}
	return most
}

// shutOut notes who could not sign in when nothing was broken any more.
func (t *truth) shutOut(p *person) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out = append(t.out, p)
}
