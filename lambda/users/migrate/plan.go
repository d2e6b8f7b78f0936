package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Plan is what a table lacks, as statements that add it: nullable columns,
// unique indexes, and the table of moves. Nothing that is there is changed or
// dropped, with one exception: an index of this package's own name that a
// failed CREATE INDEX CONCURRENTLY left invalid, which nothing uses.
type Plan struct {
	Dialect Dialect `json:"dialect"`
	Table   string  `json:"table"`
	Steps   []Step  `json:"steps"`
	cfg     table.Config
}

// Step is one statement.
type Step struct {
	// Why is one line.
	Why string `json:"why"`
	// Set are statements that set up the session for SQL.
	Set []string `json:"set,omitempty"`
	// SQL is the statement, without a semicolon.
	SQL string `json:"sql"`
	// Undo is the statement that takes it back; "" if there is nothing to take
	// back.
	Undo string `json:"undo,omitempty"`
	// index is the name of the unique index that SQL makes, "" for others.
	index string
}

// NewPlan looks at the catalog, and at the rows only where a unique index is
// missing. A table that cannot be completed is refused with a [RefusedError]
// that lists every reason.
func NewPlan(ctx context.Context, db *sql.DB, d Dialect, cfg table.Config, o Options) (Plan, error) {
	l, err := newLayout(d, cfg, o)
	if err != nil {
		return Plan{}, err
	}
	return plan(ctx, db, l, o)
}

func plan(ctx context.Context, q querier, l layout, o Options) (Plan, error) {
	c, err := describe(ctx, q, l.d, l.Name)
	if err != nil {
		return Plan{}, err
	}
	s := compare(l, c)
	noMoves, found, err := moves(ctx, q, l)
	if err != nil {
		return Plan{}, err
	}
	refused := append(only(s.findings, Blocks), only(found, Blocks)...)
	for _, w := range s.uniques {
		if _, exists := c.column(l.d, w.name); !exists {
			continue
		}
		f, ok, err := duplicates(ctx, q, l, c.keyText(l), w.name, o)
		if err != nil {
			return Plan{}, safe("look for duplicates", err)
		}
		if ok {
			refused = append(refused, f)
		}
	}
	if len(refused) > 0 {
		return Plan{}, &RefusedError{Findings: refused}
	}
	return Plan{Dialect: l.d, Table: l.Name, Steps: s.steps(noMoves), cfg: l.Config}, nil
}

// brief makes a statement that needs the whole table give up after 5 seconds
// instead of making everybody else wait behind it.
var brief = map[Dialect][]string{
	Postgres: {"SET lock_timeout = '5s'"},
	MySQL:    {"SET SESSION lock_wait_timeout = 5"},
}

// patient lets the making of an index take its time: nobody waits for it.
var patient = map[Dialect][]string{
	Postgres: {"SET lock_timeout = 0", "SET statement_timeout = 0"},
	MySQL:    {"SET SESSION lock_wait_timeout = 5"},
}

// restore is what the session had before.
var restore = map[Dialect][]string{
	Postgres: {"RESET lock_timeout", "RESET statement_timeout"},
	MySQL:    {"SET SESSION lock_wait_timeout = DEFAULT"},
}

func (s *structure) steps(noMoves bool) []Step {
	steps := []Step{}
	if noMoves {
		steps = append(steps, Step{
			Why: "records of rows that were given to another Cognito user", Set: brief[s.d],
			SQL: s.createMoves(), Undo: "DROP TABLE " + s.d.quote(s.Moves),
		})
	}
	steps = append(steps, s.addColumns()...)
	for _, i := range s.invalid {
		schema, _ := split(s.Name)
		name := s.d.quoteAny(i.name)
		if schema != "" {
			name = s.d.quoteAny(schema) + "." + name
		}
		steps = append(steps, Step{Why: "left invalid by a failed try; nothing uses it", Set: patient[s.d], SQL: "DROP INDEX CONCURRENTLY IF EXISTS " + name})
	}
	taken := slices.Clone(s.taken)
	for _, i := range s.invalid {
		taken = slices.DeleteFunc(taken, func(t string) bool { return t == i.name })
	}
	for _, w := range s.uniques {
		step := s.addUnique(w, taken)
		steps, taken = append(steps, step), append(taken, step.index)
	}
	return steps
}

// addColumns adds all in one statement where the database can, so that a large
// table is locked or rebuilt once.
func (s *structure) addColumns() []Step {
	var steps []Step
	var adds, drops []string
	alter := "ALTER TABLE " + s.d.quote(s.Name) + " "
	for _, w := range s.columns {
		add := "ADD COLUMN " + s.d.quote(w.name) + " " + s.columnType(w, s.catalog)
		drop := "DROP COLUMN " + s.d.quote(w.name)
		if s.d == MySQL {
			add += " NULL"
		}
		if s.d == SQLite {
			steps = append(steps, Step{Why: why(w), SQL: alter + add, Undo: alter + drop})
			continue
		}
		adds, drops = append(adds, add), append(drops, drop)
	}
	if len(adds) == 0 {
		return steps
	}
	if s.d == MySQL {
		adds = append(adds, "LOCK = NONE") // an error rather than a table that is locked
	}
	return []Step{{
		Why: "columns that may be empty, so no row is written; the table is locked for a moment", Set: brief[s.d],
		SQL: alter + "\n\t" + strings.Join(adds, ",\n\t"), Undo: alter + strings.Join(drops, ", "),
	}}
}

func why(w wanted) string {
	switch w.role {
	case roleProvider:
		return "people's ids at " + printable(w.provider)
	case roleSub:
		return "the Cognito user's sub"
	}
	return string(w.role)
}

// printable keeps a provider's name, which is free text, on its line.
func printable(s string) string { return strings.Trim(fmt.Sprintf("%q", s), `"`) }

func (s *structure) addUnique(w wanted, taken []string) Step {
	name := s.indexName(w.name, taken)
	full, quoted, on := s.d.quoteAny(name), s.d.quote(s.Name), " ("+s.d.quote(w.name)+")"
	step := Step{Why: "no two rows share a value: " + why(w), Set: patient[s.d], index: name}
	schema, rest := split(s.Name)
	if schema != "" {
		full = s.d.quoteAny(schema) + "." + full
	}
	switch s.d {
	case Postgres:
		step.SQL = "CREATE UNIQUE INDEX CONCURRENTLY " + s.d.quoteAny(name) + " ON " + quoted + on
		step.Undo = "DROP INDEX CONCURRENTLY " + full
	case MySQL:
		step.SQL = "ALTER TABLE " + quoted + " ADD UNIQUE INDEX " + s.d.quoteAny(name) + on + ", ALGORITHM = INPLACE, LOCK = NONE"
		step.Undo = "ALTER TABLE " + quoted + " DROP INDEX " + s.d.quoteAny(name)
	default:
		step.SQL = "CREATE UNIQUE INDEX " + full + " ON " + s.d.quoteAny(rest) + on
		step.Undo = "DROP INDEX " + full
	}
	return step
}

// Empty reports whether the table lacks nothing.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// String is the plan as a file of SQL to read, and to run by hand if that is
// preferred to [Plan.Apply]: statement by statement, not in one transaction
// where it says so. The way back is in it as comments.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "-- What the table %s lacks (%s).\n", p.Table, p.Dialect)
	if p.Empty() {
		b.WriteString("-- Nothing.\n")
		return b.String()
	}
	b.WriteString("-- It adds only: no column, index or row that is there is changed.\n")
	b.WriteString(header[p.Dialect])
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "\n-- %d. %s\n", i+1, s.Why)
		for _, set := range s.Set {
			b.WriteString(set + ";\n")
		}
		b.WriteString(s.SQL + ";\n")
	}
	b.WriteString("\n" + p.end() + p.wayBack())
	return b.String()
}

var header = map[Dialect]string{
	Postgres: "-- Run it statement by statement, never in a transaction (psql without -1).\n" +
		"-- If CREATE INDEX CONCURRENTLY fails it leaves an invalid index: make the plan\n" +
		"-- again, which then begins with dropping that.\n",
	MySQL:  "-- Each statement commits by itself. LOCK = NONE fails rather than block writers.\n",
	SQLite: "BEGIN IMMEDIATE;\n",
}

func (p Plan) end() string {
	if p.Dialect == SQLite {
		return "COMMIT;\n"
	}
	return strings.Join(restore[p.Dialect], ";\n") + ";\n"
}

func (p Plan) wayBack() string {
	var b strings.Builder
	b.WriteString("\n-- The way back, which loses what was written into the new columns:\n")
	for _, s := range slices.Backward(p.Steps) {
		if s.Undo != "" {
			b.WriteString("-- " + strings.ReplaceAll(s.Undo, "\n", "\n-- ") + ";\n")
		}
	}
	return b.String()
}
