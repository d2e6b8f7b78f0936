// Package postgres keeps the user table in PostgreSQL 12 or later, as on
// Amazon RDS and Aurora, with or without RDS Proxy.
//
//	store, err := postgres.Open(ctx, postgres.Config{Conn: dbconn.Config{…}})
//	if err != nil { … }
//	defer store.Close()
//
// [Open] connects to nothing, so that a Lambda function starts at once. Call
// [Store.Check] when a function is deployed: it says all that is wrong with
// the table.
//
// # The table
//
// It belongs to the organisation, and [table.Config] says what its columns are
// called. A new row gets the configured columns and the defaults of all
// others. Columns of text may be text, varchar, char or citext: what the
// column takes for equal is looked up through its index, but only what is
// equal to the letter is the same user; anything else is a conflict. A name or
// an email that does not fit its column is left out, since it must not keep
// anybody from signing up. Columns of time may be with or without time zone;
// without one they hold UTC.
//
// # One round trip
//
// Every call is one statement and one round trip, without a prepared
// statement, a transaction block or a change of the session, so RDS Proxy
// need not pin the connection. [Store.Ensure] finds, links, creates or moves a
// row and writes the record of a move in that one statement. It takes no lock
// where the row is as it should be. What other sessions did meanwhile shows as
// a row that is no longer as it was seen, or as a unique index that refuses;
// then the statement runs again, up to a bound. [Store.RecordSignIns] alone has
// a second statement, for who is unknown, if not everybody moved forward.
//
// The statement cannot be planned without unique indexes on the columns of sub
// and provider, so a table that lacks one is refused rather than filled with
// doubles.
//
// # Connections
//
// They are few, made when needed, and looked at when they lay idle, as after a
// freeze. When one turns out to be dead the call runs once more on a new one;
// all calls are idempotent. A call ends with its context, and each statement
// after [dbconn.Config.StatementTimeout], also on the server.
//
// # Errors
//
// They are those of package users. Their texts hold an SQLSTATE and the names
// of columns and constraints, and never what PostgreSQL says of values.
package postgres
