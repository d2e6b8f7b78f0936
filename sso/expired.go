package sso

import (
	"context"
	"time"
)

// ExpiredError is the [ErrExpired] of a token that would have been accepted
// before it expired. A [Verifier] returns it only with Config.ExposeExpired.
//
// Its text says nothing of the token. Token itself is personal data: keep it
// out of logs, and let nobody in by it.
type ExpiredError struct {
	// Token passed every check but that of its exp.
	Token Token
}

// Error returns a fixed text.
func (e *ExpiredError) Error() string { return ErrExpired.Error() }

// Is reports whether target is [ErrExpired].
func (e *ExpiredError) Is(target error) bool { return target == ErrExpired }

// expired returns the error of a token whose exp is past: an [ExpiredError] if
// it passes every other check. t and source are what screen found.
//
// If it does not, or that cannot be told now, the error is plain ErrExpired, as
// without Config.ExposeExpired: neither an outage nor a second fault makes
// another answer of it.
func (v *Verifier) expired(ctx context.Context, t Token, source *issuer, parts compact, c *claims, now time.Time) error {
	key, err := source.keys.Key(ctx, parts.kid)
	if err != nil {
		return ErrExpired
	}
	if _, err := v.prove(&t, key, parts, c, now); err != nil {
		return ErrExpired
	}
	return &ExpiredError{Token: t}
}
