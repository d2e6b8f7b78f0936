package chaos_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/chaos"
	"github.com/ssu-itsupport/cognito-sso/lambda"
)

// people is how many there are in a test of a store: enough for every fault.
func people() int {
	if underRace {
		return 20
	}
	return 50
}

// TestNobodyIsLost runs a seed that never changes and one that nobody knows
// before on every store.
func TestNobodyIsLost(t *testing.T) {
	t.Parallel()
	for name, on := range stages {
		for _, seed := range []uint64{1, rand.Uint64N(1 << 32)} {
			t.Run(fmt.Sprintf("%s/seed %d", name, seed), func(t *testing.T) {
				t.Parallel()
				r := play(t, on, chaos.Config{Seed: seed, People: people()}, nil)
				wantPeace(t, r)
				if seed == 1 { // another may lack one: one in thirty is never throttled
					wantEveryFault(t, r)
				}
			})
		}
	}
}

// The other source of ids: the row, for every token.
func TestNobodyIsLostWithIDsFromTheStore(t *testing.T) {
	t.Parallel()
	r := play(t, onSQLite, chaos.Config{Seed: 3, People: people(), UserIDSource: lambda.AlwaysStore}, nil)
	wantPeace(t, r)
	wantEveryFault(t, r)
}

// wantPeace fails with the whole report, and the command for all of it again.
func wantPeace(t *testing.T, r chaos.Report) {
	t.Helper()
	t.Log(r.Line())
	if len(r.Violations) > 0 {
		var out bytes.Buffer
		r.Write(&out)
		t.Errorf("again with: make chaos SEED=%d COUNT=%d\n%s", r.Seed, people(), &out)
	}
}

// wantEveryFault is for runs of seeds that have each of them several times.
func wantEveryFault(t *testing.T, r chaos.Report) {
	t.Helper()
	if underRace {
		return // too few people for every fault
	}
	for _, f := range []chaos.Fault{chaos.DatabaseDown, chaos.DatabaseRefuses, chaos.DatabaseAnswer, chaos.CognitoThrottles, chaos.TriggerAbandoned,
		chaos.MessageTwice, chaos.ConsumerCrash, chaos.Recreated, chaos.SecondTab, chaos.ClockSkew} {
		if r.Faults[f] == 0 {
			t.Errorf("no %q in the whole run: it proves nothing", f)
		}
	}
}

// What docs/guarantees.md says of people who are deleted and come back while
// something still runs for them: it does go wrong, and reconciliation makes it good.
func TestHastyReturn(t *testing.T) {
	t.Parallel()
	if underRace {
		t.Skip("needs many people")
	}
	mended, wrong := map[lambda.UserIDSource]int{}, map[lambda.UserIDSource]int{}
	for _, source := range []lambda.UserIDSource{lambda.AttributeFirst, lambda.AlwaysStore} {
		for seed := uint64(1); seed <= 2; seed++ {
			r := play(t, onSQLite, chaos.Config{Seed: seed, People: 80, Hasty: true, UserIDSource: source}, nil)
			for _, c := range []chaos.Counter{chaos.Doubled, chaos.MovedBack, chaos.Drift} {
				if r.Count(c) > 0 {
					t.Errorf("%s, seed %d: %s", source, seed, r.Line())
				}
			}
			t.Logf("%s: %s, reconciled %d", source, r.Line(), r.Seen["reconcile repaired user_without_row"])
			mended[source] += r.Seen["reconcile repaired user_without_row"]
			wrong[source] += len(r.Violations)
		}
	}
	if mended[lambda.AttributeFirst]+wrong[lambda.AttributeFirst] == 0 {
		t.Error("nothing went wrong: then docs/guarantees.md promises too little")
	}
	if n := mended[lambda.AlwaysStore]; n > 0 {
		t.Errorf("%d people without a row after a token by the store", n)
	}
}

// A seed decides the lives: without faults a run is the same each time, and
// with them everything that does not hang on who was faster.
func TestSeeds(t *testing.T) {
	t.Parallel()
	peace := func(seed uint64) string {
		r := play(t, onSQLite, chaos.Config{Seed: seed, People: 20, Peaceful: true}, nil)
		return fmt.Sprint(r.SignUps, r.SignIns, r.Faults[chaos.ClockSkew], r.Seen)
	}
	if a, b := peace(5), peace(5); a != b {
		t.Errorf("one seed, two runs:\n%s\n%s", a, b)
	}
	if a, b := peace(5), peace(6); a == b {
		t.Errorf("two seeds, one run: %s", a)
	}
	tabs := func(seed uint64) int {
		return play(t, onSQLite, chaos.Config{Seed: seed, People: 20}, nil).Faults[chaos.SecondTab]
	}
	if a, b := tabs(5), tabs(5); a != b || a == 0 {
		t.Errorf("one seed, two runs: %d and %d second tabs", a, b)
	}
}

// The last line is read by programs, and a violation must lead back to its run.
func TestReport(t *testing.T) {
	t.Parallel()
	var all chaos.Report
	for _, c := range []chaos.Counter{chaos.Lost, chaos.Wrong, chaos.Wrong, chaos.Drift} {
		all.Add(chaos.Report{SignUps: 2, SignIns: 3, Faults: map[chaos.Fault]int{chaos.WireCut: 4},
			Violations: []chaos.Violation{{Counter: c, What: "is broken", Person: 7, History: []string{"came", "went"}}}})
	}
	all.Seed = 99
	var out bytes.Buffer
	all.Write(&out)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if want := "CHAOS signups=8 signins=12 faults=16 lost=1 doubled=0 wrong=2 moved_back=0 drift=1"; lines[len(lines)-1] != want {
		t.Errorf("last line %q, want %q", lines[len(lines)-1], want)
	}
	for _, want := range []string{"seed 99", "person 7", "is broken", "came\n", "and 1 more"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	if _, err := chaos.Run(t.Context(), chaos.Config{}); err == nil {
		t.Error("a run of nobody on no table")
	}
}

// The variables of make chaos. CHAOS_COUNT runs it.
const (
	countVariable, seedVariable, storeVariable = "CHAOS_COUNT", "CHAOS_SEED", "CHAOS_STORE"
)

// TestCommand is make chaos. It writes the summary to standard output.
func TestCommand(t *testing.T) { //nolint:paralleltest // it prints one summary
	count, err := strconv.Atoi(os.Getenv(countVariable))
	if err != nil {
		t.Skipf("for make chaos: %s is not set", countVariable)
	}
	seed, err := strconv.ParseUint(os.Getenv(seedVariable), 10, 64)
	if err != nil {
		seed = rand.Uint64N(1 << 32)
	}
	names := strings.Split(os.Getenv(storeVariable), ",")
	if names[0] == "all" {
		names = slices.Sorted(maps.Keys(stages))
	}
	var all chaos.Report
	for _, name := range names {
		on, ok := stages[name]
		if !ok {
			t.Fatalf("%s: no store %q; there are: all, %s", storeVariable, name, strings.Join(slices.Sorted(maps.Keys(stages)), ", "))
		}
		t.Run(name, func(t *testing.T) {
			r := play(t, on, chaos.Config{Seed: seed, People: count}, nil)
			say(os.Stdout, "%s: ", name)
			r.Write(os.Stdout)
			all.Add(r)
		})
	}
	say(os.Stdout, "%s\n", all.Line())
	if len(all.Violations) > 0 {
		t.Fail()
	}
}

func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
