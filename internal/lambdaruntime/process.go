package lambdaruntime

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one running binary with a Runtime API of its own.
type process struct {
	cfg    Config
	cmd    *exec.Cmd
	api    *httptest.Server
	events chan *invocation
	ready  chan struct{} // closed when it first asks for an event
	exited chan struct{} // closed when it has ended
	handle *Process      // for OnStep

	once sync.Once // closes ready

	mu      sync.Mutex // guards what follows
	current *invocation
	exit    error // what Wait gave; set before exited is closed
	polite  bool  // it asked for SIGTERM before its end
	initErr *Answer
	count   int
	killed  bool
	began   time.Time // when it was started
}

// Process is a running binary, for [Config].OnStep.
type Process struct{ p *process }

// Kill ends the process with SIGKILL and waits for its end. It reports whether
// this call is what ended it. It is safe for concurrent use.
func (h *Process) Kill() bool {
	h.p.mu.Lock()
	first := !h.p.killed && !h.p.hasExited()
	h.p.killed = true
	h.p.mu.Unlock()
	h.p.kill()
	state, ok := h.p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return first && ok && state.Signaled() && state.Signal() == syscall.SIGKILL
}

// invocation is one event on its way.
type invocation struct {
	id       string
	payload  json.RawMessage
	deadline time.Time
	done     chan Answer // has room for the one answer
}

func startProcess(cfg Config) (*process, error) {
	p := &process{cfg: cfg, events: make(chan *invocation), ready: make(chan struct{}), exited: make(chan struct{})}
	p.handle = &Process{p}
	if err := cfg.Within(p.open); err != nil {
		return nil, err
	}
	go p.reap()
	cfg.OnStep(Started, p.handle)
	return p, nil
}

// open starts the process, after its Runtime API.
func (p *process) open() error {
	cfg := p.cfg
	p.api = httptest.NewServer(p.runtimeAPI())
	// Not a caller's context: the process outlives the event that started it.
	p.cmd = exec.CommandContext(context.Background(), cfg.Command[0], cfg.Command[1:]...)
	p.cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(p.api.URL, "http://"),
		"AWS_LAMBDA_FUNCTION_NAME=" + cfg.FunctionName,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512",
		"_HANDLER=bootstrap",
		"TZ=:UTC",
	}, cfg.Env...)
	p.cmd.Stdout, p.cmd.Stderr = cfg.Output, cfg.Output
	// A grandchild must not keep Wait from returning.
	p.cmd.WaitDelay = time.Second
	err := p.start()
	if err != nil {
		p.api.Close()
	}
	return err
}

// start holds the lock, so that whoever the process calls sees cmd and began.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.began = time.Now()
	return p.cmd.Start()
}

func (p *process) sinceStart() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.began)
}

func (p *process) reap() {
	err := p.cmd.Wait()
	p.mu.Lock()
	p.exit = err
	p.mu.Unlock()
	close(p.exited)
	p.api.CloseClientConnections()
	p.api.Close()
}

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended already
	<-p.exited
}

// termTime is how long a process may go on after SIGTERM. AWS gives 500 ms, but
// a machine that runs tests may be busy.
const termTime = 5 * time.Second

// shutDown ends an idle process as AWS does when it is needed no more.
func (p *process) shutDown() {
	p.mu.Lock()
	polite := p.polite
	p.mu.Unlock()
	if polite && p.cmd.Process.Signal(syscall.SIGTERM) == nil {
		select {
		case <-p.exited:
			return
		case <-time.After(termTime):
		}
	}
	p.kill()
}

// invoke hands the event over and waits for the answer, the end of the
// process, or the timeout, after which the process is killed.
func (p *process) invoke(payload json.RawMessage) Answer {
	select {
	case <-p.ready:
	case <-p.exited:
		return p.exitAnswer("")
	case <-time.After(p.cfg.InitTimeout):
		p.kill()
		return failure("Sandbox.Timedout", fmt.Sprintf("Error: Init timed out after %.2f seconds", p.cfg.InitTimeout.Seconds()))
	}
	inv := p.newInvocation(payload)
	timeout := time.NewTimer(p.cfg.Timeout)
	defer timeout.Stop()
	events := p.events
	for {
		select {
		case events <- inv:
			events = nil // once
		case a := <-inv.done:
			return a
		case <-p.exited:
			return p.exitAnswer(inv.id)
		case <-timeout.C:
			p.kill()
			return failure("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", inv.id, p.cfg.Timeout.Seconds()))
		}
	}
}

func (p *process) newInvocation(payload json.RawMessage) *invocation {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	inv := &invocation{
		id:      fmt.Sprintf("00000000-0000-4000-8000-%06d%06d", p.cmd.Process.Pid%1_000_000, p.count),
		payload: payload, deadline: time.Now().Add(p.cfg.Timeout), done: make(chan Answer, 1),
	}
	if len(payload) == 0 {
		inv.payload = json.RawMessage("null")
	}
	p.current = inv
	return inv
}

// exitAnswer is what AWS says of a process that ended without an answer.
func (p *process) exitAnswer(id string) Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.initErr != nil {
		return *p.initErr
	}
	how := "Runtime exited without providing a reason"
	if p.exit != nil {
		how = "Runtime exited with error: " + p.exit.Error()
	}
	return failure("Runtime.ExitError", strings.TrimSpace("RequestId: "+id+" Error: "+how))
}

func (p *process) runtimeAPI() http.Handler {
	const base = "/2018-06-01/runtime"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"/invocation/next", p.next)
	mux.HandleFunc("POST "+base+"/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) { p.answer(w, r, "") })
	mux.HandleFunc("POST "+base+"/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) { p.answer(w, r, "Unhandled") })
	mux.HandleFunc("POST "+base+"/init/error", func(w http.ResponseWriter, r *http.Request) {
		if body, ok := readAll(w, r); ok {
			p.mu.Lock()
			p.initErr = &Answer{Payload: body, FunctionError: "Unhandled"}
			p.mu.Unlock()
			w.WriteHeader(http.StatusAccepted)
		}
	})
	p.extensionAPI(mux)
	return mux
}

// extensionAPI is as much as a process needs that asks for SIGTERM: to whom no
// extension belongs, AWS sends none.
func (p *process) extensionAPI(mux *http.ServeMux) {
	const base = "/2020-01-01/extension"
	mux.HandleFunc("POST "+base+"/register", func(w http.ResponseWriter, r *http.Request) {
		if _, ok := readAll(w, r); ok {
			p.mu.Lock()
			p.polite = true
			p.mu.Unlock()
			w.Header().Set("Lambda-Extension-Identifier", "00000000-0000-4000-8000-000000000000")
			_, _ = io.WriteString(w, "{}")
		}
	})
	mux.HandleFunc("GET "+base+"/event/next", func(_ http.ResponseWriter, r *http.Request) {
		select { // nothing ever happens to who asked for no events
		case <-p.exited:
		case <-r.Context().Done():
		}
	})
}

func (p *process) next(w http.ResponseWriter, r *http.Request) {
	p.once.Do(func() {
		p.cfg.OnInit(p.sinceStart())
		close(p.ready)
	})
	select {
	case inv := <-p.events:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:ap-northeast-2:000000000000:function:"+p.cfg.FunctionName)
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0")
		h.Set("Content-Length", strconv.Itoa(len(inv.payload)))
		_, _ = w.Write(inv.payload)
		_ = http.NewResponseController(w).Flush() // an error: the process is gone
		p.cfg.OnStep(Taken, p.handle)
	case <-p.exited:
	case <-r.Context().Done():
	}
}

func (p *process) answer(w http.ResponseWriter, r *http.Request, functionError string) {
	body, ok := readAll(w, r)
	if !ok {
		return
	}
	p.mu.Lock()
	inv := p.current
	if inv != nil && inv.id == r.PathValue("id") {
		p.current = nil
	} else {
		inv = nil
	}
	p.mu.Unlock()
	if inv == nil {
		http.Error(w, `{"errorType":"InvalidRequestID"}`, http.StatusBadRequest)
		return
	}
	p.cfg.OnStep(Answered, p.handle)
	if p.hasExited() {
		return // killed just now: nobody heard it
	}
	inv.done <- Answer{Payload: body, FunctionError: functionError}
	w.WriteHeader(http.StatusAccepted)
}

func readAll(w http.ResponseWriter, r *http.Request) (json.RawMessage, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if err != nil {
		http.Error(w, `{"errorType":"RequestEntityTooLarge"}`, http.StatusRequestEntityTooLarge)
		return nil, false
	}
	return body, true
}
