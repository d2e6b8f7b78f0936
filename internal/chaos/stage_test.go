package chaos_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"testing"
	"testing/synctest"

	_ "modernc.org/sqlite"

	"github.com/ssu-itsupport/cognito-sso/internal/chaos"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
)

// A stage is a database with everything that breaks around it.
type stage struct {
	table *chaos.Table
	open  func(ctx context.Context, wrap func(users.Store) users.Store) (users.Store, io.Closer, error)
	calm  func() map[chaos.Fault]int
	dsn   string // of the reader
}

// stages are made outside of the bubble: servers, wires and rivals run on
// real time. connect makes the reader's connection, inside.
type stageMaker func(t *testing.T, seed uint64) func(t *testing.T) stage

var stages = map[string]stageMaker{"sqlite": onSQLite, "postgres": onPostgres, "mariadb": onMariaDB, "remote": remotely(onSQLite)}

// sqlConn is a reader's connection by database/sql.
type sqlConn struct{ conn *sql.Conn }

func (c sqlConn) Exec(ctx context.Context, query string) error {
	_, err := c.conn.ExecContext(ctx, query)
	return err
}

func (c sqlConn) Query(ctx context.Context, query string) ([][]string, error) {
	rows, err := c.conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][]string
	for rows.Next() {
		fields, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range fields {
			into[i] = &fields[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		texts := make([]string, len(fields))
		for i, f := range fields {
			texts[i] = f.String
		}
		all = append(all, texts)
	}
	return all, rows.Err()
}

// dial opens one connection of the reader's own.
func dial(t *testing.T, driver, dsn string) sqlConn {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(errors.Join(err, db.Close()))
	}
	t.Cleanup(func() { _ = errors.Join(conn.Close(), db.Close()) })
	return sqlConn{conn}
}

func onSQLite(t *testing.T, seed uint64) func(t *testing.T) stage {
	path := filepath.Join(t.TempDir(), "users.db")
	dsn := "file:" + path + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"
	rival := startRival(t, seed, dial(t, "sqlite", dsn), chaos.SQLite())
	return func(t *testing.T) stage {
		return stage{
			table: &chaos.Table{Conn: dial(t, "sqlite", dsn), Dialect: chaos.SQLite()},
			calm:  rival.Calm, dsn: dsn,
			open: func(ctx context.Context, wrap func(users.Store) users.Store) (users.Store, io.Closer, error) {
				s, err := sqlite.Open(ctx, path, sqlite.Config{})
				if err != nil {
					return nil, nil, err
				}
				return wrap(s), s, nil
			},
		}
	}
}

// play runs the chaos on a stage, in a bubble. sabotage may break something
// first; nil breaks nothing.
func play(t *testing.T, on stageMaker, cfg chaos.Config, sabotage func(*testing.T, *stage) chaos.Break) (report chaos.Report) {
	t.Helper()
	set := on(t, cfg.Seed)
	synctest.Test(t, func(t *testing.T) {
		s := set(t)
		if sabotage != nil {
			cfg.Break = sabotage(t, &s)
		}
		cfg.Table, cfg.Open, cfg.Calm = s.table, s.open, s.calm
		var err error
		if report, err = chaos.Run(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	})
	return report
}

// together calls every calm and adds up.
func together(calms ...func() map[chaos.Fault]int) func() map[chaos.Fault]int {
	return func() map[chaos.Fault]int {
		all := map[chaos.Fault]int{}
		for _, calm := range calms {
			maps.Copy(all, calm())
		}
		return all
	}
}
