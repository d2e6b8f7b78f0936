package chaos

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // SQS answers with it
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// sdkAttempts is what sso-trigger sets.
const sdkAttempts = 2

// errLost is a connection that ended without an answer.
var errLost = errors.New("chaos: connection reset")

// doer answers the AWS SDK inside the process.
type doer func(*http.Request) (*http.Response, error)

// Do implements the SDK's HTTPClient.
func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// retryer is the SDK's own, but for the random part of its pauses.
func retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = sdkAttempts
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 100 * time.Millisecond, nil })
	})
}

func credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "chaos", SecretAccessKey: "chaos"}, nil
}

func (w *world) cognitoClient() *cognitoidentityprovider.Client {
	return cognitoidentityprovider.New(cognitoidentityprovider.Options{
		Region: "ap-northeast-2", Credentials: aws.CredentialsProviderFunc(credentials), Retryer: retryer(), HTTPClient: doer(w.serveCognito),
	})
}

func (w *world) sqsClient() *sqs.Client {
	return sqs.New(sqs.Options{
		Region: "ap-northeast-2", Credentials: aws.CredentialsProviderFunc(credentials), Retryer: retryer(), HTTPClient: doer(w.serveSQS),
	})
}

// read decodes a request of the SDK.
func read(r *http.Request, into any) error {
	if r.Body == nil {
		return errLost
	}
	defer func() { _ = r.Body.Close() }()
	return json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(into)
}

func answer(status int, body any) (*http.Response, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body: io.NopCloser(bytes.NewReader(raw)), ContentLength: int64(len(raw))}, nil
}

func refuse(status int, kind string) (*http.Response, error) {
	return answer(status, map[string]string{"__type": kind, "message": "chaos"})
}

// serveCognito is AdminUpdateUserAttributes.
func (w *world) serveCognito(r *http.Request) (*http.Response, error) {
	var in struct {
		UserPoolID     string `json:"UserPoolId"`
		Username       string
		UserAttributes []struct{ Name, Value string }
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.UserPoolID != poolID || len(in.UserAttributes) != 1 {
		return refuse(http.StatusBadRequest, "InvalidParameterException")
	}
	c := callOf(r.Context())
	dice := c.dice("attribute")
	before, slow := w.usual(dice), between(dice, 300*time.Millisecond, 5*time.Second)
	if w.strikes(dice, CognitoSlow) {
		before = slow
	}
	fails, lost := w.strikes(dice, CognitoFails), w.strikes(dice, CognitoAnswer)
	if err := nap(r.Context(), before); err != nil {
		return nil, err
	}
	if w.pool.throttled() {
		w.happens(CognitoThrottles)
		c.note("attribute: throttled")
		return refuse(http.StatusBadRequest, "TooManyRequestsException")
	}
	if fails {
		c.note("attribute: failed")
		return refuse(http.StatusInternalServerError, "InternalErrorException")
	}
	set := in.UserAttributes[0]
	a, ok := w.pool.set(in.Username, set.Name, set.Value)
	if !ok {
		return refuse(http.StatusBadRequest, "UserNotFoundException")
	}
	c.note("attribute of %s: %s", a.sub, set.Value)
	if lost {
		return nil, errLost
	}
	return answer(http.StatusOK, struct{}{})
}

// serveSQS is SendMessage.
func (w *world) serveSQS(r *http.Request) (*http.Response, error) {
	var in struct{ QueueUrl, MessageBody string } //nolint:revive // AWS's spelling
	if err := read(r, &in); err != nil {
		return nil, err
	}
	c := callOf(r.Context())
	dice := c.dice("send")
	before, slow := w.usual(dice), between(dice, 300*time.Millisecond, 2*time.Second)
	if w.strikes(dice, QueueSlow) {
		before = slow
	}
	fails, lost := w.strikes(dice, QueueFails), w.strikes(dice, QueueAnswer)
	anyway := dice.IntN(2) == 0
	w.truth.attempted(in.MessageBody)
	c.tellsTime()
	if err := nap(r.Context(), before); err != nil {
		if anyway { // the sender gave up, the queue did not
			w.queue.take(c, in.MessageBody)
		}
		return nil, err
	}
	if fails {
		c.note("message: refused")
		return refuse(http.StatusServiceUnavailable, "ServiceUnavailable")
	}
	id := w.queue.take(c, in.MessageBody)
	if lost {
		return nil, errLost
	}
	sum := md5.Sum([]byte(in.MessageBody)) //nolint:gosec // SQS answers with it
	return answer(http.StatusOK, map[string]string{"MessageId": id, "MD5OfMessageBody": hex.EncodeToString(sum[:])})
}
