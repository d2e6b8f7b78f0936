package lambda

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// reservedClaims cannot be changed by a trigger, or must not be. Cognito
// ignores such a wish without a word; here it is an error, so that nobody
// believes that it worked.
var reservedClaims = []string{
	"acr", "amr", "at_hash", "aud", "auth_time", "azp", "client_id", "device_key", "event_id", "exp", "iat", "identities",
	"iss", "jti", "nbf", "nonce", "origin_jti", "scope", "sub", "token_use", "username", "version",
}

// encodedClaims is a Claims that can be written into the answer.
type encodedClaims struct {
	id, access            encodedToken
	addScopes, dropScopes []string
	groups                []string
	overrideGroups        bool
}

type encodedToken struct {
	add      object
	suppress []string
}

func (t encodedToken) empty() bool { return len(t.add)+len(t.suppress) == 0 }

// encodeClaims checks what the hook wants against what the event can carry.
func (t *Triggers) encodeClaims(c Claims, req ClaimsRequest) (out encodedClaims, err error) {
	if out.id, err = t.encodeToken(c.ID, req.Version); err != nil {
		return out, err
	}
	if out.access, err = t.encodeToken(c.Access, req.Version); err != nil {
		return out, err
	}
	out.addScopes, out.dropScopes = slices.Clone(c.AddScopes), slices.Clone(c.SuppressScopes)
	out.groups, out.overrideGroups = slices.Clone(c.Groups), c.NoGroups || len(c.Groups) > 0
	return out, out.fits(c, req)
}

func (c encodedClaims) fits(want Claims, req ClaimsRequest) error {
	accessChanges := !c.access.empty() || len(c.addScopes)+len(c.dropScopes) > 0
	switch {
	case req.Version < 2 && accessChanges:
		return fmt.Errorf("%w: a V1 event cannot change the access token", ErrBadClaims)
	case req.Machine && (!c.id.empty() || c.overrideGroups):
		return fmt.Errorf("%w: a machine has neither ID token nor groups", ErrBadClaims)
	case want.NoGroups && len(c.groups) > 0:
		return fmt.Errorf("%w: both Groups and NoGroups", ErrBadClaims)
	case slices.Contains(c.groups, ""):
		return fmt.Errorf("%w: a group without a name", ErrBadClaims)
	case slices.ContainsFunc(c.addScopes, func(s string) bool { return !isScope(s) || strings.HasPrefix(s, "aws.cognito.") }),
		slices.ContainsFunc(c.dropScopes, func(s string) bool { return !isScope(s) }):
		return fmt.Errorf("%w: a scope that cannot be", ErrBadClaims)
	}
	return nil
}

func (t *Triggers) encodeToken(c TokenClaims, version int) (out encodedToken, err error) {
	out = encodedToken{add: make(object, len(c.Add)), suppress: slices.Clone(c.Suppress)}
	for name, value := range c.Add {
		if err := t.mayChange(name); err != nil {
			return out, err
		}
		if slices.Contains(c.Suppress, name) {
			return out, fmt.Errorf("%w: %q is both added and suppressed", ErrBadClaims, name)
		}
		if out.add[name], err = encodeValue(value, version); err != nil {
			return out, fmt.Errorf("%w: %q: %w", ErrBadClaims, name, err)
		}
	}
	for _, name := range c.Suppress {
		if err := t.mayChange(name); err != nil {
			return out, err
		}
	}
	return out, nil
}

// mayChange names the claim in its error: a claim's name is the app's own
// word, and no personal datum.
func (t *Triggers) mayChange(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: a claim without a name", ErrBadClaims)
	case slices.Contains(reservedClaims, name), strings.HasPrefix(name, "cognito:"):
		return fmt.Errorf("%w: %q is reserved", ErrBadClaims, name)
	case strings.EqualFold(name, t.cfg.UserIDAttribute): // a reader may fold case
		return fmt.Errorf("%w: %q is the userId", ErrBadClaims, name)
	}
	return nil
}

// encodeValue never quotes the value, nor an error of encoding/json, which
// does.
func encodeValue(value any, version int) (json.RawMessage, error) {
	if _, isString := value.(string); version < 2 && !isString {
		return nil, fmt.Errorf("a V1 event takes strings only, not %T", value)
	}
	raw, err := encode(value)
	if err != nil || string(raw) == "null" {
		return nil, fmt.Errorf("a %T has no JSON that a claim can have", value)
	}
	return raw, nil
}

// isScope is RFC 6749, section 3.3.
func isScope(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\\'
	})
}
