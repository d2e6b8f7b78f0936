package chaos

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// queue is a model of a standard SQS queue with a dead-letter queue: at least
// once, in any order, and back again if not deleted in time.
type queue struct {
	w *world

	mu       sync.Mutex // guards what follows
	messages []*message
	dead     []*message
	taken    int
}

const (
	visibility = 30 * time.Second
	maxReceive = 5
)

// message is one copy of a message; Body is what the sender wrote.
type message struct {
	id, body string
	poison   bool
	visible  time.Time
	received int
	gone     bool
}

// take accepts a message. It may come out twice, and late.
func (q *queue) take(c *call, body string) string {
	r := c.dice("take")
	twice, late, poison := q.w.strikes(r, MessageTwice), q.w.strikes(r, MessageLate), q.w.strikes(r, MessagePoison)
	delays := [2]time.Duration{between(r, 0, 2*time.Second), between(r, 0, 5*time.Minute)}
	if late {
		delays[0] = between(r, time.Minute, 26*time.Hour)
	}
	if q.w.calm.Load() {
		delays[0] = 0
	}
	copies := delays[:1]
	if twice {
		copies = delays[:]
	}
	q.w.truth.accepted(body)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken++
	id := fmt.Sprintf("message-%d", q.taken)
	for _, d := range copies {
		q.messages = append(q.messages, &message{id: id, body: body, visible: time.Now().Add(d)})
	}
	if poison {
		q.messages = append(q.messages, &message{id: id + "-poison", body: `{"v":1,"sub":`, poison: true, visible: time.Now()})
	}
	return id
}

// receive hands out at most limit messages, the latest first, and hides them
// for the visibility timeout. What came too often goes to the dead-letter queue.
func (q *queue) receive(limit int) []*message {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []*message
	now := time.Now()
	for _, m := range slices.Backward(q.messages) {
		switch {
		case m.visible.After(now) || len(out) == limit:
		case m.received == maxReceive:
			m.gone = true
			q.dead = append(q.dead, &message{id: m.id, body: m.body, poison: m.poison})
		default:
			m.received++
			m.visible = now.Add(visibility)
			out = append(out, m)
		}
	}
	q.sweep()
	return out
}

// remove deletes the messages but those with a failed id.
func (q *queue) remove(batch []*message, failed []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range batch {
		m.gone = m.gone || !slices.Contains(failed, m.id)
	}
	q.sweep()
}

// sweep drops what is gone; mu is held.
func (q *queue) sweep() {
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return m.gone })
}

// redrive puts what is in the dead-letter queue back, but for what nobody can read.
func (q *queue) redrive() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.dead {
		if !m.poison {
			q.messages = append(q.messages, &message{id: m.id, body: m.body, visible: time.Now()})
		}
	}
	q.dead = nil
}

// hurry makes every delayed message visible.
func (q *queue) hurry() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.messages {
		if now := time.Now(); m.received == 0 && m.visible.After(now) {
			m.visible = now
		}
	}
}

// empty looks at both queues.
func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages)+len(q.dead) == 0
}

// body is what the model itself reads of a message: not with the code under test.
type body struct {
	Sub string    `json:"sub"`
	At  time.Time `json:"at"`
}

func readBody(raw string) (body, bool) {
	var b body
	err := json.Unmarshal([]byte(raw), &b)
	return b, err == nil && b.Sub != ""
}
