// Package sqlstore keeps the sessions of [middleware.Login] in a table of
// PostgreSQL, MySQL, MariaDB or SQLite, so that processes share them and a
// restart ends none.
//
//	store, err := sqlstore.New(sqlstore.Config{DB: db, Dialect: sqlstore.PostgreSQL})
//	err = store.Migrate(ctx) // or run the statements below yourself
//	defer store.Close()
//
//	l, err := middleware.NewLogin(client, middleware.LoginConfig{Sessions: store, …})
//
// It imports no driver. The app opens the [database/sql.DB], with any driver for
// database/sql.
//
// # The table
//
// Migrate makes it, and needs the right to. The store itself needs SELECT,
// INSERT, UPDATE and DELETE. PostgreSQL:
//
//	CREATE TABLE IF NOT EXISTS sso_sessions (
//		session_key  varchar(64) COLLATE "C" PRIMARY KEY,
//		subject      varchar(255) COLLATE "C" NOT NULL,
//		version      bigint NOT NULL,
//		expires_at   bigint NOT NULL,
//		data         bytea NOT NULL,
//		lock_holder  varchar(64) COLLATE "C" NOT NULL DEFAULT '',
//		locked_until bigint NOT NULL DEFAULT 0
//	);
//	CREATE INDEX IF NOT EXISTS sso_sessions_subject ON sso_sessions (subject);
//	CREATE INDEX IF NOT EXISTS sso_sessions_expires_at ON sso_sessions (expires_at);
//
// MySQL and MariaDB:
//
//	CREATE TABLE IF NOT EXISTS sso_sessions (
//		session_key  VARBINARY(64) NOT NULL PRIMARY KEY,
//		subject      VARBINARY(255) NOT NULL,
//		version      BIGINT NOT NULL,
//		expires_at   BIGINT NOT NULL,
//		data         MEDIUMBLOB NOT NULL,
//		lock_holder  VARBINARY(64) NOT NULL DEFAULT '',
//		locked_until BIGINT NOT NULL DEFAULT 0,
//		KEY sso_sessions_subject (subject),
//		KEY sso_sessions_expires_at (expires_at)
//	) ENGINE=InnoDB;
//
// SQLite:
//
//	CREATE TABLE IF NOT EXISTS sso_sessions (
//		session_key  TEXT NOT NULL PRIMARY KEY,
//		subject      TEXT NOT NULL,
//		version      INTEGER NOT NULL,
//		expires_at   INTEGER NOT NULL,
//		data         BLOB NOT NULL,
//		lock_holder  TEXT NOT NULL DEFAULT '',
//		locked_until INTEGER NOT NULL DEFAULT 0
//	);
//	CREATE INDEX IF NOT EXISTS sso_sessions_subject ON sso_sessions (subject);
//	CREATE INDEX IF NOT EXISTS sso_sessions_expires_at ON sso_sessions (expires_at);
//
// Nothing in the table can be used to sign in: session_key is a hash and data
// is encrypted. subject is the user's sub at Cognito. Several apps may share the
// table; signing out everywhere then ends the sessions of all of them.
//
// # Settings that matter
//
// The database must be the one that is written to: a replica that lags would
// show a session that was signed out. SQLite needs a busy_timeout in its DSN
// (with modernc.org/sqlite "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"),
// and MySQL a max_allowed_packet above 64 KiB (its default is). Give the DB a
// SetConnMaxLifetime of some minutes, so that connections move on after a
// failover. A database that answers before it has written (PostgreSQL's
// synchronous_commit=off, asynchronous replication with failover) can lose what
// it acknowledged: see "What a lost write does".
//
// # Time
//
// Sessions and leases end by the database's clock, for it is the one clock that
// all processes share; for SQLite that is the machine's. Login's own limits, by
// its own clock, are inside the encrypted data and hold whatever this one says.
// Expired rows are never returned; they are deleted in the background
// (Config.CleanEvery) or by [Store.Clean].
//
// # Errors
//
// Errors hold no value of a row, and no text of the driver's, which may quote
// one; errors.As finds the driver's own error. A statement that the database
// undid for another one (serialization failure, deadlock) is run again, and one
// whose connection broke as well if it may be run twice.
//
// # What a lost write does
//
// A session whose deletion is lost in a failover is there again, until it
// expires: signed out, and signed in after all for whoever has the cookie. Its
// refresh token was revoked at Cognito, so it ends with its ID token, after an
// hour at most by Cognito's default. A lost update that held new tokens ends
// the session where the pool rotates refresh tokens; the person signs in again.
package sqlstore
