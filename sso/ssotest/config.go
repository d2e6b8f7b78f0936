package ssotest

import (
	"log/slog"
	"time"
)

// DefaultClientID is the app client that a pool without configured clients has.
const DefaultClientID = "testclient"

// Config describes a pool. The zero value is a pool with one public app client (DefaultClientID), the
// providers Kakao and Google, and the mutable custom attribute userId.
type Config struct {
	// Addr is the listen address. Defaults to "127.0.0.1:0". It must be a loopback address.
	Addr string
	// ID is the pool's id. Defaults to a random one in ap-northeast-2.
	ID string
	// Issuer is the iss of its tokens. Defaults to the pool's own URL, http://127.0.0.1:<port>/<id>, so that
	// discovery works; set to IssuerOriginal or IssuerUpdated for AWS's form (keys are still served here).
	Issuer string
	// Clients are the app clients. Defaults to one public client DefaultClientID, with the callback URL
	// http://localhost:8080/auth/callback and the logout URL http://localhost:8080/.
	Clients []Client
	// Providers are the identity providers. nil means Kakao() and Google().
	Providers []Provider
	// CustomAttributes are the pool's custom attributes. nil means userId, mutable.
	CustomAttributes []CustomAttribute
	// Tier is the feature plan that DescribeUserPool shows: TierLite, TierEssentials or TierPlus. Defaults to TierLite, or to
	// TierEssentials if the version of PreTokenGeneration needs it. Nothing else depends on it, but for the managed login
	// version of the domain.
	Tier string
	// DeletionProtection is ACTIVE in DescribeUserPool. Defaults to false, as in AWS.
	DeletionProtection bool
	// AdminCreateUserOnly refuses SignUp. People of identity providers still make accounts by signing in.
	AdminCreateUserOnly bool
	// Triggers are called as Cognito calls Lambda functions. The pool's server also answers GetFunctionConfiguration and
	// GetPolicy of the Lambda API for them, as if they were functions of the pool's account.
	Triggers Triggers
	// ResourceServers have the custom scopes of the pool: identifier → scope names.
	ResourceServers map[string][]string
	// OnTrigger is told of every trigger call when it ended. It must not block.
	OnTrigger func(TriggerCall)
	// OnDescribe may change what the API shows of the configuration, so that what the other fields cannot say can be tried:
	// an answer of Describe…, ListUserPoolClients, ListIdentityProviders, and of Lambda's GetFunctionConfiguration, GetPolicy
	// and ListEventSourceMappings. It changes nothing of what the pool does. It may be called by many goroutines at once.
	OnDescribe func(operation string, answer map[string]any)
	// KeyDir keeps the signing keys in a folder, so that tokens survive a restart. "" makes new ones, or takes those of
	// a pool that this process has closed, under new key ids.
	KeyDir string
	// Logger defaults to one that discards.
	Logger *slog.Logger
}

// IssuerOriginal and IssuerUpdated are values of Config.Issuer: the two forms that AWS gives a pool's issuer.
const (
	IssuerOriginal = "ORIGINAL"
	IssuerUpdated  = "UPDATED"
)

// Feature plans.
const (
	TierLite       = "LITE"
	TierEssentials = "ESSENTIALS"
	TierPlus       = "PLUS"
)

// CustomAttribute is a custom attribute of the pool's schema.
type CustomAttribute struct {
	Name    string // without "custom:"
	Mutable bool
	MaxLen  int // defaults to 2048
}

// Client is an app client. Field names are those of the AWS API.
type Client struct {
	ClientID     string
	ClientName   string
	ClientSecret string // "" is a public client

	CallbackURLs, LogoutURLs []string
	// SupportedIdentityProviders are names of providers, and "COGNITO". Defaults to all of the pool's, and COGNITO.
	SupportedIdentityProviders []string
	// AllowedOAuthFlows defaults to "code".
	AllowedOAuthFlows []string
	// AllowedOAuthScopes defaults to openid, email, profile, phone and aws.cognito.signin.user.admin.
	AllowedOAuthScopes []string
	// ExplicitAuthFlows defaults to ALLOW_USER_PASSWORD_AUTH, ALLOW_ADMIN_USER_PASSWORD_AUTH and, unless
	// RefreshTokenRotation is set, which does not go with it, ALLOW_REFRESH_TOKEN_AUTH.
	ExplicitAuthFlows []string

	// ReadAttributes and WriteAttributes are the attributes the client may read and its users may write. nil
	// ReadAttributes means every standard attribute and custom:userId; nil WriteAttributes means every standard attribute
	// and no custom one. (AWS's own sources disagree on its defaults, so deploy with both lists explicit.)
	ReadAttributes, WriteAttributes []string

	AccessTokenValidity  time.Duration // defaults to 1 hour; 5 minutes to 24 hours
	IDTokenValidity      time.Duration // defaults to 1 hour; 5 minutes to 24 hours
	RefreshTokenValidity time.Duration // defaults to 30 days; 1 hour to 3650 days

	// RefreshTokenRotation gives a new refresh token at every refresh; the old one lives for RetryGracePeriod (0 to 60 s).
	RefreshTokenRotation bool
	RetryGracePeriod     time.Duration
	// DisableTokenRevocation turns off EnableTokenRevocation, which is on by default.
	DisableTokenRevocation bool
	// PreventUserExistenceErrors answers a wrong user name like a wrong password.
	PreventUserExistenceErrors bool
}

// Provider is a social or OIDC identity provider with a local stand-in.
type Provider struct {
	Name string // such as "Kakao"; case-sensitive, part of usernames and identities
	Type string // OIDC, Google, Facebook, SignInWithApple, LoginWithAmazon, SAML
	// AttributeMapping is pool attribute → claim of the provider.
	AttributeMapping map[string]string
	// Details are the ProviderDetails that DescribeIdentityProvider shows. Defaults to what is right for Kakao and Google,
	// and for others to the scopes openid, email and profile. Nothing else depends on them.
	Details map[string]string
	// People can be picked on the stand-in's page, besides typing one.
	People []Person
}

// Person is somebody at an identity provider.
type Person struct {
	Subject string // id at the provider
	Name    string
	Email   string // may be empty, as with a Kakao user who declined
	// EmailVerified is sent only by providers that have such a claim; Kakao has none.
	EmailVerified bool
}

// Kakao is a stand-in for Kakao as an OIDC provider: numeric ids, and no verified email.
func Kakao(people ...Person) Provider {
	return Provider{
		Name: "Kakao", Type: "OIDC", People: people,
		AttributeMapping: map[string]string{"username": "sub", "email": "email", "name": "nickname"},
	}
}

// Google is a stand-in for Cognito's built-in Google provider.
func Google(people ...Person) Provider {
	return Provider{
		Name: "Google", Type: "Google", People: people,
		AttributeMapping: map[string]string{
			"username": "sub", "email": "email", "email_verified": "email_verified", "name": "name",
		},
	}
}

// Claims describes a token to mint. The zero value is an ordinary, valid token of a native user.
type Claims struct {
	ClientID string        // defaults to the pool's first client
	Subject  string        // defaults to a random one
	Username string        // defaults to Subject
	UserID   string        // custom:userId (as an ID token and a V2 trigger carry it); "" leaves it out
	Scopes   []string      // access token; defaults to openid
	Groups   []string      // cognito:groups
	Email    string        // ID token; email_verified is true beside it
	Nonce    string        // ID token
	TTL      time.Duration // defaults to the client's validity
	IssuedAt time.Time     // defaults to the pool's clock
	AuthTime time.Time     // defaults to IssuedAt
	// Machine makes a client-credentials access token.
	Machine bool
	// Extra adds or replaces claims, and Drop removes them, last of all.
	Extra map[string]any
	Drop  []string
}

// TB is the part of testing.TB that NewPool needs.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}
