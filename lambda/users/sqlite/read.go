package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
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
	var id int64
	err := s.read.QueryRowContext(ctx, "SELECT id FROM users WHERE cognito_sub = ?", sub).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) || sub == "" {
		return "", fmt.Errorf("sqlite: %s: %w", op, users.ErrNotFound)
	}
	if err != nil {
		return "", classify(ctx, op, err)
	}
	return strconv.FormatInt(id, 10), nil
}

// Get implements [users.Store].
func (s *Store) Get(ctx context.Context, id string) (users.User, error) {
	const op = "get"
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != id { // "007" is nobody's id
		return users.User{}, fmt.Errorf("sqlite: %s: %w", op, users.ErrNotFound)
	}
	page, err := s.rows(ctx, op, "id = ?", n, 1)
	if err != nil {
		return users.User{}, err
	}
	if len(page) == 0 {
		return users.User{}, fmt.Errorf("sqlite: %s: %w", op, users.ErrNotFound)
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
		return s.rows(ctx, op, "id >= ?", math.MinInt64, limit)
	}
	n, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %s: %w: after is no id", op, users.ErrInvalid)
	}
	return s.rows(ctx, op, "id > ?", n, limit)
}

func (s *Store) rows(ctx context.Context, op, where string, arg int64, limit int) ([]users.User, error) {
	if s.closed.Load() {
		return nil, classify(ctx, op, errClosed)
	}
	providers := slices.Sorted(maps.Keys(s.cfg.Providers))
	selected := []string{"id", text("cognito_sub"), text("email"), text("name"), text("last_login_at"), text("created_at")}
	for _, p := range providers {
		selected = append(selected, text(s.cfg.Providers[p]))
	}
	rows, err := s.read.QueryContext(ctx, "SELECT "+strings.Join(selected, ", ")+
		" FROM users WHERE "+where+" ORDER BY id LIMIT ?", arg, limit)
	if err != nil {
		return nil, classify(ctx, op, err)
	}
	defer rows.Close()
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
	var id int64
	var login, created string
	ids := make([]string, len(providers))
	into := []any{&id, &u.Sub, &u.Email, &u.Name, &login, &created}
	for i := range ids {
		into = append(into, &ids[i])
	}
	if err := rows.Scan(into...); err != nil {
		return users.User{}, err
	}
	u.ID, u.LastLogin, u.Created = strconv.FormatInt(id, 10), parse(login), parse(created)
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
