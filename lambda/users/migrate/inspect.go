package migrate

import (
	"context"
	"database/sql"
	"slices"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Inspect says, before go-live, what linking will do to the table: how many
// rows will be found by their id at a provider, and what stands in the way. It
// reads every row once and groups each identifying column twice, changes
// nothing, and sees one moment of the table.
//
// A table that does not exist or cannot work is a finding, not an error.
func Inspect(ctx context.Context, db *sql.DB, d Dialect, cfg table.Config, o Options) (Report, error) {
	l, err := newLayout(d, cfg, o)
	if err != nil {
		return Report{}, err
	}
	r := Report{Dialect: d, Table: l.Name, Providers: []ProviderCount{}, Findings: []Finding{}}
	err = snapshot(ctx, db, d, func(q querier) error { return r.fill(ctx, q, l, o) })
	return r, safe("inspect", err)
}

func newLayout(d Dialect, cfg table.Config, o Options) (layout, error) {
	if err := d.validate(); err != nil {
		return layout{}, err
	}
	if err := o.validate(); err != nil {
		return layout{}, err
	}
	return layout{cfg.Complete(), d}, cfg.Validate()
}

// snapshot runs fn on one moment of the database, read only.
func snapshot(ctx context.Context, db *sql.DB, d Dialect, fn func(querier) error) error {
	if d == SQLite {
		return snapshotSQLite(ctx, db, fn)
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	return fn(tx)
}

// snapshotSQLite writes BEGIN itself: the driver's may take the write lock.
func snapshotSQLite(ctx context.Context, db *sql.DB, fn func(querier) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") }()
	return fn(conn)
}

func (r *Report) fill(ctx context.Context, q querier, l layout, o Options) error {
	c, err := describe(ctx, q, l.d, l.Name)
	if err != nil {
		return err
	}
	s := compare(l, c)
	_, found, err := moves(ctx, q, l)
	if err != nil {
		return err
	}
	r.Findings = append(append(r.Findings, s.findings...), found...)
	if _, ok := c.column(l.d, l.ID); ok {
		if err := r.rows(ctx, q, s, o); err != nil {
			return err
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return rank(a.Severity) - rank(b.Severity) })
	return nil
}

func rank(s Severity) int { return slices.Index([]Severity{Blocks, Warning, Info}, s) }

func (r *Report) rows(ctx context.Context, q querier, s *structure, o Options) error {
	t := tally{structure: s, options: o, report: r, found: map[[2]string]*Finding{}}
	for _, w := range s.wanted() {
		if _, ok := s.column(s.d, w.name); !ok || !w.unique() {
			continue
		}
		if w.role == roleSub {
			t.sub = true
		} else {
			t.ids = append(t.ids, w)
			r.Providers = append(r.Providers, ProviderCount{Provider: w.provider, Column: w.name})
		}
		if err := r.shared(ctx, q, s, w.name, o); err != nil {
			return err
		}
	}
	err := t.scan(ctx, q)
	r.Findings = append(r.Findings, t.findings()...)
	return err
}

func (r *Report) shared(ctx context.Context, q querier, s *structure, column string, o Options) error {
	f, ok, err := duplicates(ctx, q, s.layout, s.keyText(s.layout), column, o)
	if err != nil {
		return err
	}
	if ok {
		r.Findings = append(r.Findings, f)
	}
	f, ok, err = nearDuplicates(ctx, q, s.layout, column)
	if ok {
		r.Findings = append(r.Findings, f)
	}
	return err
}
