package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

const callback = "https://app.example.test/callback"

// pool is a user pool with one app, before its triggers have a function.
type pool struct {
	*ssotest.Pool
	client    *sso.Client
	function  ssotest.Trigger // set before the first person comes
	triggered atomic.Int64    // nanoseconds within triggers
}

func newPool(t testing.TB) *pool {
	t.Helper()
	p := &pool{}
	p.Pool = ssotest.NewPool(t, ssotest.Config{
		Clients:   []ssotest.Client{{ClientID: "web", CallbackURLs: []string{callback}}},
		Providers: []ssotest.Provider{ssotest.Kakao(), ssotest.Google()},
		Triggers: ssotest.All(ssotest.TriggerFunc(func(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
			return p.function.Invoke(ctx, event)
		})),
		OnTrigger: func(c ssotest.TriggerCall) { p.triggered.Add(int64(c.Duration)) },
	})
	var err error
	if p.client, err = sso.NewClient(p.ClientConfig("web")); err != nil {
		t.Fatal(err)
	}
	return p
}

// use has the function answer every trigger.
func (p *pool) use(f *lambdaruntime.Runtime) { p.function = ssotest.LambdaTrigger(f.URL(), "function") }

// visit is what one sign-in of a person was like.
type visit struct {
	waited   time.Duration // from the last click at the provider to tokens in the app
	triggers time.Duration // of that, within triggers
	userID   string
}

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	formHidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

	errRefused = errors.New("the person came back without a code")
)

// signIn is a person at a browser without a session. The clock runs from the
// click with which Kakao sends the person back, until the app has verified
// tokens. Only one at a time can tell what of it were triggers.
func (p *pool) signIn(ctx context.Context, subject string) (visit, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return visit{}, err
	}
	var back *url.URL
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callback) {
			back = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	target, flow, err := p.client.AuthCodeURL(sso.AuthOptions{})
	if err != nil {
		return visit{}, err
	}
	page, err := open(ctx, browser, http.MethodGet, target+"&identity_provider=Kakao", nil)
	if err != nil {
		return visit{}, err
	}
	action, hidden := formAction.FindStringSubmatch(page), formHidden.FindStringSubmatch(page)
	if action == nil || hidden == nil {
		return visit{}, errors.New("the provider's page has no form")
	}
	fields := url.Values{"subject": {subject}, "name": {"하나"}, html.UnescapeString(hidden[1]): {html.UnescapeString(hidden[2])}}
	began, triggers := time.Now(), p.triggered.Load()
	if _, err := open(ctx, browser, http.MethodPost, p.URL()+html.UnescapeString(action[1]), fields); err != nil {
		return visit{}, err
	}
	v := visit{waited: time.Since(began)}
	if back == nil || back.Query().Get("code") == "" {
		return v, errRefused
	}
	tokens, err := p.client.Exchange(ctx, flow, back.Query())
	v.waited, v.triggers = time.Since(began), time.Duration(p.triggered.Load()-triggers)
	if err != nil {
		return v, err
	}
	v.userID = string(tokens.ID.UserID)
	return v, nil
}

func open(ctx context.Context, browser *http.Client, method, target string, fields url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(fields.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := browser.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	page, err := io.ReadAll(res.Body)
	return string(page), err
}

// subjects are ids at Kakao that nobody had before.
type subjects struct{ last atomic.Int64 }

func (s *subjects) next() string { return fmt.Sprint(4_000_000_000 + s.last.Add(1)) }

// confirmation adds a user to the pool and returns the event of PostConfirmation
// that Cognito would send next.
func (p *pool) confirmation(t testing.TB, subject string) (json.RawMessage, ssotest.User) {
	t.Helper()
	identities := fmt.Sprintf(`[{"userId":%q,"providerName":"Kakao","providerType":"OIDC","issuer":null,"primary":true,"dateCreated":%d}]`,
		subject, time.Now().UnixMilli())
	u, err := p.AddUser(ssotest.User{Username: "Kakao_" + subject, Status: "EXTERNAL_PROVIDER",
		Attributes: map[string]string{"identities": identities, "email": subject + "@example.test", "name": "하나"}})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{
		"version": "1", "triggerSource": "PostConfirmation_ConfirmSignUp", "region": "ap-northeast-2", "userPoolId": p.ID(), "userName": u.Username,
		"callerContext": map[string]string{"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "web"},
		"request": map[string]any{"userAttributes": map[string]string{"sub": u.Sub, "identities": identities, "cognito:user_status": "EXTERNAL_PROVIDER",
			"email_verified": "false", "email": subject + "@example.test", "name": "하나"}},
		"response": map[string]any{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw, u
}

// invoke runs a function for an event that must go well, and says how long it
// took.
func invoke(t testing.TB, f *lambdaruntime.Runtime, event json.RawMessage) time.Duration {
	t.Helper()
	began := time.Now()
	a, err := f.Invoke(t.Context(), event)
	took := time.Since(began)
	if err != nil || a.FunctionError != "" {
		t.Fatalf("invoke: %s, %v", a.Payload, err)
	}
	return took
}
