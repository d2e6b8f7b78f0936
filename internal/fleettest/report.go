package fleettest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Counter is what a violation counts as.
type Counter int

// The counters: see the package's comment.
const (
	Revived Counter = iota
	Doubled
	Wrong
	counters
)

// String is the name in the report's line.
func (c Counter) String() string { return [...]string{"revived", "doubled", "wrong"}[c] }

// Count is how many violations a counter has.
func (r *Report) Count(c Counter) int { return r.found[c] }

// Report is what a run found.
type Report struct {
	Browsers, Requests, Kills, Refreshes, Lost int

	// SignIns and SignOuts were answered; Asked and Broken are answers that
	// asked to sign in, and 5xx; Cut is those of Broken whose process died.
	SignIns, SignOuts, Asked, Broken, Cut int
	// Limited and EndedByPool are those of Asked for that reason. EndedByApp
	// is how often the app asked the pool to end somebody's sign-ins.
	Limited, EndedByPool, EndedByApp int
	// Unstored is those of Lost whose process was killed with the answer, before
	// the store had it. The answer of the others did not arrive.
	Unstored int
	// Losable is how many sets of tokens may be lost, by what was broken: the
	// bound of Lost.
	Losable int
	// Outages of the store, Revoked people whose sign-ins the pool ended, and
	// KeptCopies of cookies that were tried after their sign-out.
	Outages, Revoked, KeptCopies int
	// Fates says what became of refreshes on the wire.
	Fates map[string]int
	// Violations are texts.
	Violations []string

	found [counters]int
}

// Line is the last line.
func (r *Report) Line() string {
	return fmt.Sprintf("FLEET browsers=%d requests=%d kills=%d refreshes=%d lost=%d revived=%d doubled=%d wrong=%d",
		r.Browsers, r.Requests, r.Kills, r.Refreshes, r.Lost, r.found[Revived], r.found[Doubled], r.found[Wrong])
}

// Summary is some lines more.
func (r *Report) Summary() string {
	var fates []string
	for _, name := range slices.Sorted(maps.Keys(r.Fates)) {
		fates = append(fates, fmt.Sprintf("%s %d", name, r.Fates[name]))
	}
	return fmt.Sprintf("sign-ins %d, sign-outs %d, kept copies tried %d, people ended in the pool %d and by the app there %d, outages of the store %d\n"+
		"answers: asked to sign in %d (a limit %d, the pool %d), 5xx %d, of which cut by a kill %d\n"+
		"refreshes: %s; sets of tokens that nobody has %d, sessions that lack them %d (%d killed with the answer)\n",
		r.SignIns, r.SignOuts, r.KeptCopies, r.Revoked, r.EndedByApp, r.Outages, r.Asked, r.Limited, r.EndedByPool, r.Broken, r.Cut,
		strings.Join(fates, ", "), r.Losable, r.Lost, r.Unstored)
}
