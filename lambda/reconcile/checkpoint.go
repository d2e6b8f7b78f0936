package reconcile

import (
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
)

const checkpointVersion = 1

// Checkpoint is a place to go on from, to be kept as JSON. It has no subs or
// names of its own, but Cognito's pagination token may, so keep it private.
// About 11 bytes for each row of the table.
//
// The table is read anew in any case, and a page of users that was not finished
// is looked at again. A token that Cognito refuses, since it is an hour old or
// so, begins the list anew: that is always right, and only takes longer.
type Checkpoint struct {
	Version int `json:"version"`
	// Run tells the pool and the configuration from others.
	Run   string `json:"run"`
	Phase Phase  `json:"phase"`
	Token string `json:"token,omitempty"`
	// Seen are the beginnings of hashes of the subs that were listed.
	Seen   []byte `json:"seen,omitempty"`
	Report Report `json:"report"`
}

// fingerprint is what must be the same for a run to go on.
func (c Config) fingerprint() string {
	k := keyOf(c.Pool.ID(), c.UserIDAttribute, fmt.Sprint(c.Apply, c.SkipGone),
		strings.Join(c.Providers, "\n"), strings.Join(c.Columns, "\n"))
	return hex.EncodeToString(k[:])
}

func (c Config) checkResume() error {
	switch p := c.Resume; {
	case p == nil:
		return nil
	case p.Version != checkpointVersion:
		return fmt.Errorf("%w: of another version", ErrCheckpoint)
	case p.Run != c.fingerprint():
		return fmt.Errorf("%w: of another pool or configuration", ErrCheckpoint)
	case p.Phase != PhasePool && p.Phase != PhaseGone, len(p.Seen)%shortKey != 0:
		return fmt.Errorf("%w: broken", ErrCheckpoint)
	}
	return nil
}

// save hands out the last place that a run can go on from.
func (r *run) save() error {
	r.saved = r.cfg.Now()
	return r.cfg.OnCheckpoint(Checkpoint{
		Version: checkpointVersion, Run: r.cfg.fingerprint(), Phase: r.phase, Token: r.token,
		Seen: r.index.seenKeys(), Report: r.base.clone(),
	})
}

// settle makes what was counted so far part of the place to go on from, and
// saves it now and then.
func (r *run) settle() error {
	r.base = r.report.clone()
	if r.cfg.Now().Sub(r.saved) < r.cfg.SaveEvery {
		return nil
	}
	return r.save()
}

// resume takes over the counts of an earlier run. Those of the table are made
// anew.
func (r *run) resume() {
	p := r.cfg.Resume
	r.phase, r.token = PhasePool, ""
	if p == nil {
		return
	}
	rows, ambiguous := r.report.Rows, r.report.Found[AmbiguousRows]
	r.report = p.Report.clone()
	r.report.Rows, r.report.Found[AmbiguousRows] = rows, ambiguous
	r.phase, r.token = p.Phase, p.Token
	r.index.seeKeys(p.Seen)
}

func newReport() Report {
	return Report{Found: map[Kind]int{}, Repaired: map[Kind]int{}, Skipped: map[Skip]int{}}
}

func (r Report) clone() Report {
	fresh := newReport()
	maps.Copy(fresh.Found, r.Found)
	maps.Copy(fresh.Repaired, r.Repaired)
	maps.Copy(fresh.Skipped, r.Skipped)
	r.Found, r.Repaired, r.Skipped = fresh.Found, fresh.Repaired, fresh.Skipped
	return r
}
