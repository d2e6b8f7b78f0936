package realtest

import (
	"bufio"
	"fmt"
	"net"
	"os"
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
	bin := Need(t, "redis-server")
	dir, err := scratch("redis", nil)
	if err != nil {
		t.Fatalf("Redis: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port, err := onFreePort(func(port string) error {
		p, err := command{
			name: "redis-server", path: bin, dir: dir, whenDead: syscall.SIGKILL,
			args: append([]string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"}, more...),
		}.start()
		if err != nil {
			return err
		}
		t.Cleanup(p.kill)
		return p.await(func() error { return pingRedis("127.0.0.1:" + port) })
	})
	if err != nil {
		t.Fatalf("Redis: %v", err)
	}
	return "127.0.0.1:" + port
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
