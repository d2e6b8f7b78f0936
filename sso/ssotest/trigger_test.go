package ssotest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowUntil is a trigger whose first n attempts take 7 seconds. ended counts the runs that ended by themselves.
func slowUntil(n int32, ended *atomic.Int32) TriggerFunc {
	var runs atomic.Int32
	return func(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
		if runs.Add(1) <= n {
			select {
			case <-time.After(7 * time.Second):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		ended.Add(1)
		return event, nil
	}
}

func TestTriggerTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int32
		p := unserved(t, Config{Triggers: Triggers{PreSignUp: slowUntil(2, &ended)}})
		start := time.Now()
		if _, err := tryHosted(t, p, "Kakao", kim); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("two lost attempts took %v; want 10s", took)
		}
		calls := p.TriggerCalls()
		if len(calls) != 3 {
			t.Fatalf("%d calls", len(calls))
		}
		for i, c := range calls {
			lost := i < 2
			if c.Attempt != i+1 || errors.Is(c.Err, errTriggerTimeout) != lost || (c.Duration == 5*time.Second) != lost {
				t.Errorf("attempt %d: %+v", i+1, c)
			}
		}
		time.Sleep(5 * time.Second) // in the bubble: the first two still run, and end by themselves
		if n := ended.Load(); n != 3 {
			t.Errorf("%d runs ended; want 3", n)
		}
	})
}

func TestTriggerTimeoutOfAllAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int32
		p := unserved(t, Config{Triggers: Triggers{
			PostConfirmation: slowUntil(9, &ended), Timeout: time.Second, Attempts: 2,
		}})
		start := time.Now()
		_, err := tryHosted(t, p, "Kakao", kim)
		wantTriggerError(t, err, lambdaUnexpected,
			"PostConfirmation invocation failed due to error Socket timeout while invoking Lambda function.")
		if took := time.Since(start); took != 2*time.Second || len(p.TriggerCalls()) != 2 {
			t.Errorf("%d attempts took %v; want 2 and 2s", len(p.TriggerCalls()), took)
		}
	})
}

// TestCloseEndsFunctions: a function that nobody waits for any more is told to stop, and waited for.
func TestCloseEndsFunctions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int32
		p := unserved(t, Config{Triggers: Triggers{PreSignUp: TriggerFunc(
			func(ctx context.Context, _ json.RawMessage) (json.RawMessage, error) {
				if _, ok := ctx.Deadline(); !ok {
					t.Error("a function without a deadline")
				}
				<-ctx.Done()
				ended.Add(1)
				return nil, ctx.Err()
			})}})
		_, err := tryHosted(t, p, "Kakao", kim)
		if err == nil {
			t.Error("signed in")
		}
		if err := p.Close(); err != nil || ended.Load() != 3 {
			t.Errorf("Close: %v, %d functions ended; want 3", err, ended.Load())
		}
		if _, err := tryHosted(t, p, "Google", kim); err == nil {
			t.Error("a trigger ran after Close")
		}
	})
}

func TestCloseGivesUpOnAStuckFunction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		cfg, err := Config{Triggers: Triggers{PreSignUp: TriggerFunc(
			func(context.Context, json.RawMessage) (json.RawMessage, error) {
				<-free
				return nil, nil
			}), Attempts: 1}}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		p, err := newPool(cfg, "http://127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = tryHosted(t, p, "Kakao", kim)
		if err := p.Close(); err == nil {
			t.Error("Close says nothing of a function that still runs")
		}
		close(free)
	})
}

func TestTriggerFailures(t *testing.T) {
	t.Parallel()
	text := func(s string) TriggerFunc {
		return func(context.Context, json.RawMessage) (json.RawMessage, error) { return json.RawMessage(s), nil }
	}
	const malformed = "Unrecognizable lambda output: "
	for _, row := range []struct {
		name    string
		trigger Trigger
		kind    string
		want    string
	}{
		{"an error", TriggerFunc(func(context.Context, json.RawMessage) (json.RawMessage, error) {
			return nil, errors.New("no row for you")
		}), "", "PreSignUp failed with error no row for you."},
		{"a panic", TriggerFunc(func(context.Context, json.RawMessage) (json.RawMessage, error) {
			panic("oops")
		}), "", "PreSignUp failed with error panic: oops."},
		{"an exit", TriggerFunc(func(context.Context, json.RawMessage) (json.RawMessage, error) {
			runtime.Goexit()
			return nil, nil
		}), "", "PreSignUp failed with error the function exited."},
		{"nothing", text(""), lambdaMalformed, malformed + "not a JSON object"},
		{"null", text("null"), lambdaMalformed, malformed + "no response in it"},
		{"a string", text(`"ok"`), lambdaMalformed, malformed + "not a JSON object"},
		{"an array", text(`[]`), lambdaMalformed, malformed + "not a JSON object"},
		{"half an object", text(`{"response":{}`), lambdaMalformed, malformed + "not a JSON object"},
		{"two objects", text(`{"response":{}}{}`), lambdaMalformed, malformed + "not a JSON object"},
		{"no response", text(`{"request":{}}`), lambdaMalformed, malformed + "no response in it"},
		{"a response of another case", text(`{"Response":{}}`), lambdaMalformed, malformed + "no response in it"},
		{"a null response", text(`{"response":null}`), lambdaMalformed, malformed + "no response in it"},
		{"a response of the wrong type", text(`{"response":"yes"}`), lambdaMalformed, malformed + "no response in it"},
		{"a flag of the wrong type", text(`{"response":{"autoConfirmUser":"true"}}`), lambdaMalformed, malformed + "a member of the response has the wrong type"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := unserved(t, Config{Triggers: Triggers{PreSignUp: row.trigger}})
			_, err := tryHosted(t, p, "Kakao", kim)
			wantTriggerError(t, err, row.kind, row.want)
			if n := len(p.TriggerCalls()); n != 1 {
				t.Errorf("%d attempts; a failure is not tried again", n)
			}
			if len(p.Users()) != 0 {
				t.Error("PreSignUp failed, and yet there is a user")
			}
		})
	}
}

func TestTriggerFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		p := unserved(t, Config{Triggers: All(&r)})
		p.SetFaults(func(f *Faults) { f.TriggerTimeout = map[string]int{"PreSignUp_ExternalProvider": 1} })
		start := time.Now()
		hostedTokens(t, p, "Kakao", kim)
		if time.Since(start) != 0 {
			t.Error("a lost answer was waited for")
		}
		synctest.Wait()
		wantSources(t, p, "PreSignUp_ExternalProvider", "PreSignUp_ExternalProvider", "PostConfirmation_ConfirmSignUp", "TokenGeneration_HostedAuth")
		if n := len(r.seen()); n != 4 {
			t.Errorf("the function ran %d times; want 4: a lost attempt runs too", n)
		}

		p.SetFaults(func(f *Faults) { f.TriggerTimeout = map[string]int{"*": -1} })
		_, err := tryHosted(t, p, "Google", kim)
		wantTriggerError(t, err, lambdaUnexpected, "PreSignUp invocation failed due to error Socket timeout while invoking Lambda function.")

		synctest.Wait()
		before := len(r.seen())
		p.SetFaults(func(f *Faults) { *f = Faults{TriggerError: map[string]string{"*": "out of order"}} })
		_, err = tryHosted(t, p, "Google", kim)
		wantTriggerError(t, err, "", "PreSignUp failed with error out of order.")
		if len(r.seen()) != before {
			t.Error("a refused attempt called the function")
		}
	})
}

func TestOnTrigger(t *testing.T) {
	t.Parallel()
	var told []TriggerCall
	var p *Pool
	p = unserved(t, Config{Triggers: All(new(recorder)), OnTrigger: func(c TriggerCall) {
		told = append(told, c)
		p.Users() // would deadlock under the lock
	}})
	hostedTokens(t, p, "Kakao", kim)
	if !slices.Equal(told, p.TriggerCalls()) || len(told) != 3 {
		t.Errorf("told of %d calls, has %d", len(told), len(p.TriggerCalls()))
	}
	for _, c := range told {
		if c.Username != "Kakao_"+kim.Subject || c.ClientID != DefaultClientID || c.Attempt != 1 || c.Started.IsZero() || c.Err != nil {
			t.Errorf("%+v", c)
		}
	}
}

// TestTriggersCallBack: a function uses the pool and its API while it runs.
func TestTriggersCallBack(t *testing.T) {
	t.Parallel()
	var p *Pool
	p = unserved(t, Config{Triggers: All(TriggerFunc(func(_ context.Context, event json.RawMessage) (json.RawMessage, error) {
		p.SetFaults(func(f *Faults) { f.ClockSkew = 0 })
		if _, ok := p.User("Kakao_" + kim.Subject); ok && sourceOf(event) == "PostConfirmation_ConfirmSignUp" {
			_, err := adminUpdateUserAttributes(t.Context(), p, attributesInput{
				userRef:        userRef{poolRef{p.ID()}, "Kakao_" + kim.Subject},
				UserAttributes: []apiAttribute{{"custom:userId", "42"}},
			})
			return event, err
		}
		return event, nil
	}))})
	id := payloadOf(t, hostedTokens(t, p, "Kakao", kim).id)
	if id["custom:userId"] != "42" {
		t.Errorf("custom:userId is %v", id["custom:userId"])
	}
}

// TestStaleFirstToken: the switch for what AWS does not document.
func TestStaleFirstToken(t *testing.T) {
	t.Parallel()
	var p *Pool
	r := &recorder{answer: func(source string, event json.RawMessage) (json.RawMessage, error) {
		if source == "PostConfirmation_ConfirmSignUp" {
			return event, p.withUser("Kakao_"+kim.Subject, func(u *account) error {
				return p.changeUser(u, change{"custom:userId": "42"})
			})
		}
		return event, nil
	}}
	p = unserved(t, Config{Triggers: All(r)})
	p.SetFaults(func(f *Faults) { f.StaleFirstToken = true })
	for i, want := range []any{nil, "42"} {
		if got := payloadOf(t, hostedTokens(t, p, "Kakao", kim).id)["custom:userId"]; got != want {
			t.Errorf("sign-in %d: custom:userId is %v; want %v", i+1, got, want)
		}
		event := r.seen()[len(r.seen())-1]
		if strings.Contains(string(event), "custom:userId") != (want != nil) {
			t.Errorf("sign-in %d: the event is %s", i+1, event)
		}
	}
}

func TestLambdaTrigger(t *testing.T) {
	t.Parallel()
	type reply struct {
		status int
		header http.Header
		body   string
	}
	for _, row := range []struct {
		name    string
		replies []reply // the last one again and again
		calls   int
		kind    string
		want    string // "" is success
	}{
		{"it answers", []reply{{200, nil, ""}}, 1, "", ""},
		{"a function error", []reply{{200, http.Header{"X-Amz-Function-Error": {"Unhandled"}}, `{"errorMessage":"no row","errorType":"errorString"}`}}, 1, "", "PreSignUp failed with error no row."},
		{"a function error without a message", []reply{{200, http.Header{"X-Amz-Function-Error": {"Unhandled"}}, `{"errorType":"Runtime.ExitError"}`}}, 1, "", "PreSignUp failed with error Runtime.ExitError."},
		{"a function error that is no JSON", []reply{{200, http.Header{"X-Amz-Function-Error": {"Unhandled"}}, `x`}}, 1, "", "PreSignUp failed with error Unhandled."},
		{"a cold network interface", []reply{{502, http.Header{"X-Amzn-Errortype": {"ResourceNotReadyException:x"}}, `{}`}}, 1, lambdaUnexpected, "PreSignUp invocation failed due to error ResourceNotReadyException."},
		{"a server error", []reply{{500, nil, ``}}, 1, lambdaUnexpected, "PreSignUp invocation failed due to error HTTP 500."},
		{"no such function", []reply{{404, http.Header{"X-Amzn-Errortype": {"ResourceNotFoundException"}}, `{}`}}, 1, lambdaUnexpected, "PreSignUp invocation failed due to error ResourceNotFoundException."},
		{"throttled once", []reply{{429, nil, ``}, {200, nil, ""}}, 2, "", ""},
		{"throttled", []reply{{429, http.Header{"X-Amzn-Errortype": {"TooManyRequestsException"}}, ``}}, 3, lambdaUnexpected, "PreSignUp invocation failed due to error TooManyRequestsException."},
		{"a redirect", []reply{{302, http.Header{"Location": {"http://127.0.0.1:1/"}}, ``}}, 1, lambdaUnexpected, "PreSignUp invocation failed due to error HTTP 302."},
		{"rubbish", []reply{{200, nil, `rubbish`}}, 1, lambdaMalformed, "Unrecognizable lambda output: not a JSON object"},
		{"too much", []reply{{200, nil, strings.Repeat(" ", maxPayload+1)}}, 1, lambdaUnexpected, "PreSignUp invocation failed due to error ResponseSizeTooLarge."},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n := int(calls.Add(1))
				if r.Method != http.MethodPost || r.URL.EscapedPath() != "/2015-03-31/functions/sso%2Ftrigger/invocations" ||
					r.Header.Get("X-Amz-Invocation-Type") != "RequestResponse" {
					t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
				}
				event, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				answer := row.replies[min(n, len(row.replies))-1]
				for name, values := range answer.header {
					w.Header()[name] = values
				}
				w.WriteHeader(answer.status)
				if answer.body == "" && answer.status == 200 {
					_, _ = w.Write(event)
					return
				}
				_, _ = io.WriteString(w, answer.body)
			}))
			defer server.Close()
			p := unserved(t, Config{Triggers: Triggers{PreSignUp: LambdaTrigger(server.URL+"/", "sso/trigger")}})
			_, err := tryHosted(t, p, "Kakao", kim)
			if row.want == "" {
				if err != nil {
					t.Error(err)
				}
			} else {
				wantTriggerError(t, err, row.kind, row.want)
			}
			if n := int(calls.Load()); n != row.calls {
				t.Errorf("%d calls; want %d", n, row.calls)
			}
		})
	}
}

func TestLambdaTriggerWithoutAServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	for _, endpoint := range []string{server.URL, "http://%zz"} {
		p := unserved(t, Config{Triggers: Triggers{PreSignUp: LambdaTrigger(endpoint, "f")}})
		_, err := tryHosted(t, p, "Kakao", kim)
		var failed *triggerError
		if !errors.As(err, &failed) || failed.Type != lambdaUnexpected {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

// TestTriggerEvents compares whole events with those of AWS (their sources are in the reference).
func TestTriggerEvents(t *testing.T) {
	t.Parallel()
	var r recorder
	p := unserved(t, Config{ID: "ap-northeast-2_Pool1", Triggers: All(&r)})
	hostedTokens(t, p, "Kakao", kim)
	hostedTokens(t, p, "Kakao", kim)
	u, _ := p.User("Kakao_" + kim.Subject)
	quoted, err := json.Marshal(u.Attributes["identities"])
	if err != nil {
		t.Fatal(err)
	}
	attributes := `{"cognito:user_status":"EXTERNAL_PROVIDER","email":"kim@example.com","email_verified":"false","identities":` +
		string(quoted) + `,"name":"김수한","sub":"` + u.Sub + `"}`
	want := []string{
		`"PreSignUp_ExternalProvider" {"userAttributes":{"cognito:email_alias":"","cognito:phone_number_alias":"","email":"kim@example.com","email_verified":"false","name":"김수한"},"validationData":{}} {"autoConfirmUser":false,"autoVerifyEmail":false,"autoVerifyPhone":false}`,
		`"PostConfirmation_ConfirmSignUp" {"userAttributes":` + attributes + `} {}`,
		`"TokenGeneration_HostedAuth" {"userAttributes":` + attributes + `,"groupConfiguration":{"groupsToOverride":["ap-northeast-2_Pool1_Kakao"],"iamRolesToOverride":[],"preferredRole":null}} {"claimsOverrideDetails":null}`,
		`"PreAuthentication_Authentication" {"userAttributes":` + attributes + `,"validationData":null} {}`,
		`"PostAuthentication_Authentication" {"userAttributes":` + attributes + `,"newDeviceUsed":false} {}`,
		`"TokenGeneration_HostedAuth" {"userAttributes":` + attributes + `,"groupConfiguration":{"groupsToOverride":["ap-northeast-2_Pool1_Kakao"],"iamRolesToOverride":[],"preferredRole":null}} {"claimsOverrideDetails":null}`,
	}
	events := r.seen()
	if len(events) != len(want) {
		t.Fatalf("%d events; want %d", len(events), len(want))
	}
	for i, event := range events {
		var e map[string]json.RawMessage
		if err := json.Unmarshal(event, &e); err != nil {
			t.Fatal(err)
		}
		got := bytes.Join([][]byte{e["triggerSource"], e["request"], e["response"]}, []byte(" "))
		if string(got) != want[i] {
			t.Errorf("event %d:\n%s\nwant\n%s", i, got, want[i])
		}
		for name, value := range map[string]string{
			"version": `"1"`, "region": `"ap-northeast-2"`, "userPoolId": `"ap-northeast-2_Pool1"`,
			"userName":      `"Kakao_` + kim.Subject + `"`,
			"callerContext": `{"awsSdkVersion":"aws-sdk-unknown-unknown","clientId":"testclient"}`,
		} {
			if string(e[name]) != value {
				t.Errorf("event %d: %s is %s; want %s", i, name, e[name], value)
			}
		}
	}
	if !strings.Contains(u.Attributes["identities"], `"issuer":null,"primary":true,"dateCreated":1`) {
		t.Errorf("identities are %s", u.Attributes["identities"])
	}
}

// TestPreAuthentication: its refusal comes before the password is looked at, and it is told of unknown users only if the
// client hides who exists.
func TestPreAuthentication(t *testing.T) {
	t.Parallel()
	r := failing("PreAuthentication_Authentication", "closed at night")
	p := unserved(t, Config{Triggers: All(r), Clients: []Client{{ClientID: "web"}, {ClientID: "quiet", PreventUserExistenceErrors: true}}})
	if _, err := p.AddUser(User{Username: "u", Sub: "s-1", Password: "Passw0rd!"}); err != nil {
		t.Fatal(err)
	}
	web, _ := p.client("web")
	quiet, _ := p.client("quiet")
	const refused = "PreAuthentication failed with error closed at night."
	_, err := p.signInNative(t.Context(), web, "s-1", "wrong")
	wantTriggerError(t, err, "", refused)
	_, err = p.signInNative(t.Context(), web, "gone", "wrong")
	wantAPIError(t, err, "UserNotFoundException", "")
	_, err = p.signInNative(t.Context(), quiet, "gone", "wrong")
	wantTriggerError(t, err, "", refused)
	events := r.seen()
	if len(events) != 2 || strings.Contains(string(events[0]), "userNotFound") || !strings.Contains(string(events[0]), `"userName":"u"`) ||
		!strings.Contains(string(events[1]), `"userNotFound":true`) {
		t.Errorf("events %s", events)
	}
	r.answer = nil
	_, err = p.signInNative(t.Context(), quiet, "gone", "wrong")
	wantAPIError(t, err, "NotAuthorizedException", "Incorrect username or password.")
	if name, err := p.signInNative(t.Context(), web, "u", "Passw0rd!"); err != nil || name != "u" {
		t.Errorf("%q, %v", name, err)
	}
	if _, err := adminSetUserPassword(t.Context(), p, setPasswordInput{userRef: userRef{poolRef{p.ID()}, "u"}, Password: "Temp0rary!"}); err != nil {
		t.Fatal(err)
	}
	_, err = p.signInNative(t.Context(), web, "u", "Temp0rary!")
	wantAPIError(t, err, "PasswordResetRequiredException", "")
	web.SupportedIdentityProviders = []string{"Kakao"}
	_, err = p.signInNative(t.Context(), web, "u", "Temp0rary!")
	wantAPIError(t, err, "NotAuthorizedException", "")
}

// TestPostAuthenticationShowsLater: what the trigger writes is in the tokens of the next sign-in, and of a refresh.
func TestPostAuthenticationShowsLater(t *testing.T) {
	t.Parallel()
	var p *Pool
	r := &recorder{answer: func(source string, event json.RawMessage) (json.RawMessage, error) {
		if source == "PostAuthentication_Authentication" {
			return event, p.withUser("Kakao_"+kim.Subject, func(u *account) error {
				return p.changeUser(u, change{"custom:userId": u.attrs["custom:userId"] + "1"})
			})
		}
		return event, nil
	}}
	p = unserved(t, Config{Triggers: All(r)})
	hostedTokens(t, p, "Kakao", kim) // the first one runs no PostAuthentication
	var last tokens
	for i, want := range []any{nil, "1"} {
		last = hostedTokens(t, p, "Kakao", kim)
		if got := payloadOf(t, last.id)["custom:userId"]; got != want {
			t.Errorf("sign-in %d: custom:userId is %v; want %v", i+2, got, want)
		}
	}
	again, err := p.refresh(t.Context(), firstClient(p), last.refresh, sourceRefresh)
	if err != nil {
		t.Fatal(err)
	}
	if got := payloadOf(t, again.id)["custom:userId"]; got != "11" {
		t.Errorf("after a refresh custom:userId is %v; want 11", got)
	}
}
