package lambda_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ssu-itsupport/cognito-sso/lambda"
)

type cognitoFunc func(context.Context, *cognitoidentityprovider.AdminUpdateUserAttributesInput) error

func (f cognitoFunc) AdminUpdateUserAttributes(ctx context.Context, in *cognitoidentityprovider.AdminUpdateUserAttributesInput,
	_ ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.AdminUpdateUserAttributesOutput, error) {
	return &cognitoidentityprovider.AdminUpdateUserAttributesOutput{}, f(ctx, in)
}

type sqsFunc func(context.Context, *sqs.SendMessageInput) error

func (f sqsFunc) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	return &sqs.SendMessageOutput{}, f(ctx, in)
}

func TestCognitoAttributes(t *testing.T) {
	t.Parallel()
	calls := 0
	a := lambda.NewCognitoAttributes(cognitoFunc(func(_ context.Context, in *cognitoidentityprovider.AdminUpdateUserAttributesInput) error {
		calls++
		if *in.UserPoolId != "p" || *in.Username != "Kakao_1" || len(in.UserAttributes) != 1 ||
			*in.UserAttributes[0].Name != "custom:userId" || *in.UserAttributes[0].Value != "42" {
			t.Errorf("input = %+v", in)
		}
		return nil
	}))
	if err := a.SetUserID(t.Context(), "p", "Kakao_1", "custom:userId", "42"); err != nil || calls != 1 {
		t.Fatalf("SetUserID: %v after %d calls", err, calls)
	}
}

func TestSQSSignIns(t *testing.T) {
	t.Parallel()
	var body string
	q := lambda.NewSQSSignIns(sqsFunc(func(_ context.Context, in *sqs.SendMessageInput) error {
		if *in.QueueUrl != "https://queue.test/1/q" {
			t.Errorf("url = %s", *in.QueueUrl)
		}
		body = *in.MessageBody
		return nil
	}), "https://queue.test/1/q")
	if err := q.Send(t.Context(), signIn(3)); err != nil {
		t.Fatal(err)
	}
	if want := `{"v":1,"sub":"sub-3","userPoolId":"p","at":"2026-03-02T09:00:03Z"}`; body != want {
		t.Errorf("body = %s, want %s", body, want)
	}
	if got, err := lambda.ParseSignIn([]byte(body)); err != nil || got != signIn(3) {
		t.Errorf("ParseSignIn = %+v, %v", got, err)
	}
}

// AWS's messages quote the input.
func TestAWSErrorsAreHidden(t *testing.T) {
	t.Parallel()
	text := "1 validation error detected: Value 'Kakao_4000000001' at 'username' failed"
	for want, cause := range map[string]error{
		"TooManyRequestsException":  &types.TooManyRequestsException{Message: &text},
		"InvalidParameterException": &types.InvalidParameterException{Message: &text},
		"timeout":                   context.DeadlineExceeded,
		"cancelled":                 context.Canceled,
		"no answer":                 errors.New("dial tcp: " + text),
	} {
		errs := []error{
			lambda.NewCognitoAttributes(cognitoFunc(func(context.Context, *cognitoidentityprovider.AdminUpdateUserAttributesInput) error { return cause })).
				SetUserID(t.Context(), "p", "u", "custom:userId", "1"),
			lambda.NewSQSSignIns(sqsFunc(func(context.Context, *sqs.SendMessageInput) error { return cause }), "u").Send(t.Context(), signIn(1)),
		}
		for _, err := range errs {
			if !errors.Is(err, cause) || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("error = %v, want …%s", err, want)
			}
			wantNothingPersonal(t, "error", err.Error())
		}
	}
}
