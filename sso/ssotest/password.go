package ssotest

import (
	"context"
	"slices"
)

var errWrongPassword = &apiError{"NotAuthorizedException", "Incorrect username or password."}

// signInNative checks a password and runs PreAuthentication/PostAuthentication for managed login. Errors: *apiError
// (NotAuthorizedException …), *triggerError.
func (p *Pool) signInNative(_ context.Context, c Client, username, password string) (name string, err error) {
	if !slices.Contains(c.SupportedIdentityProviders, nativeProvider) {
		return "", notAuthorized("The app client does not allow sign-in with a password")
	}
	name, mustChange, err := p.checkPassword(c, username, password, nil)
	if err != nil {
		return "", err
	}
	if mustChange { // managed login has a page for it; the fake has the API
		return "", &apiError{"PasswordResetRequiredException", "Password change required for the user"}
	}
	return name, p.signedIn(name, c, nil)
}

// checkPassword runs PreAuthentication and checks a password. mustChange says that it is a temporary one.
func (p *Pool) checkPassword(c Client, username, password string, validation map[string]string) (name string, mustChange bool, err error) {
	p.mu.Lock()
	u, ok := p.find(username)
	if ok {
		name = u.name
	}
	p.mu.Unlock()
	switch {
	case !ok && !c.PreventUserExistenceErrors:
		return "", false, errNoUser
	case !ok:
		if err := p.preAuthentication(username, c.ClientID, validation); err != nil {
			return "", false, err
		}
		return "", false, errWrongPassword
	}
	if err := p.preAuthentication(name, c.ClientID, validation); err != nil {
		return "", false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok = p.users[name]
	switch {
	case !ok:
		return "", false, errNoUser
	case u.disabled:
		return "", false, errDisabled
	case !u.checkPassword(password):
		return "", false, errWrongPassword
	case u.status == statusUnconfirmed:
		return "", false, &apiError{"UserNotConfirmedException", "User is not confirmed."}
	case u.status == statusReset:
		return "", false, &apiError{"PasswordResetRequiredException", "Password reset required for the user"}
	}
	return name, u.status == statusForceChange, nil
}

// signedIn ends a sign-in with a password: it runs PostAuthentication.
func (p *Pool) signedIn(name string, c Client, metadata map[string]string) error {
	p.mu.Lock()
	if u, ok := p.users[name]; ok {
		u.lastFederated = false
	}
	p.mu.Unlock()
	return p.postAuthentication(name, c.ClientID, metadata)
}
