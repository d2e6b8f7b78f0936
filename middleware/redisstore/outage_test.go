package redisstore_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/middleware/redisstore"
)

// calls are all that a store can do, with planted values.
func calls(s *redisstore.Store) map[string]func(context.Context) error {
	rec := record("PLANTED-key", "PLANTED-subject", time.Hour)
	return map[string]func(context.Context) error{
		"get":     func(ctx context.Context) error { _, err := s.Get(ctx, rec.Key); return err },
		"create":  func(ctx context.Context) error { return s.Create(ctx, rec) },
		"update":  func(ctx context.Context) error { return s.Update(ctx, rec) },
		"delete":  func(ctx context.Context) error { return s.Delete(ctx, rec.Key) },
		"subject": func(ctx context.Context) error { _, err := s.DeleteBySubject(ctx, rec.Subject); return err },
		"lock":    func(ctx context.Context) error { return s.Lock(ctx, rec.Key, "PLANTED-holder", time.Minute) },
		"unlock":  func(ctx context.Context) error { return s.Unlock(ctx, rec.Key, "PLANTED-holder") },
	}
}

// allFail: each call fails, and its error neither shows anything nor says
// anything about a session.
func allFail(t *testing.T, ctx context.Context, state string, s *redisstore.Store, want error, except ...string) { //nolint:revive // t first
	t.Helper()
	for name, call := range calls(s) {
		if strings.Contains(strings.Join(except, " "), name) {
			continue
		}
		err := call(ctx)
		switch {
		case err == nil:
			t.Errorf("%s, %s: no error", state, name)
		case errors.Is(err, middleware.ErrSessionGone), errors.Is(err, middleware.ErrSessionConflict), errors.Is(err, middleware.ErrSessionLocked):
			t.Errorf("%s, %s: an answer about the session: %v", state, name, err)
		case want != nil && !errors.Is(err, want):
			t.Errorf("%s, %s: %v, want %v", state, name, err, want)
		case strings.Contains(err.Error(), "PLANTED"):
			t.Errorf("%s, %s: %v", state, name, err)
		}
	}
}

// TestErrorsShowNothing, and a server that is down, full, a replica or broken
// signs nobody out.
func TestErrorsShowNothing(t *testing.T) {
	t.Parallel()
	addr := realtest.Redis(t)
	client := newClient(t, addr)
	s := newStore(t, redisstore.Config{Client: client})

	done, cancel := context.WithCancel(t.Context())
	cancel()
	allFail(t, done, "cancelled", s, context.Canceled)
	past, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	allFail(t, past, "too late", s, context.DeadlineExceeded)

	// Another kind of value where a session and its set should be.
	mustCreate(t, s, record("PLANTED-key", "PLANTED-subject", time.Hour))
	for _, key := range client.Keys(t.Context(), "*").Val() {
		client.Set(t.Context(), key, "PLANTED", 0)
	}
	allFail(t, t.Context(), "another kind", s, nil, "lock unlock")
	client.FlushAll(t.Context())

	mustCreate(t, s, record("PLANTED-key", "PLANTED-subject", time.Hour))
	do(t, client, "REPLICAOF", "127.0.0.1", "1")
	allFail(t, t.Context(), "a replica", s, nil, "get unlock")
	do(t, client, "REPLICAOF", "NO", "ONE")

	do(t, client, "CONFIG", "SET", "maxmemory", "1")
	allFail(t, t.Context(), "a full server", s, nil, "get delete unlock subject")
	if err := s.Create(t.Context(), record("k", "s", time.Hour)); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("a full server: %v", err)
	}
	do(t, client, "CONFIG", "SET", "maxmemory", "0")

	do(t, client, "CONFIG", "SET", "requirepass", "PLANTED-password")
	allFail(t, t.Context(), "a password", newStore(t, redisstore.Config{Client: newClient(t, addr)}), nil)

	down := newStore(t, redisstore.Config{Client: newClient(t, "127.0.0.1:1")})
	allFail(t, t.Context(), "down", down, nil)
}

// TestTimeouts: a server that says nothing is given up in time.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := newStore(t, redisstore.Config{Client: newClient(t, silent.Addr().String()), Timeout: 100 * time.Millisecond})
	began := time.Now()
	allFail(t, t.Context(), "silent", s, context.DeadlineExceeded)
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("seven calls took %v", d)
	}
}

// TestDeadConnections: connections that the server cut are no error.
func TestDeadConnections(t *testing.T) {
	t.Parallel()
	addr := realtest.Redis(t)
	client, killer := newClient(t, addr), newClient(t, addr)
	s := newStore(t, redisstore.Config{Client: client})
	rec := record("k", "s", time.Hour)
	mustCreate(t, s, rec)
	for range 5 {
		do(t, killer, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		if err := s.Update(t.Context(), rec); err != nil {
			t.Fatalf("Update: %v", err)
		}
		rec.Version++
	}
}

// TestWaitReplicas: a write that no replica has is an error, until one has it.
func TestWaitReplicas(t *testing.T) {
	t.Parallel()
	addr, replicaAddr := realtest.Redis(t), realtest.Redis(t)
	replica := newClient(t, replicaAddr)
	s := newStore(t, redisstore.Config{Client: newClient(t, addr), WaitReplicas: 1, WaitTimeout: 100 * time.Millisecond, Timeout: -1})
	rec := record("k", "s", time.Hour)
	if err := s.Create(t.Context(), rec); !errors.Is(err, redisstore.ErrNotReplicated) {
		t.Errorf("Create without a replica: %v", err)
	}
	for range 2 { // also when there is nothing left to delete
		if err := s.Delete(t.Context(), "k"); !errors.Is(err, redisstore.ErrNotReplicated) {
			t.Errorf("Delete without a replica: %v", err)
		}
	}
	if _, err := s.DeleteBySubject(t.Context(), "s"); !errors.Is(err, redisstore.ErrNotReplicated) {
		t.Errorf("DeleteBySubject without a replica: %v", err)
	}

	host, port, _ := net.SplitHostPort(addr)
	do(t, replica, "REPLICAOF", host, port)
	await(t, "the replica does not follow", func() bool {
		return s.Delete(t.Context(), "nothing") == nil
	})
	if err := s.Create(t.Context(), rec); err != nil {
		t.Fatalf("Create with a replica: %v", err)
	}
	// The failover: the primary is gone, and its replica knows the session.
	has := func() bool { return replica.Exists(t.Context(), "sso:s:{k}").Val() == 1 }
	if !has() {
		t.Error("Create returned, and the replica does not have it")
	}
	if err := s.Delete(t.Context(), "k"); err != nil {
		t.Fatalf("Delete with a replica: %v", err)
	}
	if has() {
		t.Error("Delete returned, and the replica still has it")
	}
	do(t, replica, "REPLICAOF", "NO", "ONE")
	promoted := newStore(t, redisstore.Config{Client: redis.NewClient(&redis.Options{Addr: replicaAddr})})
	if err := promoted.Update(t.Context(), rec); !errors.Is(err, middleware.ErrSessionGone) {
		t.Errorf("Update after the failover: %v", err)
	}
}
