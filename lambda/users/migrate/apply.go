package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// Apply does what the plan says, on the database that it was made for. Under a
// lock that keeps other processes' Apply and [Up] out it looks again: steps
// that somebody did meanwhile are left out, and if the table needs anything
// that is not in the plan it changes nothing and returns [ErrChanged], or a
// [RefusedError]. So a plan can be applied twice, or by several processes.
//
// On SQLite it is one transaction. On the others each step is for itself; a
// failed one is cleaned up, and what came before it stays: make the plan again.
// db's role must own the table. Connect directly, not through a proxy that
// gives each statement another session.
func (p Plan) Apply(ctx context.Context, db *sql.DB) error {
	if p.Empty() {
		return nil
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return safe("apply", err)
	}
	defer func() { _ = conn.Close() }()
	if p.Dialect == SQLite {
		return p.applySQLite(ctx, conn)
	}
	l := locker{p.Dialect}
	if err := l.SessionLock(ctx, conn); err != nil {
		return err
	}
	defer func() { _ = l.SessionUnlock(ctx, conn) }()
	defer p.restore(ctx, conn)
	steps, err := p.left(ctx, conn)
	if err != nil {
		return err
	}
	for _, s := range steps {
		if err := s.run(ctx, conn); err != nil {
			return p.failed(ctx, db, s, err)
		}
	}
	return nil
}

// left are the steps that are still to be done.
func (p Plan) left(ctx context.Context, q querier) ([]Step, error) {
	now, err := plan(ctx, q, layout{p.cfg.Complete(), p.Dialect}, Options{})
	if err != nil {
		return nil, err
	}
	for _, s := range now.Steps {
		if !slices.ContainsFunc(p.Steps, func(have Step) bool { return have.SQL == s.SQL }) {
			return nil, fmt.Errorf("%w: make it again", ErrChanged)
		}
	}
	return now.Steps, nil
}

func (s Step) run(ctx context.Context, conn *sql.Conn) error {
	for _, statement := range append(slices.Clone(s.Set), s.SQL) {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// restore gives the connection back to the pool as it was.
func (p Plan) restore(ctx context.Context, conn *sql.Conn) {
	for _, statement := range restore[p.Dialect] {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), statement)
	}
}

const cleanTimeout = 30 * time.Second

// failed drops the invalid index that a failed CREATE INDEX CONCURRENTLY
// leaves. It takes a connection of its own, since that of the step may have
// ended with ctx.
func (p Plan) failed(ctx context.Context, db *sql.DB, s Step, cause error) error {
	cause = safe("apply: "+s.Why, cause)
	if p.Dialect != Postgres || s.index == "" {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
	defer cancel()
	c, err := describe(ctx, db, p.Dialect, p.Table)
	if err != nil {
		return cause
	}
	if !slices.ContainsFunc(c.indexes, func(i index) bool { return i.name == s.index && !i.valid }) {
		return cause
	}
	if _, err := db.ExecContext(ctx, s.Undo); err != nil {
		return fmt.Errorf("%w; the invalid index it left is there still, and the next plan drops it", cause)
	}
	return cause
}

// applySQLite writes BEGIN IMMEDIATE itself, so that any driver and any
// connection string will do.
func (p Plan) applySQLite(ctx context.Context, conn *sql.Conn) error {
	if err := whileBusy(ctx, conn, "BEGIN IMMEDIATE"); err != nil {
		return safe("apply", err)
	}
	steps, err := p.left(ctx, conn)
	for _, s := range steps {
		if err = safe("apply: "+s.Why, s.run(ctx, conn)); err != nil {
			break
		}
	}
	if err == nil {
		err = safe("apply", whileBusy(ctx, conn, "COMMIT")) // a rollback journal waits for readers here
	}
	if err != nil {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	}
	return err
}

// whileBusy runs a statement again until no other process is in its way.
func whileBusy(ctx context.Context, conn *sql.Conn, statement string) error {
	for {
		_, err := conn.ExecContext(ctx, statement)
		if !busy(err) {
			return err
		}
		if err := pause(ctx, lockPause); err != nil {
			return err
		}
	}
}
