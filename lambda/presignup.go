package lambda

import (
	"context"
	"slices"
	"strings"
)

// preSignUpNative decides on a sign-up with a password.
func (t *Triggers) preSignUpNative(_ context.Context, e *event, _ *Result) error {
	if !t.cfg.AllowNativeSignUp {
		return ErrNativeSignUp
	}
	if err := t.checkEmail(e, true); err != nil {
		return err
	}
	return e.noFlags()
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
func (t *Triggers) preSignUpExternal(_ context.Context, e *event, _ *Result) error {
	i := slices.IndexFunc(t.cfg.Providers, func(p string) bool {
		n := len(p) + 1
		return len(e.userName) > n && strings.EqualFold(e.userName[:n], p+"_")
	})
	if i < 0 {
		return ErrProvider
	}
	if !slices.Contains(t.cfg.EmailDomainExempt, t.cfg.Providers[i]) {
		if err := t.checkEmail(e, false); err != nil {
			return err
		}
	}
	return e.noFlags()
}

// noFlags answers all three flags with false. Cognito confirms federated users
// itself and sends a code to native ones; nobody's address is verified on
// somebody's word here, and to verify it would move an alias from its owner.
// Cognito sends them as false; what else it may send becomes false.
func (e *event) noFlags() error {
	for _, name := range []string{"autoConfirmUser", "autoVerifyEmail", "autoVerifyPhone"} {
		if string(e.response[name]) != "false" {
			e.response[name], e.edited = []byte("false"), true
		}
	}
	return nil
}
