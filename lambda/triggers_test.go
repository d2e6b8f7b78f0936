package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

const (
	v1Claim = `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"custom:userId":"%s"}}}`
	v2Claim = `{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"claimsToAddOrOverride":{"custom:userId":"%[1]s"}},"idTokenGeneration":{"claimsToAddOrOverride":{"custom:userId":"%[1]s"}}}}`
)

var fixtures = map[string]struct {
	response string // "" means as it came
	err      error
	ensured  *users.Identity // at the time of the clock: every one of these is a sign-in
	sent     bool
	set      string
}{
	"presignup_external_kakao":             {},
	"presignup_external_google_lower_case": {},
	"presignup_external_google_verified":   {},
	"presignup_external_other_provider":    {err: lambda.ErrProvider},
	"presignup_native_claims_verified":     {err: lambda.ErrNativeSignUp},
	"presignup_native_null_maps":           {err: lambda.ErrNativeSignUp},
	"presignup_admin_create":               {},
	"postconfirmation_kakao":               {ensured: &kakaoUser, set: "1000"},
	"postconfirmation_google": {set: "1000", ensured: &users.Identity{
		Sub: "34c84488-e0e1-70ae-d2ee-991ad1a89802", Provider: "Google", Subject: "109000000000000000001", Email: "duri@example.test"}},
	"postconfirmation_native":                   {ensured: &nativeUser, set: "1000"},
	"postconfirmation_native_with_linked_kakao": {ensured: &nativeUser, set: "1000"},
	"postconfirmation_with_new_fields":          {ensured: &kakaoUser, set: "1000"},
	"postconfirmation_forgot_password":          {},
	"preauthentication_kakao":                   {},
	"postauthentication_kakao":                  {sent: true},
	"postauthentication_native":                 {sent: true},
	"token_v1_later_sign_in":                    {response: fmt.Sprintf(v1Claim, "42")},
	"token_v1_native_new_password":              {ensured: &nativeUser, set: "1000", response: fmt.Sprintf(v1Claim, "1000")},
	"token_v2_authenticate_device":              {response: fmt.Sprintf(v2Claim, "42")},
	"token_v2_refresh":                          {response: fmt.Sprintf(v2Claim, "42")},
	"token_v3_first_sign_in":                    {ensured: &kakaoUser, set: "1000", response: fmt.Sprintf(v2Claim, "1000")},
	"token_v1_first_sign_in":                    {ensured: &kakaoUser, set: "1000", response: fmt.Sprintf(v1Claim, "1000")},
	"token_v1_refresh":                          {response: fmt.Sprintf(v1Claim, "42")},
	"token_v2_first_sign_in":                    {ensured: &kakaoUser, set: "1000", response: fmt.Sprintf(v2Claim, "1000")},
	"token_v2_later_sign_in":                    {response: fmt.Sprintf(v2Claim, "42")},
	"token_v3_later_sign_in":                    {response: fmt.Sprintf(v2Claim, "42")},
	"token_v3_native_new_password":              {ensured: &nativeUser, set: "1000", response: fmt.Sprintf(v2Claim, "1000")},
	"token_v3_client_credentials":               {},
	"inbound_federation":                        {err: lambda.ErrInboundFederation},
	"custom_message":                            {err: lambda.ErrUnknownTrigger},
}

var (
	kakaoUser = users.Identity{
		Sub: "34c84488-e0e1-70ae-d2ee-991ad1a89801", Provider: "Kakao", Subject: "4000000001", Email: "hana@example.test", Name: "김하나"}
	nativeUser = users.Identity{Sub: "34c84488-e0e1-70ae-d2ee-991ad1a89803", Email: "sei@example.test"}
)

func TestFixtures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != len(fixtures) {
		t.Fatalf("%d files, %d expectations, %v", len(files), len(fixtures), err)
	}
	for name, want := range fixtures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, in := newWorld(t), fixture(t, name)
			out, err := w.Handle(t.Context(), in)
			if want.err != nil {
				var public *lambda.PublicError
				if !errors.Is(err, want.err) || !errors.As(err, &public) || out != nil {
					t.Fatalf("Handle = %s, %v, want %v in a PublicError", out, err, want.err)
				}
				wantNothingPersonal(t, "error", err.Error())
			} else if err != nil {
				t.Fatalf("Handle: %v (%v)", err, errors.Unwrap(err))
			} else {
				wantAnswer(t, in, out, want.response)
			}
			wantCalls(t, w, want.ensured, want.sent, want.set)
			wantNothingPersonal(t, "log", w.log.String())
		})
	}
}

// wantAnswer: the response is as given, and all else is as it came.
func wantAnswer(t *testing.T, in, out json.RawMessage, response string) {
	t.Helper()
	want := decode(t, in)
	if response != "" {
		want["response"] = decode(t, json.RawMessage(response))
	}
	if got := decode(t, out); !reflect.DeepEqual(got, want) {
		t.Errorf("answer = %v\nwant     %v", got, want)
	}
	for _, verbatim := range []string{"<b>&amp;</b>", "12345678901234567890", "1.10"} {
		if strings.Contains(string(in), verbatim) && !strings.Contains(string(out), verbatim) {
			t.Errorf("%s did not survive", verbatim)
		}
	}
}

func wantCalls(t *testing.T, w *world, ensured *users.Identity, sent bool, set string) {
	t.Helper()
	var want []users.Identity
	if ensured != nil {
		want = append(want, signedIn(*ensured))
	}
	if !slices.Equal(w.store.ensured, want) {
		t.Errorf("ensured %+v, want %+v", w.store.ensured, want)
	}
	if got := len(w.queue.sent); (got == 1) != sent || got > 1 {
		t.Errorf("sent %+v", w.queue.sent)
	}
	switch {
	case set == "" && len(w.attrs.sets) > 0:
		t.Errorf("set %v", w.attrs.sets)
	case set != "" && (len(w.attrs.sets) != 1 || w.attrs.sets[0][2] != "custom:userId" || w.attrs.sets[0][3] != set):
		t.Errorf("set %v, want custom:userId = %s", w.attrs.sets, set)
	}
}

func TestWarmup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.err, w.attrs.err, w.queue.err = errBroken, errBroken, errBroken
	out, err := w.Handle(t.Context(), json.RawMessage(` {"warmup" : true, "from":"a schedule"}`))
	if err != nil || string(out) != `{"warmup":true}` {
		t.Fatalf("Handle = %s, %v", out, err)
	}
	if r := w.result(t); r.Source != "warmup" || r.Outcome != lambda.OutcomeOK {
		t.Errorf("result = %+v", r)
	}
	// Nobody gets past a trigger by calling it a ping.
	in := changed(t, "presignup_external_other_provider", `"version": "1"`, `"version": "1", "warmup": true`)
	if _, err := w.Handle(t.Context(), in); !errors.Is(err, lambda.ErrProvider) {
		t.Errorf("a trigger event with warmup: %v", err)
	}
}

var errBroken = errors.New("broken on purpose")

func TestBadEvents(t *testing.T) {
	t.Parallel()
	edit := func(old, new string) json.RawMessage { return changed(t, "postconfirmation_kakao", old, new) }
	for name, tc := range map[string]struct {
		event json.RawMessage
		want  error
	}{
		"nothing":               {nil, lambda.ErrBadEvent},
		"null":                  {json.RawMessage("null"), lambda.ErrBadEvent},
		"an array":              {json.RawMessage("[]"), lambda.ErrBadEvent},
		"a number":              {json.RawMessage("4000000001"), lambda.ErrBadEvent},
		"cut short":             {fixture(t, "postconfirmation_kakao")[:200], lambda.ErrBadEvent},
		"two events":            {append(fixture(t, "postconfirmation_kakao"), "{}"...), lambda.ErrBadEvent},
		"an empty object":       {json.RawMessage("{}"), lambda.ErrUnknownTrigger},
		"warmup false":          {json.RawMessage(`{"warmup":false}`), lambda.ErrUnknownTrigger},
		"warmup as text":        {json.RawMessage(`{"warmup":"true"}`), lambda.ErrUnknownTrigger},
		"no trigger source":     {edit("triggerSource", "otherSource"), lambda.ErrUnknownTrigger},
		"folded trigger source": {edit("triggerSource", "TriggerSource"), lambda.ErrUnknownTrigger},
		"source is no string":   {edit(`"PostConfirmation_ConfirmSignUp"`, "7"), lambda.ErrUnknownTrigger},
		"unknown source":        {edit("PostConfirmation_ConfirmSignUp", "PostConfirmation_Hana4000000001"), lambda.ErrUnknownTrigger},
		"unknown token source":  {changed(t, "token_v1_refresh", "RefreshTokens", "SomethingNew"), lambda.ErrUnknownTrigger},
		"no userPoolId":         {edit("userPoolId", "x"), lambda.ErrBadEvent},
		"empty userPoolId":      {edit("ap-northeast-2_ExAmPlE01", ""), lambda.ErrBadEvent},
		"no userName":           {edit(`"userName"`, `"x"`), lambda.ErrBadEvent},
		"folded userName":       {edit(`"userName"`, `"username"`), lambda.ErrBadEvent},
		"request is text":       {edit(`"request": {`, `"request": "4000000001", "x": {`), lambda.ErrBadEvent},
		"attributes are a list": {edit(`"userAttributes": {`, `"userAttributes": [4000000001], "x": {`), lambda.ErrBadEvent},
		"response is a number":  {edit(`"response": {}`, `"response": 4000000001`), lambda.ErrBadEvent},
		"no sub":                {edit(`"sub"`, `"Sub"`), lambda.ErrBadEvent},
		"sub is a number":       {edit(`"34c84488-e0e1-70ae-d2ee-991ad1a89801"`, "4000000001"), lambda.ErrBadEvent},
		"null attributes":       {edit(`"userAttributes": {`, `"userAttributes": null, "x": {`), lambda.ErrBadEvent},
		"token details are a list": {changed(t, "token_v1_refresh", `"claimsOverrideDetails": null`, `"claimsOverrideDetails": [4000000001]`),
			lambda.ErrBadEvent},
		"suppressed claims are text": {changed(t, "token_v1_refresh", `"claimsOverrideDetails": null`,
			`"claimsOverrideDetails": {"claimsToSuppress": "custom:userId"}`), lambda.ErrBadEvent},
		"claims are a list": {changed(t, "token_v2_later_sign_in", `"claimsAndScopeOverrideDetails": null`,
			`"claimsAndScopeOverrideDetails": {"idTokenGeneration":{"claimsToAddOrOverride":[4000000001]}}`), lambda.ErrBadEvent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			out, err := w.Handle(t.Context(), tc.event)
			var public *lambda.PublicError
			if !errors.Is(err, tc.want) || !errors.As(err, &public) || out != nil {
				t.Fatalf("Handle = %s, %v (%v), want %v", out, err, errors.Unwrap(err), tc.want)
			}
			wantNothingPersonal(t, "error", err.Error()+errors.Unwrap(err).Error())
			wantNothingPersonal(t, "log", w.log.String())
			if r := w.result(t); r.Outcome != lambda.OutcomeFailed || strings.Contains(r.Source, "4000000001") {
				t.Errorf("result = %+v", r)
			}
			if len(w.store.ensured) > 0 {
				t.Errorf("ensured %+v", w.store.ensured)
			}
		})
	}
}

// A null response is answered with an object.
func TestNullResponse(t *testing.T) {
	t.Parallel()
	for _, response := range []string{`"response": null`, `"other": 1`} {
		out, err := newWorld(t).Handle(t.Context(), changed(t, "postconfirmation_kakao", `"response": {}`, response))
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, out)["response"]; !reflect.DeepEqual(got, map[string]any{}) {
			t.Errorf("%s: response = %v", response, got)
		}
	}
}

var storeErrors = []error{users.ErrUnavailable, users.ErrConflict, users.ErrInvalid, users.ErrAmbiguous, users.ErrMoveRefused,
	users.ErrSchema, errBroken, context.DeadlineExceeded, context.Canceled}

// Whatever fails, the text that Cognito shows is ours, and the log has no
// personal data.
func TestErrorsArePublic(t *testing.T) {
	t.Parallel()
	for _, cause := range storeErrors {
		for name := range fixtures {
			w := newWorld(t)
			w.store.err = fmt.Errorf("some store: %w", cause)
			_, err := w.Handle(t.Context(), fixture(t, name))
			if err == nil {
				continue
			}
			var public *lambda.PublicError
			if !errors.As(err, &public) || err.Error() != public.Text || public.Text == "" || strings.HasSuffix(public.Text, ".") {
				t.Errorf("%s: %#v is not public", name, err)
			}
			if strings.Contains(err.Error(), "some store") || strings.Contains(err.Error(), "lambda:") {
				t.Errorf("%s: the cause is shown: %v", name, err)
			}
			wantNothingPersonal(t, "error", err.Error())
			wantNothingPersonal(t, "log", w.log.String())
			if r := w.result(t); r.Reason == "" || r.Outcome == lambda.OutcomeOK {
				t.Errorf("%s: result = %+v", name, r)
			}
		}
	}
}

func TestPreSignUpExternal(t *testing.T) {
	t.Parallel()
	for userName, ok := range map[string]bool{
		"Kakao_1": true, "kakao_1": true, "KAKAO_1": true, "google_1": true, "Google_a_b\\c": true,
		"Kakao": false, "Kakao_": false, "Kakao1": false, "KakaoX_1": false, "xKakao_1": false, "Naver_1": false,
		"_1": false, "Naver_Kakao_1": false, " Kakao_1": false, "Goo": false, "카카오_1": false,
	} {
		t.Run(userName, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			quoted, _ := json.Marshal(userName)
			_, err := w.Handle(t.Context(), changed(t, "presignup_external_kakao", `"Kakao_4000000001"`, string(quoted)))
			if (err == nil) != ok || (err != nil && !errors.Is(err, lambda.ErrProvider)) {
				t.Fatalf("Handle: %v, want allowed %v", err, ok)
			}
			want := lambda.OutcomeOK
			if !ok {
				want = lambda.OutcomeRefused
			}
			if r := w.result(t); r.Outcome != want {
				t.Errorf("result = %+v", r)
			}
		})
	}
}

func TestPreSignUpNativeAllowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *lambda.Config) { c.AllowNativeSignUp = true })
	in := fixture(t, "presignup_native_null_maps")
	out, err := w.Handle(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, in, out, "")
}

func TestPostConfirmationResult(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.outcome = users.Linked
	if _, err := w.Handle(t.Context(), fixture(t, "postconfirmation_kakao")); err != nil {
		t.Fatal(err)
	}
	want := lambda.Result{Source: "PostConfirmation_ConfirmSignUp", Outcome: lambda.OutcomeOK, User: users.Linked, AttributeWritten: true, SignInRecorded: true}
	if got := w.result(t); got != want {
		t.Errorf("result = %+v, want %+v", got, want)
	}
	if set := w.attrs.sets[0]; set[0] != "ap-northeast-2_ExAmPlE01" || set[1] != "Kakao_4000000001" {
		t.Errorf("set %v", set)
	}
}

// signedIn is the user who signs in now.
func signedIn(id users.Identity) users.Identity {
	id.At = clock
	return id
}

// A first sign-in is written with the row, and goes to the queue only where it
// was not: for a row that was there, as after an attempt whose answer was lost,
// and for a store that cannot.
func TestFirstSignInIsNotedOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		event   string
		outcome users.Outcome
		noTimes bool
		sent    bool
	}{
		"sign-up, created":                     {"postconfirmation_kakao", users.Created, false, false},
		"sign-up, linked":                      {"postconfirmation_kakao", users.Linked, false, false},
		"sign-up, moved":                       {"postconfirmation_kakao", users.Moved, false, false},
		"sign-up, existing":                    {"postconfirmation_kakao", users.Existing, false, true},
		"sign-up, created, store without time": {"postconfirmation_kakao", users.Created, true, true},
		"sign-up, linked, store without time":  {"postconfirmation_kakao", users.Linked, true, true},
		"sign-up, moved, store without time":   {"postconfirmation_kakao", users.Moved, true, true},
		"token, created":                       {"token_v1_first_sign_in", users.Created, false, false},
		"token, linked":                        {"token_v2_first_sign_in", users.Linked, false, false},
		"token, moved":                         {"token_v3_first_sign_in", users.Moved, false, false},
		"token, existing":                      {"token_v1_first_sign_in", users.Existing, false, false},
		"token, created, store without time":   {"token_v1_first_sign_in", users.Created, true, true},
		"token, existing, store without time":  {"token_v1_first_sign_in", users.Existing, true, false},
		"invited, created":                     {"token_v1_native_new_password", users.Created, false, false},
		"invited, created, store without time": {"token_v3_native_new_password", users.Created, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.store.outcome, w.store.noTimes = tc.outcome, tc.noTimes
			if _, err := w.Handle(t.Context(), fixture(t, tc.event)); err != nil {
				t.Fatal(err)
			}
			if len(w.store.ensured) != 1 || !w.store.ensured[0].At.Equal(clock) {
				t.Errorf("ensured %+v", w.store.ensured)
			}
			if (len(w.queue.sent) == 1) != tc.sent || len(w.queue.sent) > 1 {
				t.Fatalf("sent %+v", w.queue.sent)
			}
			if recorded := tc.outcome != users.Existing && !tc.noTimes; w.result(t).SignInRecorded != recorded || w.result(t).SignInLost {
				t.Errorf("result = %+v", w.result(t))
			}
			if !tc.sent {
				return
			}
			if s := w.queue.sent[0]; s.Version != 1 || s.Sub != w.store.ensured[0].Sub || s.UserPoolID != "ap-northeast-2_ExAmPlE01" || !s.At.Equal(clock) {
				t.Errorf("sent %+v", s)
			}
		})
	}
}

// An event that does not say who the user is at the provider finds only rows
// that are there, so its sign-in goes to the queue.
func TestSignInOfUnclearIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.rows = map[string]string{kakaoUser.Sub: "42"}
	if _, err := w.Handle(t.Context(), changed(t, "postconfirmation_kakao", `"cognito:user_status"`, `"x"`)); err != nil {
		t.Fatal(err)
	}
	if len(w.store.lookups) != 1 || len(w.queue.sent) != 1 || w.result(t).SignInRecorded {
		t.Errorf("looked up %v, sent %v, result %+v", w.store.lookups, w.queue.sent, w.result(t))
	}
}

// The row exists, so neither Cognito nor the queue may fail the sign-up.
func TestPostConfirmationSideEffectsFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.attrs.err, w.queue.err, w.store.noTimes = errBroken, errBroken, true
	in := fixture(t, "postconfirmation_kakao")
	out, err := w.Handle(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, in, out, "")
	if r := w.result(t); !r.AttributeFailed || !r.SignInLost || r.Outcome != lambda.OutcomeOK {
		t.Errorf("result = %+v", r)
	}
	if got := w.log.String(); strings.Count(got, errBroken.Error()) != 2 {
		t.Errorf("the causes are not in the log: %s", got)
	}
}

func TestPostConfirmationStoreFails(t *testing.T) {
	t.Parallel()
	for _, cause := range storeErrors {
		w := newWorld(t)
		w.store.err = cause
		if _, err := w.Handle(t.Context(), fixture(t, "postconfirmation_kakao")); !errors.Is(err, cause) {
			t.Errorf("Handle: %v, want %v", err, cause)
		}
		if len(w.attrs.sets)+len(w.queue.sent) > 0 {
			t.Errorf("after %v: set %v, sent %v", cause, w.attrs.sets, w.queue.sent)
		}
	}
}

// "" is nobody: a store that answers it must not make a token for everybody.
func TestStoreGivesNoID(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"postconfirmation_kakao", "token_v1_first_sign_in"} {
		w := newWorld(t, func(c *lambda.Config) { c.Users = emptyStore{&fakeStore{}} })
		if _, err := w.Handle(t.Context(), fixture(t, name)); !errors.Is(err, users.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if len(w.attrs.sets) > 0 {
			t.Errorf("%s: set %v", name, w.attrs.sets)
		}
	}
}

type emptyStore struct{ *fakeStore }

func (emptyStore) Ensure(context.Context, users.Identity) (users.Result, error) {
	return users.Result{Outcome: users.Existing}, nil
}

func TestPostConfirmationTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := changed(t, "postconfirmation_kakao", `"email_verified"`, `"custom:userId": "1000", "email_verified"`)
	for range 2 {
		if _, err := w.Handle(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.attrs.sets) != 0 {
		t.Errorf("an attribute that is right was written again: %v", w.attrs.sets)
	}
	w.store.rows[kakaoUser.Sub] = "2000"
	if _, err := w.Handle(t.Context(), in); err != nil || len(w.attrs.sets) != 1 || w.attrs.sets[0][3] != "2000" {
		t.Errorf("a wrong attribute was not corrected: %v, %v", w.attrs.sets, err)
	}
}

func TestPostAuthenticationFailsOpen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		queue error
		event json.RawMessage
	}{
		"queue broken": {errBroken, fixture(t, "postauthentication_kakao")},
		"queue full":   {lambda.ErrQueueFull, fixture(t, "postauthentication_kakao")},
		"no sub":       {nil, changed(t, "postauthentication_kakao", `"sub"`, `"x"`)},
	} {
		w := newWorld(t)
		w.queue.err = tc.queue
		out, err := w.Handle(t.Context(), tc.event)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wantAnswer(t, tc.event, out, "")
		if r := w.result(t); !r.SignInLost || r.Outcome != lambda.OutcomeOK {
			t.Errorf("%s: result = %+v", name, r)
		}
		wantNothingPersonal(t, "log", w.log.String())
	}
}

// Nothing waits longer than it may, whoever hangs.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		event  string
		hang   func(*world)
		invoke time.Duration // the function's own timeout
		want   time.Duration
		ok     bool
	}{
		"sign-in, queue hangs":                {"postauthentication_kakao", func(w *world) { w.queue.hang = true }, time.Minute, 500 * time.Millisecond, true},
		"sign-up, store hangs":                {"postconfirmation_kakao", func(w *world) { w.store.hang = true }, time.Minute, 4 * time.Second, false},
		"sign-up, Cognito hangs":              {"postconfirmation_kakao", func(w *world) { w.attrs.hang = true }, time.Minute, 2 * time.Second, true},
		"sign-up, queue hangs":                {"postconfirmation_kakao", func(w *world) { w.store.noTimes = true; w.queue.hang = true }, time.Minute, 500 * time.Millisecond, true},
		"sign-up, queue is not asked":         {"postconfirmation_kakao", func(w *world) { w.queue.hang = true }, time.Minute, 0, true},
		"sign-up, Cognito and queue hang":     {"postconfirmation_kakao", func(w *world) { w.store.noTimes = true; w.attrs.hang, w.queue.hang = true, true }, time.Minute, 2 * time.Second, true},
		"sign-up, Cognito hangs, end near":    {"postconfirmation_kakao", func(w *world) { w.attrs.hang = true }, time.Second, 700 * time.Millisecond, true},
		"sign-up, store slow, Cognito hangs":  {"postconfirmation_kakao", func(w *world) { w.store.delay, w.attrs.hang = 3500*time.Millisecond, true }, time.Minute, 3900 * time.Millisecond, true},
		"sign-up, store too slow for Cognito": {"postconfirmation_kakao", func(w *world) { w.store.delay, w.attrs.hang = 3950*time.Millisecond, true }, time.Minute, 3950 * time.Millisecond, true},
		"sign-up, store and queue slow":       {"postconfirmation_kakao", func(w *world) { w.store.noTimes = true; w.store.delay, w.queue.hang = 3950*time.Millisecond, true }, time.Minute, 4 * time.Second, true},
		"token, store hangs":                  {"token_v2_first_sign_in", func(w *world) { w.store.hang = true }, time.Minute, 4 * time.Second, false},
		"token, Cognito hangs":                {"token_v2_first_sign_in", func(w *world) { w.attrs.hang = true }, time.Minute, 2 * time.Second, true},
		"a nearer end of the function":        {"token_v2_first_sign_in", func(w *world) { w.store.hang = true }, 2 * time.Second, 1800 * time.Millisecond, false},
		"the end is past":                     {"token_v2_first_sign_in", func(w *world) { w.store.hang = true }, -time.Second, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(c *lambda.Config) { c.Now = time.Now })
				tc.hang(w)
				ctx, cancel := context.WithTimeout(t.Context(), tc.invoke)
				defer cancel()
				started := time.Now()
				_, err := w.Handle(ctx, fixture(t, tc.event))
				if took := time.Since(started); took != tc.want || (err == nil) != tc.ok {
					t.Fatalf("Handle: %v after %v, want ok %v after %v", err, took, tc.ok, tc.want)
				}
				if r := w.result(t); r.Duration != tc.want {
					t.Errorf("Duration = %v", r.Duration)
				}
			})
		})
	}
}

func TestTokenFromAttributeNeedsNoStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.err, w.attrs.err = errBroken, errBroken
	if _, err := w.Handle(t.Context(), fixture(t, "token_v2_later_sign_in")); err != nil {
		t.Fatal(err)
	}
	if r := w.result(t); r.Healed || r.User != "" {
		t.Errorf("result = %+v", r)
	}
}

func TestTokenHeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.attrs.err = errBroken // best effort
	in := fixture(t, "token_v1_first_sign_in")
	out, err := w.Handle(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, in, out, fmt.Sprintf(v1Claim, "1000"))
	if r := w.result(t); !r.Healed || r.User != users.Created || !r.AttributeFailed {
		t.Errorf("result = %+v", r)
	}
}

func TestTokenWithoutStore(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		allow    bool
		err      error
		degraded bool
	}{
		"closed by default":                {false, users.ErrUnavailable, false},
		"open by option":                   {true, users.ErrUnavailable, true},
		"open by option, on a timeout":     {true, context.DeadlineExceeded, true},
		"a conflict stays closed":          {true, users.ErrConflict, false},
		"a bad identity stays closed":      {true, users.ErrInvalid, false},
		"several rows stay closed":         {true, users.ErrAmbiguous, false},
		"a refused move stays closed":      {true, users.ErrMoveRefused, false},
		"a wrong table stays closed":       {true, users.ErrSchema, false},
		"an unknown failure stays closed":  {true, errBroken, false},
		"a healthy store needs no opening": {true, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *lambda.Config) { c.AllowMissingUserID = tc.allow })
			w.store.err = tc.err
			in := fixture(t, "token_v2_first_sign_in")
			out, err := w.Handle(t.Context(), in)
			switch r := w.result(t); {
			case tc.degraded:
				if err != nil || r.Outcome != lambda.OutcomeDegraded {
					t.Fatalf("Handle: %v, %+v", err, r)
				}
				wantAnswer(t, in, out, "")
			case tc.err == nil:
				if err != nil || r.Outcome != lambda.OutcomeOK {
					t.Fatalf("Handle: %v, %+v", err, r)
				}
			case !errors.Is(err, tc.err) || out != nil:
				t.Fatalf("Handle = %s, %v, want %v", out, err, tc.err)
			}
		})
	}
	// Open is for an outage; a foreign provider never gets a token.
	w := newWorld(t, func(c *lambda.Config) { c.AllowMissingUserID = true })
	in := changed(t, "token_v2_first_sign_in", `\"providerName\":\"Kakao\"`, `\"providerName\":\"Naver\"`)
	if _, err := w.Handle(t.Context(), in); !errors.Is(err, lambda.ErrProvider) {
		t.Errorf("a foreign provider: %v", err)
	}
}

func TestTokenKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ fixture, old, response, want string }{
		"claims of another": {"token_v1_refresh", `"claimsOverrideDetails": null`,
			`"claimsOverrideDetails": {"claimsToAddOrOverride": {"a": "<1>", "custom:userId": "999"}, "claimsToSuppress": ["email"]}`,
			`{"claimsOverrideDetails": {"claimsToAddOrOverride": {"a": "<1>", "custom:userId": "42"}, "claimsToSuppress": ["email"]}}`},
		"suppressing would win": {"token_v1_refresh", `"claimsOverrideDetails": null`,
			`"claimsOverrideDetails": {"claimsToSuppress": ["custom:userId", "email"]}`,
			`{"claimsOverrideDetails": {"claimsToAddOrOverride": {"custom:userId": "42"}, "claimsToSuppress": ["email"]}}`},
		"empty group overrides go, or the groups would": {"token_v1_refresh", `"claimsOverrideDetails": null`,
			`"claimsOverrideDetails": {"groupOverrideDetails": {"groupsToOverride": null, "iamRolesToOverride": [], "preferredRole": null}}`,
			fmt.Sprintf(v1Claim, "42")},
		"empty with blanks": {"token_v1_refresh", `"claimsOverrideDetails": null`,
			`"claimsOverrideDetails": {"groupOverrideDetails": {"groupsToOverride": [ ], "iamRolesToOverride": [ null ]}}`,
			fmt.Sprintf(v1Claim, "42")},
		"roles without groups": {"token_v2_later_sign_in", `"claimsAndScopeOverrideDetails": null`,
			`"claimsAndScopeOverrideDetails": {"groupOverrideDetails": {"iamRolesToOverride": ["arn:aws:iam::0:role/x"]}}`, fmt.Sprintf(v2Claim, "42")},
		"a group without a name": {"token_v2_later_sign_in", `"claimsAndScopeOverrideDetails": null`,
			`"claimsAndScopeOverrideDetails": {"groupOverrideDetails": {"groupsToOverride": ["", null, 7]}}`, fmt.Sprintf(v2Claim, "42")},
		"a group override that is none": {"token_v2_later_sign_in", `"claimsAndScopeOverrideDetails": null`,
			`"claimsAndScopeOverrideDetails": {"groupOverrideDetails": ["staff"]}`, fmt.Sprintf(v2Claim, "42")},
		"null group overrides go": {"token_v2_later_sign_in", `"claimsAndScopeOverrideDetails": null`,
			`"claimsAndScopeOverrideDetails": {"groupOverrideDetails": null}`, fmt.Sprintf(v2Claim, "42")},
		"real group overrides stay": {"token_v1_refresh", `"claimsOverrideDetails": null`,
			`"claimsOverrideDetails": {"groupOverrideDetails": {"groupsToOverride": ["staff"]}}`,
			`{"claimsOverrideDetails": {"claimsToAddOrOverride": {"custom:userId": "42"}, "groupOverrideDetails": {"groupsToOverride": ["staff"]}}}`},
		"scopes of another": {"token_v2_later_sign_in", `"claimsAndScopeOverrideDetails": null`,
			`"claimsAndScopeOverrideDetails": {"accessTokenGeneration": {"scopesToAdd": ["x"], "claimsToAddOrOverride": {"n": 1.0}}, "idTokenGeneration": null}`,
			`{"claimsAndScopeOverrideDetails": {"accessTokenGeneration": {"scopesToAdd": ["x"], "claimsToAddOrOverride": {"n": 1.0, "custom:userId": "42"}}, "idTokenGeneration": {"claimsToAddOrOverride": {"custom:userId": "42"}}}}`},
		"V2 by its scopes":  {"token_v2_later_sign_in", `"version": "2"`, `"version": "1"`, fmt.Sprintf(v2Claim, "42")},
		"V2 by its number":  {"token_v2_later_sign_in", `"version": "2"`, `"version": 2`, fmt.Sprintf(v2Claim, "42")},
		"V2 by its version": {"token_v2_later_sign_in", `"scopes"`, `"other"`, fmt.Sprintf(v2Claim, "42")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := changed(t, tc.fixture, tc.old, tc.response)
			want := tc.want
			out, err := newWorld(t).Handle(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			got := decode(t, out)["response"].(map[string]any)
			for k, v := range decode(t, json.RawMessage(want)) {
				if !reflect.DeepEqual(got[k], v) {
					t.Errorf("%s = %v\nwant %v", k, got[k], v)
				}
			}
		})
	}
}

func TestUserIDAttributeName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *lambda.Config) { c.UserIDAttribute = "custom:row" })
	out, err := w.Handle(t.Context(), fixture(t, "token_v1_refresh")) // has custom:userId only
	if err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, fixture(t, "token_v1_refresh"), out, `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"custom:row":"1000"}}}`)
	if w.attrs.sets[0][2] != "custom:row" {
		t.Errorf("set %v", w.attrs.sets)
	}
}

func TestMovedIsLoud(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.outcome = users.Moved
	if _, err := w.Handle(t.Context(), fixture(t, "postconfirmation_kakao")); err != nil {
		t.Fatal(err)
	}
	if got := w.log.String(); !strings.Contains(got, `"level":"WARN"`) || !strings.Contains(got, `"user":"moved"`) {
		t.Errorf("log = %s", got)
	}
}

func TestNewTriggersErrors(t *testing.T) {
	t.Parallel()
	if _, err := lambda.NewTriggers(lambda.Config{Providers: []string{"", "Kakao", "KAKAO", " x"},
		UserIDAttribute: "userId", SendTimeout: -1, AttributeTimeout: time.Minute, Deadline: 6 * time.Second,
		UserIDSource: "cache", RefuseMismatch: true,
		AllowedEmailDomains: []string{"@ssu.ac.kr", "*.ssu.ac.kr", "ssu.ac.kr.", "숭실.한국", "localhost", "a..b", "-a.b", "[10.0.0.1]", ""},
		EmailDomainExempt:   []string{"Naver"},
		Texts:               map[lambda.Reason]string{"typo": "x", "conflict": " ", "provider": "No.", "identity": "a\nb", "schema": strings.Repeat("x", 301), "timeout": "\xff"}}); !errors.Is(err, lambda.ErrConfig) {
		t.Errorf("NewTriggers: %v", err)
	} else {
		for _, field := range []string{"Users", "Attributes", "SignIns", `Providers: ""`, `"KAKAO" is there twice`, `" x"`, "UserIDAttribute", "SendTimeout", "AttributeTimeout", "Deadline",
			`UserIDSource: "cache"`, "RefuseMismatch", `"@ssu.ac.kr"`, `"*.ssu.ac.kr"`, `"ssu.ac.kr."`, `"숭실.한국"`, `"localhost"`, `"a..b"`, `"-a.b"`, `"[10.0.0.1]"`,
			`AllowedEmailDomains: ""`, `EmailDomainExempt: "Naver"`, `"typo" is not a reason`, `text of "conflict"`, `text of "provider" ends`, `text of "identity"`,
			`text of "schema"`, `text of "timeout"`} {
			if !strings.Contains(err.Error(), field) {
				t.Errorf("the error does not name %s: %v", field, err)
			}
		}
	}
	if _, err := lambda.NewTriggers(lambda.Config{Users: &fakeStore{}, Attributes: &fakeAttributes{}, SignIns: &fakeQueue{}}); !errors.Is(err, lambda.ErrConfig) {
		t.Errorf("no providers: %v", err)
	}
	for name, half := range map[string]lambda.Config{
		"an exempt provider without a rule":  {EmailDomainExempt: []string{"Kakao"}},
		"an opening without a rule":          {AllowUnverifiedEmailDomain: true},
		"refusing without asking the store":  {RefuseMismatch: true},
		"refusing with the attribute first":  {RefuseMismatch: true, UserIDSource: lambda.AttributeFirst},
		"an exempt provider by another case": {AllowedEmailDomains: []string{"a.test"}, EmailDomainExempt: []string{"kakao"}},
	} {
		half.Users, half.Attributes, half.SignIns, half.Providers = &fakeStore{}, &fakeAttributes{}, &fakeQueue{}, []string{"Kakao"}
		if _, err := lambda.NewTriggers(half); !errors.Is(err, lambda.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	providers := []string{"Kakao"}
	w := newWorld(t, func(c *lambda.Config) { c.Providers = providers })
	providers[0] = "Naver"
	if _, err := w.Handle(t.Context(), fixture(t, "presignup_external_kakao")); err != nil {
		t.Error(err)
	}
}

func FuzzHandle(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	for _, details := range []string{`{"groupOverrideDetails":{"groupsToOverride":[ ]}}`, `{"groupOverrideDetails":null}`, `{"groupOverrideDetails":{"groupsToOverride":["staff"]}}`,
		`{"claimsToSuppress":["custom:userId"]}`, `{"idTokenGeneration":{"claimsToSuppress":null},"accessTokenGeneration":null}`} {
		f.Add([]byte(changed(f, "token_v1_refresh", `"claimsOverrideDetails": null`, `"later":1,"claimsOverrideDetails": `+details)))
		f.Add([]byte(changed(f, "token_v2_first_sign_in", `"claimsAndScopeOverrideDetails": null`, `"later":[1.10],"claimsAndScopeOverrideDetails": `+details)))
	}
	f.Add([]byte(`{"warmup":true}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		w := newWorld(t, func(c *lambda.Config) {
			c.AllowNativeSignUp = true
			c.ExtraClaims = func(_ context.Context, r lambda.ClaimsRequest) (lambda.Claims, error) {
				if r.Machine {
					return lambda.Claims{AddScopes: []string{"x"}}, nil
				}
				return lambda.Claims{ID: lambda.TokenClaims{Add: map[string]any{"dept": "x"}}}, nil
			}
		})
		out, err := w.Handle(t.Context(), raw)
		wantNothingPersonal(t, "log", w.log.String())
		if err != nil {
			var public *lambda.PublicError
			if !errors.As(err, &public) || out != nil {
				t.Fatalf("Handle = %s, %#v", out, err)
			}
			return
		}
		if string(out) == `{"warmup":true}` {
			return
		}
		got, want := decode(t, out), decode(t, raw)
		if _, ok := got["response"].(map[string]any); !ok {
			t.Fatalf("response = %v", got["response"])
		}
		wantGroupsKept(t, got)
		wantOthersKept(t, got["response"], want["response"])
		delete(got, "response")
		delete(want, "response")
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("more than the response was changed:\n%s\n%s", raw, out)
		}
		for _, id := range w.store.ensured {
			if id.Sub == "" || (id.Provider == "") != (id.Subject == "") {
				t.Fatalf("ensured %+v", id)
			}
			if id.Provider != "" && id.Provider != "Kakao" && id.Provider != "Google" {
				t.Fatalf("ensured a foreign provider: %+v", id)
			}
		}
	})
}

// wantGroupsKept: no user's token loses its groups by an override that names
// none.
func wantGroupsKept(t *testing.T, event map[string]any) {
	t.Helper()
	source, _ := event["triggerSource"].(string)
	if !strings.HasPrefix(source, "TokenGeneration_") || source == "TokenGeneration_ClientCredentials" {
		return
	}
	response := event["response"].(map[string]any)
	id, _ := response["claimsOverrideDetails"].(map[string]any)
	if both, ok := response["claimsAndScopeOverrideDetails"].(map[string]any); ok && both["idTokenGeneration"] != nil {
		id = both
	}
	override, there := id["groupOverrideDetails"]
	if !there {
		return
	}
	groups, _ := override.(map[string]any)["groupsToOverride"].([]any)
	for _, g := range groups {
		if s, _ := g.(string); s != "" {
			return
		}
	}
	if details, ok := response["claimsOverrideDetails"].(map[string]any); ok && details["claimsToAddOrOverride"] == nil {
		return // not the member that this event's version answers with
	}
	t.Fatalf("groups stripped: %v", response)
}

// wantOthersKept: members of the response that are not ours survive.
func wantOthersKept(t *testing.T, got, want any) {
	t.Helper()
	had, _ := want.(map[string]any)
	has := got.(map[string]any)
	for name, v := range had {
		switch name {
		case "claimsOverrideDetails", "claimsAndScopeOverrideDetails", "autoConfirmUser", "autoVerifyEmail", "autoVerifyPhone":
			continue
		}
		if !reflect.DeepEqual(has[name], v) {
			t.Fatalf("response.%s = %v, was %v", name, has[name], v)
		}
	}
}

// What is not ours comes back byte for byte, also when the response is edited.
func TestValuesSurviveAnEdit(t *testing.T) {
	t.Parallel()
	const odd = `{"html":"<b>&amp;</b>","big":12345678901234567890,"float":1.10,"exp":1E2,"escaped":"\u00e9\u2028"}`
	out, err := newWorld(t).Handle(t.Context(), changed(t, "token_v2_later_sign_in", `"request": {`, `"request": {"clientMetadata":`+odd+`,`))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), odd) {
		t.Errorf("answer = %s", out)
	}
}
