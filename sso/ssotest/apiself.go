package ssotest

import (
	"context"
	"maps"
)

type accessInput struct {
	AccessToken string `api:"required"`
}

// selfService returns the claims of an access token whose user may use the API with it.
func (p *Pool) selfService(raw string) (map[string]any, Client, error) {
	claims, err := p.ownClaims(raw)
	if err != nil {
		return nil, Client{}, err
	}
	if !hasScope(claims, adminScope) {
		return nil, Client{}, notAuthorized("Access Token does not have required scopes")
	}
	id, _ := claims["client_id"].(string)
	c, ok := p.client(id)
	if !ok {
		return nil, Client{}, notAuthorized("Invalid Access Token")
	}
	return claims, c, nil
}

type getUserOutput struct {
	Username       string
	UserAttributes []apiAttribute
}

// getUser shows the attributes that the client may read.
func getUser(_ context.Context, p *Pool, in accessInput) (getUserOutput, error) {
	claims, c, err := p.selfService(in.AccessToken)
	if err != nil {
		return getUserOutput{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	u, err := p.holder(claims)
	if err != nil {
		return getUserOutput{}, err
	}
	attrs := u.all()
	maps.DeleteFunc(attrs, func(name, _ string) bool {
		return name != "sub" && name != "identities" && !c.mayRead(name)
	})
	return getUserOutput{u.name, apiAttributes(attrs)}, nil
}

type updateOwnInput struct {
	accessInput
	UserAttributes []apiAttribute `api:"required"`
}

type updateOwnOutput struct{ CodeDeliveryDetailsList []empty }

// updateUserAttributes changes the attributes that the client's users may write.
func updateUserAttributes(_ context.Context, p *Pool, in updateOwnInput) (updateOwnOutput, error) {
	out := updateOwnOutput{[]empty{}} // the pool sends no codes
	claims, c, err := p.selfService(in.AccessToken)
	if err != nil {
		return out, err
	}
	ch, err := changeOf(in.UserAttributes)
	if err != nil {
		return out, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	u, err := p.holder(claims)
	if err != nil {
		return out, err
	}
	if err := c.checkWrites(ch); err != nil {
		return out, err
	}
	return out, p.changeUser(u, ch)
}

func globalSignOut(_ context.Context, p *Pool, in accessInput) (empty, error) {
	claims, _, err := p.selfService(in.AccessToken)
	if err != nil {
		return empty{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	u, err := p.holder(claims)
	if err != nil {
		return empty{}, err
	}
	p.signOut(u)
	return empty{}, nil
}
