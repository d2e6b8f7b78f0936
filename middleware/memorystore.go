package middleware

import (
	"context"
	"slices"
	"sync"
	"time"
)

// sweepEvery is how often a MemoryStore drops expired records.
const sweepEvery = time.Minute

// MemoryStore is a [SessionStore] in the memory of one process: sessions end
// with it, and a second process does not see them. It drops expired sessions by
// itself, and starts no goroutine. It is a [SessionLocker], for the sake of two
// Logins in one process.
type MemoryStore struct {
	now func() time.Time

	mu        sync.Mutex // guards all below
	records   map[string]SessionRecord
	bySubject map[string]map[string]struct{} // subject → keys
	locks     map[string]memoryLock          // of keys in records
	swept     time.Time
}

// memoryLock is who may refresh a session, and until when.
type memoryLock struct {
	holder string
	until  time.Time
}

// NewMemoryStore returns an empty MemoryStore.
func NewMemoryStore() *MemoryStore { return newMemoryStore(time.Now) }

func newMemoryStore(now func() time.Time) *MemoryStore {
	return &MemoryStore{
		now:       now,
		records:   make(map[string]SessionRecord),
		bySubject: make(map[string]map[string]struct{}),
		locks:     make(map[string]memoryLock),
		swept:     now(),
	}
}

// Get implements SessionStore.
func (m *MemoryStore) Get(_ context.Context, key string) (SessionRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rec, ok := m.live(key)
	if !ok {
		return SessionRecord{}, ErrSessionGone
	}
	rec.Data = slices.Clone(rec.Data)
	return rec, nil
}

// Create implements SessionStore.
func (m *MemoryStore) Create(_ context.Context, rec SessionRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep()
	if _, ok := m.live(rec.Key); ok {
		return ErrSessionConflict
	}
	rec.Version = 1
	rec.Data = slices.Clone(rec.Data)
	m.records[rec.Key] = rec
	keys := m.bySubject[rec.Subject]
	if keys == nil {
		keys = make(map[string]struct{})
		m.bySubject[rec.Subject] = keys
	}
	keys[rec.Key] = struct{}{}
	return nil
}

// Update implements SessionStore.
func (m *MemoryStore) Update(_ context.Context, rec SessionRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, ok := m.live(rec.Key)
	if !ok {
		return ErrSessionGone
	}
	if stored.Version != rec.Version {
		return ErrSessionConflict
	}
	stored.Version++
	stored.ExpiresAt = rec.ExpiresAt
	stored.Data = slices.Clone(rec.Data)
	m.records[rec.Key] = stored
	return nil
}

// Delete implements SessionStore.
func (m *MemoryStore) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(key)
	return nil
}

// DeleteBySubject implements SessionStore.
func (m *MemoryStore) DeleteBySubject(_ context.Context, subject string) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for key := range m.bySubject[subject] {
		if _, ok := m.live(key); ok {
			n++
		}
		m.drop(key)
	}
	return n, nil
}

// Lock implements SessionLocker.
func (m *MemoryStore) Lock(_ context.Context, key, holder string, lease time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.live(key); !ok {
		return ErrSessionGone
	}
	now := m.now()
	if held := m.locks[key]; held.holder != holder && held.until.After(now) {
		return ErrSessionLocked
	}
	m.locks[key] = memoryLock{holder, now.Add(lease)}
	return nil
}

// Unlock implements SessionLocker.
func (m *MemoryStore) Unlock(_ context.Context, key, holder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks[key].holder == holder {
		delete(m.locks, key)
	}
	return nil
}

// live returns a record that has not expired, and drops one that has. m.mu is
// held.
func (m *MemoryStore) live(key string) (SessionRecord, bool) {
	rec, ok := m.records[key]
	if ok && !rec.ExpiresAt.After(m.now()) {
		m.drop(key)
		return SessionRecord{}, false
	}
	return rec, ok
}

// drop deletes a record, if there is one. m.mu is held.
func (m *MemoryStore) drop(key string) {
	rec, ok := m.records[key]
	if !ok {
		return
	}
	delete(m.records, key)
	delete(m.locks, key)
	keys := m.bySubject[rec.Subject]
	delete(keys, key)
	if len(keys) == 0 {
		delete(m.bySubject, rec.Subject)
	}
}

// sweep drops what has expired, once in a while. m.mu is held.
func (m *MemoryStore) sweep() {
	now := m.now()
	if now.Sub(m.swept) < sweepEvery {
		return
	}
	m.swept = now
	for key, rec := range m.records {
		if !rec.ExpiresAt.After(now) {
			m.drop(key)
		}
	}
}
