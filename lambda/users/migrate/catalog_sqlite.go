package migrate

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

func describeSQLite(ctx context.Context, q querier, name string) (catalog, error) {
	var c catalog
	schema, rest := split(name)
	if schema == "" {
		schema = "main"
	}
	master := SQLite.quoteAny(schema) + ".sqlite_master"
	var kind, made string
	err := q.QueryRowContext(ctx, "SELECT type, coalesce(sql, '') FROM "+master+
		" WHERE type IN ('table', 'view') AND lower(name) = lower(?)", rest).Scan(&kind, &made)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.exists = true
	if kind != "table" || strings.HasPrefix(strings.ToUpper(made), "CREATE VIRTUAL") {
		c.problem = "it is a view or a virtual table"
	}
	if err := c.sqliteIndexes(ctx, q, schema, rest); err != nil {
		return c, err
	}
	if err := c.sqliteColumns(ctx, q, schema, rest); err != nil {
		return c, err
	}
	if c.triggers, err = strs(ctx, q, "SELECT name FROM "+master+
		" WHERE type = 'trigger' AND lower(tbl_name) = lower(?) ORDER BY 1", rest); err != nil {
		return c, err
	}
	c.taken, err = strs(ctx, q, "SELECT name FROM "+master)
	return c, err
}

func (c *catalog) sqliteColumns(ctx context.Context, q querier, schema, name string) error {
	// A key that SQLite numbers is the row's own number and needs no index.
	indexed := false
	for _, i := range c.indexes {
		indexed = indexed || i.primary
	}
	return each(ctx, q, func(r *sql.Rows) error {
		var col column
		var hidden int
		err := r.Scan(&col.name, &col.typ, &col.notNull, &col.hasDefault, &col.key, &hidden)
		col.generated = hidden > 1
		col.numbered = col.key && !indexed && col.typ == "integer"
		col.hasDefault = col.hasDefault || col.numbered
		c.columns = append(c.columns, col)
		return err
	}, `SELECT name, lower(trim(type)), "notnull" <> 0, upper(coalesce(dflt_value, 'NULL')) <> 'NULL', pk > 0, hidden
		FROM pragma_table_xinfo(?, ?) WHERE hidden <> 1 ORDER BY cid`, name, schema)
}

func (c *catalog) sqliteIndexes(ctx context.Context, q querier, schema, name string) error {
	return each(ctx, q, func(r *sql.Rows) error {
		var i index
		var columns string
		var partial, binary bool
		err := r.Scan(&i.name, &i.unique, &i.primary, &partial, &columns, &binary)
		i.columns, i.valid, i.usable = strings.Split(columns, "\x1f"), true, !partial && binary
		c.indexes = append(c.indexes, i)
		return err
	}, `SELECT l.name, l."unique" <> 0, l.origin = 'pk', l.partial <> 0,
		(SELECT group_concat(coalesce(x.name, ''), char(31)) FROM pragma_index_xinfo(l.name, ?2) AS x WHERE x.key = 1),
		(SELECT min(x.coll = 'BINARY') FROM pragma_index_xinfo(l.name, ?2) AS x WHERE x.key = 1)
		FROM pragma_index_list(?1, ?2) AS l ORDER BY l.name`, name, schema)
}

// affinity is how SQLite treats a declared type
// (https://sqlite.org/datatype3.html#determination_of_column_affinity).
func affinity(declared string) string {
	for _, rule := range []struct{ has, affinity string }{
		{"int", "integer"}, {"char", "text"}, {"clob", "text"}, {"text", "text"},
		{"blob", "blob"}, {"real", "real"}, {"floa", "real"}, {"doub", "real"}, //nolint:misspell // as SQLite has it
	} {
		if strings.Contains(declared, rule.has) {
			return rule.affinity
		}
	}
	if declared == "" {
		return "blob"
	}
	return "numeric"
}
