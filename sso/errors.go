package sso

import (
	"context"
	"errors"
	"fmt"
)

// The sentinels name every decision a caller may branch on; test with
// [errors.Is]. Whether one means "the token is bad" or "we cannot tell" is in
// its comment. No error of this package holds a token or a claim's text, so
// all of them may be logged.
//
// Which of several faults of one token is reported is fixed: see [Verifier].
// Beside these, verifying returns an error that wraps [context.Canceled] or
// [context.DeadlineExceeded] if the caller's own context ended while it
// waited for keys; a key server that did not answer in time is
// [ErrKeysUnavailable] instead.
var (
	// ErrConfig is any mistake in a Config or ClientConfig; see [ConfigError].
	ErrConfig = errors.New("sso: invalid configuration")

	// ErrMissing: there is no token at all: the text is empty.
	ErrMissing = errors.New("sso: no token")
	// ErrMalformed: not a compact JWS of a JSON object, or more than one
	// spelling or reading of one. A refresh token is malformed too: the
	// error's text says what it looks like.
	ErrMalformed = errors.New("sso: malformed token")
	// ErrTooLarge: longer than Config.MaxTokenSize.
	ErrTooLarge = errors.New("sso: token too large")
	// ErrAlgorithm: the header's alg is not RS256, or the header asks for
	// processing that Cognito never uses (crit, b64, zip).
	ErrAlgorithm = errors.New("sso: unacceptable algorithm")
	// ErrKeyID: the header has no usable kid.
	ErrKeyID = errors.New("sso: no usable key id")
	// ErrUnknownKey: the issuer publishes no usable key of that id. A key
	// that is published but too small, of another kind or not for signatures
	// counts as not published. It does not mean an outage.
	ErrUnknownKey = errors.New("sso: unknown key id")
	// ErrSignature: the signature does not verify.
	ErrSignature = errors.New("sso: bad signature")
	// ErrExpired: exp is past. The signature was not checked, so it does not
	// mean that the token was ever good.
	ErrExpired = errors.New("sso: token expired")
	// ErrNotYetValid: nbf or iat is in the future. Either clock may be wrong:
	// see Config.Leeway.
	ErrNotYetValid = errors.New("sso: token not yet valid")
	// ErrIssuer: iss is missing, or no issuer of the configured pool.
	ErrIssuer = errors.New("sso: wrong issuer")
	// ErrTokenUse: an ID token where an access token is needed, or the
	// reverse, or neither.
	ErrTokenUse = errors.New("sso: wrong token use")
	// ErrClient: issued to an app client that is not allowed here, or to
	// none or several.
	ErrClient = errors.New("sso: wrong client")
	// ErrScope: a required scope is missing. The token itself is good.
	ErrScope = errors.New("sso: insufficient scope")
	// ErrGroup: a required group is missing. The token itself is good.
	ErrGroup = errors.New("sso: not in a required group")
	// ErrNoUserID: the token carries no userId where one is required. The
	// token itself is good; no Verify method returns it.
	ErrNoUserID = errors.New("sso: no user id")
	// ErrUserID: the userId claim has not the configured form.
	ErrUserID = errors.New("sso: bad user id")
	// ErrClaim: another claim is missing or of the wrong type. The error's
	// text names the claim.
	ErrClaim = errors.New("sso: bad claim")
	// ErrKeysUnavailable: the issuer's keys cannot be had now. It says
	// nothing about the token: answer 503, not 401.
	ErrKeysUnavailable = errors.New("sso: keys unavailable")

	// ErrState: the callback does not belong to this flow.
	ErrState = errors.New("sso: callback does not match the flow")
	// ErrNonce: the ID token was not made for this flow.
	ErrNonce = errors.New("sso: nonce mismatch")
	// ErrNotFresh: the person authenticated longer ago than
	// AuthOptions.MaxAge, or the ID token does not say when. The tokens are
	// good otherwise; ask again with Prompt "login".
	ErrNotFresh = errors.New("sso: authentication is too old")
	// ErrTokenMismatch: the tokens of one answer do not belong together.
	ErrTokenMismatch = errors.New("sso: tokens of one answer do not match")
	// ErrUnavailable: Cognito could not be reached, or did not answer in OAuth's
	// words, as with 5xx; an [EndpointError] tells which.
	ErrUnavailable = errors.New("sso: authorization server unavailable")
)

// ConfigError names the field that is wrong. It is [ErrConfig]. A configuration
// with several mistakes gives them joined ([errors.Join]).
type ConfigError struct {
	Field   string // such as "UserPoolID"
	Problem string // what is wrong and what is expected
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("sso: invalid configuration: %s: %s", e.Field, e.Problem)
}

// Is reports whether target is [ErrConfig].
func (e *ConfigError) Is(target error) bool { return target == ErrConfig }

// Reason is a stable, low-cardinality name of why a token was refused, for
// metrics labels.
type Reason string

// ReasonOf returns the reason behind an error of this package: "ok" for nil,
// "other" for an error it does not know.
func ReasonOf(err error) Reason {
	if err == nil {
		return "ok"
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return "other"
}

// Reasons returns every reason that [ReasonOf] can return, in a fixed order:
// the closed list of values for a metrics label. The slice is the caller's own.
func Reasons() []Reason {
	all := []Reason{"ok"}
	for _, r := range reasons {
		all = append(all, r.reason)
	}
	return append(all, "other")
}

var reasons = []struct {
	err    error
	reason Reason
}{
	{ErrConfig, "configuration"},
	{ErrMissing, "missing"},
	{ErrMalformed, "malformed"},
	{ErrTooLarge, "too_large"},
	{ErrAlgorithm, "algorithm"},
	{ErrKeyID, "key_id"},
	{ErrUnknownKey, "unknown_key"},
	{ErrSignature, "signature"},
	{ErrExpired, "expired"},
	{ErrNotYetValid, "not_yet_valid"},
	{ErrIssuer, "issuer"},
	{ErrTokenUse, "token_use"},
	{ErrClient, "client"},
	{ErrScope, "scope"},
	{ErrGroup, "group"},
	{ErrNoUserID, "no_user_id"},
	{ErrUserID, "user_id"},
	{ErrClaim, "claim"},
	{ErrKeysUnavailable, "keys_unavailable"},
	{ErrState, "state"},
	{ErrNonce, "nonce"},
	{ErrNotFresh, "not_fresh"},
	{ErrTokenMismatch, "token_mismatch"},
	{ErrUnavailable, "unavailable"},
	{context.Canceled, "canceled"},
	{context.DeadlineExceeded, "deadline"},
}
