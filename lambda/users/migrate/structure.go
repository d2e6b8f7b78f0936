package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// structure compares the catalog with the layout.
type structure struct {
	layout
	catalog
	findings []Finding
	columns  []wanted // that are missing
	uniques  []wanted // whose index is missing
	invalid  []index  // that an earlier try of ours left
}

func (s *structure) add(code Code, sev Severity, column, text, do string) {
	s.findings = append(s.findings, Finding{Code: code, Severity: sev, Column: column, Text: about(column) + text, Do: do})
}

// compare looks at the catalog only, never at rows.
func compare(l layout, c catalog) *structure {
	s := &structure{layout: l, catalog: c}
	if !c.exists {
		s.add(NoTable, Blocks, "", "there is no table "+l.Name, "correct the name, or let Up make the table")
		return s
	}
	if c.problem != "" {
		s.add(NotATable, Blocks, "", c.problem, "name a table that takes inserts, updates and unique indexes")
	}
	for _, w := range l.wanted() {
		s.check(w)
	}
	s.otherColumns()
	s.otherIndexes()
	if len(c.triggers) > 0 {
		s.add(Triggers, Warning, "", fmt.Sprintf("%d triggers run when a row is inserted or updated: %s", len(c.triggers), strings.Join(c.triggers, ", ")),
			"make sure that they let through what the stores write, within its second")
	}
	if c.secured {
		s.add(RowSecurity, Warning, "", "row-level security is on", "give the stores' role a policy for every row, or BYPASSRLS")
	}
	return s
}

func (s *structure) check(w wanted) {
	col, ok := s.column(s.d, w.name)
	if !ok {
		s.missing(w)
		return
	}
	if w.role == roleID {
		s.checkKey(col)
		return
	}
	if col.generated {
		s.add(ColumnType, Blocks, w.name, "the database computes it, so that it cannot be written", "configure another column")
	}
	s.checkType(w, col)
	s.checkNull(w, col)
	if w.unique() && !s.unique(s.d, w.name) {
		s.wantUnique(w)
	}
}

func (s *structure) missing(w wanted) {
	for _, have := range s.catalog.columns {
		if strings.EqualFold(have.name, w.name) {
			s.add(ColumnCase, Blocks, w.name, "there is no such column, but one whose name differs in upper and lower case", "configure that name")
			return
		}
	}
	if w.role == roleID {
		s.add(KeyWrong, Blocks, w.name, "there is no such column", "configure the primary key's name")
		return
	}
	s.add(ColumnMissing, Info, w.name, "the column is missing", "apply the plan")
	s.columns = append(s.columns, w)
	if w.unique() {
		s.wantUnique(w)
	}
}

func (s *structure) wantUnique(w wanted) {
	s.uniques = append(s.uniques, w)
	s.add(UniqueMissing, Info, w.name, "no unique index is on this column alone", "apply the plan")
	for _, i := range s.indexes {
		switch {
		case i.valid || !i.unique || !i.on(s.d, w.name):
		case i.building:
			s.add(IndexBuilding, Blocks, w.name, "its unique index is being made right now", "wait for the end of it")
		case i.name == s.indexName(w.name, nil):
			s.add(IndexInvalid, Info, w.name, "a failed try left an index that nothing uses", "apply the plan, which drops it and tries again")
			s.invalid = append(s.invalid, i)
		}
	}
}

func (s *structure) checkKey(col column) {
	keys := 0
	for _, c := range s.catalog.columns {
		if c.key {
			keys++
		}
	}
	if !col.key || keys != 1 {
		s.add(KeyWrong, Blocks, s.ID, "the primary key must be this column and no other", "configure the primary key's name")
	}
	if !s.keyTypeFits(col) {
		s.add(KeyWrong, Blocks, s.ID, fmt.Sprintf("its type is %s, but %s is configured", shown(col), s.IDType), "configure the type that it has; bigint, int, uuid and text can be used")
		return
	}
	// PostgreSQL's default may be a function of the organisation's own.
	if s.numbered() && !col.numbered && (s.d != Postgres || !col.hasDefault) {
		s.add(KeyNotNumbered, Blocks, s.ID, "the database does not number it, so that a new row has no id", map[Dialect]string{
			Postgres: "make it an identity column, or give it a sequence as default", MySQL: "make it AUTO_INCREMENT",
			SQLite: "declare it INTEGER PRIMARY KEY",
		}[s.d])
	}
}

func (s *structure) keyTypeFits(col column) bool {
	types := map[table.IDType]map[Dialect][]string{
		table.BigInt: {Postgres: {"int8"}, MySQL: {"bigint", "bigint unsigned"}},
		table.Int:    {Postgres: {"int4"}, MySQL: {"int", "int unsigned"}},
		table.UUID:   {Postgres: {"uuid"}, MySQL: {"uuid", "char", "varchar", "binary"}},
		table.Text:   {Postgres: {"text", "varchar", "bpchar"}, MySQL: {"char", "varchar", "varbinary"}},
	}[s.IDType]
	if s.d != SQLite {
		room := col.length == 0 || col.length >= subLength || col.typ == "binary" && col.length == 16
		return slices.Contains(types[s.d], col.typ) && room
	}
	if s.numbered() {
		return affinity(col.typ) == "integer"
	}
	return affinity(col.typ) == "text"
}

// subLength is the length of a sub, which is a UUID, and of an id made here.
const subLength = 36

func shown(col column) string {
	name := col.typ
	if name == "" {
		return "not declared"
	}
	if col.length > 0 && strings.Contains(name, "char") {
		name += fmt.Sprintf("(%d)", col.length)
	}
	return name
}

func (s *structure) checkType(w wanted, col column) {
	if want := s.typeFault(w, col); want != "" {
		s.add(ColumnType, Blocks, w.name, fmt.Sprintf("its type is %s, but it must be %s", shown(col), want), "configure it as what it is, or give the people's ids a column of their own")
		return
	}
	switch {
	case w.role == roleSub && col.length > 0 && col.length < subLength:
		s.add(ColumnShort, Blocks, w.name, fmt.Sprintf("it holds %d characters, but a sub has %d", col.length, subLength), "configure another column")
	case (w.role == roleProvider || w.role == roleText) && col.length > 0 && col.length < 255 && strings.Contains(col.typ, "char"):
		s.short(w, col)
	case w.role == roleLogin && s.d == Postgres && col.typ == "timestamp", w.role == roleCreated && s.d == Postgres && col.typ == "timestamp":
		s.add(ColumnType, Warning, w.name, "it has no time zone, so its times are read and written as UTC", "make sure that other programs do so too")
	}
	if col.inexact != "" && w.unique() {
		s.add(ColumnInexact, Warning, w.name, "it "+col.inexact+"; of two people whose values differ so, one cannot sign up", "give it an exact type or a binary collation")
	}
}

func (s *structure) short(w wanted, col column) {
	text := fmt.Sprintf("it holds %d characters", col.length)
	switch {
	case w.role == roleText:
		s.add(ColumnShort, Info, w.name, text+"; a longer value is left out of a new row", "")
	case numeric(w) && col.length >= maxNumeric:
		// Such ids fit.
	default:
		s.add(ColumnShort, Warning, w.name, text+"; who has a longer id cannot sign up", "widen it to 255 if such ids may come")
	}
}

// maxNumeric is more digits than the ids of Kakao and Google have.
const maxNumeric = 21

// typeFault is "" or what the type should be.
func (s *structure) typeFault(w wanted, col column) string {
	want := "text"
	var good []string
	switch {
	case w.number:
		want = "a 64-bit integer"
		good = map[Dialect][]string{Postgres: {"int8", "numeric"}, MySQL: {"bigint", "bigint unsigned"}, SQLite: {"integer"}}[s.d]
	case w.role == roleLogin || w.role == roleCreated:
		want = "a time"
		good = map[Dialect][]string{Postgres: {"timestamptz", "timestamp"}, MySQL: {"datetime", "timestamp"}, SQLite: {"text", "numeric", "blob"}}[s.d]
	default:
		good = map[Dialect][]string{Postgres: {"text", "varchar", "bpchar", "citext"},
			MySQL: {"varchar", "char", "varbinary", "text", "tinytext", "mediumtext", "longtext"}, SQLite: {"text"}}[s.d]
	}
	have := col.typ
	if s.d == SQLite {
		have = affinity(have)
	}
	if slices.Contains(good, have) {
		return ""
	}
	return want
}

func (s *structure) checkNull(w wanted, col column) {
	if w.unique() && col.hasDefault && !col.generated && !col.notNull {
		s.add(ColumnDefault, Blocks, w.name, "it has a default, which one row only can have", "drop the default")
	}
	switch {
	case !col.notNull || w.role == roleCreated:
	case w.unique():
		s.add(ColumnNotNull, Blocks, w.name, "it must have a value, but a row may have none", "let it be NULL")
	case w.role == roleText:
		s.add(ColumnNotNull, Warning, w.name, "it must have a value; who comes without one cannot sign up", "let it be NULL, or make it a required attribute of the pool")
	case !col.hasDefault:
		s.add(ColumnNotNull, Blocks, w.name, "it must have a value, but a new row has none", "let it be NULL")
	default:
		s.add(ColumnNotNull, Warning, w.name, "a new row gets its default, as if somebody had signed in", "let it be NULL without a default")
	}
}

// named says whether the layout has the column.
func (s *structure) named(column string) bool {
	return slices.ContainsFunc(s.wanted(), func(w wanted) bool { return sameName(s.d, w.name, column) })
}

func (s *structure) otherColumns() {
	for _, col := range s.catalog.columns {
		if !s.named(col.name) && col.notNull && !col.hasDefault && !col.generated {
			s.add(InsertNeedsValue, Blocks, col.name, "it must have a value, and the stores give it none, so no new row can be made", "give it a default, or let it be NULL")
		}
	}
}

func (s *structure) otherIndexes() {
	for _, i := range s.indexes {
		if !i.unique || i.primary {
			continue
		}
		own := slices.ContainsFunc(s.wanted(), func(w wanted) bool { return w.unique() && slices.Contains(i.columns, w.name) })
		switch {
		case own && i.oneNull && len(i.columns) == 1:
			s.add(NullsNotDistinct, Blocks, i.columns[0], "its unique index lets one row only be without a value", "make the index again without NULLS NOT DISTINCT")
		case !own && s.violable(i):
			s.add(OtherUnique, Warning, strings.Join(i.columns, ", "), "the unique index "+i.name+" refuses a new row whose value is there already",
				"drop it if two people may share the value, else expect sign-ups to fail with a conflict")
		}
	}
}

// violable says whether a new row can collide in the index: not if one of its
// columns stays NULL.
func (s *structure) violable(i index) bool {
	for _, name := range i.columns {
		col, ok := s.column(s.d, name)
		if ok && !s.named(name) && !col.notNull && !col.hasDefault && !col.generated && !i.oneNull {
			return false
		}
		if ok && col.numbered {
			return false
		}
	}
	return true
}
