package sso

import "golang.org/x/oauth2"

// UnverifiedError says that the token endpoint answered tokens which were then
// refused: by the [Verifier], because their keys could not be had
// ([ErrKeysUnavailable]), or because they do not belong together or to this
// flow. [Client.Exchange] and [Client.Refresh] return it; Err says why, and
// [errors.Is] looks into it.
//
// By then the code or the old refresh token is spent. Refresh is the one that
// took its place, so that it is neither lost nor left behind: after
// Client.Refresh store it in place of the old one, unless the error is
// [ErrTokenMismatch], and redeem it later; after Client.Exchange give it to
// [Client.Revoke]. Nothing is known of whose it is until tokens made with it
// verify.
type UnverifiedError struct {
	// Refresh is the refresh token of the answer, or the one that was redeemed
	// where the pool does not rotate them; "" if there is none.
	Refresh Secret
	// Err is why the tokens were refused.
	Err error
}

// Error is the text of Err.
func (e *UnverifiedError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *UnverifiedError) Unwrap() error { return e.Err }

func unverified(answer *oauth2.Token, err error) error {
	return &UnverifiedError{Refresh: Secret(answer.RefreshToken), Err: err}
}
