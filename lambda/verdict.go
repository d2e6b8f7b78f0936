package lambda

import (
	"context"
	"errors"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// Reason is a stable, low-cardinality name of why an event did not end well,
// for metrics labels and for Config.Texts. [Reasons] lists them.
type Reason string

const (
	reasonOther   Reason = "other"
	reasonRefused Reason = "extra_claims_refused"
)

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
	{ErrEmailDomain, "email_domain", "Please use an account with a verified email address of this organisation", true},
	{ErrIdentity, "identity", textContact, true},
	{ErrMismatch, "user_id_mismatch", textContact, true},
	// Before the store's: a hook may wrap those.
	{ErrBadClaims, "bad_claims", textMisconfigured, false},
	{ErrExtraClaims, "extra_claims", textRetry, false},
	{users.ErrConflict, "conflict", textContact, true},
	{users.ErrAmbiguous, "ambiguous", textContact, true},
	{users.ErrMoveRefused, "move_refused", textContact, true},
	{users.ErrInvalid, "invalid_identity", textContact, true},
	{users.ErrSchema, "schema", textMisconfigured, false},
	{users.ErrUnavailable, "store_unavailable", textRetry, false},
	{context.DeadlineExceeded, "timeout", textRetry, false},
	{context.Canceled, "cancelled", textRetry, false},
	{errPanic, "panic", textRetry, false},
}

const (
	textMisconfigured = "Sign-in is not set up correctly. Please contact support"
	textContact       = "Your account could not be matched. Please contact support"
	textRetry         = "Your account could not be reached. Please try again in a moment"
)

// judge turns any error into its public form.
func (t *Triggers) judge(err error) (public *PublicError, reason Reason, refused bool) {
	if errors.As(err, &public) { // only Config.ExtraClaims has an own one
		return &PublicError{Text: public.Text, Cause: err}, reasonRefused, true
	}
	reason, text := reasonOther, textRetry
	for _, v := range verdicts {
		if errors.Is(err, v.err) {
			reason, text, refused = v.reason, v.text, v.refused
			break
		}
	}
	if own, ok := t.cfg.Texts[reason]; ok {
		text = own
	}
	return &PublicError{Text: text, Cause: err}, reason, refused
}
