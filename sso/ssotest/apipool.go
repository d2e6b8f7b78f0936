package ssotest

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

type schemaAttribute struct {
	Name                       string
	AttributeDataType          string
	DeveloperOnlyAttribute     bool
	Mutable                    bool
	Required                   bool
	StringAttributeConstraints *lengthLimits `json:",omitempty"`
}

type lengthLimits struct{ MinLength, MaxLength string }

type lambdaConfig struct {
	PreSignUp                string         `json:",omitempty"`
	PostConfirmation         string         `json:",omitempty"`
	PreAuthentication        string         `json:",omitempty"`
	PostAuthentication       string         `json:",omitempty"`
	PreTokenGeneration       string         `json:",omitempty"`
	PreTokenGenerationConfig *preTokenSetup `json:",omitempty"`
}

type preTokenSetup struct{ LambdaArn, LambdaVersion string }

type userPool struct {
	ID                     string `json:"Id"`
	Name                   string
	Arn                    string
	Domain                 string
	SchemaAttributes       []schemaAttribute
	LambdaConfig           lambdaConfig
	UserPoolTier           string
	DeletionProtection     string
	EstimatedNumberOfUsers int
	MfaConfiguration       string
	UsernameConfiguration  struct{ CaseSensitive bool }
	IssuerConfiguration    struct{ Type string }
	AdminCreateUserConfig  struct{ AllowAdminCreateUserOnly bool }
	CreationDate           apiTime
	LastModifiedDate       apiTime
}

type describeUserPoolOutput struct{ UserPool userPool }

// describeUserPool shows what the pool's configuration says. Aliases and username attributes it has none.
func describeUserPool(_ context.Context, p *Pool, _ poolRef) (describeUserPoolOutput, error) {
	p.mu.Lock()
	users := len(p.users)
	p.mu.Unlock()
	out := userPool{
		ID: p.cfg.ID, Name: p.cfg.ID, Arn: p.arn("cognito-idp", "userpool/"+p.cfg.ID), Domain: domainName,
		LambdaConfig: p.lambdaConfig(), UserPoolTier: p.cfg.Tier, DeletionProtection: "INACTIVE", EstimatedNumberOfUsers: users, MfaConfiguration: "OFF",
		CreationDate: apiTime(p.started), LastModifiedDate: apiTime(p.started),
	}
	out.UsernameConfiguration.CaseSensitive = true
	out.IssuerConfiguration.Type = IssuerOriginal
	if p.cfg.Issuer == IssuerUpdated {
		out.IssuerConfiguration.Type = IssuerUpdated
	}
	if p.cfg.DeletionProtection {
		out.DeletionProtection = "ACTIVE"
	}
	out.AdminCreateUserConfig.AllowAdminCreateUserOnly = p.cfg.AdminCreateUserOnly
	for _, name := range slices.Sorted(maps.Keys(p.schema)) {
		a := schemaAttribute{Name: name, AttributeDataType: "String", Mutable: p.schema[name].mutable, Required: name == "sub"}
		switch {
		case verifiedFlag[name] != "":
			a.AttributeDataType = "Boolean"
		case name == "updated_at":
			a.AttributeDataType = "Number"
		case strings.HasPrefix(name, customPrefix):
			a.StringAttributeConstraints = &lengthLimits{"0", strconv.Itoa(p.schema[name].maxLen)}
		default:
			a.StringAttributeConstraints = &lengthLimits{"0", "2048"}
		}
		out.SchemaAttributes = append(out.SchemaAttributes, a)
	}
	return describeUserPoolOutput{out}, nil
}

func (p *Pool) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + p.region + ":" + accountID + ":" + resource
}

func (p *Pool) lambdaConfig() lambdaConfig {
	t, out := p.cfg.Triggers, lambdaConfig{}
	for _, f := range []struct {
		trigger Trigger
		name    string
		arn     *string
	}{
		{t.PreSignUp, "PreSignUp", &out.PreSignUp},
		{t.PostConfirmation, "PostConfirmation", &out.PostConfirmation},
		{t.PreAuthentication, "PreAuthentication", &out.PreAuthentication},
		{t.PostAuthentication, "PostAuthentication", &out.PostAuthentication},
		{t.PreTokenGeneration, "PreTokenGeneration", &out.PreTokenGeneration},
	} {
		if f.trigger != nil {
			*f.arn = p.arn("lambda", "function:"+f.name)
		}
	}
	if t.PreTokenGeneration != nil {
		out.PreTokenGenerationConfig = &preTokenSetup{out.PreTokenGeneration, t.PreTokenGenerationVersion}
	}
	return out
}

type clientRef struct {
	poolRef
	ClientID string `json:"ClientId" api:"required"`
}

type userPoolClient struct {
	UserPoolID                      string `json:"UserPoolId"`
	ClientID                        string `json:"ClientId"`
	ClientName                      string
	ClientSecret                    string `json:",omitempty"`
	CallbackURLs                    []string
	LogoutURLs                      []string
	DefaultRedirectURI              string `json:",omitempty"`
	SupportedIdentityProviders      []string
	AllowedOAuthFlows               []string
	AllowedOAuthFlowsUserPoolClient bool
	AllowedOAuthScopes              []string
	ExplicitAuthFlows               []string
	ReadAttributes                  []string `json:",omitempty"`
	WriteAttributes                 []string `json:",omitempty"`
	AccessTokenValidity             int
	IDTokenValidity                 int `json:"IdTokenValidity"`
	RefreshTokenValidity            int
	TokenValidityUnits              struct{ AccessToken, IdToken, RefreshToken string } //nolint:revive // AWS's name
	RefreshTokenRotation            refreshRotation
	EnableTokenRevocation           bool
	PreventUserExistenceErrors      string
	AuthSessionValidity             int
	CreationDate                    apiTime
	LastModifiedDate                apiTime
}

type refreshRotation struct {
	Feature                 string
	RetryGracePeriodSeconds int
}

type describeClientOutput struct{ UserPoolClient userPoolClient }

// describeUserPoolClient shows an app client. The lists of attributes are there only if they were given, as in AWS. All
// validities are in seconds.
func describeUserPoolClient(_ context.Context, p *Pool, in clientRef) (describeClientOutput, error) {
	c, err := p.apiClient(in.ClientID)
	if err != nil {
		return describeClientOutput{}, err
	}
	out := userPoolClient{
		UserPoolID: p.cfg.ID, ClientID: c.ClientID, ClientName: c.ClientName, ClientSecret: c.ClientSecret,
		CallbackURLs: c.CallbackURLs, LogoutURLs: c.LogoutURLs,
		SupportedIdentityProviders: c.SupportedIdentityProviders,
		AllowedOAuthFlows:          c.AllowedOAuthFlows, AllowedOAuthFlowsUserPoolClient: len(c.AllowedOAuthFlows) > 0,
		AllowedOAuthScopes: c.AllowedOAuthScopes, ExplicitAuthFlows: c.ExplicitAuthFlows,
		ReadAttributes: c.ReadAttributes, WriteAttributes: c.WriteAttributes,
		AccessTokenValidity:        wholeSeconds(c.AccessTokenValidity),
		IDTokenValidity:            wholeSeconds(c.IDTokenValidity),
		RefreshTokenValidity:       wholeSeconds(c.RefreshTokenValidity),
		RefreshTokenRotation:       refreshRotation{Feature: "DISABLED"},
		EnableTokenRevocation:      !c.DisableTokenRevocation,
		PreventUserExistenceErrors: "LEGACY",
		AuthSessionValidity:        int(challengeLife / time.Minute),
		CreationDate:               apiTime(p.started), LastModifiedDate: apiTime(p.started),
	}
	out.TokenValidityUnits.AccessToken = "seconds"
	out.TokenValidityUnits.IdToken = "seconds"
	out.TokenValidityUnits.RefreshToken = "seconds"
	if c.RefreshTokenRotation {
		out.RefreshTokenRotation = refreshRotation{"ENABLED", wholeSeconds(c.RetryGracePeriod)}
	}
	if c.PreventUserExistenceErrors {
		out.PreventUserExistenceErrors = "ENABLED"
	}
	return describeClientOutput{out}, nil
}

func wholeSeconds(d time.Duration) int { return int(d / time.Second) }

type listPageInput struct {
	poolRef
	MaxResults *int
	NextToken  string
}

type clientDescription struct {
	ClientID   string `json:"ClientId"`
	ClientName string
	UserPoolID string `json:"UserPoolId"`
}

type listClientsOutput struct {
	UserPoolClients []clientDescription
	NextToken       string `json:",omitempty"`
}

func listUserPoolClients(_ context.Context, p *Pool, in listPageInput) (listClientsOutput, error) {
	names, next, err := pageRequest{in.MaxResults, "maxResults", in.NextToken, "clients"}.of(slices.Collect(maps.Keys(p.clients)))
	out := listClientsOutput{UserPoolClients: []clientDescription{}, NextToken: next}
	for _, id := range names {
		out.UserPoolClients = append(out.UserPoolClients, clientDescription{id, p.clients[id].ClientName, p.cfg.ID})
	}
	return out, err
}

type providerRef struct {
	poolRef
	ProviderName string `api:"required"`
}

type identityProvider struct {
	UserPoolID       string `json:"UserPoolId"`
	ProviderName     string
	ProviderType     string
	ProviderDetails  map[string]string
	AttributeMapping map[string]string
	IdpIdentifiers   []string //nolint:revive // AWS's name
	CreationDate     apiTime
	LastModifiedDate apiTime
}

type describeProviderOutput struct{ IdentityProvider identityProvider }

func describeIdentityProvider(_ context.Context, p *Pool, in providerRef) (describeProviderOutput, error) {
	prov, ok := p.provider(in.ProviderName)
	if !ok {
		return describeProviderOutput{}, &apiError{
			"ResourceNotFoundException",
			"Identity provider " + in.ProviderName + " does not exist.",
		}
	}
	return describeProviderOutput{identityProvider{
		UserPoolID: p.cfg.ID, ProviderName: prov.Name, ProviderType: prov.Type,
		ProviderDetails:  prov.Details,
		AttributeMapping: prov.AttributeMapping, IdpIdentifiers: []string{},
		CreationDate: apiTime(p.started), LastModifiedDate: apiTime(p.started),
	}}, nil
}

type providerDescription struct {
	ProviderName     string
	ProviderType     string
	CreationDate     apiTime
	LastModifiedDate apiTime
}

type listProvidersOutput struct {
	Providers []providerDescription
	NextToken string `json:",omitempty"`
}

func listIdentityProviders(_ context.Context, p *Pool, in listPageInput) (listProvidersOutput, error) {
	types := make(map[string]string)
	for _, prov := range p.cfg.Providers {
		types[prov.Name] = prov.Type
	}
	names, next, err := pageRequest{in.MaxResults, "maxResults", in.NextToken, "providers"}.of(slices.Collect(maps.Keys(types)))
	out := listProvidersOutput{Providers: []providerDescription{}, NextToken: next}
	for _, name := range names {
		out.Providers = append(out.Providers,
			providerDescription{name, types[name], apiTime(p.started), apiTime(p.started)})
	}
	return out, err
}
