package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Check compares the table with the configuration: columns, types, indexes,
// what a new row would lack, and the privileges of the database user. It
// returns [users.ErrSchema] with everything that is wrong, one line each. It
// changes nothing. It takes a few round trips, so call it when a function is
// deployed or an operator asks, and not at each start.
func (s *Store) Check(ctx context.Context) error {
	const op = "check"
	c := &check{store: s}
	if err := errors.Join(c.users(ctx), c.moves(ctx)); err != nil {
		return fail(ctx, op, err)
	}
	if len(c.problems) == 0 {
		if err := c.plans(ctx); err != nil {
			return fail(ctx, op, err)
		}
		return nil
	}
	return fmt.Errorf("postgres: %s: %w:\n%s", op, users.ErrSchema, strings.Join(c.problems, "\n"))
}

type check struct {
	store    *Store
	problems []string
}

func (c *check) bad(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// column is what the catalog says of one.
type column struct {
	name, shown, kind       string // kind is the type's own name, without length
	length, scale           int    // 0 is none
	notNull, filled, fixed  bool   // filled by the database; fixed: not to be written
	primary, unique         bool
	readable, addable, over bool // privileges; over: to change it
	numbering               bool // may use its sequence
}

// The last condition of an index: the only WHERE that leaves out nothing that
// matters.
const catalogSQL = `SELECT a.attname, format_type(a.atttypid, a.atttypmod), b.typname,
	CASE WHEN b.typname IN ('varchar', 'bpchar') AND m.mod > 4 THEN m.mod - 4 ELSE 0 END,
	CASE WHEN b.typname = 'numeric' AND m.mod > 4 THEN (m.mod - 4) & 65535 ELSE 0 END,
	a.attnotnull OR t.typnotnull, a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL, a.attgenerated <> '',
	EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum),
	EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
		AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
		AND (i.indpred IS NULL OR pg_get_expr(i.indpred, c.oid) = format('(%I IS NOT NULL)', a.attname))),
	has_column_privilege(c.oid, a.attnum, 'SELECT'), has_column_privilege(c.oid, a.attnum, 'INSERT'),
	has_column_privilege(c.oid, a.attnum, 'UPDATE'),
	a.attidentity <> '' OR coalesce(has_sequence_privilege(pg_get_serial_sequence(c.oid::regclass::text, a.attname), 'USAGE'), true)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	JOIN pg_type AS t ON t.oid = a.atttypid
	JOIN pg_type AS b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
	CROSS JOIN LATERAL (SELECT CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS mod) AS m
WHERE c.oid = to_regclass(%s) ORDER BY a.attnum`

// columns reads a table's columns; none means that there is no such table, or
// none that this user can see.
func (c *check) columns(ctx context.Context, name string) ([]column, error) {
	a := &args{}
	rows, err := c.store.query(ctx, strings.Replace(catalogSQL, "%s", a.text(quote(name)), 1), a)
	columns := make([]column, 0, len(rows))
	for _, row := range rows {
		is := func(i int) bool { return string(row[i]) == "t" }
		number := func(i int) int { n, _ := strconv.Atoi(string(row[i])); return n } // the server's own numbers
		columns = append(columns, column{
			name: string(row[0]), shown: string(row[1]), kind: string(row[2]), length: number(3), scale: number(4),
			notNull: is(5), filled: is(6), fixed: is(7), primary: is(8), unique: is(9),
			readable: is(10), addable: is(11), over: is(12), numbering: is(13),
		})
	}
	return columns, err
}

// need is what a column must be.
type need struct {
	name            string
	kinds           []string
	what            string // kinds in words
	length          int    // the least that is enough
	unique, primary bool
	read, add, over bool // what is done with it
	always          bool // a new row always has a value for it
}

var (
	texts  = []string{"text", "varchar", "bpchar", "citext"}
	times  = []string{"timestamptz", "timestamp"}
	idKind = map[table.IDType]need{
		table.BigInt: {kinds: []string{"int8"}, what: "bigint"},
		table.Int:    {kinds: []string{"int4"}, what: "integer"},
		table.UUID:   {kinds: []string{"uuid"}, what: "uuid", add: true, always: true},
		table.Text:   {kinds: []string{"text", "varchar", "bpchar"}, what: "text, varchar or char", length: uuidLength, add: true, always: true},
	}
)

const uuidLength = 36 // of Cognito's subs, and of the ids that the store makes

func (c *check) users(ctx context.Context) error {
	t := c.store.table
	id := idKind[t.IDType]
	id.name, id.primary, id.read = t.ID, true, true
	needs := []need{id, {name: t.Sub, kinds: texts, what: "text", length: uuidLength, unique: true, read: true, add: true, over: true, always: true}}
	for _, p := range t.ProviderNames() {
		n := need{name: t.Providers[p].Name, kinds: texts, what: "text", unique: true, read: true, add: true, over: true}
		if t.Providers[p].Type == table.SubjectNumber {
			n.kinds, n.what = []string{"int8", "numeric"}, "bigint or numeric"
		}
		needs = append(needs, n)
	}
	needs = append(needs,
		need{name: t.Email, kinds: texts, what: "text", read: true, add: true},
		need{name: t.DisplayName, kinds: texts, what: "text", read: true, add: true},
		need{name: t.LastLogin, kinds: times, what: "timestamp with or without time zone", read: true, add: true, over: true},
		need{name: t.Created, kinds: times, what: "timestamp with or without time zone", read: true, add: true, always: true})
	return c.table(ctx, t.Name, needs)
}

func (c *check) moves(ctx context.Context) error {
	if c.store.table.Moved != table.Adopt {
		return nil
	}
	needs := []need{{name: table.MovesID, kinds: []string{"int8", "int4"}, what: "bigint"}}
	for _, name := range []string{table.MovesUser, table.MovesProvider, table.MovesFrom, table.MovesTo} {
		needs = append(needs, need{name: name, kinds: texts, what: "text", add: true, always: true})
	}
	return c.table(ctx, c.store.table.Moves, append(needs, need{name: table.MovesAt, kinds: times, what: "timestamp with or without time zone", add: true, always: true}))
}

// table compares one table with what is needed of it.
func (c *check) table(ctx context.Context, name string, needs []need) error {
	have, err := c.columns(ctx, name)
	if err != nil {
		return err
	}
	if len(have) == 0 {
		c.bad("table %s: not found", name)
		return nil
	}
	needs = slices.DeleteFunc(needs, func(n need) bool { return n.name == table.None })
	for _, n := range needs {
		i := slices.IndexFunc(have, func(h column) bool { return h.name == n.name })
		if i < 0 {
			c.bad("%s.%s: there is no such column", name, n.name)
			continue
		}
		for _, problem := range n.problems(have[i]) {
			c.bad("%s.%s: %s", name, n.name, problem)
		}
	}
	c.unfilled(name, have, needs)
	return nil
}

// problems are what h is not.
func (n need) problems(h column) (out []string) {
	for _, p := range []struct {
		wrong bool
		text  string
	}{
		{!slices.Contains(n.kinds, h.kind), "is " + h.shown + ", not " + n.what},
		{h.length > 0 && h.length < n.length, fmt.Sprintf("is %s, too short for %d characters", h.shown, n.length)},
		{h.scale > 0, "is " + h.shown + ", with decimals"},
		{n.primary && !h.primary, "is not the primary key"},
		{n.unique && !h.unique, "has no unique index of its own (valid, not deferrable, WHERE nothing or IS NOT NULL)"},
		{h.fixed, "is generated, so it cannot be written"},
		{n.read && !h.readable, "the database user may not SELECT it"},
		{n.add && !h.addable, "the database user may not INSERT it"},
		{n.over && !h.over, "the database user may not UPDATE it"},
		{!h.numbering, "the database user may not use its sequence"},
	} {
		if p.wrong {
			out = append(out, p.text)
		}
	}
	return out
}

// unfilled finds the columns that would keep a new row out.
func (c *check) unfilled(name string, have []column, needs []need) {
	for _, h := range have {
		always := slices.ContainsFunc(needs, func(n need) bool { return n.name == h.name && n.always })
		if h.notNull && !h.filled && !always {
			c.bad("%s.%s: is NOT NULL without a default, and a new row may have no value for it", name, h.name)
		}
	}
}

// plans has the server plan what the store runs, without running it, in case
// that something escaped the list.
func (c *check) plans(ctx context.Context) error {
	s := c.store
	for _, provider := range append(s.table.ProviderNames(), "") {
		id := users.Identity{Sub: "s", Provider: provider, Subject: "1", Email: "e", Name: "n", At: s.now()}
		e, err := s.newEnsure(id)
		if err != nil {
			return err
		}
		sql, a := e.statement()
		if _, err := s.query(ctx, "EXPLAIN "+sql, a); err != nil {
			return err
		}
	}
	if s.table.LastLogin == table.None {
		return nil
	}
	sql, a := s.forward([]users.SignIn{{Sub: "s", At: s.now()}})
	if _, err := s.query(ctx, "EXPLAIN "+sql, a); err != nil {
		return err
	}
	sql, a = s.unknown([]string{"s"})
	_, err := s.query(ctx, "EXPLAIN "+sql, a)
	return err
}
