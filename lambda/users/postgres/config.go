package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Config says where the table is and how it is laid out. It is copied.
type Config struct {
	// Conn is the connection. Its port defaults to 5432.
	Conn dbconn.Config
	// Table is the layout.
	Table table.Config
	// Configure, if not nil, changes the settings of the pool after all others
	// were made, as for a dialer of one's own. It MUST NOT loosen TLS. Defaults
	// to nil.
	Configure func(*pgxpool.Config) error
	// Now is the clock that tells how long a connection lay idle. Defaults to
	// time.Now. The times in the table are the database's and the events'.
	Now func() time.Time
}

const (
	defaultPort = 5432
	// idleCheck is how long a connection may lie unused before it is looked
	// at. Shorter, and an ordinary call would cost two round trips.
	idleCheck = 30 * time.Second
	// pingTimeout bounds that look: a new connection is better than a long wait.
	pingTimeout = 500 * time.Millisecond
	// networkSlack is what the client waits beyond the server's own timeout, so
	// that the server's comes first and the connection stays good.
	networkSlack = 500 * time.Millisecond
	// closeTimeout bounds the goodbye to a server that may be gone: till it is
	// over the connection takes a place in the pool, and pgx waits for 15 s.
	closeTimeout = 250 * time.Millisecond
)

func (c Config) complete() (Config, error) {
	c.Conn, c.Table = c.Conn.Complete(defaultPort), c.Table.Complete()
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := errors.Join(c.Conn.Validate(), c.Table.Validate()); err != nil {
		return Config{}, fmt.Errorf("postgres: invalid configuration: %w", err)
	}
	return c, nil
}

// pool makes the settings of the pool. c is complete.
func (c Config) pool(login *dbconn.Login) (*pgxpool.Config, error) {
	p, err := pgxpool.ParseConfig("sslmode=disable host=127.0.0.1") // pgx wants its own parser to begin
	if err != nil {
		return nil, errors.New("postgres: the environment has PG… variables that cannot be read")
	}
	if err := c.address(p.ConnConfig); err != nil {
		return nil, err
	}
	p.MaxConns, p.MinConns, p.MinIdleConns = int32(c.Conn.MaxConns), 0, 0 //nolint:gosec // validated: at most 100
	p.MaxConnIdleTime, p.MaxConnLifetime = c.Conn.MaxIdleTime, c.Conn.MaxLifetime
	p.MaxConnLifetimeJitter = c.Conn.MaxLifetime / 10
	p.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // see Store.alive
	p.BeforeConnect = func(ctx context.Context, cc *pgx.ConnConfig) error {
		creds, err := login.Credentials(ctx)
		cc.User, cc.Password = creds.User, creds.Password.Reveal()
		return err
	}
	p.AfterConnect, p.BeforeClose = inUTC, hangUp
	if c.Configure != nil {
		if err := c.Configure(p); err != nil {
			return nil, fmt.Errorf("postgres: invalid configuration: Configure: %w", err)
		}
	}
	return p, nil
}

// address sets all that pgx may have read from the environment (PGHOST,
// PGSSLMODE, ~/.pgpass, …) to what is configured.
func (c Config) address(cc *pgx.ConnConfig) (err error) {
	cc.Host, cc.Port, cc.Database = c.Conn.Host, uint16(c.Conn.Port), c.Conn.Database //nolint:gosec // validated: at most 65535
	cc.User, cc.Password = c.Conn.User, ""
	cc.Fallbacks, cc.ValidateConnect = nil, nil // nowhere else, and never in clear
	cc.SSLNegotiation, cc.ChannelBinding = "postgres", "prefer"
	if cc.TLSConfig, err = c.Conn.TLSConfig(); err != nil {
		return fmt.Errorf("postgres: invalid configuration: %w", err)
	}
	cc.ConnectTimeout = c.Conn.ConnectTimeout
	cc.DefaultQueryExecMode = pgx.QueryExecModeExec // what Configure's hooks may run prepares nothing either
	cc.StatementCacheCapacity, cc.DescriptionCacheCapacity = 0, 0
	cc.RuntimeParams = map[string]string{
		"application_name":  "cognito-sso",
		"client_encoding":   "UTF8",
		"timezone":          "UTC",
		"statement_timeout": fmt.Sprintf("%dms", c.Conn.StatementTimeout.Milliseconds()),
	}
	return nil
}

// inUTC makes sure of the session's time zone, by which times without one are
// written. The server reports it when it greets, so this costs nothing but
// behind a proxy that dropped the parameter.
func inUTC(ctx context.Context, conn *pgx.Conn) error {
	if conn.PgConn().ParameterStatus("TimeZone") == "UTC" {
		return nil
	}
	_, err := conn.Exec(ctx, "SET TIME ZONE 'UTC'")
	return err
}

func hangUp(conn *pgx.Conn) {
	time.AfterFunc(closeTimeout, func() { _ = conn.PgConn().Conn().Close() })
}
