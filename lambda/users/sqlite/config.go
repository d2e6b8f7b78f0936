package sqlite

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Journal is how SQLite makes a transaction atomic.
type Journal string

const (
	// JournalWAL lets readers go on while one writes. It needs shared memory:
	// one machine, a local file system.
	JournalWAL Journal = "WAL"
	// JournalDelete is SQLite's old rollback journal, which needs file locks
	// only.
	JournalDelete Journal = "DELETE"
)

// Config says how the table is laid out and the file is used. It is copied.
type Config struct {
	// Table is the layout. Defaults to that of table.Config; a schema in its
	// names must be "main", since no other file is attached.
	Table table.Config
	// Journal defaults to JournalWAL.
	Journal Journal
	// BusyTimeout is how long one operation waits for other writers if its
	// context has no earlier end. Defaults to 5 s. Open waits for 5 s at least.
	BusyTimeout time.Duration
	// Now is the clock that stamps new rows and moves. Defaults to time.Now.
	Now func() time.Time
}

const defaultBusyTimeout = 5 * time.Second

func (c Config) withDefaults() Config {
	c.Table = c.Table.Complete()
	if c.Journal == "" {
		c.Journal = JournalWAL
	}
	if c.BusyTimeout == 0 {
		c.BusyTimeout = defaultBusyTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate reports everything that is wrong with c. [Open] calls it.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Journal != JournalWAL && c.Journal != JournalDelete {
		errs = append(errs, fmt.Errorf("Journal: %q is neither %q nor %q", c.Journal, JournalWAL, JournalDelete))
	}
	if c.BusyTimeout < 0 {
		errs = append(errs, fmt.Errorf("BusyTimeout: %v is negative", c.BusyTimeout))
	}
	for field, name := range map[string]string{"Name": c.Table.Name, "Moves": c.Table.Moves} {
		if schema, _, ok := strings.Cut(name, "."); ok && !strings.EqualFold(schema, "main") {
			errs = append(errs, fmt.Errorf("Table.%s: %q is in another schema than main", field, name)) //nolint:staticcheck // it begins with the field's name
		}
	}
	errs = append(errs, c.Table.Validate())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sqlite: invalid configuration: %w", err)
	}
	return nil
}
