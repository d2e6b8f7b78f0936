package sqlite

import (
	"fmt"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// statements are the store's SQL, made of the layout once.
type statements struct {
	idBySub string
	// find is by column: the row's id, sub and id at the provider. "" is by
	// sub, without a provider.
	find    map[string]string
	bySub   map[string]string // by column of the provider
	set     map[string]string // column → UPDATE of one row
	signIn  string            // UPDATE of one row's sub and last login
	move    string            // "" unless moves are recorded
	selects string            // of a whole row, up to WHERE
	login   string
	unknown string
}

func quote(name string) string { return table.Quote(`"`, name) }

// text reads a column as text, whatever its type; NULL as "".
func text(column string) string { return "coalesce(CAST(" + quote(column) + " AS TEXT), '')" }

// optional is like text for a column that the table may lack.
func optional(column string) string {
	if column == table.None {
		return "''"
	}
	return text(column)
}

func newStatements(c table.Config) statements {
	from := " FROM " + quote(c.Name)
	s := statements{
		idBySub: "SELECT " + text(c.ID) + from + " WHERE " + quote(c.Sub) + " = ?",
		find:    map[string]string{}, bySub: map[string]string{}, set: map[string]string{},
	}
	columns := []string{text(c.ID), text(c.Sub), optional(c.Email), optional(c.DisplayName), optional(c.LastLogin), optional(c.Created)}
	// No CAST on the compared side: the column's affinity makes "42" match a
	// stored number 42, and the index serves it. LIMIT 2: one more than may be.
	match := func(provider, key string) string {
		return fmt.Sprintf("SELECT %s, %s, %s%s WHERE %s = ? LIMIT 2", text(c.ID), text(c.Sub), provider, from, quote(key))
	}
	s.bySub[""] = match("''", c.Sub)
	for _, p := range c.ProviderNames() {
		name := c.Providers[p].Name
		columns = append(columns, text(name))
		s.find[name], s.bySub[name] = match(text(name), name), match(text(name), c.Sub)
		s.set[name] = s.update(c, name)
	}
	s.set[c.Sub] = s.update(c, c.Sub)
	s.selects = "SELECT " + strings.Join(columns, ", ") + from + " WHERE "
	s.move = "INSERT INTO " + quote(c.Moves) + " (" + strings.Join([]string{
		quote(table.MovesUser), quote(table.MovesProvider), quote(table.MovesFrom), quote(table.MovesTo), quote(table.MovesAt),
	}, ", ") + ") VALUES (?, ?, ?, ?, ?)"
	s.signIns(c)
	return s
}

func (statements) update(c table.Config, column string) string {
	return "UPDATE " + quote(c.Name) + " SET " + quote(column) + " = ? WHERE " + quote(c.ID) + " = ?"
}

func (s *statements) signIns(c table.Config) {
	own, sub, login := quote(c.Name), quote(c.Sub), quote(c.LastLogin)
	s.signIn = `UPDATE ` + own + ` SET ` + sub + ` = ?1, ` + login + ` = CASE WHEN ` + login + ` IS NULL OR ` + login + ` < ?3 THEN ?3 ELSE ` + login + ` END
		WHERE ` + quote(c.ID) + ` = ?2`
	_, bare, ok := strings.Cut(c.Name, ".")
	if ok {
		bare = quote(bare)
	} else {
		bare = own
	}
	s.login = `UPDATE ` + own + ` SET ` + login + ` = v.at
		FROM (SELECT json_extract(value, '$[0]') AS sub, json_extract(value, '$[1]') AS at FROM json_each(?)) AS v
		WHERE ` + bare + `.` + sub + ` = v.sub AND (` + bare + `.` + login + ` IS NULL OR ` + bare + `.` + login + ` < v.at)
		RETURNING ` + sub
	s.unknown = `SELECT json_extract(value, '$[0]') AS sub FROM json_each(?)
		WHERE NOT EXISTS (SELECT 1 FROM ` + own + ` WHERE ` + sub + ` = json_extract(value, '$[0]'))`
}
