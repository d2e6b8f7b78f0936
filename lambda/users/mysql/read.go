package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// IDBySub implements [users.Store].
func (s *Store) IDBySub(ctx context.Context, sub string) (string, error) {
	var id string
	err := s.do(ctx, "id by sub", func(ctx context.Context, c *link, l *layout) error {
		if sub == "" || !plain(sub) || l.sub.fits(sub) != nil {
			return users.ErrNotFound
		}
		var m matches
		err := s.collect(ctx, c, c, l, l.selectBySub(person{Identity: users.Identity{Sub: sub}}), &m)
		if err == nil && m.bySub == nil {
			err = users.ErrNotFound
		}
		if err == nil {
			id = m.bySub.id
		}
		return err
	})
	return id, err
}

// Get implements [users.Store].
func (s *Store) Get(ctx context.Context, id string) (u users.User, err error) {
	err = s.do(ctx, "get", func(ctx context.Context, c *link, l *layout) error {
		if _, ok := l.form.value(id); !ok || id == "" {
			return users.ErrNotFound
		}
		page, err := s.read(ctx, c, l, l.byID(l.selectUser().add(" WHERE "), id))
		if err == nil && len(page) == 0 {
			err = users.ErrNotFound
		}
		if err == nil {
			u = page[0]
		}
		return err
	})
	return u, err
}

// Page implements [users.Store]. Ids that are text are in the order of the
// column's collation, UUIDs of MariaDB's type in that of the server.
func (s *Store) Page(ctx context.Context, after string, limit int) (page []users.User, err error) {
	const op = "page"
	if limit < 1 || limit > users.MaxPage {
		return nil, fmt.Errorf("mysql: %s: limit %d is not within 1 to %d", op, limit, users.MaxPage)
	}
	err = s.do(ctx, op, func(ctx context.Context, c *link, l *layout) (err error) {
		q := l.selectUser()
		if after != "" {
			param, ok := l.form.value(after)
			if !ok {
				return fmt.Errorf("%w: after is no id", users.ErrInvalid)
			}
			q.add(" WHERE "+l.id.quoted()+" > ?", param)
		}
		page, err = s.read(ctx, c, l, q.add(" ORDER BY "+l.id.quoted()+" LIMIT "+strconv.Itoa(limit)))
		return err
	})
	return page, err
}

// selectUser begins a statement that returns rows as read expects them.
func (l *layout) selectUser() *query {
	selected := []string{l.id.quoted(), l.sub.quoted()}
	for _, col := range []*column{l.email, l.name, l.login, l.created} {
		if col == nil {
			selected = append(selected, "NULL")
		} else {
			selected = append(selected, col.quoted())
		}
	}
	for _, p := range l.cfg.ProviderNames() {
		selected = append(selected, l.providers[p].quoted())
	}
	return newQuery("SELECT " + strings.Join(selected, ", ") + " FROM " + l.table)
}

func (s *Store) read(ctx context.Context, c *link, l *layout, q *query) ([]users.User, error) {
	rows, err := c.rows(ctx, c, 6+len(l.providers), q)
	if err != nil {
		return nil, err
	}
	page := make([]users.User, len(rows))
	for i, r := range rows {
		if page[i], err = l.user(r); err != nil {
			return nil, err
		}
	}
	return page, nil
}

func (l *layout) user(r []sql.NullString) (users.User, error) {
	id, err := l.idText(r[0])
	if err != nil {
		return users.User{}, err
	}
	u := users.User{
		ID: id, Sub: r[1].String, Email: r[2].String, Name: r[3].String,
		LastLogin: parseTime(r[4].String), Created: parseTime(r[5].String), Providers: map[string]string{},
	}
	for i, p := range l.cfg.ProviderNames() {
		if v := r[6+i].String; v != "" {
			u.Providers[p] = v
		}
	}
	return u, nil
}

// parseTime reads what the server writes. What is no time, as the zeros of old
// tables, is none.
func parseTime(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05.999999", s)
	if err != nil {
		return time.Time{}
	}
	return t
}
