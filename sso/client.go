package sso

import (
	"context"
	"net/http"
	"slices"
	"time"

	"golang.org/x/oauth2"
)

// defaultTimeout bounds one call to Cognito, body included.
const defaultTimeout = 10 * time.Second

// scopeOpenID is the scope without which Cognito gives no ID token.
const scopeOpenID = "openid"

// ClientConfig describes one app client of the pool. It is copied.
type ClientConfig struct {
	// Verifier checks the tokens this client receives. Required; ClientID
	// must be among its ClientIDs.
	Verifier *Verifier
	// Domain is the base URL of the pool's domain, such as
	// "https://login.example.ac.kr", without path or query. Required.
	Domain string
	// ClientID is the app client's id. Required.
	ClientID string
	// ClientSecret is the app client's secret. Defaults to "", a public
	// client.
	ClientSecret Secret
	// RedirectURL is the callback, exactly as registered with the app client:
	// https, or http on localhost, 127.0.0.1 or [::1]. Required for
	// AuthCodeURL and Exchange.
	RedirectURL string
	// LogoutURL is where Cognito sends the browser after signing out, exactly
	// as registered with the app client. Required for Client.LogoutURL.
	LogoutURL string
	// Scopes are asked for at every sign-in and must contain "openid".
	// Defaults to "openid" alone, which gives an ID token with every
	// attribute the client may read; "openid email" narrows it and
	// custom:userId disappears.
	Scopes []string
	// IdentityProviders are the names that AuthOptions.IdentityProvider may
	// take, such as "Kakao" and "Google". Defaults to none.
	IdentityProviders []string
	// OnTokens is called with every new set of tokens, of Exchange and of
	// Refresh, before they return it: for an app that keeps refresh tokens by
	// itself and must not lose one that was rotated. It runs in the caller's
	// goroutine; what it needs longer than the request it must do elsewhere.
	// Defaults to nothing.
	OnTokens func(ctx context.Context, set TokenSet)
	// HTTPClient makes the calls; its Transport and Timeout are used, its
	// cookie jar and redirect policy are not: redirects are refused. Defaults
	// to http.DefaultTransport, with a total timeout of 10 seconds, which also
	// replaces a Timeout of 0.
	HTTPClient *http.Client
	// InsecureAllowHTTP accepts an http Domain, and http RedirectURL and
	// LogoutURL other than on localhost. It MUST NOT be set outside tests and
	// local work.
	InsecureAllowHTTP bool
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Client is one app's OAuth 2.0 client. It is safe for concurrent use.
type Client struct {
	cfg ClientConfig // without ClientSecret: see NewClient
	// secret returns the client secret. It is a func because package fmt
	// prints unexported fields raw, and under some verbs what they point to;
	// of a func it shows an address.
	secret func() string
	// tokenHTTP calls endpoints that answer JSON, plainHTTP the others.
	tokenHTTP, plainHTTP *http.Client
}

// NewClient checks cfg and returns a Client. It makes no call. Its error joins
// one [*ConfigError] for each field that is wrong.
func NewClient(cfg ClientConfig) (*Client, error) {
	cfg.Scopes = slices.Clone(cfg.Scopes)
	if len(cfg.Scopes) == 0 {
		cfg.Scopes = []string{scopeOpenID}
	}
	cfg.IdentityProviders = slices.Clone(cfg.IdentityProviders)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.OnTokens == nil {
		cfg.OnTokens = func(context.Context, TokenSet) {}
	}
	domain, err := cfg.check()
	if err != nil {
		return nil, err
	}

	cfg.Domain = domain
	secret := cfg.ClientSecret.Reveal()
	cfg.ClientSecret = ""
	return &Client{
		cfg:       cfg,
		secret:    func() string { return secret },
		tokenHTTP: endpointClient(cfg.HTTPClient, true),
		plainHTTP: endpointClient(cfg.HTTPClient, false),
	}, nil
}

// oauth returns the client as x/oauth2 sees it.
func (c *Client) oauth() *oauth2.Config {
	return &oauth2.Config{
		ClientID:     c.cfg.ClientID,
		ClientSecret: c.secret(),
		RedirectURL:  c.cfg.RedirectURL,
		Scopes:       c.cfg.Scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL:  c.cfg.Domain + "/oauth2/authorize",
			TokenURL: c.tokenURL(),
			// Explicit: x/oauth2 would otherwise find the style by trying, and
			// so send a one-time code twice.
			AuthStyle: authStyle,
		},
	}
}

// authStyle puts client_id, and client_secret if there is one, into the body:
// how Cognito decodes Basic credentials at the token endpoint is not
// documented.
const authStyle = oauth2.AuthStyleInParams

func (c *Client) tokenURL() string { return c.cfg.Domain + "/oauth2/token" }

// ID returns the app client's id.
func (c *Client) ID() string { return c.cfg.ClientID }

// RedirectURL returns the configured callback.
func (c *Client) RedirectURL() string { return c.cfg.RedirectURL }
