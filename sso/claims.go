package sso

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/strictjson"
)

// payloadLimits bound a payload. A real one nests 3 deep; 100 groups, the most
// a user can have, and a Lambda's own claims leave it far below these.
var payloadLimits = strictjson.Limits{Depth: 32, Values: 4096}

const (
	maxSubjectLen = 255
	maxLifetime   = 24 * time.Hour // the longest that Cognito gives an access or ID token
	// iatSlack is how far beyond Leeway iat may lie in the future. iat from a
	// clock a little ahead of ours has broken logins (nextstrain/cli #307),
	// and a token is no less genuine for it; but an hour ahead is an incident.
	iatSlack = 5 * time.Minute
)

// claims are the members of a payload that are looked at, as they stand in
// it: "" is absent. Every other member is ignored, since AWS adds claims.
type claims struct {
	iss, tokenUse, aud, clientID string
	exp, iat, nbf, authTime      string
	sub, username, cognitoName   string
	scope, groups, identities    string
	userID                       string
	email, emailVerified, name   string
	jti, originJTI               string
	nonce, atHash                string
}

// parseClaims finds the claims of a payload. It looks at no value.
func parseClaims(payload, userIDClaim string) (c claims, err error) {
	err = strictjson.Object(payload, payloadLimits, func(name, value string) {
		if dst := c.field(name); dst != nil {
			*dst = value
		}
		if name == userIDClaim {
			c.userID = value
		}
	})
	if err != nil {
		return claims{}, fmt.Errorf("%w: payload is not a strict JSON object", ErrMalformed)
	}
	return c, nil
}

// field returns where the claim of that exact name goes, nil if it is ignored.
func (c *claims) field(name string) *string {
	switch name {
	case "iss":
		return &c.iss
	case "token_use":
		return &c.tokenUse
	case "aud":
		return &c.aud
	case "client_id":
		return &c.clientID
	case "exp":
		return &c.exp
	case "iat":
		return &c.iat
	case "nbf":
		return &c.nbf
	case "auth_time":
		return &c.authTime
	case "sub":
		return &c.sub
	case "username":
		return &c.username
	case "cognito:username":
		return &c.cognitoName
	case "scope":
		return &c.scope
	case "cognito:groups":
		return &c.groups
	case "identities":
		return &c.identities
	case "email":
		return &c.email
	case "email_verified":
		return &c.emailVerified
	case "name":
		return &c.name
	case "jti":
		return &c.jti
	case "origin_jti":
		return &c.originJTI
	case "nonce":
		return &c.nonce
	case "at_hash":
		return &c.atHash
	}
	return nil
}

// badClaim is ErrClaim with a fixed text about the claim; never its value.
func badClaim(name, problem string) error {
	return fmt.Errorf("%w: %s %s", ErrClaim, name, problem)
}

// use returns the token use.
func (c *claims) use() (TokenUse, bool) {
	switch {
	case strictjson.Equal(c.tokenUse, string(UseAccess)):
		return UseAccess, true
	case strictjson.Equal(c.tokenUse, string(UseID)):
		return UseID, true
	}
	return "", false
}

// client returns the app client a token was issued to: aud of an ID token, as
// text or as a list of one; client_id of an access token, whose aud is absent
// or names a resource and says nothing about the client.
func (c *claims) client(use TokenUse) (string, bool) {
	value := c.clientID
	if use == UseID {
		value = c.aud
		if len(value) > 0 && value[0] == '[' {
			list, ok := stringList(value)
			if !ok || len(list) != 1 {
				return "", false
			}
			return list[0], true
		}
	}
	return strictjson.String(value)
}

// times checks and fills in every date but exp, which was checked already.
// It returns since when the token has been good: the clock might be set back.
func (c *claims) times(t *Token, now time.Time, leeway time.Duration) (from time.Time, err error) {
	iat, ok := numericDate(c.iat)
	if !ok {
		return from, badClaim("iat", "is missing or no date")
	}
	if iat.After(now.Add(leeway + iatSlack)) {
		return from, fmt.Errorf("%w: iat is in the future", ErrNotYetValid)
	}
	if iat.After(t.ExpiresAt) {
		return from, badClaim("iat", "is after exp")
	}
	if t.ExpiresAt.Sub(iat) > maxLifetime+leeway {
		return from, badClaim("exp", "is more than 24 hours after iat")
	}
	t.IssuedAt = iat
	from = iat.Add(-leeway - iatSlack)
	if c.nbf != "" {
		nbf, ok := numericDate(c.nbf)
		if !ok {
			return from, badClaim("nbf", "is no date")
		}
		if nbf.After(now.Add(leeway)) {
			return from, fmt.Errorf("%w: nbf is in the future", ErrNotYetValid)
		}
		if begin := nbf.Add(-leeway); begin.After(from) {
			from = begin
		}
	}
	if c.authTime != "" {
		if t.AuthTime, ok = numericDate(c.authTime); !ok {
			return from, badClaim("auth_time", "is no date")
		}
	}
	return from, nil
}

// fill checks and fills in everything that is neither a date nor about who
// may accept the token, in the order that [Verifier] documents.
func (c *claims) fill(t *Token, kind UserIDKind) error {
	var ok bool
	if t.Subject, ok = strictjson.String(c.sub); !ok || t.Subject == "" || len(t.Subject) > maxSubjectLen {
		return badClaim("sub", "is not a string of 1 to 255 bytes")
	}
	if c.groups != "" {
		// A list with anything but strings is bad as a whole: a group that
		// was skipped might be the one that a deny rule looks for.
		if t.groups, ok = stringList(c.groups); !ok {
			return badClaim("cognito:groups", "is not a list of strings")
		}
	}
	if c.scope != "" {
		scope, ok := strictjson.String(c.scope)
		if !ok {
			return badClaim("scope", "is not a string")
		}
		if t.Use == UseAccess { // an ID token grants nothing
			t.scopes = splitScope(scope)
		}
	}
	if err := c.fillUserID(t, kind); err != nil {
		return err
	}
	return c.fillRest(t)
}

// fillUserID reads the organisation's user id. Absence is no error here; a
// value of another form is one, even null.
func (c *claims) fillUserID(t *Token, kind UserIDKind) error {
	if c.userID == "" {
		return nil
	}
	// A JSON string, as Cognito gives every custom attribute, whatever its
	// declared type. A JSON number would be rounded by many readers.
	id, ok := strictjson.String(c.userID)
	if !ok || !kind.valid(id) {
		return ErrUserID
	}
	t.UserID = UserID(id)
	return nil
}

// fillRest reads the descriptive claims.
func (c *claims) fillRest(t *Token) error {
	name, claim := c.username, "username"
	if t.Use == UseID {
		name, claim = c.cognitoName, "cognito:username"
	}
	if name != "" {
		var ok bool
		if t.Username, ok = strictjson.String(name); !ok || t.Username == "" {
			return badClaim(claim, "is not a non-empty string")
		}
	}
	for _, s := range [...]struct {
		name  string
		value string
		dst   *string
	}{
		{"email", c.email, &t.Email},
		{"name", c.name, &t.Name},
		{"jti", c.jti, &t.ID},
		{"origin_jti", c.originJTI, &t.OriginID},
		{"nonce", c.nonce, &t.nonce},
		{"at_hash", c.atHash, &t.atHash},
	} {
		if s.value == "" {
			continue
		}
		var ok bool
		if *s.dst, ok = strictjson.String(s.value); !ok {
			return badClaim(s.name, "is not a string")
		}
	}
	// true in a token, "true" where an attribute was copied into one. All
	// else, "false" above all, is not verified (cognito-local makes it true).
	t.EmailVerified = c.emailVerified == "true" || strictjson.Equal(c.emailVerified, "true")

	if c.identities != "" {
		var err error
		if t.identities, err = parseIdentities(c.identities); err != nil {
			return badClaim("identities", "is not a list of identities")
		}
	}
	if t.Machine() {
		t.UserID = "" // no user is behind it, whatever a trigger wrote
	}
	return nil
}

// stringList reads a list of strings.
func stringList(value string) ([]string, bool) {
	var list []string
	all := true
	err := strictjson.Array(value, payloadLimits, func(element string) {
		s, ok := strictjson.String(element)
		all = all && ok
		if list == nil { // once is enough for what is real
			list = make([]string, 0, min(1+strings.Count(value, ","), 16))
		}
		list = append(list, s)
	})
	if err != nil || !all {
		return nil, false
	}
	return list, true
}

// splitScope splits at spaces, and at nothing else (RFC 6749 §3.3). Two spaces
// in a row do not make an empty scope, which a careless requirement might
// match.
func splitScope(s string) []string {
	return slices.DeleteFunc(strings.Split(s, " "), func(scope string) bool { return scope == "" })
}

var errIdentities = errors.New("not a list of identities")

// parseIdentities reads the identities claim. It comes in two encodings: in a
// token, primary is "true" or "false" and dateCreated a string of Unix
// milliseconds; as the user attribute has it, they are a boolean and a
// number, and the list itself may be within a string. Both are read, since
// copying the attribute into the token is a natural thing for a trigger or an
// emulator to do.
func parseIdentities(value string) ([]Identity, error) {
	if text, ok := strictjson.String(value); ok {
		value = text
	}
	var list []Identity
	var m identityMembers
	good := true
	err := strictjson.Objects(value, payloadLimits, m.set, func() {
		id, ok := m.identity()
		good = good && ok
		list = append(list, id)
		m = identityMembers{}
	})
	if err != nil || !good {
		return nil, errIdentities
	}
	return list, nil
}

// identityMembers are the members of one identity, as they stand in the claim.
type identityMembers struct{ provider, providerType, userID, primary, created string }

func (m *identityMembers) set(name, value string) {
	switch name {
	case "providerName":
		m.provider = value
	case "providerType":
		m.providerType = value
	case "userId":
		m.userID = value
	case "primary":
		m.primary = value
	case "dateCreated":
		m.created = value
	}
}

// identity reads one identity. Provider and user id are required: they are
// what accounts are linked by.
func (m *identityMembers) identity() (id Identity, ok bool) {
	if id.Provider, ok = strictjson.String(m.provider); !ok || id.Provider == "" {
		return Identity{}, false
	}
	if id.UserID, ok = strictjson.String(m.userID); !ok || id.UserID == "" {
		return Identity{}, false
	}
	if !absent(m.providerType) {
		if id.ProviderType, ok = strictjson.String(m.providerType); !ok {
			return Identity{}, false
		}
	}
	if !absent(m.primary) {
		if id.Primary, ok = boolean(m.primary); !ok {
			return Identity{}, false
		}
	}
	if !absent(m.created) {
		if id.Created, ok = milliseconds(m.created); !ok {
			return Identity{}, false
		}
	}
	return id, true
}

// absent reports whether an optional member of an identity is not there; AWS
// writes null for one that is empty.
func absent(value string) bool { return value == "" || value == "null" }

// boolean reads true or "true", false or "false".
func boolean(value string) (b, ok bool) {
	text, quoted := strictjson.String(value)
	if !quoted {
		text = value
	}
	return text == "true", text == "true" || text == "false"
}

// milliseconds reads Unix milliseconds, as a number or as a string of one.
func milliseconds(value string) (time.Time, bool) {
	text, quoted := strictjson.String(value)
	if !quoted {
		text = value
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms < 0 || ms >= endOfTime*1000 {
		return time.Time{}, false
	}
	return time.UnixMilli(ms).UTC(), true
}
