package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMain(m *testing.M) {
	code := 1
	err := with(context.Background(), func(t testing.TB) {
		share(t)
		code = m.Run()
	})
	removePrograms()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// One statement and one write for a sign-up; none of either for a sign-in.
func TestCounts(t *testing.T) {
	const n = 3
	for _, kind := range kinds {
		for _, split := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s split=%v", kind.name, split), func(t *testing.T) {
				c := count(t, stackConfig{name: "it", database: kind.open(t), split: split}, n)
				up, in := asked{database: 1, cognito: 1}, asked{sqs: 1}
				if kind.name == "PostgreSQL" {
					up.statements = 1
				}
				if c.up != up || c.in != in {
					t.Errorf("a sign-up asks %+v, a sign-in %+v", c.up, c.in)
				}
				if c.tokens != 2*n || c.rows != n+1 || c.unlinked != 0 || c.queued != n {
					t.Errorf("%+v", c)
				}
			})
		}
	}
}

// The counters see what should not be there: PostConfirmation of a user who has
// a row already asks the database as often, and one more query or write counts.
func TestCountersNotice(t *testing.T) {
	d := postgres(t)
	s := newStack(t, stackConfig{name: "it", database: d, proxied: true, counted: true}, &subjects{})
	s.signUp(t)
	before := s.asked()
	event, _ := s.pool.confirmation(t, s.who.next())
	invoke(t, s.fn, event)
	invoke(t, s.fn, event) // Cognito calls again: a statement, no second write, and a message
	if got := s.asked().since(before); got != (asked{2, 2, 1, 1}) {
		t.Errorf("twice asks %+v", got)
	}
	other := newStack(t, stackConfig{name: "other", database: d, proxied: true, counted: true, program: blocking}, s.who)
	subject, _ := other.signUp(t)
	before = other.asked()
	other.signIn(t, subject)
	if got := other.asked().since(before); got != (asked{database: 1, statements: 1}) {
		t.Errorf("a sign-in without a queue asks %+v", got)
	}
}

// The bare function does what the real one does.
func TestOverCalls(t *testing.T) {
	o := measureOverCalls(t, postgres(t), 1, 2, time.Millisecond)
	if len(o.handler) != 2 || len(o.bare) != 2 || len(o.split) != 2 || !(o.ratio > 0) {
		t.Errorf("%+v", o)
	}
}

// A slow database, or none, costs a sign-in nothing, and nothing is lost; it
// does where the sign-in writes itself.
func TestOutage(t *testing.T) {
	o := measureOutage(t, postgres(t), outageSizes{rounds: 1, slice: 2, waiting: 2, together: 2})
	if o.asked != 0 {
		t.Errorf("sign-ins asked the database %d times", o.asked)
	}
	for _, i := range o.ins {
		waits := i.design == direct && i.state != healthy
		if i.refused != 0 || (i.lost > 0) != (i.design == direct && i.state == down) || (i.times.at(0) > time.Second) != waits {
			t.Errorf("%s, %s: refused %d, lost %d, at least %v", i.design, i.state, i.refused, i.lost, i.times.at(0))
		}
	}
	for _, u := range o.ups {
		if (u.refused == len(u.times)) != (u.state != healthy) || len(u.times) == 0 {
			t.Errorf("sign-ups, %s: %d of %d refused", u.state, u.refused, len(u.times))
		}
	}
}

// A batch of any size is one statement, and every row is written.
func TestConsumer(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			d := kind.open(t)
			c := measureConsumer(t, kind.name, d, consumerSizes{users: 1000, rowwise: 10, pairs: 1, tables: []int{1000}, flatBatch: 100, flatRounds: 1})
			if len(c.batches) != len(batchSizes) {
				t.Fatalf("%+v", c)
			}
			for _, b := range c.batches {
				if b.statements != 1 || !(b.rows > 0) || !(b.ratio > 0) || !(b.strict > 0) {
					t.Errorf("%+v", b)
				}
			}
			if len(c.flat) != 1 || c.flat[0].users != 1000 || !(c.flat[0].first > 0) || !(c.flat[0].again > 0) || !(c.flat[0].floor > 0) || !(c.rowwise > 0) || !(c.strict > 0) || !(c.slowRows > 0) {
				t.Errorf("%+v", c)
			}
			// The largest batch was of all users.
			if n := d.number(t, "SELECT count(*) FROM users WHERE last_login_at IS NOT NULL"); n != 1000 {
				t.Errorf("%d rows written", n)
			}
		})
	}
}

// The function that the consumer is compared with asks the database for each
// message; and touch leaves no page out.
func TestConsumerPeers(t *testing.T) {
	const users = 3000
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			d, c := kind.open(t), newClock()
			d.fill(t, 0, users)
			door := newProxy(t, d)
			one := start(t, signins, 1, append(d.env(door.addr), "SSO_MAX_BATCH=1")...)
			if n := statements(t, door, one, 7, users, c); n != 7 {
				t.Errorf("%d statements for 7 messages", n)
			}
			d.touch(t, c.next())
			if n := d.number(t, "SELECT count(*) FROM users WHERE last_login_at IS NOT NULL"); n < users/20 || n > users/20+8 {
				t.Errorf("%d rows of %d are touched", n, users)
			}
			if d.kind != "postgres" {
				return
			}
			if n := d.number(t, "SELECT count(*) FROM (SELECT FROM users GROUP BY split_part(ctid::text, ',', 1) HAVING max(last_login_at) IS NULL) AS page"); n != 0 {
				t.Errorf("%d pages are not touched", n)
			}
		})
	}
}

func TestStarts(t *testing.T) {
	list := measureStarts(t, 1)
	if len(list) != 5 {
		t.Fatalf("%d functions", len(list))
	}
	for _, s := range list {
		if len(s.times) != 1 || s.times[0] <= 0 || s.program < 1e6 || s.archive >= s.program || len(s.packages) < 10 || sum(s.packages) <= 0 {
			t.Errorf("%s: %v, %d and %d bytes, %d packages", s.name, s.times, s.program, s.archive, len(s.packages))
		}
	}
}

// Everybody gets a token with an id, the quota bites, and both ways heal all.
func TestTerm(t *testing.T) {
	for name, cfg := range map[string]termConfig{
		"refreshes": {Students: 300, PerSecond: 100, Quota: 5, Stay: true},
		"reconcile": {Students: 300, PerSecond: 100, Quota: 5, Reconcile: true},
		"nothing":   {Students: 300, PerSecond: 100, Quota: 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := runTerm(t, cfg)
				if r.WithID != cfg.Students || r.Refused != 0 || r.Throttled == 0 || r.Missing == 0 {
					t.Errorf("%d with an id, %d refused, %d throttled, %d missing", r.WithID, r.Refused, r.Throttled, r.Missing)
				}
				if healed := r.Left == 0; healed != (cfg.Stay || cfg.Reconcile) {
					t.Errorf("%d are left", r.Left)
				}
			})
		})
	}
}

func TestPlot(t *testing.T) {
	some := times{5 * time.Millisecond, 7 * time.Millisecond, 2 * time.Second}
	o := outage{ins: []signInTimes{{queued, healthy, some, 0, 0}, {direct, slow, some, 0, 0}}, ups: []signUpTimes{{down, some, 3}}}
	path := filepath.Join(t.TempDir(), "img", "it.svg")
	if err := writePlot(path, panels(o, []whole{{name: "split, PostgreSQL", up: some}})); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(raw)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"healthy, two functions", "database down: try again", "queue, database healthy", "direct, database 2 s late", "100 ms"} {
		if !strings.Contains(string(raw), text) {
			t.Errorf("no %q in the plot", text)
		}
	}
}

func TestTimes(t *testing.T) {
	var hundred times
	for n := range 100 {
		hundred = append(hundred, time.Duration(100-n))
	}
	if hundred.p50() != 50 || hundred.p95() != 95 || hundred.p99() != 99 || hundred.at(1) != 100 || hundred.at(0) != 1 || (times{}).p50() != 0 {
		t.Errorf("%d %d %d", hundred.p50(), hundred.p95(), hundred.p99())
	}
	if median([]float64{3, 1, 2}) != 2 || median([]float64{4, 1, 2, 3}) != 2.5 {
		t.Error("median")
	}
	if got := hundred[:99].columns()[3]; got != "-" {
		t.Errorf("p99 of 99 is %s", got)
	}
}
