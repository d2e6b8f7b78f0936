package ssotest

import (
	"context"
	"maps"
	"slices"
)

// signInFederated runs what Cognito does when an identity provider vouches for a person: finds or creates the
// user, runs the triggers of a first or later sign-in (all but token generation), updates mapped attributes. It returns
// the username. Errors: *triggerError, or *oauthError.
//
// A first sign-in runs PreSignUp and PostConfirmation; the user stays if the second fails, and PostConfirmation never
// runs for it again. A later one, and that of a linked identity, runs PreAuthentication and PostAuthentication. Of two first
// ones at the same time both run PreSignUp, and the one that ends second goes on as a later one, be the other's
// PostConfirmation done or not; what Cognito does then is documented nowhere.
func (p *Pool) signInFederated(_ context.Context, c Client, provider string, who Person) (username string, err error) {
	prov, ok := p.provider(provider)
	if !ok || !slices.Contains(c.SupportedIdentityProviders, provider) {
		return "", &oauthError{"invalid_request", "The identity provider " + provider + " is not supported"}
	}
	if who.Subject == "" {
		return "", &oauthError{"invalid_request", "The identity provider sent no subject"}
	}
	id := link{provider, who.Subject}
	p.mu.Lock()
	name, known := p.holderOf(id)
	p.mu.Unlock()
	if known {
		return name, p.signInAgain(c, prov, name, who)
	}
	return id.username(), p.signInFirst(c, prov, id, who)
}

// username is the name of the user that a first sign-in makes.
func (l link) username() string { return l.provider + "_" + l.subject }

// holderOf returns the user that an external identity signs in as; p.mu is held.
func (p *Pool) holderOf(id link) (username string, ok bool) {
	if name, ok := p.links[id]; ok {
		return name, true
	}
	_, ok = p.users[id.username()]
	return id.username(), ok
}

// mapped are the attributes that the provider's mapping makes of a person. Attributes the client's users may not write
// are left out without a word, as the developer guide of 2026 says; a claim that is not sent changes nothing.
func (prov Provider) mapped(c Client, who Person) change {
	claims := map[string]string{"sub": who.Subject, "name": who.Name, "nickname": who.Name, "email": who.Email}
	if who.Email != "" {
		claims["email_verified"] = "false"
		if who.EmailVerified {
			claims["email_verified"] = "true"
		}
	}
	ch := make(change)
	for name, claim := range prov.AttributeMapping {
		value := claims[claim]
		if name != "username" && value != "" && (c.mayWrite(name) || verifiedFlag[name] != "") {
			ch[name] = value
		}
	}
	return ch
}

func (p *Pool) signInFirst(c Client, prov Provider, id link, who Person) error {
	ch := prov.mapped(c, who)
	if err := p.schema.check(nil, ch); err != nil {
		return &oauthError{"invalid_request", err.Error()}
	}
	// There is no sub yet, nor identities, nor a status.
	early := map[string]string{"email_verified": "false", "cognito:email_alias": "", "cognito:phone_number_alias": ""}
	maps.Copy(early, ch)
	if _, err := p.preSignUp(signUpEvent{
		source: "PreSignUp_ExternalProvider", username: id.username(), clientID: c.ClientID,
		attributes: early, validation: map[string]string{},
	}); err != nil {
		return err
	}
	p.mu.Lock()
	if _, linked := p.links[id]; linked { // by the trigger
		p.mu.Unlock()
		return &oauthError{"invalid_request", "Already found an entry for username " + id.username()}
	}
	if _, taken := p.users[id.username()]; taken { // by a second sign-in at the same time
		p.mu.Unlock()
		return p.signInAgain(c, prov, id.username(), who)
	}
	now := p.nowLocked()
	u := &account{
		name: id.username(), sub: newSub(), attrs: map[string]string{"email_verified": "false"}, status: statusExternal,
		created: now, modified: now, lastFederated: true,
		identities: []identity{{id, prov.Type, true, now}},
	}
	ch.apply(u.attrs)
	p.join(u, p.providerGroup(prov.Name))
	err := p.insert(u)
	if p.faults.StaleFirstToken {
		u.loaded = maps.Clone(u.attrs)
	}
	attributes := u.forTrigger()
	p.mu.Unlock()
	if err != nil {
		return &oauthError{"server_error", err.Error()}
	}
	return p.postConfirmation(u.name, c.ClientID, attributes, nil)
}

func (p *Pool) signInAgain(c Client, prov Provider, name string, who Person) error {
	p.mu.Lock()
	u, ok := p.users[name]
	if !ok || u.disabled {
		p.mu.Unlock()
		return &oauthError{"invalid_request", "User is not enabled"}
	}
	ch := prov.mapped(c, who)
	maps.DeleteFunc(ch, func(name, value string) bool { return u.attrs[name] == value })
	if err := p.schema.check(u.attrs, ch); err != nil {
		p.mu.Unlock()
		return &oauthError{"invalid_request", err.Error()}
	}
	if len(ch) > 0 {
		ch.apply(u.attrs)
		u.modified = p.nowLocked()
	}
	u.lastFederated = true
	p.mu.Unlock()
	if err := p.preAuthentication(name, c.ClientID, nil); err != nil {
		return err
	}
	return p.postAuthentication(name, c.ClientID, nil)
}
