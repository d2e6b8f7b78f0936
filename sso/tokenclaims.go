package sso

import (
	"fmt"
	"slices"

	"github.com/ssu-itsupport/cognito-sso/internal/strictjson"
)

// Scopes returns the scopes of an access token, in the token's order. It is
// nil for an ID token. The slice is the caller's own.
func (t Token) Scopes() []string { return slices.Clone(t.scopes) }

// Groups returns cognito:groups, nil if absent. The slice is the caller's own.
func (t Token) Groups() []string { return slices.Clone(t.groups) }

// Identities returns the external identities of an ID token, nil for a user
// of the pool's own. The slice is the caller's own.
func (t Token) Identities() []Identity { return slices.Clone(t.identities) }

// HasScope reports whether the token carries the scope. No token carries "".
func (t Token) HasScope(scope string) bool { return scope != "" && slices.Contains(t.scopes, scope) }

// HasGroup reports whether the user is in the group. Nobody is in "".
func (t Token) HasGroup(group string) bool { return group != "" && slices.Contains(t.groups, group) }

// Machine reports whether the token is of a client (client credentials), with
// no user behind it: an access token without a username, whose sub is its
// client. Such a token has no UserID.
func (t Token) Machine() bool {
	return t.Use == UseAccess && t.Username == "" && t.Subject != "" && t.Subject == t.ClientID
}

// Claim decodes one claim of the verified payload into dst, a pointer, as
// json.Unmarshal does, except that member names must match exactly. It
// reports false if there is no such claim. A claim that dst cannot hold is
// [ErrClaim].
//
// A claim that an app client may write (see WriteAttributes of the client) is
// the user's own word, verified token or not.
func (t Token) Claim(name string, dst any) (bool, error) {
	if t.payload == "" {
		return false, nil
	}
	var value string
	if err := strictjson.Object(t.payload, payloadLimits, func(n, v string) {
		if n == name {
			value = v
		}
	}); err != nil {
		return false, fmt.Errorf("%w: payload does not parse", ErrClaim) // it did when it was verified
	}
	if value == "" {
		return false, nil
	}
	if err := strictjson.Decode(value, dst); err != nil {
		return true, fmt.Errorf("%w: it does not decode into %T", ErrClaim, dst)
	}
	return true, nil
}
