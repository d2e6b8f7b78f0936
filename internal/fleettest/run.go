package fleettest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/http/cookiejar"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// fleet is one run.
type fleet struct {
	cfg       Config
	pool      *ssotest.Pool
	clock     *clock
	judge     *judge
	processes *twoProcesses
	wire      *wire
	front     *front
	browsers  []*browser
	troubles  []*trouble
	disabled  []int
	logs      string
}

// Run runs it. The table or keyspace of the store must be there. It fails the
// test only if the run itself fails; what was found is in the report.
func Run(t *testing.T, cfg Config) *Report {
	t.Helper()
	cfg.setDefaults()
	f := newFleet(t, cfg)
	f.each(0, f.everybodyIn)
	for round := 1; round <= cfg.Rounds; round++ {
		trouble := f.troubles[(round-1)%len(f.troubles)]
		if cfg.Calm {
			trouble = &trouble0
		}
		f.play(t, round, trouble)
	}
	f.calm(t)
	f.searchLogs(t)
	return f.finish()
}

func newFleet(t *testing.T, cfg Config) *fleet {
	t.Helper()
	f := &fleet{cfg: cfg, pool: newPool(t, cfg.Browsers), logs: t.TempDir()}
	var err error
	if f.clock, err = newClock(filepath.Join(f.logs, "clock")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.clock.file.Close() })
	f.judge = newJudge(f.clock)
	f.judge.lease = cfg.lease()
	f.processes = &twoProcesses{judge: f.judge, dir: f.logs}
	f.wire = newWire(&f.cfg, f.pool.URL(), f.judge, f.processes)
	t.Cleanup(f.wire.Close)
	f.judge.keysAway = f.wire.keysAway.Load
	key := sha256.Sum256([]byte("cookie key of the fleet"))
	f.processes.settings = settings{
		Pool: f.pool.ID(), Issuer: f.pool.Issuer(), Wire: f.wire.URL, JWKS: strings.Replace(f.pool.JWKSURL(), f.pool.URL(), f.wire.URL, 1),
		CookieKey: key[:], Clock: f.clock.file.Name(), DSN: cfg.DSN, Lease: cfg.Lease, CallTime: cfg.CallTime, Sabotage: cfg.Sabotage,
	}
	f.processes.start(t)
	f.front = newFront(f.processes)
	t.Cleanup(f.front.Close)
	transport := newTransport(f.front)
	t.Cleanup(transport.CloseIdleConnections)
	for n := range cfg.Browsers {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		f.browsers = append(f.browsers, &browser{number: n, person: personOf(n), cfg: &f.cfg, judge: f.judge, jar: jar, transport: transport})
	}
	f.troubles = append(f.troubles, troubles...)
	random := cfg.chance(ofRound, 0, 0)
	random.Shuffle(len(f.troubles), func(i, j int) { f.troubles[i], f.troubles[j] = f.troubles[j], f.troubles[i] })
	return f
}

// personOf: every fifth browser is the second one of the person before it.
func personOf(browser int) int {
	if browser%5 == 1 {
		return browser - 1
	}
	return browser
}

func newPool(t *testing.T, people int) *ssotest.Pool {
	t.Helper()
	var all []ssotest.Person
	for n := range people {
		all = append(all, ssotest.Person{Subject: strconv.Itoa(firstSubject + n), Name: "사람 " + strconv.Itoa(n)})
	}
	return ssotest.NewPool(t, ssotest.Config{
		Providers: []ssotest.Provider{ssotest.Kakao(all...)},
		Clients: []ssotest.Client{{
			ClientID: clientID, ClientSecret: secret, RefreshTokenRotation: true,
			AccessTokenValidity: tokenLife, IDTokenValidity: tokenLife,
			CallbackURLs: []string{base + prefix + "/callback"}, LogoutURLs: []string{base + prefix + "/logged-out"},
		}},
	})
}

// each has every browser act at once.
func (f *fleet) each(round int, act func(*browser, *rand.Rand)) {
	var wg sync.WaitGroup
	for _, b := range f.browsers {
		wg.Go(func() { act(b, f.cfg.chance(ofBrowser, round, b.number)) })
	}
	wg.Wait()
}

// advance moves everybody's clock.
func (f *fleet) advance(t *testing.T, d time.Duration) {
	t.Helper()
	f.pool.Advance(d)
	if err := f.clock.advance(d); err != nil {
		t.Fatal(err)
	}
	f.judge.round()
}

// play is one round.
func (f *fleet) play(t *testing.T, round int, trouble *trouble) {
	t.Helper()
	random := f.cfg.chance(ofRound, round, 0)
	f.processes.await(t)
	began := time.Now()
	defer func() {
		t.Logf("%s: round %d took %v", cmp.Or(trouble.name, "nothing"), round, time.Since(began).Round(time.Millisecond))
	}()
	step := between(random, 245*time.Second, 265*time.Second) // every token is due, and none is past
	if trouble.past {
		step = tokenLife + time.Minute
	}
	f.advance(t, step)
	f.wire.begin(round, trouble)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.each(round, f.act)
	}()
	f.administer(t, round)
	f.trouble(t, random, trouble)
	<-done
	f.wire.begin(round, &trouble0)
}

// trouble0 is none.
var trouble0 trouble

// trouble breaks processes and the store.
func (f *fleet) trouble(t *testing.T, random *rand.Rand, trouble *trouble) {
	t.Helper()
	for range trouble.kills {
		time.Sleep(between(random, 50*time.Millisecond, f.cfg.Spread)) // out of the plan
		f.processes.killSlot(random.IntN(2))
	}
	if !trouble.pause && !trouble.crash {
		return
	}
	time.Sleep(between(random, 20*time.Millisecond, f.cfg.Spread/2)) // out of the plan
	back := f.judge.storeDown()
	if trouble.pause {
		f.cfg.Server.Pause()
		time.Sleep(between(random, 300*time.Millisecond, 800*time.Millisecond)) // out of the plan
		f.cfg.Server.Resume()
	} else {
		f.cfg.Server.Kill()
		time.Sleep(between(random, 500*time.Millisecond, 2*time.Second)) // out of the plan
		f.cfg.Server.Start(t)
	}
	back()
}

// administer ends some people's sign-ins in the pool: half of them by signing
// them out there, half by disabling them for a round.
func (f *fleet) administer(t *testing.T, round int) {
	t.Helper()
	for _, person := range f.disabled {
		f.admin(t, "AdminEnableUser", person)
		f.judge.enabled(person)
	}
	f.disabled = nil
	for person := range f.browsers {
		if personOf(person) != person {
			continue
		}
		random := f.cfg.chance(ofPool, round, person)
		switch x := random.Float64(); {
		case x < 0.02:
			done := f.judge.poolEnds(person)
			f.admin(t, "AdminUserGlobalSignOut", person)
			done(time.Time{})
		case x < 0.04:
			done := f.judge.poolEnds(person)
			f.admin(t, "AdminDisableUser", person)
			done(f.clock.at(time.Now()).Add(24 * time.Hour))
			f.disabled = append(f.disabled, person)
		}
	}
}

func (f *fleet) admin(t *testing.T, operation string, person int) {
	t.Helper()
	username := fmt.Sprintf("%s_%d", provider, firstSubject+person)
	if err := administer(context.Background(), f.wire.client, f.pool.URL(), operation, f.pool.ID(), username); err != nil {
		t.Fatal(err)
	}
}

// sleeps is for so many rounds that the idle limit passes.
const sleeps = 6

// act is what one browser does in a round.
func (f *fleet) act(b *browser, random *rand.Rand) {
	time.Sleep(between(random, 0, f.cfg.Spread)) // out of the plan
	if b.away > 0 {
		b.away--
		if b.away == 0 && random.IntN(2) == 0 {
			b.endAll() // with a session that is past its limit by now
		}
		return
	}
	if b.session == nil {
		f.tryIn(b, random)
	}
	if b.session == nil {
		return
	}
	switch x := random.Float64(); {
	case x < 0.06:
		return // this round only
	case x < 0.11:
		b.away = sleeps
	case x < 0.24:
		b.signOut(random, x < 0.16)
	default:
		f.browse(b, random)
	}
}

// patience is how long somebody waits for an error and tries again. Who waited
// longer comes in the next round.
const patience = 8 * time.Second

// browse loads pages, signs in again when asked, and reloads what broke.
func (f *fleet) browse(b *browser, random *rand.Rand) {
	for range 3 {
		if b.session == nil {
			return
		}
		began := time.Now()
		switch b.load(random, 3) {
		case isAsked:
			f.tryIn(b, random)
		case isBroken:
			if time.Since(began) > patience {
				return
			}
			time.Sleep(between(random, 200*time.Millisecond, 600*time.Millisecond)) // out of the plan
		default:
			time.Sleep(between(random, 0, f.cfg.Spread/4)) // out of the plan
		}
	}
}

func (f *fleet) tryIn(b *browser, random *rand.Rand) (why string) {
	for range 3 {
		ok, text := b.signIn()
		if ok {
			return ""
		}
		why = text
		time.Sleep(between(random, 100*time.Millisecond, 500*time.Millisecond)) // out of the plan
	}
	return why
}

// soon is how long it may take to get in when nothing is broken: on a machine
// that is busy calls end too early, and processes leave Cognito alone then.
const soon = 40 * time.Second

// everybodyIn: nothing is broken, so everybody gets in and stays in.
func (f *fleet) everybodyIn(b *browser, random *rand.Rand) {
	time.Sleep(between(random, 0, 2*f.cfg.Spread)) // out of the plan
	for end := time.Now().Add(soon); time.Now().Before(end); {
		why := ""
		if b.session == nil {
			why = f.tryIn(b, random)
		}
		if b.session == nil {
			f.judge.keptOut(b, why)
			return
		}
		switch b.load(random, 3) {
		case isServed:
			return
		case isAsked:
			b.session = nil
		default:
			time.Sleep(between(random, time.Second, 2*time.Second)) // out of the plan
		}
	}
	f.judge.keptOut(b, "pages")
}

func (j *judge) keptOut(b *browser, why string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.say(Wrong, b.session, "browser %d cannot get in though nothing is broken: %s", b.number, why)
}

// calm is the end: nothing is broken any more. Everybody gets in, and nobody
// with a cookie of before.
func (f *fleet) calm(t *testing.T) {
	t.Helper()
	f.processes.await(t)
	for _, person := range f.disabled {
		f.admin(t, "AdminEnableUser", person)
		f.judge.enabled(person)
	}
	// Leases that the dead have left end by the store's clock, and a request
	// waits for 12 seconds.
	time.Sleep(f.cfg.lease() - 10*time.Second - time.Since(f.judge.lastDeath()))
	f.advance(t, tokenLife+time.Minute)
	f.wire.begin(f.cfg.Rounds+1, &trouble0)
	f.each(f.cfg.Rounds+1, f.everybodyIn)
	for _, s := range f.judge.gone() {
		f.browsers[s.browser].try(s)
	}
}

func (cfg *Config) lease() time.Duration {
	if cfg.Lease > 0 {
		return cfg.Lease
	}
	return 30 * time.Second
}

func (f *fleet) finish() *Report {
	f.judge.mu.Lock()
	defer f.judge.mu.Unlock()
	f.wire.mu.Lock()
	defer f.wire.mu.Unlock()
	r := f.judge.report
	r.Browsers, r.Fates = f.cfg.Browsers, f.wire.fates
	for _, i := range f.judge.tokens {
		if i.before != nil && !i.gone && f.judge.lost(i) {
			r.Losable++
		}
	}
	return &r
}
