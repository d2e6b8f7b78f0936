package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// Ensure implements [users.Store]. A provider without a column in
// [Config.Providers] is told apart by the sub alone.
func (s *Store) Ensure(ctx context.Context, id users.Identity) (users.Result, error) {
	if err := id.Validate(); err != nil {
		return users.Result{}, err
	}
	// A column of numbers would take "042" for 42, who is somebody else.
	if s.numeric[s.cfg.Providers[id.Provider]] && !canonicalNumber(id.Subject) {
		return users.Result{}, fmt.Errorf("sqlite: ensure: %w: the column of the provider holds numbers", users.ErrInvalid)
	}
	var res users.Result
	err := s.inTx(ctx, "ensure", func(tx *sql.Tx) (err error) {
		res, err = s.ensure(ctx, tx, id)
		return err
	})
	if err != nil {
		return users.Result{}, err
	}
	return res, nil
}

func canonicalNumber(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == s
}

// match is a row that carries the identity's sub or provider id.
type match struct {
	id       int64
	sub      string
	provider string // the id in the provider's column, "" without one
}

// ensure decides inside a write transaction: nobody else writes meanwhile.
func (s *Store) ensure(ctx context.Context, tx *sql.Tx, id users.Identity) (users.Result, error) {
	column := s.cfg.Providers[id.Provider]
	bySub, err := find(ctx, tx, "cognito_sub", column, id.Sub)
	if err != nil {
		return users.Result{}, err
	}
	if column == "" {
		if bySub != nil {
			return result(bySub.id, users.Existing), nil
		}
		return s.insert(ctx, tx, id, "")
	}
	byProvider, err := find(ctx, tx, column, column, id.Subject)
	if err != nil {
		return users.Result{}, err
	}
	switch {
	case byProvider == nil && bySub == nil:
		return s.insert(ctx, tx, id, column)
	case byProvider == nil && bySub.provider == "":
		// The row was made before the provider was known or configured.
		return update(ctx, tx, bySub.id, column, id.Subject, users.Existing)
	case byProvider == nil:
		return users.Result{}, fmt.Errorf("sqlite: ensure: %w: the row of the sub has another id at the provider", users.ErrConflict)
	case byProvider.sub == id.Sub:
		return result(byProvider.id, users.Existing), nil
	case bySub != nil:
		return users.Result{}, fmt.Errorf("sqlite: ensure: %w: sub and provider id are on two rows", users.ErrConflict)
	case byProvider.sub == "":
		return update(ctx, tx, byProvider.id, "cognito_sub", id.Sub, users.Linked)
	default:
		return update(ctx, tx, byProvider.id, "cognito_sub", id.Sub, users.Moved)
	}
}

// find returns the row whose key column has the value, or nil.
func find(ctx context.Context, tx *sql.Tx, key, column, value string) (*match, error) {
	provider := "''"
	if column != "" {
		provider = text(column)
	}
	// No CAST on the compared side: the column's affinity makes "42" match a
	// stored number 42, and the index serves it.
	row := tx.QueryRowContext(ctx, fmt.Sprintf("SELECT id, %s, %s FROM users WHERE %s = ?",
		text("cognito_sub"), provider, quote(key)), value)
	var m match
	err := row.Scan(&m.id, &m.sub, &m.provider)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &m, nil
}

// text reads a column as text, whatever its type; NULL as "".
func text(column string) string { return "coalesce(CAST(" + quote(column) + " AS TEXT), '')" }

func (s *Store) insert(ctx context.Context, tx *sql.Tx, id users.Identity, column string) (users.Result, error) {
	names, marks := "cognito_sub, email, name, created_at", "?, nullif(?, ''), nullif(?, ''), ?"
	args := []any{id.Sub, id.Email, id.Name, stamp(s.cfg.Now())}
	if column != "" {
		names, marks, args = names+", "+quote(column), marks+", ?", append(args, id.Subject)
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO users ("+names+") VALUES ("+marks+")", args...)
	if err != nil {
		return users.Result{}, err
	}
	n, err := res.LastInsertId()
	return result(n, users.Created), err
}

func update(ctx context.Context, tx *sql.Tx, row int64, column, value string, o users.Outcome) (users.Result, error) {
	_, err := tx.ExecContext(ctx, "UPDATE users SET "+quote(column)+" = ? WHERE id = ?", value, row)
	return result(row, o), err
}

func result(row int64, o users.Outcome) users.Result {
	return users.Result{ID: strconv.FormatInt(row, 10), Outcome: o}
}
