package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/mysql"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/postgres"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
)

const reconcileText = `Lists the pool and reads the table, and reports who is not in step: users without a row, rows whose id
is not in the pool, attributes that differ or belong to somebody else, subs that are gone, and what only
a person can decide. With --apply it repairs. docs/reconcile.md explains every finding.

Interrupted, it keeps its place in a file and says how to go on.
`

// reconcileFlags are the flags of the command.
type reconcileFlags struct {
	apply, asJSON, showSubs, strict, skipGone, noProgress bool
	resume, checkpoint                                    string
	limit                                                 int
	skipYounger                                           time.Duration
	readRate, writeRate                                   float64
}

func (c *cli) reconcileCommand() *cobra.Command {
	var f reconcileFlags
	cmd := &cobra.Command{
		Use: "reconcile", Short: "compare the pool with the table, and repair with --apply", Long: reconcileText, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.reconcile(cmd.Context(), f) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.apply, "apply", false, "repair what is found")
	fs.BoolVar(&f.asJSON, "json", false, "print JSON lines: one object for each finding, and a summary last")
	fs.BoolVar(&f.showSubs, "show-subs", false, "show subs, which are personal data, and attributes of any form")
	fs.BoolVar(&f.strict, "strict", false, "exit status 1 for notices too, such as subs that are gone")
	fs.BoolVar(&f.skipGone, "skip-gone", false, "do not look for subs that are gone: for a table that serves several pools")
	fs.BoolVar(&f.noProgress, "no-progress", false, "no progress bar, on a terminal neither")
	fs.StringVar(&f.resume, "resume", "", "go on from the place in `FILE`, with the same flags and environment")
	fs.StringVar(&f.checkpoint, "checkpoint", "", "`FILE` to keep the place in, \"-\" for none (default ssoctl-POOL.checkpoint in this folder, or that of --resume)")
	fs.IntVar(&f.limit, "limit", 20, "show at most `N` findings of a kind in the table, 0 for all")
	fs.DurationVar(&f.skipYounger, "skip-younger", 10*time.Minute, "leave out users who signed up less than this ago, 0 for none")
	fs.Float64Var(&f.readRate, "read-rate", 10, "lists of users a second; Cognito's quota is 30, shared with live traffic")
	fs.Float64Var(&f.writeRate, "write-rate", 5, "repairs a second; Cognito's quota is 25, shared with live sign-ups")
	return cmd
}

// check refuses values that mean nothing.
func (f reconcileFlags) check() error {
	switch {
	case f.limit < 0:
		return fmt.Errorf("%w: --limit: %d is negative", errUsage, f.limit)
	case f.skipYounger < 0:
		return fmt.Errorf("%w: --skip-younger: %v is negative", errUsage, f.skipYounger)
	case !(f.readRate > 0), !(f.writeRate > 0): // NaN too
		return fmt.Errorf("%w: --read-rate and --write-rate must be above 0", errUsage)
	}
	return nil
}

func (c *cli) reconcile(ctx context.Context, f reconcileFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	e, err := c.environment(true)
	if err != nil {
		return err
	}
	place, err := openPlace(f, e.pool.id)
	if err != nil {
		return err
	}
	table, err := openStore(ctx, e.store)
	if err != nil {
		return storeError(err)
	}
	defer func() { _ = table.Close() }()
	if err := check(ctx, table); err != nil {
		return storeError(err)
	}
	pool, err := openPool(ctx, e.pool)
	if err != nil {
		return err
	}
	cfg := f.config(e, pool, table)
	return c.runReconcile(ctx, cfg, f, e, place)
}

func (f reconcileFlags) config(e environment, pool reconcile.Pool, table users.Store) reconcile.Config {
	cfg := reconcile.Config{
		Pool: pool, Users: table, Providers: e.pool.providers, UserIDAttribute: e.pool.attribute,
		Apply: f.apply, SkipYounger: f.skipYounger, SkipGone: f.skipGone, ReadRate: f.readRate, WriteRate: f.writeRate,
	}
	if f.skipYounger == 0 {
		cfg.SkipYounger = -1
	}
	columns := e.store.Table.Complete().Providers
	for _, name := range cfg.Providers {
		if _, ok := columns[name]; ok {
			cfg.Columns = append(cfg.Columns, name)
		}
	}
	return cfg
}

// check looks at the table once before the pool is asked for anything: it may
// be out of reach, or not as configured.
func check(ctx context.Context, table users.Store) error {
	if s, ok := table.(interface{ Check(context.Context) error }); ok {
		return s.Check(ctx)
	}
	_, err := table.Page(ctx, "", 1)
	return err
}

var (
	_ store = (*postgres.Store)(nil)
	_ store = (*mysql.Store)(nil)
	_ store = (*sqlite.Store)(nil)
)

// storeError tells a table that must be changed from one that is out of reach.
func storeError(err error) error {
	if errors.Is(err, users.ErrSchema) {
		return fmt.Errorf("%w: %w\n(\"ssoctl migrate\" shows what the table lacks)", errUsage, err)
	}
	return err
}

func (c *cli) runReconcile(ctx context.Context, cfg reconcile.Config, f reconcileFlags, e environment, place *place) error {
	bar := newBar(c.err, f.noProgress)
	var o output = &tableOutput{w: c.out, limit: f.limit, subs: f.showSubs}
	if f.asJSON {
		o = &jsonOutput{w: c.out, subs: f.showSubs}
	}
	var broken error // of the output: nobody reads on
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cfg.OnProgress = bar.show
	cfg.OnFinding = func(found reconcile.Finding) {
		if err := o.finding(found); err != nil && broken == nil {
			broken = err
			cancel()
		}
	}
	cfg.Resume, cfg.OnCheckpoint = place.from, place.save
	started := time.Now()
	report, err := reconcile.Run(ctx, cfg)
	bar.clear()
	if errors.Is(err, reconcile.ErrConfig) || errors.Is(err, reconcile.ErrCheckpoint) {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	sum := summary{
		Report: report, applied: f.apply, complete: err == nil, pool: e.pool.id, table: e.store.Table.Complete().Name,
		store: string(e.store.Kind), took: time.Since(started), ok: report.Clean() && (!f.strict || report.Remaining(reconcile.Notice) == 0),
	}
	if broken == nil {
		broken = o.end(sum)
	}
	switch {
	case broken != nil:
		return fmt.Errorf("output: %w", broken)
	case err != nil:
		return c.unfinished(err, place)
	}
	if err := place.done(); err != nil {
		_, _ = fmt.Fprintf(c.err, "ssoctl: warning: %v\n", err)
	}
	if !sum.ok {
		return errDrift
	}
	return nil
}

// unfinished says how to go on.
func (c *cli) unfinished(err error, place *place) error {
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	switch {
	case place.saved:
		return fmt.Errorf("%w\nssoctl: the place is kept: go on with the same flags and --resume %s", err, place.path)
	case place.failed != nil:
		return fmt.Errorf("%w\nssoctl: the place could not be kept: %w", err, place.failed)
	}
	return fmt.Errorf("%w\nssoctl: begin again: it did not get far enough to keep a place", err)
}
