package remote

import (
	"context"
	"errors"
	"fmt"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

var (
	// ErrConfig: a mistake in a configuration; the text names the field. From
	// [New] and [NewHandler] only.
	ErrConfig = errors.New("remote: invalid configuration")
	// ErrProtocol: the function answers, but not as a [Handler] of this version
	// does: another function, or one of another age. Trying again does not help.
	ErrProtocol = errors.New("remote: the function does not speak this protocol")

	// errFailed: the store behind the handler failed in a way that has no
	// name. The log of that function has it.
	errFailed = errors.New("the store failed, see the log of its function")
	// errBadRequest and errUnknown are what a handler says of a request.
	errBadRequest = errors.New("bad request")
	errVersion    = errors.New("unknown version")
	errOperation  = errors.New("unknown operation")
	// errTooLarge: one row alone is larger than an answer may be.
	errTooLarge = errors.New("the row does not fit into an answer")
)

// codes are the names of errors in messages. The first that fits is taken, so
// what a caller may do something about stands before what only says "later".
var codes = []struct {
	code string
	err  error // what the handler's side has
	near error // what the caller gets; nil: the same
}{
	{"not_found", users.ErrNotFound, nil},
	{"conflict", users.ErrConflict, nil},
	{"ambiguous", users.ErrAmbiguous, nil},
	{"move_refused", users.ErrMoveRefused, nil},
	{"invalid", users.ErrInvalid, nil},
	{"schema", users.ErrSchema, nil},
	{"unavailable", users.ErrUnavailable, nil},
	{"bad_request", errBadRequest, ErrProtocol},
	{"version", errVersion, ErrProtocol},
	{"operation", errOperation, ErrProtocol},
	{codeFailed, errFailed, nil},
}

const codeFailed = "failed"

// causes are what may be the reason for "unavailable".
var causes = map[string]error{"deadline": context.DeadlineExceeded, "canceled": context.Canceled}

// toWire is the error's name in a message.
func toWire(err error) *failure {
	f := &failure{Code: codeFailed}
	for name, cause := range causes {
		if errors.Is(err, cause) {
			f.Code, f.Cause = "unavailable", name // a store that forgot to say so
		}
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			f.Code = c.code
			break
		}
	}
	return f
}

// fromWire is the error of a message. A code that this version does not know
// is a failure like any other.
func (f *failure) fromWire() error {
	for _, c := range codes {
		switch {
		case c.code != f.Code:
		case c.near != nil:
			return fmt.Errorf("%w: %w", c.near, c.err)
		case causes[f.Cause] != nil:
			return fmt.Errorf("%w: %w", c.err, causes[f.Cause])
		default:
			return c.err
		}
	}
	return errFailed
}

// hidden is an error of the SDK that shows its code only: the text of AWS has
// names of resources, and who knows what.
type hidden struct {
	code string
	err  error
}

func (h *hidden) Error() string { return h.code }
func (h *hidden) Unwrap() error { return h.err }
