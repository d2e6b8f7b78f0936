package mysql

import (
	"errors"
	"fmt"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Config says where the database is and how the table is laid out. It is
// copied.
type Config struct {
	// Conn is how to reach the server. Its port defaults to 3306.
	Conn dbconn.Config
	// Table is the layout. Defaults as [table.Config] says.
	Table table.Config
	// Now is the clock that ages idle connections and numbers ids of the types
	// [table.UUID] and [table.Text]. Rows get their times from the database.
	// Defaults to time.Now.
	Now func() time.Time
}

const defaultPort = 3306

func (c Config) withDefaults() Config {
	c.Conn, c.Table = c.Conn.Complete(defaultPort), c.Table.Complete()
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate reports everything that is wrong with c. [Open] calls it.
func (c Config) Validate() error {
	c = c.withDefaults()
	if err := errors.Join(c.Conn.Validate(), c.Table.Validate()); err != nil {
		return fmt.Errorf("mysql: invalid configuration: %w", err)
	}
	return nil
}
