package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

func updateToPast(t *testing.T, s middleware.SessionStore) {
	rec := create(t, s, record(subject()))
	rec.ExpiresAt = time.Now().Add(-2 * time.Second)
	if err := s.Update(t.Context(), rec); err != nil {
		t.Fatalf("Update: %v", err)
	}
	wantGone(t, s, rec.Key)
	rec.Version, rec.ExpiresAt = 2, time.Now().Add(time.Hour)
	wantErr(t, "Update", s.Update(t.Context(), rec), middleware.ErrSessionGone)
	wantGone(t, s, rec.Key)
}

func updateSubject(t *testing.T, s middleware.SessionStore) {
	rec := create(t, s, record(subject()))
	mine, other := rec.Subject, subject()
	rec.Subject = other
	rec.ExpiresAt = time.Now().Add(2 * time.Hour)
	if err := s.Update(t.Context(), rec); err != nil {
		t.Fatalf("Update: %v", err)
	}
	if got := get(t, s, rec.Key); got.Subject != mine {
		t.Error("Update changed the subject")
	}
	if n, err := s.DeleteBySubject(t.Context(), other); n != 0 || err != nil {
		t.Errorf("DeleteBySubject of the other subject: %d, %v, want 0", n, err)
	}
	if n, err := s.DeleteBySubject(t.Context(), mine); n != 1 || err != nil {
		t.Errorf("DeleteBySubject: %d, %v, want 1", n, err)
	}
}

func createAfterExpiry(t *testing.T, s middleware.SessionStore) {
	rec := record(subject())
	for _, ends := range []time.Duration{-time.Hour, -2 * time.Second, time.Hour} {
		rec.ExpiresAt = time.Now().Add(ends)
		rec.Subject = subject()
		if err := s.Create(t.Context(), rec); err != nil {
			t.Fatalf("Create over an expired record: %v", err)
		}
	}
	if got := get(t, s, rec.Key); got.Version != 1 || got.Subject != rec.Subject {
		t.Errorf("created again: %+v", got)
	}
	wantErr(t, "Create over a live record", s.Create(t.Context(), rec), middleware.ErrSessionConflict)
}

func deleteBySubjectExpired(t *testing.T, s middleware.SessionStore) {
	sub := subject()
	create(t, s, record(sub))
	past := record(sub)
	past.ExpiresAt = time.Now().Add(-time.Hour)
	if err := s.Create(t.Context(), past); err != nil {
		t.Fatalf("Create: %v", err)
	}
	if n, err := s.DeleteBySubject(t.Context(), sub); n != 1 || err != nil {
		t.Errorf("DeleteBySubject: %d, %v, want 1", n, err)
	}
}

func deleteBySubjectMany(t *testing.T, s middleware.SessionStore) {
	const many = 250
	sub := subject()
	other := create(t, s, record(subject()))
	keys := make([]string, many)
	for i := range keys {
		rec := record(sub)
		keys[i] = rec.Key
		if err := s.Create(t.Context(), rec); err != nil {
			t.Fatalf("Create: %v", err)
		}
	}
	if n, err := s.DeleteBySubject(t.Context(), sub); n != many || err != nil {
		t.Errorf("DeleteBySubject: %d, %v, want %d", n, err, many)
	}
	for _, key := range keys {
		wantGone(t, s, key)
	}
	get(t, s, other.Key)
}

// deleteBySubjectRace: whatever survives a DeleteBySubject that sessions were
// created under, the next one finds it. An index that loses a session would
// leave somebody signed in for good.
func deleteBySubjectRace(t *testing.T, s middleware.SessionStore) {
	const each = 6
	sub := subject()
	keys := make([][]string, racers)
	errs := together(func(i int) error {
		if i%4 == 0 {
			for range each {
				if _, err := s.DeleteBySubject(t.Context(), sub); err != nil {
					return err
				}
			}
			return nil
		}
		for range each {
			rec := record(sub)
			keys[i] = append(keys[i], rec.Key)
			if err := s.Create(t.Context(), rec); err != nil {
				return err
			}
		}
		return nil
	})
	count(t, errs, nil)
	if _, err := s.DeleteBySubject(t.Context(), sub); err != nil {
		t.Fatalf("DeleteBySubject: %v", err)
	}
	for _, some := range keys {
		for _, key := range some {
			wantGone(t, s, key)
		}
	}
}

func cleans(t *testing.T, s middleware.SessionStore) {
	cleaner, ok := s.(interface {
		Clean(context.Context) (int, error)
	})
	if !ok {
		t.Skip("the store has no Clean")
	}
	sub := subject()
	live := create(t, s, record(sub))
	const expired = 3
	for range expired {
		rec := record(sub)
		rec.ExpiresAt = time.Now().Add(-time.Hour)
		if err := s.Create(t.Context(), rec); err != nil {
			t.Fatalf("Create: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := cleaner.Clean(ctx); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("Clean with a cancelled context: %d, %v", n, err)
	}
	// Tests beside this one have expired sessions too, and may clean these.
	if _, err := cleaner.Clean(t.Context()); err != nil {
		t.Fatalf("Clean: %v", err)
	}
	get(t, s, live.Key)
}
