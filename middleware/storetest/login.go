package storetest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// ExerciseLogin runs two Logins over one store, as two processes of an app do,
// beside a user pool that rotates refresh tokens without grace: one that is
// redeemed twice signs somebody out. The store must be a
// [middleware.SessionLocker].
//
// open returns a handle of the store for one process: its own connections, if
// possible, and the sessions of every other handle. The tests run in parallel
// and take some seconds, since leases end by the store's clock.
func ExerciseLogin(t *testing.T, open func(t *testing.T) middleware.SessionStore) {
	t.Helper()
	for _, test := range loginTests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newSite(t, open))
		})
	}
}

var loginTests = []struct {
	name string
	run  func(t *testing.T, s *site)
}{
	{"50 requests in two processes refresh once", refreshOnce},
	{"a holder that died is waited for", deadHolder},
	{"a holder that died is not waited for while the token lives", deadHolderToken},
	{"a holder whose lease ended adopts what its heir stored", slowHolder},
	{"an answer that was lost ends the session once", lostAnswer},
	{"a store that fails in the middle signs nobody out", storeFailsMeanwhile},
	{"a store that takes no lock spends no refresh token", noLock},
	{"signing out during a refresh is not undone", signOutMeanwhile},
	{"a refresh token that was revoked ends the session for all", revoked},
}

func refreshOnce(t *testing.T, s *site) {
	for round := range 3 {
		s.pool.Advance(soon)
		before := s.asked()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if status := s.processes[i%2].get(); status != http.StatusOK {
					t.Errorf("round %d: status %d", round, status)
				}
			})
		}
		wg.Wait()
		s.want(http.StatusOK)
		if n := s.asked() - before; n != 1 {
			t.Errorf("round %d: %d calls to the token endpoint, want 1", round, n)
		}
	}
}

// die takes the lock as a process does that then dies.
func (s *site) die(lease time.Duration) {
	s.t.Helper()
	if err := s.processes[0].store.lockStore.Lock(s.t.Context(), s.key, holder(), lease); err != nil {
		s.t.Fatalf("Lock: %v", err)
	}
}

func deadHolder(t *testing.T, s *site) {
	s.pool.Advance(late)
	began := time.Now()
	s.die(1500 * time.Millisecond)
	s.want(http.StatusOK)
	if d := time.Since(began); d < time.Second {
		t.Errorf("refreshed %v into a lease of 1.5s", d)
	}
	if n := s.redeemed(); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
}

func deadHolderToken(t *testing.T, s *site) {
	s.pool.Advance(soon)
	s.die(longLease)
	began := time.Now()
	s.want(http.StatusOK)
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("waited %v although the token lives", d)
	}
	if n := s.redeemed(); n != 0 {
		t.Errorf("%d refreshes under another's lock", n)
	}
}

func slowHolder(t *testing.T, s *site) {
	s.pool.Advance(late)
	slow, heir := s.processes[0], s.processes[1]
	slow.store.lease.Store(int64(300 * time.Millisecond))
	held, release := make(chan struct{}), make(chan struct{})
	slow.wire.before = func() {
		close(held)
		<-release
	}
	answer := make(chan int, 1)
	go func() { answer <- slow.get() }()
	s.await(held)
	if status := heir.get(); status != http.StatusOK {
		t.Errorf("the heir: %d", status)
	}
	close(release)
	if status := <-answer; status != http.StatusOK {
		t.Errorf("the slow one: %d", status)
	}
	slow.wire.before = nil
	s.want(http.StatusOK)
	if n := s.redeemed(); n != 1 {
		t.Errorf("%d refreshes succeeded, want 1", n)
	}
}

// lostAnswer: Cognito has rotated the token, and nobody knows the new one.
func lostAnswer(t *testing.T, s *site) {
	s.pool.Advance(soon)
	s.processes[0].wire.lose.Store(true)
	if status := s.processes[0].get(); status != http.StatusOK {
		t.Errorf("while the token lives: %d", status)
	}
	s.until("the refresh whose answer is lost", func() bool { return s.redeemed() == 1 })
	s.processes[0].wire.lose.Store(false)
	s.pool.Advance(10 * time.Second)
	s.ends()
	calls := s.asked()
	s.want(http.StatusUnauthorized)
	if s.asked() != calls {
		t.Error("a session that has ended goes on asking Cognito")
	}
}

func storeFailsMeanwhile(t *testing.T, s *site) {
	s.pool.Advance(soon)
	lucky, other := s.processes[0], s.processes[1]
	lucky.store.failUpdates.Store(true)
	if status := lucky.get(); status != http.StatusOK {
		t.Errorf("the one with the new tokens: %d", status)
	}
	// It has the only good refresh token, and the lock.
	if status := other.get(); status != http.StatusOK {
		t.Errorf("the other one: %d", status)
	}
	if n := s.asked(); n != 1 {
		t.Errorf("%d calls to the token endpoint, want 1", n)
	}
	lucky.store.failUpdates.Store(false)
	s.pool.Advance(2 * time.Minute) // the old tokens are past
	s.want(http.StatusOK)
	if n := s.asked(); n != 1 {
		t.Errorf("%d calls to the token endpoint, want 1", n)
	}
}

func noLock(t *testing.T, s *site) {
	for _, p := range s.processes {
		p.store.failLocks.Store(true)
	}
	s.pool.Advance(soon)
	s.want(http.StatusOK)
	s.pool.Advance(2 * time.Minute)
	s.want(http.StatusServiceUnavailable)
	if n := s.asked(); n != 0 {
		t.Errorf("%d calls to the token endpoint without a lock", n)
	}
	for _, p := range s.processes {
		p.store.failLocks.Store(false)
	}
	s.want(http.StatusOK)
}

func signOutMeanwhile(t *testing.T, s *site) {
	s.pool.Advance(late) // or the request might not wait for its refresh
	held, release := make(chan struct{}), make(chan struct{})
	s.processes[0].wire.before = func() {
		close(held)
		<-release
	}
	answer := make(chan int, 1)
	go func() { answer <- s.processes[0].get() }()
	s.await(held)
	// Without the revocation at Cognito: the refresh succeeds.
	s.processes[1].wire.noRevoke.Store(true)
	if status := s.processes[1].signOut(); status != http.StatusSeeOther && status != http.StatusOK {
		t.Errorf("signing out: %d", status)
	}
	close(release)
	if status := <-answer; status != http.StatusUnauthorized {
		t.Errorf("the request in flight: %d", status)
	}
	s.processes[0].wire.before = nil
	if n := s.redeemed(); n != 1 {
		t.Errorf("%d refreshes, want the one in flight", n)
	}
	s.want(http.StatusUnauthorized)
	wantGone(t, s.processes[0].store, s.key)
	if n := s.processes[0].wire.revoked.Load(); n != 1 {
		t.Errorf("%d new refresh tokens were revoked, want 1", n)
	}
}

func revoked(t *testing.T, s *site) {
	s.pool.Advance(soon)
	s.pool.SetFaults(func(f *ssotest.Faults) { f.TokenEndpoint = "invalid_grant" })
	s.ends()
	if n := s.asked(); n != 1 {
		t.Errorf("%d calls to the token endpoint, want 1", n)
	}
}

// soon is when a token is about to end, late when it has.
const (
	soon = 59*time.Minute + 30*time.Second
	late = 61 * time.Minute
)

// site is an app in two processes, and one person's session.
type site struct {
	t         *testing.T
	pool      *ssotest.Pool
	cookieKey []byte
	processes [2]*process
	key       string // of the session
}

// process is one of them.
type process struct {
	t       *testing.T
	handler http.Handler
	store   *handle
	wire    *wire
	cookies []*http.Cookie
}

// await waits for a process to come to a point.
func (s *site) await(point <-chan struct{}) {
	s.t.Helper()
	select {
	case <-point:
	case <-time.After(30 * time.Second):
		s.t.Fatal("no refresh was begun")
	}
}

// until polls.
func (s *site) until(what string, done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(end) {
			s.t.Fatalf("never: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// ends asks both processes at once until they know that the session has ended.
// Where the machine is slow a page may come first: while the token lives nobody
// waits long for Cognito.
func (s *site) ends() {
	s.t.Helper()
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, p := range s.processes {
		wg.Go(func() {
			for end := time.Now().Add(time.Minute); p.get() != http.StatusUnauthorized; {
				if time.Now().After(end) {
					s.t.Error("the session does not end")
					return
				}
			}
		})
	}
}

// want asks both processes.
func (s *site) want(status int) {
	s.t.Helper()
	for i, p := range s.processes {
		if got := p.get(); got != status {
			s.t.Errorf("process %d: status %d, want %d", i, got, status)
		}
	}
}

// asked counts calls to the token endpoint since the sign-in, and redeemed those
// that gave tokens.
func (s *site) asked() int64 {
	return s.processes[0].wire.asked.Load() + s.processes[1].wire.asked.Load()
}

func (s *site) redeemed() int64 {
	return s.processes[0].wire.redeemed.Load() + s.processes[1].wire.redeemed.Load()
}

// get sends a request of a script with the session.
func (p *process) get() int {
	return p.send(http.MethodGet, "/").Code
}

func (p *process) signOut() int {
	return p.send(http.MethodPost, prefix+"/logout").Code
}

const prefix = "/auth"

func (p *process) send(method, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.WithoutCancel(p.t.Context()), method, target, http.NoBody)
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range p.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

// handle is a process's store: it breaks when told, and notes the session's key.
type handle struct {
	lockStore
	created                chan string
	failUpdates, failLocks atomic.Bool
	lease                  atomic.Int64 // instead of the one asked for, if not 0
}

var errBroken = errors.New("storetest: broken on purpose")

// Create notes the key.
func (h *handle) Create(ctx context.Context, rec middleware.SessionRecord) error {
	err := h.lockStore.Create(ctx, rec)
	if err == nil {
		h.created <- rec.Key
	}
	return err
}

// Update fails when told.
func (h *handle) Update(ctx context.Context, rec middleware.SessionRecord) error {
	if h.failUpdates.Load() {
		return errBroken
	}
	return h.lockStore.Update(ctx, rec)
}

// Lock fails when told, and may give a shorter lease.
func (h *handle) Lock(ctx context.Context, key, holder string, lease time.Duration) error {
	if h.failLocks.Load() {
		return errBroken
	}
	if n := h.lease.Load(); n > 0 {
		lease = time.Duration(n)
	}
	return h.lockStore.Lock(ctx, key, holder, lease)
}

// wire is between a process and the pool.
type wire struct {
	asked, redeemed, revoked atomic.Int64
	lose, noRevoke           atomic.Bool
	before                   func() // a call to the token endpoint
}

// RoundTrip counts, and delays or loses answers when told.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/revoke"):
		if w.noRevoke.Load() {
			return nil, errBroken
		}
		w.revoked.Add(1)
	case strings.HasSuffix(r.URL.Path, "/token"):
		w.asked.Add(1)
		if w.before != nil {
			w.before()
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode == http.StatusOK {
			w.redeemed.Add(1)
		}
		if w.lose.Load() {
			_ = resp.Body.Close()
			return nil, errBroken
		}
		return resp, nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (w *wire) reset() {
	w.asked.Store(0)
	w.redeemed.Store(0)
	w.revoked.Store(0)
}
