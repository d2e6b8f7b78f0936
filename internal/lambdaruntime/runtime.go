// Package lambdaruntime runs a real Lambda binary on loopback, for tests: the
// Runtime API for the process, and the Invoke API for its callers.
//
// It is what the binary sees on AWS as far as that matters to a test: a fresh
// environment, one event at a time per process, a deadline after which the
// process is killed, a new process after one that ended, SIGTERM before the end
// for one that asked. There is no freeze, no throttled CPU, no other extension:
// never quote its times as Lambda's.
package lambdaruntime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"
)

// Config says what to run. It is copied.
type Config struct {
	// Command is the binary and its arguments. Required.
	Command []string
	// Env is its environment, "NAME=value", beside what Lambda itself sets.
	// Nothing of the caller's own is inherited.
	Env []string
	// FunctionName defaults to "function".
	FunctionName string
	// Timeout is how long one event may take. Defaults to 4.5 s.
	Timeout time.Duration
	// InitTimeout is how long a start may take. Defaults to 10 s.
	InitTimeout time.Duration
	// Instances is how many processes there may be at once; more events wait.
	// Defaults to 1.
	Instances int
	// Output gets what the processes print. Defaults to nowhere.
	Output io.Writer
	// OnInit is told how long each process took from its start until it asked
	// for its first event. Defaults to nothing.
	OnInit func(time.Duration)
	// OnStep is told of each [Step] of each process, which it may kill there:
	// that is how a test ends one in the middle of its work. What comes next
	// waits for it: the first event for Started, the caller for Answered. It is
	// called by several goroutines. Defaults to nothing.
	OnStep func(Step, *Process)
	// Within calls f, which starts a process and opens its Runtime API on
	// loopback, such as on a thread in a network namespace of its own. The Invoke
	// API stays where it is. Defaults to calling f.
	Within func(f func() error) error
}

// Step is a moment in the work of a process.
type Step string

const (
	// Started: the process runs, and has not asked for an event yet.
	Started Step = "started"
	// Taken: it was given an event.
	Taken Step = "taken"
	// Answered: it has answered, and the caller does not know yet. If it is
	// killed now the answer is lost.
	Answered Step = "answered"
)

func (c Config) withDefaults() Config {
	if c.FunctionName == "" {
		c.FunctionName = "function"
	}
	if c.Timeout == 0 {
		c.Timeout = 4500 * time.Millisecond
	}
	if c.InitTimeout == 0 {
		c.InitTimeout = 10 * time.Second
	}
	if c.Instances == 0 {
		c.Instances = 1
	}
	if c.Output == nil {
		c.Output = io.Discard
	}
	if c.OnInit == nil {
		c.OnInit = func(time.Duration) {}
	}
	if c.OnStep == nil {
		c.OnStep = func(Step, *Process) {}
	}
	c.Output = &lockedWriter{w: c.Output}
	if c.Within == nil {
		c.Within = func(f func() error) error { return f() }
	}
	return c
}

// Runtime is one function. It is safe for concurrent use.
type Runtime struct {
	cfg  Config
	api  *httptest.Server
	idle chan *slot // every slot is in here, or held by an invocation

	gone chan struct{} // closed by Close

	mu     sync.Mutex // guards closed, starts and procs
	closed bool
	starts int
	procs  []*process // one for each start; the ended ones go at the next start
	work   sync.WaitGroup
}

// slot is a place for a process. Only its holder touches it.
type slot struct{ proc *process }

// Answer is what an invocation gave.
type Answer struct {
	Payload json.RawMessage
	// FunctionError is "Unhandled" if the function failed, as AWS has it in
	// X-Amz-Function-Error; Payload is then a [FunctionFailure].
	FunctionError string
}

// FunctionFailure is the payload of a failed invocation.
type FunctionFailure struct {
	Message string `json:"errorMessage"`
	Type    string `json:"errorType"`
}

// ErrClosed is returned after Close.
var ErrClosed = errors.New("lambdaruntime: closed")

// Start serves the function. Its processes start as events come.
func Start(cfg Config) (*Runtime, error) {
	if len(cfg.Command) == 0 {
		return nil, errors.New("lambdaruntime: Command: required")
	}
	r := &Runtime{cfg: cfg.withDefaults(), gone: make(chan struct{})}
	r.idle = make(chan *slot, r.cfg.Instances)
	for range r.cfg.Instances {
		r.idle <- &slot{}
	}
	r.api = httptest.NewServer(r.invokeAPI())
	return r, nil
}

// URL is the endpoint of the Invoke API.
func (r *Runtime) URL() string { return r.api.URL }

// Starts counts the processes that were started: the cold starts.
func (r *Runtime) Starts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.starts
}

// Kill ends every process at once, as a crash does, in the middle of its event
// or between two. The next event starts a new one.
func (r *Runtime) Kill() {
	r.mu.Lock()
	procs := slices.Clone(r.procs)
	r.mu.Unlock()
	for _, p := range procs {
		p.kill()
	}
}

// Close ends the processes, by their ids, and waits for them. One that asked
// for SIGTERM gets it first; the others are killed.
func (r *Runtime) Close() error {
	r.mu.Lock()
	closed := r.closed
	r.closed = true
	r.mu.Unlock()
	if closed {
		return nil
	}
	close(r.gone)
	for range r.cfg.Instances {
		s := <-r.idle // an event under way ends first, at its timeout
		if s.proc != nil {
			s.proc.shutDown()
		}
	}
	r.work.Wait()
	r.api.Close()
	return nil
}

// Invoke runs the function. When ctx ends the caller goes away, but the
// function runs on, as on AWS.
func (r *Runtime) Invoke(ctx context.Context, payload json.RawMessage) (Answer, error) {
	done := make(chan Answer, 1)
	select {
	case s := <-r.idle:
		if !r.begin() {
			r.idle <- s
			return Answer{}, ErrClosed
		}
		go func() {
			defer r.work.Done()
			a := r.run(s, payload)
			r.idle <- s
			done <- a
		}()
	case <-r.gone:
		return Answer{}, ErrClosed
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
	select {
	case a := <-done:
		return a, nil
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
}

func (r *Runtime) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.work.Add(1)
	}
	return !r.closed
}

func (r *Runtime) run(s *slot, payload json.RawMessage) Answer {
	if s.proc == nil || s.proc.hasExited() {
		p, err := r.startProcess()
		if err != nil {
			return failure("Runtime.InvalidEntrypoint", err.Error())
		}
		s.proc = p
	}
	return s.proc.invoke(payload)
}

func (r *Runtime) startProcess() (*process, error) {
	p, err := startProcess(r.cfg)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starts++
	r.procs = slices.DeleteFunc(r.procs, (*process).hasExited)
	if err == nil {
		r.procs = append(r.procs, p)
	}
	return p, err
}

func failure(kind, message string) Answer {
	raw, _ := json.Marshal(FunctionFailure{Message: message, Type: kind}) // two strings: cannot fail
	return Answer{Payload: raw, FunctionError: "Unhandled"}
}

const maxPayload = 6 << 20 // Lambda's own limit of a synchronous payload

func (r *Runtime) invokeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", func(w http.ResponseWriter, req *http.Request) {
		if req.PathValue("name") != r.cfg.FunctionName {
			apiError(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found")
			return
		}
		payload, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxPayload))
		if err != nil {
			apiError(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "Request must be smaller than 6291456 bytes")
			return
		}
		if len(payload) > 0 && !json.Valid(payload) {
			apiError(w, http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json")
			return
		}
		a, err := r.Invoke(req.Context(), payload)
		if err != nil {
			apiError(w, http.StatusInternalServerError, "ServiceException", err.Error())
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amz-Executed-Version", "$LATEST")
		if a.FunctionError != "" {
			w.Header().Set("X-Amz-Function-Error", a.FunctionError)
		}
		_, _ = w.Write(a.Payload)
	})
	return mux
}

func apiError(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-ErrorType", kind)
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "{\"Type\":\"User\",\"message\":%q}", message)
}

// lockedWriter lets several processes print to one writer.
type lockedWriter struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
