// Package mysql keeps the user table in MySQL 8.0.19 or later, or MariaDB 10.6
// or later, on InnoDB.
//
//	store, err := mysql.Open(ctx, mysql.Config{
//		Conn:  dbconn.Config{Host: "…rds.amazonaws.com", Database: "school", User: "sso", Password: source},
//		Table: table.Config{Name: "members", ID: "no"},
//	})
//	if err != nil { … }
//	defer store.Close()
//
// The user of the database needs SELECT, INSERT and UPDATE on the table, and
// INSERT on the table of moves (which it must see with all its columns).
//
// # The table
//
// The first call looks at the table, in one more round trip, and refuses one
// that is not as configured with [users.ErrSchema]; [Store.Check] does so on
// its own and says everything at once. Nothing is changed: package migrate
// adds what is missing. Refused is also a unique index that would let one new
// row in and no second one, and a required column without a default.
//
//	Config.ID         bigint or int AUTO_INCREMENT (unsigned too, up to 2⁶³-1); for
//	                  table.UUID MariaDB's UUID, char(36), varchar(36), or binary(16)
//	                  with the first byte first; for table.Text char, varchar or
//	                  varbinary of 36 or more
//	Config.Sub        varchar, char, text or varbinary, NULL allowed, unique
//	Config.Providers  the same, or bigint for table.SubjectNumber
//	times             datetime or timestamp, best with (6); always in UTC
//
// # Who is who
//
// Two ids are the same if their bytes in UTF-8 are. The collation of a column
// may think otherwise ("abc" and "ABC", "abc" and "abc "): then its unique index
// has room for one of the two only, and the other person gets
// [users.ErrConflict], never the first one's row. Cognito's subs are lower-case
// UUIDs, so that happens to nobody. utf8mb4_0900_bin (MySQL), utf8mb4_nopad_bin
// (MariaDB) and varbinary tell all texts apart, and are a little faster.
//
// An id that a column would cut off, trim or convert is [users.ErrInvalid]. An
// email or name that it cannot hold, or that another row has in a unique
// index, is left out of the new row, or is [users.ErrConflict] where the column
// is required: it never identifies anybody.
//
// # Round trips
//
// With numbered ids Ensure is one INSERT … SELECT … ON DUPLICATE KEY UPDATE for
// who is there, is linked, or is new; who is there costs no write and no
// number. With ids of text it is one SELECT for who is there, and one statement
// more for the others. Everything else (a move, a conflict, a provider that
// joins a row) is a transaction that locks what it finds.
//
// RecordSignIns is one UPDATE for a batch, and one SELECT more if not every row
// moved forward. Deadlocks, and connections that break or were broken by a
// freeze, are tried again within the context, since every operation may run
// twice.
//
// # Sessions
//
// Each session gets a strict sql_mode, UTC, utf8mb4, autocommit and READ
// COMMITTED, whatever the server's defaults are. READ COMMITTED needs
// binlog_format ROW or MIXED, which are the defaults. Values are interpolated
// by the driver, which is safe since the session's own character set and
// sql_mode leave one reading of a quote.
//
// When a context ends, the connection is dropped, but the server may work on at
// the statement for a while: at most Conn.StatementTimeout on MariaDB
// (max_statement_time). MySQL has such a bound for SELECT only
// (max_execution_time); a write there waits for locks no longer than that time,
// in whole seconds.
//
// # MySQL
//
// All tests run on MariaDB. The statements keep to what MySQL 8's manual
// describes too (VALUES() and row aliases are not used, RETURNING is not), but
// were never run there: the Ensure statement, with LAST_INSERT_ID(expr) in its
// WHERE and its ON DUPLICATE KEY UPDATE; JSON_TABLE joined in an UPDATE; the
// query of the information schema; and the /*!80000 */ part of the session's
// settings. Try one sign-up of each kind (new, linked, moved) on a staging copy
// before you rely on it.
package mysql
