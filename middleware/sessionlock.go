package middleware

import (
	"context"
	"errors"
	"time"
)

// ErrSessionLocked is returned by Lock of a [SessionLocker] while another
// holder has the lock.
var ErrSessionLocked = errors.New("middleware: session locked")

// SessionLocker is what a [SessionStore] offers besides, so that of all the
// processes that share it one at a time refreshes the tokens of a session. A
// store that wraps another hides this, unless it has these methods too.
//
// With a store that does not have them Login refreshes without a lock: where
// the pool rotates refresh tokens, two processes may then redeem one at the
// same time, and the one that Cognito refuses waits for what the other stores.
// That signs nobody out, but it costs calls and up to a second.
//
// The lock keeps nothing safe by itself: Update compares versions with it as
// without it, and it lasts no longer than its lease, since its holder may have
// died.
type SessionLocker interface {
	// Lock takes the lock of a session for as long as lease says, or answers
	// at once with ErrSessionLocked where another holder's lease has not
	// ended, and with ErrSessionGone where there is no such session. holder
	// is 1 to 64 ASCII characters and new for each taking. The holder may ask
	// again: that begins its lease anew. Leases are timed by one clock for
	// all processes where the store has one.
	Lock(ctx context.Context, key, holder string, lease time.Duration) error
	// Unlock gives the lock back if holder has it still. Otherwise, also when
	// the lease ended and somebody else took it, it does nothing, without an
	// error.
	Unlock(ctx context.Context, key, holder string) error
}

const (
	// lockLease is how long a process that died keeps others from refreshing
	// a session. It is longer than all that a refresh may take, the calls to
	// Cognito and the store together, so it needs no renewal: a lease that
	// ends under a call gives the refresh token to two.
	lockLease = refreshTimeout + 10*time.Second
	// lockPatience is how long a refresh waits for another process's, whose
	// tokens it then takes over.
	lockPatience = 12 * time.Second
	// lockPollFirst and lockPollMost are how often it looks.
	lockPollFirst = 20 * time.Millisecond
	lockPollMost  = 250 * time.Millisecond

	unlockTimeout = 2 * time.Second
)
