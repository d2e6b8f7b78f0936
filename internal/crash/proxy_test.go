package crash_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
)

// proxy stands between a function and PostgreSQL. It reads the messages
// (https://www.postgresql.org/docs/current/protocol-message-formats.html), so
// that it knows where a statement is.
type proxy struct {
	listener net.Listener
	server   string
	victim   *victim
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		c := &link{proxy: p, client: client, process: p.victim.current()}
		p.victim.world.work.Go(c.run)
	}
}

// link is one connection through the proxy.
type link struct {
	*proxy
	client, upstream net.Conn
	process          *lambdaruntime.Process // whose it is
	asked            chan struct{}          // one for each statement under way
}

func (c *link) run() {
	defer c.client.Close()
	greeting, err := readGreeting(c.client)
	if err != nil {
		return
	}
	if c.victim.enter(c.process, connecting) != nil {
		return
	}
	c.upstream, err = new(net.Dialer).DialContext(context.Background(), "tcp", c.server)
	if err != nil {
		return // the database is down
	}
	c.asked = make(chan struct{}, 16)
	c.victim.world.work.Go(c.answers)
	defer c.upstream.Close()
	if _, err := c.upstream.Write(greeting); err != nil {
		return
	}
	for c.forward() == nil {
	}
}

var errCut = errors.New("cut")

// forward brings one request to the server: everything up to a Sync.
func (c *link) forward() error {
	request, statement, err := readRequest(c.client)
	if err != nil {
		return err
	}
	if !statement {
		_, err := c.upstream.Write(request)
		return err
	}
	time.Sleep(c.victim.world.plan.delay())
	if k := c.victim.enter(c.process, sent); k != nil && !k.database {
		return c.orphan(request, k.then)
	}
	c.asked <- struct{}{}
	// Before the write: what comes next may be faster than we are.
	c.victim.enter(c.process, running)
	_, err = c.upstream.Write(request)
	return err
}

// orphan does with a statement what the plan says: its sender is dead.
func (c *link) orphan(request []byte, then fate) error {
	switch then {
	case arrives:
		_, _ = c.upstream.Write(request)
	case half:
		_, _ = c.upstream.Write(request[:len(request)/2])
	case gone:
	}
	return errCut
}

// answers brings the server's answers back, each as a whole: what comes to
// ReadyForQuery is committed.
func (c *link) answers() {
	defer c.client.Close()
	defer c.upstream.Close()
	for {
		answer, ended := readAnswer(c.upstream)
		select {
		case <-c.asked:
			if !c.committed(ended) {
				return
			}
		default:
		}
		if _, err := c.client.Write(answer); err != nil || ended != nil {
			return
		}
	}
}

// committed holds the answer to a statement, and reports whether there is
// still somebody to get it.
func (c *link) committed(ended error) bool {
	if ended != nil {
		return true // it was not committed, or nobody knows
	}
	if k := c.victim.enter(c.process, committed); k != nil && !k.database {
		return false
	}
	time.Sleep(c.victim.world.plan.delay())
	c.victim.set(c.process, answering)
	return true
}

// readGreeting reads the first message of a client, which has no type.
func readGreeting(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	return readBody(r, head, head)
}

// readRequest reads up to a Sync, or one of the messages that stand alone. It
// reports whether it is a statement, of the kind that our store sends.
func readRequest(r io.Reader) (request []byte, statement bool, err error) {
	for {
		m, err := readMessage(r)
		if err != nil {
			return nil, false, err
		}
		request = append(request, m...)
		switch m[0] {
		case 'P':
			statement = true
		case 'S', 'Q', 'X', 'p':
			return request, statement, nil
		}
	}
}

// readAnswer reads up to ReadyForQuery, or what comes before the end.
func readAnswer(r io.Reader) (all []byte, err error) {
	for {
		m, err := readMessage(r)
		if err != nil {
			return all, err
		}
		all = append(all, m...)
		if m[0] == 'Z' || m[0] == 'R' { // an authentication may wait for an answer
			return all, nil
		}
	}
}

func readMessage(r io.Reader) ([]byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	return readBody(r, head, head[1:])
}

// readBody appends the body of a message to its head; size holds its length.
func readBody(r io.Reader, head, size []byte) ([]byte, error) {
	n := int(binary.BigEndian.Uint32(size)) - 4
	if n < 0 || n > 1<<24 {
		return nil, errCut
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	return append(head, body...), nil
}
