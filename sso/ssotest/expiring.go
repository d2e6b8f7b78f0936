package ssotest

import (
	"sync"
	"time"
)

// expiring is a map whose entries end at a time of the pool's clock. It is safe for concurrent use.
type expiring[V any] struct {
	mu      sync.Mutex // guards the fields below
	entries map[string]expiringEntry[V]
	sweepAt int // size at which ended entries are dropped
}

type expiringEntry[V any] struct {
	value V
	until time.Time
}

// sweepMin is the size below which sweeping is not worth it.
const sweepMin = 256

func (e *expiring[V]) put(now time.Time, key string, value V, until time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.entries == nil {
		e.entries, e.sweepAt = map[string]expiringEntry[V]{}, sweepMin
	}
	if len(e.entries) >= e.sweepAt {
		for k, v := range e.entries {
			if !now.Before(v.until) {
				delete(e.entries, k)
			}
		}
		e.sweepAt = max(sweepMin, 2*len(e.entries))
	}
	e.entries[key] = expiringEntry[V]{value, until}
}

func (e *expiring[V]) get(now time.Time, key string) (V, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.live(now, key)
}

// take returns the entry and removes it, if accept agrees. Of callers at the same time one gets it.
func (e *expiring[V]) take(now time.Time, key string, accept func(V) bool) (V, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v, ok := e.live(now, key)
	if !ok || !accept(v) {
		var zero V
		return zero, false
	}
	delete(e.entries, key)
	return v, true
}

func (e *expiring[V]) drop(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.entries, key)
}

func (e *expiring[V]) live(now time.Time, key string) (V, bool) {
	entry, ok := e.entries[key]
	if !ok || !now.Before(entry.until) {
		var zero V
		return zero, false
	}
	return entry.value, true
}
