package sqlite

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
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

// Config says how the table is laid out. It is copied.
type Config struct {
	// Providers is provider name in the pool → column with the id at that
	// provider. A provider that is not in it is told apart by the Cognito sub
	// alone. Column names are 1 to 63 letters, digits and underscores and do
	// not start with a digit. Defaults to Kakao → kakao_id, Google → google_id.
	Providers map[string]string
	// Journal defaults to JournalWAL.
	Journal Journal
	// BusyTimeout is how long one operation waits for other writers if its
	// context has no earlier end. Defaults to 5 s.
	BusyTimeout time.Duration
	// Now is the clock that stamps created_at. Defaults to time.Now.
	Now func() time.Time
}

// ErrSchema is returned by [Open] for a table that it cannot use as it is.
// Nothing has been changed then, and trying again does not help.
var ErrSchema = errors.New("sqlite: unusable user table")

const defaultBusyTimeout = 5 * time.Second

// columnName is narrower than SQLite, so that quoting can never be got wrong.
var columnName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// ownColumns have a meaning of their own and cannot be a provider's.
var ownColumns = []string{"id", "cognito_sub", "email", "name", "last_login_at", "created_at"}

func (c Config) withDefaults() Config {
	if c.Providers == nil {
		c.Providers = map[string]string{"Kakao": "kakao_id", "Google": "google_id"}
	}
	c.Providers = maps.Clone(c.Providers)
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
	owner := map[string]string{}
	for _, provider := range slices.Sorted(maps.Keys(c.Providers)) {
		column := c.Providers[provider]
		folded := strings.ToLower(column) // SQLite folds the case of names
		switch {
		case provider == "":
			errs = append(errs, errors.New("Providers: a provider has no name"))
		case !columnName.MatchString(column):
			errs = append(errs, fmt.Errorf("Providers[%q]: %q is not a column name", provider, column))
		case slices.Contains(ownColumns, folded):
			errs = append(errs, fmt.Errorf("Providers[%q]: column %q has another meaning", provider, column))
		case owner[folded] != "":
			errs = append(errs, fmt.Errorf("Providers[%q]: column %q is already that of %q", provider, column, owner[folded]))
		}
		owner[folded] = provider
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sqlite: invalid configuration: %w", err)
	}
	return nil
}

// quote makes an SQL identifier of a validated column name.
func quote(column string) string { return `"` + column + `"` }
