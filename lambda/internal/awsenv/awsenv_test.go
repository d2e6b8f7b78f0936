package awsenv_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/awsenv"
)

// recorder is an HTTP client that keeps where it was sent.
type recorder struct{ host, authorization string }

func (r *recorder) Do(req *http.Request) (*http.Response, error) {
	r.host, r.authorization = req.URL.Host, req.Header.Get("Authorization")
	return nil, errors.New("not sent")
}

var url, pool, name = "https://q.test/1/q", "ap-northeast-2_X", "custom:userId"

// called loads the environment, and says where SQS and Cognito are called.
func called(t *testing.T) (queue, cognito recorder) {
	t.Helper()
	cfg, err := awsenv.Load()
	if err != nil {
		t.Fatal(err)
	}
	cfg.RetryMaxAttempts = 1
	_, _ = sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.HTTPClient = &queue }).
		SendMessage(context.Background(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &name})
	_, _ = cognitoidentityprovider.NewFromConfig(cfg, func(o *cognitoidentityprovider.Options) { o.HTTPClient = &cognito }).
		AdminGetUser(context.Background(), &cognitoidentityprovider.AdminGetUserInput{UserPoolId: &pool, Username: &name})
	return queue, cognito
}

func TestLoad(t *testing.T) {
	for _, row := range []struct {
		name           string
		env            map[string]string
		queue, cognito string
	}{
		{"AWS", nil, "sqs.ap-northeast-2.amazonaws.com", "cognito-idp.ap-northeast-2.amazonaws.com"},
		{"a queue elsewhere", map[string]string{"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"}, "127.0.0.1:1", "cognito-idp.ap-northeast-2.amazonaws.com"},
		{"a name of several words", map[string]string{"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": "http://127.0.0.1:2"}, "sqs.ap-northeast-2.amazonaws.com", "127.0.0.1:2"},
		{"all elsewhere", map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:3"}, "127.0.0.1:3", "127.0.0.1:3"},
		{"all and one elsewhere", map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:3", "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"}, "127.0.0.1:1", "127.0.0.1:3"},
		{"FIPS", map[string]string{"AWS_REGION": "us-east-1", "AWS_USE_FIPS_ENDPOINT": "true"}, "sqs-fips.us-east-1.amazonaws.com", "cognito-idp-fips.us-east-1.amazonaws.com"},
		{"dual stack", map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "sqs.ap-northeast-2.api.aws", "cognito-idp.ap-northeast-2.amazonaws.com"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv("AWS_REGION", "ap-northeast-2")
			t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
			for k, v := range row.env {
				t.Setenv(k, v)
			}
			queue, cognito := called(t)
			if queue.host != row.queue || cognito.host != row.cognito || !strings.Contains(queue.authorization, "Credential=AKID/") {
				t.Errorf("SQS %s, Cognito %s, by %s", queue.host, cognito.host, queue.authorization)
			}
		})
	}
}

func TestLoadWithout(t *testing.T) { //nolint:paralleltest // it changes the environment
	needed := []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
	for _, v := range needed {
		t.Setenv(v, "")
	}
	_, err := awsenv.Load()
	if err == nil {
		t.Fatal("no error")
	}
	for _, v := range needed {
		if !strings.Contains(err.Error(), v+": ") {
			t.Errorf("%s is not named: %v", v, err)
		}
	}
}
