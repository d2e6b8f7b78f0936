package ssotest

import (
	"sync"
	"time"
)

// quotas count calls for Faults.Quota. They go by the real clock: one that only moves when told would never let anybody in.
type quotas struct {
	mu      sync.Mutex // guards buckets
	buckets map[string]*bucket
}

// bucket has one token for each call that is still allowed.
type bucket struct {
	tokens float64
	filled time.Time
}

// exceeded takes a token for a call of an operation that may be called perSecond times a second, 0 for no quota.
func (q *quotas) exceeded(operation string, perSecond int) bool {
	if perSecond <= 0 {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now, most := time.Now(), float64(perSecond)
	b, ok := q.buckets[operation]
	if !ok {
		if q.buckets == nil {
			q.buckets = make(map[string]*bucket)
		}
		b = &bucket{most, now}
		q.buckets[operation] = b
	}
	b.tokens = min(most, b.tokens+now.Sub(b.filled).Seconds()*most)
	b.filled = now
	if b.tokens < 1 {
		return true
	}
	b.tokens--
	return false
}
