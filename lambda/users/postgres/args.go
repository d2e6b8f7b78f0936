package postgres

import (
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// args are the parameters of a statement, all in text form.
type args struct {
	values [][]byte
	types  []uint32
}

// typed adds a parameter and returns its placeholder.
func (a *args) typed(value string, oid uint32) string {
	a.values, a.types = append(a.values, []byte(value)), append(a.types, oid)
	return "$" + strconv.Itoa(len(a.values))
}

func (a *args) text(value string) string { return a.typed(value, pgtype.TextOID) }

// like adds a parameter that gets the type of the column it is compared with.
// So the comparison is the column's own, and its index serves it: a text
// parameter would turn a column of char or citext into text, row by row.
func (a *args) like(value string) string { return a.typed(value, 0) }

// array writes texts as PostgreSQL reads an array.
func array(texts []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, text := range texts {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(arrayEscapes.Replace(text))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

var arrayEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// quote makes an identifier of a validated name.
func quote(name string) string { return table.Quote(`"`, name) }
