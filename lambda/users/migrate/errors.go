package migrate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

var (
	// ErrNoTable: the user table does not exist. [Up] makes one; a wrong name
	// is the other reason. It comes wrapped in a [RefusedError].
	ErrNoTable = errors.New("migrate: there is no such table")
	// ErrTableExists is returned by [Up] for a table that somebody else made
	// and that lacks something. Nothing was changed; make a [Plan].
	ErrTableExists = errors.New("migrate: the table exists already and is not as configured: make a plan for it")
	// ErrChanged is returned by [Plan.Apply] when the table needs something
	// now that the plan does not have: it is another plan, to be read again.
	// Nothing was changed.
	ErrChanged = errors.New("migrate: the table has changed since the plan was made")
)

// RefusedError is returned by [NewPlan] for a table that cannot be completed
// without changing what is there. It matches users.ErrSchema, ErrNoTable if
// that is the reason, and users.ErrAmbiguous if duplicates are among the
// reasons. Neither it nor its text holds a provider's id, a sub or an email.
type RefusedError struct {
	// Findings are all reasons, each of severity [Blocks].
	Findings []Finding
}

// Error lists every reason on a line of its own.
func (e *RefusedError) Error() string {
	var b strings.Builder
	b.WriteString("migrate: the table cannot be used as it is:")
	for _, f := range e.Findings {
		b.WriteString("\n  ")
		b.WriteString(f.String())
	}
	return b.String()
}

// Is implements the matching that errors.Is asks for.
func (e *RefusedError) Is(target error) bool {
	switch target {
	case users.ErrSchema:
		return true
	case ErrNoTable:
		return e.has(NoTable)
	case users.ErrAmbiguous:
		return e.has(DuplicateValues)
	}
	return false
}

func (e *RefusedError) has(code Code) bool {
	for _, f := range e.Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// safe wraps what a driver said, unless that quotes a row: MySQL's message of
// a duplicate does.
func safe(doing string, err error) error {
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "Duplicate entry") {
		return fmt.Errorf("migrate: %s: %w: a value came twice meanwhile", doing, users.ErrAmbiguous)
	}
	return fmt.Errorf("migrate: %s: %w", doing, err)
}
