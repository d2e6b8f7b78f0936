package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
)

func (r *run) checkTable(ctx context.Context) {
	if r.Database == nil {
		r.leaveOut(Table, "not asked for (--with-database)")
		return
	}
	r.more(2)
	if r.checkLayout(ctx) { // a table that lacks a column cannot be compared
		r.checkDrift(ctx)
	}
}

// checkLayout reports whether the table can be compared.
func (r *run) checkLayout(ctx context.Context) bool {
	if r.Database.Plan == nil {
		r.leaveOut(Table, "its columns and indexes, behind a function")
		return true
	}
	r.doing("the table's columns")
	plan, err := r.Database.Plan(ctx)
	var refused *migrate.RefusedError
	switch {
	case errors.Is(err, migrate.ErrNoTable):
		r.add(TableIncomplete, "", "There is no such table.", "ssoctl migrate --create")
		return false
	case errors.As(err, &refused):
		r.add(TableBlocked, "", fmt.Sprintf("%d things stand in the way of completing it.", len(refused.Findings)), "ssoctl import-check")
		return false
	case err != nil:
		r.unread()
		return false
	case !plan.Empty():
		r.add(TableIncomplete, plan.Table, fmt.Sprintf("It lacks %d columns, indexes or tables.", len(plan.Steps)), "ssoctl migrate")
		return false
	}
	return true
}

// unread says that the database does not answer; its errors may name people.
func (r *run) unread() {
	k := kindOf(NotAsked)
	r.report.Findings = append(r.report.Findings, Finding{
		ID: NotAsked, Subject: Table, Severity: k.severity, Found: "The user table could not be read.", Why: k.why,
		Fix: "See that the database answers from here and that the user may read the table (ssoctl migrate says more), and run it again.",
	})
}

func (r *run) checkDrift(ctx context.Context) {
	r.doing("a sample of users")
	d := r.Database
	store, err := d.Users(ctx)
	if err != nil {
		r.unread()
		return
	}
	report, err := reconcile.Run(ctx, reconcile.Config{
		Pool: &sample{Pool: d.Pool, most: d.Sample}, Users: firstPage{store}, Providers: d.Providers, Columns: d.Columns,
		UserIDAttribute: r.UserIDAttribute, SkipGone: true,
		Attempts: 3, // somebody waits
	})
	r.report.Users = report.Users
	switch n := report.Remaining(reconcile.Drift) + report.Remaining(reconcile.Conflict); {
	case errors.Is(err, reconcile.ErrPool):
		r.answered(Table, "ListUsers", "", err)
	case err != nil:
		r.unread()
	case n > 0:
		r.add(TableDrift, "", fmt.Sprintf("Of %d users that were compared, %d are not in step with the table.", report.Users, n), "ssoctl reconcile")
	}
}

// sample is a pool that ends early.
type sample struct {
	reconcile.Pool
	most, listed int
}

// List ends the list when there were enough.
func (s *sample) List(ctx context.Context, token string) ([]reconcile.PoolUser, string, error) {
	page, next, err := s.Pool.List(ctx, token)
	s.listed += len(page)
	if s.listed >= s.most {
		next = ""
	}
	return page, next, err
}

// SetAttribute refuses: a doctor looks only.
func (s *sample) SetAttribute(context.Context, string, string, string) error {
	return errors.New("doctor: nothing is written")
}

// firstPage is a table whose rows are not all read: those of the sample are
// looked up one by one.
type firstPage struct{ users.Store }

// Page has nothing after the first page.
func (f firstPage) Page(ctx context.Context, after string, limit int) ([]users.User, error) {
	if after != "" {
		return nil, nil
	}
	return f.Store.Page(ctx, after, limit)
}

// Ensure refuses: a doctor looks only.
func (f firstPage) Ensure(context.Context, users.Identity) (users.Result, error) {
	return users.Result{}, errors.New("doctor: nothing is written")
}
