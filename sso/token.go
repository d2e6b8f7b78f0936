package sso

import "time"

// TokenUse is the token_use claim of a Cognito token.
type TokenUse string

const (
	// UseAccess marks an access token: what an app sends to an API.
	UseAccess TokenUse = "access"
	// UseID marks an ID token: what tells an app who signed in.
	UseID TokenUse = "id"
)

// Token is what a verified Cognito token says. It is a value: changing one
// changes nobody else's, and what its methods return is the caller's own. It
// is safe for concurrent use. It does not hold the token's text, and cannot be
// made into a token again.
//
// A Token exists only after its signature and every configured check passed;
// the zero Token is what the verifier returns beside an error.
type Token struct {
	// Use says whether it is an access token or an ID token.
	Use TokenUse
	// Subject is the sub claim: Cognito's id of the user, the key to store.
	// For a machine token it is the app client id.
	Subject string
	// UserID is the organisation's own id of the user, "" if the token has
	// none.
	UserID UserID
	// ClientID is the app client the token was issued to: aud of an ID
	// token, client_id of an access token.
	ClientID string
	// Username is the pool's username, "" for a machine token. Do not parse
	// it, and do not key on it.
	Username string
	// Issuer is the iss claim.
	Issuer string
	// Email is the email claim, "" if absent. It identifies nobody: see
	// EmailVerified, and use Subject or UserID as a key.
	Email string
	// EmailVerified is true only if the token says so.
	EmailVerified bool
	// Name is the name claim, "" if absent.
	Name string
	// IssuedAt and ExpiresAt are iat and exp. AuthTime is auth_time, when
	// the person last authenticated; refreshing does not move it. It is the
	// zero time if absent. All are in UTC.
	IssuedAt, ExpiresAt, AuthTime time.Time
	// ID is the jti claim and OriginID the origin_jti claim, which all
	// tokens of one sign-in share; "" if absent.
	ID, OriginID string

	// None of these is written after the Token was made: copies share them.
	nonce      string
	atHash     string
	scopes     []string
	groups     []string
	identities []Identity
	payload    string // the verified payload, for Claim; the texts above are parts of it
}

// Identity is one entry of the identities claim: an external identity behind
// the Cognito user.
type Identity struct {
	// Provider is the provider's name in the user pool, such as "Kakao".
	Provider string
	// ProviderType is "OIDC", "Google", "SAML", …
	ProviderType string
	// UserID is the subject at the provider.
	UserID string
	// Primary is false for an identity that was linked to the user later.
	Primary bool
	// Created is when Cognito recorded the identity; zero if absent.
	Created time.Time
}
