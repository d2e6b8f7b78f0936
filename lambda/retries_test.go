package lambda_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ssu-itsupport/cognito-sso/lambda"
)

// fakeAWS throttles the first calls of each operation.
func fakeAWS(t *testing.T, throttled int64) (url string, calls func(op string) int64) {
	t.Helper()
	var update, send atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		n := &send
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "AdminUpdateUserAttributes") {
			n = &update
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if n.Add(1) <= throttled {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"TooManyRequestsException","message":"Rate exceeded"}`)
			return
		}
		_, _ = fmt.Fprint(w, `{"MessageId":"1"}`)
	}))
	t.Cleanup(s.Close)
	return s.URL, func(op string) int64 {
		if op == "update" {
			return update.Load()
		}
		return send.Load()
	}
}

// The retries of the SDK's own clients are counted, whether they help or not.
func TestRetriesAreCounted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		throttled     int64
		attempts      int
		retries       int
		failed, lost  bool
		updates, send int64
	}{
		"none":                    {0, 3, 0, false, false, 1, 1},
		"one each helps":          {1, 3, 2, false, false, 2, 2},
		"two each do not help":    {9, 3, 4, true, true, 3, 3},
		"a client without retry":  {9, 1, 0, true, true, 1, 1},
		"the last try is taken":   {2, 3, 4, false, false, 3, 3},
		"fewer tries than needed": {2, 2, 2, true, true, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, calls := fakeAWS(t, tc.throttled)
			retryer := func() aws.Retryer {
				return retry.NewStandard(func(o *retry.StandardOptions) {
					o.MaxAttempts, o.Backoff = tc.attempts, retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
				})
			}
			cfg := aws.Config{Region: "ap-northeast-2", BaseEndpoint: &url, Retryer: retryer,
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
				})}
			w := newWorld(t, func(c *lambda.Config) {
				c.Users = &fakeStore{noTimes: true} // so that there is a message
				c.Attributes = lambda.NewCognitoAttributes(cognitoidentityprovider.NewFromConfig(cfg))
				c.SignIns = lambda.NewSQSSignIns(sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.DisableMessageChecksumValidation = true }), url+"/0/q")
				c.SendTimeout, c.AttributeTimeout = 3*time.Second, 3*time.Second // a busy machine
			})
			if _, err := w.Handle(t.Context(), fixture(t, "postconfirmation_kakao")); err != nil {
				t.Fatal(err)
			}
			r := w.result(t)
			if r.Retries != tc.retries || r.AttributeFailed != tc.failed || r.SignInLost != tc.lost {
				t.Errorf("result = %+v\n%s", r, w.log)
			}
			if calls("update") != tc.updates || calls("send") != tc.send {
				t.Errorf("%d updates and %d messages", calls("update"), calls("send"))
			}
		})
	}
}
