package chaos

import (
	"encoding/json"
	"strconv"
)

// Event is a trigger event, or its answer.
type Event = json.RawMessage

// event is a trigger event as Cognito sends it.
func event(source, version, username string, request, response map[string]any) json.RawMessage {
	raw, err := json.Marshal(map[string]any{
		"version": version, "triggerSource": source, "region": "ap-northeast-2", "userPoolId": poolID, "userName": username,
		"callerContext": map[string]string{"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "chaos"},
		"request":       request, "response": response,
	})
	if err != nil {
		panic(err) // strings, lists and nulls
	}
	return raw
}

// preSignUpEvent has no sub, no identities and no status yet.
func preSignUpEvent(source string, p *person) json.RawMessage {
	return event(source, "1", p.username, map[string]any{
		"userAttributes": map[string]string{"email": p.email, "email_verified": "false", "cognito:email_alias": ""},
		"validationData": nil,
	}, map[string]any{"autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false})
}

func userEvent(source, username string, attributes map[string]string) json.RawMessage {
	return event(source, "1", username, map[string]any{"userAttributes": attributes}, map[string]any{})
}

// tokenEvent is the event of a token trigger of this version.
func tokenEvent(source string, version int, username string, attributes map[string]string) json.RawMessage {
	request := map[string]any{
		"userAttributes":     attributes,
		"groupConfiguration": map[string]any{"groupsToOverride": []string{}, "iamRolesToOverride": []string{}, "preferredRole": nil},
	}
	details := "claimsOverrideDetails"
	if version > 1 {
		details = "claimsAndScopeOverrideDetails"
		request["scopes"] = []string{"openid"}
	}
	return event(source, strconv.Itoa(version), username, request, map[string]any{details: nil})
}

// claims are the userIds in the tokens that Cognito makes: the trigger's, or
// else the user's attribute, which an ID token has by itself.
func claims(answer json.RawMessage, attributes map[string]string) (id, access string, err error) {
	type change struct {
		Add map[string]any `json:"claimsToAddOrOverride"`
	}
	var out struct {
		Response struct {
			V1 *change `json:"claimsOverrideDetails"`
			V2 *struct {
				ID     change `json:"idTokenGeneration"`
				Access change `json:"accessTokenGeneration"`
			} `json:"claimsAndScopeOverrideDetails"`
		} `json:"response"`
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return "", "", err
	}
	id = attributes[attribute]
	set := func(dst *string, c change) {
		if v, ok := c.Add[attribute].(string); ok {
			*dst = v
		}
	}
	if v1 := out.Response.V1; v1 != nil {
		set(&id, *v1)
	}
	if v2 := out.Response.V2; v2 != nil {
		set(&id, v2.ID)
		set(&access, v2.Access)
	}
	return id, access, nil
}
