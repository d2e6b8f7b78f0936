package ssotest

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const customPrefix = "custom:"

// attribute is one of the pool's schema.
type attribute struct {
	mutable bool
	maxLen  int
}

// schema is the pool's attributes by name; custom ones have their prefix.
type schema map[string]attribute

// verifiedFlag has the attribute that each flag is about.
var verifiedFlag = map[string]string{"email_verified": "email", "phone_number_verified": "phone_number"}

var standardAttributes = []string{
	"sub", "address", "birthdate", "email", "email_verified", "family_name", "gender", "given_name", "locale",
	"middle_name", "name", "nickname", "phone_number", "phone_number_verified", "picture", "preferred_username",
	"profile", "updated_at", "website", "zoneinfo",
}

func newSchema(custom []CustomAttribute) schema {
	s := make(schema, len(standardAttributes)+len(custom))
	for _, name := range standardAttributes {
		s[name] = attribute{mutable: name != "sub", maxLen: 2048}
	}
	for _, c := range custom {
		s[customPrefix+c.Name] = attribute{mutable: c.Mutable, maxLen: c.MaxLen}
	}
	return s
}

var (
	emailForm = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
	phoneForm = regexp.MustCompile(`^\+[0-9]{1,15}$`)
)

func invalidParameter(format string, args ...any) *apiError {
	return &apiError{"InvalidParameterException", fmt.Sprintf(format, args...)}
}

// change is what to do to a user's attributes: "" deletes one.
type change map[string]string

// check checks a change of a user who has the attributes old, nil for a user about to be made.
func (s schema) check(old map[string]string, c change) error {
	for _, name := range slices.Sorted(maps.Keys(c)) {
		value := c[name]
		a, ok := s[name]
		switch {
		case !ok:
			return invalidParameter("Attributes did not conform to the schema: %s: Attribute does not exist in the schema.\n", name)
		case name == "sub" || (!a.mutable && old != nil):
			return invalidParameter("user.%s: Attribute cannot be updated. (changing an immutable attribute)", name)
		case utf8.RuneCountInString(value) > a.maxLen:
			return invalidParameter("Attributes did not conform to the schema: %s: String must be no longer than %d characters\n", name, a.maxLen)
		case value == "":
		case name == "email" && !emailForm.MatchString(value):
			return invalidParameter("Invalid email address format.")
		case name == "phone_number" && !phoneForm.MatchString(value):
			return invalidParameter("Invalid phone number format.")
		case verifiedFlag[name] != "":
			if value != "true" && value != "false" {
				return invalidParameter("Invalid value for attribute %s: it is neither true nor false.", name)
			}
			about := verifiedFlag[name]
			if c[about] == "" && (old[about] == "" || hasKey(c, about)) {
				return invalidParameter("%s is required to verify/un-verify it", about)
			}
		}
	}
	return nil
}

func hasKey[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}

// apply changes attrs. A new email or phone number is not verified, unless the change says so itself.
func (c change) apply(attrs map[string]string) {
	for flag, about := range verifiedFlag {
		value, changes := c[about]
		switch {
		case !changes || value == attrs[about]:
		case value == "":
			delete(attrs, flag)
		case !hasKey(c, flag):
			attrs[flag] = "false"
		}
	}
	for name, value := range c {
		if value == "" {
			delete(attrs, name)
		} else {
			attrs[name] = value
		}
	}
}

// mayRead reports whether the app client may read an attribute.
func (c Client) mayRead(name string) bool {
	if c.ReadAttributes != nil {
		return slices.Contains(c.ReadAttributes, name)
	}
	return !strings.HasPrefix(name, customPrefix) || name == customPrefix+"userId"
}

// mayWrite reports whether the app client's users may write an attribute with their access tokens.
func (c Client) mayWrite(name string) bool {
	if verifiedFlag[name] != "" || name == "sub" || name == "identities" {
		return false
	}
	if c.WriteAttributes != nil {
		return slices.Contains(c.WriteAttributes, name)
	}
	return !strings.HasPrefix(name, customPrefix)
}

// checkWrites refuses a change that the app client's users may not make.
func (c Client) checkWrites(ch change) error {
	for name := range ch {
		if !c.mayWrite(name) {
			return &apiError{"NotAuthorizedException", "A client attempted to write unauthorized attribute"}
		}
	}
	return nil
}

// scopeAttributes are the attributes that a scope gives, besides openid and profile, which give all.
var scopeAttributes = map[string][]string{
	"email": {"email", "email_verified"},
	"phone": {"phone_number", "phone_number_verified"},
}

// inScope reports whether the scopes give an attribute: openid alone gives all that are readable, and so does profile;
// openid with email or phone gives only theirs.
func inScope(name string, scopes []string) bool {
	narrow := false
	for _, s := range scopes {
		if s == "profile" || slices.Contains(scopeAttributes[s], name) {
			return true
		}
		narrow = narrow || scopeAttributes[s] != nil
	}
	return !narrow
}

// userClaims are the attributes of a user that the client may read under the scopes, in the types of an ID token
// (booleans for email_verified, identities as an array); strings says userInfo's quirk: the flags and identities are
// strings. sub is among them.
func (p *Pool) userClaims(username string, c Client, scopes []string, strings bool) map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.users[username]
	if !ok {
		return nil
	}
	return u.claims(c, scopes, strings)
}

func (u *account) claims(c Client, scopes []string, strings bool) map[string]any {
	claims := map[string]any{"sub": u.sub}
	for name, value := range u.attrs {
		if !c.mayRead(name) || !inScope(name, scopes) {
			continue
		}
		claims[name] = value
		if verifiedFlag[name] != "" && !strings {
			claims[name] = value == "true"
		}
	}
	switch {
	case len(u.identities) == 0:
	case strings:
		claims["identities"] = u.identitiesAttribute()
	default:
		claims["identities"] = u.identitiesClaim()
	}
	return claims
}

// identitiesAttribute is the attribute identities: JSON text with a real boolean and a number.
func (u *account) identitiesAttribute() string {
	type entry struct {
		UserID       string  `json:"userId"`
		ProviderName string  `json:"providerName"`
		ProviderType string  `json:"providerType"`
		Issuer       *string `json:"issuer"`
		Primary      bool    `json:"primary"`
		DateCreated  int64   `json:"dateCreated"`
	}
	var entries []entry
	for _, i := range u.identities {
		entries = append(entries, entry{i.subject, i.provider, i.providerType, nil, i.primary, i.created.UnixMilli()})
	}
	text, err := json.Marshal(entries)
	if err != nil {
		panic(err) // strings, booleans and numbers
	}
	return string(text)
}

// identitiesClaim is the claim identities of an ID token: an array whose primary and dateCreated are strings.
func (u *account) identitiesClaim() []map[string]any {
	var entries []map[string]any
	for _, i := range u.identities {
		entries = append(entries, map[string]any{
			"userId":       i.subject,
			"providerName": i.provider,
			"providerType": i.providerType,
			"issuer":       nil,
			"primary":      fmt.Sprint(i.primary),
			"dateCreated":  fmt.Sprint(i.created.UnixMilli()),
		})
	}
	return entries
}
