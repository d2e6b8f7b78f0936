package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"
)

// CognitoAPI is what [NewCognitoPool] needs of a
// [cognitoidentityprovider.Client].
type CognitoAPI interface {
	ListUsers(context.Context, *cognitoidentityprovider.ListUsersInput,
		...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.ListUsersOutput, error)
	AdminGetUser(context.Context, *cognitoidentityprovider.AdminGetUserInput,
		...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.AdminGetUserOutput, error)
	AdminUpdateUserAttributes(context.Context, *cognitoidentityprovider.AdminUpdateUserAttributesInput,
		...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.AdminUpdateUserAttributesOutput, error)
	DescribeUserPool(context.Context, *cognitoidentityprovider.DescribeUserPoolInput,
		...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.DescribeUserPoolOutput, error)
}

// CognitoPool is a user pool of Amazon Cognito.
type CognitoPool struct {
	api CognitoAPI
	id  string
}

var (
	_ Pool      = (*CognitoPool)(nil)
	_ Estimator = (*CognitoPool)(nil)
)

// NewCognitoPool reads and writes the pool with this id through api. Give the
// client one attempt (RetryMaxAttempts: 1): [Run] itself waits and tries again,
// and keeps count. It needs cognito-idp:ListUsers, AdminGetUser and, to apply,
// AdminUpdateUserAttributes; with DescribeUserPool there is a better progress
// bar. A pool with a domain refuses its PrivateLink endpoint, so it must reach
// the public one.
func NewCognitoPool(api CognitoAPI, id string) *CognitoPool { return &CognitoPool{api: api, id: id} }

const (
	pageSize    = 60 // the most that ListUsers gives
	callTimeout = 20 * time.Second
)

// ID implements [Pool].
func (p *CognitoPool) ID() string { return p.id }

// List implements [Pool]. It asks for all attributes: a list of names is
// refused for users who lack one of them.
func (p *CognitoPool) List(ctx context.Context, token string) ([]PoolUser, string, error) {
	in := &cognitoidentityprovider.ListUsersInput{UserPoolId: &p.id, Limit: aws.Int32(pageSize)}
	if token != "" {
		in.PaginationToken = &token
	}
	out, err := p.list(ctx, in)
	if err != nil {
		var bad *types.InvalidParameterException
		if token != "" && errors.As(err, &bad) {
			return nil, "", fmt.Errorf("%w: %w", ErrToken, err)
		}
		return nil, "", err
	}
	page := make([]PoolUser, 0, len(out.Users))
	for _, u := range out.Users {
		page = append(page, poolUser(u))
	}
	return page, aws.ToString(out.PaginationToken), nil
}

// BySub implements [Pool]. AdminGetUser takes a sub for native users only, so
// it is a filtered list.
func (p *CognitoPool) BySub(ctx context.Context, sub string) (PoolUser, error) {
	filter := `sub = "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(sub) + `"`
	out, err := p.list(ctx, &cognitoidentityprovider.ListUsersInput{UserPoolId: &p.id, Limit: aws.Int32(1), Filter: &filter})
	if err != nil {
		return PoolUser{}, err
	}
	if len(out.Users) == 0 {
		return PoolUser{}, ErrNoUser
	}
	return poolUser(out.Users[0]), nil
}

func (p *CognitoPool) list(ctx context.Context, in *cognitoidentityprovider.ListUsersInput) (*cognitoidentityprovider.ListUsersOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := p.api.ListUsers(ctx, in)
	return out, classify("ListUsers", err)
}

// User implements [Pool].
func (p *CognitoPool) User(ctx context.Context, username string) (PoolUser, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := p.api.AdminGetUser(ctx, &cognitoidentityprovider.AdminGetUserInput{UserPoolId: &p.id, Username: &username})
	if err != nil {
		return PoolUser{}, classify("AdminGetUser", err)
	}
	return PoolUser{
		Username: aws.ToString(out.Username), Status: string(out.UserStatus), Disabled: !out.Enabled,
		Created: aws.ToTime(out.UserCreateDate), Attributes: attributes(out.UserAttributes),
	}, nil
}

// SetAttribute implements [Pool].
func (p *CognitoPool) SetAttribute(ctx context.Context, username, name, value string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := p.api.AdminUpdateUserAttributes(ctx, &cognitoidentityprovider.AdminUpdateUserAttributesInput{
		UserPoolId: &p.id, Username: &username, UserAttributes: []types.AttributeType{{Name: &name, Value: &value}},
	})
	return classify("AdminUpdateUserAttributes", err)
}

// Estimate implements [Estimator].
func (p *CognitoPool) Estimate(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := p.api.DescribeUserPool(ctx, &cognitoidentityprovider.DescribeUserPoolInput{UserPoolId: &p.id})
	if err != nil {
		return 0, classify("DescribeUserPool", err)
	}
	if out.UserPool == nil {
		return 0, nil
	}
	return int(out.UserPool.EstimatedNumberOfUsers), nil
}

func poolUser(u types.UserType) PoolUser {
	return PoolUser{
		Username: aws.ToString(u.Username), Status: string(u.UserStatus), Disabled: !u.Enabled,
		Created: aws.ToTime(u.UserCreateDate), Attributes: attributes(u.Attributes),
	}
}

func attributes(list []types.AttributeType) map[string]string {
	all := make(map[string]string, len(list))
	for _, a := range list {
		all[aws.ToString(a.Name)] = aws.ToString(a.Value)
	}
	return all
}

// callError is an error of a call that may be printed: AWS's own messages
// quote the input, such as a username.
type callError struct {
	op, code string
	kind     error // nil if trying again does not help
	err      error
}

func (e *callError) Error() string   { return e.op + ": " + e.code }
func (e *callError) Unwrap() []error { return []error{e.kind, e.err} }

func classify(op string, err error) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return &callError{op, "no answer", ErrUnavailable, err}
	}
	e := &callError{op: op, code: api.ErrorCode(), err: err}
	switch e.code {
	case "TooManyRequestsException", "ThrottlingException":
		e.kind = ErrThrottled
	case "UserNotFoundException":
		e.kind = ErrNoUser
	case "InternalErrorException", "InternalFailure", "InternalServerException", "ServiceUnavailable", "ServiceUnavailableException":
		e.kind = ErrUnavailable
	default:
		if api.ErrorFault() == smithy.FaultServer {
			e.kind = ErrUnavailable
		}
	}
	return e
}
