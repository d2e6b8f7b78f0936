package crash_test

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
)

// victim is one environment of a function: a process at a time, with a way of
// its own to the database.
type victim struct {
	name    string
	world   *world
	runtime *lambdaruntime.Runtime
	proxy   *proxy

	mu      sync.Mutex // guards what follows
	process *lambdaruntime.Process
	in      window
}

func (v *victim) step(s lambdaruntime.Step, p *lambdaruntime.Process) {
	switch s {
	case lambdaruntime.Started:
		v.mu.Lock()
		v.process = p
		v.mu.Unlock()
		v.enter(p, startUp)
	case lambdaruntime.Taken:
		v.enter(p, taken)
	case lambdaruntime.Answered:
		v.enter(p, answering)
	}
}

func (v *victim) current() *lambdaruntime.Process {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.process
}

// set notes where the process is. It reports whether it is still this one.
func (v *victim) set(p *lambdaruntime.Process, w window) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.process == p {
		v.in = w
	}
	return v.process == p
}

// enter notes where the process is, and kills what the plan says. The moments
// that last by themselves go on meanwhile; in the others the caller waits, and
// gets the kill.
func (v *victim) enter(p *lambdaruntime.Process, w window) *kill {
	if p == nil || !v.set(p, w) {
		return nil // of a process that is dead already
	}
	k := v.world.plan.take(v.name, w)
	if k == nil {
		return nil
	}
	switch w {
	case startUp, taken, running:
		v.world.work.Go(func() { v.strike(p, k) })
		return nil
	}
	v.strike(p, k)
	return k
}

func (v *victim) strike(p *lambdaruntime.Process, k *kill) {
	time.Sleep(k.wait) // a delay out of the plan, in real time as the processes are
	v.mu.Lock()
	in := v.in
	v.mu.Unlock()
	who := v.name
	if k.database {
		who = postgresName
		v.world.crashDatabase()
	} else if !p.Kill() {
		v.world.plan.back(k)
		return
	}
	v.world.ledger.hit(k, who, in)
	v.world.plan.struck()
}

// function is all environments of a function.
type function struct {
	free chan *victim
}

// invoke is a synchronous invocation, as Lambda's: when the caller goes away
// the function runs on.
func (f *function) invoke(ctx context.Context, payload json.RawMessage) (lambdaruntime.Answer, error) {
	var v *victim
	select {
	case v = <-f.free:
	case <-ctx.Done():
		return lambdaruntime.Answer{}, ctx.Err()
	}
	defer func() { f.free <- v }()
	a, err := v.runtime.Invoke(context.WithoutCancel(ctx), payload)
	v.enter(v.current(), idle)
	return a, err
}
