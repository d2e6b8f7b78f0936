package lambdaruntime_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
)

// The test binary is the function too.
func TestMain(m *testing.M) {
	switch os.Getenv("ACT_AS") {
	case "function":
		lambda.Start(function)
	case "polite function":
		lambda.StartWithOptions(function, lambda.WithEnableSIGTERM(func() {
			fmt.Println("goodbye")
			os.Exit(0)
		}))
	case "deaf function":
		lambda.StartWithOptions(function, lambda.WithEnableSIGTERM(func() { select {} }))
	case "broken start":
		fmt.Println("cannot start")
		os.Exit(3)
	case "slow start":
		time.Sleep(time.Minute)
	}
	os.Exit(m.Run())
}

var served int

func function(ctx context.Context, event map[string]any) (any, error) {
	served++
	switch event["do"] {
	case "fail":
		return nil, errors.New("as asked")
	case "panic":
		panic("as asked")
	case "exit":
		os.Exit(7)
	case "sleep":
		time.Sleep(time.Minute)
	case "sleep a little":
		time.Sleep(200 * time.Millisecond)
	}
	deadline, ok := ctx.Deadline()
	return map[string]any{"event": event, "served": served, "left": time.Until(deadline).Seconds(), "deadline": ok, "home": os.Getenv("HOME")}, nil
}

func start(t *testing.T, actAs string, change ...func(*lambdaruntime.Config)) *lambdaruntime.Runtime {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg := lambdaruntime.Config{Command: []string{self}, Env: []string{"ACT_AS=" + actAs}, Timeout: 20 * time.Second}
	for _, c := range change {
		c(&cfg)
	}
	r, err := lambdaruntime.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func invoke(t *testing.T, r *lambdaruntime.Runtime, payload string) (answer map[string]any, functionError string) {
	t.Helper()
	a, err := r.Invoke(t.Context(), json.RawMessage(payload))
	if err != nil {
		t.Fatalf("Invoke: %v", err)
	}
	if err := json.Unmarshal(a.Payload, &answer); err != nil {
		t.Fatalf("payload %s: %v", a.Payload, err)
	}
	return answer, a.FunctionError
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	r := start(t, "function")
	for n := 1; n <= 3; n++ {
		got, failed := invoke(t, r, `{"a":"한"}`)
		if failed != "" || got["served"] != float64(n) || got["deadline"] != true || got["home"] != "" {
			t.Fatalf("answer %d = %v, %s", n, got, failed)
		}
		if left := got["left"].(float64); left < 1 || left > 20 {
			t.Errorf("%v s left", left)
		}
	}
	if n := r.Starts(); n != 1 {
		t.Errorf("%d starts", n)
	}
}

// Within has the start of each process and its Runtime API, and can refuse.
func TestWithin(t *testing.T) {
	t.Parallel()
	calls, refused := 0, errors.New("no room")
	r := start(t, "function", func(c *lambdaruntime.Config) {
		c.Within = func(f func() error) error {
			if calls++; calls == 1 {
				return refused
			}
			return f()
		}
	})
	if got, failed := invoke(t, r, `{}`); failed == "" || !strings.Contains(fmt.Sprint(got), refused.Error()) {
		t.Errorf("answer = %v, %s", got, failed)
	}
	if got, failed := invoke(t, r, `{}`); failed != "" || got["served"] != 1.0 || calls != 2 {
		t.Errorf("answer = %v, %s, %d calls", got, failed, calls)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for do, tc := range map[string]struct {
		kind, message string
		starts        int // after one more event
	}{
		"fail":  {"errorString", "as asked", 1},
		"panic": {"string", "as asked", 2},
		"exit":  {"Runtime.ExitError", "exit status 7", 2},
		"sleep": {"Sandbox.Timedout", "Task timed out after 3.00 seconds", 2},
	} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			r := start(t, "function", func(c *lambdaruntime.Config) { c.Timeout = 3 * time.Second })
			got, failed := invoke(t, r, `{"do":"`+do+`"}`)
			if failed != "Unhandled" || got["errorType"] != tc.kind || !strings.Contains(fmt.Sprint(got["errorMessage"]), tc.message) {
				t.Fatalf("answer = %v, %s", got, failed)
			}
			// After a panic the answer comes before the process has ended.
			deadline := time.Now().Add(10 * time.Second)
			for {
				got, failed = invoke(t, r, `{}`)
				if failed == "" || time.Now().After(deadline) {
					break
				}
			}
			if failed != "" || r.Starts() != tc.starts {
				t.Errorf("the next answer = %v, %s, after %d starts", got, failed, r.Starts())
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := start(t, "broken start", func(c *lambdaruntime.Config) { c.Output = &out })
	if got, failed := invoke(t, r, `{}`); failed != "Unhandled" || !strings.Contains(fmt.Sprint(got["errorMessage"]), "exit status 3") {
		t.Errorf("answer = %v, %s", got, failed)
	}
	_ = r.Close()
	if !strings.Contains(out.String(), "cannot start") {
		t.Errorf("output = %q", out.String())
	}
	slow := start(t, "slow start", func(c *lambdaruntime.Config) { c.InitTimeout = 100 * time.Millisecond })
	if got, failed := invoke(t, slow, `{}`); failed != "Unhandled" || got["errorType"] != "Sandbox.Timedout" {
		t.Errorf("answer = %v, %s", got, failed)
	}
	missing := start(t, "", func(c *lambdaruntime.Config) { c.Command = []string{"/no/such/binary"} })
	if got, failed := invoke(t, missing, `{}`); failed != "Unhandled" || got["errorType"] != "Runtime.InvalidEntrypoint" {
		t.Errorf("answer = %v, %s", got, failed)
	}
	if _, err := lambdaruntime.Start(lambdaruntime.Config{}); err == nil {
		t.Error("Start without a command succeeded")
	}
}

// The caller goes away; the function runs on, and its place is taken.
func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	r := start(t, "function")
	invoke(t, r, `{}`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.Invoke(ctx, json.RawMessage(`{"do":"sleep a little"}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Invoke: %v", err)
	}
	if got, _ := invoke(t, r, `{}`); got["served"] != float64(3) {
		t.Errorf("served %v", got["served"])
	}
}

func TestInstances(t *testing.T) {
	t.Parallel()
	r := start(t, "function", func(c *lambdaruntime.Config) { c.Instances = 3 })
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			if _, err := r.Invoke(t.Context(), json.RawMessage(`{"do":"sleep a little"}`)); err != nil {
				t.Errorf("Invoke: %v", err)
			}
		})
	}
	wg.Wait()
	if n := r.Starts(); n != 3 {
		t.Errorf("%d starts, want 3", n)
	}
}

func TestInvokeAPI(t *testing.T) {
	t.Parallel()
	r := start(t, "function", func(c *lambdaruntime.Config) { c.FunctionName = "sso" })
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		header, value      string
	}{
		"good":             {"POST", "/2015-03-31/functions/sso/invocations", `{}`, 200, "X-Amz-Executed-Version", "$LATEST"},
		"no payload":       {"POST", "/2015-03-31/functions/sso/invocations", ``, 200, "X-Amz-Function-Error", ""},
		"fails":            {"POST", "/2015-03-31/functions/sso/invocations", `{"do":"fail"}`, 200, "X-Amz-Function-Error", "Unhandled"},
		"another function": {"POST", "/2015-03-31/functions/x/invocations", `{}`, 404, "X-Amzn-ErrorType", "ResourceNotFoundException"},
		"not JSON":         {"POST", "/2015-03-31/functions/sso/invocations", `{`, 400, "X-Amzn-ErrorType", "InvalidRequestContentException"},
		"too large":        {"POST", "/2015-03-31/functions/sso/invocations", `"` + strings.Repeat("x", 6<<20) + `"`, 413, "X-Amzn-ErrorType", "RequestTooLargeException"},
		"GET":              {"GET", "/2015-03-31/functions/sso/invocations", ``, 405, "X-Amz-Function-Error", ""},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tc.method, r.URL()+tc.path, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			_, _ = io.Copy(io.Discard, res.Body)
			if res.StatusCode != tc.status || res.Header.Get(tc.header) != tc.value {
				t.Errorf("status %d, %s %q", res.StatusCode, tc.header, res.Header.Get(tc.header))
			}
		})
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	r := start(t, "function")
	invoke(t, r, `{}`)
	for range 2 {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Invoke(t.Context(), nil); !errors.Is(err, lambdaruntime.ErrClosed) {
		t.Errorf("Invoke after Close: %v", err)
	}
}

// A process that asked for SIGTERM gets it, and time to end; nobody else does,
// and nobody stays.
func TestHowProcessesEnd(t *testing.T) {
	t.Parallel()
	for actAs, want := range map[string]string{"function": "", "polite function": "goodbye\n", "deaf function": ""} {
		t.Run(actAs, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			r := start(t, actAs, func(c *lambdaruntime.Config) { c.Output = &out })
			invoke(t, r, `{}`)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if out.String() != want { // nothing writes any more
				t.Errorf("it said %q", out.String())
			}
		})
	}
}

// A process that is killed under its event is a crash for the caller, and the
// next event gets a new one.
func TestKill(t *testing.T) {
	t.Parallel()
	r := start(t, "function")
	r.Kill() // there is none yet
	done := make(chan lambdaruntime.Answer)
	go func() {
		a, _ := r.Invoke(t.Context(), json.RawMessage(`{"do":"sleep"}`))
		done <- a
	}()
	for end := time.Now().Add(20 * time.Second); r.Starts() == 0; {
		if time.Now().After(end) {
			t.Fatal("it does not start")
		}
	}
	r.Kill()
	if a := <-done; a.FunctionError != "Unhandled" || !strings.Contains(string(a.Payload), "Runtime.ExitError") {
		t.Errorf("answer = %s, %s", a.Payload, a.FunctionError)
	}
	if got, failed := invoke(t, r, `{}`); failed != "" || got["served"] != 1.0 || r.Starts() != 2 {
		t.Errorf("the next answer = %v, %s, after %d starts", got, failed, r.Starts())
	}
	r.Kill() // between two events
	if got, failed := invoke(t, r, `{}`); failed != "" || got["served"] != 1.0 || r.Starts() != 3 {
		t.Errorf("the last answer = %v, %s, after %d starts", got, failed, r.Starts())
	}
}

// A process can be killed at each step of its work: its caller learns nothing
// but that, and the next event gets a new process.
func TestKilledOnPurpose(t *testing.T) {
	t.Parallel()
	for _, at := range []lambdaruntime.Step{lambdaruntime.Started, lambdaruntime.Taken, lambdaruntime.Answered} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			var once sync.Once
			ended := make(chan [2]bool, 1)
			r := start(t, "function", func(c *lambdaruntime.Config) {
				c.OnStep = func(step lambdaruntime.Step, p *lambdaruntime.Process) {
					if step == at {
						once.Do(func() { ended <- [2]bool{p.Kill(), p.Kill()} })
					}
				}
			})
			got, failed := invoke(t, r, `{"do":"sleep a little"}`)
			if failed != "Unhandled" || got["errorType"] != "Runtime.ExitError" || !strings.Contains(fmt.Sprint(got["errorMessage"]), "signal: killed") {
				t.Errorf("answer = %v, %s", got, failed)
			}
			if did := <-ended; did != [2]bool{true, false} {
				t.Errorf("Kill said %v, and again %v", did[0], did[1])
			}
			if got, failed := invoke(t, r, `{}`); failed != "" || got["served"] != float64(1) || r.Starts() != 2 {
				t.Errorf("the next answer = %v, %s, after %d starts", got, failed, r.Starts())
			}
		})
	}
}

// One that had ended by itself was not killed.
func TestKillOfTheDead(t *testing.T) {
	t.Parallel()
	processes := make(chan *lambdaruntime.Process, 1)
	r := start(t, "function", func(c *lambdaruntime.Config) {
		c.OnStep = func(step lambdaruntime.Step, p *lambdaruntime.Process) {
			if step == lambdaruntime.Started {
				processes <- p
			}
		}
	})
	invoke(t, r, `{"do":"exit"}`)
	if (<-processes).Kill() {
		t.Error("Kill says that it ended a process that had ended")
	}
}
