package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// IDBySub implements [users.Store]. In a table without a unique index it may
// return [users.ErrAmbiguous].
func (s *Store) IDBySub(ctx context.Context, sub string) (string, error) {
	const op = "id by sub"
	if (users.Identity{Sub: sub}).Validate() != nil {
		return "", notFound(op)
	}
	a := &args{}
	rows, err := s.query(ctx, fmt.Sprintf("SELECT t.%s::text FROM %s AS t WHERE t.%s = %s AND t.%[3]s::text COLLATE \"C\" = %[5]s LIMIT 2",
		quote(s.table.ID), quote(s.table.Name), quote(s.table.Sub), a.like(sub), a.text(sub)), a)
	switch {
	case err != nil:
		return "", fail(ctx, op, err)
	case len(rows) == 0:
		return "", notFound(op)
	case len(rows) > 1:
		return "", fmt.Errorf("postgres: %s: %w", op, users.ErrAmbiguous)
	}
	return string(rows[0][0]), nil
}

func notFound(op string) error { return fmt.Errorf("postgres: %s: %w", op, users.ErrNotFound) }

// Get implements [users.Store].
func (s *Store) Get(ctx context.Context, id string) (users.User, error) {
	const op = "get"
	a := &args{}
	key, exact := s.key(a, id)
	if !exact { // "007" is nobody's id
		return users.User{}, notFound(op)
	}
	page, err := s.rows(ctx, op, fmt.Sprintf("WHERE t.%s = %s AND t.%[1]s::text COLLATE \"C\" = %[3]s LIMIT 1", quote(s.table.ID), key, a.text(id)), a)
	if err != nil {
		return users.User{}, err
	}
	if len(page) == 0 {
		return users.User{}, notFound(op)
	}
	return page[0], nil
}

// Page implements [users.Store]. An after that cannot be an id is
// [users.ErrInvalid].
func (s *Store) Page(ctx context.Context, after string, limit int) ([]users.User, error) {
	const op = "page"
	if limit < 1 || limit > users.MaxPage {
		return nil, fmt.Errorf("postgres: %s: limit %d is not within 1 to %d", op, limit, users.MaxPage)
	}
	a, where := &args{}, ""
	if after != "" {
		key, _ := s.key(a, after)
		if key == "" {
			return nil, fmt.Errorf("postgres: %s: %w: after is no id", op, users.ErrInvalid)
		}
		where = fmt.Sprintf("WHERE t.%s > %s", quote(s.table.ID), key)
	}
	// t. keeps ORDER BY from taking the id's text, which is a column of the result.
	return s.rows(ctx, op, fmt.Sprintf("%s ORDER BY t.%s LIMIT %d", where, quote(s.table.ID), limit), a)
}

// key adds an id to a and returns its placeholder, or "" for what cannot be an
// id. exact says that it is written as the store writes it.
func (s *Store) key(a *args, id string) (placeholder string, exact bool) {
	switch s.table.IDType {
	case table.UUID:
		u, err := uuid.Parse(id)
		if err != nil {
			return "", false
		}
		return a.typed(u.String(), pgtype.UUIDOID), u.String() == id
	case table.Text:
		if id == "" || !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
			return "", false
		}
		return a.like(id), true
	case table.BigInt, table.Int:
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return "", false
	}
	return a.typed(strconv.FormatInt(n, 10), pgtype.Int8OID), strconv.FormatInt(n, 10) == id
}

func (s *Store) rows(ctx context.Context, op, where string, a *args) ([]users.User, error) {
	rows, err := s.query(ctx, "SELECT "+s.selected()+" FROM "+quote(s.table.Name)+" AS t "+where, a)
	if err != nil {
		return nil, fail(ctx, op, err)
	}
	page := make([]users.User, 0, len(rows))
	for _, row := range rows {
		page = append(page, s.user(row))
	}
	return page, nil
}

// selected are the columns of users.User as text, in the order that user reads.
func (s *Store) selected() string {
	columns := []string{"t." + quote(s.table.ID) + "::text"}
	for _, c := range []string{s.table.Sub, s.table.Email, s.table.DisplayName} {
		columns = append(columns, orNone(c, "t.%s::text"))
	}
	for _, c := range []string{s.table.LastLogin, s.table.Created} {
		// Microseconds since 1970 depend on no setting of the session. What is
		// not finite is no time.
		columns = append(columns, orNone(c, "CASE WHEN isfinite(t.%[1]s) THEN round(extract(epoch FROM t.%[1]s) * 1000000)::bigint END"))
	}
	for _, p := range s.table.ProviderNames() {
		columns = append(columns, orNone(s.table.Providers[p].Name, "t.%s::text"))
	}
	return strings.Join(columns, ", ")
}

func orNone(column, format string) string {
	if column == table.None {
		return "NULL"
	}
	return fmt.Sprintf(format, quote(column))
}

func (s *Store) user(row [][]byte) users.User {
	u := users.User{
		ID: string(row[0]), Sub: string(row[1]), Email: string(row[2]), Name: string(row[3]),
		LastLogin: micros(row[4]), Created: micros(row[5]), Providers: map[string]string{},
	}
	for i, p := range s.table.ProviderNames() {
		if id := string(row[6+i]); id != "" {
			u.Providers[p] = id
		}
	}
	return u
}

func micros(text []byte) time.Time {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil { // NULL
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
