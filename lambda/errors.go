package lambda

import (
	"context"
	"errors"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// The sentinels name why an event was not answered; test with [errors.Is].
// Every error of [Triggers.Handle] is a [PublicError] that wraps one of them,
// or one of package users.
var (
	// ErrConfig: a mistake in a Config; the text names the field. From the
	// constructors only.
	ErrConfig = errors.New("lambda: invalid configuration")
	// ErrBadEvent: not a trigger event, or one that lacks what it must have.
	ErrBadEvent = errors.New("lambda: bad event")
	// ErrUnknownTrigger: a trigger that this function does not handle. The
	// pool's configuration is wrong.
	ErrUnknownTrigger = errors.New("lambda: unknown trigger")
	// ErrInboundFederation: the inbound federation trigger is not supported.
	// Detach it: its answer decides every attribute of a user.
	ErrInboundFederation = errors.New("lambda: inbound federation is not supported")
	// ErrNativeSignUp: a sign-up with a password, which Config does not allow.
	ErrNativeSignUp = errors.New("lambda: native sign-up is not allowed")
	// ErrProvider: the user is of no provider in Config.Providers.
	ErrProvider = errors.New("lambda: provider is not allowed")
	// ErrIdentity: Cognito does not say clearly who this is at the provider.
	// No row is made on a guess: it could be the second of a known user.
	ErrIdentity = errors.New("lambda: no usable identity")

	// ErrQueueFull: too many sign-ins wait already. From [MemoryQueue.Send].
	ErrQueueFull = errors.New("lambda: sign-in queue is full")
	// ErrQueueClosed: [MemoryQueue.Close] was called before.
	ErrQueueClosed = errors.New("lambda: sign-in queue is closed")
	// ErrBadMessage: a message is not a sign-in. From [ParseSignIn].
	ErrBadMessage = errors.New("lambda: message is not a sign-in")
)

// PublicError is what Cognito, and so the person at the browser, gets to see:
// Cognito appends it to "<trigger> failed with error ". Error returns Text
// alone; the cause is for the log, by Unwrap.
type PublicError struct {
	Text  string
	Cause error
}

func (e *PublicError) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *PublicError) Unwrap() error { return e.Cause }

// Reason is a stable, low-cardinality name of why an event did not end well,
// for metrics labels.
type Reason string

// verdicts is searched in order: the first match of [errors.Is] counts.
var verdicts = []struct {
	err    error
	reason Reason
	text   string
	// refused: we decided so. Otherwise we failed, and trying again may help.
	refused bool
}{
	{ErrBadEvent, "bad_event", textMisconfigured, false},
	{ErrUnknownTrigger, "unknown_trigger", textMisconfigured, false},
	{ErrInboundFederation, "inbound_federation", "Inbound federation is not supported here", false},
	{ErrNativeSignUp, "native_sign_up", "Signing up with a password is not possible here. Please sign in with one of the offered accounts", true},
	{ErrProvider, "provider", "This kind of account cannot be used here", true},
	{ErrIdentity, "identity", textContact, true},
	{users.ErrConflict, "conflict", textContact, true},
	{users.ErrInvalid, "invalid_identity", textContact, true},
	{users.ErrUnavailable, "store_unavailable", textRetry, false},
	{context.DeadlineExceeded, "timeout", textRetry, false},
	{context.Canceled, "cancelled", textRetry, false},
}

const (
	textMisconfigured = "Sign-in is not set up correctly. Please contact support"
	textContact       = "Your account could not be matched. Please contact support"
	textRetry         = "Your account could not be reached. Please try again in a moment"
)

// judge turns any error into its public form.
func judge(err error) (public *PublicError, reason Reason, refused bool) {
	for _, v := range verdicts {
		if errors.Is(err, v.err) {
			return &PublicError{Text: v.text, Cause: err}, v.reason, v.refused
		}
	}
	return &PublicError{Text: textRetry, Cause: err}, "other", false
}
