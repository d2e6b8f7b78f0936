package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

// lockStore is a store that can lock.
type lockStore interface {
	middleware.SessionStore
	middleware.SessionLocker
}

var lockTests = []struct {
	name string
	run  func(t *testing.T, s lockStore)
}{
	{"lock and unlock", lockUnlock},
	{"one of many takes the lock", lockRace},
	{"the holder prolongs its lease", lockProlong},
	{"a lease ends", leaseEnds},
	{"a lock that was taken over is the new holder's", stolenLock},
	{"only the holder unlocks", foreignUnlock},
	{"holders differ in case", holderCase},
	{"no session, no lock", lockOfNothing},
	{"a new session is not locked", lockOfNext},
	{"locks are of one session", lockOfOther},
	{"a lock stops no update", lockAndUpdate},
	{"a lock stops no delete", lockAndDelete},
	{"a lock does not keep a session", lockAndExpiry},
	{"a cancelled context is no answer about a lock", lockCancelled},
}

const longLease = time.Minute

// holder returns a new name of a holder, of the most characters there are.
func holder() string { return random(48) }

func lock(t *testing.T, s lockStore, key, holder string, lease time.Duration) {
	t.Helper()
	if err := s.Lock(t.Context(), key, holder, lease); err != nil {
		t.Fatalf("Lock: %v", err)
	}
}

func unlock(t *testing.T, s lockStore, key, holder string) {
	t.Helper()
	if err := s.Unlock(t.Context(), key, holder); err != nil {
		t.Fatalf("Unlock: %v", err)
	}
}

func wantLocked(t *testing.T, s lockStore, key string) {
	t.Helper()
	err := s.Lock(t.Context(), key, holder(), longLease)
	wantErr(t, "Lock", err, middleware.ErrSessionLocked)
	if errors.Is(err, middleware.ErrSessionGone) {
		t.Error("a lock that is held is ErrSessionGone as well")
	}
}

func lockUnlock(t *testing.T, s lockStore) {
	rec := create(t, s, record(subject()))
	for range 3 {
		mine := holder()
		lock(t, s, rec.Key, mine, longLease)
		wantLocked(t, s, rec.Key)
		unlock(t, s, rec.Key, mine)
		unlock(t, s, rec.Key, mine)
	}
}

func lockRace(t *testing.T, s lockStore) {
	rec := create(t, s, record(subject()))
	for range 4 {
		holders := make([]string, racers)
		errs := together(func(i int) error {
			holders[i] = holder()
			return s.Lock(t.Context(), rec.Key, holders[i], longLease)
		})
		if n := count(t, errs, middleware.ErrSessionLocked); n != 1 {
			t.Fatalf("%d of %d hold the lock, want 1", n, racers)
		}
		for i, err := range errs {
			if err == nil {
				unlock(t, s, rec.Key, holders[i])
			}
		}
	}
}

func lockProlong(t *testing.T, s lockStore) {
	rec := create(t, s, record(subject()))
	mine := holder()
	lock(t, s, rec.Key, mine, time.Second)
	lock(t, s, rec.Key, mine, longLease)
	// Longer than the first lease: a test of real stores, so the real clock.
	for end := time.Now().Add(1200 * time.Millisecond); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		wantLocked(t, s, rec.Key)
	}
	unlock(t, s, rec.Key, mine)
	lock(t, s, rec.Key, holder(), longLease)
}

// awaitLock takes a lock as soon as the lease on it ends.
func awaitLock(t *testing.T, s lockStore, key, holder string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := s.Lock(t.Context(), key, holder, longLease)
		if err == nil {
			return
		}
		wantErr(t, "Lock", err, middleware.ErrSessionLocked)
		if time.Now().After(end) {
			t.Fatal("the lease does not end")
		}
	}
}

func leaseEnds(t *testing.T, s lockStore) {
	rec := create(t, s, record(subject()))
	began := time.Now()
	lock(t, s, rec.Key, holder(), 500*time.Millisecond)
	awaitLock(t, s, rec.Key, holder())
	if d := time.Since(began); d < 400*time.Millisecond {
		t.Errorf("a lease of 500ms ended after %v", d)
	}
	wantLocked(t, s, rec.Key)
}

func stolenLock(t *testing.T, s lockStore) {
	rec := create(t, s, record(subject()))
	dead, heir := holder(), holder()
	lock(t, s, rec.Key, dead, 100*time.Millisecond)
	awaitLock(t, s, rec.Key, heir)
	// It was not dead, only slow.
	wantErr(t, "Lock by the old holder", s.Lock(t.Context(), rec.Key, dead, longLease), middleware.ErrSessionLocked)
	unlock(t, s, rec.Key, dead)
	wantLocked(t, s, rec.Key)
	unlock(t, s, rec.Key, heir)
	lock(t, s, rec.Key, holder(), longLease)
}

func foreignUnlock(t *testing.T, s lockStore) {
	rec := create(t, s, record(subject()))
	unlock(t, s, rec.Key, holder()) // of nobody's lock
	lock(t, s, rec.Key, holder(), longLease)
	for _, other := range []string{holder(), "", "*", "%", rec.Key} {
		unlock(t, s, rec.Key, other)
		wantLocked(t, s, rec.Key)
	}
}

func holderCase(t *testing.T, s lockStore) {
	rec := create(t, s, record(subject()))
	lock(t, s, rec.Key, "holder-a", longLease)
	unlock(t, s, rec.Key, "holder-A")
	wantErr(t, "Lock", s.Lock(t.Context(), rec.Key, "HOLDER-A", longLease), middleware.ErrSessionLocked)
	wantErr(t, "Lock", s.Lock(t.Context(), rec.Key, "holder-a ", longLease), middleware.ErrSessionLocked)
}

func lockOfNothing(t *testing.T, s lockStore) {
	deleted, past := create(t, s, record(subject())), record(subject())
	if err := s.Delete(t.Context(), deleted.Key); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	past.ExpiresAt = time.Now().Add(-time.Hour)
	if err := s.Create(t.Context(), past); err != nil {
		t.Fatalf("Create: %v", err)
	}
	for name, key := range map[string]string{"unknown": record("").Key, "deleted": deleted.Key, "expired": past.Key, "empty": ""} {
		err := s.Lock(t.Context(), key, holder(), longLease)
		wantErr(t, "Lock, "+name, err, middleware.ErrSessionGone)
		if errors.Is(err, middleware.ErrSessionLocked) {
			t.Errorf("%s: ErrSessionLocked as well", name)
		}
		unlock(t, s, key, holder())
		wantGone(t, s, key) // a lock makes no session
	}
}

func lockOfNext(t *testing.T, s lockStore) {
	rec := create(t, s, record(subject()))
	lock(t, s, rec.Key, holder(), longLease)
	if err := s.Delete(t.Context(), rec.Key); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	create(t, s, rec)
	lock(t, s, rec.Key, holder(), longLease)
	if _, err := s.DeleteBySubject(t.Context(), rec.Subject); err != nil {
		t.Fatalf("DeleteBySubject: %v", err)
	}
	create(t, s, rec)
	lock(t, s, rec.Key, holder(), longLease)
}

func lockOfOther(t *testing.T, s lockStore) {
	sub := subject()
	one, two := create(t, s, record(sub)), create(t, s, record(sub))
	mine := holder()
	lock(t, s, one.Key, mine, longLease)
	lock(t, s, two.Key, mine, longLease)
	unlock(t, s, two.Key, mine)
	wantLocked(t, s, one.Key)
}

func lockAndUpdate(t *testing.T, s lockStore) {
	rec := create(t, s, record(subject()))
	mine := holder()
	lock(t, s, rec.Key, mine, longLease)
	if got := get(t, s, rec.Key); got.Version != rec.Version {
		t.Errorf("Lock made version %d of %d", got.Version, rec.Version)
	}
	for range 2 { // whoever has the lock: a request that only notes the session's use has not
		if err := s.Update(t.Context(), rec); err != nil {
			t.Fatalf("Update: %v", err)
		}
		rec = get(t, s, rec.Key)
		wantLocked(t, s, rec.Key)
	}
	unlock(t, s, rec.Key, mine)
	if got := get(t, s, rec.Key); got.Version != rec.Version {
		t.Errorf("Unlock made version %d of %d", got.Version, rec.Version)
	}
}

func lockAndDelete(t *testing.T, s lockStore) {
	one, two := create(t, s, record(subject())), create(t, s, record(subject()))
	mine := holder()
	lock(t, s, one.Key, mine, longLease)
	lock(t, s, two.Key, mine, longLease)
	if err := s.Delete(t.Context(), one.Key); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if n, err := s.DeleteBySubject(t.Context(), two.Subject); n != 1 || err != nil {
		t.Fatalf("DeleteBySubject: %d, %v, want 1", n, err)
	}
	for _, rec := range []middleware.SessionRecord{one, two} {
		wantGone(t, s, rec.Key)
		wantErr(t, "Update by the holder", s.Update(t.Context(), rec), middleware.ErrSessionGone)
		wantErr(t, "Lock by the holder", s.Lock(t.Context(), rec.Key, mine, longLease), middleware.ErrSessionGone)
		unlock(t, s, rec.Key, mine)
		wantGone(t, s, rec.Key)
	}
}

func lockAndExpiry(t *testing.T, s lockStore) {
	rec := record(subject())
	rec.ExpiresAt = time.Now().Add(2 * time.Second)
	if err := s.Create(t.Context(), rec); err != nil {
		t.Fatalf("Create: %v", err)
	}
	mine := holder()
	lock(t, s, rec.Key, mine, longLease)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, err := s.Get(t.Context(), rec.Key)
		if errors.Is(err, middleware.ErrSessionGone) {
			break
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("a locked session does not expire: %v", err)
		}
	}
	wantErr(t, "Lock", s.Lock(t.Context(), rec.Key, mine, longLease), middleware.ErrSessionGone)
}

func lockCancelled(t *testing.T, s lockStore) {
	rec := create(t, s, record(subject()))
	lock(t, s, rec.Key, holder(), longLease)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Lock(ctx, record("").Key, holder(), longLease)
	if err != nil && ctx.Err() != nil && errors.Is(err, middleware.ErrSessionLocked) {
		t.Errorf("Lock of nothing with a cancelled context: %v", err)
	}
	if err := s.Lock(ctx, rec.Key, holder(), longLease); err == nil {
		t.Error("Lock with a cancelled context took a lock that is held")
	} else if errors.Is(err, middleware.ErrSessionGone) {
		t.Errorf("Lock with a cancelled context: %v", err)
	}
}
