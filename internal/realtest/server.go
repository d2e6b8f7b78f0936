package realtest

import (
	"cmp"
	"errors"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"testing"
	"time"
)

// server is what the servers with data have in common: a folder, a port that
// stays the same, and a process in it that may end and start again. Its methods
// are for one goroutine at a time, apart from Addr.
type server struct {
	name      string // for people
	dir, port string
	host      string     // "": 127.0.0.1
	as        *user.User // nil: who we are
	proc      *process
	launch    func(port string) (*process, error)
	ready     func() error
	goodbye   os.Signal // ends it in good order, but at once
}

// start launches the process and waits until it is ready.
func (s *server) start(port string) error {
	p, err := s.launch(port)
	if err != nil {
		return err
	}
	s.proc, s.port = p, port
	return p.await(s.ready)
}

// remove ends the server and leaves nothing of it.
func (s *server) remove() error {
	if s.proc != nil {
		s.Kill()
	}
	return os.RemoveAll(s.dir)
}

// write puts a file, unless its content is nil, where the server may read it.
func (s *server) write(path string, content []byte) error {
	if content == nil {
		return nil
	}
	path = filepath.Join(s.dir, path)
	return errors.Join(os.WriteFile(path, content, 0o600), own(path, s.as))
}

// Addr is the server's host:port. It stays the same when the server starts
// again.
func (s *server) Addr() string { return net.JoinHostPort(cmp.Or(s.host, "127.0.0.1"), s.port) }

// Stop ends the server in good order, but at once: it breaks the connections.
func (s *server) Stop() { s.proc.stop(s.goodbye) }

// Kill ends the server as a crash does, without a word to its clients.
func (s *server) Kill() { s.proc.kill() }

// Pause makes the server stand still: it takes connections and answers
// nothing, until Resume.
func (s *server) Pause() { _ = freeze(s.proc.cmd.Process.Pid) }

// Resume ends a Pause.
func (s *server) Resume() { thaw(s.proc.cmd.Process.Pid) }

// Start starts the server again after Stop or Kill, with its data and at the
// same address.
func (s *server) Start(t testing.TB) {
	t.Helper()
	var err error
	// Something may hold the port for a moment.
	for end := time.Now().Add(startTime); time.Now().Before(end); {
		if err = s.start(s.port); err == nil {
			return
		}
		if s.proc != nil {
			s.Kill()
		}
	}
	t.Fatalf("%s does not start again: %v", s.name, err)
}
