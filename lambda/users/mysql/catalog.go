package mysql

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// catalog is what the server says about one table.
type catalog struct {
	exists  bool
	kind    string // "BASE TABLE", "VIEW", …
	engine  string
	mariaDB bool
	columns map[string]column // by name in lower case
	order   []string          // their keys, as the table has them
	uniques []index
}

// column is one column of the organisation's table.
type column struct {
	name, kind, full   string // full is the type with everything: "bigint(20) unsigned"
	nullable           bool
	numbered, computed bool
	value              sql.NullString // the default; not valid if there is none
	moving             bool           // the default is another one each time
	charset, collation string
	chars, octets      int
	precision          int // of a time, in digits
}

// index is a unique index.
type index struct {
	name    string
	columns []string // lower case; "" for an expression
	whole   bool     // no column counts with its first characters only
}

// describe asks for all there is to know about the tables in one statement.
// Everything is compared and returned as bytes: the information schema's
// collations are not the same on all servers.
func describe(ctx context.Context, c *link, names ...string) ([]catalog, error) {
	q := new(query)
	for i, name := range names {
		if i > 0 {
			q.add(" UNION ALL ")
		}
		schema, base := splitName(name)
		where := " WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND (@@lower_case_table_names <> 0 OR CAST(table_name AS BINARY) = ?)"
		n, at := strconv.Itoa(i), []any{schema, base, []byte(base)}
		q.add("SELECT "+n+", 't', "+bytesOf("table_type", "engine", "VERSION()", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL")+
			" FROM information_schema.tables"+where, at...)
		q.add(" UNION ALL SELECT "+n+", 'c', "+bytesOf("column_name", "data_type", "column_type", "is_nullable", "column_default", "extra",
			"character_set_name", "collation_name", "character_maximum_length", "character_octet_length", "datetime_precision")+
			" FROM information_schema.columns"+where, at...)
		q.add(" UNION ALL SELECT "+n+", 'i', "+bytesOf("index_name", "seq_in_index", "column_name", "sub_part", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL")+
			" FROM information_schema.statistics"+where+" AND non_unique = 0", at...)
	}
	rows, err := c.rows(ctx, c, 13, q)
	if err != nil {
		return nil, err
	}
	all := make([]catalog, len(names))
	for _, row := range rows {
		if i, err := strconv.Atoi(row[0].String); err == nil && i < len(all) {
			all[i].read(row[1].String, row[2:])
		}
	}
	return all, nil
}

func bytesOf(expressions ...string) string {
	for i, e := range expressions {
		expressions[i] = "CAST(" + e + " AS BINARY)"
	}
	return strings.Join(expressions, ", ")
}

// splitName returns NULL for the schema of the connection.
func splitName(name string) (schema any, base string) {
	if s, b, ok := strings.Cut(name, "."); ok {
		return s, b
	}
	return nil, name
}

func (c *catalog) read(what string, row []sql.NullString) {
	switch what {
	case "t":
		c.exists, c.kind, c.engine = true, row[0].String, row[1].String
		c.mariaDB = strings.Contains(row[2].String, "MariaDB")
	case "c":
		c.readColumn(row)
	case "i":
		c.readIndex(row[0].String, strings.ToLower(row[2].String), !row[3].Valid)
	}
}

func (c *catalog) readColumn(row []sql.NullString) {
	extra := strings.ToUpper(row[5].String)
	col := column{
		name: row[0].String, kind: strings.ToLower(row[1].String), full: strings.ToLower(row[2].String),
		nullable: row[3].String == "YES", value: row[4],
		numbered: strings.Contains(extra, "AUTO_INCREMENT"),
		// MySQL says DEFAULT_GENERATED of DEFAULT (uuid()).
		moving:  strings.Contains(extra, "DEFAULT_GENERATED"),
		charset: row[6].String, collation: row[7].String,
		chars: atoi(row[8].String), octets: atoi(row[9].String), precision: atoi(row[10].String),
	}
	col.computed = strings.Contains(strings.ReplaceAll(extra, "DEFAULT_GENERATED", ""), "GENERATED")
	if c.columns == nil {
		c.columns = map[string]column{}
	}
	key := strings.ToLower(col.name) // the server folds the case of columns
	c.columns[key], c.order = col, append(c.order, key)
}

// readIndex gets the columns of an index in any order: none is needed.
func (c *catalog) readIndex(name, column string, whole bool) {
	for i := range c.uniques {
		if u := &c.uniques[i]; u.name == name {
			u.columns, u.whole = append(u.columns, column), u.whole && whole
			return
		}
	}
	c.uniques = append(c.uniques, index{name, []string{column}, whole})
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil { // LONGTEXT is longer than an int on small machines
		return 0
	}
	return n
}

// fixed reports a default that is the same for every new row. MariaDB writes
// texts in quotes, and so tells them from expressions; MySQL says which are
// expressions.
func (c catalog) fixed(col column) bool {
	if !col.value.Valid || col.moving || col.computed || col.numbered {
		return false
	}
	v := col.value.String
	if c.mariaDB {
		return v != "NULL" && v != "" && (strings.ContainsAny(v[:1], "'-0123456789"))
	}
	return !strings.HasPrefix(strings.ToUpper(v), "CURRENT_TIMESTAMP")
}

// hasDefault reports that a row can be made without a value for the column.
func (col column) hasDefault() bool {
	return col.nullable || col.value.Valid || col.moving || col.numbered || col.computed
}

// unique reports an index on the column alone and on the whole of it.
func (c catalog) unique(name string) bool {
	for _, u := range c.uniques {
		if u.whole && len(u.columns) == 1 && u.columns[0] == strings.ToLower(name) {
			return true
		}
	}
	return false
}

// primary is the columns of the primary key.
func (c catalog) primary() []string {
	for _, u := range c.uniques {
		if u.name == "PRIMARY" {
			return u.columns
		}
	}
	return nil
}

// isUnique reports that some unique index counts the column in.
func (c catalog) isUnique(name string) bool {
	for _, u := range c.uniques {
		for _, col := range u.columns {
			if col == strings.ToLower(name) {
				return true
			}
		}
	}
	return false
}

func quote(name string) string { return table.Quote("`", name) }
