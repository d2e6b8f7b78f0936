package lambda

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// CognitoAPI is what [NewCognitoAttributes] needs of a
// [cognitoidentityprovider.Client].
type CognitoAPI interface {
	AdminUpdateUserAttributes(context.Context, *cognitoidentityprovider.AdminUpdateUserAttributesInput,
		...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.AdminUpdateUserAttributesOutput, error)
}

// CognitoAttributes are the user attributes of Amazon Cognito.
type CognitoAttributes struct{ api CognitoAPI }

var _ Attributes = (*CognitoAttributes)(nil)

// NewCognitoAttributes writes attributes through api, whose client decides on
// retries: the quota is 25 a second, so give it few. The function needs
// cognito-idp:AdminUpdateUserAttributes on the pool, and a way to the public
// endpoint: a pool with a domain refuses its PrivateLink endpoint.
func NewCognitoAttributes(api CognitoAPI) *CognitoAttributes { return &CognitoAttributes{api: api} }

// SetUserID implements [Attributes].
func (a *CognitoAttributes) SetUserID(ctx context.Context, userPoolID, username, name, value string) error {
	var n tries
	defer n.report(ctx)
	_, err := a.api.AdminUpdateUserAttributes(ctx, &cognitoidentityprovider.AdminUpdateUserAttributesInput{
		UserPoolId:     &userPoolID,
		Username:       &username,
		UserAttributes: []types.AttributeType{{Name: &name, Value: &value}},
	}, func(o *cognitoidentityprovider.Options) { o.APIOptions = append(o.APIOptions, n.count) })
	return hideAWS("AdminUpdateUserAttributes", err)
}

// awsError is an error of an AWS call that may be logged: AWS's own messages
// quote the input, such as a username.
type awsError struct {
	op, code string
	err      error
}

func (e *awsError) Error() string { return "lambda: " + e.op + ": " + e.code }
func (e *awsError) Unwrap() error { return e.err }

func hideAWS(op string, err error) error {
	if err == nil {
		return nil
	}
	code := "no answer"
	var api interface{ ErrorCode() string }
	switch {
	case errors.As(err, &api):
		code = api.ErrorCode()
	case errors.Is(err, context.DeadlineExceeded):
		code = "timeout"
	case errors.Is(err, context.Canceled):
		code = "cancelled"
	}
	return &awsError{op: op, code: code, err: err}
}
