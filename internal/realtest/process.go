package realtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// startTime is how long a server may take to be ready, on a busy machine too.
const startTime = 30 * time.Second

// command says what to run, and how.
type command struct {
	name     string
	path     string
	args     []string
	dir      string         // where it runs and its log is
	as       *user.User     // nil: who we are
	whenDead syscall.Signal // what it gets if we die
	input    bool           // it has an input, which ends with it or with us
	within   Within         // nil: on a thread of its own
}

// Within calls f on a thread that lives on, such as one that is in a network
// namespace of its own: what f starts and opens is there too.
type Within func(f func() error) error

// process is a running server, in a process group of its own. It dies with us.
type process struct {
	name   string
	cmd    *exec.Cmd
	log    string        // file with what it prints
	exited chan struct{} // closed when it has ended
}

func (c command) start() (*process, error) {
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()     // the process has its own
	cmd := exec.Command(c.path, c.args...) //nolint:gosec,noctx // a program of this machine; it may outlive the test that starts it
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	if err := bind(cmd, c.whenDead, c.as); err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	if c.input {
		if _, err := cmd.StdinPipe(); err != nil {
			return nil, err
		}
	}
	p := &process{name: c.name, cmd: cmd, log: log.Name(), exited: make(chan struct{})}
	if err := p.launch(c.within); err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return p, nil
}

func (p *process) launch(within Within) error {
	if within == nil {
		started := make(chan error, 1)
		go p.run(started)
		return <-started
	}
	if err := within(p.cmd.Start); err != nil {
		return err
	}
	go p.wait()
	return nil
}

// run keeps the thread that started the process: for the kernel that thread,
// and not the whole of us, is the parent whose death counts.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.wait()
}

func (p *process) wait() {
	_ = p.cmd.Wait() // how it ended is in the log
	close(p.exited)
}

// await polls until ready gives no error.
func (p *process) await(ready func() error) error {
	var err error
	for end := time.Now().Add(startTime); time.Now().Before(end); {
		if err = ready(); err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended while starting: %s", p.name, p.tail())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s is not ready after %v: %w: %s", p.name, startTime, err, p.tail())
}

// tail is the end of the log.
func (p *process) tail() string {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const most = 2000
	return string(bytes.TrimSpace(raw[max(0, len(raw)-most):]))
}

// stop sends the signal and waits; a process that takes too long is killed.
func (p *process) stop(sig os.Signal) {
	_ = p.cmd.Process.Signal(sig) // an error means that it has ended
	select {
	case <-p.exited:
	case <-time.After(10 * time.Second):
		p.kill()
	}
}

// kill ends the process and its children at once, as a crash does, and waits
// until all are gone.
func (p *process) kill() {
	if p.hasExited() {
		return // its id may be another's by now
	}
	below := crash(p.cmd.Process.Pid)
	<-p.exited
	for end := time.Now().Add(10 * time.Second); anyAlive(below) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

func anyAlive(pids []int) bool {
	for _, pid := range pids {
		if alive(pid) {
			return true
		}
	}
	return false
}

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// scratch makes a directory for a server that runs as the account. It is
// removed when we end, however we end, if not before.
func scratch(name string, as *user.User) (string, error) {
	// Not the test's TempDir: another account could not reach it, and the
	// server may outlive the test.
	dir, err := os.MkdirTemp("", "sso-"+name+"-")
	if err != nil {
		return "", err
	}
	return dir, errors.Join(own(dir, as), sweeper.add(dir))
}

// freePort is a port of 127.0.0.1 that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // loopback, at once
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// onFreePort starts a server, on another port if something took the first.
func onFreePort(start func(port string) error) (string, error) {
	var errs []error
	for range 3 {
		port, err := freePort()
		if err == nil {
			err = start(port)
		}
		if err == nil {
			return port, nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// numbered makes a name that no other call in this process makes.
func numbered(prefix string, n uint64) string { return prefix + strconv.FormatUint(n, 10) }
