package reconcile

import "errors"

// Errors of [Run], for errors.Is.
var (
	// ErrConfig: a mistake in the Config; the text names every field.
	ErrConfig = errors.New("reconcile: invalid configuration")
	// ErrPool: the user pool could not be read or written, also after waiting
	// and trying again. The text has AWS's code.
	ErrPool = errors.New("reconcile: user pool")
	// ErrStore: the user table could not be read or written.
	ErrStore = errors.New("reconcile: user table")
	// ErrCheckpoint: the checkpoint is broken, or of another pool or
	// configuration.
	ErrCheckpoint = errors.New("reconcile: unusable checkpoint")
)

// Errors of a [Pool], for errors.Is.
var (
	// ErrThrottled: too many requests; wait and try again.
	ErrThrottled = errors.New("reconcile: throttled")
	// ErrUnavailable: no answer, or a fault of the service; try again.
	ErrUnavailable = errors.New("reconcile: user pool unavailable")
	// ErrNoUser: there is no such user.
	ErrNoUser = errors.New("reconcile: no such user")
	// ErrToken: the pagination token is not, or no longer, good.
	ErrToken = errors.New("reconcile: pagination token refused")
)
