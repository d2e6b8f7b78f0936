package mysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// person is an identity as the table can hold it.
type person struct {
	users.Identity
	column *column // of the provider; nil for one that is told apart by sub alone
	at     string  // of the sign-in, for the column of last logins; "" for none
}

// result is what was done to the row of a person who got it now. The sign-in
// was written with it.
func (p person) result(id string, o users.Outcome) users.Result {
	return users.Result{ID: id, Outcome: o, SignInRecorded: p.at != ""}
}

func (l *layout) person(id users.Identity) (person, error) {
	p := person{Identity: id}
	if at, ok := id.SignedIn(); ok && l.login != nil {
		p.at, _ = l.login.moment(at)
	}
	if err := l.sub.fits(id.Sub); err != nil {
		return p, fmt.Errorf("sub: %w", err)
	}
	if col, ok := l.providers[id.Provider]; ok && id.Provider != "" {
		if err := col.fits(id.Subject); err != nil {
			return p, fmt.Errorf("subject: %w", err)
		}
		p.column = &col
	}
	return p, nil
}

// Ensure implements [users.Store]. A provider without a column in
// [table.Config.Providers] is told apart by the sub alone. A row that is made
// by a call whose answer was lost is [users.Existing] to the call that tries
// again.
func (s *Store) Ensure(ctx context.Context, id users.Identity) (users.Result, error) {
	const op = "ensure"
	if err := id.Validate(); err != nil {
		return users.Result{}, classify(ctx, op, err)
	}
	if err := s.cfg.Table.CheckSubject(id); err != nil {
		return users.Result{}, classify(ctx, op, err)
	}
	var res users.Result
	err := s.do(ctx, op, func(ctx context.Context, c *link, l *layout) error {
		p, err := l.person(id)
		if err != nil {
			return err
		}
		res, err = s.ensure(ctx, c, l, p)
		return err
	})
	if err != nil {
		return users.Result{}, err
	}
	return res, nil
}

// ensure tries the short way and, if that has not decided, the long one.
func (s *Store) ensure(ctx context.Context, c *link, l *layout, p person) (users.Result, error) {
	short := s.shortText
	if l.form == formNumber {
		short = s.shortNumber
	}
	res, err := short(ctx, c, l, p)
	switch {
	case isDuplicate(err):
		err = nil // somebody was faster, or another's key is in the way
	case is(err, errorsWords) && p.Email+p.Name != "":
		// A character that the column lacks, a CHECK of the organisation's:
		// what identifies nobody keeps nobody out.
		p.Email, p.Name, err = "", "", nil
	}
	if err != nil || res.ID != "" {
		return res, err
	}
	done := res.Outcome
	if res, err = s.resolve(ctx, c, l, p); err == nil && res.Outcome == users.Existing && done != "" {
		return p.result(res.ID, done), nil
	}
	return res, err
}

// shortNumber is one statement for a table that numbers its rows. It tells
// what it did by how many rows it changed and by the number that it leaves as
// the last insert id; nothing left means that it did nothing, unless the table
// has triggers: those on an update make MariaDB forget the number. Then there
// is an outcome without an id.
func (s *Store) shortNumber(ctx context.Context, c *link, l *layout, p person) (users.Result, error) {
	changed, last, err := c.exec(ctx, c, l.upsert(p))
	if err != nil {
		return users.Result{}, err
	}
	var res users.Result
	switch changed {
	case 1:
		res = p.result("", users.Created)
	case 2: // the server counts a row that it updates instead of inserting twice
		res = p.result("", users.Linked)
	}
	if last <= 0 {
		return res, nil
	}
	if res.ID = strconv.FormatInt(last, 10); res.Outcome == "" {
		res.Outcome = users.Existing
	}
	return res, nil
}

// upsert looks the person up, by sub (s) and by the provider's id (p), and
// goes on from there in the same statement:
//
//   - One row with both: nothing is inserted, its id is left.
//   - No row, or one with the provider's id and no sub: a row is inserted, in
//     the second case with the id of that one. So it is this key that is
//     duplicate, and ON DUPLICATE KEY UPDATE gets the very row. Somebody who
//     came first makes the key of the sub or of the provider duplicate.
//   - Anything else: nothing is inserted and nothing is left.
//
// The row that ON DUPLICATE KEY UPDATE gets may be a stranger's: of the same
// email, or of a sub that the collation takes for ours. So it looks again
// whether the row is the person's, now with the row locked, and otherwise
// changes nothing and leaves nothing.
func (l *layout) upsert(p person) *query {
	fields, values := l.newRow(p)
	id := "NULL"
	if p.column != nil {
		id = l.id.of("p")
	}
	q := newQuery("INSERT INTO " + l.table + " (" + l.id.quoted() + fields + ") SELECT " + id)
	q.add(values.text.String(), values.args...)
	q.add(" FROM (SELECT 1 AS one) AS o LEFT JOIN " + l.table + " AS s ON ")
	l.sub.match(q, l.sub.of("s"), p.Sub)
	found := l.id.of("s")
	free := found + " IS NULL"
	theirs := found + " > 0"
	if p.column != nil {
		q.add(" LEFT JOIN " + l.table + " AS p ON ")
		p.column.match(q, p.column.of("p"), p.Subject)
		free += " AND " + noText(l.sub.of("p"))
		theirs += " AND " + found + " = " + l.id.of("p")
	}
	left := "CASE WHEN " + theirs + " THEN " + found + " ELSE 0 END"
	// The comparison is never true; the optimizer cannot know that.
	q.add(" WHERE CASE WHEN " + free + " THEN 1 ELSE LAST_INSERT_ID(" + left + ") <> " + left + " END")
	q.add(" ON DUPLICATE KEY UPDATE ")
	l.signInOf(q, p)
	sub := l.sub.of(l.table)
	q.add(l.sub.quoted() + " = CASE WHEN LAST_INSERT_ID(CASE WHEN ")
	l.isPerson(q, p)
	return q.add(" THEN "+l.id.of(l.table)+" ELSE 0 END) > 0 THEN ? ELSE "+sub+" END", l.sub.param(p.Sub))
}

// signInOf moves the last login of a row that becomes the person's. It stands
// before the assignment of the sub, since each sees what those before it did.
func (l *layout) signInOf(q *query, p person) {
	if p.at == "" {
		return
	}
	login := l.login.of(l.table)
	q.add(l.login.quoted() + " = CASE WHEN " + noText(l.sub.of(l.table)) + " AND ")
	l.isPerson(q, p)
	q.add(" AND ("+login+" IS NULL OR "+login+" < "+timeParam+") THEN "+timeParam+" ELSE "+login+" END, ", p.at, p.at)
}

// isPerson adds the condition that the row which ON DUPLICATE KEY UPDATE got
// is the person's, or may become it.
func (l *layout) isPerson(q *query, p person) {
	sub := l.sub.of(l.table)
	if p.column == nil {
		l.sub.match(q, sub, p.Sub)
		return
	}
	p.column.match(q, p.column.of(l.table), p.Subject)
	q.add(" AND (" + noText(sub) + " OR ")
	l.sub.match(q, sub, p.Sub).add(")")
}

// noText: old programs write "" where they have nothing.
func noText(ref string) string { return "COALESCE(LENGTH(" + ref + "), 0) = 0" }

// newRow is the columns of a new row after its id, and their values, each with
// a comma before it. A column without a value is left to its default.
func (l *layout) newRow(p person) (fields string, values *query) {
	values = newQuery(", ?", l.sub.param(p.Sub))
	names := []string{l.sub.quoted()}
	if p.column != nil {
		names = append(names, p.column.quoted())
		values.add(", ?", p.column.param(p.Subject))
	}
	for _, w := range []struct {
		col   *column
		value func(column) string
	}{
		{l.email, func(c column) string { return c.address(p.Email) }},
		{l.name, func(c column) string { return c.label(p.Name) }},
	} {
		if w.col == nil {
			continue
		}
		if value := w.value(*w.col); value != "" || !w.col.hasDefault() {
			names = append(names, w.col.quoted())
			values.add(", ?", w.col.param(value))
		}
	}
	if p.at != "" {
		names = append(names, l.login.quoted())
		values.add(", "+timeParam, p.at)
	}
	if l.created != nil {
		names = append(names, l.created.quoted())
		values.add(", UTC_TIMESTAMP(" + strconv.Itoa(l.created.precision) + ")")
	}
	return ", " + strings.Join(names, ", "), values
}

// shortText is for ids that a statement cannot leave in its last insert id,
// which is a number: one statement for a row that is there, a second one to
// link or to create it.
func (s *Store) shortText(ctx context.Context, c *link, l *layout, p person) (users.Result, error) {
	m, err := s.find(ctx, c, l, p)
	if err != nil {
		return users.Result{}, err
	}
	switch m.verdict(p) {
	case verdictExisting:
		return m.existing(), nil
	case verdictCreate:
		return s.insert(ctx, c, c, l, p)
	case verdictLink:
		return s.link(ctx, c, c, l, p, m.byProvider)
	}
	return users.Result{}, nil
}
