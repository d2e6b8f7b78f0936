package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// duplicates finds values of the column that several rows share; ok is false
// if there are none.
func duplicates(ctx context.Context, q querier, l layout, key, column string, o Options) (f Finding, ok bool, err error) {
	from, c := l.d.quote(l.Name), l.d.quote(column)
	shared := " FROM " + from + " WHERE " + c + " IS NOT NULL GROUP BY " + c + " HAVING count(*) > 1"
	var values, rows int64
	err = q.QueryRowContext(ctx, "SELECT count(*), coalesce(sum(n), 0) FROM (SELECT count(*) AS n"+shared+") AS d").Scan(&values, &rows)
	if err != nil || values == 0 {
		return Finding{}, false, err
	}
	f = Finding{
		Code: DuplicateValues, Severity: Blocks, Column: column, Count: values,
		Text: about(column) + fmt.Sprintf("%d values are shared by %d rows, so nobody can say whose they are", values, rows),
		Do:   "merge those rows, or set the column to NULL on all but one of each",
	}
	if o.RowIDs > 0 {
		f.Rows, err = strs(ctx, q, fmt.Sprintf("SELECT %s FROM %s WHERE %s IN (SELECT %s%s) ORDER BY %s, %s LIMIT %d",
			key, from, c, c, shared, c, l.d.quote(l.ID), o.RowIDs))
	}
	return f, true, err
}

// nearDuplicates finds values that differ in case or in blanks around them only.
func nearDuplicates(ctx context.Context, q querier, l layout, column string) (f Finding, ok bool, err error) {
	c := l.d.text(column)
	folded, distinct := "lower(trim("+c+"))", c
	if l.d == MySQL {
		distinct = "CAST(" + l.d.quote(column) + " AS binary)" // the collation may take them for one
	}
	var values int64
	err = q.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 AS one FROM "+l.d.quote(l.Name)+" WHERE "+l.d.quote(column)+
		" IS NOT NULL GROUP BY "+folded+" HAVING count(DISTINCT "+distinct+") > 1) AS d").Scan(&values)
	return Finding{
		Code: NearDuplicates, Severity: Warning, Column: column, Count: values,
		Text: about(column) + fmt.Sprintf("%d values come in several spellings, which differ in case or outer blanks only", values),
		Do:   "find out which row is the person's; the exact spelling decides who is linked",
	}, values > 0, err
}

// tally counts what is seen row by row.
type tally struct {
	structure *structure
	options   Options
	report    *Report
	ids       []wanted // provider columns that exist
	sub       bool     // its column exists
	found     map[[2]string]*Finding
	order     [][2]string
}

// scan reads every row once.
func (t *tally) scan(ctx context.Context, q querier) error {
	l := t.structure.layout
	selected := []string{t.structure.keyText(l)}
	if t.sub {
		selected = append(selected, l.d.text(l.Sub))
	}
	for _, w := range t.ids {
		selected = append(selected, l.d.text(w.name))
	}
	values := make([]sql.NullString, len(selected))
	into := make([]any, len(selected))
	for i := range values {
		into[i] = &values[i]
	}
	return each(ctx, q, func(r *sql.Rows) error {
		if err := r.Scan(into...); err != nil {
			return err
		}
		t.row(values)
		return nil
	}, "SELECT "+strings.Join(selected, ", ")+" FROM "+l.d.quote(l.Name)+" ORDER BY "+l.d.quote(l.ID))
}

func (t *tally) row(values []sql.NullString) {
	id, rest := values[0].String, values[1:]
	t.report.Rows++
	linked := false
	if t.sub {
		linked = t.subOf(id, rest[0])
		rest = rest[1:]
	}
	linkable := false
	for i, w := range t.ids {
		linkable = t.idAt(id, w, i, rest[i]) || linkable
	}
	switch {
	case linked:
	case linkable:
		t.report.Linkable++
	default:
		t.note(Unlinkable, "", id)
	}
	if !fitsToken(t.structure.IDType, id) {
		t.unfit(id, linked || linkable)
	}
}

// subOf looks at a row's sub, and says whether it is one.
func (t *tally) subOf(id string, sub sql.NullString) bool {
	switch {
	case !sub.Valid:
		return false
	case sub.String == "":
		t.note(OddEmpty, t.structure.Sub, id)
		return false
	case !uuid(sub.String):
		t.note(OddSub, t.structure.Sub, id)
	}
	t.report.Linked++
	t.note(AlreadyLinked, t.structure.Sub, id)
	return true
}

// idAt looks at a row's id at a provider, and says whether it will match.
func (t *tally) idAt(id string, w wanted, i int, value sql.NullString) bool {
	if !value.Valid {
		t.report.Providers[i].Without++
		return false
	}
	t.report.Providers[i].With++
	if code := odd(w, value.String); code != "" {
		t.note(code, w.name, id)
		return false
	}
	return true
}

func (t *tally) unfit(id string, used bool) {
	if used {
		t.note(IDUnfit, t.structure.ID, id)
		return
	}
	t.note(IDUnfit, "", id) // nobody will ever have it in a token
}

func (t *tally) note(code Code, column, id string) {
	key := [2]string{string(code), column}
	f := t.found[key]
	if f == nil {
		f = &Finding{Code: code, Column: column}
		t.found[key], t.order = f, append(t.order, key)
	}
	f.Count++
	if len(f.Rows) < t.options.RowIDs && id != "" {
		f.Rows = append(f.Rows, id)
	}
}

// findings are what was noted, with words.
func (t *tally) findings() []Finding {
	var out []Finding
	for _, key := range t.order {
		f := *t.found[key]
		word := words[f.Code]
		f.Severity, f.Text, f.Do = word.severity, about(f.Column)+fmt.Sprintf(word.text, f.Count), word.do
		if f.Code == IDUnfit && f.Column == "" {
			f.Severity, f.Column = Info, t.structure.ID
			f.Text, f.Do = about(f.Column)+f.Text+"; they have no id at a provider and no sub, so nobody gets them", ""
		}
		out = append(out, f)
	}
	return out
}

const neverMatch = "correct them, or set them to NULL: their people would get a second row"

var words = map[Code]struct {
	severity Severity
	text, do string
}{
	OddEmpty:      {Warning, "%d rows have an empty text instead of NULL", "set them to NULL: a unique index allows one of them only"},
	OddBlanks:     {Warning, "%d rows have an id with blanks around it", neverMatch},
	OddSign:       {Warning, "%d rows have an id with a sign", neverMatch},
	OddZeros:      {Warning, "%d rows have an id with zeros before it", neverMatch},
	OddDigits:     {Warning, "%d rows have an id that is no number", neverMatch},
	OddRange:      {Warning, "%d rows have a number that is no account's", neverMatch},
	OddText:       {Warning, "%d rows have an id with control characters or of more than 255 bytes", neverMatch},
	OddSub:        {Warning, "%d rows have a sub that is no UUID in lower case, as Cognito's are", "find out who wrote them"},
	AlreadyLinked: {Info, "%d rows have a sub already", "make sure that they are of this pool: a person who comes with another sub moves the row, or is refused"},
	Unlinkable:    {Warning, "%d rows have no id at any provider and no sub; their people get a second row at the first sign-in", "add the ids that are known"},
	IDUnfit:       {Blocks, "%d rows have an id that a token cannot carry", "integers from 1 to 2^63-1, UUIDs in lower case, or up to 128 printable ASCII characters: give these rows another id"},
}
