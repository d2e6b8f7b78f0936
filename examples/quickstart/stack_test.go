package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/internal/secretscan"
	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// stack is the world on what gets deployed: each function is its real binary,
// in processes of its own; the table is in a real database server, and the
// queue is one of SQS.
//
//	pool ─▶ sso-trigger ─▶ (sso-dbsync ─▶) database
//	             └▶ SQS ─▶ sso-signins ─▶ database
type stack struct {
	*world
	stackDatabase
	c *checker
	// The functions; dbsync is nil in the single topology.
	edge, dbsync, signIns *function
	queue                 *realtest.Queue
}

// stackConfig says what the stack is made of.
type stackConfig struct {
	split    bool
	database stackDatabase
	sqs      *realtest.SQSServer // nil is the one that all tests share
	env      map[string][]string // what to add to the environment, by function
	unread   bool                // nobody reads the queue
	pool     func(*ssotest.Config)
}

func newStack(t *testing.T, cfg stackConfig) *stack {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: it runs the functions as processes, into which no race detector sees")
	}
	if cfg.sqs == nil {
		cfg.sqs = realtest.SQS(t)
	}
	s := &stack{stackDatabase: cfg.database, queue: cfg.sqs.Queue(t, realtest.QueueConfig{})}
	free := freePorts(t)
	free.pool = cfg.pool
	free.backend = func(ctx context.Context, w *world) (backend, error) {
		s.world = w
		return s.open(t, cfg)
	}
	t.Cleanup(func() {
		if t.Failed() {
			s.tellTrouble(t)
		}
	})
	newWorld(t, free)
	s.c = &checker{w: s.world, db: s.db}
	for _, f := range s.functions() {
		f.warmUp(t)
	}
	return s
}

// instances is how many processes a function has at most.
const instances = 2

// warmUp starts every process, as the schedule does that keeps them warm: many
// tests share two cores, and all of them begin at once.
func (f *function) warmUp(t *testing.T) {
	t.Helper()
	for range instances {
		a, err := f.Runtime.Invoke(t.Context(), json.RawMessage(`{"warmup":true}`))
		if err != nil || a.FunctionError != "" {
			t.Fatalf("%s: %s, %v: %s", f.name, a.Payload, err, &f.log)
		}
	}
}

// tellTrouble logs what the functions warned of.
func (s *stack) tellTrouble(t *testing.T) {
	t.Helper()
	for _, f := range s.functions() {
		for _, l := range f.lines() {
			if l["level"] == "WARN" || l["level"] == "ERROR" || l["broken"] != nil {
				t.Logf("%s: %v", f.name, l)
			}
		}
	}
	if s.world == nil || s.pool == nil {
		return
	}
	for _, call := range s.pool.TriggerCalls() {
		if call.Err != nil {
			t.Logf("%s, attempt %d, %v: %v", call.Source, call.Attempt, call.Duration, call.Err)
		}
	}
}

// open starts what does not need the pool; sso-trigger starts when it is there.
func (s *stack) open(t *testing.T, cfg stackConfig) (backend, error) {
	t.Helper()
	store, err := s.store(t.Context())
	if err != nil {
		return backend{}, err
	}
	s.atClose(store.Close)
	s.signIns = s.start(t, "sso-signins", s.env, cfg)
	if !cfg.unread {
		s.read(t)
	}
	edge := s.env
	if cfg.split {
		s.dbsync = s.start(t, "sso-dbsync", s.env, cfg)
		edge = []string{"SSO_STORE=remote", "SSO_DBSYNC_FUNCTION=sso-dbsync", "AWS_ENDPOINT_URL_LAMBDA=" + s.dbsync.URL()}
	}
	return backend{users: store, raw: s.raw, trigger: func(w *world) (ssotest.Trigger, error) {
		s.edge = s.start(t, "sso-trigger", append(edge[:len(edge):len(edge)],
			"SSO_PROVIDERS=Kakao,Google", "SSO_SIGNIN_QUEUE_URL="+s.queue.URL, "SSO_SEND_TIMEOUT=2s",
			"AWS_ENDPOINT_URL_SQS="+cfg.sqs.URL, "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER="+w.pool.URL()), cfg)
		return s.edge, nil
	}}, nil
}

// read does what Lambda does for the queue, until the world closes.
func (s *stack) read(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	p := &realtest.Poller{Queue: s.queue, Invoke: realtest.InvokeRuntime(s.signIns.Runtime), Wait: time.Second}
	var reading sync.WaitGroup
	reading.Go(func() {
		for ctx.Err() == nil {
			if _, err := p.Poll(ctx); err != nil { // the queue is down
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		}
	})
	s.atClose(func() error {
		cancel()
		reading.Wait()
		return nil
	})
}

// function is a running one.
type function struct {
	*lambdaruntime.Runtime
	name string
	env  []string
	pool ssotest.Trigger // the same, as the pool calls it
	log  screen
}

// start runs a binary, in two processes at most, until the world closes.
func (s *stack) start(t *testing.T, name string, env []string, cfg stackConfig) *function {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	all := append([]string{"AWS_REGION=" + realtest.Region, "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local"}, env...)
	f := &function{name: name, env: append(all, cfg.env[name]...)}
	f.Runtime, err = lambdaruntime.Start(lambdaruntime.Config{
		Command: []string{filepath.Join(dir, name)}, FunctionName: name, Env: f.env, Output: &f.log, Instances: instances,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.atClose(f.Close)
	f.pool = ssotest.LambdaTrigger(f.URL(), name)
	return f
}

// Invoke implements [ssotest.Trigger]. The error of a function has the public
// text; the cause is in the function's log, and the check wants to see both.
func (f *function) Invoke(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
	before := len(f.causes())
	answer, err := f.pool.Invoke(ctx, event)
	if err == nil {
		return answer, nil
	}
	if !json.Valid(event) { // Lambda itself refuses that
		return nil, fmt.Errorf("%w: %w", lambda.ErrBadEvent, err)
	}
	// What a process prints comes a moment later than what it answers.
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if causes := f.causes(); len(causes) > before {
			return nil, &lambda.PublicError{Text: err.Error(), Cause: causes[len(causes)-1]}
		}
		<-time.After(5 * time.Millisecond)
	}
	return nil, err
}

// logged is an error as a log has it.
type logged string

func (l logged) Error() string { return string(l) }

// Is implements what [errors.Is] looks for: sentinels have a text of their own.
func (l logged) Is(target error) bool { return strings.Contains(string(l), target.Error()) }

// causes are the errors of the events that failed.
func (f *function) causes() []logged {
	var all []logged
	for _, l := range f.lines() {
		if text, ok := l["error"].(string); ok && l["msg"] == "trigger" {
			all = append(all, logged(text))
		}
	}
	return all
}

// lines are those of the log that are whole; one that is no JSON has its text
// under "broken".
func (f *function) lines() []map[string]any {
	var all []map[string]any
	for line := range strings.Lines(f.log.String()) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		l := map[string]any{}
		if json.Unmarshal([]byte(line), &l) != nil {
			l = map[string]any{"broken": line}
		}
		all = append(all, l)
	}
	return all
}

// builtIn is where binaries has put them, if any test wanted them.
var builtIn string

// binaries builds the functions and ssoctl, once, as they get deployed but for
// this machine.
var binaries = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "sso-stack-"); err != nil {
		return "", err
	}
	builtIn = dir
	const commands = "github.com/ssu-itsupport/cognito-sso/lambda/cmd/"
	cmd := exec.CommandContext(context.Background(), "go", "build", "-tags", "lambda.norpc", "-o", dir+string(filepath.Separator),
		commands+"sso-trigger", commands+"sso-dbsync", commands+"sso-signins", commands+"ssoctl")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := secretscan.Main(m)
	if builtIn != "" {
		_ = os.RemoveAll(builtIn)
	}
	os.Exit(code)
}

// The whole story holds on the stack, and afterwards nobody is out of step.
func TestStack(t *testing.T) {
	t.Parallel()
	for topology, split := range topologies {
		for kind, database := range stackDatabases {
			t.Run(topology+" "+kind, func(t *testing.T) {
				t.Parallel()
				s := newStack(t, stackConfig{split: split, database: database(t)})
				r := runCheck(t.Context(), s.world, 6)
				for _, step := range r.Steps {
					if !step.OK {
						t.Errorf("%s: %s", step.Name, step.Detail)
					}
				}
				if !r.OK || r.SignIn.percentile(50) <= 0 {
					t.Errorf("ok %v, sign-ins %s, problem %q", r.OK, r.SignIn, r.Problem)
				}
				t.Logf("sign-up %s, sign-in %s", r.SignUp, r.SignIn)
				if out, status := s.ssoctl(t, "reconcile", "-json", "-strict"); status != 0 {
					t.Errorf("ssoctl reconcile: exit status %d: %s", status, out)
				}
				s.wantWork(t)
				s.wantCleanLogs(t)
			})
		}
	}
}

var topologies = map[string]bool{"split": true, "single": false}

// wantWork: it was the functions who did the work, and none of them crashed.
func (s *stack) wantWork(t *testing.T) {
	t.Helper()
	done := map[string]string{"sso-trigger": "trigger", "sso-dbsync": "dbsync", "sso-signins": "sign-ins recorded"}
	for _, f := range s.functions() {
		if n := f.Starts(); n != instances {
			t.Errorf("%s: %d starts of %d processes", f.name, n, instances)
		}
		if !slices.ContainsFunc(f.lines(), func(l map[string]any) bool { return l["msg"] == done[f.name] }) {
			t.Errorf("%s has done nothing: %s", f.name, &f.log)
		}
	}
	if waiting, inFlight, dead := s.queue.Counts(t); waiting+inFlight+dead > 0 {
		t.Errorf("the queue has %d messages, %d in flight and %d dead", waiting, inFlight, dead)
	}
}

// wantCleanLogs: JSON in every line, and nothing that tells who somebody is.
func (s *stack) wantCleanLogs(t *testing.T) {
	t.Helper()
	for _, f := range s.functions() {
		text, lines := f.log.String(), f.lines()
		if len(lines) == 0 {
			t.Errorf("%s: no log", f.name)
		}
		for _, l := range lines {
			if l["broken"] != nil {
				t.Errorf("%s: not JSON: %s", f.name, l["broken"])
			}
		}
		for _, u := range s.pool.Users() {
			_, subject, _ := strings.Cut(u.Username, "_")
			for _, personal := range []string{u.Sub, subject, u.Attributes["email"], stackPassword} {
				if personal != "" && strings.Contains(text, personal) {
					t.Errorf("%s: the log has %q", f.name, personal)
				}
			}
		}
	}
}

func (s *stack) functions() []*function {
	// In the single topology, and before all have started, some are nil.
	return slices.DeleteFunc([]*function{s.edge, s.dbsync, s.signIns}, func(f *function) bool { return f == nil })
}

// ssoctl runs the command line tool, with the function's own variables.
func (s *stack) ssoctl(t *testing.T, args ...string) (stdout string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(builtIn, "ssoctl"), args...)
	cmd.Args = append(cmd.Args, "-skip-younger", "0", "-read-rate", "1000", "-write-rate", "1000", "-checkpoint", "-")
	cmd.Env = append(slices.Clone(s.edge.env), "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "SSO_USER_POOL_ID="+s.pool.ID())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if stderr.Len() > 0 {
		t.Logf("ssoctl %s: %s", args[0], &stderr)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
