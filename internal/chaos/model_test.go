package chaos_test

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
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
	"github.com/ssu-itsupport/cognito-sso/internal/chaos"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// recorder notes which triggers were called for a user, and what of an identity
// their events had.
type recorder struct {
	mu    sync.Mutex // guards calls
	calls map[string][]string
}

func (r *recorder) note(raw json.RawMessage) {
	var e struct {
		Source  string `json:"triggerSource"`
		User    string `json:"userName"`
		Version string `json:"version"`
		Request struct {
			Attributes map[string]string `json:"userAttributes"`
			Scopes     any               `json:"scopes"`
		} `json:"request"`
	}
	if json.Unmarshal(raw, &e) != nil {
		e.Source = "unreadable"
	}
	line := e.Source + "("
	for _, name := range []string{"sub", "identities", "cognito:user_status"} {
		if e.Request.Attributes[name] != "" {
			line += name + ","
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls == nil {
		r.calls = map[string][]string{}
	}
	r.calls[e.User] = append(r.calls[e.User], line+") ")
}

// of are the calls for a user, as one text.
func (r *recorder) of(user string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.calls[user], "")
}

// echo answers as a function that does nothing.
func (r *recorder) echo(_ context.Context, event json.RawMessage) (json.RawMessage, error) {
	r.note(event)
	return event, nil
}

// The model calls the triggers that ssotest calls, in its order and with the
// same of an identity: at a first sign-in, at a later one, at a sign-up with a
// password.
func TestTheModelIsLikeSSOTest(t *testing.T) {
	t.Parallel()
	first, later := federatedCalls(t)
	native, again := nativeCalls(t)
	var model recorder
	play(t, onSQLite, chaos.Config{Seed: 1, People: 60, Peaceful: true}, func(*testing.T, *stage) chaos.Break {
		return chaos.Break{Triggers: func(next chaos.Handler) chaos.Handler {
			return func(ctx context.Context, ev chaos.Event) (chaos.Event, error) {
				model.note(ev)
				return next(ctx, ev)
			}
		}}
	})
	const between = `(TokenGeneration_RefreshTokens\([^)]*\) |PostConfirmation_ConfirmForgotPassword\([^)]*\) )`
	for _, row := range []struct{ user, first, later string }{
		{"Kakao_", first, later}, {"Google_", first, later}, {"person-", native, again},
	} {
		pattern := regexp.MustCompile("^" + regexp.QuoteMeta(row.first) + "(" + regexp.QuoteMeta(row.later) + "|" + between + ")*$")
		matched, more := 0, 0
		for user := range model.calls {
			calls := model.of(user)
			invited := strings.HasPrefix(calls, "PreSignUp_AdminCreateUser")
			if !strings.HasPrefix(user, row.user) || invited {
				continue
			}
			if !pattern.MatchString(calls) {
				t.Errorf("%s:\n%s\nwant %s", user, calls, pattern)
			}
			matched++
			more += strings.Count(calls, row.later)
		}
		if matched == 0 || more == 0 {
			t.Errorf("%s: %d people and %d later sign-ins were compared", row.user, matched, more)
		}
	}
}

const callback = "https://app.example.test/callback"

func recordedPool(t *testing.T) (*ssotest.Pool, *recorder) {
	t.Helper()
	r := &recorder{}
	return ssotest.NewPool(t, ssotest.Config{
		Clients:  []ssotest.Client{{ClientID: "web", CallbackURLs: []string{callback}}},
		Triggers: ssotest.All(ssotest.TriggerFunc(r.echo)),
	}), r
}

// federatedCalls are the calls of a first and of a later sign-in.
func federatedCalls(t *testing.T) (first, later string) {
	t.Helper()
	pool, r := recordedPool(t)
	client, err := sso.NewClient(pool.ClientConfig("web"))
	if err != nil {
		t.Fatal(err)
	}
	signIn(t, pool, client)
	first = r.of("Kakao_42")
	signIn(t, pool, client)
	return first, strings.TrimPrefix(r.of("Kakao_42"), first)
}

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	formState  = regexp.MustCompile(`<input type="hidden" name="state" value="([^"]*)">`)
)

// signIn goes through the hosted pages in a browser with no session.
func signIn(t *testing.T, pool *ssotest.Pool, client *sso.Client) {
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
	target, flow, err := client.AuthCodeURL(sso.AuthOptions{})
	if err != nil {
		t.Fatal(err)
	}
	page := visit(t, browser, http.MethodGet, target+"&identity_provider=Kakao", nil)
	action, state := formAction.FindStringSubmatch(page), formState.FindStringSubmatch(page)
	if action == nil || state == nil {
		t.Fatalf("no form: %s", page)
	}
	visit(t, browser, http.MethodPost, pool.URL()+html.UnescapeString(action[1]),
		url.Values{"subject": {"42"}, "state": {html.UnescapeString(state[1])}})
	if back == nil {
		t.Fatal("the browser did not come back")
	}
	if _, err := client.Exchange(t.Context(), flow, back.Query()); err != nil {
		t.Fatal(err)
	}
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

// nativeCalls are the calls of a sign-up with a password and the sign-in behind
// it, and of a later sign-in.
func nativeCalls(t *testing.T) (first, later string) {
	t.Helper()
	pool, r := recordedPool(t)
	api := cognitoidentityprovider.New(cognitoidentityprovider.Options{Region: "ap-northeast-2", BaseEndpoint: aws.String(pool.URL()), HTTPClient: awshttp.NewClient(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		})})
	name, password, id, client := aws.String("kim"), aws.String("Correct-Horse-1"), aws.String(pool.ID()), aws.String("web")
	if _, err := api.SignUp(t.Context(), &cognitoidentityprovider.SignUpInput{ClientId: client, Username: name, Password: password,
		UserAttributes: []types.AttributeType{{Name: aws.String("email"), Value: aws.String("kim@example.test")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.AdminConfirmSignUp(t.Context(), &cognitoidentityprovider.AdminConfirmSignUpInput{UserPoolId: id, Username: name}); err != nil {
		t.Fatal(err)
	}
	enter := func() {
		if _, err := api.InitiateAuth(t.Context(), &cognitoidentityprovider.InitiateAuthInput{ClientId: client, AuthFlow: types.AuthFlowTypeUserPasswordAuth,
			AuthParameters: map[string]string{"USERNAME": *name, "PASSWORD": *password}}); err != nil {
			t.Fatal(err)
		}
	}
	enter()
	first = r.of("kim")
	enter()
	return first, strings.TrimPrefix(r.of("kim"), first)
}
