package lambda

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// tokenV1 reports the shape that knows the ID token only. V2 and V3 share one.
func (e *event) tokenV1() bool { return e.tokenVersion() < 2 }

// tokenVersion is 1, 2 or 3. An event with scopes is no V1, whatever it says.
func (e *event) tokenVersion() int {
	v := max(1, min(3, e.version()))
	if _, scopes := e.request["scopes"]; scopes && v < 2 {
		return 2
	}
	return v
}

// tokenDetails is the member of the answer that is about tokens.
func (e *event) tokenDetails() string {
	if e.tokenV1() {
		return "claimsOverrideDetails"
	}
	return "claimsAndScopeOverrideDetails"
}

// keepGroups takes out a group override that was in the event and names no
// group: it would take the user's groups out of the token. Without the member
// they stay.
func (e *event) keepGroups() error {
	var details object
	if !decodeObject(e.response[e.tokenDetails()], &details) {
		return fmt.Errorf("%w: %s is not an object", ErrBadEvent, e.tokenDetails())
	}
	if raw, there := details["groupOverrideDetails"]; !there || hasGroups(raw) {
		return nil
	}
	return e.edit(func(details object) error {
		delete(details, "groupOverrideDetails")
		return nil
	})
}

// editTokens changes the part of the answer that is about tokens: for the ID
// token, and, where the event has it, for the access token.
func (e *event) editTokens(idToken, accessToken func(object) error) error {
	if e.tokenV1() {
		return e.edit(idToken)
	}
	return e.edit(func(details object) error {
		if err := editMember(details, "idTokenGeneration", idToken); err != nil {
			return err
		}
		return editMember(details, "accessTokenGeneration", accessToken)
	})
}

// addClaim puts a claim into every token that the event can change.
func (e *event) addClaim(name, value string) error {
	raw, err := encode(value)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrBadEvent, name)
	}
	change := func(o object) error { return encodedToken{add: object{name: raw}}.write(o) }
	return e.editTokens(change, change)
}

// suppressClaim takes a claim out of every token that the event can change.
func (e *event) suppressClaim(name string) error {
	change := func(o object) error { return encodedToken{suppress: []string{name}}.write(o) }
	return e.editTokens(change, change)
}

// edit changes what the answer says of tokens.
func (e *event) edit(change func(object) error) error {
	e.edited = true
	return editMember(e.response, e.tokenDetails(), change)
}

// write puts the claims into the answer.
func (c encodedClaims) write(e *event) error {
	if !c.id.empty() || !c.access.empty() || len(c.addScopes)+len(c.dropScopes) > 0 {
		err := e.editTokens(c.id.write, func(o object) error {
			if err := c.access.write(o); err != nil {
				return err
			}
			if err := addToList(o, "scopesToAdd", c.addScopes); err != nil {
				return err
			}
			return addToList(o, "scopesToSuppress", c.dropScopes)
		})
		if err != nil {
			return err
		}
	}
	if !c.overrideGroups {
		return nil
	}
	return e.overrideGroups(c.groups)
}

// overrideGroups replaces the groups. Cognito takes the member as a whole, so
// it repeats the roles.
func (e *event) overrideGroups(groups []string) error {
	override, err := groupConfiguration(e)
	if err != nil {
		return err
	}
	if groups == nil {
		groups = []string{}
	}
	if override["groupsToOverride"], err = encode(groups); err != nil {
		return fmt.Errorf("%w: groups", ErrBadClaims)
	}
	raw, err := encode(override)
	if err != nil {
		return fmt.Errorf("%w: groupConfiguration", ErrBadEvent)
	}
	return e.edit(func(details object) error {
		details["groupOverrideDetails"] = raw
		return nil
	})
}

// groupConfiguration is what the event says of groups and roles.
func groupConfiguration(e *event) (object, error) {
	var groups object
	if !decodeObject(e.request["groupConfiguration"], &groups) {
		return nil, fmt.Errorf("%w: groupConfiguration is not an object", ErrBadEvent)
	}
	return groups, nil
}

// write adds claims, and takes them off the list of suppressed ones, which
// would win.
func (t encodedToken) write(o object) error {
	if len(t.add) > 0 {
		err := editMember(o, "claimsToAddOrOverride", func(claims object) error {
			maps.Copy(claims, t.add)
			return nil
		})
		if err != nil {
			return err
		}
		if err := dropFromList(o, "claimsToSuppress", t.add); err != nil {
			return err
		}
	}
	return addToList(o, "claimsToSuppress", t.suppress)
}

// addToList appends what is not in the list of strings yet.
func addToList(o object, member string, add []string) error {
	if len(add) == 0 {
		return nil
	}
	list, ok := rawList(o[member])
	if !ok {
		return fmt.Errorf("%w: %s is not a list", ErrBadEvent, member)
	}
	for _, s := range add {
		raw, err := encode(s)
		if err != nil {
			return fmt.Errorf("%w: %s", ErrBadClaims, member)
		}
		if !slices.ContainsFunc(list, func(r json.RawMessage) bool { return text(r) == s }) {
			list = append(list, raw)
		}
	}
	return setList(o, member, list)
}

// dropFromList takes the names out of the list of strings.
func dropFromList(o object, member string, names object) error {
	list, ok := rawList(o[member])
	if !ok {
		return fmt.Errorf("%w: %s is not a list", ErrBadEvent, member)
	}
	kept := slices.DeleteFunc(slices.Clone(list), func(r json.RawMessage) bool { _, drop := names[text(r)]; return drop })
	if len(kept) == len(list) {
		return nil
	}
	return setList(o, member, kept)
}

func setList(o object, member string, list []json.RawMessage) error {
	raw, err := encode(list)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrBadEvent, member)
	}
	o[member] = raw
	return nil
}

// editMember changes the object in a member of o, making it if there is none.
func editMember(o object, member string, change func(object) error) error {
	var inner object
	if !decodeObject(o[member], &inner) {
		return fmt.Errorf("%w: %s is not an object", ErrBadEvent, member)
	}
	before := len(inner)
	if err := change(inner); err != nil {
		return err
	}
	if _, there := o[member]; !there && before+len(inner) == 0 {
		return nil // nothing was there, and nothing is
	}
	v, err := encode(inner)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrBadEvent, member)
	}
	o[member] = v
	return nil
}

// hasGroups reports whether a group override names a group.
func hasGroups(raw json.RawMessage) bool {
	var o object
	if !decodeObject(raw, &o) {
		return false
	}
	return slices.ContainsFunc(textList(o["groupsToOverride"]), func(g string) bool { return g != "" })
}
