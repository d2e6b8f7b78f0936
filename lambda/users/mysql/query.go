package mysql

import "strings"

// query is a statement as it grows, with the values for its marks.
type query struct {
	text strings.Builder
	args []any
}

func (q *query) add(text string, args ...any) *query {
	q.text.WriteString(text)
	q.args = append(q.args, args...)
	return q
}

func newQuery(text string, args ...any) *query { return new(query).add(text, args...) }
