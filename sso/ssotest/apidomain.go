package ssotest

import (
	"context"
)

// domainName is the domain of every pool here, as DescribeUserPool names it. It is served under Pool.URL.
const domainName = "ssotest"

type domainInput struct {
	Domain string `api:"required"`
}

type domainDescription struct {
	AWSAccountID        string `json:"AWSAccountId,omitempty"`
	Domain              string `json:",omitempty"`
	ManagedLoginVersion int    `json:",omitempty"`
	Status              string `json:",omitempty"`
	UserPoolID          string `json:"UserPoolId,omitempty"`
}

type describeDomainOutput struct{ DomainDescription domainDescription }

// describeUserPoolDomain shows the pool's domain. Of a domain that nobody has, AWS answers an empty description.
func describeUserPoolDomain(_ context.Context, p *Pool, in domainInput) (describeDomainOutput, error) {
	if in.Domain != domainName {
		return describeDomainOutput{}, nil
	}
	version := 2
	if p.cfg.Tier == TierLite {
		version = 1 // Lite has the classic page only
	}
	return describeDomainOutput{domainDescription{
		AWSAccountID: accountID, Domain: domainName, ManagedLoginVersion: version, Status: "ACTIVE", UserPoolID: p.cfg.ID,
	}}, nil
}

type brandingOutput struct{ ManagedLoginBranding branding }

type branding struct {
	ManagedLoginBrandingID   string `json:"ManagedLoginBrandingId"`
	UserPoolID               string `json:"UserPoolId"`
	UseCognitoProvidedValues bool
	CreationDate             apiTime
	LastModifiedDate         apiTime
}

// describeManagedLoginBrandingByClient shows that a client's pages have AWS's own style.
func describeManagedLoginBrandingByClient(_ context.Context, p *Pool, in clientRef) (brandingOutput, error) {
	if _, err := p.apiClient(in.ClientID); err != nil {
		return brandingOutput{}, err
	}
	return brandingOutput{branding{
		ManagedLoginBrandingID: "00000000-0000-4000-8000-000000000000", UserPoolID: p.cfg.ID, UseCognitoProvidedValues: true,
		CreationDate: apiTime(p.started), LastModifiedDate: apiTime(p.started),
	}}, nil
}
