// Package functiontest builds the real binary of a Lambda function, runs it
// over internal/lambdaruntime, and gives it a real database.
package functiontest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
)

var built struct {
	sync.Mutex
	dir   string
	paths map[string]string
}

// Main runs the tests and removes what Build made. Call it in TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// Build makes the binary of the package in the folder, such as ".", once for
// each process. It is for this machine, and without -trimpath and
// CGO_ENABLED=0, which would compile every dependency once more.
func Build(t testing.TB, folder string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "sso-function")
		if err != nil {
			t.Fatal(err)
		}
		built.dir, built.paths = dir, map[string]string{}
	}
	if path := built.paths[folder]; path != "" {
		return path
	}
	path := filepath.Join(built.dir, fmt.Sprint("bootstrap", len(built.paths)))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-o", path, folder) //nolint:gosec // our own packages
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v: %s", folder, err, text)
	}
	built.paths[folder] = path
	return path
}

// Function is a running one.
type Function struct {
	*lambdaruntime.Runtime
	log buffer
}

// Start runs the binary of the package in the folder with what Lambda puts
// into the environment, and env, until the test ends.
func Start(t testing.TB, folder string, env ...string) *Function {
	t.Helper()
	return Run(t, Build(t, folder), env...)
}

// Run is Start of a binary that is there already.
func Run(t testing.TB, binary string, env ...string) *Function {
	t.Helper()
	f := &Function{}
	var err error
	f.Runtime, err = lambdaruntime.Start(lambdaruntime.Config{
		Command: []string{binary}, Output: &f.log, Timeout: 20 * time.Second, InitTimeout: 30 * time.Second,
		Env: append([]string{"AWS_REGION=ap-northeast-2", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local"}, env...),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// Must is the answer to an event that must go well.
func (f *Function) Must(t testing.TB, event string) string {
	t.Helper()
	a, err := f.Invoke(t.Context(), json.RawMessage(event))
	if err != nil || a.FunctionError != "" {
		t.Fatalf("%s: %s, %v\n%s", event, a.Payload, err, f.Log())
	}
	return string(a.Payload)
}

// Log is what the function has printed so far.
func (f *Function) Log() string { return f.log.String() }

// Lines are those of the log with this msg. Every line must be JSON.
func (f *Function) Lines(t testing.TB, msg string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(f.Log()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("not JSON: %s", line)
		}
		if l["msg"] == msg {
			found = append(found, l)
		}
	}
	return found
}

// WantMistakes starts the function with these settings, and checks that it
// ends and names all of the mistakes.
func WantMistakes(t testing.TB, folder string, env []string, mistakes ...string) {
	t.Helper()
	f := Start(t, folder, env...)
	a, err := f.Invoke(t.Context(), json.RawMessage(`{"warmup":true}`))
	if err != nil || !strings.Contains(string(a.Payload), "exit status 1") {
		t.Fatalf("answer = %s, %v", a.Payload, err)
	}
	_ = f.Close()
	for _, m := range mistakes {
		if !strings.Contains(f.Log(), m) {
			t.Errorf("the log does not name %s: %s", m, f.Log())
		}
	}
}

// buffer is what a process prints while it is still printing.
type buffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
