package main

import (
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// proxy stands between a function and a database. It counts, and can be slow
// or silent.
type proxy struct {
	addr, target string

	turns    atomic.Int64 // times that the server was asked and answered
	syncs    atomic.Int64 // PostgreSQL's own ends of a request: Sync or Query
	delay    atomic.Int64 // nanoseconds before each answer
	silent   atomic.Bool  // nothing gets through any more
	postgres bool

	mu    sync.Mutex // guards what follows
	conns []net.Conn
	parse pgproto3.Parse // the last statement
	bind  [][]byte       // and its parameters
}

// newProxy is for the database until the part ends.
func newProxy(t testing.TB, d database) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), target: d.addr, postgres: d.kind == "postgres"}
	go p.serve(l)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range p.conns {
			_ = c.Close()
		}
	})
	return p
}

func (p *proxy) serve(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		p.keep(client)
		if p.silent.Load() {
			continue // the connection stands, and nobody answers
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.keep(server)
		c := &crossing{proxy: p}
		go c.copy(server, client, c.asked)
		go c.copy(client, server, c.answered)
	}
}

func (p *proxy) keep(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, c)
}

// statement is the last that PostgreSQL was asked to run, with the types and
// the values of its parameters.
func (p *proxy) statement() (sql string, types []uint32, values [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.parse.Query, p.parse.ParameterOIDs, p.bind
}

// crossing is one connection.
type crossing struct {
	proxy   *proxy
	waiting atomic.Bool // the client has spoken last
	frames  frames
}

func (c *crossing) copy(to, from net.Conn, seen func([]byte)) {
	defer func() { _ = to.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			seen(buf[:n])
			if c.proxy.silent.Load() {
				select {} // neither on nor back, and the connection stands
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (c *crossing) asked(b []byte) {
	c.waiting.Store(true)
	if c.proxy.postgres {
		c.frames.add(b, c.proxy.frame)
	}
}

func (c *crossing) answered([]byte) {
	if !c.waiting.Swap(false) {
		return
	}
	c.proxy.turns.Add(1)
	time.Sleep(time.Duration(c.proxy.delay.Load()))
}

// frame looks at one message of a PostgreSQL client.
func (p *proxy) frame(kind byte, body []byte) {
	switch kind {
	case 'S', 'Q':
		p.syncs.Add(1)
	case 'P':
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = p.parse.Decode(body) // what cannot be read has no statement
	case 'B':
		var bind pgproto3.Bind
		if bind.Decode(body) != nil {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.bind = nil
		for _, v := range bind.Parameters {
			p.bind = append(p.bind, append([]byte(nil), v...))
		}
	}
}

// frames cuts what a PostgreSQL client sends into messages.
type frames struct {
	rest    []byte
	greeted bool // the first message has no kind
}

func (f *frames) add(b []byte, seen func(kind byte, body []byte)) {
	f.rest = append(f.rest, b...)
	for {
		head := 1
		if !f.greeted {
			head = 0
		}
		if len(f.rest) < head+4 {
			return
		}
		size := head + int(binary.BigEndian.Uint32(f.rest[head:]))
		if len(f.rest) < size {
			return
		}
		if f.greeted {
			seen(f.rest[0], f.rest[head+4:size])
		}
		f.greeted, f.rest = true, f.rest[size:]
	}
}
