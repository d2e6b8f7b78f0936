package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// run is one reconciliation. One goroutine does it all.
type run struct {
	cfg           Config
	reads, writes *pace
	index         *index
	// claims are ids at providers that users without a row have come with in
	// this run, and whose they are.
	claims map[key]string

	report Report
	base   Report // the counts of what will not be done again after a resume
	phase  Phase
	token  string // of the page to go on with
	saved  time.Time
}

// Run compares the pool with the table, and repairs with Config.Apply. It ends
// early, with what it has counted so far, when ctx ends or something cannot be
// reached; Config.OnCheckpoint then has the place to go on from, unless the
// table was not read yet.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return newReport(), err
	}
	if err := cfg.checkResume(); err != nil {
		return newReport(), err
	}
	r := &run{
		cfg: cfg, reads: newPace(cfg.ReadRate), writes: newPace(cfg.WriteRate),
		index: newIndex(), claims: map[key]string{}, report: newReport(), base: newReport(), saved: cfg.Now(),
	}
	if err := r.readTable(ctx); err != nil {
		return r.report, outcome(ctx, err)
	}
	r.resume()
	r.base = r.report.clone()
	if err := r.compare(ctx); err != nil {
		return r.report, outcome(ctx, errors.Join(err, r.save()))
	}
	return r.report, nil
}

// outcome keeps the reason apart: an end that was asked for is no fault.
func outcome(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	return err
}

func (r *run) compare(ctx context.Context) error {
	if r.phase == PhasePool {
		if err := r.readPool(ctx); err != nil {
			return err
		}
		r.phase, r.token = PhaseGone, ""
		if err := r.settle(); err != nil {
			return err
		}
	}
	if r.cfg.SkipGone {
		return nil
	}
	return r.askForGone(ctx)
}

// readTable fills the index.
func (r *run) readTable(ctx context.Context) error {
	for after := ""; ; {
		var page []users.User
		err := r.store(ctx, func() (err error) {
			page, err = r.cfg.Users.Page(ctx, after, users.MaxPage)
			return err
		})
		if err != nil {
			return err
		}
		for _, u := range page {
			r.index.add(u)
		}
		r.report.Rows += len(page)
		r.cfg.OnProgress(Progress{PhaseTable, r.report.Rows, 0})
		if len(page) < users.MaxPage {
			return r.checkDoubled(ctx)
		}
		after = page[len(page)-1].ID
	}
}

// checkDoubled looks again at rows that seemed to share what only one may
// have: one of them may have been changed between two pages.
func (r *run) checkDoubled(ctx context.Context) error {
	reported := map[uint32]bool{}
	for _, pair := range r.index.doubled {
		a, err := r.get(ctx, r.index.ids[pair[0]])
		if err != nil {
			return err
		}
		b, err := r.get(ctx, r.index.ids[pair[1]])
		if err != nil {
			return err
		}
		if a == nil || b == nil || reported[pair[1]] || !share(*a, *b) {
			continue
		}
		reported[pair[1]] = true
		r.emit(Finding{Kind: AmbiguousRows, RowID: b.ID, Action: NoAction, Sub: b.Sub})
	}
	r.index.doubled = nil
	return nil
}

func share(a, b users.User) bool {
	if a.Sub != "" && a.Sub == b.Sub {
		return true
	}
	for provider, subject := range a.Providers {
		if b.Providers[provider] == subject {
			return true
		}
	}
	return false
}

const maxRestarts = 3

// readPool lists the users and looks at each.
func (r *run) readPool(ctx context.Context) error {
	total := r.estimate(ctx)
	for restarts := 0; ; {
		next, err := r.page(ctx)
		switch {
		case errors.Is(err, ErrToken) && restarts < maxRestarts:
			restarts++
			r.restart()
			continue
		case errors.Is(err, ErrToken):
			return fmt.Errorf("%w: %w", ErrPool, err)
		case err != nil:
			return err
		}
		r.token = next
		if err := r.settle(); err != nil {
			return err
		}
		r.cfg.OnProgress(Progress{PhasePool, r.report.Users, max(total, r.report.Users)})
		if next == "" {
			return nil
		}
	}
}

// restart begins the list anew. Of the counts only what was repaired stays: it
// is not found again.
func (r *run) restart() {
	fresh := newReport()
	fresh.Rows, fresh.Throttled, fresh.Restarted = r.report.Rows, r.report.Throttled, r.report.Restarted+1
	for kind, n := range r.report.Repaired {
		fresh.Found[kind], fresh.Repaired[kind] = n, n
	}
	if n := r.report.Found[AmbiguousRows]; n > 0 {
		fresh.Found[AmbiguousRows] = n
	}
	r.report, r.token = fresh, ""
	r.base = r.report.clone()
}

func (r *run) estimate(ctx context.Context) int {
	e, ok := r.cfg.Pool.(Estimator)
	if !ok {
		return 0
	}
	n, err := e.Estimate(ctx)
	if err != nil {
		return 0 // it is for a progress bar only
	}
	return n
}

// page looks at one page of users and returns the token of the next.
func (r *run) page(ctx context.Context) (next string, err error) {
	var page []PoolUser
	err = r.pool(ctx, r.reads, func() error {
		page, next, err = r.cfg.Pool.List(ctx, r.token)
		return err
	})
	if err != nil {
		return "", err
	}
	for _, u := range page {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if err := r.user(ctx, u); err != nil {
			return "", err
		}
		r.report.Users++
	}
	return next, nil
}

// user looks at one user of the pool.
func (r *run) user(ctx context.Context, u PoolUser) error {
	k := keyOf(u.sub())
	r.index.see(k)
	if r.agrees(u, k) {
		return nil
	}
	if r.cfg.Now().Sub(u.Created) < r.cfg.SkipYounger {
		r.report.Skipped[SkipYoung]++
		return nil
	}
	if r.cfg.Apply {
		return r.mend(ctx, u)
	}
	v, err := r.judge(ctx, u)
	if err != nil {
		return err
	}
	if v.skip != "" {
		r.report.Skipped[v.skip]++
	}
	for _, f := range v.findings {
		r.emit(f)
	}
	return nil
}

// agrees reports whether row and attribute agree by the index, as nearly all
// do. Nothing is asked for.
func (r *run) agrees(u PoolUser, sub key) bool {
	row, ok := r.index.subs[sub]
	if !ok || r.index.ids[row] != u.Attributes[r.cfg.UserIDAttribute] {
		return false
	}
	if len(r.cfg.Columns) == 0 {
		return true
	}
	id, err := lambda.IdentityOf(u.forIdentity(), r.cfg.Providers)
	if err != nil || !r.hasColumn(id.Provider) {
		return true
	}
	holder, ok := r.index.providers[keyOf(id.Provider, id.Subject)]
	return ok && holder == row
}

// askForGone asks the pool for every sub that was not in its list.
func (r *run) askForGone(ctx context.Context) error {
	rows := r.index.unseen()
	for n, row := range rows {
		r.cfg.OnProgress(Progress{PhaseGone, n, len(rows)})
		if err := r.gone(ctx, r.index.ids[row]); err != nil {
			return err
		}
		r.index.seen[row/64] |= 1 << (row % 64)
		if err := r.settle(); err != nil {
			return err
		}
	}
	r.cfg.OnProgress(Progress{PhaseGone, len(rows), len(rows)})
	return nil
}

func (r *run) gone(ctx context.Context, id string) error {
	row, err := r.get(ctx, id)
	if err != nil || row == nil || row.Sub == "" {
		return err
	}
	u, err := r.bySub(ctx, row.Sub)
	switch {
	case errors.Is(err, ErrNoUser):
		r.emit(Finding{Kind: SubGone, Action: NoAction, RowID: row.ID, Sub: row.Sub})
		return nil
	case err != nil:
		return err
	}
	return r.user(ctx, u) // a list that changes while it is read may leave somebody out
}

// emit counts a finding and hands it out.
func (r *run) emit(f Finding) {
	f.Severity = f.Kind.Severity()
	r.report.Found[f.Kind]++
	if f.Repaired {
		r.report.Repaired[f.Kind]++
		// It is not found again, also if its page is.
		r.base.Found[f.Kind]++
		r.base.Repaired[f.Kind]++
	}
	r.cfg.OnFinding(f)
}

// store calls the table, and again if it is out of reach for a moment.
func (r *run) store(ctx context.Context, f func() error) error {
	err := r.again(ctx, f)
	if err == nil || decided(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrStore, err)
}

// decided reports whether the store answered, though not with a row.
func decided(err error) bool {
	for _, known := range []error{users.ErrNotFound, users.ErrConflict, users.ErrAmbiguous, users.ErrMoveRefused, users.ErrInvalid} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// pool calls the pool at its pace, and again if it is throttled or out of
// reach for a moment.
func (r *run) pool(ctx context.Context, at *pace, f func() error) error {
	err := r.again(ctx, func() error {
		if err := at.wait(ctx); err != nil {
			return err
		}
		return f()
	})
	if err == nil || errors.Is(err, ErrNoUser) || errors.Is(err, ErrToken) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrPool, err)
}

// get returns a row, nil if there is none.
func (r *run) get(ctx context.Context, id string) (*users.User, error) {
	var u users.User
	err := r.store(ctx, func() (err error) {
		u, err = r.cfg.Users.Get(ctx, id)
		return err
	})
	if errors.Is(err, users.ErrNotFound) || errors.Is(err, users.ErrInvalid) {
		return nil, nil // an attribute may be any text
	}
	if err != nil {
		return nil, err
	}
	return &u, nil
}

func (r *run) bySub(ctx context.Context, sub string) (u PoolUser, err error) {
	err = r.pool(ctx, r.reads, func() error {
		u, err = r.cfg.Pool.BySub(ctx, sub)
		return err
	})
	return u, err
}
