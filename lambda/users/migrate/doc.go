// Package migrate makes and completes the user table, and says beforehand what
// linking will do to it. It is for the platform engineer's hands (ssoctl
// migrate, ssoctl import-check) and for tests; the stores do not need it at
// run time, except SQLite's, which completes its own file.
//
// Who has no table:
//
//	err := migrate.Up(ctx, db, migrate.Postgres, table.Config{})
//
// Who has one looks first, then reads the plan, then applies it:
//
//	report, err := migrate.Inspect(ctx, db, migrate.Postgres, cfg, migrate.Options{})
//	plan, err := migrate.NewPlan(ctx, db, migrate.Postgres, cfg, migrate.Options{})
//	fmt.Print(plan)
//	err = plan.Apply(ctx, db)
//
// db comes from the caller's driver, as a role that may create tables and owns
// the user table; the stores' own role needs none of that. [Up] and
// [Plan.Apply] may run in several processes at once.
//
// # What a plan does, and does not
//
// It adds columns that may be NULL, one unique index for the sub and for each
// provider, and the table of moves. It never changes or drops a column, an
// index or a row; the one exception is an invalid index of its own name that a
// failed try left on PostgreSQL. Where that is not enough it refuses, with all
// reasons at once: [RefusedError].
//
// On PostgreSQL indexes are made CONCURRENTLY, on MySQL and MariaDB with LOCK =
// NONE, so sign-ins and other programs go on. Statements that need the whole
// table for a moment give up after 5 seconds of waiting; apply the plan again.
//
// New columns for text at MySQL and MariaDB are utf8mb4 with a binary
// collation that does not ignore blanks at the end (utf8mb4_0900_bin,
// utf8mb4_nopad_bin), so that no two subs are taken for one.
//
// # Privacy
//
// Reports, plans and errors hold counts, names of columns and, on request,
// primary keys; never an id at a provider, a sub, a name or an email.
//
// # Compatibility
//
// PostgreSQL 12, MySQL 8.0.17, MariaDB 10.5, SQLite 3.35, or later.
// CHECK and exclusion constraints are not looked at: try an insert on a copy.
package migrate
