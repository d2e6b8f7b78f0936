package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
)

// host is a testing.TB outside of a test: for what starts the servers, and for
// the parts, which are tests as well.
type host struct {
	testing.TB // nil; it is here for its unexported method

	ctx      context.Context
	mu       sync.Mutex // guards cleanups
	cleanups []func()
}

// failure is what Fatalf panics with, to end the part.
type failure struct {
	error
	missing bool // a program that is not on this machine
}

// with runs a part and cleans up behind it.
func with(ctx context.Context, part func(testing.TB)) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	h := &host{ctx: ctx}
	defer func() {
		h.cleanUp()
		cancel()
		if v := recover(); v != nil {
			f, ok := v.(failure)
			if !ok {
				panic(v)
			}
			err = f.error
		}
	}()
	part(h)
	return nil
}

func (h *host) cleanUp() {
	h.mu.Lock()
	list := h.cleanups
	h.mu.Unlock()
	for _, f := range slices.Backward(list) {
		f()
	}
}

func (h *host) Cleanup(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cleanups = append(h.cleanups, f)
}

func (h *host) TempDir() string {
	dir, err := os.MkdirTemp("", "sso-bench")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (h *host) Context() context.Context       { return h.ctx }
func (h *host) Helper()                        {}
func (h *host) Name() string                   { return "sync" }
func (h *host) Log(args ...any)                { fmt.Fprintln(os.Stderr, args...) }
func (h *host) Logf(format string, a ...any)   { fmt.Fprintf(os.Stderr, format+"\n", a...) }
func (h *host) Fatal(args ...any)              { panic(failure{errors.New(fmt.Sprint(args...)), false}) }
func (h *host) Fatalf(format string, a ...any) { panic(failure{fmt.Errorf(format, a...), false}) }
func (h *host) Skipf(format string, a ...any)  { panic(failure{fmt.Errorf(format, a...), true}) }
