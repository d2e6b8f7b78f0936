package realtest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Redis starts a Redis server for the test alone and returns its address. It
// is empty, keeps nothing on disk, needs no password, and ends with the test.
// More arguments of redis-server, such as "--cluster-enabled", "yes", come last.
func Redis(t testing.TB, more ...string) string {
	t.Helper()
	return newRedis(t, append([]string{"--appendonly", "no"}, more...)).Addr()
}

// RedisServer is a Redis server on 127.0.0.1. Stop, Kill, Pause, Resume and
// Start are for one goroutine at a time.
type RedisServer struct{ server }

// NewRedis starts a Redis server to be broken. It writes all that it answers
// to its file before it answers, so it is back with its data after Start.
func NewRedis(t testing.TB, more ...string) *RedisServer {
	t.Helper()
	return newRedis(t, append([]string{"--appendonly", "yes", "--appendfsync", "no"}, more...))
}

func newRedis(t testing.TB, settings []string) *RedisServer {
	t.Helper()
	bin := Need(t, "redis-server")
	dir, err := scratch("redis", nil)
	if err != nil {
		t.Fatalf("Redis: %v", err)
	}
	s := &RedisServer{server{name: "Redis", dir: dir, goodbye: syscall.SIGTERM}}
	t.Cleanup(func() { _ = s.remove() })
	s.launch = func(port string) (*process, error) {
		return command{
			name: "redis-server", path: bin, dir: dir, whenDead: syscall.SIGKILL,
			args: append([]string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", dir}, settings...),
		}.start()
	}
	s.ready = func() error { return pingRedis(s.Addr()) }
	if s.port, err = onFreePort(s.start); err != nil {
		t.Fatalf("Redis: %v", err)
	}
	return s
}

func pingRedis(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second) //nolint:noctx // has a timeout
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "+PONG") {
		err = fmt.Errorf("it answers %q", line)
	}
	return err
}
