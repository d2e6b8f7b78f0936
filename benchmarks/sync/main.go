package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func main() {
	if cfg := os.Getenv(termChild); cfg != "" {
		beTerm(cfg)
	}
	flags := flag.NewFlagSet("sync", flag.ExitOnError)
	quick := flags.Bool("quick", false, "tiny counts and no plot, to see that it works: the times mean nothing")
	picture := flags.String("plot", "../docs/img/sync-latency.svg", `where the plot goes, or "" for none`)
	only := flags.String("only", "", "parts, by commas, of counts, signup, outage, consumer, start and term. Defaults to all")
	_ = flags.Parse(os.Args[1:]) // it exits
	size := full
	if *quick {
		size, *picture = small, ""
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code := 0
	if err := with(ctx, func(t testing.TB) {
		share(t)
		if err := run(t, size, *picture, *only); err != nil {
			t.Fatal(err)
		}
	}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	removePrograms()
	os.Exit(code) //nolint:gocritic // all is stopped
}

// sizes of every part.
type partSizes struct {
	counts              int // people
	pairs, slice        int // of handler and bare calls
	rounds, roundSlice  int // of the topologies
	outage              outageSizes
	consumer            consumerSizes
	starts              int
	students, perSecond int
}

var (
	full = partSizes{
		counts: 20, pairs: 60, slice: 10, rounds: 50, roundSlice: 5,
		outage:   outageSizes{rounds: 100, slice: 5, waiting: 60, together: 10},
		consumer: consumerSizes{users: 100_000, rowwise: 100, pairs: 25, tables: []int{1000, 10_000, 100_000, 1_000_000}, flatBatch: 300, flatRounds: 41},
		starts:   101, students: 20_000, perSecond: 100,
	}
	small = partSizes{
		counts: 3, pairs: 2, slice: 3, rounds: 1, roundSlice: 3,
		outage:   outageSizes{rounds: 2, slice: 3, waiting: 4, together: 2},
		consumer: consumerSizes{users: 2000, rowwise: 20, pairs: 2, tables: []int{1000, 2000}, flatBatch: 300, flatRounds: 2},
		starts:   2, students: 400, perSecond: 100,
	}
)

// quota is Cognito's own of UserUpdate calls a second. It cannot be raised.
const quota = 25

// results are what the last line says. What was not measured is "n/a".
type results struct{ overCalls, roundTrips, slowDB, overRowwise, overBare string }

func (r results) String() string {
	return fmt.Sprintf("SYNC signup_over_calls=%s signup_db_roundtrips=%s signin_slow_db=%s consumer_over_rowwise=%s init_over_bare=%s",
		r.overCalls, r.roundTrips, r.slowDB, r.overRowwise, r.overBare)
}

func run(t testing.TB, n partSizes, picture, only string) error {
	fmt.Printf("%s, %d cores, %s, load %s\n", runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format("2006-01-02"), load())
	r := results{"n/a", "n/a", "n/a", "n/a", "n/a"}
	var o outage
	var wholes []whole
	for _, part := range []struct {
		name string
		run  func(testing.TB)
	}{
		{"counts", func(t testing.TB) { r.roundTrips = printCounts(t, n) }},
		{"signup", func(t testing.TB) { r.overCalls, wholes = printSignUp(t, n) }},
		{"outage", func(t testing.TB) { r.slowDB, o = printOutage(t, n) }},
		{"consumer", func(t testing.TB) { r.overRowwise = printConsumer(t, n) }},
		{"start", func(t testing.TB) { r.overBare = printStarts(t, n) }},
		{"term", func(t testing.TB) { printTerm(t, n) }},
	} {
		if only != "" && !slices.Contains(strings.Split(only, ","), part.name) {
			continue
		}
		if err := with(t.Context(), part.run); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	if picture != "" && wholes != nil && o.ins != nil {
		if err := writePlot(picture, panels(o, wholes)); err != nil {
			return fmt.Errorf("plot: %w", err)
		}
	}
	fmt.Printf("\nload at the end %s\n\n%s\n", load(), r)
	return nil
}

// load is what else the machine does: the average of a minute.
func load() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return first
}
