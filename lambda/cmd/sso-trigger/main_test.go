package main_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/functiontest"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
)

func TestMain(m *testing.M) { functiontest.Main(m) }

// aws is the part of AWS that the function calls: SQS and cognito-idp, by
// their JSON protocols.
type aws struct {
	*httptest.Server
	mu       sync.Mutex // guards what follows
	messages []lambda.SignIn
	updates  []update
	throttle bool          // of AdminUpdateUserAttributes
	slow     time.Duration // of SendMessage
	calls    map[string]int
}

type update struct {
	UserPoolID string `json:"UserPoolId"`
	Username   string
	Attributes []struct{ Name, Value string } `json:"UserAttributes"`
}

func startAWS(t *testing.T) *aws {
	t.Helper()
	a := &aws{calls: map[string]int{}}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *aws) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	a.calls[op]++
	switch op {
	case "SendMessage":
		var in struct{ QueueUrl, MessageBody string }
		err = json.Unmarshal(body, &in)
		if err == nil && in.QueueUrl != a.queueURL() {
			err = fmt.Errorf("queue %s", in.QueueUrl)
		}
		var s lambda.SignIn
		if err == nil {
			s, err = lambda.ParseSignIn([]byte(in.MessageBody))
		}
		if err != nil {
			break
		}
		time.Sleep(a.slow)
		a.messages = append(a.messages, s)
		sum := md5.Sum([]byte(in.MessageBody))
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = fmt.Fprintf(w, `{"MessageId":"1","MD5OfMessageBody":%q}`, hex.EncodeToString(sum[:]))
		return
	case "AdminUpdateUserAttributes":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if a.throttle {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"TooManyRequestsException","message":"Rate exceeded for Kakao_4000000001"}`)
			return
		}
		var in update
		if err = json.Unmarshal(body, &in); err != nil {
			break
		}
		a.updates = append(a.updates, in)
		_, _ = io.WriteString(w, `{}`)
		return
	}
	http.Error(w, fmt.Sprint("unexpected call: ", op, err), http.StatusNotImplemented)
}

func (a *aws) queueURL() string { return a.URL + "/000000000000/sign-ins" }

func (a *aws) change(f func(*aws)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(a)
}

// function is sso-trigger with a fake of AWS around it.
type function struct {
	*functiontest.Function
	db  string
	aws *aws
}

// startFunction starts one with a user table in SQLite.
func startFunction(t *testing.T, env ...string) *function {
	t.Helper()
	db := filepath.Join(t.TempDir(), "users.db")
	f := startWith(t, append([]string{"SSO_STORE=sqlite", "SSO_SQLITE_PATH=" + db}, env...)...)
	f.db = db
	return f
}

// startWith starts one with the store that env says.
func startWith(t *testing.T, env ...string) *function {
	t.Helper()
	a := startAWS(t)
	return &function{aws: a, Function: functiontest.Start(t, ".", append([]string{
		"AWS_ENDPOINT_URL_SQS=" + a.URL, "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER=" + a.URL,
		"SSO_PROVIDERS=Kakao,Google", "SSO_SIGNIN_QUEUE_URL=" + a.queueURL(),
		"SSO_SEND_TIMEOUT=4s", // this machine may be busy; the bound is tested below
	}, env...)...)}
}

func fixture(t *testing.T, name string) json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// must is the answer to an event that must go well.
func (f *function) must(t *testing.T, name string) string {
	t.Helper()
	return f.Must(t, string(fixture(t, name)))
}

func TestSignUpAndSignIn(t *testing.T) {
	t.Parallel()
	f := startFunction(t)
	f.must(t, "presignup_external_kakao")
	f.must(t, "postconfirmation_kakao")
	if got := f.must(t, "token_v2_first_sign_in"); strings.Count(got, `"custom:userId":"1"`) != 2 {
		t.Errorf("token answer = %s", got)
	}
	f.must(t, "postauthentication_kakao")
	f.must(t, "token_v1_refresh")

	a := f.aws
	a.change(func(a *aws) {
		// The first sign-in is written with the row; the second is a message.
		if len(a.messages) != 1 || a.messages[0].Sub != "34c84488-e0e1-70ae-d2ee-991ad1a89801" {
			t.Errorf("messages = %+v", a.messages)
		}
		if len(a.updates) != 1 || a.updates[0].Username != "Kakao_4000000001" || a.updates[0].UserPoolID != "ap-northeast-2_ExAmPlE01" ||
			a.updates[0].Attributes[0].Name != "custom:userId" || a.updates[0].Attributes[0].Value != "1" {
			t.Errorf("updates = %+v", a.updates)
		}
	})
	_ = f.Close()
	wantCleanLog(t, f.Log(), 5)

	store, err := sqlite.Open(t.Context(), f.db, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	u, err := store.Get(t.Context(), "1")
	if err != nil || u.Providers["Kakao"] != "4000000001" || u.Email != "hana@example.test" {
		t.Errorf("row = %+v, %v", u, err)
	}
}

// wantCleanLog: JSON lines, one for each event and one with its metrics, without
// personal data.
func wantCleanLog(t *testing.T, log string, events int) {
	t.Helper()
	seen := 0
	for line := range strings.Lines(log) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("not JSON: %s", line)
			continue
		}
		if l["msg"] == "trigger" {
			seen++
			if l["request_id"] == nil || l["source"] == nil || l["outcome"] == nil || l["duration_ms"] == nil {
				t.Errorf("line = %v", l)
			}
		}
	}
	if seen != events {
		t.Errorf("%d lines for %d events: %s", seen, events, log)
	}
	for _, personal := range []string{"34c84488", "4000000001", "example.test", "김하나"} {
		if strings.Contains(log, personal) {
			t.Errorf("the log has %s: %s", personal, log)
		}
	}
}

// What Cognito shows to the person at the browser is our text and no more.
func TestRefusalsAreSafe(t *testing.T) {
	t.Parallel()
	f := startFunction(t)
	for name, want := range map[string]string{
		"presignup_external_other_provider": "This kind of account cannot be used here",
		"presignup_native_null_maps":        "Signing up with a password is not possible here. Please sign in with one of the offered accounts",
		"inbound_federation":                "Inbound federation is not supported here",
		"custom_message":                    "Sign-in is not set up correctly. Please contact support",
	} {
		a, err := f.Invoke(t.Context(), fixture(t, name))
		var failure lambdaruntime.FunctionFailure
		if err != nil || a.FunctionError != "Unhandled" || json.Unmarshal(a.Payload, &failure) != nil || failure.Message != want {
			t.Errorf("%s: %s, %v", name, a.Payload, err)
		}
	}
	if f.Starts() != 1 {
		t.Errorf("%d starts: a refusal ended the process", f.Starts())
	}
	_ = f.Close()
	wantCleanLog(t, f.Log(), 4)
}

func TestCognitoThrottles(t *testing.T) {
	t.Parallel()
	f := startFunction(t)
	f.aws.change(func(a *aws) { a.throttle = true })
	f.must(t, "postconfirmation_kakao")
	f.aws.change(func(a *aws) {
		if n := a.calls["AdminUpdateUserAttributes"]; n != 2 {
			t.Errorf("%d calls of a throttled API, want 2", n)
		}
		a.throttle = false
	})
	f.must(t, "token_v1_first_sign_in") // heals
	f.aws.change(func(a *aws) {
		if len(a.updates) != 1 {
			t.Errorf("updates = %+v", a.updates)
		}
	})
	_ = f.Close()
	wantCleanLog(t, f.Log(), 2)
	if !strings.Contains(f.Log(), "AdminUpdateUserAttributes: TooManyRequestsException") {
		t.Errorf("the log does not say why: %s", f.Log())
	}
}

func TestQueueIsSlow(t *testing.T) {
	t.Parallel()
	f := startFunction(t, "SSO_SEND_TIMEOUT=200ms")
	f.must(t, "preauthentication_kakao") // start it
	f.aws.change(func(a *aws) { a.slow = 8 * time.Second })
	started := time.Now()
	f.must(t, "postauthentication_kakao")
	if took := time.Since(started); took > 6*time.Second { // the machine may be busy
		t.Errorf("the sign-in waited %v for the queue", took)
	}
	_ = f.Close()
	if !strings.Contains(f.Log(), `"sign_in_lost":true`) {
		t.Errorf("log = %s", f.Log())
	}
}

const warmup = `{"warmup":true}`

func TestWarmup(t *testing.T) {
	t.Parallel()
	if got := startFunction(t).Must(t, warmup); got != warmup {
		t.Errorf("answer = %s", got)
	}
}

// Every mistake at once, and no half-configured function.
func TestMistakesAtStart(t *testing.T) {
	t.Parallel()
	functiontest.WantMistakes(t, ".", []string{"SSO_SIGNIN_QUEUE_URL=nowhere", "SSO_DEADLINE=soon", "AWS_SECRET_ACCESS_KEY="},
		"SSO_PROVIDERS", "SSO_SIGNIN_QUEUE_URL", "SSO_DEADLINE", "SSO_DBSYNC_FUNCTION", "AWS_SECRET_ACCESS_KEY")
}
