package lambda

import (
	"context"
	"fmt"
)

// ClaimsRequest is what Config.ExtraClaims gets to know of a token that is
// about to be made. Its maps and lists are the hook's own.
type ClaimsRequest struct {
	// Source is the triggerSource, such as "TokenGeneration_HostedAuth". It
	// does not tell a refresh from a sign-in.
	Source string
	// Version of the event: 1, 2 or 3. In version 1 only the ID token can be
	// changed, and only with strings.
	Version int
	// UserPoolID and ClientID say for which app client the token is.
	UserPoolID, ClientID string
	// Username and Sub of the user. Sub is "" for a machine.
	Username, Sub string
	// UserID is the row's id, as the token gets it; "" for a machine, and where
	// Config.AllowMissingUserID lets a token out without one.
	UserID string
	// Machine: the client credentials grant, in version 3. There is no user
	// and no ID token.
	Machine bool
	// Attributes of the user, as Cognito has them. Some a user may write.
	Attributes map[string]string
	// Groups that the token will have, and Scopes (not in version 1).
	Groups, Scopes []string
	// ClientMetadata is what the app sent along, unproven.
	ClientMetadata map[string]string
}

// Claims is what Config.ExtraClaims wants of the tokens. Its zero value
// changes nothing.
type Claims struct {
	// ID and Access are the changes of either token. Access is for version 2
	// and later.
	ID, Access TokenClaims
	// AddScopes and SuppressScopes change the access token's scopes, in version
	// 2 and later. No scope of aws.cognito. may be added: it would let the
	// bearer write to the user's own attributes.
	AddScopes, SuppressScopes []string
	// Groups replaces the user's groups in both tokens; roles stay. Empty
	// leaves the groups as they are.
	Groups []string
	// NoGroups takes all groups out of both tokens.
	NoGroups bool
}

// TokenClaims changes one token. Reserved claims (of the protocol, of Cognito,
// and the userId) can be neither added nor suppressed, and no claim both.
type TokenClaims struct {
	// Add adds or replaces claims. A value is anything that JSON has, but null;
	// in version 1 a string.
	Add map[string]any
	// Suppress takes claims out.
	Suppress []string
}

// extraClaims asks the hook and puts what it wants into the answer. Checking
// and encoding are part of the asking: a value's own MarshalJSON may panic or
// hang like the hook. A hook that ignores its context is left behind.
func (t *Triggers) extraClaims(ctx context.Context, e *event, id string) error {
	if t.cfg.ExtraClaims == nil {
		return nil
	}
	ctx, cancel := withReserve(ctx, t.cfg.Deadline)
	defer cancel()
	type answer struct {
		claims encodedClaims
		err    error
	}
	req := e.claimsRequest(id)
	done := make(chan answer, 1)
	go func() {
		a := answer{err: errPanic} // also if the hook ends its goroutine
		defer func() { done <- a }()
		a.err = guard(func() (err error) {
			a.claims, err = t.askClaims(ctx, req)
			return err
		})
	}()
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		a.err = ctx.Err()
	}
	if a.err != nil {
		return fmt.Errorf("%w: %w", ErrExtraClaims, a.err) // fail closed: apps count on the claims
	}
	return a.claims.write(e)
}

func (t *Triggers) askClaims(ctx context.Context, req ClaimsRequest) (encodedClaims, error) {
	want, err := t.cfg.ExtraClaims(ctx, req)
	if err != nil {
		return encodedClaims{}, err
	}
	return t.encodeClaims(want, req)
}

func (e *event) claimsRequest(id string) ClaimsRequest {
	groups, _ := groupConfiguration(e)
	req := ClaimsRequest{
		Source: e.source, Version: e.tokenVersion(), UserPoolID: e.poolID, Username: e.userName,
		Sub: e.attribute("sub"), UserID: id, Machine: e.source == sourceClientCredentials,
		Attributes: texts(e.request["userAttributes"]), ClientMetadata: texts(e.request["clientMetadata"]),
		Groups: textList(groups["groupsToOverride"]), Scopes: textList(e.request["scopes"]),
	}
	var caller object
	if decodeObject(e.top["callerContext"], &caller) {
		req.ClientID = text(caller["clientId"])
	}
	return req
}
