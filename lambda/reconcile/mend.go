package reconcile

import (
	"context"
	"errors"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// mendAttempts is how often a user is looked at again because a trigger was at
// work at the same time.
const mendAttempts = 3

// mend looks at the user as it is now, in the pool and in the table, and
// repairs what is wrong.
func (r *run) mend(ctx context.Context, listed PoolUser) error {
	v, err := r.judge(ctx, listed)
	if err != nil || len(v.findings) == 0 {
		return r.skipped(v, err)
	}
	for n := 1; ; n++ {
		if !repairable(v) || n > mendAttempts {
			r.leave(v)
			return nil
		}
		u, err := r.now(ctx, listed.Username)
		if errors.Is(err, ErrNoUser) || err == nil && u.sub() != listed.sub() {
			return r.skipped(verdict{skip: SkipVanished}, nil) // or deleted and signed up again
		}
		if err != nil {
			return err
		}
		if v, err = r.judge(ctx, u); err != nil || len(v.findings) == 0 {
			return r.skipped(v, err) // a trigger was faster
		}
		if !repairable(v) {
			continue
		}
		stays, err := r.repair(ctx, u, &v)
		if errors.Is(err, ErrNoUser) {
			return r.skipped(verdict{skip: SkipVanished}, nil)
		}
		if err != nil {
			return err
		}
		if stays {
			r.leave(v)
			return nil
		}
	}
}

func (r *run) skipped(v verdict, err error) error {
	if err == nil && v.skip != "" {
		r.report.Skipped[v.skip]++
	}
	return err
}

func (r *run) leave(v verdict) {
	for _, f := range v.findings {
		r.emit(f)
	}
}

func repairable(v verdict) bool {
	for _, f := range v.findings {
		if f.Action != NoAction {
			return true
		}
	}
	return false
}

// repair makes user, row and attribute agree, and notes in v what it did. stays
// is false if the row has become another meanwhile, so that it is to be done
// again.
func (r *run) repair(ctx context.Context, u PoolUser, v *verdict) (stays bool, err error) {
	rowID := v.findings[0].RowID
	if needsEnsure(*v) {
		var got users.Result
		err := r.store(ctx, func() (err error) {
			got, err = r.cfg.Users.Ensure(ctx, v.identity)
			return err
		})
		if decided(err) {
			r.refused(v, err)
			return true, nil
		}
		if err != nil {
			return false, err
		}
		rowID = got.ID
		v.ensured(got)
	}
	if u.Attributes[r.cfg.UserIDAttribute] != rowID {
		if err := r.setAttribute(ctx, u.Username, rowID); err != nil {
			return false, err
		}
	}
	now, err := r.rowOf(ctx, u.sub())
	if err != nil {
		return false, err
	}
	stays = now != nil && now.ID == rowID
	for i := range v.findings {
		v.findings[i].Repaired = stays && v.findings[i].Action != NoAction
	}
	return stays, nil
}

func needsEnsure(v verdict) bool {
	for _, f := range v.findings {
		switch f.Action {
		case CreateRow, LinkRow, MoveRow, FillProviderID:
			return true
		}
	}
	return false
}

// ensured notes the row, and what was really done to it.
func (v *verdict) ensured(got users.Result) {
	for i := range v.findings {
		f := &v.findings[i]
		f.RowID = got.ID
		if f.Action == WriteAttribute || f.Action == FillProviderID {
			continue
		}
		switch got.Outcome {
		case users.Created:
			f.Action = CreateRow
		case users.Linked:
			f.Action = LinkRow
		case users.Moved:
			f.Action = MoveRow
		}
	}
}

// refused turns the findings into the one that needs a person.
func (r *run) refused(v *verdict, err error) {
	kind := IdentityConflict
	if errors.Is(err, users.ErrAmbiguous) {
		kind = AmbiguousRows
	}
	f := v.findings[0]
	f.Kind, f.Action = kind, NoAction
	v.findings = []Finding{f}
}

func (r *run) setAttribute(ctx context.Context, username, value string) error {
	return r.pool(ctx, r.writes, func() error {
		return r.cfg.Pool.SetAttribute(ctx, username, r.cfg.UserIDAttribute, value)
	})
}

// now returns the user as it is in the pool.
func (r *run) now(ctx context.Context, username string) (u PoolUser, err error) {
	err = r.pool(ctx, r.reads, func() error {
		u, err = r.cfg.Pool.User(ctx, username)
		return err
	})
	return u, err
}
