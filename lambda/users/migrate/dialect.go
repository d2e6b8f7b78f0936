package migrate

import (
	"fmt"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Dialect is the kind of database behind a *sql.DB. The driver is the
// caller's: this package imports none.
type Dialect string

const (
	// Postgres is PostgreSQL 12 or later, for example through
	// github.com/jackc/pgx/v5/stdlib.
	Postgres Dialect = "postgres"
	// MySQL is MySQL 8 or MariaDB 10.5, or later; which of them it is asks
	// this package itself.
	MySQL Dialect = "mysql"
	// SQLite is SQLite 3.35 or later.
	SQLite Dialect = "sqlite"
)

func (d Dialect) validate() error {
	switch d {
	case Postgres, MySQL, SQLite:
		return nil
	}
	return fmt.Errorf("migrate: dialect %q is none of postgres, mysql, sqlite", string(d))
}

// quote makes an identifier of a validated name.
func (d Dialect) quote(name string) string {
	if d == MySQL {
		return table.Quote("`", name)
	}
	return table.Quote(`"`, name)
}

// quoteAny makes an identifier of one name as the catalog gave it, which may
// hold anything.
func (d Dialect) quoteAny(name string) string {
	mark := `"`
	if d == MySQL {
		mark = "`"
	}
	return mark + strings.ReplaceAll(name, mark, mark+mark) + mark
}

// text reads a column as text, whatever its type.
func (d Dialect) text(column string) string {
	as := map[Dialect]string{Postgres: "text", MySQL: "char", SQLite: "text"}[d]
	return "CAST(" + d.quoteAny(column) + " AS " + as + ")"
}

// foldsNames says whether column names that differ in case only are one.
func (d Dialect) foldsNames() bool { return d != Postgres }

// maxName is the longest name of an index.
const maxName = 63
