package ssotest

import "errors"

// triggerError is a trigger that failed.
type triggerError struct {
	Trigger string // such as "PreSignUp"
	Message string // what the function said
	// Type is the API's exception; "" is UserLambdaValidationException, a function that answered with an error.
	Type string
}

// The exceptions of a trigger that failed.
const (
	lambdaRefused    = "UserLambdaValidationException"
	lambdaUnexpected = "UnexpectedLambdaException"
	lambdaMalformed  = "InvalidLambdaResponseException"
)

// Error is the text that Cognito shows.
func (e *triggerError) Error() string {
	switch e.Type {
	case lambdaUnexpected:
		return e.Trigger + " invocation failed due to error " + e.Message + "."
	case lambdaMalformed:
		return e.Message
	default:
		return e.Trigger + " failed with error " + e.Message + "."
	}
}

// apiError is an error of the cognito-idp API: HTTP 400 (500 for InternalErrorException) and __type.
type apiError struct{ Type, Message string }

func (e *apiError) Error() string { return e.Type + ": " + e.Message }

// oauthError is an error code of an OAuth endpoint.
type oauthError struct{ Code, Description string }

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

// errRevokeUnsupported is what revoke reports of a token that is not a refresh token.
var errRevokeUnsupported = errors.New("ssotest: only refresh tokens can be revoked")
