package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	driverlib "github.com/go-sql-driver/mysql"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
)

// newPool prepares the pool; nothing is connected yet.
func newPool(cfg Config, login *dbconn.Login) (*sql.DB, error) {
	conn, err := newConnector(cfg, login)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(conn)
	db.SetMaxOpenConns(cfg.Conn.MaxConns)
	db.SetMaxIdleConns(cfg.Conn.MaxConns)
	db.SetConnMaxIdleTime(cfg.Conn.MaxIdleTime)
	db.SetConnMaxLifetime(cfg.Conn.MaxLifetime)
	return db, nil
}

// connector makes sessions that are all alike, whatever the server's own
// settings are.
type connector struct {
	driver.Connector
	setup   []string
	timeout time.Duration
	maxIdle time.Duration
	now     func() time.Time
}

func newConnector(cfg Config, login *dbconn.Login) (connector, error) {
	secure, err := cfg.Conn.TLSConfig()
	if err != nil {
		return connector{}, fmt.Errorf("mysql: invalid configuration: %w", err)
	}
	d := driverlib.NewConfig()
	d.Net, d.Addr, d.DBName, d.TLS = "tcp", cfg.Conn.Addr(), cfg.Conn.Database, secure
	d.Logger = &driverlib.NopLogger{} // what it says comes back as an error too
	// One round trip a statement, instead of prepare, execute and close. Safe
	// because setup leaves no doubt about quotes and the character set.
	d.InterpolateParams = true
	d.RejectReadOnly = true                       // after a failover: find the new writer
	d.AllowCleartextPasswords = secure != nil     // what IAM tokens are to the server
	d.ClientFoundRows, d.ParseTime = false, false // ensure.go counts changed rows; read.go parses
	d.MultiStatements, d.AllowAllFiles = false, false
	// A backstop, where a context does not bound a step by itself.
	d.ReadTimeout = cfg.Conn.StatementTimeout + 2*answerTime
	d.WriteTimeout = d.ReadTimeout
	err = d.Apply(driverlib.BeforeConnect(func(ctx context.Context, d *driverlib.Config) error {
		creds, err := login.Credentials(ctx)
		d.User, d.Passwd = creds.User, creds.Password.Reveal()
		return err
	}))
	if err != nil {
		return connector{}, fmt.Errorf("mysql: %w", err)
	}
	inner, err := driverlib.NewConnector(d)
	if err != nil {
		return connector{}, fmt.Errorf("mysql: %w", err)
	}
	return connector{inner, setup(cfg.Conn.StatementTimeout), cfg.Conn.ConnectTimeout, cfg.Conn.MaxIdleTime, cfg.Now}, nil
}

// setup is what a session is told when it begins.
//
// The sql_mode is the whole of it: strict, so that nothing is cut off in
// silence; without NO_BACKSLASH_ESCAPES, ANSI_QUOTES and the like; a zero is an
// id and not a request for the next one. READ COMMITTED, so that the lookups
// of a write neither lock nor wait: with REPEATABLE READ, two new users whose
// keys are neighbours would be a deadlock.
//
// The bounds end what goes on in the server after we have stopped waiting.
// MySQL knows one for SELECT only; MariaDB's is for all. Each skips the
// other's comment.
func setup(statement time.Duration) []string {
	lock := strconv.Itoa(int(math.Ceil(statement.Seconds()))) // whole seconds, at least one
	seconds := strconv.FormatFloat(statement.Seconds(), 'f', 3, 64)
	return []string{
		"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
		"SET " + strings.Join([]string{
			"character_set_client = utf8mb4", "character_set_results = utf8mb4", "collation_connection = utf8mb4_bin",
			"sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'",
			"time_zone = '+00:00'", "autocommit = 1",
			"innodb_lock_wait_timeout = " + lock, "lock_wait_timeout = " + lock,
		}, ", ") +
			" /*M!100600 , max_statement_time = " + seconds + " */" +
			" /*!80000 , max_execution_time = " + strconv.FormatInt(statement.Milliseconds(), 10) + " */",
	}
}

// Connect makes one session, within the connect timeout.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	raw, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, connectError{err}
	}
	inner, ok := raw.(session)
	if !ok {
		return nil, errors.Join(errors.New("mysql: the driver's connection lacks a method"), raw.Close())
	}
	for _, statement := range c.setup {
		if _, err := inner.ExecContext(ctx, statement, nil); err != nil {
			_ = inner.Close()
			return nil, connectError{err}
		}
	}
	return &conn{session: inner, used: c.now().Round(0), maxIdle: c.maxIdle, now: c.now}, nil
}

// connectError tells a failure to connect from one of a connection: nothing
// has been sent then, and trying again at once is of no use.
type connectError struct{ error }

func (e connectError) Unwrap() error { return e.error }

// session is what the driver's connections can do; database/sql must find the
// same in ours.
type session interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// conn knows how long it has lain unused, by the wall clock: while a Lambda
// function is frozen, the monotonic clock and the pool's timers stand still,
// and something on the way forgets the connection without a word to us.
type conn struct {
	session
	used    time.Time
	maxIdle time.Duration
	now     func() time.Time
}

// IsValid is asked when the connection goes back to the pool.
func (c *conn) IsValid() bool {
	c.used = c.now().Round(0)
	return c.session.IsValid()
}

// ResetSession is asked before the connection is used again.
func (c *conn) ResetSession(ctx context.Context) error {
	if idle := c.now().Round(0).Sub(c.used); idle > c.maxIdle || idle < 0 {
		return driver.ErrBadConn
	}
	return c.session.ResetSession(ctx)
}
