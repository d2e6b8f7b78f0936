package fleettest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// twoProcesses are the app. It is safe for concurrent use.
type twoProcesses struct {
	settings settings
	dir      string
	judge    *judge

	mu      sync.Mutex // guards what follows
	slots   [2]*process
	started int
	ended   bool
	work    sync.WaitGroup
	failed  error
}

// process is one life of a process.
type process struct {
	number int // counts lives, of both
	addr   string
	cmd    *exec.Cmd
	dead   bool
}

// start starts both, and has them end with the test.
func (p *twoProcesses) start(t *testing.T) {
	t.Helper()
	t.Cleanup(p.end)
	for slot := range p.slots {
		if err := p.launch(slot); err != nil {
			t.Fatalf("app process: %v", err)
		}
	}
}

// launch starts a process and waits until it listens.
func (p *twoProcesses) launch(slot int) error {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return nil
	}
	p.started++
	s := p.settings
	s.Process = p.started
	p.mu.Unlock()
	s.Log = filepath.Join(p.dir, fmt.Sprintf("process-%d.log", s.Process))
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$") //nolint:gosec,noctx // ourselves; it ends with its input
	cmd.Env = append(os.Environ(), variable+"="+string(text))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("it did not come to listen: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slots[slot] = &process{number: s.Process, addr: strings.TrimSpace(addr), cmd: cmd}
	if p.ended { // meanwhile
		p.slots[slot].kill()
	}
	return nil
}

// kill ends it as a crash does.
func (q *process) kill() {
	if q != nil && !q.dead {
		q.dead = true
		_ = q.cmd.Process.Kill()
		_ = q.cmd.Wait()
	}
}

// at is where the process of a slot listens, and its number; "" while there is
// none.
func (p *twoProcesses) at(slot int) (addr string, number int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.slots[slot]; q != nil && !q.dead {
		return q.addr, q.number
	}
	return "", 0
}

// killSlot kills the process of a slot, and starts another.
func (p *twoProcesses) killSlot(slot int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killLocked(slot)
}

// killNumber kills a process by its number, if it lives, and starts another.
func (p *twoProcesses) killNumber(number int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for slot, q := range p.slots {
		if q != nil && q.number == number {
			return p.killLocked(slot)
		}
	}
	return false
}

func (p *twoProcesses) killLocked(slot int) bool {
	q := p.slots[slot]
	if q == nil || q.dead || p.ended {
		return false
	}
	p.judge.killed(q.number) // before: what it does until then is not its own any more
	q.kill()
	p.work.Go(func() {
		if err := p.launch(slot); err != nil {
			p.mu.Lock()
			p.failed = err
			p.mu.Unlock()
		}
	})
	return true
}

// await waits until both are there.
func (p *twoProcesses) await(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		failed := p.failed
		p.mu.Unlock()
		if failed != nil {
			t.Fatalf("app process: %v", failed)
		}
		zero, _ := p.at(0)
		one, _ := p.at(1)
		if zero != "" && one != "" {
			return
		}
	}
	t.Fatal("an app process does not start again")
}

func (p *twoProcesses) end() {
	p.mu.Lock()
	p.ended = true
	for _, q := range p.slots {
		q.kill()
	}
	p.mu.Unlock()
	p.work.Wait()
}
