package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// Config says what to run. It is copied.
type Config struct {
	// Seed decides everything that the package comment says. 0 is a seed too.
	Seed uint64
	// People is how many there are. Each signs up at least once. Required.
	People int
	// Table is the reader's. Required.
	Table *Table
	// Open opens the store of one environment of a function. wrap puts faults
	// around a store. Required.
	Open func(ctx context.Context, wrap func(users.Store) users.Store) (users.Store, io.Closer, error)
	// Calm is called when the faults end, and says how many others there were,
	// such as those of a [Wire]. Defaults to nothing.
	Calm func() map[Fault]int
	// UserIDSource is the one of lambda.Config. Defaults to its default.
	UserIDSource lambda.UserIDSource
	// Hasty lets people be deleted in the pool and come back while what was
	// begun for the deleted user still runs, which docs/guarantees.md warns of.
	// Then all repairs are left to reconciliation, or with lambda.AlwaysStore
	// all to one more sign-in. Defaults to false.
	Hasty bool
	// Peaceful breaks nothing: everybody has one tab, and nobody is deleted.
	// Defaults to false.
	Peaceful bool
	// Break is what a test breaks, to see that it is noticed. Defaults to
	// nothing.
	Break Break
}

// Break has a hook for each part that a test may replace by a broken one.
type Break struct {
	// Store replaces a store, below the faults.
	Store func(users.Store) users.Store
	// Triggers replaces the handler of trigger events.
	Triggers func(Handler) Handler
	// Attributes replaces the writer of attributes.
	Attributes func(lambda.Attributes) lambda.Attributes
	// Delete takes messages off the queue before the consumer writes them.
	Delete bool
}

// providers are the pool's. The table has no column for the last one.
var providers = []string{"Kakao", "Google", "Naver"}

const (
	functions = 5 // environments of the trigger function
	consumers = 2 // SQS's MaximumConcurrency
)

// skews are the clocks of the environments. The last one's sign-ins are too far
// in the future to be believed.
var skews = [functions]time.Duration{0, 0, 2 * time.Second, -90 * time.Second, 20 * time.Minute}

// world is everything of one run.
type world struct {
	cfg       Config
	chance    chance
	began     time.Time
	people    []*person
	pool      *pool
	queue     *queue
	truth     *truth
	functions []*function
	consumers []*consumer
	stores    []users.Store
	closers   []io.Closer
	faults    tally
	seen      seen
	earlier   []Violation // found before the end

	calm       atomic.Bool
	done       atomic.Bool
	signUps    atomic.Int64
	signIns    atomic.Int64
	background sync.WaitGroup // what runs on when nobody waits
	pollers    sync.WaitGroup
}

// Run lives all lives, makes good what is left, and judges. It belongs into a
// bubble of testing/synctest. Its error is about the stage, not the play: what
// the play broke is in the report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if cfg.People < 1 || cfg.Table == nil || cfg.Open == nil {
		return Report{}, errors.New("chaos: People, Table and Open are required")
	}
	w := &world{cfg: cfg, chance: chance(cfg.Seed), began: time.Now(), truth: newTruth()}
	w.people, w.pool, w.queue = people(cfg), newPool(w), &queue{w: w}
	w.calm.Store(cfg.Peaceful)
	defer func() {
		for _, c := range w.closers {
			_ = c.Close()
		}
	}()
	if err := w.build(ctx); err != nil {
		return Report{}, err
	}
	w.play()
	extra, err := w.makeGood(ctx)
	w.done.Store(true)
	w.pollers.Wait()
	if err != nil {
		return Report{}, err
	}
	return w.report(ctx, extra)
}

func (w *world) build(ctx context.Context) error {
	var old []*Legacy
	for _, p := range w.people {
		if p.legacy != nil {
			old = append(old, p.legacy)
		}
	}
	if err := w.cfg.Table.Prepare(ctx, w.cfg.Seed, old); err != nil {
		return err
	}
	for _, skew := range skews {
		fn, err := w.newFunction(ctx, skew)
		if err != nil {
			return err
		}
		w.functions = append(w.functions, fn)
	}
	for range consumers {
		c, err := w.newConsumer(ctx)
		if err != nil {
			return err
		}
		w.consumers = append(w.consumers, c)
	}
	return nil
}

// open opens a store with faults around it.
func (w *world) open(ctx context.Context) (users.Store, error) {
	store, closer, err := w.cfg.Open(ctx, func(s users.Store) users.Store { return &faultyStore{Store: w.cfg.Break.store(s), w: w} })
	if err != nil {
		return nil, fmt.Errorf("chaos: open a store: %w", err)
	}
	w.stores, w.closers = append(w.stores, store), append(w.closers, closer)
	return store, nil
}

func (b Break) store(s users.Store) users.Store {
	if b.Store == nil {
		return s
	}
	return b.Store(s)
}

func (w *world) newFunction(ctx context.Context, skew time.Duration) (*function, error) {
	store, err := w.open(ctx)
	if err != nil {
		return nil, err
	}
	var attributes lambda.Attributes = lambda.NewCognitoAttributes(w.cognitoClient())
	if w.cfg.Break.Attributes != nil {
		attributes = w.cfg.Break.Attributes(attributes)
	}
	t, err := lambda.NewTriggers(lambda.Config{
		Users: store, Attributes: attributes, SignIns: lambda.NewSQSSignIns(w.sqsClient(), "https://sqs.ap-northeast-2.amazonaws.com/1/signins"),
		Providers: providers, AllowNativeSignUp: true,
		UserIDSource: w.cfg.UserIDSource,
		Logger:       slog.New(slog.DiscardHandler), OnResult: w.seen.result,
		Now: func() time.Time { return time.Now().Add(skew) },
	})
	if err != nil {
		return nil, err
	}
	fn := &function{handle: t.Handle, skew: skew}
	if w.cfg.Break.Triggers != nil {
		fn.handle = w.cfg.Break.Triggers(t.Handle)
	}
	return fn, nil
}

// play lives all lives, with everything that runs on behind them.
func (w *world) play() {
	for i, c := range w.consumers {
		w.pollers.Go(func() { c.poll(i) })
	}
	var lives sync.WaitGroup
	for _, p := range w.people {
		lives.Go(func() { w.live(p) })
	}
	lives.Wait()
	w.background.Wait()
}

// makeGood ends the faults, empties the queue, lets half of the people sign in
// once more, slower than the quota of attribute writes, and reconciles.
func (w *world) makeGood(ctx context.Context) (map[Fault]int, error) {
	w.calm.Store(true)
	extra := map[Fault]int{}
	if w.cfg.Calm != nil {
		extra = w.cfg.Calm()
	}
	raised, err := w.cfg.Table.Calm(ctx)
	if err != nil {
		return nil, fmt.Errorf("chaos: calm the database: %w", err)
	}
	if raised > 0 {
		extra[DatabaseError] = raised
	}
	if err := errors.Join(w.drain(), w.between(ctx, (*judge).logins)); err != nil {
		return nil, err
	}
	w.onceMore()
	if err := errors.Join(w.drain(), w.between(ctx, (*judge).signedIn)); err != nil {
		return nil, err
	}
	w.reconcile(ctx, w.stores[0])
	return extra, nil
}

// onceMore lets people sign in once more: every other one, the rest is left to
// reconciliation (see also Config.Hasty). Who is not even in the pool signs up.
func (w *world) onceMore() {
	var visits sync.WaitGroup
	for i, p := range w.people {
		_, known := w.pool.find(p.username)
		chosen := i%2 == 0
		if w.cfg.Hasty {
			chosen = w.cfg.UserIDSource == lambda.AlwaysStore
		}
		if p.last = !known || chosen; !p.last {
			continue
		}
		visits.Go(func() {
			_ = nap(context.Background(), time.Duration(i)*time.Second/15)
			if !w.visit(p, visit{tabs: 1}, fmt.Sprintf("p%d last", p.n)) {
				w.truth.shutOut(p)
			}
		})
	}
	visits.Wait()
	w.background.Wait()
}

// between judges what a later step would hide.
func (w *world) between(ctx context.Context, look func(*judge)) error {
	rows, err := w.cfg.Table.rows(ctx)
	if err != nil {
		return fmt.Errorf("chaos: read the table: %w", err)
	}
	j := w.newJudge(rows)
	look(j)
	w.earlier = append(w.earlier, j.found...)
	return nil
}

// drain waits until every message that can be read was recorded. One from a
// clock that is ahead takes until the true time is near enough.
func (w *world) drain() error {
	w.queue.hurry()
	for range 3600 {
		w.queue.redrive()
		_ = nap(context.Background(), time.Second)
		if w.queue.empty() {
			return nil
		}
	}
	return errors.New("chaos: the queue does not become empty")
}

func (w *world) report(ctx context.Context, extra map[Fault]int) (Report, error) {
	rows, err := w.cfg.Table.rows(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("chaos: read the table: %w", err)
	}
	journal, err := w.cfg.Table.journal(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("chaos: read the journal: %w", err)
	}
	r := Report{
		Seed: w.cfg.Seed, SignUps: int(w.signUps.Load()), SignIns: int(w.signIns.Load()),
		Faults: w.faults.all(), Seen: w.seen.all(), Violations: append(w.earlier, w.judge(rows, journal)...),
	}
	for f, n := range extra {
		r.Faults[f] += n
	}
	return r, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
