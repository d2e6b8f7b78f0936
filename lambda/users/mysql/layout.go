package mysql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// layout is the table as the store uses it: the configuration and what the
// server says of it, found to fit each other.
type layout struct {
	cfg               table.Config
	table             string // quoted
	id                column
	form              form
	sub               column
	providers         map[string]column
	email, name       *column // nil without one
	login, created    *column
	emailKey, nameKey bool // some unique index counts it in, and a row can do without
}

// layout returns what an earlier call found, or looks for itself. Calls that
// come together each look: that is harmless, and nobody waits for another.
func (s *Store) layout(ctx context.Context, c *link) (*layout, error) {
	if l := s.known.Load(); l != nil {
		return l, nil
	}
	l, err := s.look(ctx, c)
	if err != nil {
		return nil, err
	}
	s.known.Store(l)
	return l, nil
}

// Check looks at the table and returns [users.ErrSchema] with everything that
// is not as configured, one line each; nil if there is nothing. It changes
// nothing. Every other method does the same once, before it does anything
// else, until that has succeeded once in the life of the store; Check looks
// again each time.
func (s *Store) Check(ctx context.Context) error {
	const op = "check"
	if s.closed.Load() {
		return classify(ctx, op, errClosed)
	}
	err := s.login.Retry(ctx, isRefused, func(ctx context.Context) error {
		return again(ctx, func() error {
			return s.once(ctx, func(c *link) error {
				l, err := s.look(ctx, c)
				if err == nil {
					s.known.Store(l)
				}
				return err
			})
		})
	})
	return classify(ctx, op, err)
}

func (s *Store) look(ctx context.Context, c *link) (*layout, error) {
	cfg := s.cfg.Table
	names := []string{cfg.Name}
	if cfg.Moved == table.Adopt {
		names = append(names, cfg.Moves)
	}
	found, err := describe(ctx, c, names...)
	if err != nil {
		return nil, err
	}
	f := &faults{}
	l := f.users(cfg, found[0])
	if cfg.Moved == table.Adopt {
		f.moves(cfg, found[1])
	}
	if err := errors.Join(f.list...); err != nil {
		return nil, fmt.Errorf("%w: %w", users.ErrSchema, err)
	}
	return l, nil
}

// faults collects what is wrong with a table.
type faults struct {
	table string
	list  []error
}

func (f *faults) add(format string, args ...any) {
	f.list = append(f.list, fmt.Errorf("table "+f.table+": "+format, args...))
}

// usable reports whether it makes sense to look at the columns.
func (f *faults) usable(name string, c catalog) bool {
	f.table = name
	switch {
	case !c.exists:
		f.add("there is no such table, or the database user may not see it")
		return false
	case c.kind != "BASE TABLE":
		f.add("is a %s; it must be a table", strings.ToLower(c.kind))
		return false
	case !strings.EqualFold(c.engine, "InnoDB"):
		f.add("its engine is %s, which has no transactions; it must be InnoDB", c.engine)
	}
	return true
}

func (f *faults) users(cfg table.Config, c catalog) *layout {
	if !f.usable(cfg.Name, c) {
		return nil
	}
	l := &layout{cfg: cfg, table: quote(cfg.Name), providers: map[string]column{}}
	f.id(l, c)
	l.sub = f.identifier(c, cfg.Sub, table.SubjectText)
	for _, provider := range cfg.ProviderNames() {
		p := cfg.Providers[provider]
		l.providers[provider] = f.identifier(c, p.Name, p.Type)
	}
	l.email, l.name = f.words(c, cfg.Email), f.words(c, cfg.DisplayName)
	l.login, l.created = f.time(c, cfg.LastLogin), f.time(c, cfg.Created)
	l.emailKey, l.nameKey = spare(c, l.email), spare(c, l.name)
	ours := l.ours()
	f.others(c, ours)
	f.traps(c, ours)
	return l
}

// spare reports that another row may have the value, and that a new row can do
// without one.
func spare(c catalog, col *column) bool {
	return col != nil && c.isUnique(col.name) && col.hasDefault()
}

func (f *faults) column(c catalog, name string) (column, bool) {
	col, ok := c.columns[strings.ToLower(name)]
	switch {
	case !ok:
		f.add("there is no column %s", name)
	case col.computed:
		f.add("column %s is computed, so that it cannot be written", name)
	}
	return col, ok
}

func (f *faults) id(l *layout, c catalog) {
	cfg := l.cfg
	col, ok := f.column(c, cfg.ID)
	if !ok {
		return
	}
	if key := c.primary(); len(key) != 1 || key[0] != strings.ToLower(cfg.ID) {
		f.add("the primary key must be column %s alone", cfg.ID)
	}
	form, ok := idForms[cfg.IDType][col.kind]
	numbered := cfg.IDType == table.BigInt || cfg.IDType == table.Int
	switch {
	case !ok || form == formBytes && col.octets != 16:
		kinds := slices.Sorted(maps.Keys(idForms[cfg.IDType]))
		f.add("column %s is %s, but an id of type %s is kept as %s", cfg.ID, col.full, cfg.IDType, strings.Join(kinds, ", "))
	case form == formText && col.chars < 36:
		f.add("column %s is %s, which is too short for an id: 36 characters are needed", cfg.ID, col.full)
	case numbered && !col.numbered:
		f.add("column %s must be AUTO_INCREMENT", cfg.ID)
	}
	l.id, l.form = col, form
}

// textKinds are the types of text that a whole value of can be unique.
var textKinds = []string{"char", "varchar", "varbinary", "tinytext", "text", "mediumtext", "longtext"}

// identifier is a column that tells people apart.
func (f *faults) identifier(c catalog, name string, kind table.SubjectType) column {
	col, ok := f.column(c, name)
	if !ok {
		return col
	}
	switch {
	case kind == table.SubjectNumber && col.kind != "bigint":
		f.add("column %s is %s; for numbers it must be bigint", name, col.full)
	case kind == table.SubjectText && !slices.Contains(textKinds, col.kind):
		f.add("column %s is %s; it must be text, such as varchar(255)", name, col.full)
	}
	if !col.nullable {
		f.add("column %s must allow NULL", name)
	}
	if col.value.Valid && col.value.String != "NULL" {
		f.add("column %s must have no default", name)
	}
	if !c.unique(name) {
		f.add("column %s needs a unique index on it alone and on all of it", name)
	}
	return col
}

// words is a column with text that identifies nobody.
func (f *faults) words(c catalog, name string) *column {
	if name == table.None {
		return nil
	}
	col, ok := f.column(c, name)
	if ok && !slices.Contains(textKinds, col.kind) {
		f.add("column %s is %s; it must be text, such as varchar(255)", name, col.full)
	}
	return &col
}

func (f *faults) time(c catalog, name string) *column {
	if name == table.None {
		return nil
	}
	col, ok := f.column(c, name)
	if ok && col.kind != "datetime" && col.kind != "timestamp" {
		f.add("column %s is %s; it must be datetime or timestamp, such as datetime(6)", name, col.full)
	}
	return &col
}

// ours are the columns that the store writes into a new row, in lower case.
func (l *layout) ours() map[string]bool {
	ours := map[string]bool{strings.ToLower(l.cfg.ID): true, strings.ToLower(l.cfg.Sub): true}
	for _, p := range l.cfg.Providers {
		ours[strings.ToLower(p.Name)] = true
	}
	for _, name := range []string{l.cfg.Email, l.cfg.DisplayName, l.cfg.Created} {
		ours[strings.ToLower(name)] = true
	}
	return ours
}

// others are the organisation's own columns: a new row must get by without
// values for them.
func (f *faults) others(c catalog, ours map[string]bool) {
	for _, key := range c.order {
		if col := c.columns[key]; !ours[key] && !col.hasDefault() {
			f.add("column %s must have a default or allow NULL, or no row can be added", col.name)
		}
	}
}

// traps are unique indexes that one new row fits and the second does not.
func (f *faults) traps(c catalog, ours map[string]bool) {
	for _, u := range c.uniques {
		stuck := len(u.columns) > 0
		for _, key := range u.columns {
			stuck = stuck && key != "" && !ours[key] && c.fixed(c.columns[key])
		}
		if stuck {
			f.add("unique index %s is on columns whose default is a value, not NULL, so that only one row can be added", u.name)
		}
	}
}

func (f *faults) moves(cfg table.Config, c catalog) {
	if !f.usable(cfg.Moves, c) {
		return
	}
	written := map[string]bool{}
	for _, name := range []string{table.MovesUser, table.MovesProvider, table.MovesFrom, table.MovesTo} {
		written[name] = true
		if col, ok := f.column(c, name); ok && !slices.Contains(textKinds, col.kind) {
			f.add("column %s is %s; it must be varchar(255)", name, col.full)
		} else if ok && col.chars < users.MaxIDLength {
			f.add("column %s is %s, which is shorter than %d characters", name, col.full, users.MaxIDLength)
		}
	}
	written[table.MovesAt] = true
	f.time(c, table.MovesAt)
	f.others(c, written)
}
