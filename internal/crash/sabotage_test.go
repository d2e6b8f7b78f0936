package crash_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/remote"
)

// Each part that is done wrong must show, and in the right counter.
func TestTheCrashTestCanSee(t *testing.T) {
	t.Parallel()
	if underRace {
		t.Skip("the race detector has nothing more to see in what is broken on purpose")
	}
	for _, row := range []struct {
		name string
		want counter
		cfg  config
	}{
		{"messages are deleted before the function has answered", undelivered, config{kills: 100, deleteEarly: true}},
		{"ensure looks, then inserts, without unique keys", doubled, crowd(broken(dbsyncName, lookThenInsert, func(s string) string { return strings.ReplaceAll(s, " UNIQUE", "") }))},
		{"the id is told before it is committed", lost, broken(dbsyncName, answerFirst, nil)},
		{"the id is that of the newest row", wrong, broken(dbsyncName, newestRow, nil)},
		{"linking makes a new row of the old one", lost, broken(dbsyncName, newForOld, nil)},
		{"the first sign-in is not written with the row", undelivered, broken(dbsyncName, noTime, nil)},
		{"the newest message wins, not the newest time", movedBack, broken(signInsName, lastOneWins, nil)},
		{"the consumer takes the time of its own clock", movedBack, broken(signInsName, ownClock, nil)},
		{"the consumer answers first, and writes then", undelivered, broken(signInsName, answerFirst, nil)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.cfg.kills, row.cfg.people = max(24, row.cfg.kills), max(30, row.cfg.people)
			// Who meets whom in a run is luck, so a mistake may stay hidden in a
			// few, but not in so many.
			for row.cfg.seed = 7; row.cfg.seed < 7+mostRuns; row.cfg.seed++ {
				r, _ := run(t, row.cfg)
				t.Log(r.line())
				if r.found[row.want] > 0 {
					return
				}
			}
			t.Errorf("not seen as %s in %d runs", row.want, mostRuns)
		})
	}
}

// mostRuns makes it certain: the mistake that hides best shows in most runs.
const mostRuns = 20

// crowd has more people come: a mistake shows if two calls for one of them meet.
func crowd(cfg config) config {
	cfg.people = 90
	return cfg
}

// broken is a function that is this binary, with a mistake.
func broken(name, mistake string, schema func(string) string) config {
	self, err := os.Executable()
	if err != nil {
		panic(err) // of a test binary
	}
	cfg := config{programs: map[string]program{name: {path: self, env: []string{actAsVariable + "=" + name + ":" + mistake}}}}
	if schema != nil {
		cfg.schema = schema(tables)
	}
	return cfg
}

// actAsVariable makes this binary a function with a mistake.
const actAsVariable = "CRASH_ACT_AS"

// The mistakes.
const (
	lookThenInsert = "look then insert"
	answerFirst    = "answer first"
	newestRow      = "newest row"
	newForOld      = "new for old"
	noTime         = "no time"
	lastOneWins    = "last one wins"
	ownClock       = "own clock"
)

func actBroken(actAs string) {
	name, mistake, _ := strings.Cut(actAs, ":")
	s, err := newBroken(mistake)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if name == dbsyncName {
		h, err := remote.NewHandler(s, remote.HandlerConfig{})
		exitOn(err)
		awslambda.Start(h)
	}
	c, err := lambda.NewConsumer(lambda.ConsumerConfig{Users: s, Attempts: 3})
	exitOn(err)
	h, err := lambda.NewSignInsHandler(c, lambda.SignInsHandlerConfig{})
	exitOn(err)
	awslambda.Start(h.Handle)
}

func exitOn(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// brokenStore is what a first version often is, by SQL of its own.
type brokenStore struct {
	users.Store
	mistake string
	pool    *pgxpool.Pool
}

func newBroken(mistake string) (*brokenStore, error) {
	cfg, err := pgxpool.ParseConfig("postgres://" + os.Getenv("SSO_DB_USER") + "@" +
		net.JoinHostPort(os.Getenv("SSO_DB_HOST"), os.Getenv("SSO_DB_PORT")) + "/" + os.Getenv("SSO_DB_NAME") + "?sslmode=disable")
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	return &brokenStore{mistake: mistake, pool: pool}, err
}

// way is how long a database may take to be reached.
const way = 30 * time.Millisecond

// Ensure finds, links or makes a row in two steps, and whatever the mistake is.
func (b *brokenStore) Ensure(ctx context.Context, who users.Identity) (users.Result, error) {
	column := map[string]string{"Kakao": "kakao_id", "Google": "google_id"}[who.Provider]
	if b.mistake == answerFirst {
		return b.reserve(ctx, column, who)
	}
	found, err := b.find(ctx, column, who)
	if err == nil && found != "" {
		return users.Result{ID: found, Outcome: users.Existing}, nil
	}
	time.Sleep(way) // so that another may come in between
	if err == nil {
		_, err = b.pool.Exec(ctx, "INSERT INTO users (cognito_sub, "+column+", name) VALUES ($1, $2, $3)"+b.onConflict(column), who.Sub, number(who), who.Name)
	}
	if err == nil && b.mistake == newestRow {
		return b.newest(ctx)
	}
	if err == nil {
		found, err = b.find(ctx, column, who)
	}
	if err != nil {
		return users.Result{}, fmt.Errorf("%w: %w", users.ErrUnavailable, err)
	}
	return users.Result{ID: found, Outcome: users.Created, SignInRecorded: b.mistake == noTime}, nil
}

// number is the id at the provider in the type of its column.
func number(who users.Identity) any {
	if who.Provider != "Kakao" {
		return who.Subject
	}
	n, _ := strconv.ParseInt(who.Subject, 10, 64) // the test's own
	return n
}

func (b *brokenStore) onConflict(column string) string {
	if b.mistake == lookThenInsert {
		return "" // there is nothing to conflict with
	}
	return " ON CONFLICT (" + column + ") DO UPDATE SET cognito_sub = EXCLUDED.cognito_sub"
}

// find looks for the row by the id at the provider, and gives it the sub.
func (b *brokenStore) find(ctx context.Context, column string, who users.Identity) (id string, err error) {
	if b.mistake == newForOld {
		if _, err := b.pool.Exec(ctx, "DELETE FROM users WHERE cognito_sub IS NULL AND "+column+" = $1", number(who)); err != nil {
			return "", err
		}
	}
	err = b.pool.QueryRow(ctx, "UPDATE users SET cognito_sub = $1 WHERE "+column+" = $2 RETURNING id::text", who.Sub, number(who)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// newest believes that the row it made is the newest one.
func (b *brokenStore) newest(ctx context.Context) (users.Result, error) {
	var id string
	time.Sleep(way)
	if err := b.pool.QueryRow(ctx, "SELECT max(id)::text FROM users").Scan(&id); err != nil {
		return users.Result{}, users.ErrUnavailable
	}
	return users.Result{ID: id, Outcome: users.Created}, nil
}

// reserve takes an id, and tells it before the row is there.
func (b *brokenStore) reserve(ctx context.Context, column string, who users.Identity) (users.Result, error) {
	var id string
	err := b.pool.QueryRow(ctx, "SELECT coalesce((SELECT id FROM users WHERE "+column+" = $1), nextval(pg_get_serial_sequence('users', 'id')))::text", number(who)).Scan(&id)
	if err != nil {
		return users.Result{}, users.ErrUnavailable
	}
	ctx = context.WithoutCancel(ctx)
	go func() {
		time.Sleep(way)
		_, _ = b.pool.Exec(ctx, "INSERT INTO users (id, cognito_sub, "+column+") VALUES ($1::bigint, $2, $3) "+
			"ON CONFLICT ("+column+") DO UPDATE SET cognito_sub = EXCLUDED.cognito_sub", id, who.Sub, number(who))
	}()
	return users.Result{ID: id, Outcome: users.Created}, nil
}

// RecordSignIns sets each last login, and whatever the mistake is.
func (b *brokenStore) RecordSignIns(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	if b.mistake == answerFirst {
		ctx = context.WithoutCancel(ctx)
		go func() {
			time.Sleep(way)
			_, _ = b.record(ctx, batch)
		}()
		return users.SignInReport{Updated: len(batch)}, nil
	}
	return b.record(ctx, batch)
}

func (b *brokenStore) record(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	for _, one := range batch {
		at, where := one.At, " AND (last_login_at IS NULL OR last_login_at < $1)"
		switch b.mistake {
		case ownClock:
			at = time.Now()
		case lastOneWins:
			where = ""
		}
		if _, err := b.pool.Exec(ctx, "UPDATE users SET last_login_at = $1 WHERE cognito_sub = $2"+where, at, one.Sub); err != nil {
			return users.SignInReport{}, users.ErrUnavailable
		}
	}
	return users.SignInReport{Updated: len(batch)}, nil
}
