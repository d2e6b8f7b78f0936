package mysql_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/mysql"
)

// proxy stands between a store and its server, counts the statements, and cuts
// connections.
type proxy struct {
	net.Listener
	server string

	mu         sync.Mutex
	statements []string           // guarded by mu
	connects   int                // guarded by mu
	before     func(string) bool  // guarded by mu: cut instead of sending the statement
	after      func(string) bool  // guarded by mu: cut when the answer comes
	open       map[net.Conn]*bool // guarded by mu: client → the answer is to be cut
}

// through puts a proxy before the server that cfg names.
func through(t testing.TB, cfg *mysql.Config) *proxy {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, server: cfg.Conn.Addr(), open: map[net.Conn]*bool{}}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	cfg.Conn.Port = l.Addr().(*net.TCPAddr).Port //nolint:errcheck // it is one
	return p
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp4", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	cut := new(bool)
	p.mu.Lock()
	p.connects++
	p.open[client] = cut
	p.mu.Unlock()
	go func() {
		defer client.Close()
		defer server.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := server.Read(buf)
			p.mu.Lock()
			lost := *cut
			p.mu.Unlock()
			if err != nil || lost {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	for {
		packet, err := readPacket(client)
		if err != nil || !p.allow(packet, cut) {
			return
		}
		if _, err := server.Write(packet); err != nil {
			return
		}
	}
}

// readPacket reads one packet with its head: length in three bytes, number in
// the sequence.
func readPacket(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	body := make([]byte, binary.LittleEndian.Uint32([]byte{head[0], head[1], head[2], 0}))
	_, err := io.ReadFull(r, body)
	return append(head, body...), err
}

// allow notes a command and says whether it goes on to the server.
func (p *proxy) allow(packet []byte, cut *bool) bool {
	const quit = 1
	if packet[3] != 0 || len(packet) < 5 || packet[4] == quit { // of the handshake, or the end
		return true
	}
	statement := string(packet[5:])
	p.mu.Lock()
	defer p.mu.Unlock()
	p.statements = append(p.statements, statement)
	if p.before != nil && p.before(statement) {
		return false
	}
	*cut = p.after != nil && p.after(statement)
	return true
}

// took returns the statements since the last call.
func (p *proxy) took() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	took := p.statements
	p.statements = nil
	return took
}

func (p *proxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connects
}

// cutOnce cuts before or after the first statement that begins so.
func (p *proxy) cutOnce(after bool, prefix string) {
	done := false
	cut := func(statement string) bool {
		if done || !strings.HasPrefix(statement, prefix) {
			return false
		}
		done = true
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if after {
		p.after = cut
	} else {
		p.before = cut
	}
}
