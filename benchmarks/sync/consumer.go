package main

import (
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
)

// consumed is the queue's consumer beside updates row by row, on one database.
type consumed struct {
	database string
	batches  []batched
	rowwise  float64   // rows a second of the function that does nothing else but row by row
	strict   float64   // of the updates alone, without a function
	away     []batched // the same with the database a network away
	slowRows float64   // the updates alone, there
	flat     []flat
	megabyte int // the largest table with its indexes
}

// batched is one size of batch.
type batched struct {
	size       int
	rows       float64 // a second
	ratio      float64 // to the function row by row, of pairs of slices; 0 where that was not run
	strict     float64 // ditto, to the updates alone
	statements int     // for one batch
}

// flat is what a message costs in a table of so many users, in microseconds.
type flat struct {
	users int
	// first is right after a checkpoint, when PostgreSQL logs a page whole the
	// first time that it is written; again is when every page has been.
	first, again float64
	// floor is the least that so many rows can cost: one update by primary key
	// with the same time for all, from this process, in turns with again.
	floor float64
}

// clock gives times that only move forward, so that every row is written.
type clock struct{ at time.Time }

func (c *clock) next() time.Time {
	c.at = c.at.Add(time.Second)
	return c.at
}

func newClock() *clock {
	return &clock{time.Now().Add(-30 * 24 * time.Hour).UTC().Truncate(time.Second)}
}

// subOf is the sub of user n: of Cognito's form, and in no order.
func subOf(n int) string {
	x := uint64(n) * 0x9E3779B97F4A7C15
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(x>>32), uint16(x>>16), x&0xfff, (x>>4)&0xfff, n)
}

// fill makes the table have users 0 to n-1, and the server know it.
func (d database) fill(t testing.TB, from, n int) {
	t.Helper()
	const chunk = 2000
	for at := from; at < n; at += chunk {
		var values strings.Builder
		for i := at; i < min(n, at+chunk); i++ {
			if i > at {
				values.WriteByte(',')
			}
			fmt.Fprintf(&values, "('%s','%d','%d@example.test','Student %d')", subOf(i), 4_000_000_000+i, i, i)
		}
		d.exec(t, "INSERT INTO users (cognito_sub, kakao_id, email, name) VALUES "+values.String())
	}
	d.settle(t)
}

// settle has the server do now what it would do some time: statistics, and what
// the filling has left behind.
func (d database) settle(t testing.TB) {
	t.Helper()
	if d.kind == "postgres" {
		d.exec(t, "VACUUM ANALYZE users")
		d.exec(t, "CHECKPOINT")
		return
	}
	rows, err := d.db.QueryContext(t.Context(), "ANALYZE TABLE users")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() { // it answers with a table
	}
}

// some are n different users of the first total.
func some(n, total int) []string {
	seen, subs := map[int]bool{}, make([]string, 0, n)
	for len(subs) < n {
		if i := mathrand.IntN(total); !seen[i] {
			seen[i] = true
			subs = append(subs, subOf(i))
		}
	}
	return subs
}

// sqsEvent is what Lambda hands the consumer.
func sqsEvent(t testing.TB, subs []string, at time.Time) json.RawMessage {
	t.Helper()
	type record map[string]any
	records := make([]record, len(subs))
	for i, sub := range subs {
		body, err := json.Marshal(map[string]any{"v": 1, "sub": sub, "userPoolId": "ap-northeast-2_ExAmPlE01", "at": at})
		if err != nil {
			t.Fatal(err)
		}
		records[i] = record{
			"messageId": rand.Text(), "receiptHandle": rand.Text(), "body": string(body), "eventSource": "aws:sqs",
			"attributes":        map[string]string{"ApproximateReceiveCount": "1", "SentTimestamp": fmt.Sprint(time.Now().UnixMilli())},
			"messageAttributes": map[string]any{}, "awsRegion": "ap-northeast-2", "eventSourceARN": "arn:aws:sqs:ap-northeast-2:000000000000:sign-ins",
		}
	}
	raw, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// consume has the real consumer record sign-ins, all of which must be. It
// returns how long that took.
func consume(t testing.TB, f *lambdaruntime.Runtime, subs []string, at time.Time) time.Duration {
	t.Helper()
	return consumeAll(t, f, []json.RawMessage{sqsEvent(t, subs, at)})
}

// consumeAll is the same of several events, which are there when it begins, as
// the updates row by row are.
func consumeAll(t testing.TB, f *lambdaruntime.Runtime, events []json.RawMessage) time.Duration {
	t.Helper()
	answers := make([]lambdaruntime.Answer, len(events))
	began := time.Now()
	for i, event := range events {
		var err error
		if answers[i], err = f.Invoke(t.Context(), event); err != nil {
			t.Fatalf("consume: %v", err)
		}
	}
	took := time.Since(began)
	for _, a := range answers {
		if a.FunctionError != "" || strings.Contains(string(a.Payload), "itemIdentifier") {
			t.Fatalf("consume: %s", a.Payload)
		}
	}
	return took
}

// update is the one for a single sign-in.
func (d database) update() string {
	if d.kind == "postgres" {
		return "UPDATE users SET last_login_at = $1 WHERE cognito_sub = $2 AND (last_login_at IS NULL OR last_login_at < $3)"
	}
	return "UPDATE users SET last_login_at = ? WHERE cognito_sub = ? AND (last_login_at IS NULL OR last_login_at < ?)"
}

// rowwise is a function like the consumer that updates row by row.
func (d database) rowwise(t testing.TB) *lambdaruntime.Runtime {
	t.Helper()
	driver, dsn := d.source(d.addr)
	return start(t, rowwise, 1, "BARE_DRIVER="+driver, "BARE_DATABASE="+dsn, "BARE_UPDATE="+d.update())
}

// updates are an update for each sign-in, prepared once, on one connection, and
// each a transaction: the best that can be done row by row. It runs in this
// process, so it does not even pay for a function or for reading an event.
func (d database) updates(t testing.TB, db *sql.DB) func(subs []string, at time.Time) time.Duration {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	prepared, err := conn.PrepareContext(t.Context(), d.update())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prepared.Close() })
	return func(subs []string, at time.Time) time.Duration {
		began := time.Now()
		for _, sub := range subs {
			r, err := prepared.ExecContext(t.Context(), at, sub, at)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := r.RowsAffected(); n != 1 || err != nil {
				t.Fatalf("row by row: %d rows, %v", n, err)
			}
		}
		return time.Since(began)
	}
}

// consumerSizes are counts.
type consumerSizes struct {
	users, rowwise int // in the table; updates in one slice
	pairs          int
	tables         []int // how many users, for the cost of a message
	flatBatch      int
	flatRounds     int
}

var batchSizes = []int{100, 300, 1000}

// measureConsumer fills the table further and further.
func measureConsumer(t testing.TB, name string, d database, n consumerSizes) consumed {
	t.Helper()
	c := consumed{database: name}
	door := newProxy(t, d)
	direct, time, filled := d.env(d.addr), newClock(), 0
	f, counted := start(t, signins, 1, direct...), start(t, signins, 1, d.env(door.addr)...)
	for _, users := range n.tables {
		d.fill(t, filled, users)
		filled = users
		cost := flat{users: users, first: median(flatCosts(t, f, users, n, time, nil))}
		d.touch(t, time.next())
		var floor []float64
		cost.again = median(flatCosts(t, f, users, n, time, func() { floor = append(floor, d.byKey(t, users, min(n.flatBatch, users), time.next())) }))
		cost.floor = median(floor)
		c.flat = append(c.flat, cost)
		if users != n.users {
			continue
		}
		near := contest{f: f, rowwise: d.rowwise(t), updates: d.updates(t, d.db), door: door, counted: counted, n: n, clock: time}
		c.batches, c.rowwise, c.strict = near.run(t)
		door.delay.Store(int64(network))
		far := contest{f: counted, updates: d.updates(t, d.through(t, door.addr)), door: door, counted: counted, n: n, clock: time}
		c.away, _, c.slowRows = far.run(t)
		door.delay.Store(0)
	}
	c.megabyte = d.size(t) >> 20
	return c
}

// network is the way to a database in another zone and back.
const network = 500 * time.Microsecond

// touch writes to every page of the table, of which none has only twenty rows.
func (d database) touch(t testing.TB, at time.Time) {
	t.Helper()
	every := "UPDATE users SET last_login_at = ? WHERE id % 20 = 0"
	if d.kind == "postgres" {
		every = "UPDATE users SET last_login_at = $1 WHERE id % 20 = 0"
	}
	d.exec(t, every, at)
}

// size is that of the table with its indexes, in bytes.
func (d database) size(t testing.TB) int {
	t.Helper()
	if d.kind == "postgres" {
		return d.number(t, "SELECT pg_total_relation_size('users')")
	}
	return d.number(t, "SELECT data_length + index_length FROM information_schema.tables WHERE table_schema = database() AND table_name = 'users'")
}

// contest is the consumer beside what could be done instead.
type contest struct {
	f       *lambdaruntime.Runtime
	rowwise *lambdaruntime.Runtime // a function that updates row by row; nil is none
	updates func([]string, time.Time) time.Duration
	door    *proxy                 // before the database
	counted *lambdaruntime.Runtime // the consumer through it
	n       consumerSizes
	clock   *clock
}

// run takes batches of every size.
func (c contest) run(t testing.TB) (list []batched, rowwise, strict float64) {
	t.Helper()
	var rates, stricts []float64
	for _, size := range batchSizes {
		b := batched{size: size, statements: statements(t, c.door, c.counted, size, c.n.users, c.clock)}
		c.pairs(t, &b, &rates, &stricts)
		list = append(list, b)
	}
	return list, median(rates), median(stricts)
}

// statements counts the turns of one batch, on a connection that is there.
func statements(t testing.TB, door *proxy, f *lambdaruntime.Runtime, size, users int, c *clock) int {
	t.Helper()
	consume(t, f, some(1, users), c.next())
	before := door.turns.Load()
	consume(t, f, some(size, users), c.next())
	return int(door.turns.Load() - before)
}

// pairs are a batch and the others, in turns.
func (c contest) pairs(t testing.TB, b *batched, rates, stricts *[]float64) {
	t.Helper()
	var batch, ratios, overStrict []float64
	for range c.n.pairs {
		perBatch := c.batches(t, b.size) / float64(b.size)
		alone := c.updates(some(c.n.rowwise, c.n.users), c.clock.next()).Seconds() / float64(c.n.rowwise)
		batch, overStrict = append(batch, 1/perBatch), append(overStrict, alone/perBatch)
		*stricts = append(*stricts, 1/alone)
		if c.rowwise == nil {
			continue
		}
		perRow := consume(t, c.rowwise, some(c.n.rowwise, c.n.users), c.clock.next()).Seconds() / float64(c.n.rowwise)
		ratios, *rates = append(ratios, perRow/perBatch), append(*rates, 1/perRow)
	}
	b.rows, b.strict = median(batch), median(overStrict)
	if c.rowwise != nil {
		b.ratio = median(ratios)
	}
}

// slice is how many messages a turn of batches has at least: a rate is that of a
// consumer at work, and not of one that is woken for one event.
const slice = 1000

// batches is the seconds that an event takes, one of several after another.
func (c contest) batches(t testing.TB, size int) float64 {
	t.Helper()
	events := make([]json.RawMessage, max(1, slice/size))
	for i := range events {
		events[i] = sqsEvent(t, some(size, c.n.users), c.clock.next())
	}
	return consumeAll(t, c.f, events).Seconds() / float64(len(events))
}

// flatCosts are microseconds for a message in a table of so many users. between,
// if there is one, runs after each.
func flatCosts(t testing.TB, f *lambdaruntime.Runtime, users int, n consumerSizes, c *clock, between func()) (costs []float64) {
	t.Helper()
	size := min(n.flatBatch, users)
	for range n.flatRounds {
		took := consume(t, f, some(size, users), c.next())
		costs = append(costs, float64(took.Microseconds())/float64(size))
		if between != nil {
			between()
		}
	}
	return costs
}

// byKey updates so many random rows of the first users by their primary keys,
// and returns the microseconds for one.
func (d database) byKey(t testing.TB, users, size int, at time.Time) float64 {
	t.Helper()
	keys := mathrand.Perm(users)[:size]
	list := make([]string, size)
	for i, key := range keys {
		list[i] = fmt.Sprint(1 + key) // ids are given from 1 on, without a gap
	}
	update := "UPDATE users SET last_login_at = ? WHERE id IN (" + strings.Join(list, ",") + ")" //nolint:gosec // numbers
	if d.kind == "postgres" {
		update = strings.Replace(update, "?", "$1", 1)
	}
	began := time.Now()
	r, err := d.db.ExecContext(t.Context(), update, at)
	took := time.Since(began)
	if err != nil {
		t.Fatal(err)
	}
	if moved, err := r.RowsAffected(); moved != int64(size) || err != nil {
		t.Fatalf("by primary key: %d of %d rows, %v", moved, size, err)
	}
	return float64(took.Microseconds()) / float64(size)
}

// flush is what a commit waits for at least: 8 KB written to the servers' disk
// and flushed.
func flush(t testing.TB) time.Duration {
	t.Helper()
	f, err := os.CreateTemp("", "sso-bench-flush") // where realtest keeps the servers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = f.Close(), os.Remove(f.Name()) }()
	var list times
	page := make([]byte, 8<<10)
	for range 200 {
		began := time.Now()
		if _, err := f.WriteAt(page, 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		list = append(list, time.Since(began))
	}
	return list.p50()
}
