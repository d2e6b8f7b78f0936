package chaos

import (
	"fmt"
	"io"
	"strings"
)

// Report is what a run found.
type Report struct {
	Seed uint64
	// SignUps are users made in the pool, SignIns later sign-ins that ended
	// with tokens.
	SignUps, SignIns int
	// Faults has how often each fault struck.
	Faults map[Fault]int
	// Violations are all broken promises.
	Violations []Violation
	// Seen has how the handlers said that things went, for the summary.
	Seen map[string]int
}

// Count is how many violations there are of a kind.
func (r Report) Count(c Counter) (n int) {
	for _, v := range r.Violations {
		if v.Counter == c {
			n++
		}
	}
	return n
}

func (r Report) faults() (n int) {
	for _, k := range r.Faults {
		n += k
	}
	return n
}

// Line is the last line of the summary.
func (r Report) Line() string {
	return fmt.Sprintf("CHAOS signups=%d signins=%d faults=%d lost=%d doubled=%d wrong=%d moved_back=%d drift=%d",
		r.SignUps, r.SignIns, r.faults(), r.Count(Lost), r.Count(Doubled), r.Count(Wrong), r.Count(MovedBack), r.Count(Drift))
}

// shown is how many violations are written with their history.
const shown = 3

// Write writes the summary, and the histories of the first violations.
func (r Report) Write(w io.Writer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	say("seed %d\n", r.Seed)
	for _, f := range sortedFaults(r.Faults) {
		say("  %7d  %s\n", r.Faults[f], f)
	}
	for _, what := range sortedKeys(r.Seen) {
		say("  %7d  %s\n", r.Seen[what], what)
	}
	for i, v := range r.Violations {
		if i == shown {
			say("… and %d more violations\n", len(r.Violations)-shown)
			break
		}
		say("VIOLATION (%s) seed %d, person %d: %s\n  %s\n", v.Counter, r.Seed, v.Person, v.What, strings.Join(v.History, "\n  "))
	}
	say("%s\n", r.Line())
}

// Add adds the counts and the violations of another run to r.
func (r *Report) Add(o Report) {
	r.SignUps += o.SignUps
	r.SignIns += o.SignIns
	r.Violations = append(r.Violations, o.Violations...)
	if r.Faults == nil {
		r.Faults = map[Fault]int{}
	}
	for f, n := range o.Faults {
		r.Faults[f] += n
	}
}
