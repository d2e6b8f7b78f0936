package dbconn_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/mysql"
)

// greedy is a MySQL server that asks whoever comes for the password in clear,
// as RDS does for a token, and as a thief would. It tells what it heard.
type greedy struct {
	addr  *net.TCPAddr
	heard chan string
}

const (
	capabilities = 0x1 | 0x8 | 0x200 | 0x8000 | 0x80000 // long password, database, 4.1, secure connection, plugins
	capableOfTLS = 0x800
)

func startGreedy(t *testing.T, secure *tls.Config) *greedy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(l.Addr())
	}
	g := &greedy{addr: addr, heard: make(chan string, 10)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			g.heard <- converse(c, secure)
			_ = c.Close()
		}
	}()
	return g
}

// converse greets, takes TLS up if it has it, asks for the password in clear,
// returns it, and refuses the sign-in.
func converse(c net.Conn, secure *tls.Config) string {
	write(c, 0, greeting(secure != nil))
	first, ok := receive(c)
	if !ok {
		return ""
	}
	next := byte(2)
	if secure != nil {
		if len(first) != 32 { // not the short request for TLS
			return "not asked for TLS"
		}
		c = tls.Server(c, secure)
		if _, ok = receive(c); !ok {
			return ""
		}
		next++
	}
	write(c, next, append([]byte{0xfe}, "mysql_clear_password\x00"...))
	answer, ok := receive(c)
	if !ok {
		return ""
	}
	write(c, next+2, append([]byte{0xff, 0x15, 0x04}, "#28000Access denied"...)) // 1045
	return string(bytes.TrimRight(answer, "\x00"))
}

func greeting(withTLS bool) []byte {
	can := uint32(capabilities)
	if withTLS {
		can |= capableOfTLS
	}
	var b bytes.Buffer
	b.WriteString("\x0a8.0.0\x00\x01\x00\x00\x00abcdefgh\x00")
	_ = binary.Write(&b, binary.LittleEndian, uint16(can&0xffff))
	b.WriteString("\x2d\x02\x00")
	_ = binary.Write(&b, binary.LittleEndian, uint16(can>>16))
	b.WriteString("\x15" + strings.Repeat("\x00", 10) + "ijklmnopqrst\x00" + "caching_sha2_password\x00")
	return b.Bytes()
}

func write(c net.Conn, sequence byte, payload []byte) {
	_, _ = c.Write(append([]byte{byte(len(payload)), byte(len(payload) >> 8), 0, sequence}, payload...))
}

func receive(c net.Conn) ([]byte, bool) {
	var header [4]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		return nil, false
	}
	payload := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	_, err := io.ReadFull(c, payload)
	return payload, err == nil
}

// ask uses the store on the server once, and returns what the server heard.
func (g *greedy) ask(t *testing.T, c dbconn.Config) string {
	t.Helper()
	c.Port, c.Database, c.User = g.addr.Port, "school", "sso"
	c.ConnectTimeout = 10 * time.Second
	s, err := mysql.Open(t.Context(), mysql.Config{Conn: c})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	_, err = s.IDBySub(t.Context(), "34c84488-e0e1-70ae-d2ee-991ad1a89801")
	if !errors.Is(err, users.ErrUnavailable) {
		t.Errorf("error = %v", err)
	}
	select {
	case heard := <-g.heard:
		return heard
	case <-time.After(20 * time.Second):
		t.Fatal("nobody came")
		return ""
	}
}

// A token goes to the database in clear inside verified TLS, and nothing does
// outside of it.
func TestPasswordInClear(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	cert, key := ours.issue(t, "localhost", time.Hour)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	server := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}

	t.Run("a token within verified TLS", func(t *testing.T) {
		t.Parallel()
		g := startGreedy(t, server)
		heard := g.ask(t, dbconn.Config{Host: "localhost", Password: iam(t), TLS: dbconn.TLS{CAPEM: ours.pem}})
		if !strings.HasPrefix(heard, "localhost:"+strconv.Itoa(g.addr.Port)+"?") || !strings.Contains(heard, "X-Amz-Signature=") {
			t.Errorf("heard %q", heard)
		}
	})
	for name, row := range map[string]struct {
		server *tls.Config
		config dbconn.Config
	}{
		"a token, and another authority":           {server, dbconn.Config{Host: "localhost", Password: iam(t), TLS: dbconn.TLS{CAPEM: newAuthority(t).pem}}},
		"a token, and a server without TLS":        {nil, dbconn.Config{Host: "localhost", Password: iam(t), TLS: dbconn.TLS{CAPEM: ours.pem}}},
		"a password, and a server without TLS":     {nil, dbconn.Config{Host: "localhost", Password: dbconn.NewStatic(password), TLS: dbconn.TLS{CAPEM: ours.pem}}},
		"a password, no TLS, and asked for it all": {nil, dbconn.Config{Host: "localhost", Password: dbconn.NewStatic(password), TLS: dbconn.TLS{InsecureNoTLS: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if heard := startGreedy(t, row.server).ask(t, row.config); strings.Contains(heard, "X-Amz") || strings.Contains(heard, password) {
				t.Errorf("heard %q", heard)
			}
		})
	}
}
