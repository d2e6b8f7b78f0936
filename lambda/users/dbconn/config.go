package dbconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Config says how to reach a database. It is copied.
type Config struct {
	// Host is the DNS name (or address) of the database, as its certificate has
	// it: the endpoint that RDS shows, not an alias of it. Required.
	Host string
	// Port defaults to the database's own: 5432 or 3306.
	Port int
	// Database is its name on the server. Required.
	Database string
	// User is the database user. Required, unless Password is a
	// [SecretsManager], whose secret may name the user.
	User string
	// Password gives the password of each new connection. Required.
	Password PasswordSource
	// TLS says whom to trust.
	TLS TLS
	// ConnectTimeout bounds the making of one connection, TLS and sign-in
	// included, within the context's own end. From 1 ms to 30 s. Defaults to
	// 1.5 s.
	ConnectTimeout time.Duration
	// StatementTimeout bounds one statement, within the context's own end; the
	// server is told too, so that it does not go on for nobody. From 1 ms to
	// 5 min. Defaults to 1 s.
	StatementTimeout time.Duration
	// MaxConns is the most connections of one process. A Lambda instance
	// handles one event at a time, so it needs few, and there are many
	// instances. From 1 to 100. Defaults to 2.
	MaxConns int
	// MaxIdleTime is how long a connection may lie unused before it is closed.
	// Keep it below the idle timeout of what is on the way: 350 s for NAT and
	// load balancers. Defaults to 4 min.
	MaxIdleTime time.Duration
	// MaxLifetime is how long a connection is used before it is replaced, so
	// that a failover, whose sign is another address of the same name, is
	// followed. Defaults to 30 min.
	MaxLifetime time.Duration
}

const (
	defaultConnectTimeout   = 1500 * time.Millisecond
	defaultStatementTimeout = time.Second
	defaultMaxConns         = 2
	defaultMaxIdleTime      = 4 * time.Minute
	defaultMaxLifetime      = 30 * time.Minute

	minTimeout          = time.Millisecond // what a server can be told
	maxConnectTimeout   = 30 * time.Second
	maxStatementTimeout = 5 * time.Minute
	maxMaxConns         = 100
)

// Complete returns c with its defaults; port is the database's own. It does
// not validate.
func (c Config) Complete(port int) Config {
	if c.Port == 0 {
		c.Port = port
	}
	if c.MaxConns == 0 {
		c.MaxConns = defaultMaxConns
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.ConnectTimeout, defaultConnectTimeout},
		{&c.StatementTimeout, defaultStatementTimeout},
		{&c.MaxIdleTime, defaultMaxIdleTime},
		{&c.MaxLifetime, defaultMaxLifetime},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return c
}

// Validate reports everything that is wrong with a completed c, one line each
// that names the field. It opens nothing: [Config.TLSConfig] says whether the
// authorities can be read.
func (c Config) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+field+": "+format, append([]any{ErrConfig}, args...)...))
	}
	switch {
	case c.Host == "":
		bad("Host", "required")
	case !validHost(c.Host):
		bad("Host", "%q is not a name or an address, without a port", c.Host)
	}
	if c.Port < 1 || c.Port > 65535 {
		bad("Port", "%d is not within 1 to 65535", c.Port)
	}
	if c.Database == "" {
		bad("Database", "required")
	}
	if c.Password == nil {
		bad("Password", "required")
	}
	if source, ok := c.Password.(userKnower); c.User == "" && (!ok || !source.knowsUser()) {
		bad("User", "required")
	}
	if c.MaxConns < 1 || c.MaxConns > maxMaxConns {
		bad("MaxConns", "%d is not within 1 to %d", c.MaxConns, maxMaxConns)
	}
	for _, d := range []struct {
		field  string
		is     time.Duration
		lo, hi time.Duration
	}{
		{"ConnectTimeout", c.ConnectTimeout, minTimeout, maxConnectTimeout},
		{"StatementTimeout", c.StatementTimeout, minTimeout, maxStatementTimeout},
		{"MaxIdleTime", c.MaxIdleTime, time.Second, 24 * time.Hour},
		{"MaxLifetime", c.MaxLifetime, time.Second, 24 * time.Hour},
	} {
		if d.is < d.lo || d.is > d.hi {
			bad(d.field, "%v is not within %v to %v", d.is, d.lo, d.hi)
		}
	}
	c.TLS.check(c.Host, c.Password, bad)
	return errors.Join(errs...)
}

// validHost keeps out what would change the meaning of an address or a URL:
// a port, a path, a list, white space. "::1" is an address, "db:5432" is not.
func validHost(host string) bool {
	if net.ParseIP(host) != nil {
		return true
	}
	return len(host) <= 253 && !strings.ContainsFunc(host, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		return !letter && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
	})
}

// Addr is host:port, with the brackets that IPv6 needs.
func (c Config) Addr() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

func (c Config) target() Target { return Target{Host: c.Host, Port: c.Port, User: c.User} }

// Credentials returns what the next connection signs in with.
func (c Config) Credentials(ctx context.Context) (Credentials, error) {
	creds, err := c.Password.Credentials(ctx, c.target())
	if err != nil {
		return Credentials{}, err
	}
	if creds.User == "" {
		return Credentials{}, fmt.Errorf("%w: no user name", ErrCredentials)
	}
	return creds, nil
}

// Refused tells the source that the database did not take used. It returns
// whether connecting once more makes sense; see [Renewer].
func (c Config) Refused(used Credentials) bool {
	source, ok := c.Password.(Renewer)
	return ok && source.Refused(c.target(), used)
}
