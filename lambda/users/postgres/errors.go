package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// SQLSTATEs that mean something here
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
const (
	uniqueViolation   = "23505"
	exclusion         = "23P01"
	checkViolation    = "23514"
	serialization     = "40001"
	deadlock          = "40P01"
	tooLong           = "22001"
	untranslatable    = "22P05"
	tooLarge          = "54000" // for an index
	readOnly          = "25006" // a writer that became a reader
	notPossible       = "55000" // as an arbiter that is deferrable
	raised            = "P0001" // by a trigger of the organisation
	wrongPassword     = "28P01"
	wrongLogin        = "28000"
	adminShutdown     = "57P01"
	crashShutdown     = "57P02"
	idleSession       = "57P05"
	idleInTransaction = "25P03"
)

// errRace: the row was not any more as it was seen.
var errRace = errors.New("the row changed meanwhile")

// state is the SQLSTATE of err, or "".
func state(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func in(code string, codes ...string) bool { return slices.Contains(codes, code) }

// lostRace reports whether the same statement, run again, may find another
// state of things.
func lostRace(err error) bool {
	return errors.Is(err, errRace) || in(state(err), uniqueViolation, serialization, deadlock)
}

// refusedValue reports whether some value does not fit its column.
func refusedValue(err error) bool {
	return in(state(err), tooLong, untranslatable, checkViolation, tooLarge)
}

// refusedLogin reports whether the server did not take the credentials.
func refusedLogin(err error) bool { return in(state(err), wrongPassword, wrongLogin) }

// died reports whether a connection, not the statement, was at fault.
func died(err error) bool {
	code := state(err)
	return code == "" || code[:2] == "08" || in(code, adminShutdown, crashShutdown, idleSession, idleInTransaction, readOnly)
}

// fail turns what the driver says into the errors of package users.
func fail(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	// The context first: what its end did to the connection is no news.
	if cerr := ctx.Err(); cerr != nil {
		return fmt.Errorf("postgres: %s: %w: %w", op, users.ErrUnavailable, cerr)
	}
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return failState(op, e)
	}
	return fmt.Errorf("postgres: %s: %w: %w", op, users.ErrUnavailable, err)
}

// failBatch is fail for a batch: what some value of it runs into is not a fault
// of the table, and the caller may find out whose value it is.
func failBatch(ctx context.Context, op string, err error) error {
	var e *pgconn.PgError
	if refusedValue(err) && ctx.Err() == nil && errors.As(err, &e) {
		return fmt.Errorf("postgres: %s: %w: %s", op, users.ErrInvalid, describe(e))
	}
	return fail(ctx, op, err)
}

// failState keeps the PgError itself out of the result: its message and detail
// quote values, which are people's.
func failState(op string, e *pgconn.PgError) error {
	if is := sentinel(e.Code); is != nil {
		return fmt.Errorf("postgres: %s: %w: %s", op, is, describe(e))
	}
	return fmt.Errorf("postgres: %s: %s", op, describe(e))
}

// sentinel is the error of package users for an SQLSTATE, by its class. nil is
// for what the organisation's own triggers raise.
func sentinel(code string) error {
	switch {
	case in(code, uniqueViolation, exclusion):
		return users.ErrConflict
	case code == raised:
		return nil
	case in(code, notPossible, tooLarge):
		return users.ErrSchema
	case in(code[:min(2, len(code))], "0A", "22", "23", "2F", "38", "39", "3F", "42", "44", "P0"):
		return users.ErrSchema
	}
	return users.ErrUnavailable
}

// describe names the code and what it is about, and nothing else, but for
// codes whose message has only names out of the configuration.
func describe(e *pgconn.PgError) string {
	text := "SQLSTATE " + e.Code
	if e.ColumnName != "" {
		text += ", column " + e.ColumnName
	}
	if e.ConstraintName != "" {
		text += ", constraint " + e.ConstraintName
	}
	if in(e.Code, "42P01", "42703", "42P10", "42501", "3F000") {
		text += ": " + e.Message
	}
	return text
}
