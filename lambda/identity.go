package lambda

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// federated is the status of a user who is known through a provider only.
const federated = "EXTERNAL_PROVIDER"

// identityOf says who the event is about. A provider's id may link a row only
// if Cognito itself vouches for it: status EXTERNAL_PROVIDER, an entry of
// identities, a configured provider. The username's text and the email are
// never used: the one has several forms, the other several owners.
func (t *Triggers) identityOf(e *event) (users.Identity, error) {
	id := users.Identity{Sub: e.attribute("sub"), Email: e.attribute("email"), Name: e.attribute("name")}
	if id.Sub == "" {
		return id, fmt.Errorf("%w: no sub", ErrBadEvent)
	}
	entries, err := parseIdentities(e.attribute("identities"))
	if err != nil {
		return id, err
	}
	switch status := e.attribute("cognito:user_status"); {
	case status == federated:
	case status == "" && len(entries) > 0:
		// fail closed: without the status nobody can tell a federated user
		// from a native one with linked accounts.
		return id, fmt.Errorf("%w: identities without a status", ErrIdentity)
	default:
		return id, nil // a native user, whatever accounts are linked to it
	}
	entry, err := t.choose(entries)
	if err != nil {
		return id, err
	}
	id.Provider, id.Subject = entry.provider, entry.subject
	return id, nil
}

// choose picks the entry that says who a federated user is: the primary one,
// or else the only one of a configured provider.
func (t *Triggers) choose(entries []identity) (identity, error) {
	if len(entries) == 0 {
		return identity{}, fmt.Errorf("%w: a federated user without identities", ErrIdentity)
	}
	var known, primary []identity
	for _, e := range entries {
		name, ok := t.provider(e.provider)
		if !ok {
			continue
		}
		e.provider = name
		known = append(known, e)
		if e.primary {
			primary = append(primary, e)
		}
	}
	switch {
	case len(known) == 0:
		return identity{}, ErrProvider
	case len(primary) == 1:
		return primary[0], nil
	case len(known) == 1:
		return known[0], nil
	}
	return identity{}, fmt.Errorf("%w: several identities, none of them primary", ErrIdentity)
}

// provider is the configured name of a provider. Events are known to spell
// Cognito's own providers in lower case.
func (t *Triggers) provider(name string) (string, bool) {
	i := slices.IndexFunc(t.cfg.Providers, func(p string) bool { return strings.EqualFold(p, name) })
	if i < 0 {
		return "", false
	}
	return t.cfg.Providers[i], true
}

// identity is one entry of the identities attribute.
type identity struct {
	provider, subject string
	primary           bool
	created           time.Time // zero if unknown
}

const (
	maxIdentitiesLength = 64 << 10
	maxIdentities       = 50 // Cognito links at most five
)

// parseIdentities reads the attribute identities: a string that holds a JSON
// array. In an attribute primary is a boolean, in a token a string; both are
// taken. An entry without a provider or an id breaks the whole list: to skip
// it could make somebody else the primary one.
func parseIdentities(s string) ([]identity, error) {
	if s == "" {
		return nil, nil
	}
	var list []object
	if len(s) > maxIdentitiesLength || json.Unmarshal([]byte(s), &list) != nil || len(list) > maxIdentities {
		return nil, fmt.Errorf("%w: identities is not a list of objects", ErrIdentity)
	}
	out := make([]identity, 0, len(list))
	for _, o := range list {
		entry := identity{provider: text(o["providerName"]), subject: subject(o["userId"])}
		primary, ok := flag(o["primary"])
		if entry.provider == "" || entry.subject == "" || !ok {
			return nil, fmt.Errorf("%w: an entry of identities is incomplete", ErrIdentity)
		}
		entry.primary, entry.created = primary, millis(o["dateCreated"])
		out = append(out, entry)
	}
	return out, nil
}

// subject is an id at a provider: a string, or a number as Kakao has it, in
// plain digits.
func subject(raw json.RawMessage) string {
	if s := text(raw); s != "" {
		return s
	}
	digits := string(raw)
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return digits
}

// millis reads a time in milliseconds since 1970, as a number or as a string.
// It decides nothing about who somebody is, so what cannot be read is zero.
func millis(raw json.RawMessage) time.Time {
	n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

// flag reads a boolean in either of its forms; missing and null are false.
func flag(raw json.RawMessage) (value, ok bool) {
	switch string(raw) {
	case "", "null", "false", `"false"`:
		return false, true
	case "true", `"true"`:
		return true, true
	}
	return false, false
}
