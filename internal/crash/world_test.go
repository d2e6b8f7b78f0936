package crash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
)

// config says what to run.
type config struct {
	seed  uint64
	kills int
	// people is how many there are at least: they go on coming until all kills
	// are done. 0 is none.
	people int
	// What is broken on purpose, for tests of this test. The programs say what
	// runs in place of a function.
	schema      string
	programs    map[string]program
	deleteEarly bool
}

// program is a binary and what it needs in its environment.
type program struct {
	path string
	env  []string
}

const triggerName = "sso-trigger"

// world is everything that runs.
type world struct {
	cfg      config
	plan     *plan
	ledger   *ledger
	truth    *truth
	reader   reader
	server   *realtest.PostgresServer
	trigger  *lambdaruntime.Runtime
	dbsync   *function
	signIns  *function
	queue    *realtest.Queue
	queueAPI string
	updates  atomic.Int64
	born     atomic.Int64
	// crashes asks the goroutine of the test to kill the database.
	crashes chan chan struct{}
	// over is closed when everything ends.
	over    chan struct{}
	endOnce sync.Once
	// work is what goes on in the background, and cleanup what ends it.
	work    sync.WaitGroup
	cleanup []func()
}

// most people for each kill: where they do not suffice, kills do not strike.
const peoplePerKill = 12

func newWorld(t *testing.T, cfg config) *world {
	t.Helper()
	if cfg.schema == "" {
		cfg.schema = tables
	}
	w := &world{cfg: cfg, plan: newPlan(cfg.seed, cfg.kills), ledger: newLedger(), truth: newTruth(), crashes: make(chan chan struct{}), over: make(chan struct{})}
	w.server = realtest.NewPostgres(t)
	w.reader = reader{w.server.Database(t)}
	w.reader.prepare(t, cfg.schema, w.oldRows())
	sqs := realtest.SQS(t)
	w.queue, w.queueAPI = sqs.Queue(t, realtest.QueueConfig{VisibilityTimeout: visibility, MaxReceives: 50}), sqs.URL
	aws := startAWS(t, w)
	w.dbsync = w.function(t, dbsyncName, 2)
	w.signIns = w.function(t, signInsName, 2)
	w.trigger = w.run(t, triggerName, lambdaruntime.Config{Instances: drivers + 2, Env: []string{
		"SSO_STORE=remote", "SSO_DBSYNC_FUNCTION=dbsync", "AWS_ENDPOINT_URL=" + aws.URL,
		"SSO_PROVIDERS=Kakao,Google", "SSO_SIGNIN_QUEUE_URL=" + w.queue.URL, "SSO_SEND_TIMEOUT=2s",
	}})
	t.Cleanup(w.end)
	return w
}

// visibility is short, so that what a dead consumer held comes again soon. A
// consumer that takes longer shares its messages with another: no harm.
const visibility = time.Second

func (w *world) oldRows() (old []*legacy) {
	for n := range w.mostPeople() {
		if p := newPerson(w.cfg.seed, n, time.Time{}); p.legacy != nil {
			old = append(old, p.legacy)
		}
	}
	return old
}

func (w *world) mostPeople() int { return max(w.cfg.people, peoplePerKill*w.cfg.kills) }

// run starts a function over the runtime.
func (w *world) run(t *testing.T, name string, cfg lambdaruntime.Config) *lambdaruntime.Runtime {
	t.Helper()
	p, ok := w.cfg.programs[name]
	if !ok {
		p = program{path: filepath.Join(build(t), name)}
	}
	cfg.Command, cfg.FunctionName = []string{p.path}, name
	cfg.Env = append(append([]string{"AWS_REGION=" + realtest.Region, "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local"}, cfg.Env...), p.env...)
	r, err := lambdaruntime.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.cleanup = append(w.cleanup, func() { _ = r.Close() })
	return r
}

// function starts n environments of a function, each with a proxy of its own.
func (w *world) function(t *testing.T, name string, n int) *function {
	t.Helper()
	f := &function{free: make(chan *victim, n)}
	for range n {
		v := &victim{name: name, world: w}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		w.cleanup = append(w.cleanup, func() { _ = l.Close() })
		v.proxy = &proxy{listener: l, server: w.server.Addr(), victim: v}
		v.runtime = w.run(t, name, lambdaruntime.Config{Timeout: 8 * time.Second, OnStep: v.step, Env: w.databaseEnv(t, l.Addr())})
		w.work.Go(v.proxy.serve)
		f.free <- v
	}
	return f
}

func (w *world) databaseEnv(t *testing.T, at net.Addr) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(at.String())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(w.reader.dsn)
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"SSO_STORE=postgres", "SSO_DB_HOST=" + host, "SSO_DB_PORT=" + port, "SSO_DB_NAME=" + strings.Trim(u.Path, "/"), "SSO_DB_USER=" + u.User.Username(),
		"SSO_DB_AUTH=password", "SSO_DB_PASSWORD=not-a-secret", "SSO_DB_INSECURE_NO_TLS=true",
		"SSO_PROVIDER_COLUMNS=Kakao=kakao_id:number,Google=google_id",
	}
}

// end stops everything that newWorld started.
func (w *world) end() {
	w.endOnce.Do(func() { close(w.over) })
	for _, f := range slices.Backward(w.cleanup) {
		f()
	}
	w.work.Wait()
}

// crashDatabase kills the database, and returns when it is there again.
func (w *world) crashDatabase() {
	done := make(chan struct{})
	select {
	case w.crashes <- done:
	case <-w.over:
		return
	}
	select {
	case <-done:
	case <-w.over: // it did not start again
	}
}

// drivers is how many people come at once.
const drivers = 4

// play runs everything, and judges.
func (w *world) play(t *testing.T) *report {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var living, polling sync.WaitGroup
	for range drivers {
		living.Go(func() { w.drive(ctx) })
	}
	for n := range 2 {
		polling.Go(func() { w.poll(ctx, n) })
	}
	w.serveCrashes(t, &living)
	r := &report{found: map[counter]int{}}
	w.drain(t, r)
	people, rows := w.truth.everybody(), w.reader.rows(t) // before anything heals
	r.known(people, rows)
	r.logins(people, rows)
	w.lastSignIns(ctx)
	w.drain(t, r)
	cancel()
	polling.Wait()
	w.judge(t, r)
	return r
}

// drive brings people until all kills are done.
func (w *world) drive(ctx context.Context) {
	for {
		n := int(w.born.Add(1) - 1)
		if n >= w.mostPeople() || n >= w.cfg.people && w.allKilled() {
			return
		}
		p := newPerson(w.cfg.seed, n, w.ledger.began)
		w.truth.add(p)
		w.live(ctx, p)
	}
}

func (w *world) allKilled() bool {
	select {
	case <-w.plan.done:
		return true
	default:
		return false
	}
}

// serveCrashes kills the database for who asks, until everybody has lived.
func (w *world) serveCrashes(t *testing.T, living *sync.WaitGroup) {
	t.Helper()
	over := make(chan struct{})
	go func() {
		living.Wait()
		close(over)
	}()
	for {
		select {
		case done := <-w.crashes:
			w.server.Kill()
			w.server.Start(t)
			close(done)
		case <-over:
			if !w.allKilled() {
				t.Fatalf("%d people were not enough: %s\n%s", w.mostPeople(), w.plan.still(), w.ledger.history())
			}
			return
		}
	}
}

// poll does what Lambda does for the queue. Once in a while it is itself what
// ends between the function's answer and the deletes.
func (w *world) poll(ctx context.Context, n int) {
	count := 0
	p := &realtest.Poller{Queue: w.queue, Invoke: w.invokeSignIns, BatchSize: 5, Wait: time.Second}
	p.BeforeDelete = func() error {
		if count++; count%20 == 7+n {
			w.ledger.fail("poller")
			return errCut
		}
		return nil
	}
	for ctx.Err() == nil {
		if r, err := p.Poll(ctx); err == nil && r.Failed != nil {
			w.ledger.fail(signInsName)
		}
	}
}

func (w *world) invokeSignIns(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
	if w.cfg.deleteEarly {
		// The messages are deleted at once, and the function runs on.
		w.work.Go(func() { _, _ = w.signIns.invoke(context.WithoutCancel(ctx), event) })
		return nil, nil
	}
	a, err := w.signIns.invoke(ctx, event)
	if err == nil && a.FunctionError != "" {
		err = fmt.Errorf("function error %s", a.Payload)
	}
	return a.Payload, err
}

// drainTime is long enough for what comes again, several times.
const drainTime = 60 * time.Second

// drain waits until the queue is empty, and counts what stays.
func (w *world) drain(t *testing.T, r *report) {
	t.Helper()
	var waiting, inFlight, dead int
	for end := time.Now().Add(drainTime); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if waiting, inFlight, dead = w.queue.Counts(t); waiting+inFlight == 0 {
			break
		}
	}
	for range waiting + inFlight + dead {
		r.say(undelivered, nil, "a message is still in a queue: %d wait, %d are in flight, %d are dead", waiting, inFlight, dead)
	}
}

// lastSignIns has everybody sign in once more when nothing is broken any more.
func (w *world) lastSignIns(ctx context.Context) {
	people := make(chan *person)
	var all sync.WaitGroup
	for range drivers {
		all.Go(func() {
			for p := range people {
				if err := w.signIn(ctx, p); err != nil {
					p.change(func() { p.out = true })
				}
			}
		})
	}
	for _, p := range w.truth.everybody() {
		people <- p
	}
	close(people)
	all.Wait()
}

func (w *world) judge(t *testing.T, r *report) {
	t.Helper()
	people, rows := w.truth.everybody(), w.reader.rows(t)
	r.rows(people, rows)
	r.logins(people, rows)
	r.journal(w.reader.journal(t))
	r.kills = w.ledger.kills()
	for _, p := range people {
		r.signIns += p.signIns
		if p.signedUp {
			r.signUps++
		}
	}
}
