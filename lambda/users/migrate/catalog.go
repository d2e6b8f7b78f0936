package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// querier is a *sql.DB, *sql.Conn or *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// catalog is what the database knows of one table.
type catalog struct {
	exists   bool
	problem  string // why it is no table that can be written to in a transaction
	secured  bool   // PostgreSQL's row-level security
	short    bool   // MySQL: a row format whose indexes take 767 bytes only
	mariadb  bool
	columns  []column
	indexes  []index
	triggers []string // of INSERT or UPDATE
	taken    []string // names that a new index cannot have
}

type column struct {
	name       string
	typ        string // the type's own name, lower case: int8, varchar, bigint unsigned
	length     int64  // of text, in characters; 0 is unbounded
	notNull    bool
	hasDefault bool // or is numbered by the database
	numbered   bool // gets another value in each row by itself
	generated  bool
	key        bool // part of the primary key
	// inexact text compares equal to other text: another case, blanks behind.
	inexact string
}

type index struct {
	name     string
	columns  []string // "" is an expression
	unique   bool
	usable   bool // valid, immediate, without condition, prefix or collation of its own
	valid    bool
	building bool
	oneNull  bool // NULLS NOT DISTINCT
	primary  bool
}

func (i index) on(d Dialect, name string) bool {
	return len(i.columns) == 1 && sameName(d, i.columns[0], name)
}

func sameName(d Dialect, a, b string) bool {
	return a == b || d.foldsNames() && strings.EqualFold(a, b)
}

func (c catalog) column(d Dialect, name string) (column, bool) {
	i := slices.IndexFunc(c.columns, func(have column) bool { return sameName(d, have.name, name) })
	if i < 0 {
		return column{}, false
	}
	return c.columns[i], true
}

// unique says whether no two rows can share a value of the column.
func (c catalog) unique(d Dialect, name string) bool {
	return slices.ContainsFunc(c.indexes, func(i index) bool { return i.unique && i.usable && i.on(d, name) })
}

// describe reads the catalog about the table.
func describe(ctx context.Context, q querier, d Dialect, name string) (catalog, error) {
	read := map[Dialect]func(context.Context, querier, string) (catalog, error){
		Postgres: describePostgres, MySQL: describeMySQL, SQLite: describeSQLite,
	}[d]
	c, err := read(ctx, q, name)
	return c, safe("read the catalog", err)
}

// each calls scan for every row of a query.
func each(ctx context.Context, q querier, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// strs reads the only column of a query.
func strs(ctx context.Context, q querier, query string, args ...any) ([]string, error) {
	var out []string
	err := each(ctx, q, func(r *sql.Rows) error {
		var s string
		err := r.Scan(&s)
		out = append(out, s)
		return err
	}, query, args...)
	return out, err
}

// split is the schema of a name, or "", and the rest.
func split(name string) (schema, rest string) {
	if s, r, ok := strings.Cut(name, "."); ok {
		return s, r
	}
	return "", name
}

// layout is a configuration with its defaults, and where it is to be found.
type layout struct {
	table.Config
	d Dialect
}

// keyText reads the primary key as text, as the stores do.
func (c catalog) keyText(l layout) string {
	col, _ := c.column(l.d, l.ID)
	if col.typ != "binary" || l.d != MySQL {
		return l.d.text(l.ID)
	}
	hex := "lower(hex(" + l.d.quote(l.ID) + "))"
	for _, at := range []int{9, 14, 19, 24} {
		hex = fmt.Sprintf("insert(%s, %d, 0, '-')", hex, at)
	}
	return hex
}
