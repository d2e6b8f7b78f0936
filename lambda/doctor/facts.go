package doctor

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// facts are what the pool says of itself. Client secrets are taken out as soon
// as they arrive.
type facts struct {
	pool      *types.UserPoolType
	clients   []client
	providers []*types.IdentityProviderType
	// allProviders says that providers are all of the pool's, so that what is
	// not among them is not there.
	allProviders bool
	domain       *types.DomainDescriptionType // nil if it could not be asked
}

// client is an app client.
type client struct {
	*types.UserPoolClientType
	id        string
	hasSecret bool
}

// machine reports whether the client is one for programs, not people.
func (c client) machine() bool {
	return slices.Contains(c.AllowedOAuthFlows, types.OAuthFlowTypeClientCredentials)
}

// native reports whether people may sign in with a password of the pool's own.
func (c client) native() bool {
	return slices.Contains(c.SupportedIdentityProviders, "COGNITO")
}

func (r *run) gather(ctx context.Context) error {
	r.doing("DescribeUserPool")
	out, err := r.Cognito.DescribeUserPool(ctx, &cognitoidentityprovider.DescribeUserPoolInput{UserPoolId: &r.UserPoolID})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return poolError("DescribeUserPool", err)
	case out.UserPool == nil:
		return poolError("DescribeUserPool", errors.New("empty"))
	}
	r.pool = out.UserPool
	r.report.Plan = string(r.pool.UserPoolTier)
	r.askClients(ctx)
	r.askProviders(ctx)
	r.askDomain(ctx)
	return ctx.Err()
}

func (r *run) askClients(ctx context.Context) {
	ids := r.ClientIDs
	if len(ids) == 0 {
		ids = r.listClients(ctx)
	}
	r.more(len(ids))
	for _, id := range ids {
		r.doing("DescribeUserPoolClient")
		out, err := r.Cognito.DescribeUserPoolClient(ctx, &cognitoidentityprovider.DescribeUserPoolClientInput{UserPoolId: &r.UserPoolID, ClientId: &id})
		if err != nil && notFound(err) {
			r.add(ClientMissing, id, "The pool has no client with this id.")
			continue
		}
		if !r.answered(Clients, "DescribeUserPoolClient", id, err) || out.UserPoolClient == nil {
			continue
		}
		c := client{out.UserPoolClient, id, aws.ToString(out.UserPoolClient.ClientSecret) != ""}
		c.ClientSecret = nil
		r.clients = append(r.clients, c)
	}
	r.report.Clients = len(r.clients)
}

func (r *run) listClients(ctx context.Context) (ids []string) {
	pages := cognitoidentityprovider.NewListUserPoolClientsPaginator(r.Cognito,
		&cognitoidentityprovider.ListUserPoolClientsInput{UserPoolId: &r.UserPoolID, MaxResults: aws.Int32(60)})
	for pages.HasMorePages() {
		r.doing("ListUserPoolClients")
		out, err := pages.NextPage(ctx)
		if !r.answered(Clients, "ListUserPoolClients", "", err) {
			return ids
		}
		for _, c := range out.UserPoolClients {
			ids = append(ids, aws.ToString(c.ClientId))
		}
	}
	return ids
}

func (r *run) askProviders(ctx context.Context) {
	names, all := r.listProviders(ctx)
	r.allProviders = all
	r.more(len(names))
	for _, name := range names {
		r.doing("DescribeIdentityProvider")
		out, err := r.Cognito.DescribeIdentityProvider(ctx, &cognitoidentityprovider.DescribeIdentityProviderInput{UserPoolId: &r.UserPoolID, ProviderName: &name})
		if !r.answered(Providers, "DescribeIdentityProvider", name, err) || out.IdentityProvider == nil {
			r.allProviders = false
			continue
		}
		delete(out.IdentityProvider.ProviderDetails, "client_secret")
		r.providers = append(r.providers, out.IdentityProvider)
	}
	r.report.Providers = len(r.providers)
}

func (r *run) listProviders(ctx context.Context) (names []string, all bool) {
	pages := cognitoidentityprovider.NewListIdentityProvidersPaginator(r.Cognito,
		&cognitoidentityprovider.ListIdentityProvidersInput{UserPoolId: &r.UserPoolID, MaxResults: aws.Int32(60)})
	for pages.HasMorePages() {
		r.doing("ListIdentityProviders")
		out, err := pages.NextPage(ctx)
		if !r.answered(Providers, "ListIdentityProviders", "", err) {
			return names, false
		}
		for _, p := range out.Providers {
			names = append(names, aws.ToString(p.ProviderName))
		}
	}
	return names, true
}

// askDomain asks for the domain that the pool names: one of its own goes before
// the prefix.
func (r *run) askDomain(ctx context.Context) {
	name := aws.ToString(r.pool.CustomDomain)
	if name == "" {
		name = aws.ToString(r.pool.Domain)
	}
	if name == "" {
		r.domain = &types.DomainDescriptionType{}
		return
	}
	r.more(1)
	r.doing("DescribeUserPoolDomain")
	out, err := r.Cognito.DescribeUserPoolDomain(ctx, &cognitoidentityprovider.DescribeUserPoolDomainInput{Domain: &name})
	if r.answered(Domain, "DescribeUserPoolDomain", name, err) && out.DomainDescription != nil {
		r.domain = out.DomainDescription
	}
}
