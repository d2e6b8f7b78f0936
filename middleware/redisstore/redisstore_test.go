package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ssu-itsupport/cognito-sso/internal/fleettest"
	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/middleware/redisstore"
	"github.com/ssu-itsupport/cognito-sso/middleware/storetest"
)

var (
	_ middleware.SessionStore  = (*redisstore.Store)(nil)
	_ middleware.SessionLocker = (*redisstore.Store)(nil)
)

func TestMain(m *testing.M) {
	redis.SetLogger(discard{}) // the client says on standard error what the tests break
	fleettest.Main(openForFleet)
	os.Exit(m.Run())
}

type discard struct{}

func (discard) Printf(context.Context, string, ...any) {}

func newClient(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func newStore(t *testing.T, cfg redisstore.Config) *redisstore.Store {
	t.Helper()
	s, err := redisstore.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func suite(t *testing.T, s *redisstore.Store) {
	t.Helper()
	// Its tests outlive the caller, and the server must outlive them.
	t.Run("suite", func(t *testing.T) {
		storetest.Exercise(t, func(*testing.T) middleware.SessionStore { return s })
	})
}

func TestContract(t *testing.T) {
	t.Parallel()
	client := newClient(t, realtest.Redis(t))
	suite(t, newStore(t, redisstore.Config{Client: client}))
	everythingExpires(t, client)
}

// everythingExpires: whatever the suite left will go by itself.
func everythingExpires(t *testing.T, client *redis.Client) {
	t.Helper()
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, key := range keys {
		if ttl, err := client.PTTL(t.Context(), key).Result(); err != nil || ttl <= 0 && ttl != -2 {
			t.Errorf("a key lives for %v, %v", ttl, err)
		}
		if !strings.HasPrefix(key, "sso:") || strings.Contains(key, "sub-") {
			t.Errorf("key %q", key)
		}
	}
}

// TestContractCluster: a node of a Cluster refuses scripts whose keys are in
// more than one slot.
func TestContractCluster(t *testing.T) {
	t.Parallel()
	client := newCluster(t, 2)
	suite(t, newStore(t, redisstore.Config{Client: client, Prefix: "a:"}))
	// The sessions are on both nodes.
	var mu sync.Mutex
	sizes := map[string]int64{}
	err := client.ForEachMaster(t.Context(), func(ctx context.Context, node *redis.Client) error {
		n, err := node.DBSize(ctx).Result()
		mu.Lock()
		defer mu.Unlock()
		sizes[node.Options().Addr] = n
		return err
	})
	if err != nil || len(sizes) != 2 {
		t.Fatalf("%v, %v", sizes, err)
	}
	for addr, n := range sizes {
		if n == 0 {
			t.Errorf("nothing is stored at %s", addr)
		}
	}
}

// TestLogins: two processes, each with connections of its own.
func TestLogins(t *testing.T) {
	t.Parallel()
	addr := realtest.Redis(t)
	t.Run("suite", func(t *testing.T) {
		storetest.ExerciseLogin(t, func(t *testing.T) middleware.SessionStore {
			return newStore(t, redisstore.Config{Client: newClient(t, addr)})
		})
	})
}

// newCluster makes a Cluster of primaries alone.
func newCluster(t *testing.T, nodes int) *redis.ClusterClient {
	t.Helper()
	var addrs []string
	for i := range nodes {
		bus, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := fmt.Sprint(bus.Addr().(*net.TCPAddr).Port)
		_ = bus.Close()
		addr := realtest.Redis(t, "--cluster-enabled", "yes", "--cluster-port", port)
		node := newClient(t, addr)
		do(t, node, "CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(16384*i/nodes), fmt.Sprint(16384*(i+1)/nodes-1))
		do(t, node, "CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1))
		if i > 0 {
			host, own, _ := net.SplitHostPort(addr)
			do(t, newClient(t, addrs[0]), "CLUSTER", "MEET", host, own, port)
		}
		addrs = append(addrs, addr)
	}
	for _, addr := range addrs {
		node := newClient(t, addr)
		await(t, "the Cluster does not come together", func() bool {
			info, err := node.ClusterInfo(t.Context()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", nodes))
		})
	}
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func do(t *testing.T, c *redis.Client, args ...any) any {
	t.Helper()
	v, err := c.Do(t.Context(), args...).Result()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return v
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func record(key, subject string, ttl time.Duration) middleware.SessionRecord {
	return middleware.SessionRecord{Key: key, Subject: subject, Version: 1, ExpiresAt: time.Now().Add(ttl), Data: []byte("PLANTED-data")}
}

func mustCreate(t *testing.T, s *redisstore.Store, rec middleware.SessionRecord) {
	t.Helper()
	if err := s.Create(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
}

// TestIndexIsBounded: the set of a subject holds what lives, and some minutes
// of what expired; signing out takes a session out at once.
func TestIndexIsBounded(t *testing.T) {
	t.Parallel()
	client := newClient(t, realtest.Redis(t))
	s := newStore(t, redisstore.Config{Client: client})
	index := func() (string, int64) {
		keys, err := client.Keys(t.Context(), "sso:u:*").Result()
		if err != nil || len(keys) > 1 {
			t.Fatalf("%v, %v", keys, err)
		}
		if len(keys) == 0 {
			return "", 0
		}
		return keys[0], client.ZCard(t.Context(), keys[0]).Val()
	}
	for i := range 100 {
		mustCreate(t, s, record(fmt.Sprint("old-", i), "s", -time.Hour)) // expired long ago
	}
	mustCreate(t, s, record("live", "s", time.Hour))
	if _, n := index(); n != 1 {
		t.Errorf("%d members for one live session", n)
	}
	for i := range 100 {
		rec := record(fmt.Sprint("out-", i), "s", time.Hour)
		mustCreate(t, s, rec)
		if err := s.Delete(t.Context(), rec.Key); err != nil {
			t.Fatal(err)
		}
	}
	key, n := index()
	if n != 1 {
		t.Errorf("%d members after signing out 100 times", n)
	}
	if ttl := client.PTTL(t.Context(), key).Val(); ttl < time.Hour || ttl > time.Hour+10*time.Minute {
		t.Errorf("the set lives for %v", ttl)
	}
	// It lives as long as its longest session, also one that was prolonged.
	long := record("live", "s", 5*time.Hour)
	if err := s.Update(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	mustCreate(t, s, record("short", "s", time.Minute))
	if ttl := client.PTTL(t.Context(), key).Val(); ttl < 5*time.Hour {
		t.Errorf("the set lives for %v, and its longest session 5h", ttl)
	}
	if n, err := s.DeleteBySubject(t.Context(), "s"); n != 2 || err != nil {
		t.Errorf("DeleteBySubject: %d, %v", n, err)
	}
	if key, _ := index(); key != "" {
		t.Error("an empty set stays")
	}
}

// TestIndexComesBack: a set that Redis lost, as by eviction, is mended when the
// session is used.
func TestIndexComesBack(t *testing.T) {
	t.Parallel()
	client := newClient(t, realtest.Redis(t))
	s := newStore(t, redisstore.Config{Client: client})
	rec := record("k", "s", time.Hour)
	mustCreate(t, s, rec)
	client.Del(t.Context(), client.Keys(t.Context(), "sso:u:*").Val()...)
	if n, _ := s.DeleteBySubject(t.Context(), "s"); n != 0 {
		t.Fatal("the set is still there")
	}
	if err := s.Update(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if n, err := s.DeleteBySubject(t.Context(), "s"); n != 1 || err != nil {
		t.Errorf("DeleteBySubject: %d, %v, want 1", n, err)
	}
}

// TestForgedIndex: what a set says of a session of somebody else is not
// believed.
func TestForgedIndex(t *testing.T) {
	t.Parallel()
	client := newClient(t, realtest.Redis(t))
	s := newStore(t, redisstore.Config{Client: client})
	mustCreate(t, s, record("mine", "me", time.Hour))
	index := client.Keys(t.Context(), "sso:u:*").Val()[0]
	mustCreate(t, s, record("theirs", "they", time.Hour))
	client.ZAdd(t.Context(), index, redis.Z{Score: float64(time.Now().Add(time.Hour).UnixMilli()), Member: "theirs"})
	if n, err := s.DeleteBySubject(t.Context(), "me"); n != 1 || err != nil {
		t.Errorf("DeleteBySubject: %d, %v", n, err)
	}
	if _, err := s.Get(t.Context(), "theirs"); err != nil {
		t.Errorf("the other one's session: %v", err)
	}
}

// TestPrefixes: two stores in one Redis do not see each other.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	client := newClient(t, realtest.Redis(t))
	one, two := newStore(t, redisstore.Config{Client: client, Prefix: "one:"}), newStore(t, redisstore.Config{Client: client, Prefix: "two:"})
	mustCreate(t, one, record("k", "s", time.Hour))
	mustCreate(t, two, record("k", "s", time.Hour))
	if err := one.Lock(t.Context(), "k", "h", time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := two.Lock(t.Context(), "k", "other", time.Minute); err != nil {
		t.Errorf("a lock under another prefix: %v", err)
	}
	if n, err := one.DeleteBySubject(t.Context(), "s"); n != 1 || err != nil {
		t.Errorf("DeleteBySubject: %d, %v", n, err)
	}
	if _, err := two.Get(t.Context(), "k"); err != nil {
		t.Errorf("the session under another prefix: %v", err)
	}
}

// TestScriptsAreLoadedAgain: a server that forgot the scripts, as after a
// restart, gets them anew.
func TestScriptsAreLoadedAgain(t *testing.T) {
	t.Parallel()
	client := newClient(t, realtest.Redis(t))
	s := newStore(t, redisstore.Config{Client: client})
	for i := range 3 {
		key := fmt.Sprint("k", i)
		mustCreate(t, s, record(key, "s", time.Hour))
		if err := s.Update(t.Context(), record(key, "s", time.Hour)); err != nil {
			t.Error(err)
		}
		if err := s.Lock(t.Context(), key, "h", time.Minute); err != nil {
			t.Error(err)
		}
		if err := s.Unlock(t.Context(), key, "h"); err != nil {
			t.Error(err)
		}
		if n, err := s.DeleteBySubject(t.Context(), "s"); n != 1 || err != nil {
			t.Errorf("DeleteBySubject: %d, %v", n, err)
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
		do(t, client, "SCRIPT", "FLUSH")
	}
}

// lostAnswer runs a command, and loses its answer once: the client sends the
// command again.
type lostAnswer struct {
	mu   sync.Mutex
	once map[string]bool
}

func (l *lostAnswer) DialHook(next redis.DialHook) redis.DialHook { return next }
func (l *lostAnswer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (l *lostAnswer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		l.mu.Lock()
		defer l.mu.Unlock()
		args := cmd.Args()
		if strings.HasPrefix(cmd.Name(), "eval") && err == nil && l.once[fmt.Sprint(args[3])] {
			delete(l.once, fmt.Sprint(args[3]))
			return next(ctx, cmd) // as the client's own retry does
		}
		return err
	}
}

// TestWritesSentTwice: a write that was carried out and is sent again is the
// same write, and no conflict.
func TestWritesSentTwice(t *testing.T) {
	t.Parallel()
	client := newClient(t, realtest.Redis(t))
	s := newStore(t, redisstore.Config{Client: client})
	rec := record("k", "s", time.Hour)
	mustCreate(t, s, record("other", "s", time.Hour)) // the scripts are there
	if err := s.Update(t.Context(), record("other", "s", time.Hour)); err != nil {
		t.Fatal(err)
	}
	hook := &lostAnswer{once: map[string]bool{}}
	client.AddHook(hook)
	twice := func(call string, f func() error) {
		t.Helper()
		hook.mu.Lock()
		hook.once["sso:s:{k}"] = true
		hook.mu.Unlock()
		if err := f(); err != nil {
			t.Errorf("%s: %v", call, err)
		}
		hook.mu.Lock()
		defer hook.mu.Unlock()
		if len(hook.once) > 0 {
			t.Errorf("%s was not sent twice", call)
		}
	}
	twice("Create", func() error { return s.Create(t.Context(), rec) })
	twice("Update", func() error { return s.Update(t.Context(), rec) })
	if got, err := s.Get(t.Context(), "k"); err != nil || got.Version != 2 {
		t.Errorf("version %d, %v, want 2", got.Version, err)
	}
	twice("Lock", func() error { return s.Lock(t.Context(), "k", "h", time.Minute) })
	twice("Delete", func() error { return s.Delete(t.Context(), "k") })
	if err := s.Update(t.Context(), rec); !errors.Is(err, middleware.ErrSessionGone) {
		t.Errorf("Update after Delete: %v", err)
	}
}

// TestConfig: what New refuses.
func TestConfig(t *testing.T) {
	t.Parallel()
	one := newClient(t, "127.0.0.1:1")
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}})
	t.Cleanup(func() { _ = cluster.Close() })
	for name, cfg := range map[string]redisstore.Config{
		"Client":       {},
		"Prefix":       {Client: one, Prefix: "{a}:"},
		"Prefix ":      {Client: one, Prefix: "a b"},
		"Prefix  ":     {Client: one, Prefix: "한"},
		"Prefix   ":    {Client: one, Prefix: strings.Repeat("a", 65)},
		"WaitReplicas": {Client: one, WaitReplicas: -1},
		// It would ask a node that has nothing to do with the write.
		"WaitReplicas ": {Client: cluster, WaitReplicas: 1},
		"WaitTimeout":   {Client: one, WaitTimeout: -1},
	} {
		if _, err := redisstore.New(cfg); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBounds: what a session store need not take.
func TestBounds(t *testing.T) {
	t.Parallel()
	client := newClient(t, realtest.Redis(t))
	s := newStore(t, redisstore.Config{Client: client})
	for name, change := range map[string]func(*middleware.SessionRecord){
		"no key":       func(r *middleware.SessionRecord) { r.Key = "" },
		"long key":     func(r *middleware.SessionRecord) { r.Key = strings.Repeat("k", 65) },
		"no subject":   func(r *middleware.SessionRecord) { r.Subject = "" },
		"long subject": func(r *middleware.SessionRecord) { r.Subject = strings.Repeat("s", 256) },
		"much data":    func(r *middleware.SessionRecord) { r.Data = make([]byte, 64<<10+1) },
	} {
		rec := record("new", "s", time.Hour)
		change(&rec)
		if err := s.Create(t.Context(), rec); !errors.Is(err, redisstore.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Lock(t.Context(), "k", "", time.Minute); !errors.Is(err, redisstore.ErrRecord) {
		t.Errorf("no holder: %v", err)
	}
	if n := client.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys were written", n)
	}
	client.HSet(t.Context(), "sso:s:{k}", "s", "s", "v", "one", "x", "1", "d", "")
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, redisstore.ErrRecord) {
		t.Errorf("a record of something else: %v", err)
	}
}
