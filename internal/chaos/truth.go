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
	return &truth{newest: map[string]time.Time{}, kept: map[string][]sent{}, missed: map[string]time.Time{}, welcomed: map[string]time.Time{}}
}

// attempted notes a message that somebody tries to send, and returns how far
// its time is from the true one.
func (t *truth) attempted(raw string) (skew time.Duration) {
	b, ok := readBody(raw)
	if !ok {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if b.At.After(t.newest[b.Sub]) {
		t.newest[b.Sub] = b.At
	}
	return time.Until(b.At)
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
