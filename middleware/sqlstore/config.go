package sqlstore

import (
	"database/sql"
	"errors"
	"log/slog"
	"regexp"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	defaultTable      = "sso_sessions"
	defaultTimeout    = 5 * time.Second
	defaultCleanEvery = 10 * time.Minute
	migrateTimeout    = time.Minute
)

// Config says where sessions are kept. It is copied.
type Config struct {
	// DB is the database. Required. The store never closes it. Its driver is
	// the app's choice; see the package's comment for the settings that
	// matter.
	DB *sql.DB
	// Dialect is PostgreSQL, MySQL (also for MariaDB) or SQLite. Required.
	Dialect Dialect
	// Table is the name of the table: up to 40 letters, digits and
	// underscores, after a schema and a dot where needed (not with SQLite).
	// Defaults to "sso_sessions".
	Table string
	// Timeout bounds each call, beside the caller's context. Defaults to 5
	// seconds; negative for the context alone.
	Timeout time.Duration
	// CleanEvery is how often a goroutine of the store deletes expired
	// sessions, in each process. Defaults to 10 minutes; negative for never:
	// then call [Store.Clean].
	CleanEvery time.Duration
	// Logger is told when cleaning fails. Defaults to slog.Default().
	Logger *slog.Logger
}

var validTable = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]{0,39}\.)?[A-Za-z_][A-Za-z0-9_]{0,39}$`)

// check returns what is wrong with a dialect and a table.
func check(d Dialect, table string) error {
	var problems []error
	if d < PostgreSQL || d > SQLite {
		problems = append(problems, &sso.ConfigError{Field: "sqlstore.Config.Dialect", Problem: "must be PostgreSQL, MySQL or SQLite"})
	}
	if table != "" && !validTable.MatchString(table) {
		problems = append(problems, &sso.ConfigError{
			Field: "sqlstore.Config.Table", Problem: "must be up to 40 letters, digits and underscores, after a schema and a dot where needed",
		})
	} else if d == SQLite && validTable.FindStringSubmatch(table) != nil && validTable.FindStringSubmatch(table)[1] != "" {
		problems = append(problems, &sso.ConfigError{Field: "sqlstore.Config.Table", Problem: "must not name a schema with SQLite"})
	}
	return errors.Join(problems...)
}

func (cfg *Config) setDefaults() {
	if cfg.Table == "" {
		cfg.Table = defaultTable
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.CleanEvery == 0 {
		cfg.CleanEvery = defaultCleanEvery
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
}

// New returns a store. It does not ask the database anything, and begins to
// clean: Close ends that. Its error joins one [*sso.ConfigError] for each field
// that is wrong.
func New(cfg Config) (*Store, error) {
	err := check(cfg.Dialect, cfg.Table)
	if cfg.DB == nil {
		err = errors.Join(&sso.ConfigError{Field: "sqlstore.Config.DB", Problem: "is required"}, err)
	}
	if err != nil {
		return nil, err
	}
	cfg.setDefaults()
	s := &Store{
		db: cfg.DB, dialect: cfg.Dialect, table: cfg.Table, timeout: cfg.Timeout, log: cfg.Logger,
		queries: queriesOf(cfg.Dialect, cfg.Table),
	}
	if cfg.CleanEvery > 0 {
		s.startCleaning(cfg.CleanEvery)
	}
	return s, nil
}
