package main

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

func printCounts(t testing.TB, n partSizes) (roundTrips string) {
	rows := [][]string{{"one at a time, at most", "", "database", "statements", "cognito-idp", "SQS"}}
	most := 0
	for _, kind := range kinds {
		d := kind.open(t)
		for _, split := range []bool{false, true} {
			name := map[bool]string{false: "single, ", true: "split, "}[split] + kind.name
			d.exec(t, "DELETE FROM users WHERE id > 0")
			c := count(t, stackConfig{name: name, database: d, split: split}, n.counts)
			most = max(most, c.up.database)
			for _, line := range []struct {
				what  string
				asked asked
			}{{"sign-up", c.up}, {"sign-in", c.in}} {
				statements := "-"
				if d.kind == "postgres" {
					statements = fmt.Sprint(line.asked.statements)
				}
				rows = append(rows, []string{name, line.what, fmt.Sprint(line.asked.database), statements, fmt.Sprint(line.asked.cognito), fmt.Sprint(line.asked.sqs)})
			}
		}
	}
	printTable(fmt.Sprintf("Round trips of a sign-up and of a later sign-in, seen on the wire (%d people each)", n.counts), rows)
	return fmt.Sprint(most)
}

// away is what a call of AWS takes on a good day.
const away = 10 * time.Millisecond

func printSignUp(t testing.TB, n partSizes) (overCalls string, wholes []whole) {
	head := []string{"n", "p50 ms", "p95", "p99"}
	for _, away := range []time.Duration{away, 0} {
		o := measureOverCalls(t, postgres(t), n.pairs, n.slice, away)
		rows := [][]string{append(append([]string{"PostConfirmation"}, head...), "over the two calls (median of pairs)")}
		for _, line := range []struct {
			name  string
			times times
			ratio string
		}{
			{"the two calls and nothing else", o.bare, "1"}, {"sso-trigger, single", o.handler, ratio(o.ratio)},
			{"sso-trigger and sso-dbsync, split", o.split, ratio(o.splitRatio)},
		} {
			rows = append(rows, append(append([]string{line.name}, line.times.columns()...), line.ratio))
		}
		title := "all on loopback"
		if away > 0 {
			title = fmt.Sprintf("each call of AWS %v away", away)
		}
		printTable("PostConfirmation beside its statement and AdminUpdateUserAttributes, PostgreSQL, "+title, rows)
		overCalls = ratio(o.ratio) // the last is the stricter one
	}
	wholes = measureWhole(t, topologies(t), n.rounds, n.roundSlice)
	rows := [][]string{append(append([]string{"somebody waits", ""}, head...), "of it triggers, p50")}
	for _, w := range wholes {
		rows = append(rows, append(append([]string{w.name, "sign-up"}, w.up.columns()...), millis(w.upTriggers.p50())))
		rows = append(rows, append(append([]string{"", "sign-in"}, w.in.columns()...), millis(w.inTriggers.p50())))
	}
	printTable("Whole sign-ups and sign-ins, from the last click at Kakao to tokens in the app", rows)
	return overCalls, wholes
}

func printOutage(t testing.TB, n partSizes) (slowDB string, o outage) {
	o = measureOutage(t, postgres(t), n.outage)
	rows := [][]string{{"", "database", "n", "p50 ms", "p95", "p99", "refused", "last logins lost"}}
	for _, i := range o.ins {
		rows = append(rows, append(append([]string{"sign-in, " + i.design, i.state}, i.times.columns()...), fmt.Sprint(i.refused), fmt.Sprint(i.lost)))
	}
	for _, u := range o.ups {
		rows = append(rows, append(append([]string{"sign-up", u.state}, u.times.columns()...), fmt.Sprint(u.refused), ""))
	}
	printTable(fmt.Sprintf("While the database is slow or down (the database was asked %d times by all sign-ins through the queue)", o.asked), rows)
	return ratio(o.ratio), o
}

func printConsumer(t testing.TB, n partSizes) (overRowwise string) {
	fmt.Printf("\nevery commit is flushed; 8 KB written and flushed take %d µs on this disk\n", flush(t).Microseconds())
	rows := [][]string{{
		"database", "sign-ins in a batch", "statements", "rows a second", "row by row", "ratio", "the updates alone", "ratio",
		"0.5 ms and more away: rows a second", "the updates alone", "ratio",
	}}
	costs := [][]string{{"µs for a message, batches of " + fmt.Sprint(n.consumer.flatBatch), ""}}
	for _, users := range n.consumer.tables {
		costs[0] = append(costs[0], fmt.Sprint(users, " users"))
	}
	costs[0] = append(costs[0], "last over first", "MB of the largest")
	worst, where := math.Inf(1), ""
	for _, kind := range kinds {
		c := measureConsumer(t, kind.name, kind.open(t), n.consumer)
		for i, b := range c.batches {
			far := c.away[i]
			rows = append(rows, []string{
				c.database, fmt.Sprint(b.size), fmt.Sprint(b.statements), fmt.Sprintf("%.0f", b.rows), fmt.Sprintf("%.0f", c.rowwise), ratio(b.ratio),
				fmt.Sprintf("%.0f", c.strict), ratio(b.strict), fmt.Sprintf("%.0f", far.rows), fmt.Sprintf("%.0f", c.slowRows), ratio(far.strict),
			})
			if b.ratio < worst {
				worst, where = b.ratio, fmt.Sprintf("%s, %d", c.database, b.size)
			}
		}
		costs = append(costs, c.costs("after a checkpoint", func(f flat) float64 { return f.first }),
			c.costs("every page written since", func(f flat) float64 { return f.again }),
			c.costs("one update by primary key", func(f flat) float64 { return f.floor }))
	}
	printTable(fmt.Sprintf("The consumer of sign-ins, %d users in the table; the smallest ratio on loopback is %s", n.consumer.users, where), rows)
	printTable("What a message costs in a larger table", costs)
	return ratio(worst)
}

// costs is a line of the table of costs.
func (c consumed) costs(when string, of func(flat) float64) []string {
	line := []string{c.database, when}
	for _, f := range c.flat {
		line = append(line, fmt.Sprintf("%.1f", of(f)))
	}
	return append(line, ratio(of(c.flat[len(c.flat)-1])/of(c.flat[0])), fmt.Sprint(c.megabyte))
}

func printStarts(t testing.TB, n partSizes) (overBare string) {
	list := measureStarts(t, n.starts)
	rows := [][]string{{"start until the first event is asked for", "n", "p50 ms", "p95", "p99", "over bare (median of pairs)", "program MB", "archive MB", "of it package init ms"}}
	worst := 0.0
	for i, s := range list {
		rows = append(rows, slices.Concat([]string{s.name}, s.times.columns(), []string{ratio(s.ratio), megabytes(s.program), megabytes(s.archive), millis(sum(s.packages))}))
		if i > 0 && !s.variant {
			worst = max(worst, s.ratio)
		}
	}
	printTable("Start, without a network", rows)
	rows = [][]string{{"package init, the longest", "µs", "KB"}}
	for _, s := range list[1:] {
		if s.variant {
			continue
		}
		rows = append(rows, []string{s.name})
		for _, p := range s.packages[:min(6, len(s.packages))] {
			rows = append(rows, []string{"  " + p.name, fmt.Sprint(p.clock.Microseconds()), fmt.Sprint(p.allocs / 1000)})
		}
	}
	printTable("What the init of packages is spent on (GODEBUG=inittrace=1)", rows)
	return ratio(worst)
}

func megabytes(n int) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }

func printTerm(t testing.TB, n partSizes) {
	rows := [][]string{{
		"what heals", "students", "first tokens with userId", "triggers p50 ms", "p99", "writes", "throttled", "missing behind the last sign-up", "at the end", "none missing after",
	}}
	var hours []int
	for _, cfg := range []termConfig{
		{Students: n.students, PerSecond: n.perSecond, Quota: quota, Stay: true},
		{Students: n.students, PerSecond: n.perSecond, Quota: quota, Reconcile: true},
	} {
		r, err := measureTerm(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		name := "one ssoctl reconcile -apply, 11 min later"
		if cfg.Stay {
			name, hours = "tokens, refreshed every hour", r.Decay
		}
		rows = append(rows, []string{
			name, fmt.Sprint(r.Config.Students), fmt.Sprint(r.WithID), millis(r.Waits.p50()), millis(r.Waits.p99()), fmt.Sprint(r.Writes), fmt.Sprint(r.Throttled),
			fmt.Sprint(r.Missing), fmt.Sprint(r.Left), r.Complete.Round(time.Second).String(),
		})
	}
	printTable(fmt.Sprintf("First day of term: %d first sign-ups a second, %d attribute writes a second (a clock of its own)", n.perSecond, quota), rows)
	fmt.Println("missing after each hour of refreshes:", hours)
}
