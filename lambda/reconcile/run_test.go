package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	_, err := reconcile.Run(t.Context(), reconcile.Config{
		Columns: []string{"Kakao"}, ReadRate: -1, WriteRate: -1, Attempts: -1, SaveEvery: -1,
	})
	if !errors.Is(err, reconcile.ErrConfig) {
		t.Fatalf("error = %v", err)
	}
	for _, field := range []string{"Pool", "Users", "Providers", "Columns", "ReadRate", "WriteRate", "Attempts", "SaveEvery"} {
		if !strings.Contains(err.Error(), field+": ") {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}

func TestYoungUsersAreLeftToTheirTriggers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.kakao(t, "1", "")
	w.add(t, ssotest.User{Username: "Kakao_2", Status: "EXTERNAL_PROVIDER", Created: longAgo}, "")
	report := w.run(t, apply, func(c *reconcile.Config) { c.SkipYounger = 0 }) // the default
	if report.Skipped[reconcile.SkipYoung] != 1 || report.Repaired[reconcile.UserWithoutRow] != 1 {
		t.Errorf("report = %+v", report)
	}
	w.wantAttribute(t, "Kakao_1", "")
	// A young user's row is no orphan.
	w.row(t, w.kakao(t, "3", ""), "3")
	if report = w.run(t, func(c *reconcile.Config) { c.SkipYounger = time.Hour }); report.Found[reconcile.SubGone] != 0 {
		t.Errorf("report = %+v", report)
	}
}

// A table without unique indexes, as an old one may be.
func TestAmbiguousRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(t, "DROP TABLE users")
	w.exec(t, "CREATE TABLE users (id INTEGER PRIMARY KEY, kakao_id TEXT, google_id TEXT, cognito_sub TEXT, email TEXT, name TEXT, last_login_at TEXT, created_at TEXT)")
	sub, _ := w.good(t, "1")
	w.row(t, sub, "")
	w.row(t, "", "1")
	w.row(t, "", "2")
	report := w.run(t, apply)
	if report.Found[reconcile.AmbiguousRows] != 2 || report.Clean() || total(report.Found) != 2 {
		t.Fatalf("report = %+v", report)
	}
	var rows []string
	for _, f := range w.found {
		rows = append(rows, f.RowID)
	}
	if !slices.Equal(rows, []string{"2", "3"}) {
		t.Errorf("rows = %v", rows)
	}
}

// Two users who come with one Kakao id, and no row yet: the first gets it.
func TestTwoUsersOneIdentity(t *testing.T) {
	t.Parallel()
	for _, mode := range []struct {
		name  string
		apply bool
	}{{"dry run", false}, {"apply", true}} {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			identities := `[{"userId":"1","providerName":"Kakao","primary":true,"dateCreated":1}]`
			for _, name := range []string{"a", "b"} {
				fake := reconcile.PoolUser{Username: name, Status: "EXTERNAL_PROVIDER",
					Attributes: map[string]string{"sub": "sub-" + name, "identities": identities}}
				w.extra = append(w.extra, fake)
			}
			report := w.run(t, func(c *reconcile.Config) { c.Apply = mode.apply; c.Pool = &extraPool{c.Pool, w} })
			if report.Found[reconcile.ContestedRow] != 1 || report.Found[reconcile.UserWithoutRow] != 1 {
				t.Errorf("report = %+v", report)
			}
			if mode.apply && w.rowOf(t, "sub-a") != "1" {
				t.Error("the row went from the first to the second")
			}
		})
	}
}

// extraPool has users besides those of a pool.
type extraPool struct {
	reconcile.Pool
	w *world
}

func (p *extraPool) List(ctx context.Context, token string) ([]reconcile.PoolUser, string, error) {
	page, next, err := p.Pool.List(ctx, token)
	if next == "" {
		page = append(page, p.w.extra...)
	}
	return page, next, err
}

func (p *extraPool) User(ctx context.Context, name string) (reconcile.PoolUser, error) {
	return p.find(func(u reconcile.PoolUser) bool { return u.Username == name },
		func() (reconcile.PoolUser, error) { return p.Pool.User(ctx, name) })
}

func (p *extraPool) BySub(ctx context.Context, sub string) (reconcile.PoolUser, error) {
	return p.find(func(u reconcile.PoolUser) bool { return u.Attributes["sub"] == sub },
		func() (reconcile.PoolUser, error) { return p.Pool.BySub(ctx, sub) })
}

func (p *extraPool) find(is func(reconcile.PoolUser) bool, or func() (reconcile.PoolUser, error)) (reconcile.PoolUser, error) {
	if i := slices.IndexFunc(p.w.extra, is); i >= 0 {
		return p.w.extra[i], nil
	}
	return or()
}

func (p *extraPool) SetAttribute(ctx context.Context, username, name, value string) error {
	for _, u := range p.w.extra {
		if u.Username == username {
			u.Attributes[name] = value
			return nil
		}
	}
	return p.Pool.SetAttribute(ctx, username, name, value)
}

// Somebody whom the list leaves out is not taken for gone, and is repaired.
func TestListWithAHole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.row(t, w.kakao(t, "1", ""), "1")
	w.good(t, "2")
	report := w.run(t, apply, func(c *reconcile.Config) { c.Pool = &holePool{c.Pool, "Kakao_1"} })
	if report.Found[reconcile.SubGone] != 0 || report.Repaired[reconcile.AttributeMissing] != 1 {
		t.Errorf("report = %+v", report)
	}
}

type holePool struct {
	reconcile.Pool
	hide string
}

func (p *holePool) List(ctx context.Context, token string) ([]reconcile.PoolUser, string, error) {
	page, next, err := p.Pool.List(ctx, token)
	return slices.DeleteFunc(page, func(u reconcile.PoolUser) bool { return u.Username == p.hide }), next, err
}

func TestSkipGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.row(t, "of-another-pool", "1")
	if report := w.run(t, func(c *reconcile.Config) { c.SkipGone = true }); total(report.Found) != 0 {
		t.Errorf("report = %+v", report)
	}
}

// What a trigger mends between list and repair is no finding, and what it
// changes is not overwritten with old news.
func TestTriggersAreFaster(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		meanwhile func(t *testing.T, w *world) // after the list, before the user is looked at again
		want      func(r reconcile.Report) bool
		attribute string
	}{
		"nothing happens": {func(*testing.T, *world) {}, func(r reconcile.Report) bool { return r.Repaired[reconcile.AttributeMissing] == 1 }, "1"},
		"the trigger writes the attribute": {func(t *testing.T, w *world) { w.write(t, "Kakao_1", "1") },
			func(r reconcile.Report) bool { return total(r.Found) == 0 }, "1"},
		"the user is deleted": {func(t *testing.T, w *world) { w.delete(t, "Kakao_1") },
			func(r reconcile.Report) bool { return total(r.Found) == 0 && r.Skipped[reconcile.SkipVanished] == 1 }, ""},
		"the user is deleted and signs up again": {func(t *testing.T, w *world) { w.delete(t, "Kakao_1"); w.kakao(t, "1", "") },
			func(r reconcile.Report) bool { return total(r.Repaired) == 0 && r.Skipped[reconcile.SkipVanished] == 1 }, ""},
		"the row goes to another sub": {func(t *testing.T, w *world) {
			w.exec(t, "UPDATE users SET cognito_sub = 'x', kakao_id = '9' WHERE id = 1")
		}, func(r reconcile.Report) bool { return r.Repaired[reconcile.UserWithoutRow] == 1 }, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.row(t, w.kakao(t, "1", ""), "1")
			report := w.run(t, apply, func(c *reconcile.Config) {
				c.SkipGone = true
				c.Pool = &hookPool{Pool: c.Pool, beforeUser: sync.OnceFunc(func() { tc.meanwhile(t, w) })}
			})
			if !tc.want(report) {
				t.Errorf("report = %+v", report)
			}
			if u, ok := w.pool.User("Kakao_1"); ok && u.Attributes["custom:userId"] != tc.attribute {
				t.Errorf("attribute = %q, want %q", u.Attributes["custom:userId"], tc.attribute)
			}
		})
	}
}

// hookPool calls before things.
type hookPool struct {
	reconcile.Pool
	beforeUser, beforeSet func()
	beforeList            func(token string) error
}

func (p *hookPool) List(ctx context.Context, token string) ([]reconcile.PoolUser, string, error) {
	if p.beforeList != nil {
		if err := p.beforeList(token); err != nil {
			return nil, "", err
		}
	}
	return p.Pool.List(ctx, token)
}

func (p *hookPool) User(ctx context.Context, name string) (reconcile.PoolUser, error) {
	if p.beforeUser != nil {
		p.beforeUser()
	}
	return p.Pool.User(ctx, name)
}

func (p *hookPool) SetAttribute(ctx context.Context, username, name, value string) error {
	if p.beforeSet != nil {
		p.beforeSet()
	}
	return p.Pool.SetAttribute(ctx, username, name, value)
}

// The row goes to another in the very moment between read and write: the
// attribute that was written in vain is made good in the same run.
func TestRowMovesDuringTheWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.row(t, w.kakao(t, "1", ""), "1")
	report := w.run(t, apply, func(c *reconcile.Config) {
		c.SkipGone = true
		c.Pool = &hookPool{Pool: c.Pool, beforeSet: sync.OnceFunc(func() {
			w.exec(t, "UPDATE users SET cognito_sub = 'x', kakao_id = '9' WHERE id = 1")
		})}
	})
	w.wantAttribute(t, "Kakao_1", "2")
	if !report.Clean() {
		t.Errorf("report = %+v", report)
	}
}

// Cognito's real quota for writes, and one that the slowest machine exceeds.
func TestThrottledByQuota(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ quota, lost int }{{25, 60}, {4, 12}} {
		t.Run(fmt.Sprint(row.quota), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for i := range row.lost {
				w.kakao(t, fmt.Sprint(1000+i), "")
			}
			w.pool.SetFaults(func(f *ssotest.Faults) {
				f.Quota = map[string]int{"AdminUpdateUserAttributes": row.quota, "ListUsers": 30}
			})
			report := w.run(t, apply, func(c *reconcile.Config) { c.WriteRate = 60 })
			if report.Repaired[reconcile.UserWithoutRow] != row.lost || row.quota == 4 && report.Throttled == 0 {
				t.Errorf("report = %+v", report)
			}
			if again := w.run(t); total(again.Found) != 0 {
				t.Errorf("second run: %+v", again)
			}
		})
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		faults ssotest.Faults
		change func(*reconcile.Config)
		want   error
		text   string
	}{
		"always throttled":  {ssotest.Faults{Throttle: map[string]bool{"ListUsers": true}}, nil, reconcile.ErrThrottled, "ListUsers: TooManyRequestsException"},
		"pool is broken":    {ssotest.Faults{APIError: map[string]string{"ListUsers": "InternalErrorException"}}, nil, reconcile.ErrUnavailable, "ListUsers: InternalErrorException"},
		"not allowed":       {ssotest.Faults{APIError: map[string]string{"ListUsers": "NotAuthorizedException"}}, nil, reconcile.ErrPool, "ListUsers: NotAuthorizedException"},
		"cannot write":      {ssotest.Faults{APIError: map[string]string{"AdminUpdateUserAttributes": "InvalidParameterException"}}, nil, reconcile.ErrPool, "AdminUpdateUserAttributes: InvalidParameterException"},
		"cannot look again": {ssotest.Faults{APIError: map[string]string{"AdminGetUser": "AccessDeniedException"}}, nil, reconcile.ErrPool, "AdminGetUser: AccessDeniedException"},
		"table out of reach": {ssotest.Faults{}, func(c *reconcile.Config) { c.Users = brokenStore{c.Users, users.ErrUnavailable} },
			users.ErrUnavailable, ""},
		"table is odd": {ssotest.Faults{}, func(c *reconcile.Config) { c.Users = brokenStore{c.Users, users.ErrSchema} }, reconcile.ErrStore, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			sub := w.kakao(t, "4000000001", "")
			w.pool.SetFaults(func(f *ssotest.Faults) { *f = tc.faults })
			cfg := w.config()
			cfg.Apply, cfg.Attempts = true, 2
			if tc.change != nil {
				tc.change(&cfg)
			}
			_, err := reconcile.Run(t.Context(), cfg)
			if !errors.Is(err, tc.want) || !errors.Is(err, reconcile.ErrPool) && !errors.Is(err, reconcile.ErrStore) {
				t.Fatalf("error = %v, want %v", err, tc.want)
			}
			if !strings.Contains(err.Error(), tc.text) || strings.Contains(err.Error(), sub) || strings.Contains(err.Error(), "4000000001") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

type brokenStore struct {
	users.Store
	err error
}

func (s brokenStore) Ensure(context.Context, users.Identity) (users.Result, error) {
	return users.Result{}, s.err
}

// What the store refuses is a finding for a person, and no end of the run.
func TestStoreRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want reconcile.Kind
	}{
		"conflict":          {users.ErrConflict, reconcile.IdentityConflict},
		"move refused":      {users.ErrMoveRefused, reconcile.IdentityConflict},
		"id of wrong form":  {users.ErrInvalid, reconcile.IdentityConflict},
		"several rows have": {users.ErrAmbiguous, reconcile.AmbiguousRows},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.kakao(t, "1", "")
			w.row(t, w.kakao(t, "2", ""), "2")
			report := w.run(t, apply, func(c *reconcile.Config) { c.Users = brokenStore{c.Users, tc.err} })
			if report.Found[tc.want] != 1 || report.Remaining(reconcile.Conflict) != 1 || report.Repaired[reconcile.AttributeMissing] != 1 {
				t.Errorf("report = %+v", report)
			}
		})
	}
}

// stop ends a run from inside, as Ctrl-C would.
func (w *world) interrupted(t *testing.T, after int, change ...func(*reconcile.Config)) reconcile.Checkpoint {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg := w.config()
	for _, c := range change {
		c(&cfg)
	}
	var saved []byte
	cfg.OnCheckpoint = func(c reconcile.Checkpoint) (err error) {
		saved, err = json.Marshal(c) // as a file would have it
		return err
	}
	cfg.SaveEvery = time.Hour
	n := 0
	cfg.OnFinding = func(reconcile.Finding) {
		if n++; n == after {
			cancel()
		}
	}
	if _, err := reconcile.Run(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Fatalf("Run = %v", err)
	}
	var c reconcile.Checkpoint
	if err := json.Unmarshal(saved, &c); err != nil {
		t.Fatalf("no checkpoint: %v", err)
	}
	return c
}

// many makes 150 users: three pages. A third each have no row, no attribute,
// nothing wrong; and two rows of subs that are gone.
func (w *world) many(t *testing.T) {
	t.Helper()
	for i := range 50 {
		w.kakao(t, fmt.Sprint(1000+i), "")
		w.row(t, w.kakao(t, fmt.Sprint(2000+i), ""), fmt.Sprint(2000+i))
		w.good(t, fmt.Sprint(3000+i))
	}
	w.row(t, "gone-1", "1")
	w.row(t, "gone-2", "2")
}

func TestResume(t *testing.T) {
	t.Parallel()
	for _, after := range []int{1, 25, 50, 51, 75, 100, 101} { // findings; page ends and phases among them
		t.Run(fmt.Sprintf("apply, stopped at finding %d", after), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.many(t)
			c := w.interrupted(t, after, apply)
			report := w.run0(t, apply, func(cfg *reconcile.Config) { cfg.Resume = &c })
			wantMany(t, report, 50)
			if again := w.run(t); !again.Clean() || again.Found[reconcile.SubGone] != 2 {
				t.Errorf("second run: %+v", again)
			}
		})
	}
	t.Run("dry run", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.many(t)
		c := w.interrupted(t, 70)
		pages := 0
		report := w.run0(t, func(cfg *reconcile.Config) {
			cfg.Resume = &c
			cfg.Pool = &hookPool{Pool: cfg.Pool, beforeList: func(string) error { pages++; return nil }}
		})
		wantMany(t, report, 0)
		if pages != 2 {
			t.Errorf("%d pages were listed again, want the last 2 of 3", pages)
		}
	})
	t.Run("expired token", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.many(t)
		c := w.interrupted(t, 70, apply)
		c.Token = "expired"
		report := w.run0(t, apply, func(cfg *reconcile.Config) { cfg.Resume = &c })
		if report.Restarted != 1 {
			t.Errorf("restarted %d times", report.Restarted)
		}
		wantMany(t, report, 50)
	})
	t.Run("tokens that are never good", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.many(t)
		cfg := w.config()
		cfg.Pool = &hookPool{Pool: cfg.Pool, beforeList: func(token string) error {
			if token != "" {
				return reconcile.ErrToken
			}
			return nil
		}}
		if _, err := reconcile.Run(t.Context(), cfg); !errors.Is(err, reconcile.ErrPool) || !errors.Is(err, reconcile.ErrToken) {
			t.Errorf("Run = %v", err)
		}
	})
}

// run0 is run, for a part of a run.
func (w *world) run0(t *testing.T, change ...func(*reconcile.Config)) reconcile.Report {
	t.Helper()
	cfg := w.config()
	for _, c := range change {
		c(&cfg)
	}
	report, err := reconcile.Run(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return report
}

func wantMany(t *testing.T, r reconcile.Report, repaired int) {
	t.Helper()
	found := map[reconcile.Kind]int{reconcile.UserWithoutRow: 50, reconcile.AttributeMissing: 50, reconcile.SubGone: 2}
	maps.DeleteFunc(r.Repaired, func(_ reconcile.Kind, n int) bool { return n == 0 })
	done := map[reconcile.Kind]int{reconcile.UserWithoutRow: repaired, reconcile.AttributeMissing: repaired}
	maps.DeleteFunc(done, func(_ reconcile.Kind, n int) bool { return n == 0 })
	if !maps.Equal(withoutZeros(r.Found), found) || !maps.Equal(r.Repaired, done) || r.Users != 150 {
		t.Errorf("report = %+v", r)
	}
}

func withoutZeros(m map[reconcile.Kind]int) map[reconcile.Kind]int {
	m = maps.Clone(m)
	maps.DeleteFunc(m, func(_ reconcile.Kind, n int) bool { return n == 0 })
	return m
}

func TestBadCheckpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(t)
	good := w.interrupted(t, 10)
	for name, change := range map[string]func(*reconcile.Checkpoint, *reconcile.Config){
		"empty":           func(c *reconcile.Checkpoint, _ *reconcile.Config) { *c = reconcile.Checkpoint{} },
		"another version": func(c *reconcile.Checkpoint, _ *reconcile.Config) { c.Version = 2 },
		"another phase":   func(c *reconcile.Checkpoint, _ *reconcile.Config) { c.Phase = "end" },
		"cut off":         func(c *reconcile.Checkpoint, _ *reconcile.Config) { c.Seen = []byte("123") },
		"of a dry run":    func(_ *reconcile.Checkpoint, cfg *reconcile.Config) { cfg.Apply = true },
		"other providers": func(_ *reconcile.Checkpoint, cfg *reconcile.Config) { cfg.Providers = []string{"Kakao", "Google", "x"} },
		"other attribute": func(_ *reconcile.Checkpoint, cfg *reconcile.Config) { cfg.UserIDAttribute = "custom:x" },
		"another pool": func(_ *reconcile.Checkpoint, cfg *reconcile.Config) {
			cfg.Pool = reconcile.NewCognitoPool(w.api, "ap-northeast-2_Another")
		},
	} {
		c, cfg := good, w.config()
		change(&c, &cfg)
		cfg.Resume = &c
		if _, err := reconcile.Run(t.Context(), cfg); !errors.Is(err, reconcile.ErrCheckpoint) {
			t.Errorf("%s: Run = %v", name, err)
		}
	}
}

// A checkpoint names nobody. (The pagination token is Cognito's own.)
func TestCheckpointIsQuiet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(t)
	c := w.interrupted(t, 80, apply)
	c.Token = ""
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range w.pool.Users() {
		if strings.Contains(string(text), u.Sub) || strings.Contains(string(text), u.Username) {
			t.Fatalf("the checkpoint has a user")
		}
	}
}

func TestCheckpointCannotBeKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.good(t, "1")
	full := errors.New("disk full")
	cfg := w.config()
	now := time.Now()
	cfg.Now = func() time.Time { now = now.Add(time.Minute); return now }
	cfg.OnCheckpoint = func(reconcile.Checkpoint) error { return full }
	if _, err := reconcile.Run(t.Context(), cfg); !errors.Is(err, full) {
		t.Errorf("Run = %v", err)
	}
}

// People sign up, sign in and are deleted while repairs are made: nobody gets
// two rows, or another's.
func TestBesideLiveSignUps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(t)
	w.exec(t, "DELETE FROM users WHERE cognito_sub LIKE 'gone-%'")
	const live = 120
	var wg sync.WaitGroup
	for worker := range 3 {
		wg.Go(func() {
			for i := range live / 3 {
				subject := fmt.Sprint(5000 + worker*1000 + i)
				u, err := w.pool.AddUser(ssotest.User{Username: "Kakao_" + subject, Status: "EXTERNAL_PROVIDER"})
				if err != nil {
					t.Error(err)
					return
				}
				if i%5 == 4 {
					continue // the trigger is lost: for a later run
				}
				res, err := w.store.Ensure(t.Context(), users.Identity{Sub: u.Sub, Provider: "Kakao", Subject: subject})
				if err != nil {
					t.Error(err)
					return
				}
				if i%5 != 3 {
					w.write(t, u.Username, res.ID)
				}
			}
		})
	}
	var done atomic.Bool
	go func() { wg.Wait(); done.Store(true) }()
	for !done.Load() {
		w.run0(t, apply, func(c *reconcile.Config) { c.OnFinding = nil })
	}
	w.run(t, apply)
	if last := w.run(t); total(last.Found) != 0 || last.Users != 150+live {
		t.Errorf("after the last sign-up: %+v", last)
	}
	pool, rows := w.state(t)
	owner := map[string]string{}
	for _, row := range rows {
		id, rest, _ := strings.Cut(row, " ")
		_, kakao, _ := strings.Cut(rest, " ")
		if _, twice := owner["Kakao_"+kakao]; twice {
			t.Errorf("two rows for one person")
		}
		owner["Kakao_"+kakao] = id
	}
	if len(owner) != len(pool) || !maps.Equal(owner, pool) {
		t.Errorf("%d users, %d rows, or they differ", len(pool), len(owner))
	}
}

// A term's worth, with a thirtieth of everything wrong.
func TestFiveThousandUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tx, err := w.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const n = 5000
	for i := range n {
		attribute := fmt.Sprint(i + 1)
		if i%30 == 0 {
			attribute = ""
		}
		sub := w.kakao(t, fmt.Sprint(100000+i), attribute)
		if i%30 != 1 {
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO users (id, cognito_sub, kakao_id) VALUES (?, ?, ?)", i+1, sub, 100000+i); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	pool := &countingPool{}
	counted := func(c *reconcile.Config) { pool.Pool, pool.calls = c.Pool, 0; c.Pool = pool }
	report := w.run(t, counted)
	if report.Users != n || report.Found[reconcile.AttributeMissing] != 167 || report.Found[reconcile.UserWithoutRow] != 167 || total(report.Found) != 334 {
		t.Errorf("dry run: %+v", report)
	}
	const pages = (n + 59) / 60
	if pool.calls != pages {
		t.Errorf("%d calls of the pool for a dry run, want its %d pages", pool.calls, pages)
	}
	w.run(t, apply, counted)
	if pool.calls != pages+2*334 {
		t.Errorf("%d calls of the pool for 334 repairs, want %d", pool.calls, pages+2*334)
	}
	if report = w.run(t); total(report.Found) != 0 {
		t.Errorf("after apply: %+v", report)
	}
}

// countingPool counts the calls that were answered.
type countingPool struct {
	reconcile.Pool
	calls int
}

func (p *countingPool) count(err error) {
	if err == nil {
		p.calls++
	}
}

func (p *countingPool) List(ctx context.Context, token string) (page []reconcile.PoolUser, next string, err error) {
	defer func() { p.count(err) }()
	return p.Pool.List(ctx, token)
}

func (p *countingPool) BySub(ctx context.Context, sub string) (u reconcile.PoolUser, err error) {
	defer func() { p.count(err) }()
	return p.Pool.BySub(ctx, sub)
}

func (p *countingPool) User(ctx context.Context, name string) (u reconcile.PoolUser, err error) {
	defer func() { p.count(err) }()
	return p.Pool.User(ctx, name)
}

func (p *countingPool) SetAttribute(ctx context.Context, username, name, value string) (err error) {
	defer func() { p.count(err) }()
	return p.Pool.SetAttribute(ctx, username, name, value)
}

func TestProgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(t)
	last := map[reconcile.Phase]reconcile.Progress{}
	w.run(t, func(c *reconcile.Config) {
		c.OnProgress = func(p reconcile.Progress) {
			if p.Done < last[p.Phase].Done || p.Total != 0 && p.Done > p.Total {
				t.Errorf("progress %+v after %+v", p, last[p.Phase])
			}
			last[p.Phase] = p
		}
	})
	want := map[reconcile.Phase]reconcile.Progress{
		reconcile.PhaseTable: {Phase: reconcile.PhaseTable, Done: 102},
		reconcile.PhasePool:  {Phase: reconcile.PhasePool, Done: 150, Total: 150},
		reconcile.PhaseGone:  {Phase: reconcile.PhaseGone, Done: 2, Total: 2},
	}
	if !maps.Equal(last, want) {
		t.Errorf("progress ended with %+v", last)
	}
}

// No server: the SDK's own errors have no code.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := cognitoidentityprovider.New(w.api.Options(), func(o *cognitoidentityprovider.Options) {
		o.BaseEndpoint = aws.String("http://127.0.0.1:1")
	})
	cfg := w.config()
	cfg.Pool, cfg.Attempts = reconcile.NewCognitoPool(api, w.pool.ID()), 1
	_, err := reconcile.Run(t.Context(), cfg)
	if !errors.Is(err, reconcile.ErrPool) || !errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("Run = %v", err)
	}
}
