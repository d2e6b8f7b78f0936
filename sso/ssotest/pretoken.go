package ssotest

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest/internal/exactjson"
)

// fixedClaims cannot be changed by a pre token generation trigger, besides every other claim that starts with cognito:.
var fixedClaims = map[string]bool{
	"acr": true, "amr": true, "at_hash": true, "auth_time": true, "azp": true, "client_id": true, "device_key": true,
	"event_id": true, "exp": true, "iat": true, "identities": true, "iss": true, "jti": true, "nbf": true, "nonce": true,
	"origin_jti": true, "scope": true, "sub": true, "token_use": true, "username": true, "version": true,
}

// tokenChange is what a trigger wants of one token.
type tokenChange struct {
	Add           map[string]any `json:"claimsToAddOrOverride"`
	Suppress      []string       `json:"claimsToSuppress"`
	AddScopes     []string       `json:"scopesToAdd"`
	SuppressScope []string       `json:"scopesToSuppress"`
}

// tokenChanges is what a trigger wants of both tokens.
type tokenChanges struct {
	id, access tokenChange
	groups     *groupChange // nil leaves the groups alone
}

// groupChange replaces the groups and roles in both tokens. The zero value suppresses them.
type groupChange struct {
	Groups        []string `json:"groupsToOverride"`
	Roles         []string `json:"iamRolesToOverride"`
	PreferredRole string   `json:"preferredRole"`
}

type groupConfiguration struct {
	Groups        []string `json:"groupsToOverride"`
	Roles         []string `json:"iamRolesToOverride"`
	PreferredRole *string  `json:"preferredRole"`
}

// preTokenRequest is the request of the event; V1_0 has no scopes.
type preTokenRequest struct {
	UserAttributes     map[string]string  `json:"userAttributes"`
	GroupConfiguration groupConfiguration `json:"groupConfiguration"`
	Scopes             *[]string          `json:"scopes,omitempty"`
	ClientMetadata     map[string]string  `json:"clientMetadata,omitempty"`
}

// preTokenGeneration runs the trigger for tokens about to be made.
func (p *Pool) preTokenGeneration(m mint, attributes, metadata map[string]string, source string) (tokenChanges, error) {
	version := p.cfg.Triggers.PreTokenGenerationVersion
	request := preTokenRequest{
		UserAttributes:     attributes,
		GroupConfiguration: groupConfiguration{Groups: orEmpty(m.groups), Roles: orEmpty(m.roles)},
		ClientMetadata:     metadata,
	}
	if m.preferredRole != "" {
		request.GroupConfiguration.PreferredRole = &m.preferredRole
	}
	details := "claimsOverrideDetails"
	if version != "V1_0" {
		details = "claimsAndScopeOverrideDetails"
		scopes := orEmpty(m.scopes)
		request.Scopes = &scopes
	}
	i := invocation{
		trigger:  p.cfg.Triggers.PreTokenGeneration,
		source:   source,
		version:  version[1:2],
		username: m.username,
		clientID: m.client.ClientID,
		request:  request,
		response: map[string]any{details: nil},
	}
	response, err := p.invoke(i)
	if err != nil {
		return tokenChanges{}, err
	}
	var answer map[string]json.RawMessage
	if err := i.decodeResponse(response, &answer); err != nil {
		return tokenChanges{}, err
	}
	changes, err := parseTokenChanges(answer[details], version)
	if err != nil {
		return tokenChanges{}, i.failure(err)
	}
	return changes, nil
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// parseTokenChanges reads the override details of either form. Absent ones change nothing.
func parseTokenChanges(details json.RawMessage, version string) (tokenChanges, error) {
	var changes tokenChanges
	if isNull(details) {
		return changes, nil
	}
	var members map[string]json.RawMessage
	if err := decodeMember(details, &members); err != nil {
		return changes, err
	}
	if version == "V1_0" {
		var v1 struct {
			Add      map[string]string `json:"claimsToAddOrOverride"` // strings only
			Suppress []string          `json:"claimsToSuppress"`
		}
		if err := decodeMember(details, &v1); err != nil {
			return changes, err
		}
		changes.id = tokenChange{Add: make(map[string]any, len(v1.Add)), Suppress: v1.Suppress}
		for name, value := range v1.Add {
			changes.id.Add[name] = value
		}
	} else {
		if err := decodeMember(members["idTokenGeneration"], &changes.id); err != nil {
			return changes, err
		}
		if err := decodeMember(members["accessTokenGeneration"], &changes.access); err != nil {
			return changes, err
		}
	}
	// Once the answer has the member, it counts: an empty or null one suppresses the groups.
	if raw, ok := members["groupOverrideDetails"]; ok {
		changes.groups = new(groupChange)
		return changes, decodeMember(raw, changes.groups)
	}
	return changes, nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// decodeMember reads a member of the answer; null or none leaves dst alone.
func decodeMember(raw json.RawMessage, dst any) error {
	if isNull(raw) {
		return nil
	}
	if err := exactjson.Unmarshal(raw, dst); err != nil {
		return &malformedError{"a member of the override details has the wrong type"}
	}
	return nil
}

// apply changes the claims of a token. Suppressing wins over adding; what cannot be changed is left alone without a word.
func (t tokenChange) apply(claims map[string]any, clientID string) {
	for name, value := range t.Add {
		if changeable(name, value, claims, clientID) {
			claims[name] = value
		}
	}
	for _, name := range t.Suppress {
		if !fixedClaims[name] && name != "aud" && !strings.HasPrefix(name, "cognito:") {
			delete(claims, name)
		}
	}
}

// changeable reports whether a trigger may set a claim. aud may be added to an access token, as the client's id.
func changeable(name string, value any, claims map[string]any, clientID string) bool {
	if name == "aud" {
		return claims["aud"] == nil && value == clientID
	}
	return !fixedClaims[name] && !strings.HasPrefix(name, "cognito:")
}

// scopes are the scopes of the access token.
func (t tokenChange) scopes(granted []string) []string {
	var scopes []string
	for _, s := range slices.Concat(granted, t.AddScopes) {
		if !slices.Contains(scopes, s) && !slices.Contains(t.SuppressScope, s) {
			scopes = append(scopes, s)
		}
	}
	return scopes
}
