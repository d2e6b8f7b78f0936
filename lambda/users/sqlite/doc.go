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
// [Open] makes the table users if there is none, and otherwise adds what is
// missing to the one that is there: nullable columns and unique indexes, never
// more. It refuses, with [ErrSchema], a table whose primary key is not an
// integer named id, and a column that cannot become unique because two rows
// share a value. Other columns are left alone; a new row gets their defaults.
// A table from elsewhere without AUTOINCREMENT gives the id of a deleted last
// row to the next user: do not delete rows there, or recreate the table.
//
//	id             the row's id: the token's userId
//	kakao_id, …    the id at one provider each, see [Config]
//	cognito_sub    the Cognito user's sub
//	email, name    of a row made here, as Cognito had them; never looked up
//	last_login_at  UTC with microseconds, 2026-11-22T06:48:00.000000Z
//	created_at     likewise
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
