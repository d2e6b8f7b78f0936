package sqlstore

import (
	"strconv"
	"strings"
)

// Dialect is the SQL that a database speaks. There is no default.
type Dialect int

// The dialects. MySQL is that of MariaDB too.
const (
	PostgreSQL Dialect = iota + 1
	MySQL
	SQLite
)

// String returns the name, such as "PostgreSQL".
func (d Dialect) String() string {
	switch d {
	case PostgreSQL:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	case SQLite:
		return "SQLite"
	}
	return "Dialect(" + strconv.Itoa(int(d)) + ")"
}

// now is the database's time in Unix milliseconds, whatever the time zone of
// the session.
func (d Dialect) now() string {
	switch d {
	case PostgreSQL:
		return "(extract(epoch FROM statement_timestamp()) * 1000)::bigint"
	case MySQL:
		return "(timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(6)) DIV 1000)"
	default:
		return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
	}
}

// quote quotes a name that validTable let through.
func (d Dialect) quote(name string) string {
	mark := `"`
	if d == MySQL {
		mark = "`"
	}
	return mark + strings.ReplaceAll(name, ".", mark+"."+mark) + mark
}

// bind numbers the parameters where the database wants that. No statement here
// has a question mark that is anything else.
func (d Dialect) bind(query string) string {
	if d != PostgreSQL {
		return query
	}
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(query, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
		n++
	}
	return b.String()
}
