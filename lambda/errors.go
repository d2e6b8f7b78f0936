package lambda

import "errors"

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
	// ErrEmailDomain: no verified address in Config.AllowedEmailDomains.
	ErrEmailDomain = errors.New("lambda: email domain is not allowed")
	// ErrIdentity: Cognito does not say clearly who this is at the provider.
	// No row is made on a guess: it could be the second of a known user.
	ErrIdentity = errors.New("lambda: no usable identity")
	// ErrMismatch: the attribute has another id than the row, and
	// Config.RefuseMismatch is set.
	ErrMismatch = errors.New("lambda: userId attribute differs from the row")
	// ErrExtraClaims: Config.ExtraClaims failed, panicked, or took too long.
	ErrExtraClaims = errors.New("lambda: extra claims failed")
	// ErrBadClaims: Config.ExtraClaims wants what a token cannot have, such as
	// another sub, or a number in a V1 event.
	ErrBadClaims = errors.New("lambda: extra claims cannot be put into the token")

	// errPanic: something that was called here panicked.
	errPanic = errors.New("lambda: panic")

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
