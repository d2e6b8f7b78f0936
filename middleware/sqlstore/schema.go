package sqlstore

import (
	"context"
	"database/sql"
	"hash/fnv"
	"strings"
)

// Times are Unix milliseconds. Keys and subjects are of types that compare
// byte by byte: with a collation of MySQL's, "A" would be "a" and "a " too.
// MySQL's BLOB ends one byte before 64 KiB.
var schemas = map[Dialect][]string{
	PostgreSQL: {
		`CREATE TABLE IF NOT EXISTS {table} (
	session_key  varchar(64) COLLATE "C" PRIMARY KEY,
	subject      varchar(255) COLLATE "C" NOT NULL,
	version      bigint NOT NULL,
	expires_at   bigint NOT NULL,
	data         bytea NOT NULL,
	lock_holder  varchar(64) COLLATE "C" NOT NULL DEFAULT '',
	locked_until bigint NOT NULL DEFAULT 0
)`,
		`CREATE INDEX IF NOT EXISTS {subject_idx} ON {table} (subject)`,
		`CREATE INDEX IF NOT EXISTS {expires_idx} ON {table} (expires_at)`,
	},
	MySQL: {
		`CREATE TABLE IF NOT EXISTS {table} (
	session_key  VARBINARY(64) NOT NULL PRIMARY KEY,
	subject      VARBINARY(255) NOT NULL,
	version      BIGINT NOT NULL,
	expires_at   BIGINT NOT NULL,
	data         MEDIUMBLOB NOT NULL,
	lock_holder  VARBINARY(64) NOT NULL DEFAULT '',
	locked_until BIGINT NOT NULL DEFAULT 0,
	KEY {subject_idx} (subject),
	KEY {expires_idx} (expires_at)
) ENGINE=InnoDB`,
	},
	SQLite: {
		`CREATE TABLE IF NOT EXISTS {table} (
	session_key  TEXT NOT NULL PRIMARY KEY,
	subject      TEXT NOT NULL,
	version      INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL,
	data         BLOB NOT NULL,
	lock_holder  TEXT NOT NULL DEFAULT '',
	locked_until INTEGER NOT NULL DEFAULT 0
)`,
		`CREATE INDEX IF NOT EXISTS {subject_idx} ON {table} (subject)`,
		`CREATE INDEX IF NOT EXISTS {expires_idx} ON {table} (expires_at)`,
	},
}

// Schema returns the statements that make the table and its indexes, for those
// who run migrations themselves. They do nothing where both exist. table is as
// in [Config]; the error is that of [New].
func Schema(d Dialect, table string) ([]string, error) {
	if err := check(d, table); err != nil {
		return nil, err
	}
	if table == "" {
		table = defaultTable
	}
	base := table[strings.LastIndexByte(table, '.')+1:]
	names := strings.NewReplacer(
		"{table}", d.quote(table),
		"{subject_idx}", d.quote(base+"_subject"),
		"{expires_idx}", d.quote(base+"_expires_at"),
	)
	statements := make([]string, len(schemas[d]))
	for i, s := range schemas[d] {
		statements[i] = names.Replace(s)
	}
	return statements, nil
}

// Migrate makes the table and its indexes where they do not exist, with the
// statements of [Schema]. Several processes may call it at once, and again at
// each start. It needs the right to create tables, which the store itself does
// not; PostgreSQL asks for that also where they exist.
func (s *Store) Migrate(ctx context.Context) error {
	statements, err := Schema(s.dialect, s.table)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	return s.fail(ctx, "migrate", s.inTx(ctx, func(tx *sql.Tx) error {
		if s.dialect == PostgreSQL {
			// Two CREATE TABLE IF NOT EXISTS at once fail there.
			h := fnv.New32a()
			_, _ = h.Write([]byte(statements[0]))
			if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(7337, $1)", int32(h.Sum32())); err != nil { //nolint:gosec // any number will do
				return err
			}
		}
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (s *Store) inTx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}
