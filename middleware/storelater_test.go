package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// lockSpy is a spyStore that can lock.
type lockSpy struct {
	*spyStore
	locker middleware.SessionLocker
}

func (s lockSpy) Lock(ctx context.Context, key, holder string, lease time.Duration) error {
	if err := s.note("lock", ""); err != nil {
		return err
	}
	return s.locker.Lock(ctx, key, holder, lease)
}

func (s lockSpy) Unlock(ctx context.Context, key, holder string) error {
	if err := s.note("unlock", ""); err != nil {
		return err
	}
	return s.locker.Unlock(ctx, key, holder)
}

// shelf is a Login in a synctest bubble, beside a store that can be broken.
// Nothing of it goes over a network: that of Cognito which it needs is revoked.
type shelf struct {
	*middleware.Login
	t     *testing.T
	store lockSpy
	mem   *middleware.MemoryStore
	logs  *lockedBuffer

	mu      sync.Mutex
	revoked []string
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	mem := middleware.NewMemoryStore()
	return newShelfOver(t, mem, mem)
}

// beside is another process, whose way to the same store is not cut.
func (s *shelf) beside() *shelf { return newShelfOver(s.t, s.mem, s.mem) }

// newShelfOver has a store over mem.
func newShelfOver(t *testing.T, store middleware.SessionStore, mem *middleware.MemoryStore) *shelf {
	t.Helper()
	s := &shelf{t: t, mem: mem, store: lockSpy{&spyStore{SessionStore: store}, mem}, logs: &lockedBuffer{}}
	verifier, err := sso.NewVerifier(sso.Config{UserPoolID: "ap-northeast-2_Shelf0001", ClientIDs: []string{"board"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	client, err := sso.NewClient(sso.ClientConfig{
		Verifier: verifier, Domain: "https://login.example.ac.kr", ClientID: "board", HTTPClient: &http.Client{Transport: s},
		RedirectURL: appBase + "/auth/callback", LogoutURL: appBase + "/auth/logged-out",
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Login, err = middleware.NewLogin(client, middleware.LoginConfig{
		BaseURL: appBase, CookieKeys: [][]byte{cookieKey(1)}, Sessions: s.store,
		Logger: slog.New(slog.NewJSONHandler(s.logs, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { scanForSecrets(t, s.logs.String()) })
	return s
}

// RoundTrip is Cognito.
func (s *shelf) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = append(s.revoked, r.URL.Path+" "+form.Get("token"))
	return answer(200, "application/json", "{}")(r)
}

// set is a token set by its number: its refresh token is "refresh<n>".
func set(n int) *sso.TokenSet {
	ends := time.Now().Add(time.Hour)
	return &sso.TokenSet{
		ID: sso.Token{Subject: "hong", Username: "hong", ExpiresAt: ends}, Access: sso.Token{ExpiresAt: ends},
		RawID: sso.Secret(fmt.Sprint("id", n)), RawAccess: sso.Secret(fmt.Sprint("access", n)), Refresh: sso.Secret(fmt.Sprint("refresh", n)),
	}
}

// refreshOnly is the first set with another refresh token, as of an answer that
// could not be verified.
func refreshOnly(n int) *sso.TokenSet {
	s := set(1)
	s.Refresh = sso.Secret(fmt.Sprint("refresh", n))
	return s
}

// session is a new one with the first set, locked by "holder", whose next set
// is kept. The store is down from here on.
func (s *shelf) session(next *sso.TokenSet) (id string) {
	s.t.Helper()
	s.store.setHook(nil)
	id, err := s.NewSession(s.t.Context(), set(1))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.mem.Lock(s.t.Context(), s.SessionKey(id), "holder", time.Hour); err != nil {
		s.t.Fatal(err)
	}
	if err := s.KeepUnsaved(s.t.Context(), id, "holder", next); err != nil {
		s.t.Fatal(err)
	}
	s.store.setHook(func(string) error { return errStoreDown })
	return id
}

// ended checks that nothing is kept, and that nothing goes on for that.
func (s *shelf) ended() {
	s.t.Helper()
	time.Sleep(2 * time.Second) // of the bubble: two tries at least
	synctest.Wait()
	if sets, storing := s.Unsaved(); sets != 0 || storing {
		s.t.Fatalf("%d sets are kept, and somebody stores them: %v", sets, storing)
	}
	calls := s.calls()
	time.Sleep(time.Hour / 2)
	if n := s.calls() - calls; n != 0 {
		s.t.Errorf("%d calls of the store though nothing is left", n)
	}
}

func (s *shelf) calls() int {
	n := 0
	for _, call := range []string{"get", "create", "update", "delete", "lock", "unlock"} {
		n += s.store.count(call)
	}
	return n
}

func (s *shelf) tokens() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.revoked, ", ")
}

// TestStoreLater: what happens to a session while its new tokens wait for the
// store decides whether they get there.
func TestStoreLater(t *testing.T) {
	t.Parallel()
	type row struct {
		name string
		// kept is the set that waits, the second unless said. meanwhile is what
		// others do to the session before the store is back for this process.
		kept      *sso.TokenSet
		meanwhile func(s *shelf, id string) error
		// stored is the refresh token in the store at the end, or "" where the
		// session is gone; updates how often the record was updated in all.
		stored  string
		updates int64
		revoked string
		locked  bool // by somebody else
	}
	other := func(set *sso.TokenSet, spent bool) func(s *shelf, id string) error {
		return func(s *shelf, id string) error { return s.SetSession(s.t.Context(), id, set, spent) }
	}
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []row{
			{name: "nothing", stored: "refresh2", updates: 1},
			{name: "a refresh token alone waits", kept: refreshOnly(2), stored: "refresh2", updates: 1},
			{name: "it was used", meanwhile: other(set(1), false), stored: "refresh2", updates: 2},
			{name: "it was given up by a process that lost", meanwhile: other(set(1), true), stored: "refresh2", updates: 2},
			{name: "newer tokens were stored", meanwhile: other(set(3), false), stored: "refresh3", updates: 1},
			{name: "a newer refresh token alone was stored", meanwhile: other(refreshOnly(3), false), stored: "refresh3", updates: 1},
			{name: "a newer one after one that waits", kept: refreshOnly(2), meanwhile: other(refreshOnly(3), false), stored: "refresh3", updates: 1},
			{name: "newer ones have been given up", meanwhile: other(set(3), true), stored: "refresh3", updates: 1},
			{name: "they were stored, and the answer lost", meanwhile: other(set(2), false), stored: "refresh2", updates: 1},
			{name: "signed out", meanwhile: func(s *shelf, id string) error { return s.mem.Delete(s.t.Context(), s.SessionKey(id)) }, revoked: "/oauth2/revoke refresh2"},
			{name: "signed out everywhere", meanwhile: func(s *shelf, _ string) error {
				_, err := s.mem.DeleteBySubject(s.t.Context(), "hong")
				return err
			}, revoked: "/oauth2/revoke refresh2"},
			{name: "not used for too long", meanwhile: func(*shelf, string) error {
				time.Sleep(time.Hour) // the limit
				return nil
			}, revoked: "/oauth2/revoke refresh2"},
			{name: "somebody else has the lock", meanwhile: func(s *shelf, id string) error {
				return errors.Join(s.mem.Unlock(s.t.Context(), s.SessionKey(id), "holder"), s.mem.Lock(s.t.Context(), s.SessionKey(id), "another", time.Hour))
			}, stored: "refresh2", updates: 1, locked: true},
		} {
			s := newShelf(t)
			if row.kept == nil {
				row.kept = set(2)
			}
			id := s.session(row.kept)
			time.Sleep(20 * time.Second)
			if row.meanwhile != nil {
				// Past this process's way to the store, which is cut.
				if err := row.meanwhile(s.beside(), id); err != nil {
					t.Fatalf("%s: %v", row.name, err)
				}
			}
			s.store.setHook(nil)
			s.ended()
			data, version, err := s.StoredSession(t.Context(), id)
			if got := data.Refresh; got != row.stored || (err == nil) != (row.stored != "") {
				t.Errorf("%s: stored is %q, want %q: %v", row.name, got, row.stored, err)
			}
			if err == nil && version != 1+row.updates {
				t.Errorf("%s: %d updates, want %d", row.name, version-1, row.updates)
			}
			if got := s.tokens(); got != row.revoked {
				t.Errorf("%s: revoked was %q, want %q", row.name, got, row.revoked)
			}
			if err := s.mem.Lock(t.Context(), s.SessionKey(id), "next", time.Minute); err == nil && row.locked || err != nil && !row.locked && row.stored != "" {
				t.Errorf("%s: the lock at the end: %v", row.name, err)
			}
		}
	})
}

// TestStoreLaterTries: how often, how long and how loudly, while the store is
// down.
func TestStoreLaterTries(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(call string) error{
		"down":              func(string) error { return errStoreDown },
		"cannot be written": failOn("update", errStoreDown),
		"always conflicts":  failOn("update", middleware.ErrSessionConflict),
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newShelf(t)
			ids := make([]string, 50)
			for i := range ids {
				ids[i] = s.session(set(2))
			}
			kept := time.Now()
			s.store.setHook(broken)
			calls := s.store.count("get")
			time.Sleep(10 * time.Minute)
			n := s.store.count("get") - calls
			most := int(10 * time.Minute / middleware.StoreMost)
			if name == "always conflicts" { // each of them may be taken next time
				n /= len(ids)
			}
			if n < most-5 || n > most+5 {
				t.Errorf("%s: %d tries in 10 minutes, want one each %v", name, n, middleware.StoreMost)
			}
			if logged := s.logs.String(); logged != "" {
				t.Errorf("%s: each try is logged: %s", name, logged)
			}
			s.store.setHook(nil)
			time.Sleep(middleware.StoreMost)
			synctest.Wait()
			for _, id := range ids {
				data, _, err := s.StoredSession(t.Context(), id)
				if err != nil || data.Refresh != "refresh2" || data.RawID != "id2" || data.RawAccess != "access2" {
					t.Fatalf("%s: not stored %v after the store is back: %v", name, middleware.StoreMost, err)
				}
				// The tries of this process are no use of the session.
				if data.Seen != kept.Unix() {
					t.Fatalf("%s: seen %d seconds after it was", name, data.Seen-kept.Unix())
				}
			}
			s.ended()
			if logged := s.logs.String(); strings.Count(logged, "\n") != 1 || !strings.Contains(logged, `"stored":50,"not_needed":0`) {
				t.Errorf("%s: logged at the end: %s", name, logged)
			}
			// And again, with another goroutine.
			id := s.session(set(3))
			s.store.setHook(nil)
			s.ended()
			if data, _, err := s.StoredSession(t.Context(), id); err != nil || data.Refresh != "refresh3" {
				t.Errorf("%s: the second time: %v", name, err)
			}
		})
	}
}

// TestStoreLaterEnds: a store that never comes back is asked until the session
// has ended, and no longer.
func TestStoreLaterEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t)
		s.session(set(2))
		time.Sleep(12*time.Hour - time.Minute)
		if sets, storing := s.Unsaved(); sets != 1 || !storing {
			t.Errorf("given up too early: %d, %v", sets, storing)
		}
		time.Sleep(time.Minute + middleware.StoreMost)
		s.ended()
	})
}

// TestStoreLaterHangs: a store that does not answer is not waited for, for ever.
func TestStoreLaterHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &slowStore{MemoryStore: middleware.NewMemoryStore()}
		s := newShelfOver(t, slow, slow.MemoryStore)
		id := s.session(set(2))
		slow.hangs.Store(true)
		s.store.setHook(nil)
		time.Sleep(10 * time.Minute)
		if n := slow.hung.Load(); n < 150 || n > 300 {
			t.Errorf("%d calls in 10 minutes", n)
		}
		slow.hangs.Store(false)
		time.Sleep(3 * time.Second)
		if data, _, err := s.StoredSession(t.Context(), id); err != nil || data.Refresh != "refresh2" {
			t.Errorf("not stored: %v", err)
		}
		s.ended()
	})
}

// TestStoreLaterRefused: one session that the store refuses does not keep the
// others from being stored.
func TestStoreLaterRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &slowStore{MemoryStore: middleware.NewMemoryStore()}
		s := newShelfOver(t, slow, slow.MemoryStore)
		ids := make([]string, 20)
		for i := range ids {
			ids[i] = s.session(set(2))
		}
		slow.refused.Store(s.SessionKey(ids[7]))
		s.store.setHook(nil)
		time.Sleep(3 * time.Second)
		for i, id := range ids {
			data, _, err := s.StoredSession(t.Context(), id)
			if err != nil || (data.Refresh == "refresh2") == (i == 7) {
				t.Errorf("session %d: %v", i, err)
			}
		}
		if sets, storing := s.Unsaved(); sets != 1 || !storing {
			t.Errorf("%d sets wait, %v", sets, storing)
		}
		slow.refused.Store("")
		s.ended()
	})
}

// TestStoreLaterHurries: as long as the store takes some, the rest does not wait.
func TestStoreLaterHurries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t)
		for range 20 {
			s.session(set(2))
		}
		time.Sleep(time.Minute)
		var n atomic.Int32
		s.store.setHook(func(call string) error {
			if call == "update" && n.Add(1)%2 == 0 {
				return errStoreDown
			}
			return nil
		})
		time.Sleep(4 * time.Second)
		if sets, _ := s.Unsaved(); sets != 0 {
			t.Errorf("%d of 20 still wait, after 4 seconds in which the store took every other", sets)
		}
		s.ended()
	})
}

// slowStore may hang for whoever has a limit to that, or refuse one session.
type slowStore struct {
	*middleware.MemoryStore
	hangs   atomic.Bool
	hung    atomic.Int32
	refused atomic.Value // a key
}

func (s *slowStore) Get(ctx context.Context, key string) (middleware.SessionRecord, error) {
	if _, ok := ctx.Deadline(); ok && s.hangs.Load() {
		s.hung.Add(1)
		<-ctx.Done()
		return middleware.SessionRecord{}, ctx.Err()
	}
	return s.MemoryStore.Get(ctx, key)
}

func (s *slowStore) Update(ctx context.Context, rec middleware.SessionRecord) error {
	if rec.Key == s.refused.Load() {
		return errStoreDown
	}
	return s.MemoryStore.Update(ctx, rec)
}

// TestStoreLaterSignOut: somebody signs out in this very process, at the worst
// moments. They stay so, and the refresh token that counts is revoked.
func TestStoreLaterSignOut(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		// first is the call of one that is held back until the other, of the
		// other, has been made.
		first, then string
	}{
		{"the update comes after the deletion", "update", "delete"},
		{"the deletion comes after the update", "delete", "update"},
	} {
		for _, everywhere := range []string{"", "1"} {
			synctest.Test(t, func(t *testing.T) {
				s := newShelf(t)
				id := s.session(set(2))
				held := make(chan struct{})
				var once sync.Once
				first, then := row.first, row.then
				if everywhere != "" {
					first, then = strings.Replace(first, "delete", "deleteBySubject", 1), strings.Replace(then, "delete", "deleteBySubject", 1)
				}
				s.store.setHook(func(call string) error {
					if call == first {
						<-held
					}
					return nil
				})
				s.store.setAfter(func(call string) {
					if call == then {
						once.Do(func() { close(held) })
					}
				})
				if then == "delete" || then == "deleteBySubject" {
					time.Sleep(middleware.StoreMost) // until the update is held back
					synctest.Wait()
				}
				if status := s.signOut(id, everywhere); status != http.StatusSeeOther {
					t.Errorf("%s: signing out: %d", row.name, status)
				}
				s.ended()
				if _, _, err := s.StoredSession(t.Context(), id); !errors.Is(err, sso.ErrMissing) {
					t.Errorf("%s: the session is alive: %v", row.name, err)
				}
				// Both may revoke it, which does no harm.
				if got := strings.ReplaceAll(s.tokens(), "/oauth2/revoke refresh2, ", ""); got != "/oauth2/revoke refresh2" {
					t.Errorf("%s: revoked was %q", row.name, got)
				}
			})
		}
	}
}

// TestStoreLaterSignOutElsewhere: another process signs out between this one's
// reading and writing. Nothing is written, and the refresh token is revoked.
func TestStoreLaterSignOutElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t)
		id := s.session(set(2))
		held := make(chan struct{})
		s.store.setHook(func(call string) error {
			if call == "update" {
				<-held
			}
			return nil
		})
		time.Sleep(middleware.StoreMost)
		synctest.Wait()
		if err := s.mem.Delete(t.Context(), s.SessionKey(id)); err != nil {
			t.Fatal(err)
		}
		close(held)
		s.ended()
		if _, _, err := s.StoredSession(t.Context(), id); !errors.Is(err, sso.ErrMissing) {
			t.Errorf("the session is alive: %v", err)
		}
		if got := s.tokens(); got != "/oauth2/revoke refresh2" {
			t.Errorf("revoked was %q", got)
		}
	})
}

func (s *shelf) signOut(id, everywhere string) int {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, appBase+"/auth/logout", strings.NewReader("everywhere="+everywhere))
	r.Header = navigation.Clone()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", s.SessionCookie()+"="+id)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code
}

// TestStoreLaterBesideRequests: requests that come while the tokens are stored
// get them, and nothing is redeemed.
func TestStoreLaterBesideRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t)
		id := s.session(set(2))
		release := make(chan struct{})
		s.store.setHook(func(call string) error {
			if call == "update" {
				<-release
			}
			return nil
		})
		time.Sleep(middleware.StoreMost)
		synctest.Wait() // until it is at it
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if raw, err := s.RefreshSession(t.Context(), id); err != nil || raw != "id2" {
					t.Errorf("a request got %q, %v", raw, err)
				}
			})
		}
		synctest.Wait() // until they have joined
		close(release)
		wg.Wait()
		if n := s.store.count("update"); n != 1 {
			t.Errorf("%d updates", n)
		}
		if got := s.tokens(); got != "" {
			t.Errorf("Cognito was asked: %s", got)
		}
		s.ended()
	})
}

// TestStoreLaterBound: a process keeps so many sets, and no more.
func TestStoreLaterBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t)
		for range middleware.MaxUnsaved + 100 {
			id, err := s.NewSession(t.Context(), set(1))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.KeepUnsaved(t.Context(), id, "", set(2)); err != nil {
				t.Fatal(err)
			}
		}
		if sets, _ := s.Unsaved(); sets != middleware.MaxUnsaved {
			t.Errorf("%d sets are kept", sets)
		}
		s.ended()
		if n := s.store.count("update"); n != middleware.MaxUnsaved {
			t.Errorf("%d were stored", n)
		}
	})
}

// A process that is refused waits for what another is about to store. That must
// be longer than the other waits between two tries.
func TestStoreLaterBeforeGivenUp(t *testing.T) {
	t.Parallel()
	if middleware.StoreMost+200*time.Millisecond > middleware.AdoptPatience {
		t.Errorf("tries are %v apart, and a process that is refused waits %v", middleware.StoreMost, middleware.AdoptPatience)
	}
}

// TestUnsavedElsewhere: the store is down while one process has new tokens, and
// then another process gets all requests. Refresh tokens rotate without grace.
func TestUnsavedElsewhere(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		signOut bool // in the other process, whose store is not down
	}{
		{name: "signed in"},
		{name: "signed out", signOut: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rotate)
			mem := middleware.NewMemoryStore()
			spy := lockSpy{&spyStore{SessionStore: mem}, mem}
			one := w.newApp(appBase, func(c *middleware.LoginConfig) { c.Sessions = spy })
			two := w.newApp(appBase, func(c *middleware.LoginConfig) { c.Sessions = mem })
			w.apps[appBase] = one.mux
			b := w.newBrowser()
			b.signIn(one)
			id := b.cookies(one)[one.login.SessionCookie()]
			before := w.wire.count("/oauth2/token")
			spent := w.refreshTokens(t, one, id)
			w.pool.Advance(59*time.Minute + 30*time.Second)
			var down atomic.Bool
			spy.setHook(func(call string) error {
				if call == "update" {
					down.Store(true) // from here on
				}
				if down.Load() {
					return errStoreDown
				}
				return nil
			})
			if !b.signedIn(one) {
				t.Fatal("signed out by the outage")
			}
			if sets, storing := one.login.Unsaved(); sets != 1 || !storing {
				t.Fatalf("%d sets are kept, %v", sets, storing)
			}
			if n := spy.count("unlock"); n != 0 {
				t.Error("the lock was given back with a refresh token in the store that is spent")
			}
			w.apps[appBase] = two.mux
			if row.signOut {
				if p := b.signOut(two, nil); p.status != 303 {
					t.Fatalf("signing out: %d", p.status)
				}
			}
			revoked := w.wire.count("/oauth2/revoke")
			spy.setHook(nil)
			eventually(t, "the tokens are still not stored", func() bool {
				sets, storing := one.login.Unsaved()
				return sets == 0 && !storing
			})
			if row.signOut {
				if n := w.wire.count("/oauth2/revoke") - revoked; n != 1 {
					t.Errorf("%d refresh tokens were revoked", n)
				}
				for _, a := range []*app{one, two} {
					if status := serveCookie(a.mux, a.login.SessionCookie()+"="+id); status != 401 {
						t.Errorf("signed out, and answered %d", status)
					}
				}
				return
			}
			// No lease is waited for, not even by who has to refresh.
			if err := mem.Lock(t.Context(), one.login.SessionKey(id), "test", time.Nanosecond); err != nil {
				t.Errorf("the lock: %v", err)
			}
			w.pool.Advance(5 * time.Minute) // past the first tokens' end
			if !b.signedIn(two) {
				t.Error("signed out by an outage")
			}
			if n := w.wire.count("/oauth2/token") - before; n != 1 {
				t.Errorf("%d refreshes, want 1", n)
			}
			if now := w.refreshTokens(t, two, id); now == spent {
				t.Error("the store has the refresh token that is spent")
			}
			w.pool.Advance(55 * time.Minute)
			if !b.signedIn(two) {
				t.Error("what is stored cannot be redeemed")
			}
		})
	}
}

// TestUnsavedIsRefused: the refresh token that waits for the store is refused,
// so the session has ended. What waits does not bring it back when the store is
// there again.
func TestUnsavedIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rotate)
	a := w.newApp(appBase, func(c *middleware.LoginConfig) {
		c.IdleTimeout = 12 * time.Hour
		c.Sessions = lockingStore{c.Sessions}
	})
	b := w.newBrowser()
	b.signIn(a)
	// A refresh token alone waits, as in TestNewKeyDuringOutage.
	w.pool.RotateKeys()
	w.pool.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSDown })
	a.store.setHook(failOn("update", errStoreDown))
	w.pool.Advance(59*time.Minute + 30*time.Second)
	if !b.signedIn(a) {
		t.Fatal("signed out while the old token was good")
	}
	if sets, _ := a.login.Unsaved(); sets != 1 {
		t.Fatalf("%d sets are kept", sets)
	}
	w.pool.SetFaults(func(f *ssotest.Faults) { f.JWKS, f.TokenEndpoint = ssotest.JWKSOK, "invalid_grant" })
	w.wire.setHook(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/oauth2/token" {
			a.store.setHook(nil) // it is back at this very moment
		}
		return nil, nil
	})
	w.pool.Advance(20 * time.Second) // past the key server's cooldown
	if b.signedIn(a) {
		t.Error("signed in with a refresh token that was refused")
	}
	eventually(t, "a set is still kept", func() bool {
		sets, storing := a.login.Unsaved()
		return sets == 0 && !storing
	})
	calls := w.wire.count("/oauth2/token")
	if b.signedIn(a) || w.wire.count("/oauth2/token") != calls {
		t.Error("the session that ended is back")
	}
}

// refreshTokens is the refresh token in the store.
func (*world) refreshTokens(t *testing.T, a *app, id string) string {
	t.Helper()
	data, _, err := a.login.StoredSession(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return data.Refresh
}

func eventually(t *testing.T, problem string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal(problem)
		}
	}
}
