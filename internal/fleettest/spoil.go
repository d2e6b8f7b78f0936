package fleettest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

// lockStore is what the stores of this module are.
type lockStore interface {
	middleware.SessionStore
	middleware.SessionLocker
}

// spoil returns the store with the lease and without the guard that the
// settings say, and the spy behind all that.
func (s settings) spoil(store middleware.SessionStore, p *spy) (middleware.SessionStore, error) {
	both, ok := store.(lockStore)
	if !ok {
		return nil, errors.New("a store without a lock")
	}
	both = spiedStore{both, p}
	if s.Lease > 0 {
		both = leased{both, s.Lease}
	}
	switch s.Sabotage {
	case NoLock:
		return struct{ middleware.SessionStore }{both}, nil
	case NoReread:
		return &stale{lockStore: both, read: map[string]middleware.SessionRecord{}, old: map[string]middleware.SessionRecord{}}, nil
	case Upsert:
		return upserting{both}, nil
	case KeepDeleted:
		return keeping{both}, nil
	}
	return both, nil
}

// leased gives other leases than were asked for.
type leased struct {
	lockStore
	lease time.Duration
}

// Lock implements middleware.SessionLocker.
func (l leased) Lock(ctx context.Context, key, holder string, _ time.Duration) error {
	return l.lockStore.Lock(ctx, key, holder, l.lease)
}

type upserting struct{ lockStore }

// Update brings a deleted session back. It gives a sign-out time to come first.
func (u upserting) Update(ctx context.Context, rec middleware.SessionRecord) error {
	wait(ctx, 300*time.Millisecond)
	err := u.lockStore.Update(ctx, rec)
	if errors.Is(err, middleware.ErrSessionGone) {
		return u.Create(ctx, rec)
	}
	return err
}

type keeping struct{ lockStore }

// Delete deletes nothing.
func (keeping) Delete(context.Context, string) error { return nil }

// DeleteBySubject deletes nothing.
func (keeping) DeleteBySubject(context.Context, string) (int, error) { return 0, nil }

// stale answers the first Get under a lock with what was there before it.
type stale struct {
	lockStore

	mu        sync.Mutex // guards what follows
	read, old map[string]middleware.SessionRecord
}

// Lock gives the session's holder time to be done, after what was read before.
func (s *stale) Lock(ctx context.Context, key, holder string, lease time.Duration) error {
	s.mu.Lock()
	before := s.read[key]
	s.mu.Unlock()
	wait(ctx, 100*time.Millisecond)
	err := s.lockStore.Lock(ctx, key, holder, lease)
	if err == nil {
		s.mu.Lock()
		s.old[key] = before
		s.mu.Unlock()
	}
	return err
}

// Get implements middleware.SessionStore.
func (s *stale) Get(ctx context.Context, key string) (middleware.SessionRecord, error) {
	s.mu.Lock()
	old, ok := s.old[key]
	delete(s.old, key)
	s.mu.Unlock()
	if ok {
		return old, nil
	}
	rec, err := s.lockStore.Get(ctx, key)
	if err == nil {
		s.mu.Lock()
		s.read[key] = rec
		s.mu.Unlock()
	}
	return rec, err
}
