package reconcile

import (
	"context"
	"time"
)

// Pool is the user pool. Its errors wrap [ErrThrottled], [ErrUnavailable],
// [ErrNoUser] or [ErrToken] where they apply; any other ends the run. They hold
// no personal data. It need not be safe for concurrent use. [NewCognitoPool]
// makes the real one.
type Pool interface {
	// ID names the pool, so that a checkpoint is not taken for that of another.
	ID() string
	// List returns a page of users and the token of the next one: "" for the
	// first page, and after the last. A token that is no good is ErrToken.
	List(ctx context.Context, token string) (page []PoolUser, next string, err error)
	// BySub returns the user with this sub, or ErrNoUser.
	BySub(ctx context.Context, sub string) (PoolUser, error)
	// User returns the user with this username, or ErrNoUser.
	User(ctx context.Context, username string) (PoolUser, error)
	// SetAttribute writes an attribute of a user, or returns ErrNoUser.
	SetAttribute(ctx context.Context, username, name, value string) error
}

// Estimator is a Pool that knows about how many users it has, for progress.
type Estimator interface {
	// Estimate is a number of users that may be hours old.
	Estimate(ctx context.Context) (int, error)
}

// PoolUser is a user of the pool.
type PoolUser struct {
	Username string
	// Status is such as CONFIRMED or EXTERNAL_PROVIDER.
	Status     string
	Disabled   bool
	Created    time.Time
	Attributes map[string]string // sub and identities among them
}

func (u PoolUser) sub() string { return u.Attributes["sub"] }

// active reports whether the user can sign in, so that a row is due.
func (u PoolUser) active() bool {
	switch u.Status {
	case "CONFIRMED", "EXTERNAL_PROVIDER", "RESET_REQUIRED":
		return !u.Disabled
	}
	return false
}

// forIdentity are the attributes as a trigger event has them.
func (u PoolUser) forIdentity() map[string]string {
	all := make(map[string]string, len(u.Attributes)+1)
	for name, value := range u.Attributes {
		all[name] = value
	}
	all["cognito:user_status"] = u.Status
	return all
}
