package postgres

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// attempts bound how often Ensure and RecordSignIns run their statement: once,
// and again for each race that was lost.
const attempts = 6

// Ensure implements [users.Store] with one statement. Besides the errors of
// the contract it returns [users.ErrConflict] when another unique index of the
// table refuses the new row; the text names it.
func (s *Store) Ensure(ctx context.Context, id users.Identity) (users.Result, error) {
	const op = "ensure"
	if err := s.usable(id); err != nil {
		return users.Result{}, fmt.Errorf("postgres: %s: %w", op, err)
	}
	e, err := s.newEnsure(id)
	if err != nil {
		return users.Result{}, fail(ctx, op, err)
	}
	for range attempts {
		var rows [][][]byte
		sql, a := e.statement()
		if rows, err = s.query(ctx, sql, a); err == nil {
			if id, v := string(rows[0][1]), verdict(rows[0][0]); id != "" || v.refused() != nil {
				return e.result(v, id, op)
			}
			err = errRace
		}
		if !e.again(err) {
			break
		}
	}
	return users.Result{}, fail(ctx, op, err)
}

func (s *Store) usable(id users.Identity) error {
	if err := id.Validate(); err != nil {
		return err
	}
	return s.table.CheckSubject(id)
}

// ensure is one call of Ensure.
type ensure struct {
	table  table.Config
	column table.ProviderColumn // of the provider; without a Name there is none
	id     users.Identity
	newID  string // of a row to be made, where the store makes ids
	lock   bool   // lock the rows that match before deciding
}

func (s *Store) newEnsure(id users.Identity) (*ensure, error) {
	e := &ensure{table: s.table, column: s.table.Providers[id.Provider], id: id}
	e.id.Email, e.id.Name = storable(id.Email), storable(id.Name)
	if s.table.IDType == table.UUID || s.table.IDType == table.Text {
		made, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		e.newID = made.String()
	}
	return e, nil
}

// storable is text as PostgreSQL can hold it, else "".
func storable(text string) string {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return ""
	}
	return text
}

// again says whether to run the statement once more after err, and prepares it.
func (e *ensure) again(err error) bool {
	// Somebody else was faster. With the rows locked nobody is faster again.
	e.lock = true
	switch {
	case lostRace(err):
		return true
	case refusedValue(err) && (e.id.Email != "" || e.id.Name != ""):
		e.id.Email, e.id.Name = "", "" // what only decorates the row must not cost the sign-up
		return true
	}
	return false
}

// verdict is what the statement decided.
type verdict string

const (
	existing  verdict = "existing"
	completed verdict = "completed" // existing, and got the provider's id
	linked    verdict = "linked"
	created   verdict = "created"
	moved     verdict = "moved"
	refused   verdict = "refused"
	conflict  verdict = "conflict"
	ambiguous verdict = "ambiguous"
	invalid   verdict = "invalid"
)

// refused is the error of a verdict that changed nothing, or nil.
func (v verdict) refused() error {
	switch v {
	case existing, completed, linked, created, moved:
		return nil
	case refused:
		return users.ErrMoveRefused
	case conflict:
		return users.ErrConflict
	case ambiguous:
		return users.ErrAmbiguous
	case invalid:
		return fmt.Errorf("%w: a column does not keep it to the letter", users.ErrInvalid)
	}
	return fmt.Errorf("unknown verdict %q", string(v))
}

func (e *ensure) result(v verdict, id, op string) (users.Result, error) {
	if err := v.refused(); err != nil {
		return users.Result{}, fmt.Errorf("postgres: %s: %w", op, err)
	}
	if v == completed {
		v = existing
	}
	_, recorded := e.signedIn()
	return users.Result{ID: id, Outcome: users.Outcome(v), SignInRecorded: recorded && v != existing}, nil
}
