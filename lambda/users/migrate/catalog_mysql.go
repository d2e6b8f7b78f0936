package migrate

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// mysqlTable finds the table as the server would: names tell case apart, or
// not, by a setting of the server.
func mysqlTable(schema, name string) string {
	return " " + schema + " = coalesce(nullif(?, ''), database()) AND if(@@lower_case_table_names = 0, binary " +
		name + " = ?, lower(" + name + ") = lower(?)) "
}

var whereMySQL = mysqlTable("table_schema", "table_name")

func describeMySQL(ctx context.Context, q querier, name string) (catalog, error) {
	var c catalog
	schema, rest := split(name)
	at := []any{schema, rest, rest}
	var kind, engine, format, version string
	err := q.QueryRowContext(ctx, `SELECT table_type, coalesce(engine, ''), coalesce(row_format, ''), version()
		FROM information_schema.tables WHERE`+whereMySQL, at...).Scan(&kind, &engine, &format, &version)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.exists, c.mariadb = true, strings.Contains(strings.ToLower(version), "mariadb")
	c.short = strings.EqualFold(format, "compact") || strings.EqualFold(format, "redundant")
	switch {
	case kind != "BASE TABLE":
		c.problem = "it is a view, or no ordinary table"
	case !strings.EqualFold(engine, "InnoDB"):
		c.problem = "its engine is " + engine + ", which has no transactions: it must be InnoDB"
	}
	if err := c.mysqlColumns(ctx, q, at); err != nil {
		return c, err
	}
	if err := c.mysqlIndexes(ctx, q, at); err != nil {
		return c, err
	}
	c.triggers, err = strs(ctx, q, `SELECT trigger_name FROM information_schema.triggers
		WHERE event_manipulation IN ('INSERT', 'UPDATE') AND`+mysqlTable("event_object_schema", "event_object_table")+`ORDER BY 1`, at...)
	return c, err
}

func (c *catalog) mysqlColumns(ctx context.Context, q querier, at []any) error {
	const query = `SELECT column_name, lower(data_type), lower(column_type), coalesce(character_maximum_length, 0), is_nullable = 'NO',
		coalesce(column_default, 'NULL') <> 'NULL', lower(extra), coalesce(collation_name, ''), column_key = 'PRI'
		FROM information_schema.columns WHERE`
	return each(ctx, q, func(r *sql.Rows) error {
		var col column
		var full, extra, collation string
		err := r.Scan(&col.name, &col.typ, &full, &col.length, &col.notNull, &col.hasDefault, &extra, &collation, &col.key)
		if strings.Contains(full, "unsigned") {
			col.typ += " unsigned"
		}
		if strings.HasSuffix(collation, "_ci") || strings.HasSuffix(collation, "_ai") {
			col.inexact = "has the collation " + collation + ", which takes a and A for the same"
		}
		col.generated = strings.Contains(extra, "virtual") || strings.Contains(extra, "stored") || strings.Contains(extra, "persistent")
		col.numbered = strings.Contains(extra, "auto_increment")
		// MySQL 8 says DEFAULT_GENERATED for DEFAULT (uuid()).
		col.hasDefault = col.hasDefault || col.numbered || strings.Contains(extra, "default_generated")
		c.columns = append(c.columns, col)
		return err
	}, query+whereMySQL+"ORDER BY ordinal_position", at...)
}

func (c *catalog) mysqlIndexes(ctx context.Context, q querier, at []any) error {
	const query = `SELECT index_name, non_unique = 0, sub_part IS NULL, coalesce(column_name, '')
		FROM information_schema.statistics WHERE`
	return each(ctx, q, func(r *sql.Rows) error {
		var name, columnName string
		var unique, whole bool
		if err := r.Scan(&name, &unique, &whole, &columnName); err != nil {
			return err
		}
		last := len(c.indexes) - 1
		if last < 0 || c.indexes[last].name != name {
			c.indexes = append(c.indexes, index{name: name, unique: unique, usable: true, valid: true, primary: name == "PRIMARY"})
			c.taken = append(c.taken, name)
			last++
		}
		c.indexes[last].columns = append(c.indexes[last].columns, columnName)
		c.indexes[last].usable = c.indexes[last].usable && whole && columnName != ""
		return nil
	}, query+whereMySQL+"ORDER BY index_name, seq_in_index", at...)
}
