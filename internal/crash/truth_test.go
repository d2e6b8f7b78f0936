package crash_test

import (
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// truth is what the model knows by itself: who there is, what they were told,
// what was sent.
type truth struct {
	mu     sync.Mutex // guards what follows
	people []*person
	byName map[string]*person
	bySub  map[string]*person
}

func newTruth() *truth { return &truth{byName: map[string]*person{}, bySub: map[string]*person{}} }

func (t *truth) add(p *person) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.people = append(t.people, p)
	t.byName[p.username], t.bySub[p.sub] = p, p
}

func (t *truth) everybody() []*person {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.people)
}

// message reads a sign-in as it is documented: nothing of the writer's is used.
func (t *truth) message(raw string) (*person, time.Time) {
	var m struct {
		Sub string    `json:"sub"`
		At  time.Time `json:"at"`
	}
	if json.Unmarshal([]byte(raw), &m) != nil {
		return nil, time.Time{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bySub[m.Sub], m.At
}

func (t *truth) attempted(raw string) {
	if p, at := t.message(raw); p != nil {
		p.change(func() {
			p.sent = append(p.sent, at)
			p.unsent[raw] = true
		})
	}
}

// asked notes the sign-in of a request to sso-dbsync, which is written if the
// row becomes the person's by it.
func (t *truth) asked(request []byte) {
	var r struct {
		Op   string          `json:"op"`
		Args json.RawMessage `json:"args"`
	}
	if json.Unmarshal(request, &r) != nil || r.Op != "ensure" {
		return
	}
	if p, at := t.message(string(r.Args)); p != nil && !at.IsZero() {
		p.change(func() { p.sent = append(p.sent, at) })
	}
}

// accepted notes what the queue took. It must be recorded, but for a sign-in of
// somebody who was told no id yet, and whose row may come only later.
// PostConfirmation sends one when it found the row, and did not make it.
func (t *truth) accepted(raw string) {
	p, at := t.message(raw)
	if p == nil {
		return
	}
	p.note("the queue took the sign-in of %s", at.Format(clock))
	p.change(func() {
		delete(p.unsent, raw)
		if (p.known || p.confirming) && at.After(p.due) {
			p.due = at
		}
	})
}

// attribute notes what the pool was told of a person.
func (t *truth) attribute(username, id string) {
	t.mu.Lock()
	p := t.byName[username]
	t.mu.Unlock()
	if p == nil {
		return
	}
	p.note("attribute %q", id)
	p.change(func() { p.attribute, p.ids, p.known = id, append(p.ids, id), true })
}

const clock = "15:04:05.000000"
