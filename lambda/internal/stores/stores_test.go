package stores_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/stores"
)

type nothing struct{}

func (nothing) SetUserID(context.Context, string, string, string, string) error { return nil }
func (nothing) Send(context.Context, lambda.SignIn) error                       { return nil }

// throttles answers the first calls as Lambda does when there are too many, and
// then as sso-dbsync does.
func throttles(t *testing.T, first int64) (url string) {
	t.Helper()
	var calls atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if calls.Add(1) <= first {
			w.Header().Set("X-Amzn-Errortype", "TooManyRequestsException")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, "{}")
			return
		}
		_, _ = io.WriteString(w, `{"v":1,"result":{"id":"7","outcome":"created","sign_in_recorded":true}}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// In the split topology the store's own retries are among the event's.
func TestRetriesOfTheStoreAreCounted(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	for name, retries := range map[string]int{"none": 0, "two": 2} {
		url := throttles(t, int64(retries))
		store, err := stores.Open(t.Context(), settings.Store{Kind: settings.Remote, Function: "f"}, aws.Config{
			Region: "ap-northeast-2", BaseEndpoint: &url, HTTPClient: awshttp.NewClient(),
			Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		}, log)
		if err != nil {
			t.Fatal(err)
		}
		var got lambda.Result
		triggers, err := lambda.NewTriggers(lambda.Config{Users: store, Attributes: nothing{}, SignIns: nothing{}, Providers: []string{"Kakao"},
			Logger: log, OnResult: func(r lambda.Result) { got = r }})
		if err != nil {
			t.Fatal(err)
		}
		const event = `{"version":"1","triggerSource":"PostConfirmation_ConfirmSignUp","userPoolId":"p","userName":"u","request":{"userAttributes":{"sub":"s"}},"response":{}}`
		if _, err := triggers.Handle(t.Context(), json.RawMessage(event)); err != nil || got.Retries != retries || !got.SignInRecorded {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
