package dbconn

import (
	"context"
	"errors"
	"fmt"
)

var (
	// ErrConfig: a mistake in a Config; the text names the field.
	ErrConfig = errors.New("dbconn: invalid configuration")
	// ErrCredentials: a [PasswordSource] has no credentials now. It does not
	// mean that the database refused any.
	ErrCredentials = errors.New("dbconn: no credentials for the database")
)

// hide makes an error of an AWS call fit for the log: only its code is kept,
// since AWS's messages quote names and ARNs.
func hide(op string, err error) error {
	var api interface{ ErrorCode() string }
	switch {
	case errors.As(err, &api):
		return fmt.Errorf("%w: %s: %s", ErrCredentials, op, api.ErrorCode())
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %s: %w", ErrCredentials, op, context.DeadlineExceeded)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: %s: %w", ErrCredentials, op, context.Canceled)
	default:
		return fmt.Errorf("%w: %s: no answer", ErrCredentials, op)
	}
}
