package migrate

import (
	"fmt"
	"strings"
)

// Severity says how much a finding matters.
type Severity string

const (
	// Blocks: with this the table must not go live.
	Blocks Severity = "blocks"
	// Warning: some people may be kept out, or get a second row.
	Warning Severity = "warning"
	// Info: good to know; nothing to do, or a [Plan] does it.
	Info Severity = "info"
)

// Code names a kind of finding. Codes do not change between releases; new
// ones may come.
type Code string

// Codes of findings about the table.
const (
	NoTable          Code = "no-table"            // the table does not exist
	NotATable        Code = "not-a-table"         // a view, partitioned, an engine without transactions
	KeyWrong         Code = "key-wrong"           // the primary key is not as configured
	KeyNotNumbered   Code = "key-not-numbered"    // the database gives a new row no id
	ColumnMissing    Code = "column-missing"      // a plan adds it
	ColumnCase       Code = "column-case"         // there is one whose name differs in case
	ColumnType       Code = "column-type"         // a type that cannot work
	ColumnShort      Code = "column-short"        // long values will be refused
	ColumnInexact    Code = "column-inexact"      // different texts count as equal
	ColumnDefault    Code = "column-default"      // of a column that must be unique
	ColumnNotNull    Code = "column-not-null"     // but there may be no value
	UniqueMissing    Code = "unique-missing"      // a plan adds the index
	IndexInvalid     Code = "index-invalid"       // left by a failed CREATE INDEX CONCURRENTLY
	IndexBuilding    Code = "index-building"      // somebody makes it right now
	NullsNotDistinct Code = "nulls-not-distinct"  // one row only may lack a value
	InsertNeedsValue Code = "insert-needs-value"  // another column must have a value
	OtherUnique      Code = "other-unique"        // an index that a new row may violate
	Triggers         Code = "triggers"            // run at every insert or update
	RowSecurity      Code = "row-security"        // may hide rows from the stores
	MovesMissing     Code = "moves-table-missing" // a plan adds it
	MovesWrong       Code = "moves-table-wrong"   // the table has another shape
)

// Codes of findings about the rows.
const (
	DuplicateValues Code = "duplicate-values" // rows share what must be unique
	NearDuplicates  Code = "near-duplicates"  // values that differ in case or outer blanks only
	OddEmpty        Code = "odd-empty"        // "" instead of NULL
	OddBlanks       Code = "odd-blanks"       // blanks at an end
	OddSign         Code = "odd-sign"         // + or - before a number
	OddZeros        Code = "odd-zeros"        // a number with zeros before it
	OddDigits       Code = "odd-digits"       // other characters in a number
	OddRange        Code = "odd-range"        // a number that no account has
	OddText         Code = "odd-text"         // control characters, or too long
	OddSub          Code = "odd-sub"          // not what Cognito makes
	AlreadyLinked   Code = "already-linked"   // rows that have a sub
	Unlinkable      Code = "unlinkable"       // rows with no id at any provider, and no sub
	IDUnfit         Code = "id-unfit"         // row ids that a token cannot carry
)

// Finding is one thing that Inspect saw. It holds no personal data: Rows are
// primary keys, and are there only on request.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// Column is the column's name, or "" for the table.
	Column string `json:"column,omitempty"`
	// Count is how many rows, or how many values for [DuplicateValues] and
	// [NearDuplicates]; 0 where there is nothing to count.
	Count int64 `json:"count,omitempty"`
	// Text says what is so, beginning with the column, and Do what to do about
	// it; one line each.
	Text string `json:"text"`
	Do   string `json:"do,omitempty"`
	// Rows are primary keys of rows concerned, at most [Options.RowIDs].
	Rows []string `json:"rows,omitempty"`
}

// about begins a text with the column.
func about(column string) string {
	if column == "" {
		return ""
	}
	return "column " + column + ": "
}

// String is the finding on one line.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s [%s]", f.Severity, f.Code)
	b.WriteString(" " + f.Text)
	if f.Do != "" {
		b.WriteString("; " + f.Do)
	}
	if len(f.Rows) > 0 {
		fmt.Fprintf(&b, " (rows %s)", strings.Join(f.Rows, ", "))
	}
	return b.String()
}

// ProviderCount is how many rows have an id at a provider.
type ProviderCount struct {
	Provider string `json:"provider"`
	Column   string `json:"column"`
	With     int64  `json:"with"`
	Without  int64  `json:"without"`
}

// Report says what linking will do to a table.
type Report struct {
	Dialect Dialect `json:"dialect"`
	Table   string  `json:"table"`
	// Rows are all rows; Linked those that have a sub already, and Linkable
	// those that have none but an id at a provider, so that their people get
	// their old row at the first sign-in.
	Rows     int64 `json:"rows"`
	Linked   int64 `json:"linked"`
	Linkable int64 `json:"linkable"`
	// Providers are counted in the order of their names.
	Providers []ProviderCount `json:"providers"`
	// Findings are ordered by severity, the worst first.
	Findings []Finding `json:"findings"`
}

// Blocked reports whether any finding [Blocks].
func (r Report) Blocked() bool { return len(only(r.Findings, Blocks)) > 0 }

func only(all []Finding, s Severity) []Finding {
	var out []Finding
	for _, f := range all {
		if f.Severity == s {
			out = append(out, f)
		}
	}
	return out
}

// Options of [Inspect] and [NewPlan].
type Options struct {
	// RowIDs is how many primary keys a finding lists, 0 to 1000. Defaults to
	// none. Primary keys are the userIds of people, so think of who reads the
	// report.
	RowIDs int
}

const maxRowIDs = 1000

func (o Options) validate() error {
	if o.RowIDs < 0 || o.RowIDs > maxRowIDs {
		return fmt.Errorf("migrate: RowIDs: %d is not within 0 to %d", o.RowIDs, maxRowIDs)
	}
	return nil
}
