package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// IDBySub implements [users.Store].
func (s *Store) IDBySub(ctx context.Context, sub string) (string, error) {
	const op = "id by sub"
	if s.closed.Load() {
		return "", classify(ctx, op, errClosed)
	}
	var id string
	err := s.read.QueryRowContext(ctx, s.sql.idBySub, sub).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) || sub == "" {
		return "", fmt.Errorf("sqlite: %s: %w", op, users.ErrNotFound)
	}
	return id, classify(ctx, op, err)
}

// maxTextID is the longest primary key of text, as table.Text says.
const maxTextID = 128

// key is id as the primary key's column has it; ok is false for what cannot be
// one: "007" is nobody's id.
func (s *Store) key(id string) (key any, ok bool) {
	if !numbered(s.cfg.Table.IDType) {
		odd := strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
		return id, id != "" && len(id) <= maxTextID && !odd
	}
	n, err := strconv.ParseInt(id, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == id
}

// Get implements [users.Store].
func (s *Store) Get(ctx context.Context, id string) (users.User, error) {
	const op = "get"
	notFound := fmt.Errorf("sqlite: %s: %w", op, users.ErrNotFound)
	key, ok := s.key(id)
	if !ok {
		return users.User{}, notFound
	}
	page, err := s.rows(ctx, op, " = ?", key, 1)
	if err != nil {
		return users.User{}, err
	}
	if len(page) == 0 {
		return users.User{}, notFound
	}
	return page[0], nil
}

// Page implements [users.Store].
func (s *Store) Page(ctx context.Context, after string, limit int) ([]users.User, error) {
	const op = "page"
	if limit < 1 || limit > users.MaxPage {
		return nil, fmt.Errorf("sqlite: %s: limit %d is not within 1 to %d", op, limit, users.MaxPage)
	}
	if after == "" {
		var first any = math.MinInt64
		if !numbered(s.cfg.Table.IDType) {
			first = ""
		}
		return s.rows(ctx, op, " >= ?", first, limit)
	}
	key, ok := s.key(after)
	if !ok {
		return nil, fmt.Errorf("sqlite: %s: %w: after is no id", op, users.ErrInvalid)
	}
	return s.rows(ctx, op, " > ?", key, limit)
}

// rows are those whose primary key compares so to key, in its order.
func (s *Store) rows(ctx context.Context, op, compare string, key any, limit int) ([]users.User, error) {
	if s.closed.Load() {
		return nil, classify(ctx, op, errClosed)
	}
	id := quote(s.cfg.Table.ID)
	rows, err := s.read.QueryContext(ctx, s.sql.selects+id+compare+" ORDER BY "+id+" LIMIT ?", key, limit)
	if err != nil {
		return nil, classify(ctx, op, err)
	}
	defer rows.Close()
	providers := s.cfg.Table.ProviderNames()
	var page []users.User
	for rows.Next() {
		u, err := scan(rows, providers)
		if err != nil {
			return nil, classify(ctx, op, err)
		}
		page = append(page, u)
	}
	return page, classify(ctx, op, rows.Err())
}

func scan(rows *sql.Rows, providers []string) (users.User, error) {
	var u users.User
	var login, created string
	ids := make([]string, len(providers))
	into := []any{&u.ID, &u.Sub, &u.Email, &u.Name, &login, &created}
	for i := range ids {
		into = append(into, &ids[i])
	}
	if err := rows.Scan(into...); err != nil {
		return users.User{}, err
	}
	u.LastLogin, u.Created = parse(login), parse(created)
	u.Providers = map[string]string{}
	for i, p := range providers {
		if ids[i] != "" {
			u.Providers[p] = ids[i]
		}
	}
	return u, nil
}

// layout is fixed in width, so that the order of the texts is that of time.
const layout = "2006-01-02T15:04:05.000000Z"

func stamp(t time.Time) string { return t.UTC().Format(layout) }

// parse reads a stamp, also one that an older program wrote. What it cannot
// read is no time.
func parse(s string) time.Time {
	for _, l := range []string{layout, time.RFC3339Nano, time.DateTime, "2006-01-02 15:04:05.999999999Z07:00", time.DateOnly} {
		if t, err := time.Parse(l, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
