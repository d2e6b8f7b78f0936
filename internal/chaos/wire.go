package chaos

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Wire is the way to a database server. It cuts connections after some number
// of bytes, wherever in a statement or a transaction that may be, stops them
// and slows them down. It runs on real time, so start it outside of a bubble.
type Wire struct {
	chance   chance
	upstream string
	listener net.Listener
	calm     atomic.Bool
	faults   tally
	work     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	open  map[net.Conn]bool
	count int
}

// NewWire listens on loopback and forwards to the server at upstream,
// host:port. Close ends it.
func NewWire(seed uint64, upstream string) (*Wire, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		return nil, err
	}
	w := &Wire{chance: chance(seed), upstream: upstream, listener: l, open: map[net.Conn]bool{}}
	w.work.Go(w.accept)
	return w, nil
}

// Addr is where it listens.
func (w *Wire) Addr() string { return w.listener.Addr().String() }

// Calm breaks nothing any more, and says what was broken.
func (w *Wire) Calm() map[Fault]int {
	w.calm.Store(true)
	return w.faults.all()
}

// Close ends all connections.
func (w *Wire) Close() error {
	err := w.listener.Close()
	w.mu.Lock()
	for c := range w.open {
		_ = c.Close()
	}
	w.mu.Unlock()
	w.work.Wait()
	return err
}

func (w *Wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.upstream) //nolint:noctx // on loopback
		if err != nil {
			_ = client.Close()
			continue
		}
		w.join(client, server)
	}
}

// plan is what happens to one direction of one connection.
type plan struct {
	after int // bytes until the fault
	fault Fault
}

func (w *Wire) join(client, server net.Conn) {
	w.mu.Lock()
	w.count++
	r := w.chance.of("connection", w.count)
	w.open[client], w.open[server] = true, true
	w.mu.Unlock()
	plans := [2]plan{}
	for i := range plans {
		plans[i].after = r.IntN(12_000)
		switch x := r.Float64(); {
		case x < 0.35:
			plans[i].fault = WireCut
		case x < 0.40:
			plans[i].fault = WireHalt
		case x < 0.50:
			plans[i].fault = WireSlow
		}
	}
	var both sync.WaitGroup
	both.Go(func() { w.pump(server, client, plans[0]) })
	both.Go(func() { w.pump(client, server, plans[1]) })
	w.work.Go(func() {
		both.Wait()
		w.mu.Lock()
		delete(w.open, client)
		delete(w.open, server)
		w.mu.Unlock()
	})
}

// pump copies from src to dst until either ends or the plan strikes.
func (w *Wire) pump(dst, src net.Conn, p plan) {
	defer func() { _ = errors.Join(dst.Close(), src.Close()) }()
	buf := make([]byte, 4096)
	for passed := 0; ; {
		n, err := src.Read(buf)
		passed += n
		if p.fault != "" && passed > p.after && !w.calm.Load() {
			w.faults.add(p.fault, 1)
			switch p.fault {
			case WireSlow:
				p.after = passed + 500
				time.Sleep(3 * time.Millisecond)
			case WireHalt:
				time.Sleep(30 * time.Millisecond)
				return
			default:
				_, _ = dst.Write(buf[:n-(passed-p.after)])
				return
			}
		}
		if _, werr := dst.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
