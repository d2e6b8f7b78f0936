package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/url"
	"slices"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	auth0jwks "github.com/auth0/go-jwt-middleware/v2/jwks"
	"github.com/auth0/go-jwt-middleware/v2/validator"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"
	capjwt "github.com/hashicorp/cap/jwt"
	"github.com/lestrrat-go/jwx/v2/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v2/jwt"
	okta "github.com/okta/okta-jwt-verifier-golang/v2"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// setup is what a library is opened with.
type setup struct {
	server *keyServer
	keys   []byte // for a library that fetches none itself
	// refresh is how often keys are fetched anew, where a library lets that
	// be said; 0 is its default.
	refresh time.Duration
	// now is the clock of ours. The others read their own.
	now func() time.Time
}

// verify verifies a token of the use, and everything an app must check of it.
type verify func(ctx context.Context, use, token string) error

// peer is a library that verifies tokens.
type peer struct {
	name   string
	module string // whose version is printed
	idOnly bool   // it cannot verify Cognito's access tokens, which have no aud
	static bool   // it fetches no keys
	// open returns the library set up as its documentation says, for this
	// pool. What it started ends with ctx.
	open func(ctx context.Context, s setup) (verify, error)
}

// quietLog is for chatter about the faults that the scenarios make.
var quietLog = log.New(io.Discard, "", 0)

const (
	nameOurs     = "cognito-sso"
	nameRepeated = "cognito-sso, token seen before"
)

// peers are the Go libraries; the first is ours.
var peers = []peer{
	{name: nameOurs, module: "github.com/ssu-itsupport/cognito-sso", open: openOurs(-1)},
	{name: "golang-jwt+keyfunc", module: "github.com/golang-jwt/jwt/v5", open: openGolangJWT},
	{name: "go-jose", module: "github.com/go-jose/go-jose/v4", static: true, open: openGoJose},
	{name: "go-oidc", module: "github.com/coreos/go-oidc/v3", open: openGoOIDC},
	{name: "okta-jwt-verifier", module: "github.com/okta/okta-jwt-verifier-golang/v2", open: openOkta},
	{name: "auth0 go-jwt-middleware", module: "github.com/auth0/go-jwt-middleware/v2", idOnly: true, open: openAuth0},
	{name: "jwx jwt.Parse", module: "github.com/lestrrat-go/jwx/v2", open: openJWX},
	{name: "hashicorp/cap", module: "github.com/hashicorp/cap", open: openCap},
}

var errClaims = errors.New("a claim is not as it must be")

// appClaims are what an app reads of a token beside the registered claims.
// Every library decodes them, as ours does.
type appClaims struct {
	TokenUse string   `json:"token_use"`
	ClientID string   `json:"client_id"`
	Groups   []string `json:"cognito:groups"`
	Scope    string   `json:"scope"`
	UserID   string   `json:"custom:userId"`
	Email    string   `json:"email"`
	Name     string   `json:"name"`
}

// check does the checks that only Cognito's tokens need.
func (c *appClaims) check(use string) error {
	if c.TokenUse != use || use == useAccess && c.ClientID != clientID {
		return errClaims
	}
	return nil
}

// openOurs makes a verifier that remembers as many tokens as said; negative
// is none.
func openOurs(memory int) func(context.Context, setup) (verify, error) {
	return func(ctx context.Context, s setup) (verify, error) {
		v, err := sso.NewVerifier(sso.Config{
			UserPoolID:        poolID,
			ClientIDs:         []string{clientID},
			JWKSURL:           s.server.jwksURL(),
			InsecureAllowHTTP: true,
			HTTPClient:        s.server.client(),
			TokenMemory:       memory,
			Now:               s.now,
		})
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, v.Close)
		return func(ctx context.Context, use, token string) error {
			var err error
			if use == useID {
				_, err = v.VerifyID(ctx, token)
			} else {
				_, err = v.VerifyAccess(ctx, token)
			}
			return err
		}, nil
	}
}

func openGoOIDC(ctx context.Context, s setup) (verify, error) {
	keys := oidc.NewRemoteKeySet(oidc.ClientContext(ctx, s.server.client()), s.server.jwksURL())
	algs := []string{oidc.RS256}
	id := oidc.NewVerifier(issuer, keys, &oidc.Config{ClientID: clientID, SupportedSigningAlgs: algs})
	access := oidc.NewVerifier(issuer, keys, &oidc.Config{SkipClientIDCheck: true, SupportedSigningAlgs: algs})
	return func(ctx context.Context, use, token string) error {
		v := access
		if use == useID {
			v = id
		}
		t, err := v.Verify(ctx, token)
		if err != nil {
			return err
		}
		var c appClaims
		if err := t.Claims(&c); err != nil {
			return err
		}
		return c.check(use)
	}, nil
}

// golangClaims are the claims in the form golang-jwt wants.
type golangClaims struct {
	jwt.RegisteredClaims
	appClaims
}

func openGolangJWT(ctx context.Context, s setup) (verify, error) {
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{s.server.jwksURL()}, keyfunc.Override{
		Client:          s.server.client(),
		RefreshInterval: s.refresh,
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
			return func(context.Context, error) {} // its default logs
		},
	})
	if err != nil {
		return nil, err
	}
	options := []jwt.ParserOption{jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(issuer), jwt.WithExpirationRequired(), jwt.WithIssuedAt()}
	access := jwt.NewParser(options...)
	id := jwt.NewParser(append(slices.Clone(options), jwt.WithAudience(clientID))...)
	return func(ctx context.Context, use, token string) error {
		p := access
		if use == useID {
			p = id
		}
		var c golangClaims
		if _, err := p.ParseWithClaims(token, &c, keys.KeyfuncCtx(ctx)); err != nil {
			return err
		}
		return c.check(use)
	}, nil
}

// auth0Claims are the claims in the form auth0 wants.
type auth0Claims struct{ appClaims }

// Validate implements [validator.CustomClaims].
func (c *auth0Claims) Validate(context.Context) error { return c.check(useID) }

func openAuth0(_ context.Context, s setup) (verify, error) {
	issuerURL, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	jwksURL, err := url.Parse(s.server.jwksURL())
	if err != nil {
		return nil, err
	}
	ttl := s.refresh
	if ttl == 0 {
		ttl = 5 * time.Minute // its examples' value
	}
	provider := auth0jwks.NewCachingProvider(issuerURL, ttl, auth0jwks.WithCustomJWKSURI(jwksURL), auth0jwks.WithCustomClient(s.server.client()))
	v, err := validator.New(provider.KeyFunc, validator.RS256, issuer, []string{clientID},
		validator.WithCustomClaims(func() validator.CustomClaims { return new(auth0Claims) }))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, _, token string) error {
		_, err := v.ValidateToken(ctx, token)
		return err
	}, nil
}

func openCap(ctx context.Context, s setup) (verify, error) {
	keys, err := capjwt.NewJSONWebKeySet(ctx, s.server.jwksURL(), "")
	if err != nil {
		return nil, err
	}
	v, err := capjwt.NewValidator(keys)
	if err != nil {
		return nil, err
	}
	access := capjwt.Expected{
		Issuer: issuer, SigningAlgorithms: []capjwt.Alg{capjwt.RS256},
		NotBeforeLeeway: -1, ExpirationLeeway: -1, ClockSkewLeeway: -1,
	}
	id := access
	id.Audiences = []string{clientID}
	return func(ctx context.Context, use, token string) error {
		expected := access
		if use == useID {
			expected = id
		}
		claims, err := v.Validate(ctx, token, expected)
		if err != nil {
			return err
		}
		return checkMap(claims, use)
	}, nil
}

// checkMap is appClaims.check for libraries that give a map.
func checkMap(claims map[string]any, use string) error {
	c := appClaims{}
	c.TokenUse, _ = claims["token_use"].(string)
	c.ClientID, _ = claims["client_id"].(string)
	return c.check(use)
}

func openOkta(_ context.Context, s setup) (verify, error) {
	open := func(toValidate map[string]string) (*okta.JwtVerifier, error) {
		v, err := (&okta.JwtVerifier{
			Issuer: issuer, ClaimsToValidate: toValidate, Client: s.server.client(), Timeout: s.refresh,
		}).New()
		if err != nil {
			return nil, err
		}
		v.SetLeeway("0s")
		return v, nil
	}
	access, err := open(map[string]string{})
	if err != nil {
		return nil, err
	}
	id, err := open(map[string]string{"aud": clientID})
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, use, token string) error {
		check := access.VerifyAccessToken
		if use == useID {
			check = id.VerifyIdToken
		}
		t, err := check(token)
		if err != nil {
			return err
		}
		return checkMap(t.Claims, use)
	}, nil
}

func openGoJose(_ context.Context, s setup) (verify, error) {
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(s.keys, &keys); err != nil {
		return nil, err
	}
	algs := []jose.SignatureAlgorithm{jose.RS256}
	return func(_ context.Context, use, token string) error {
		t, err := josejwt.ParseSigned(token, algs)
		if err != nil {
			return err
		}
		var registered josejwt.Claims
		var c appClaims
		if err := t.Claims(keys, &registered, &c); err != nil {
			return err
		}
		expected := josejwt.Expected{Issuer: issuer, Time: time.Now()}
		if use == useID {
			expected.AnyAudience = josejwt.Audience{clientID}
		}
		if err := registered.ValidateWithLeeway(expected, 0); err != nil {
			return err
		}
		return c.check(use)
	}, nil
}

func openJWX(ctx context.Context, s setup) (verify, error) {
	options := []jwk.RegisterOption{jwk.WithHTTPClient(s.server.client())}
	var window []jwk.CacheOption
	if s.refresh > 0 {
		options = append(options, jwk.WithRefreshInterval(s.refresh))
		window = append(window, jwk.WithRefreshWindow(s.refresh))
	}
	cache := jwk.NewCache(ctx, window...)
	if err := cache.Register(s.server.jwksURL(), options...); err != nil {
		return nil, err
	}
	access := []jwxjwt.ParseOption{
		jwxjwt.WithKeySet(jwk.NewCachedSet(cache, s.server.jwksURL())), jwxjwt.WithValidate(true),
		jwxjwt.WithIssuer(issuer), jwxjwt.WithRequiredClaim(jwxjwt.ExpirationKey),
	}
	id := append(slices.Clone(access), jwxjwt.WithAudience(clientID))
	return func(_ context.Context, use, token string) error {
		options := access
		if use == useID {
			options = id
		}
		t, err := jwxjwt.Parse([]byte(token), options...)
		if err != nil {
			return err
		}
		return checkMap(t.PrivateClaims(), use)
	}, nil
}
