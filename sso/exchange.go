package sso

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const (
	// maxFlowAge is how long a flow may take. Cognito's own pages give up
	// after 5 minutes and its codes live as long.
	maxFlowAge = 10 * time.Minute
	// maxFlowAhead is how far ahead of this clock the one that made the flow
	// may be: the callback may reach another machine.
	maxFlowAhead = time.Minute

	maxStateLen = 512
	maxCodeLen  = 2048
)

// The endpoints, as [EndpointError] names them.
const (
	tokenEndpoint      = "token endpoint"
	revocationEndpoint = "revocation endpoint"
	userInfoEndpoint   = "userInfo endpoint"
)

var errFlowJSON = errors.New("sso: flow is not JSON of a Flow")

// TokenSet is the answer of the token endpoint, verified.
//
// Its secrets marshal as "[redacted]": to keep a session, store what
// [Secret.Reveal] returns, encrypted.
type TokenSet struct {
	// Access and ID are the verified tokens; RawAccess and RawID their text.
	Access    Token
	ID        Token
	RawAccess Secret
	RawID     Secret
	// Refresh is the refresh token. After [Client.Refresh] it is the one to
	// keep: the new one if the pool rotates, else the one that was given.
	Refresh Secret
}

// LogValue redacts for log/slog: the tokens hold personal data.
func (t TokenSet) LogValue() slog.Value { return slog.StringValue(redacted) }

// Exchange finishes a flow with the query of the callback request. Call it
// once per flow, with the flow taken from the browser that sends the callback.
//
// The callback is judged before anything is sent: a state that is not the
// flow's, or a malformed or late callback, is [ErrState]; an "iss" of another
// issuer (RFC 9207) is [ErrIssuer]; an error of Cognito's is [*AuthError].
// While there are no keys to verify an answer with, the code is not redeemed:
// [ErrKeysUnavailable].
//
// Then the code is redeemed with one request and the answer verified. What is
// refused then is an [*UnverifiedError], whose refresh token should be revoked.
// It is [ErrNonce] for an ID token of another sign-in; [ErrNotFresh] for an
// older sign-in than AuthOptions.MaxAge asked for; [ErrTokenMismatch] for tokens
// that do not belong together or to this client; else the [Verifier]'s error.
//
// If Cognito cannot be reached, or answers 5xx, 429, or nothing that is
// an OpenID Connect answer (a firewall's page, a redirect, no ID token), the
// error is [ErrUnavailable]; it also is context.Canceled or
// context.DeadlineExceeded where that is the reason.
func (c *Client) Exchange(ctx context.Context, flow Flow, callback url.Values) (*TokenSet, error) {
	if c.cfg.RedirectURL == "" {
		return nil, &ConfigError{Field: "RedirectURL", Problem: "is required for sign-in"}
	}
	code, err := c.readCallback(flow, callback)
	if err != nil {
		return nil, err
	}
	if err := c.cfg.Verifier.keysReady(ctx); err != nil {
		return nil, err // before the code is spent on an answer that cannot be verified
	}
	answer, err := c.oauth().Exchange(c.withHTTP(ctx), code, oauth2.VerifierOption(flow.CodeVerifier.Reveal()))
	if err != nil {
		return nil, endpointError(ctx, tokenEndpoint, err)
	}
	set, err := c.verifyAnswer(ctx, answer)
	if err == nil {
		err = flow.checkID(set.ID)
	}
	if err != nil {
		return nil, unverified(answer, err)
	}
	c.cfg.OnTokens(ctx, *set)
	return set, nil
}

// checkID says whether a verified ID token is of this flow.
func (f *Flow) checkID(id Token) error {
	// readCallback refused an empty nonce, so an ID token without one fails.
	if !sameText(id.nonce, f.Nonce.Reveal()) {
		return ErrNonce
	}
	// From the flow's beginning, since a person may take minutes on the page;
	// the two clocks may differ as much as those of two machines of the app.
	if f.MaxAge > 0 && id.AuthTime.Before(f.CreatedAt.Add(-f.MaxAge-maxFlowAhead)) {
		return ErrNotFresh
	}
	return nil
}

// readCallback returns the code of a callback that belongs to the flow. No
// error of it quotes the callback, which anybody may have written.
func (c *Client) readCallback(flow Flow, callback url.Values) (code string, err error) {
	if flow.State == "" || flow.Nonce == "" || flow.CodeVerifier == "" || flow.CreatedAt.IsZero() {
		// fail closed: a zero flow would match an empty state.
		return "", fmt.Errorf("%w: the flow is incomplete", ErrState)
	}
	states := callback["state"]
	if len(states) != 1 || len(states[0]) > maxStateLen || !sameText(states[0], flow.State.Reveal()) {
		return "", ErrState
	}
	if age := c.cfg.Now().Sub(flow.CreatedAt); age > maxFlowAge || age < -maxFlowAhead {
		return "", fmt.Errorf("%w: the flow is too old", ErrState)
	}
	codes, errs := callback["code"], callback["error"]
	if len(codes)+len(errs) != 1 {
		return "", fmt.Errorf("%w: not exactly one code or error", ErrState)
	}
	// Before the error is looked at: RFC 9207 §2.4 covers error answers too.
	if iss, given := callback["iss"]; given && (len(iss) != 1 || !slices.Contains(c.cfg.Verifier.issuers(), iss[0])) {
		return "", fmt.Errorf("%w in the callback", ErrIssuer)
	}
	if len(errs) == 1 {
		if errs[0] == "" {
			return "", fmt.Errorf("%w: empty error", ErrState)
		}
		return "", newAuthError(0, errs[0], callback.Get("error_description"))
	}
	if !printableASCII(codes[0], maxCodeLen) {
		return "", fmt.Errorf("%w: unusable code", ErrState)
	}
	return codes[0], nil
}

// verifyAnswer verifies both tokens of an answer and that they belong together
// and to this client.
func (c *Client) verifyAnswer(ctx context.Context, answer *oauth2.Token) (*TokenSet, error) {
	if err := checkBearer(answer); err != nil {
		return nil, err
	}
	rawID, _ := answer.Extra("id_token").(string)
	if rawID == "" {
		// Not ErrMissing: callers take that for "nobody is signed in", and a
		// broken answer to a refresh must not end a session.
		return nil, &EndpointError{Endpoint: tokenEndpoint, Status: http.StatusOK, problem: "answered without an ID token"}
	}
	id, err := c.cfg.Verifier.VerifyID(ctx, rawID)
	if err != nil {
		return nil, answerError("ID token", err)
	}
	if id.ClientID != c.cfg.ClientID {
		return nil, answerError("ID token", ErrClient)
	}
	access, err := c.verifyAccess(ctx, answer.AccessToken)
	if err != nil {
		return nil, err
	}
	if id.Subject != access.Subject || id.Issuer != access.Issuer {
		return nil, fmt.Errorf("%w: subject or issuer differs", ErrTokenMismatch)
	}
	if id.atHash != "" && !sameText(id.atHash, atHash(answer.AccessToken)) {
		return nil, fmt.Errorf("%w: at_hash", ErrTokenMismatch)
	}
	return &TokenSet{
		Access:    access,
		ID:        id,
		RawAccess: Secret(answer.AccessToken),
		RawID:     Secret(rawID),
		Refresh:   Secret(answer.RefreshToken),
	}, nil
}

// checkBearer refuses an answer whose token_type is not Bearer, in any case
// (RFC 6749 §5.1), or is missing, which x/oauth2 would take for Bearer.
func checkBearer(answer *oauth2.Token) error {
	if !strings.EqualFold(answer.TokenType, "Bearer") {
		return &EndpointError{Endpoint: tokenEndpoint, Status: http.StatusOK, problem: "answered a token that is not of type Bearer"}
	}
	return nil
}

// verifyAccess verifies an access token that was answered to this client. The
// verifier may allow several clients; here only this one will do.
func (c *Client) verifyAccess(ctx context.Context, raw string) (Token, error) {
	access, err := c.cfg.Verifier.VerifyAccess(ctx, raw)
	if err != nil {
		return Token{}, answerError("access token", err)
	}
	if access.ClientID != c.cfg.ClientID {
		return Token{}, answerError("access token", ErrClient)
	}
	return access, nil
}

// answerError says which token of an answer is bad. One of another client is
// a mismatch too, whether the verifier or the Client noticed.
func answerError(which string, err error) error {
	if errors.Is(err, ErrClient) {
		return fmt.Errorf("%w: %s: %w", ErrTokenMismatch, which, err)
	}
	return fmt.Errorf("sso: %s of the answer: %w", which, err)
}

// withHTTP makes x/oauth2 use this client's http.Client.
func (c *Client) withHTTP(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, c.tokenHTTP)
}

// atHash is the at_hash of an access token (OpenID Connect Core 1.0 §3.1.3.6)
// under RS256, the only algorithm accepted.
func atHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// randomText is 32 random bytes in base64url without padding: Cognito encodes
// other characters of a state once or twice.
func randomText() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: it crashes the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// sameText compares in constant time.
func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
