package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
)

type importFlags struct {
	asJSON, strict bool
	rows           int
}

func (c *cli) importCheckCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use: "import-check", Short: "say what linking will do to the table, before go-live", Args: noArguments,
		Long: `Reads the table and says what linking will do to it: how many people will find their old row, and
what stands in the way. It changes nothing and needs no pool. Exit status 1: the table must not go
live like this.
`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.importCheck(cmd.Context(), f) },
	}
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON document")
	cmd.Flags().IntVar(&f.rows, "rows", 0, "list up to `N` primary keys for each finding, at most 1000")
	cmd.Flags().BoolVar(&f.strict, "strict", false, "exit status 1 for warnings too")
	return cmd
}

func (c *cli) importCheck(ctx context.Context, f importFlags) error {
	if f.rows < 0 || f.rows > 1000 {
		return fmt.Errorf("%w: --rows: %d is not within 0 to 1000", errUsage, f.rows)
	}
	e, err := c.environment(false)
	if err != nil {
		return err
	}
	db, dialect, err := openDB(ctx, e.store, false)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	report, err := migrate.Inspect(ctx, db, dialect, e.store.Table, migrate.Options{RowIDs: f.rows})
	if err != nil {
		return err
	}
	if f.asJSON {
		err = c.json(report)
	} else {
		err = c.printImport(report)
	}
	if err != nil {
		return err
	}
	if report.Blocked() || f.strict && has(report.Findings, migrate.Warning) {
		return errDrift
	}
	return nil
}

func has(findings []migrate.Finding, s migrate.Severity) bool {
	for _, f := range findings {
		if f.Severity == s {
			return true
		}
	}
	return false
}

// json prints one document.
func (c *cli) json(v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (c *cli) printImport(r migrate.Report) error {
	_, _ = fmt.Fprintf(c.out, "Table %s (%s): %s\n\n", r.Table, r.Dialect, counted(r.Rows, "row", "rows"))
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "linked already\t%s\n", thousands(r.Linked))
	_, _ = fmt.Fprintf(w, "linked at the first sign-in\t%s\n", thousands(r.Linkable))
	for _, p := range r.Providers {
		_, _ = fmt.Fprintf(w, "with an id at %s (%s)\t%s\n", p.Provider, p.Column, thousands(p.With))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(c.out)
	for _, f := range r.Findings {
		c.printImportFinding(f)
	}
	verdict := "The table can go live."
	switch {
	case r.Blocked():
		verdict = "The table must not go live like this."
	case has(r.Findings, migrate.Warning):
		verdict = "The table can go live; read the warnings first."
	}
	_, err := fmt.Fprintln(c.out, verdict)
	return err
}

func (c *cli) printImportFinding(f migrate.Finding) {
	_, _ = fmt.Fprintf(c.out, "%-7s  %s\n", f.Severity, f.Text)
	if f.Do != "" {
		_, _ = fmt.Fprintf(c.out, "         → %s\n", f.Do)
	}
	if len(f.Rows) > 0 {
		_, _ = fmt.Fprintf(c.out, "         rows %s\n", strings.Join(f.Rows, ", "))
	}
	_, _ = fmt.Fprintln(c.out)
}

type migrateFlags struct{ apply, create, asJSON bool }

func (c *cli) migrateCommand() *cobra.Command {
	var f migrateFlags
	cmd := &cobra.Command{
		Use: "migrate", Short: "show what the table lacks, and add it with --apply", Args: noArguments,
		Long: `Shows as SQL what the table lacks: nullable columns, unique indexes, the table of moves. With --apply
it adds them. It never changes or drops what is there; a table that needs that is refused, with all
reasons. Exit status 1: the table lacks something still.
`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.migrate(cmd.Context(), f) },
	}
	cmd.Flags().BoolVar(&f.apply, "apply", false, "do what the plan says")
	cmd.Flags().BoolVar(&f.create, "create", false, "with --apply: make the table, if there is none")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print the plan as one JSON document")
	return cmd
}

func (c *cli) migrate(ctx context.Context, f migrateFlags) error {
	if f.create && !f.apply {
		return fmt.Errorf("%w: --create makes the table only together with --apply", errUsage)
	}
	e, err := c.environment(false)
	if err != nil {
		return err
	}
	db, dialect, err := openDB(ctx, e.store, f.create)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	plan, err := migrate.NewPlan(ctx, db, dialect, e.store.Table, migrate.Options{})
	if errors.Is(err, migrate.ErrNoTable) && f.create {
		if err := migrate.Up(ctx, db, dialect, e.store.Table); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(c.err, "ssoctl: the table was made")
		plan, err = migrate.NewPlan(ctx, db, dialect, e.store.Table, migrate.Options{})
	}
	if err != nil {
		return c.refusedPlan(err, f.asJSON)
	}
	if f.asJSON {
		err = c.json(plan)
	} else {
		_, err = fmt.Fprint(c.out, plan)
	}
	if err != nil || plan.Empty() {
		return err
	}
	if !f.apply {
		_, _ = fmt.Fprintln(c.err, "ssoctl: nothing was changed; --apply does it")
		return errDrift
	}
	if err := plan.Apply(ctx, db); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(c.err, "ssoctl: done: %s\n", counted(int64(len(plan.Steps)), "step", "steps"))
	return nil
}

// refusedPlan prints why there is no plan, which is an answer and no failure.
func (c *cli) refusedPlan(err error, asJSON bool) error {
	var refused *migrate.RefusedError
	if !errors.As(err, &refused) {
		return err
	}
	if asJSON {
		if err := c.json(map[string]any{"refused": refused.Findings}); err != nil {
			return err
		}
		return errDrift
	}
	_, _ = fmt.Fprintln(c.out, "The table cannot be completed without changing what is there:")
	_, _ = fmt.Fprintln(c.out)
	for _, f := range refused.Findings {
		c.printImportFinding(f)
	}
	if errors.Is(err, migrate.ErrNoTable) {
		_, _ = fmt.Fprintln(c.out, "To make a new table: ssoctl migrate --create --apply")
	}
	return errDrift
}
