package crash_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var built struct {
	sync.Mutex
	dir string
}

// build makes the real binaries, once for each process, and returns their folder.
func build(t *testing.T) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.dir != "" {
		return built.dir
	}
	dir, err := os.MkdirTemp("", "sso-crash")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-o", dir+string(filepath.Separator))
	for _, name := range []string{triggerName, dbsyncName, signInsName} {
		cmd.Args = append(cmd.Args, "../../lambda/cmd/"+name)
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, text)
	}
	built.dir = dir
	return dir
}

// TestMain is also the functions that are broken on purpose.
func TestMain(m *testing.M) {
	if actAs := os.Getenv(actAsVariable); actAs != "" {
		actBroken(actAs)
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// run is one whole run.
func run(t *testing.T, cfg config) (*report, *world) {
	t.Helper()
	w := newWorld(t, cfg)
	r := w.play(t)
	w.end()
	return r, w
}

// some kills hit every window, and enough do so in both functions.
const some, enough = 60, 300

// wantPeace fails with everything that there is to say.
func wantPeace(t *testing.T, r *report, w *world) {
	t.Helper()
	const shown = 5
	if len(r.violations) > 0 {
		t.Errorf("again with: make crash SEED=%d KILLS=%d\n%s\nkills:\n%s", w.cfg.seed, w.cfg.kills,
			strings.Join(r.violations[:min(shown, len(r.violations))], "\n"), w.ledger.history())
	}
	if r.kills != w.cfg.kills {
		t.Errorf("%d kills, want %d", r.kills, w.cfg.kills)
	}
	for _, at := range windows {
		dbsync, signIns := w.ledger.at(dbsyncName, at), w.ledger.at(signInsName, at)
		if w.cfg.kills >= some && dbsync+signIns == 0 || w.cfg.kills >= enough && (dbsync == 0 || signIns == 0) {
			t.Errorf("window %q: %s was killed %d times, %s %d times: the run proves less than it says", at, dbsyncName, dbsync, signInsName, signIns)
		}
	}
}

func TestNobodyIsLostByKills(t *testing.T) {
	t.Parallel()
	r, w := run(t, config{seed: rand.Uint64N(1 << 32), kills: some})
	t.Logf("%s%s", w.summary(), r.line())
	wantPeace(t, r, w)
}

// Without a kill everything is fine, too.
func TestNoKills(t *testing.T) {
	t.Parallel()
	r, w := run(t, config{seed: 1, people: 20})
	if len(r.violations) > 0 || r.signUps != 20 || len(w.ledger.failed) > 1 { // the poller's own ends
		t.Errorf("%s%s\n%s", w.summary(), r.line(), strings.Join(r.violations, "\n"))
	}
}

// The same seed is the same plan, and the same people.
func TestSeed(t *testing.T) {
	t.Parallel()
	all := func(seed uint64) string {
		text := newPlan(seed, 100).String()
		for n := range 20 {
			p := newPerson(seed, n, time.Time{})
			text += fmt.Sprintln(p.sub, p.username, p.visits, p.twice, p.legacy != nil)
		}
		return text
	}
	first, again, other := all(1), all(1), all(2)
	if first != again || first == other {
		t.Errorf("the plans of seed 1, again, and of seed 2:\n%s\n%s\n%s", first, again, other)
	}
}

// The variables of make crash. CRASH_KILLS runs it.
const killsVariable, seedVariable = "CRASH_KILLS", "CRASH_SEED"

// TestCommand is make crash. It writes the summary to standard output.
func TestCommand(t *testing.T) { //nolint:paralleltest // it is alone
	if os.Getenv(killsVariable) == "" {
		t.Skipf("for make crash: %s is not set", killsVariable)
	}
	kills, err := strconv.Atoi(os.Getenv(killsVariable))
	if err != nil || kills < 1 {
		t.Fatalf("%s: %q is not a number above 0", killsVariable, os.Getenv(killsVariable))
	}
	seed := rand.Uint64N(1 << 32)
	if text := os.Getenv(seedVariable); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %q is not a number", seedVariable, text)
		}
	}
	started := time.Now()
	r, w := run(t, config{seed: seed, kills: kills})
	wantPeace(t, r, w)
	fmt.Printf("%stook %v\n%s\n", w.summary(), time.Since(started).Round(time.Second), r.line())
}
