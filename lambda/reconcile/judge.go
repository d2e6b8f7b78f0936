package reconcile

import (
	"context"
	"errors"
	"slices"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// verdict is what is wrong with one user, by the table as it is now.
type verdict struct {
	skip     Skip
	findings []Finding
	identity users.Identity
}

func (v *verdict) find(k Kind, a Action, rowID string) {
	v.findings = append(v.findings, Finding{
		Kind: k, Severity: k.Severity(), Action: a, RowID: rowID, Sub: v.identity.Sub, Provider: v.identity.Provider,
	})
}

// judge compares a user with the table.
func (r *run) judge(ctx context.Context, u PoolUser) (verdict, error) {
	var v verdict
	var unclear error
	v.identity, unclear = lambda.IdentityOf(u.forIdentity(), r.cfg.Providers)
	row, err := r.rowOf(ctx, u.sub())
	switch {
	case errors.Is(err, users.ErrAmbiguous):
		return v, nil // the rows were reported when the table was read
	case err != nil:
		return v, err
	case row == nil:
		err = r.judgeRowless(ctx, u, &v, unclear)
	default:
		err = r.judgeRow(ctx, u, *row, &v, unclear)
	}
	attribute := u.Attributes[r.cfg.UserIDAttribute]
	for i, f := range v.findings {
		if f.RowID != attribute {
			v.findings[i].Attribute = attribute
		}
	}
	return v, err
}

// rowOf returns the row of a sub, nil if there is none.
func (r *run) rowOf(ctx context.Context, sub string) (*users.User, error) {
	var id string
	err := r.store(ctx, func() (err error) {
		id, err = r.cfg.Users.IDBySub(ctx, sub)
		return err
	})
	if errors.Is(err, users.ErrNotFound) || errors.Is(err, users.ErrInvalid) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.get(ctx, id)
}

// judgeRow judges a user who has a row.
func (r *run) judgeRow(ctx context.Context, u PoolUser, row users.User, v *verdict, unclear error) error {
	attribute := u.Attributes[r.cfg.UserIDAttribute]
	if errors.Is(unclear, lambda.ErrProvider) && attribute == "" {
		v.skip = SkipProvider // to write it would let in whom the triggers refuse
		return nil
	}
	if unclear == nil && r.hasColumn(v.identity.Provider) {
		conflict, err := r.judgeProviderID(ctx, row, v)
		if conflict || err != nil {
			return err
		}
	}
	if attribute == row.ID {
		return nil
	}
	kind := AttributeMissing
	if attribute != "" {
		other, err := r.get(ctx, attribute)
		if err != nil {
			return err
		}
		kind = AttributeDiffers
		if other != nil {
			kind = AttributeOfAnother
		}
	}
	v.find(kind, WriteAttribute, row.ID)
	return nil
}

// judgeProviderID checks that the row has the id at the user's provider.
func (r *run) judgeProviderID(ctx context.Context, row users.User, v *verdict) (conflict bool, err error) {
	id := v.identity
	switch have := row.Providers[id.Provider]; {
	case have == id.Subject:
		return false, nil
	case have != "":
		conflict = true
	default:
		holder, err := r.holder(ctx, id)
		if err != nil {
			return false, err
		}
		conflict = holder != nil && holder.ID != row.ID
	}
	if conflict {
		v.find(IdentityConflict, NoAction, row.ID)
		return true, nil
	}
	v.find(RowWithoutProviderID, FillProviderID, row.ID)
	return false, nil
}

// holder returns the row with the id at the provider, nil if there is none or
// it has changed since the table was read.
func (r *run) holder(ctx context.Context, id users.Identity) (*users.User, error) {
	at, ok := r.index.id(r.index.providers, keyOf(id.Provider, id.Subject))
	if !ok || id.Provider == "" {
		return nil, nil
	}
	row, err := r.get(ctx, at)
	if err != nil || row == nil || row.Providers[id.Provider] != id.Subject {
		return nil, err
	}
	return row, nil
}

// judgeRowless judges a user whose sub is on no row.
func (r *run) judgeRowless(ctx context.Context, u PoolUser, v *verdict, unclear error) error {
	attribute := u.Attributes[r.cfg.UserIDAttribute]
	switch {
	case attribute == "" && !u.active():
		v.skip = SkipInactive
		return nil
	case attribute == "" && errors.Is(unclear, lambda.ErrProvider):
		v.skip = SkipProvider
		return nil
	case unclear != nil:
		v.find(IdentityUnclear, NoAction, "")
		return nil
	}
	action, rowID, err := r.plan(ctx, v.identity)
	if err != nil {
		return err
	}
	kind := UserWithoutRow
	if action == NoAction {
		kind = ContestedRow
	} else if attribute != "" && attribute != rowID {
		other, err := r.get(ctx, attribute)
		if err != nil {
			return err
		}
		if other != nil {
			kind = AttributeOfAnother
		}
	}
	v.find(kind, action, rowID)
	return nil
}

// plan tells what Ensure would do for a user without a row; nothing if the row
// is another living user's.
func (r *run) plan(ctx context.Context, id users.Identity) (Action, string, error) {
	if id.Provider != "" {
		k := keyOf(id.Provider, id.Subject)
		if sub, claimed := r.claims[k]; claimed && sub != id.Sub {
			return NoAction, "", nil
		}
		r.claims[k] = id.Sub
	}
	row, err := r.holder(ctx, id)
	switch {
	case err != nil:
		return "", "", err
	case row == nil:
		return CreateRow, "", nil
	case row.Sub == "" || row.Sub == id.Sub:
		return LinkRow, row.ID, nil
	}
	_, err = r.bySub(ctx, row.Sub)
	switch {
	case errors.Is(err, ErrNoUser):
		return MoveRow, row.ID, nil
	case err != nil:
		return "", "", err
	}
	return NoAction, row.ID, nil
}

func (r *run) hasColumn(provider string) bool {
	return provider != "" && slices.Contains(r.cfg.Columns, provider)
}
