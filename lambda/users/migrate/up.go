package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// VersionTable is where [Up] keeps which migrations have run, in the default
// schema of the connection.
const VersionTable = "sso_migrations"

// Up makes the user table and the table of moves for who has none, and brings
// those that it made to this release's version. It is idempotent, and several
// processes may call it at once. A table that somebody else made is left alone:
// if it lacks anything Up returns [ErrTableExists].
//
// Up does not follow changes of the layout, such as one more provider; it then
// returns users.ErrSchema. Make a [Plan] for them.
func Up(ctx context.Context, db *sql.DB, d Dialect, cfg table.Config) error {
	l, err := newLayout(d, cfg, Options{})
	if err != nil {
		return err
	}
	return up(ctx, db, l)
}

// up tries until it has worked. SQLite has no lock beyond a transaction, so the
// loser of a race begins again.
func up(ctx context.Context, db *sql.DB, l layout) error {
	const attempts = 100
	for i := 1; ; i++ {
		err := l.upOnce(ctx, db)
		if err == nil || l.d != SQLite || i == attempts || errors.Is(err, users.ErrSchema) || errors.Is(err, ErrTableExists) {
			return safe("up", err)
		}
		if pause(ctx, lockPause) != nil {
			return safe("up", err)
		}
	}
}

func (l layout) upOnce(ctx context.Context, db *sql.DB) error {
	if err := l.goose(ctx, db); err != nil {
		return err
	}
	p, err := plan(ctx, db, l, Options{})
	if err == nil && !p.Empty() {
		err = fmt.Errorf("%w: it was made for another layout: make a plan", users.ErrSchema)
	}
	return err
}

func (l layout) goose(ctx context.Context, db *sql.DB) error {
	dialect := map[Dialect]goose.Dialect{Postgres: goose.DialectPostgres, MySQL: goose.DialectMySQL, SQLite: goose.DialectSQLite3}[l.d]
	options := []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true), // another user of goose in this process is not ours
		goose.WithTableName(VersionTable),
		goose.WithGoMigrations(l.migrations()...),
	}
	if l.d != SQLite {
		options = append(options, goose.WithSessionLocker(locker{l.d}))
		if err := versionTable(ctx, db, l.d, dialect); err != nil {
			return err
		}
	}
	p, err := goose.NewProvider(dialect, db, nil, options...)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// versionTable makes goose's table with its first row under the lock, and adds
// the row if it is missing. goose looks before it takes the lock, and MySQL
// commits the table before the row: who saw, or was killed, between the two
// could not go on.
func versionTable(ctx context.Context, db *sql.DB, d Dialect, dialect goose.Dialect) error {
	store, err := database.NewStore(dialect, VersionTable)
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := (locker{d}).SessionLock(ctx, conn); err != nil {
		return err
	}
	defer func() { _ = locker{d}.SessionUnlock(ctx, conn) }()
	_, err = store.GetLatestVersion(ctx, conn)
	if err == nil {
		return nil
	}
	if !errors.Is(err, database.ErrVersionNotFound) { // the table is missing, or the next statement fails as well
		if err := store.CreateVersionTable(ctx, conn); err != nil {
			return err
		}
	}
	return store.Insert(ctx, conn, database.InsertRequest{Version: 0})
}

// migrations are made of the layout, so they are Go and not files. A version
// that was released is never changed; the next one is added.
func (l layout) migrations() []*goose.Migration {
	return []*goose.Migration{goose.NewGoMigration(1, &goose.GoFunc{RunTx: l.starter}, nil)}
}

// starter is version 1. MySQL commits each statement, so it may find half of
// its own work.
func (l layout) starter(ctx context.Context, tx *sql.Tx) error {
	c, err := describe(ctx, tx, l.d, l.Name)
	if err != nil {
		return err
	}
	if !c.exists {
		if err := l.create(ctx, tx); err != nil {
			return err
		}
	}
	p, err := plan(ctx, tx, l, Options{})
	if err != nil {
		return err
	}
	for _, s := range p.Steps {
		if s.SQL != l.createMoves() {
			return ErrTableExists
		}
		if err := exec(ctx, tx, s.SQL); err != nil {
			return err
		}
	}
	return nil
}

func (l layout) create(ctx context.Context, q querier) error {
	c := catalog{}
	if l.d == MySQL {
		if err := q.QueryRowContext(ctx, "SELECT lower(version()) LIKE '%mariadb%'").Scan(&c.mariadb); err != nil {
			return err
		}
	}
	return exec(ctx, q, l.createTable(c))
}

func exec(ctx context.Context, q querier, statement string) error {
	_, err := q.ExecContext(ctx, statement)
	return err
}
