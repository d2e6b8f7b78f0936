package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
)

// startTimes is how long a function takes from exec until it asks for an event.
type startTimes struct {
	name             string
	times            times
	ratio            float64 // to the bare one, of pairs
	program, archive int     // bytes
	packages         []initialised
	variant          bool // of another line, to tell what something costs
}

// initialised is what the init of a package took, as Go's own trace has it.
type initialised struct {
	name   string
	clock  time.Duration
	allocs int // bytes
}

// measureStarts starts every function again and again, in turns with the bare
// one.
func measureStarts(t testing.TB, starts int) []startTimes {
	t.Helper()
	to := []string{"SSO_STORE=postgres", "SSO_DB_HOST=127.0.0.1", "SSO_DB_NAME=sso", "SSO_DB_USER=sso"}
	secure := append(slices.Clone(to), "SSO_DB_AUTH=iam", "SSO_DB_CA_FILE="+authorities(t))
	clear := append(slices.Clone(to), "SSO_DB_AUTH=password", "SSO_DB_PASSWORD=x", "SSO_DB_INSECURE_NO_TLS=true")
	functions := []struct {
		pkg, variant string
		env          []string
	}{
		{hello, "", nil},
		{trigger, "", []string{"SSO_PROVIDERS=Kakao,Google", "SSO_DBSYNC_FUNCTION=sso-dbsync", "SSO_SIGNIN_QUEUE_URL=http://127.0.0.1:9/000000000000/q"}},
		{dbsync, "", secure},
		{signins, "", secure},
		{dbsync, ", no authorities to read", clear},
	}
	out := make([]startTimes, len(functions))
	ratios := make([][]float64, len(functions))
	for i, f := range functions {
		path := build(t, f.pkg)
		out[i].name, out[i].variant = filepath.Base(path)+f.variant, f.variant != ""
		out[i].program, out[i].archive = sizes(t, path)
		out[i].packages = inits(t, path, f.env)
	}
	for round := range starts {
		took := make([]time.Duration, len(functions))
		for k := range functions {
			i := (k + round) % len(functions)
			took[i] = startOnce(t, build(t, functions[i].pkg), functions[i].env)
			out[i].times = append(out[i].times, took[i])
		}
		for i := range functions {
			ratios[i] = append(ratios[i], float64(took[i])/float64(took[0]))
		}
	}
	for i := range out {
		out[i].ratio = median(ratios[i])
	}
	return out
}

// startOnce starts a process and ends it again.
func startOnce(t testing.TB, path string, env []string) time.Duration {
	t.Helper()
	took, _ := startWith(t, path, env)
	return took
}

func startWith(t testing.TB, path string, env []string) (took time.Duration, output string) {
	t.Helper()
	var mu sync.Mutex // the runtime tells from another goroutine
	var printed bytes.Buffer
	f, err := lambdaruntime.Start(lambdaruntime.Config{
		Command: []string{path}, Env: append(append([]string{}, awsEnv...), env...), Output: &printed, InitTimeout: 30 * time.Second, Timeout: 10 * time.Second,
		OnInit: func(d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			took = d
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := f.Invoke(t.Context(), json.RawMessage(`{"warmup":true}`))
	if closed := f.Close(); err != nil || closed != nil || a.FunctionError != "" {
		t.Fatalf("%s does not start: %s, %v %v: %s", filepath.Base(path), a.Payload, err, closed, printed.String())
	}
	mu.Lock()
	defer mu.Unlock()
	return took, printed.String()
}

// inits are the packages whose init took longest: medians of some starts.
func inits(t testing.TB, path string, env []string) []initialised {
	t.Helper()
	clocks, bytes := map[string][]float64{}, map[string]int{}
	for range 9 {
		_, trace := startWith(t, path, append([]string{"GODEBUG=inittrace=1"}, env...))
		for line := range strings.Lines(trace) {
			var name string
			var at, clock float64
			var size, n int
			if _, err := fmt.Sscanf(line, "init %s @%f ms, %f ms clock, %d bytes, %d allocs", &name, &at, &clock, &size, &n); err == nil {
				clocks[name], bytes[name] = append(clocks[name], clock), size
			}
		}
	}
	var list []initialised
	for name, c := range clocks {
		list = append(list, initialised{name, time.Duration(math.Round(median(c) * 1e6)), bytes[name]})
	}
	slices.SortFunc(list, func(a, b initialised) int { return int(b.clock - a.clock) })
	return list
}

// sum is what all inits took.
func sum(list []initialised) (total time.Duration) {
	for _, p := range list {
		total += p.clock
	}
	return total
}
