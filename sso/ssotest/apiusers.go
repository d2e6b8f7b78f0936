package ssotest

import (
	"context"
	"maps"
	"slices"
)

// userRef is the user that an admin operation is about.
type userRef struct {
	poolRef
	Username string `api:"required"`
}

// withUser runs f on the user under the lock.
func (p *Pool) withUser(name string, f func(u *account) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.find(name)
	if !ok {
		return errNoUser
	}
	return f(u)
}

// apiUser is a user as lists and AdminCreateUser show it.
type apiUser struct {
	Username             string
	Attributes           []apiAttribute
	UserCreateDate       apiTime
	UserLastModifiedDate apiTime
	Enabled              bool
	UserStatus           string
}

func (u *account) api() apiUser {
	return apiUser{u.name, apiAttributes(u.all()), apiTime(u.created), apiTime(u.modified), !u.disabled, u.status}
}

// apiAttributes are attributes in order of their names.
func apiAttributes(attrs map[string]string) []apiAttribute {
	list := []apiAttribute{}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		list = append(list, apiAttribute{name, attrs[name]})
	}
	return list
}

type adminGetUserOutput struct {
	Username             string
	UserAttributes       []apiAttribute
	UserCreateDate       apiTime
	UserLastModifiedDate apiTime
	Enabled              bool
	UserStatus           string
}

func adminGetUser(_ context.Context, p *Pool, in userRef) (out adminGetUserOutput, err error) {
	err = p.withUser(in.Username, func(u *account) error {
		a := u.api()
		out = adminGetUserOutput{a.Username, a.Attributes, a.UserCreateDate, a.UserLastModifiedDate, a.Enabled, a.UserStatus}
		return nil
	})
	return out, err
}

type attributesInput struct {
	userRef
	UserAttributes []apiAttribute `api:"required"`
}

func adminUpdateUserAttributes(_ context.Context, p *Pool, in attributesInput) (empty, error) {
	ch, err := changeOf(in.UserAttributes)
	if err != nil {
		return empty{}, err
	}
	return empty{}, p.withUser(in.Username, func(u *account) error { return p.changeUser(u, ch) })
}

// changeUser checks and makes a change; p.mu is held.
func (p *Pool) changeUser(u *account, ch change) error {
	if err := p.schema.check(u.attrs, ch); err != nil {
		return err
	}
	ch.apply(u.attrs)
	u.modified = p.nowLocked()
	return nil
}

type deleteAttributesInput struct {
	userRef
	UserAttributeNames []string `api:"required"`
}

func adminDeleteUserAttributes(_ context.Context, p *Pool, in deleteAttributesInput) (empty, error) {
	ch := make(change)
	for _, name := range in.UserAttributeNames {
		ch[name] = ""
	}
	return empty{}, p.withUser(in.Username, func(u *account) error { return p.changeUser(u, ch) })
}

func adminEnableUser(_ context.Context, p *Pool, in userRef) (empty, error) {
	return empty{}, p.withUser(in.Username, func(u *account) error {
		u.disabled, u.modified = false, p.nowLocked()
		return nil
	})
}

// adminDisableUser revokes the user's tokens too; enabling does not bring them back.
func adminDisableUser(_ context.Context, p *Pool, in userRef) (empty, error) {
	return empty{}, p.withUser(in.Username, func(u *account) error {
		u.disabled, u.modified = true, p.nowLocked()
		p.signOut(u)
		return nil
	})
}

func adminUserGlobalSignOut(_ context.Context, p *Pool, in userRef) (empty, error) {
	return empty{}, p.withUser(in.Username, func(u *account) error {
		p.signOut(u)
		return nil
	})
}

func adminDeleteUser(_ context.Context, p *Pool, in userRef) (nothing, error) {
	return nothing{}, p.withUser(in.Username, func(u *account) error {
		p.signOut(u)
		delete(p.sessions.lineages, u.name)
		delete(p.users, u.name)
		delete(p.subs, u.sub)
		for _, i := range u.identities {
			delete(p.links, i.link)
		}
		return nil
	})
}

type linkInput struct {
	poolRef
	DestinationUser providerUser `api:"required"`
	SourceUser      providerUser `api:"required"`
}

type providerUser struct {
	ProviderName           string
	ProviderAttributeName  string
	ProviderAttributeValue string
}

// cognitoSubject stands for the id at the provider.
const cognitoSubject = "Cognito_Subject"

// maxLinks is how many external identities may be linked to a user.
const maxLinks = 5

// username is the name of the user that a destination means.
func (u providerUser) username() string {
	if u.ProviderName == "Cognito" {
		return u.ProviderAttributeValue
	}
	return link{u.ProviderName, u.ProviderAttributeValue}.username()
}

// external is the identity that a source means. The fake knows no mapped attribute as its name.
func (p *Pool) external(u providerUser) (link, Provider, error) {
	prov, ok := p.provider(u.ProviderName)
	switch {
	case !ok:
		return link{}, prov, invalidParameter("The provider %s does not exist for User Pool %s.", u.ProviderName, p.cfg.ID)
	case u.ProviderAttributeName != cognitoSubject:
		return link{}, prov, invalidParameter("The fake pool knows a source user by %s only", cognitoSubject)
	case u.ProviderAttributeValue == "":
		return link{}, prov, invalidParameter("The source user has no ProviderAttributeValue")
	}
	return link{prov.Name, u.ProviderAttributeValue}, prov, nil
}

// adminLinkProviderForUser lets an identity that has not signed in yet sign in as a user.
func adminLinkProviderForUser(_ context.Context, p *Pool, in linkInput) (empty, error) {
	id, prov, err := p.external(in.SourceUser)
	if err != nil {
		return empty{}, err
	}
	return empty{}, p.withUser(in.DestinationUser.username(), func(u *account) error {
		if holder, linked := p.links[id]; linked {
			if holder == u.name {
				return nil
			}
			return &apiError{"AliasExistsException", "The identity is linked to another user already"}
		}
		if _, ok := p.users[id.username()]; ok {
			return invalidParameter("Merging is not currently supported, provide a SourceUser that has not been signed up in order to link")
		}
		links := 0
		for _, i := range u.identities {
			if !i.primary {
				links++
			}
		}
		if links >= maxLinks {
			return &apiError{"LimitExceededException", "Exceeded maximum linked identities of 5"}
		}
		for name := range u.attrs {
			if !p.schema[name].mutable {
				return invalidParameter("The destination user has the immutable attribute %s", name)
			}
		}
		now := p.nowLocked()
		p.links[id] = u.name
		u.identities = append(u.identities, identity{id, prov.Type, false, now})
		u.modified = now
		return nil
	})
}

type unlinkInput struct {
	poolRef
	User providerUser `api:"required"`
}

// adminDisableProviderForUser unlinks an identity. It may sign up as a user of its own then.
func adminDisableProviderForUser(_ context.Context, p *Pool, in unlinkInput) (empty, error) {
	id, _, err := p.external(in.User)
	if err != nil {
		return empty{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.users[p.links[id]]
	if !ok {
		return empty{}, errNoUser
	}
	delete(p.links, id)
	u.identities = slices.DeleteFunc(u.identities, func(i identity) bool { return i.link == id })
	u.modified = p.nowLocked()
	return empty{}, nil
}
