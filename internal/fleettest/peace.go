package fleettest

import (
	"fmt"
	"math/rand/v2"
	"os"
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
			cfg := Short(11)
			cfg.Rounds, cfg.Browsers, cfg.Calm, cfg.Sabotage = 3, 40, true, row.Sabotage
			r := Run(t, on(t, cfg))
			t.Log(r.Line())
			if r.Count(row.Counter) == 0 {
				t.Errorf("not seen as %v", row.Counter)
			}
		})
	}
}

// WantPeace fails the test with everything that was found, or if the run proves
// less than it says.
func WantPeace(t *testing.T, cfg Config, r *Report) {
	t.Helper()
	t.Logf("seed %d\n%s%s", cfg.Seed, r.Summary(), r.Line())
	const shown = 5
	if len(r.Violations) > 0 {
		t.Errorf("again with: make fleet SEED=%d COUNT=%d\n%s", cfg.Seed, r.Browsers, strings.Join(r.Violations[:min(shown, len(r.Violations))], "\n"))
	}
	if r.Lost > r.Losable {
		t.Errorf("%d sessions lost by %d sets of tokens", r.Lost, r.Losable)
	}
	cfg.setDefaults()
	if cfg.Rounds < len(troubles) || cfg.Calm {
		return
	}
	for name, n := range map[string]int{
		"kills": r.Kills, "refreshes": r.Refreshes, "sessions lost": r.Lost, "sign-outs": r.SignOuts, "outages of the store": r.Outages,
		"sessions at their limit": r.Limited, "sessions that the pool ended": r.EndedByPool,
		"sign-outs in the pool by the app": r.EndedByApp,
		refused.String():                   r.Fates[refused.String()], hangs.String(): r.Fates[hangs.String()], answerLost.String(): r.Fates[answerLost.String()],
		"holders killed": r.Fates[holderDies.String()] + r.Fates[holderDiesWithAnswer.String()],
	} {
		if n == 0 {
			t.Errorf("no %s: the run proves less than it says", name)
		}
	}
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
	WantPeace(t, cfg, r)
	fmt.Printf("%s: seed %d, took %v\n%s%s\n", t.Name(), seed, time.Since(began).Round(time.Second), r.Summary(), r.Line())
}
