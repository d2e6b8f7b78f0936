package lambda_test

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// poolWorld is a fake pool whose triggers run in one process or in two, on a
// real table, and whose API is called by AWS's SDK.
type poolWorld struct {
	pool   *ssotest.Pool
	client *sso.Client
	store  *countingStore
	writes atomic.Int64 // calls of AdminUpdateUserAttributes
}

// countingStore counts the questions to the table.
type countingStore struct {
	users.Store
	asked atomic.Int64
}

func (s *countingStore) Ensure(ctx context.Context, id users.Identity) (users.Result, error) {
	s.asked.Add(1)
	return s.Store.Ensure(ctx, id)
}

func (s *countingStore) IDBySub(ctx context.Context, sub string) (string, error) {
	s.asked.Add(1)
	return s.Store.IDBySub(ctx, sub)
}

func (w *poolWorld) AdminUpdateUserAttributes(ctx context.Context, in *cognitoidentityprovider.AdminUpdateUserAttributesInput,
	opts ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.AdminUpdateUserAttributesOutput, error) {
	w.writes.Add(1)
	api := cognitoidentityprovider.New(cognitoidentityprovider.Options{Region: "ap-northeast-2", BaseEndpoint: aws.String(w.pool.URL()), RetryMaxAttempts: 1, HTTPClient: awshttp.NewClient(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		})})
	return api.AdminUpdateUserAttributes(ctx, in, opts...)
}

const callback = "https://app.example.test/callback"

func newPoolWorld(t *testing.T, processes int) *poolWorld {
	t.Helper()
	w := &poolWorld{store: &countingStore{Store: openStore(t)}}
	running := make([]*lambda.Triggers, processes)
	trigger := ssotest.TriggerFunc(func(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
		tokens := strings.Contains(string(event), `"TokenGeneration_`)
		if tokens {
			return running[processes-1].Handle(ctx, event)
		}
		return running[0].Handle(ctx, event)
	})
	w.pool = ssotest.NewPool(t, ssotest.Config{
		Clients:   []ssotest.Client{{ClientID: "web", CallbackURLs: []string{callback}}},
		Providers: []ssotest.Provider{ssotest.Kakao(), ssotest.Google()},
		Triggers:  ssotest.All(trigger),
	})
	for i := range running {
		var err error
		running[i], err = lambda.NewTriggers(lambda.Config{Users: w.store, Attributes: lambda.NewCognitoAttributes(w), SignIns: &fakeQueue{},
			Providers: []string{"Kakao", "Google"}, Logger: quiet, AttributeTimeout: 4 * time.Second, Deadline: 5 * time.Second}) // a busy machine
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.client, err = sso.NewClient(w.pool.ClientConfig("web")); err != nil {
		t.Fatal(err)
	}
	return w
}

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	formHidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// signIn is a person at a browser with no session: Kakao's stand-in, and back
// to the app with a code.
func (w *poolWorld) signIn(t *testing.T, subject string) *sso.TokenSet {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var back *url.URL
	browser := &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callback) {
			back = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	target, flow, err := w.client.AuthCodeURL(sso.AuthOptions{})
	if err != nil {
		t.Fatal(err)
	}
	page := visit(t, browser, http.MethodGet, target+"&identity_provider=Kakao", nil)
	action, hidden := formAction.FindStringSubmatch(page), formHidden.FindStringSubmatch(page)
	if action == nil || hidden == nil {
		t.Fatalf("no form: %s", page)
	}
	fields := url.Values{"subject": {subject}, "name": {"하나"}, html.UnescapeString(hidden[1]): {html.UnescapeString(hidden[2])}}
	visit(t, browser, http.MethodPost, w.pool.URL()+html.UnescapeString(action[1]), fields)
	if back == nil {
		t.Fatal("the browser did not come back")
	}
	tokens, err := w.client.Exchange(t.Context(), flow, back.Query())
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func visit(t *testing.T, browser *http.Client, method, target string, fields url.Values) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(fields.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// The calls of a first sign-in at a pool: the token has the id in every case,
// and Cognito is written to once at most.
func TestFirstSignInAtAPool(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		stale, throttled bool
		processes        int
		asked, writes    int64
	}{
		"a new event, one process":  {false, false, 1, 1, 1},
		"a new event, two":          {false, false, 2, 1, 1},
		"an old event, one process": {true, false, 1, 1, 1},
		"an old event, two":         {true, false, 2, 2, 1},
		"throttled, one process":    {false, true, 1, 1, 2},
		"throttled, two":            {true, true, 2, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPoolWorld(t, tc.processes)
			w.pool.SetFaults(func(f *ssotest.Faults) {
				f.StaleFirstToken, f.Throttle = tc.stale, map[string]bool{"AdminUpdateUserAttributes": tc.throttled}
			})
			tokens := w.signIn(t, "4000000001")
			if tokens.ID.UserID != "1" {
				t.Fatalf("userId %q", tokens.ID.UserID)
			}
			if got := w.store.asked.Load(); got != tc.asked {
				t.Errorf("the store was asked %d times, want %d", got, tc.asked)
			}
			if got := w.writes.Load(); got != tc.writes {
				t.Errorf("the attribute was written %d times, want %d", got, tc.writes)
			}
			// Whatever happened, the next token leaves nothing missing.
			w.pool.SetFaults(func(f *ssotest.Faults) { *f = ssotest.Faults{} })
			if next, err := w.client.Refresh(t.Context(), tokens.Refresh, tokens.ID.Subject); err != nil || next.ID.UserID != "1" {
				t.Fatalf("Refresh: %v", err)
			}
			if u, ok := w.pool.User(tokens.ID.Subject); !ok || u.Attributes["custom:userId"] != "1" {
				t.Errorf("user = %+v", u)
			}
		})
	}
}
