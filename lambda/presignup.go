package lambda

import (
	"context"
	"strings"
)

// preSignUpNative decides on a sign-up with a password.
func (t *Triggers) preSignUpNative(context.Context, *event, *Result) error {
	if !t.cfg.AllowNativeSignUp {
		return ErrNativeSignUp
	}
	return nil
}

// preSignUpExternal lets the configured providers in. This is the only trigger
// before the user is stored: whoever is refused later leaves a user behind.
//
// There is no sub and no identities yet. Cognito makes the username of a
// federated user, "<Provider>_<id>", with its own providers in lower case, so
// a configured name followed by "_" must start it, whatever the case. Names of
// providers have no underscore (older pools may: then "Kakao" also lets
// "Kakao_Test" pass here). It decides nothing but who may go on:
// PostConfirmation looks at identities, and nothing is linked by the username.
//
// The flags of the answer stay as they came, false: Cognito confirms federated
// users itself, and an email is never verified on a provider's word here.
func (t *Triggers) preSignUpExternal(_ context.Context, e *event, _ *Result) error {
	for _, p := range t.cfg.Providers {
		n := len(p) + 1
		if len(e.userName) > n && strings.EqualFold(e.userName[:n], p+"_") {
			return nil
		}
	}
	return ErrProvider
}
