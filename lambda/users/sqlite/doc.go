// Package sqlite keeps the user table in one SQLite file: for local work, for
// tests, and for a single small server.
//
//	store, err := sqlite.Open(ctx, "users.db", sqlite.Config{})
//	if err != nil { … }
//	defer store.Close()
//
// It needs no C compiler (modernc.org/sqlite).
//
// # The table
//
// [Config.Table] names the table and its columns. [Open] makes the table if
// there is none, and otherwise adds what is missing to the one that is there,
// as lambda/users/migrate does: nullable columns, unique indexes, the table of
// moves, never more. It refuses with users.ErrSchema, and a list of all
// reasons, a table that this does not make usable: another primary key, a
// column of another type, rows that share what must be unique (that is
// users.ErrAmbiguous too). Other columns are left alone; a new row gets their
// defaults.
//
// A key of bigint or int is INTEGER PRIMARY KEY, one of uuid or text is TEXT.
// A table from elsewhere without AUTOINCREMENT gives the id of a deleted last
// row to the next user: do not delete rows there, or recreate the table.
//
// Times are text in UTC with microseconds, 2026-11-22T06:48:00.000000Z, so that
// their order as text is that of time. Emails and names are written to a row
// made here, as Cognito had them, and never looked up.
//
// # Concurrency
//
// Every write is one BEGIN IMMEDIATE transaction: SQLite lets one writer in at
// a time, over all processes, so what a transaction reads stays true until it
// commits. A busy file is waited for until the caller's context ends, at most
// [Config.BusyTimeout].
//
// The default journal (WAL) needs shared memory, so all processes must be on
// one machine. On a network file system such as EFS set [Config.Journal] to
// [JournalDelete] and run one process at a time (reserved concurrency 1):
// SQLite there trusts the file system's locks, and few keep what they promise.
// For more than that, use a database server.
package sqlite
