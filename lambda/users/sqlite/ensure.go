package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Ensure implements [users.Store]. A provider without a column in the layout is
// told apart by the sub alone.
func (s *Store) Ensure(ctx context.Context, id users.Identity) (users.Result, error) {
	if err := id.Validate(); err != nil {
		return users.Result{}, err
	}
	if err := s.cfg.Table.CheckSubject(id); err != nil {
		return users.Result{}, fmt.Errorf("sqlite: ensure: %w", err)
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

// match is a row that carries the identity's sub or provider id.
type match struct {
	id       string
	sub      string
	provider string // the id in the provider's column, "" without one
}

// ensure decides inside a write transaction: nobody else writes meanwhile.
func (s *Store) ensure(ctx context.Context, tx *sql.Tx, id users.Identity) (users.Result, error) {
	column := s.cfg.Table.Providers[id.Provider].Name
	bySub, err := find(ctx, tx, s.sql.bySub[column], id.Sub)
	if err != nil {
		return users.Result{}, err
	}
	if column == "" {
		if bySub != nil {
			return users.Result{ID: bySub.id, Outcome: users.Existing}, nil
		}
		return s.insert(ctx, tx, id, "")
	}
	byProvider, err := find(ctx, tx, s.sql.find[column], id.Subject)
	if err != nil {
		return users.Result{}, err
	}
	switch {
	case byProvider == nil && bySub == nil:
		return s.insert(ctx, tx, id, column)
	case byProvider == nil && bySub.provider == "":
		// The row was made before the provider was known or configured.
		_, err := tx.ExecContext(ctx, s.sql.set[column], id.Subject, bySub.id)
		return users.Result{ID: bySub.id, Outcome: users.Existing}, err
	case byProvider == nil:
		return users.Result{}, fmt.Errorf("sqlite: ensure: %w: the row of the sub has another id at the provider", users.ErrConflict)
	case byProvider.sub == id.Sub:
		return users.Result{ID: byProvider.id, Outcome: users.Existing}, nil
	case bySub != nil:
		return users.Result{}, fmt.Errorf("sqlite: ensure: %w: sub and provider id are on two rows", users.ErrConflict)
	case byProvider.sub == "":
		return s.take(ctx, tx, byProvider.id, id, users.Linked)
	default:
		return s.move(ctx, tx, *byProvider, id)
	}
}

// find returns the one row of a query by value, or nil.
func find(ctx context.Context, tx *sql.Tx, query, value string) (*match, error) {
	rows, err := tx.QueryContext(ctx, query, value)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found *match
	for rows.Next() {
		if found != nil {
			return nil, fmt.Errorf("sqlite: ensure: %w: a unique index is missing", users.ErrAmbiguous)
		}
		found = &match{}
		if err := rows.Scan(&found.id, &found.sub, &found.provider); err != nil {
			return nil, err
		}
	}
	return found, rows.Err()
}

func (s *Store) insert(ctx context.Context, tx *sql.Tx, id users.Identity, column string) (users.Result, error) {
	c := s.cfg.Table
	var names, marks []string
	var args []any
	put := func(name, mark string, value any) {
		if name != "" && name != table.None {
			names, marks, args = append(names, quote(name)), append(marks, mark), append(args, value)
		}
	}
	if !numbered(c.IDType) {
		put(c.ID, "?", newID(s.cfg.Now()))
	}
	put(c.Sub, "?", id.Sub)
	put(c.Email, "nullif(?, '')", readable(id.Email))
	put(c.DisplayName, "nullif(?, '')", readable(id.Name))
	put(c.Created, "?", stamp(s.cfg.Now()))
	at, recorded := s.signedIn(id)
	if recorded {
		put(c.LastLogin, "?", at)
	}
	put(column, "?", id.Subject)
	var row string
	err := tx.QueryRowContext(ctx, "INSERT INTO "+quote(c.Name)+" ("+strings.Join(names, ", ")+") VALUES ("+
		strings.Join(marks, ", ")+") RETURNING "+text(c.ID), args...).Scan(&row)
	if err != nil {
		return users.Result{}, err
	}
	return users.Result{ID: row, Outcome: users.Created, SignInRecorded: recorded}, s.checkID(row)
}

// signedIn is the time of the sign-in for its column, if there is one to record.
func (s *Store) signedIn(id users.Identity) (at string, ok bool) {
	t, ok := id.SignedIn()
	return stamp(t), ok && s.cfg.Table.LastLogin != table.None
}

// readable is s, or "" for what other programs could not read: an email and a
// name decorate a row, and must not keep anybody out.
func readable(s string) string {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return ""
	}
	return s
}

func numbered(t table.IDType) bool { return t == table.BigInt || t == table.Int }

// checkID refuses an id that the column is configured not to have.
func (s *Store) checkID(id string) error {
	if s.cfg.Table.IDType != table.Int {
		return nil
	}
	if _, err := strconv.ParseInt(id, 10, 32); err != nil {
		return errors.New("sqlite: ensure: the table has no 32-bit id left")
	}
	return nil
}

// take gives the row to the sub, and moves its last login forward.
func (s *Store) take(ctx context.Context, tx *sql.Tx, row string, id users.Identity, o users.Outcome) (users.Result, error) {
	query, args := s.sql.set[s.cfg.Table.Sub], []any{id.Sub, row}
	at, recorded := s.signedIn(id)
	if recorded {
		query, args = s.sql.signIn, []any{id.Sub, row, at}
	}
	_, err := tx.ExecContext(ctx, query, args...)
	return users.Result{ID: row, Outcome: o, SignInRecorded: recorded}, err
}

// move gives the row to another sub, with a record of it, if that is wanted.
func (s *Store) move(ctx context.Context, tx *sql.Tx, row match, id users.Identity) (users.Result, error) {
	if s.cfg.Table.Moved == table.Refuse {
		return users.Result{}, fmt.Errorf("sqlite: ensure: %w", users.ErrMoveRefused)
	}
	if _, err := tx.ExecContext(ctx, s.sql.move, row.id, id.Provider, row.sub, id.Sub, stamp(s.cfg.Now())); err != nil {
		return users.Result{}, err
	}
	return s.take(ctx, tx, row.id, id, users.Moved)
}
