package middleware_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/middleware/storetest"
)

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	storetest.Exercise(t, func(*testing.T) middleware.SessionStore { return middleware.NewMemoryStore() })
}

// TestMemoryStoreLogins: two Logins of one process.
func TestMemoryStoreLogins(t *testing.T) {
	t.Parallel()
	m := middleware.NewMemoryStore()
	storetest.ExerciseLogin(t, func(*testing.T) middleware.SessionStore { return m })
}

// TestMemoryStoreSweeps: expired sessions that nobody asks for are dropped.
func TestMemoryStoreSweeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := middleware.NewMemoryStore()
		create := func(key string, ttl time.Duration) {
			rec := middleware.SessionRecord{Key: key, Subject: "s", ExpiresAt: time.Now().Add(ttl)}
			if err := m.Create(t.Context(), rec); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 100 {
			create(fmt.Sprint(i), time.Minute)
		}
		create("long", time.Hour)
		time.Sleep(2 * time.Minute)
		create("new", time.Hour)
		if n := middleware.StoredRecords(m); n != 2 {
			t.Errorf("%d records are kept, want 2", n)
		}
		if n, err := m.DeleteBySubject(t.Context(), "s"); n != 2 || err != nil {
			t.Errorf("DeleteBySubject: %d, %v, want the 2 that live", n, err)
		}
		if _, err := m.Get(t.Context(), "long"); !errors.Is(err, middleware.ErrSessionGone) {
			t.Errorf("Get: %v", err)
		}
	})
}
