package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	driverlib "github.com/go-sql-driver/mysql"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

var errClosed = errors.New("mysql: store is closed")

// serverError is an error of the server without its text, which quotes values:
// that of a duplicate key is somebody's id or address.
type serverError struct {
	number uint16
	state  string
}

func (e serverError) Error() string {
	return fmt.Sprintf("server error %d (SQLSTATE %s)", e.number, e.state)
}

// number is the server's error number in err, or 0.
func number(err error) uint16 {
	var own serverError
	if errors.As(err, &own) {
		return own.number
	}
	var e *driverlib.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// What the numbers mean that we decide on; both servers document them.
var (
	// duplicate key
	errorsDuplicate = []uint16{1062, 1586, 1761, 1762}
	// deadlock; row changed since it was read (MariaDB 11.6.2 and later)
	errorsDeadlock = []uint16{1213, 1020}
	// lock wait timeout
	errorsLockWait = []uint16{1205}
	// access denied when signing in
	errorsRefused = []uint16{1045, 1698}
	// no such table, column, database, routine; a value is required or does
	// not fit by type; constraint of the table; no right; read-only view;
	// statement format of the binary log; an id beyond 63 bits
	errorsSchema = []uint16{
		1044, 1048, 1049, 1051, 1054, 1091, 1109, 1142, 1143, 1146, 1193, 1227, 1265, 1267, 1270, 1271, 1288,
		1292, 1305, 1356, 1364, 1370, 1449, 1451, 1452, 1471, 1665, 1690, 1872, 1916, 3140, 3819, 4025, 4038, 4161,
	}
	// out of range, too long, not in the column's character set
	errorsValue = []uint16{1264, 1366, 1406, 1977, 3854, 3988}
	// what an email, a name or one sign-in of a batch can run into: those, and
	// a CHECK
	errorsWords = append([]uint16{3819, 4025}, errorsValue...)
	// too many connections, shutdown, killed, statement timeout, full, …
	errorsUnavailable = []uint16{
		1021, 1030, 1037, 1038, 1040, 1041, 1053, 1077, 1078, 1079, 1081, 1114, 1129, 1152, 1158, 1159, 1160, 1161,
		1184, 1203, 1205, 1213, 1020, 1226, 1290, 1317, 1792, 1836, 1877, 1927, 1969, 2006, 2013, 3024, 3032, 3168, 3169,
	}
)

func is(err error, numbers []uint16) bool { return slices.Contains(numbers, number(err)) }

func isDuplicate(err error) bool { return is(err, errorsDuplicate) }

func isRefused(err error) bool { return is(err, errorsRefused) }

// isDead reports that the connection is gone. What was sent may or may not
// have been done.
func isDead(err error) bool {
	if errors.As(err, new(connectError)) {
		return false
	}
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, driverlib.ErrInvalidConn) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) || is(err, []uint16{1053, 1927})
}

// own are the errors that are made here, ready to be returned.
var own = []error{
	users.ErrNotFound, users.ErrConflict, users.ErrAmbiguous, users.ErrMoveRefused,
	users.ErrInvalid, users.ErrUnavailable, users.ErrSchema,
}

// classify turns what the driver says into the errors of package users.
func classify(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	for _, o := range own {
		if errors.Is(err, o) {
			return fmt.Errorf("mysql: %s: %w", op, err)
		}
	}
	// The context first: the driver has errors of its own for its end.
	if cerr := ctx.Err(); cerr != nil {
		return fmt.Errorf("mysql: %s: %w: %w", op, users.ErrUnavailable, cerr)
	}
	if kind := kindOf(err); kind != nil {
		return fmt.Errorf("mysql: %s: %w: %w", op, kind, scrub(err))
	}
	return fmt.Errorf("mysql: %s: %w", op, scrub(err))
}

// kindOf is the error of package users that err amounts to, or nil.
func kindOf(err error) error {
	switch {
	case isDuplicate(err):
		return users.ErrConflict
	case is(err, errorsSchema):
		return users.ErrSchema
	case is(err, errorsValue):
		return users.ErrInvalid
	case number(err) == 0, is(err, errorsUnavailable), is(err, errorsRefused):
		// Without a number the server has said nothing: it, or the way to it,
		// is broken.
		return users.ErrUnavailable
	}
	return nil
}

// scrub drops the server's text.
func scrub(err error) error {
	var e *driverlib.MySQLError
	if errors.As(err, &e) {
		return serverError{e.Number, string(e.SQLState[:])}
	}
	return err
}
