package sso

import (
	"encoding/json"
	"net/http"
	"regexp"
)

// AuthError is an error that Cognito sent to the callback, or that one of its
// endpoints answered (RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7009
// §2.2.1). It is a decision of Cognito's, never an outage: it is not
// [ErrUnavailable].
type AuthError struct {
	// Code is the error code, such as "access_denied", "login_required" or
	// "invalid_grant"; an unknown one is reported as "other", so that Code is
	// safe to log and to count.
	Code string
	// Status is the HTTP status of the endpoint, 0 for a callback.
	Status int
	// description is kept for Description; it may hold what a trigger said.
	// It is a pointer so that package fmt cannot print it.
	description *string
}

// Error names the code. It never holds the description.
func (e *AuthError) Error() string { return "sso: authorization server answered " + e.Code }

// Description returns Cognito's error_description. It is not stable, and it
// may hold personal data: show it to nobody and log it nowhere without
// thought.
func (e *AuthError) Description() string {
	if e.description == nil {
		return ""
	}
	return *e.description
}

// codeOther stands for every error code that is not in knownCodes.
const codeOther = "other"

// knownCodes are the error codes of the specifications that Cognito's
// endpoints follow.
var knownCodes = map[string]bool{
	// RFC 6749 §4.1.2.1: the callback.
	"invalid_request": true, "unauthorized_client": true, "access_denied": true,
	"unsupported_response_type": true, "invalid_scope": true, "server_error": true,
	"temporarily_unavailable": true,
	// OpenID Connect Core 1.0 §3.1.2.6.
	"interaction_required": true, "login_required": true, "account_selection_required": true,
	"consent_required": true, "invalid_request_uri": true, "invalid_request_object": true,
	"request_not_supported": true, "request_uri_not_supported": true, "registration_not_supported": true,
	// RFC 6749 §5.2: the token endpoint.
	"invalid_client": true, "invalid_grant": true, "unsupported_grant_type": true,
	// RFC 8707 §2.
	"invalid_target": true,
	// RFC 7009 §2.2.1: the revocation endpoint.
	"unsupported_token_type": true,
	// RFC 6750 §3.1: userInfo.
	"invalid_token": true, "insufficient_scope": true,
}

// maxDescriptionLen bounds what Description returns; longer ones are dropped.
const maxDescriptionLen = 4096

func newAuthError(status int, code, description string) *AuthError {
	if !knownCodes[code] {
		code = codeOther
	}
	e := &AuthError{Code: code, Status: status}
	if description != "" && len(description) <= maxDescriptionLen {
		e.description = &description
	}
	return e
}

// Cognito's userInfo answers these parameters without the word Bearer.
var (
	challengeError       = regexp.MustCompile(`(?:^|[\s,])error="([^"]+)"`)
	challengeDescription = regexp.MustCompile(`(?:^|[\s,])error_description="([^"]*)"`)
)

// authErrorIn finds the OAuth error in a 4xx answer: in its JSON body, else in
// its WWW-Authenticate header. It returns nil if there is none, as with a
// firewall's page.
func authErrorIn(resp *http.Response, body []byte) *AuthError {
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(body, &answer); err == nil && answer.Error != "" {
		return newAuthError(resp.StatusCode, answer.Error, answer.Description)
	}
	challenge := resp.Header.Get("WWW-Authenticate")
	code := challengeError.FindStringSubmatch(challenge)
	if code == nil {
		return nil
	}
	description := ""
	if m := challengeDescription.FindStringSubmatch(challenge); m != nil {
		description = m[1]
	}
	return newAuthError(resp.StatusCode, code[1], description)
}
