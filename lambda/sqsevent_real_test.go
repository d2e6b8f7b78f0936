package lambda_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/jackc/pgx/v5"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/postgres"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// queueUsers is how many users the tables below have: subOf(0), subOf(1), …
const queueUsers = 20

func sqliteTable(t *testing.T) (users.Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.db")
	s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for n := range queueUsers {
		if _, err := s.Ensure(t.Context(), users.Identity{Sub: subOf(n)}); err != nil {
			t.Fatal(err)
		}
	}
	return s, path
}

func postgresTable(t *testing.T, dsn string) users.Store {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), fmt.Sprintf(`CREATE TABLE users AS SELECT n AS id, '34c84488-' || (n - 1) AS cognito_sub,
		NULL::timestamptz AS last_login_at FROM generate_series(1::bigint, %d) n`, queueUsers)); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Open(t.Context(), postgres.Config{
		Conn: dbconn.Config{Host: u.Hostname(), Port: port, Database: strings.Trim(u.Path, "/"), User: u.User.Username(),
			Password: dbconn.NewStatic(""), TLS: dbconn.TLS{InsecureNoTLS: true}, ConnectTimeout: 10 * time.Second, StatementTimeout: 10 * time.Second},
		Table: table.Config{Providers: map[string]table.ProviderColumn{}, Email: table.None, DisplayName: table.None, Created: table.None},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// consume is a poller over the handler over the store. One Lambda function
// would have 30 s; this one has 5, for a test that waits for an outage.
func consume(t *testing.T, q *realtest.Queue, s users.Store) *realtest.Poller {
	t.Helper()
	consumer, err := lambda.NewConsumer(lambda.ConsumerConfig{Users: s, Logger: quiet, Attempts: 2})
	if err != nil {
		t.Fatal(err)
	}
	h, err := lambda.NewSignInsHandler(consumer, lambda.SignInsHandlerConfig{Logger: quiet, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return &realtest.Poller{Queue: q, Invoke: h.Handle, BatchSize: 100, Wait: time.Second}
}

// idle is longer than the visibility timeout: nothing can come any more.
const idle = 2500 * time.Millisecond

// drain polls with three pollers, as Lambda does, until nothing comes.
func drain(t *testing.T, p *realtest.Poller) (received int) {
	t.Helper()
	var wg sync.WaitGroup
	var sum atomic.Int64
	for range 3 {
		wg.Go(func() {
			r, err := p.Drain(t.Context(), idle)
			if err != nil {
				t.Errorf("Drain: %v", err)
			}
			sum.Add(int64(r.Received))
		})
	}
	wg.Wait()
	return int(sum.Load())
}

// empty polls until the queue has nothing left, in flight neither.
func empty(t *testing.T, p *realtest.Poller) (received int) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		r, err := p.Poll(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		received += r.Received
		if waiting, inFlight, _ := p.Queue.Counts(t); waiting+inFlight == 0 {
			return received
		}
	}
	t.Fatalf("the queue is not empty, after %d messages", received)
	return 0
}

func wantQueueEmpty(t *testing.T, q *realtest.Queue, dead int) {
	t.Helper()
	if w, f, d := q.Counts(t); w != 0 || f != 0 || d != dead {
		t.Errorf("%d messages wait, %d are in flight, %d are dead; want 0, 0, %d", w, f, d, dead)
	}
}

func wantLogins(t *testing.T, s users.Store, want map[string]time.Time) {
	t.Helper()
	page, err := s.Page(t.Context(), "", users.MaxPage)
	if err != nil || len(page) != queueUsers {
		t.Fatalf("%d rows, %v", len(page), err)
	}
	for _, u := range page {
		if !u.LastLogin.Equal(want[u.Sub]) {
			t.Errorf("%s was last here at %v, want %v", u.Sub, u.LastLogin, want[u.Sub])
		}
	}
}

// signInsOf makes n sign-ins, each sent twice and in no order, and says what
// the last of every user is.
func signInsOf(n int, seed uint64) (bodies []string, last map[string]time.Time) {
	random := rand.New(rand.NewPCG(seed, 0))
	now := time.Now().UTC().Truncate(time.Second)
	last = map[string]time.Time{}
	for range n {
		user, at := random.IntN(queueUsers), now.Add(-time.Duration(random.IntN(100_000))*time.Second)
		if at.After(last[subOf(user)]) {
			last[subOf(user)] = at
		}
		bodies = append(bodies, signInBody(user, at), signInBody(user, at))
	}
	random.Shuffle(len(bodies), func(i, j int) { bodies[i], bodies[j] = bodies[j], bodies[i] })
	return bodies, last
}

// eachTable runs the test over SQLite and over PostgreSQL.
func eachTable(t *testing.T, test func(t *testing.T, s users.Store)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		s, _ := sqliteTable(t)
		test(t, s)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, postgresTable(t, realtest.Postgres(t)))
	})
}

func TestQueueDuplicatesAndDisorder(t *testing.T) {
	t.Parallel()
	eachTable(t, func(t *testing.T, s users.Store) {
		q := realtest.SQS(t).Queue(t, realtest.QueueConfig{VisibilityTimeout: 20 * time.Second})
		bodies, last := signInsOf(200, 1)
		q.Send(t, bodies...)
		if n := drain(t, consume(t, q, s)); n != len(bodies) {
			t.Errorf("%d received of %d", n, len(bodies))
		}
		wantLogins(t, s, last)
		wantQueueEmpty(t, q, 0)
	})
}

// What cannot be read goes to the dead-letter queue after so many receives;
// good messages of the same batch do not, and are recorded at once.
func TestQueuePoison(t *testing.T) {
	t.Parallel()
	eachTable(t, func(t *testing.T, s users.Store) {
		q := realtest.SQS(t).Queue(t, realtest.QueueConfig{MaxReceives: 5})
		at := time.Now().UTC().Truncate(time.Second)
		poison := []string{"not JSON", `{"v":9}`, signInBody(2, at.Add(time.Hour))}
		q.Send(t, append(slices.Clone(poison), signInBody(1, at), signInBody(9999, at))...)
		// Where the machine is slow a good one may come again, but not so often
		// that it dies.
		if n := drain(t, consume(t, q, s)); n < 2+5*len(poison) {
			t.Errorf("%d received, want the good ones once and the others five times", n)
		}
		wantLogins(t, s, map[string]time.Time{subOf(1): at})
		wantQueueEmpty(t, q, len(poison))
		dead := q.DeadLetters(t)
		slices.Sort(dead)
		slices.Sort(poison)
		if !slices.Equal(dead, poison) {
			t.Errorf("dead letters %q", dead)
		}
	})
}

// The database is killed while messages come, and starts again: none is lost,
// none dies.
func TestQueueDatabaseDownThenUp(t *testing.T) {
	t.Parallel()
	server := realtest.NewPostgres(t)
	s := postgresTable(t, server.Database(t))
	q := realtest.SQS(t).Queue(t, realtest.QueueConfig{MaxReceives: 20})
	p := consume(t, q, s)
	p.BatchSize = 30
	bodies, last := signInsOf(100, 2)
	q.Send(t, bodies...)
	for n := range 4 {
		if n == 1 {
			server.Kill()
		}
		r, err := p.Poll(t.Context())
		if err != nil || r.Failed != nil {
			t.Fatalf("Poll = %+v, %v: the handler answers whatever the database does", r, err)
		}
		if (n == 0) != (r.Deleted > 0) || r.Received == 0 {
			t.Errorf("poll %d: %+v", n, r)
		}
	}
	server.Start(t)
	drain(t, p)
	wantLogins(t, s, last)
	wantQueueEmpty(t, q, 0)
}

// The consumer ends between the database and the delete, by a crash of the
// poller or of the function itself: everything comes twice, to no harm.
func TestQueueConsumerDiesBeforeTheDelete(t *testing.T) {
	t.Parallel()
	errCrash := errors.New("crash")
	eachTable(t, func(t *testing.T, s users.Store) {
		q := realtest.SQS(t).Queue(t, realtest.QueueConfig{MaxReceives: 20, VisibilityTimeout: 10 * time.Second})
		bodies, last := signInsOf(50, 3)
		q.Send(t, bodies...)
		p := consume(t, q, s)
		p.BeforeDelete = func() error { return errCrash }
		if r, err := p.Poll(t.Context()); !errors.Is(err, errCrash) || r.Received != 100 {
			t.Fatalf("Poll = %+v, %v", r, err)
		}
		wantLogins(t, s, last) // the database is done, the queue is not
		p.BeforeDelete = nil
		if n := empty(t, p); n < 100 { // more where the machine is slow
			t.Errorf("%d came again, want all", n)
		}
		wantLogins(t, s, last)
		wantQueueEmpty(t, q, 0)
	})
}

// asSignInsFunction is set, to an SQLite file, in a process that is the
// function.
const asSignInsFunction = "SIGN_INS_TABLE"

// TestSignInsFunction is that process.
func TestSignInsFunction(t *testing.T) { //nolint:paralleltest // it is another process
	path := os.Getenv(asSignInsFunction)
	if path == "" {
		t.Skip("runs in a process of its own, see TestQueueFunctionIsKilled")
	}
	s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := lambda.NewConsumer(lambda.ConsumerConfig{Users: mortal{s, path}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	h, err := lambda.NewSignInsHandler(consumer, lambda.SignInsHandlerConfig{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	awslambda.Start(h.Handle)
}

// mortal is killed three times: before the statement, after it, before it.
type mortal struct {
	users.Store
	path string
}

func (m mortal) RecordSignIns(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	m.die("1")
	m.die("3")
	r, err := m.Store.RecordSignIns(ctx, batch)
	m.die("2")
	return r, err
}

// die ends the process, if none has died this death.
func (m mortal) die(death string) {
	if death == "3" {
		if _, err := os.Stat(m.path + ".2"); err != nil {
			return // 2 comes first
		}
	}
	f, err := os.OpenFile(m.path+"."+death, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_ = f.Close()
	self, _ := os.FindProcess(os.Getpid())
	_ = self.Kill()
	select {}
}

func TestQueueFunctionIsKilled(t *testing.T) {
	t.Parallel()
	s, path := sqliteTable(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	runtime, err := lambdaruntime.Start(lambdaruntime.Config{
		Command: []string{self, "-test.run=^TestSignInsFunction$"}, Env: []string{asSignInsFunction + "=" + path, "TMPDIR=" + filepath.Dir(path)},
		Timeout: 20 * time.Second, Instances: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = runtime.Close() })
	q := realtest.SQS(t).Queue(t, realtest.QueueConfig{MaxReceives: 20})
	bodies, last := signInsOf(60, 4)
	q.Send(t, bodies...)
	p := &realtest.Poller{Queue: q, Invoke: realtest.InvokeRuntime(runtime), BatchSize: 25, Wait: time.Second}
	failed := 0
	for end := time.Now().Add(30 * time.Second); failed < 3 && time.Now().Before(end); {
		r, err := p.Poll(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.Failed != nil {
			failed++
		}
	}
	if failed != 3 {
		t.Fatalf("the function died %d times, want 3", failed)
	}
	drain(t, p)
	wantLogins(t, s, last)
	wantQueueEmpty(t, q, 0)
}
