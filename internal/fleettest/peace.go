package fleettest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Sabotages are the ways to do a store wrong, and what must show then.
var Sabotages = []struct {
	Sabotage Sabotage
	Counter  Counter
}{
	{NoLock, Doubled},
	{NoReread, Doubled},
	{Upsert, Revived},
	{KeepDeleted, Revived},
}

// CanSee runs each of them on the store that on adds to the configuration, and
// fails the test where the judge does not see it.
func CanSee(t *testing.T, on func(*testing.T, Config) Config) {
	t.Helper()
	for _, row := range Sabotages {
		t.Run(string(row.Sabotage), func(t *testing.T) {
			t.Parallel()
			// Which requests meet is luck: a sign-out meets an Update two or three
			// times in a run, so in one of ten never.
			const mostRuns = 12
			for seed := uint64(11); seed < 11+mostRuns; seed++ {
				cfg := Short(seed)
				cfg.Rounds, cfg.Browsers, cfg.Calm, cfg.Sabotage = 3, 40, true, row.Sabotage
				r := Run(t, on(t, cfg))
				t.Log(r.Line())
				if r.Count(row.Counter) > 0 {
					return
				}
			}
			t.Errorf("not seen as %v in %d runs", row.Counter, mostRuns)
		})
	}
}

// Peace makes a short run, of a seed that nobody knows, on the store that on
// adds to the configuration, and fails the test with everything that was found.
// A seed may leave out a thing that can go wrong: then it makes another run, and
// fails the test if the same thing is missing in all.
func Peace(t *testing.T, on func(*testing.T, Config) Config) {
	t.Helper()
	const mostRuns = 8 // one in a hundred lacks something
	var missing []string
	for n := range mostRuns {
		cfg := on(t, Short(rand.Uint64N(1<<32))) //nolint:gosec // a seed
		r := Run(t, cfg)
		wantNothingFound(t, cfg, r)
		lacks := r.lacks()
		if n == 0 {
			missing = lacks
		}
		missing = slices.DeleteFunc(missing, func(name string) bool { return !slices.Contains(lacks, name) })
		if len(missing) == 0 || t.Failed() {
			return
		}
	}
	t.Errorf("no %s in %d runs: they prove less than they say", strings.Join(missing, ", no "), mostRuns)
}

// wantNothingFound fails the test with everything that was found.
func wantNothingFound(t *testing.T, cfg Config, r *Report) {
	t.Helper()
	t.Logf("seed %d\n%s%s", cfg.Seed, r.Summary(), r.Line())
	const shown = 5
	if len(r.Violations) > 0 {
		t.Errorf("again with: make fleet SEED=%d COUNT=%d\n%s", cfg.Seed, r.Browsers, strings.Join(r.Violations[:min(shown, len(r.Violations))], "\n"))
	}
	if r.Lost > r.Losable {
		t.Errorf("%d sessions lost by %d sets of tokens", r.Lost, r.Losable)
	}
}

// lacks names what may go wrong in a run, and did not in this one.
func (r *Report) lacks() (names []string) {
	for name, n := range map[string]int{
		"kills": r.Kills, "refreshes": r.Refreshes, "sessions lost": r.Lost, "sign-outs": r.SignOuts, "outages of the store": r.Outages,
		"sessions at their limit": r.Limited, "sessions that the pool ended": r.EndedByPool,
		"sign-outs in the pool by the app": r.EndedByApp,
		refused.String():                   r.Fates[refused.String()], hangs.String(): r.Fates[hangs.String()], answerLost.String(): r.Fates[answerLost.String()],
		"holders killed": r.Fates[holderDies.String()] + r.Fates[holderDiesWithAnswer.String()],
	} {
		if n == 0 {
			names = append(names, name)
		}
	}
	return names
}

// The variables of make fleet. FLEET_COUNT runs it.
const countVariable, seedVariable = "FLEET_COUNT", "FLEET_SEED"

// Command is make fleet on the store that on adds to the configuration. It
// writes the summary to standard output, and takes Login's own leases.
func Command(t *testing.T, on func(Config) Config) {
	t.Helper()
	if os.Getenv(countVariable) == "" {
		t.Skipf("for make fleet: %s is not set", countVariable)
	}
	browsers, err := strconv.Atoi(os.Getenv(countVariable))
	if err != nil || browsers < 1 {
		t.Fatalf("%s: %q is not a number above 0", countVariable, os.Getenv(countVariable))
	}
	seed := rand.Uint64N(1 << 32) //nolint:gosec // a seed
	if text := os.Getenv(seedVariable); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %q is not a number", seedVariable, text)
		}
	}
	cfg := on(Config{Seed: seed, Browsers: browsers, Rounds: 2 * len(troubles)})
	began := time.Now()
	r := Run(t, cfg)
	wantNothingFound(t, cfg, r)
	for _, name := range r.lacks() {
		t.Errorf("no %s: the run proves less than it says", name)
	}
	fmt.Printf("%s: seed %d, took %v\n%s%s\n", t.Name(), seed, time.Since(began).Round(time.Second), r.Summary(), r.Line())
}
