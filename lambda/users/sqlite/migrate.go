package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date. Processes that start together may do
// it at the same time: each step is idempotent, and the loser of a race tries
// again.
func (s *Store) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.BusyTimeout)
	defer cancel()
	const attempts, pause = 10, 20 * time.Millisecond
	for i := 1; ; i++ {
		err := s.migrateOnce(ctx)
		if err == nil || errors.Is(err, ErrSchema) {
			return err
		}
		if i == attempts || ctx.Err() != nil {
			return classify(ctx, "migrate", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (s *Store) migrateOnce(ctx context.Context) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	// No global registry: another user of goose in this process is not ours.
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	return s.inTx(ctx, "migrate", func(tx *sql.Tx) error { return s.complete(ctx, tx) })
}

// complete adds what a table from elsewhere lacks.
func (s *Store) complete(ctx context.Context, tx *sql.Tx) error {
	have, err := columns(ctx, tx)
	if err != nil {
		return err
	}
	if err := checkID(have); err != nil {
		return err
	}
	s.numeric = map[string]bool{}
	for _, name := range s.cfg.Providers {
		s.numeric[name] = isNumeric(have[strings.ToLower(name)].declared)
	}
	unique := append([]string{"cognito_sub"}, slices.Sorted(maps.Values(s.cfg.Providers))...)
	for _, name := range slices.Concat(unique, []string{"email", "name", "last_login_at", "created_at"}) {
		if _, ok := have[strings.ToLower(name)]; ok {
			continue
		}
		if _, err := tx.ExecContext(ctx, "ALTER TABLE users ADD COLUMN "+quote(name)+" TEXT"); err != nil {
			return err
		}
	}
	for _, name := range unique {
		if err := makeUnique(ctx, tx, name); err != nil {
			return err
		}
	}
	return nil
}

type column struct {
	declared string
	pk       int
}

func columns(ctx context.Context, tx *sql.Tx) (map[string]column, error) {
	rows, err := tx.QueryContext(ctx, "SELECT lower(name), upper(type), pk FROM pragma_table_info('users')")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	have := map[string]column{}
	for rows.Next() {
		var name string
		var c column
		if err := rows.Scan(&name, &c.declared, &c.pk); err != nil {
			return nil, err
		}
		have[name] = c
	}
	return have, rows.Err()
}

// isNumeric tells a column's affinity by SQLite's rules
// (https://sqlite.org/datatype3.html#determination_of_column_affinity).
func isNumeric(declared string) bool {
	if strings.Contains(declared, "INT") {
		return true
	}
	for _, s := range []string{"CHAR", "CLOB", "TEXT", "BLOB"} {
		if strings.Contains(declared, s) {
			return false
		}
	}
	return declared != ""
}

func checkID(have map[string]column) error {
	keys := 0
	for _, c := range have {
		if c.pk > 0 {
			keys++
		}
	}
	if id, ok := have["id"]; !ok || id.pk == 0 || keys != 1 || id.declared != "INTEGER" {
		return fmt.Errorf("%w: the primary key must be one column, id INTEGER", ErrSchema)
	}
	return nil
}

// makeUnique gives the column a unique index unless it has one. Duplicates are
// counted, not listed: they are people's ids.
func makeUnique(ctx context.Context, tx *sql.Tx, name string) error {
	var has int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM pragma_index_list('users') AS l
		WHERE l."unique" = 1 AND l.partial = 0
		AND (SELECT count(*) FROM pragma_index_info(l.name)) = 1
		AND (SELECT lower(i.name) FROM pragma_index_info(l.name) AS i) = lower(?)`, name).Scan(&has)
	if err != nil || has > 0 {
		return err
	}
	var duplicates int
	err = tx.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*) FROM
		(SELECT 1 FROM users WHERE %[1]s IS NOT NULL GROUP BY CAST(%[1]s AS TEXT) HAVING count(*) > 1)`, quote(name))).Scan(&duplicates)
	if err != nil {
		return err
	}
	if duplicates > 0 {
		return fmt.Errorf("%w: column %s must be unique, but %d of its values are shared by several rows", ErrSchema, name, duplicates)
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("CREATE UNIQUE INDEX %s ON users (%s)", quote("users_"+name+"_key"), quote(name)))
	return err
}
