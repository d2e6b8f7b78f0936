package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	driverlib "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// classify turns what the driver says into the errors of package users. The
// driver's texts name columns but never values, so they may be logged.
func classify(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	for _, own := range []error{users.ErrNotFound, users.ErrConflict, users.ErrInvalid, users.ErrUnavailable,
		users.ErrAmbiguous, users.ErrMoveRefused, users.ErrSchema} {
		if errors.Is(err, own) {
			return err
		}
	}
	// The context first: an interrupted statement has an SQLite error of its own.
	if cerr := ctx.Err(); cerr != nil {
		return fmt.Errorf("sqlite: %s: %w: %w", op, users.ErrUnavailable, cerr)
	}
	if unavailable(err) {
		return fmt.Errorf("sqlite: %s: %w: %w", op, users.ErrUnavailable, err)
	}
	if primary(err) == sqlite3.SQLITE_CONSTRAINT {
		return fmt.Errorf("sqlite: %s: %w: %w", op, users.ErrConflict, err)
	}
	return fmt.Errorf("sqlite: %s: %w", op, err)
}

func unavailable(err error) bool {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, errClosed) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true
	}
	switch primary(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_READONLY:
		return true
	}
	return false
}

// busy reports whether another writer is in the way.
func busy(err error) bool {
	code := primary(err)
	return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
}

// primary is SQLite's primary result code of err, or 0.
func primary(err error) int {
	var e *driverlib.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}
