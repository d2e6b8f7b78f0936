package chaos

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// reconcile repairs what nobody's sign-in did, as ssoctl reconcile -apply does.
func (w *world) reconcile(ctx context.Context, store users.Store) {
	report, err := reconcile.Run(ctx, reconcile.Config{
		Pool: listing{w.pool}, Users: store, Providers: providers, Columns: []string{"Kakao", "Google"},
		Apply: true, SkipYounger: -1,
	})
	if err != nil {
		w.earlier = append(w.earlier, Violation{Counter: Drift, Person: -1, What: "reconciliation could not finish: " + err.Error()})
	}
	for kind, n := range report.Repaired {
		if n > 0 {
			w.seen.add("reconcile repaired "+string(kind), n)
		}
	}
}

// listing is the pool as an administrator lists it.
type listing struct{ pool *pool }

// ID implements [reconcile.Pool].
func (l listing) ID() string { return poolID }

const listed = 60 // users on a page, as ListUsers has them

// List implements [reconcile.Pool].
func (l listing) List(_ context.Context, token string) (page []reconcile.PoolUser, next string, err error) {
	all := l.pool.all()
	slices.SortFunc(all, func(a, b *account) int { return cmp.Compare(a.username, b.username) })
	from := 0
	if token != "" {
		if from, err = strconv.Atoi(token); err != nil {
			return nil, "", reconcile.ErrToken
		}
	}
	to := min(from+listed, len(all))
	for _, a := range all[from:to] {
		page = append(page, l.user(a))
	}
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return page, next, nil
}

func (l listing) user(a *account) reconcile.PoolUser {
	attributes := l.pool.snapshot(a)
	delete(attributes, "cognito:user_status")
	return reconcile.PoolUser{Username: a.username, Status: a.status, Created: time.Now().Add(-time.Hour), Attributes: attributes}
}

// BySub implements [reconcile.Pool].
func (l listing) BySub(_ context.Context, sub string) (reconcile.PoolUser, error) {
	for _, a := range l.pool.all() {
		if a.sub == sub {
			return l.user(a), nil
		}
	}
	return reconcile.PoolUser{}, reconcile.ErrNoUser
}

// User implements [reconcile.Pool].
func (l listing) User(_ context.Context, username string) (reconcile.PoolUser, error) {
	a, ok := l.pool.find(username)
	if !ok {
		return reconcile.PoolUser{}, reconcile.ErrNoUser
	}
	return l.user(a), nil
}

// SetAttribute implements [reconcile.Pool].
func (l listing) SetAttribute(_ context.Context, username, name, value string) error {
	if l.pool.throttled() {
		return reconcile.ErrThrottled
	}
	if _, ok := l.pool.set(username, name, value); !ok {
		return reconcile.ErrNoUser
	}
	return nil
}
