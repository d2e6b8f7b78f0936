package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

// Errors that mean something is set up wrong. The store's calls return them
// beside those of [middleware.SessionStore].
var (
	// ErrNoTable: the table is not there. Call [Store.Migrate], or run the
	// statements of [Schema].
	ErrNoTable = errors.New("sqlstore: the session table does not exist")
	// ErrRecord: a record that no store has to take: an empty or too long Key
	// or Subject, or more than 64 KiB of Data.
	ErrRecord = errors.New("sqlstore: record out of bounds")
)

// failure is an error of the database without its text, which may quote the
// statement's values. errors.As finds the driver's own.
type failure struct {
	op, what string
	err      error
}

func (f *failure) Error() string { return "sqlstore: " + f.op + ": " + f.what }
func (f *failure) Unwrap() error { return f.err }

// fail turns an error of the driver into one that can be logged. Sentinels stay
// what they are.
func (s *Store) fail(ctx context.Context, op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, middleware.ErrSessionGone), errors.Is(err, middleware.ErrSessionConflict),
		errors.Is(err, middleware.ErrSessionLocked), errors.Is(err, ErrRecord):
		return err
	case ctx.Err() != nil:
		// What its end did to the connection is no news.
		return fmt.Errorf("sqlstore: %s: %w", op, ctx.Err())
	case noTable(err):
		return fmt.Errorf("%w (%s)", ErrNoTable, op)
	case broken(err):
		return &failure{op, "the database cannot be reached", err}
	}
	return &failure{op, "error of the database (" + code(err) + ")", err}
}

// mysqlError is how the texts of go-sql-driver/mysql begin.
var mysqlError = regexp.MustCompile(`^Error (\d{4})\b`)

// code is the SQLSTATE of PostgreSQL's drivers, the number of MySQL's, or the
// result code of SQLite's; none of them is imported here.
func code(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState()
	}
	var result interface{ Code() int }
	if errors.As(err, &result) {
		return fmt.Sprint(result.Code())
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if m := mysqlError.FindStringSubmatch(err.Error()); m != nil {
			return m[1]
		}
	}
	return "no code"
}

func noTable(err error) bool {
	return slices.Contains([]string{"42P01", "1146"}, code(err)) || strings.Contains(err.Error(), "no such table")
}

// lostRace reports whether the database undid the statement for the sake of
// another one, so that it can be run again: a serialization failure, a deadlock,
// and MariaDB's "record has changed".
func lostRace(err error) bool {
	return err != nil && slices.Contains([]string{"40001", "40P01", "1213", "1020"}, code(err))
}

// broken reports whether the connection was at fault, and not the statement.
// Whether that was carried out is unknown.
func broken(err error) bool {
	var network net.Error
	state := code(err)
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) ||
		errors.As(err, &network) || strings.HasPrefix(state, "08") || strings.HasPrefix(state, "57P0") ||
		strings.HasSuffix(err.Error(), "invalid connection") // go-sql-driver/mysql
}
