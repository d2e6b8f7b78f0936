package dbconn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
)

func good() dbconn.Config {
	return dbconn.Config{Host: "db.example.test", Database: "school", User: "sso", Password: dbconn.NewStatic(password)}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := good().Complete(5432)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if c.Port != 5432 || c.MaxConns != 2 || c.ConnectTimeout != 1500*time.Millisecond || c.StatementTimeout != time.Second ||
		c.MaxIdleTime != 4*time.Minute || c.MaxLifetime != 30*time.Minute {
		t.Errorf("config = %+v", c)
	}
	if c.Port = 6432; c.Complete(5432).Port != 6432 {
		t.Error("a port that is set was changed")
	}
}

func TestAddr(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{"db.example.test": "db.example.test:5432", "::1": "[::1]:5432"} {
		c := good().Complete(5432)
		if c.Host = host; c.Addr() != want {
			t.Errorf("Addr of %s = %s", host, c.Addr())
		}
	}
}

func iam(t *testing.T) *dbconn.IAM {
	t.Helper()
	s, err := dbconn.NewIAM(dbconn.IAMConfig{Region: "ap-northeast-2", Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", "")})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*dbconn.Config)
		want   string // field; "" is valid
	}{
		{"good", func(*dbconn.Config) {}, ""},
		{"an address", func(c *dbconn.Config) { c.Host = "10.0.0.7" }, ""},
		{"an IPv6 address", func(c *dbconn.Config) { c.Host = "::1" }, ""},
		{"the system's authorities", func(c *dbconn.Config) { c.TLS.SystemCAs = true }, ""},
		{"no TLS to this machine", func(c *dbconn.Config) { c.Host, c.TLS.InsecureNoTLS = "127.0.0.1", true }, ""},
		{"no TLS to localhost", func(c *dbconn.Config) { c.Host, c.TLS.InsecureNoTLS = "localhost", true }, ""},
		{"no TLS to ::1", func(c *dbconn.Config) { c.Host, c.TLS.InsecureNoTLS = "::1", true }, ""},

		{"no host", func(c *dbconn.Config) { c.Host = "" }, "Host"},
		{"a port in the host", func(c *dbconn.Config) { c.Host = "db.example.test:5432" }, "Host"},
		{"a list of hosts", func(c *dbconn.Config) { c.Host = "db1.test,db2.test" }, "Host"},
		{"a socket", func(c *dbconn.Config) { c.Host = "/var/run/postgresql" }, "Host"},
		{"a space in the host", func(c *dbconn.Config) { c.Host = "db example" }, "Host"},
		{"a query in the host", func(c *dbconn.Config) { c.Host = "db?sslmode=disable" }, "Host"},
		{"no port", func(c *dbconn.Config) { c.Port = -1 }, "Port"},
		{"a port too high", func(c *dbconn.Config) { c.Port = 65536 }, "Port"},
		{"no database", func(c *dbconn.Config) { c.Database = "" }, "Database"},
		{"no user", func(c *dbconn.Config) { c.User = "" }, "User"},
		{"no user with a token", func(c *dbconn.Config) { c.User, c.Password = "", iam(t) }, "User"},
		{"no password", func(c *dbconn.Config) { c.Password = nil }, "Password"},
		{"no connections", func(c *dbconn.Config) { c.MaxConns = -1 }, "MaxConns"},
		{"too many connections", func(c *dbconn.Config) { c.MaxConns = 101 }, "MaxConns"},
		{"connecting takes too long", func(c *dbconn.Config) { c.ConnectTimeout = time.Minute }, "ConnectTimeout"},
		{"connecting takes negative time", func(c *dbconn.Config) { c.ConnectTimeout = -1 }, "ConnectTimeout"},
		{"a timeout that rounds to none", func(c *dbconn.Config) { c.StatementTimeout = time.Microsecond }, "StatementTimeout"},
		{"a statement takes too long", func(c *dbconn.Config) { c.StatementTimeout = time.Hour }, "StatementTimeout"},
		{"idle for no time", func(c *dbconn.Config) { c.MaxIdleTime = time.Millisecond }, "MaxIdleTime"},
		{"a life for ever", func(c *dbconn.Config) { c.MaxLifetime = 1000 * time.Hour }, "MaxLifetime"},
		{"no TLS to elsewhere", func(c *dbconn.Config) { c.TLS.InsecureNoTLS = true }, "TLS.InsecureNoTLS"},
		{"no TLS to a private address", func(c *dbconn.Config) { c.Host, c.TLS.InsecureNoTLS = "10.0.0.1", true }, "TLS.InsecureNoTLS"},
		{"no TLS to a name like this machine's", func(c *dbconn.Config) { c.Host, c.TLS.InsecureNoTLS = "localhost.example.test", true }, "TLS.InsecureNoTLS"},
		{"a token in clear", func(c *dbconn.Config) { c.Host, c.TLS.InsecureNoTLS, c.Password = "127.0.0.1", true, iam(t) }, "TLS.InsecureNoTLS"},
		{"two authorities", func(c *dbconn.Config) { c.TLS.CAFile, c.TLS.SystemCAs = "x", true }, "TLS"},
		{"authorities and none", func(c *dbconn.Config) { c.Host, c.TLS.CAPEM, c.TLS.InsecureNoTLS = "::1", []byte{}, true }, "TLS"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := good().Complete(5432)
			row.change(&c)
			err := c.Validate()
			if row.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, dbconn.ErrConfig) || !strings.Contains(err.Error(), ": "+row.want+": ") {
				t.Errorf("error = %v, want one about %s", err, row.want)
			}
		})
	}
}

func TestEveryMistakeAtOnce(t *testing.T) {
	t.Parallel()
	err := dbconn.Config{Port: -1, MaxConns: 999, ConnectTimeout: time.Hour, TLS: dbconn.TLS{CAFile: "x", InsecureNoTLS: true}}.Complete(5432).Validate()
	for _, field := range []string{"Host", "Port", "Database", "User", "Password", "MaxConns", "ConnectTimeout", "TLS", "TLS.InsecureNoTLS"} {
		if !strings.Contains(err.Error(), ": "+field+": ") {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
}

func TestAuthoritiesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, trust := range map[string]dbconn.TLS{
		"no file":         {CAFile: filepath.Join(dir, "none.pem")},
		"the default":     {}, // there is no /var/task here
		"nothing in it":   {CAFile: empty},
		"empty PEM":       {CAPEM: []byte{}},
		"not loopback":    {InsecureNoTLS: true},
		"a key, no cert.": {CAPEM: []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")},
	} {
		c := good()
		c.TLS = trust
		if got, err := c.TLSConfig(); !errors.Is(err, dbconn.ErrConfig) || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestNoTLSOnLoopback(t *testing.T) {
	t.Parallel()
	c := good()
	c.Host, c.TLS.InsecureNoTLS = "127.0.0.1", true
	if got, err := c.TLSConfig(); got != nil || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestSystemAuthorities(t *testing.T) {
	t.Parallel()
	c := good()
	c.TLS.SystemCAs = true
	if got, err := c.TLSConfig(); err != nil || got.RootCAs == nil || got.ServerName != c.Host || got.InsecureSkipVerify || got.MinVersion < tls.VersionTLS12 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCredentialsNeedAUser(t *testing.T) {
	t.Parallel()
	c := good()
	c.User = ""
	if _, err := c.Credentials(t.Context()); !errors.Is(err, dbconn.ErrCredentials) {
		t.Errorf("error = %v", err)
	}
}

// source is a Renewer that counts.
type source struct {
	given, refused int
	renews         bool
}

func (s *source) Credentials(_ context.Context, to dbconn.Target) (dbconn.Credentials, error) {
	s.given++
	return dbconn.Credentials{User: to.User, Password: dbconn.NewSecret(password)}, nil
}

func (s *source) Refused(dbconn.Target, dbconn.Credentials) bool {
	s.refused++
	return s.renews
}

func TestRetry(t *testing.T) {
	t.Parallel()
	errLogin, errOther := errors.New("login"), errors.New("other")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, row := range []struct {
		name   string
		ctx    context.Context
		renews bool
		errs   []error // of each run
		runs   int
		want   error
	}{
		{"well at once", t.Context(), true, []error{nil}, 1, nil},
		{"well with fresh credentials", t.Context(), true, []error{errLogin, nil}, 2, nil},
		{"refused twice", t.Context(), true, []error{errLogin, errLogin}, 2, errLogin},
		{"nothing fresher", t.Context(), false, []error{errLogin}, 1, errLogin},
		{"another error", t.Context(), true, []error{errOther}, 1, errOther},
		{"no time left", cancelled, true, []error{errLogin}, 1, errLogin},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := &source{renews: row.renews}
			c := good()
			c.Password = s
			login, runs := c.NewLogin(), 0
			err := login.Retry(row.ctx, func(err error) bool { return errors.Is(err, errLogin) }, func(ctx context.Context) error {
				if _, err := login.Credentials(ctx); err != nil {
					return err
				}
				runs++
				return row.errs[runs-1]
			})
			if !errors.Is(err, row.want) || runs != row.runs || s.given != runs {
				t.Errorf("%v after %d runs", err, runs)
			}
		})
	}
}

func TestStaticIsNotRetried(t *testing.T) {
	t.Parallel()
	errLogin, runs := errors.New("login"), 0
	err := good().NewLogin().Retry(t.Context(), func(error) bool { return true }, func(context.Context) error {
		runs++
		return errLogin
	})
	if !errors.Is(err, errLogin) || runs != 1 {
		t.Errorf("%v after %d runs", err, runs)
	}
}
