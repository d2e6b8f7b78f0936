package realtest_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
)

func TestRedis(t *testing.T) {
	t.Parallel()
	first, second := realtest.Redis(t), realtest.Redis(t)
	if got := redis(t, first, "SET k v"); got != "+OK" {
		t.Errorf("SET: %q", got)
	}
	if got := redis(t, first, "GET k"); got != "$1" {
		t.Errorf("GET: %q", got)
	}
	if got := redis(t, second, "GET k"); got != "$-1" {
		t.Errorf("GET in the second server: %q", got)
	}
}

func TestRedisServerStartsAgain(t *testing.T) {
	t.Parallel()
	s := realtest.NewRedis(t)
	at := s.Addr()
	for _, end := range []func(){s.Stop, s.Kill} {
		if got := redis(t, at, "INCR k"); got != ":1" {
			t.Errorf("INCR: %q", got)
		}
		end()
		if conn, err := net.Dial("tcp", at); err == nil { //nolint:noctx // loopback
			_ = conn.Close()
			t.Error("it is still there")
		}
		s.Start(t)
		if got := redis(t, at, "DECR k"); got != ":0" {
			t.Errorf("DECR after the start: %q, want what was there less one", got)
		}
	}
}

func redis(t *testing.T, addr, command string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr) //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 256)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(buf[:n]), "\r\n")
	return line
}
