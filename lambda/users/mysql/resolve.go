package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// row is one that carries the person's sub or the provider's id.
type row struct{ id, sub, provider string }

// matches are the rows of a person; nil where there is none.
type matches struct{ bySub, byProvider *row }

type verdict int

const (
	verdictCreate verdict = iota
	verdictExisting
	verdictAttach // the row was made before the provider was known or configured
	verdictLink
	verdictMove
	verdictOtherID // the row of the sub has another id at the provider
	verdictTwoRows // sub and provider id are on two rows
)

// existing is the row of a person who has both.
func (m matches) existing() users.Result {
	r := m.byProvider
	if r == nil {
		r = m.bySub
	}
	return users.Result{ID: r.id, Outcome: users.Existing}
}

func (m matches) verdict(p person) verdict {
	switch {
	case m.bySub == nil && m.byProvider == nil:
		return verdictCreate
	case p.column == nil, m.byProvider != nil && m.byProvider.sub == p.Sub:
		// The second even if the lookup by sub found nothing: somebody may
		// have committed between the two.
		return verdictExisting
	case m.bySub != nil && m.byProvider != nil:
		return verdictTwoRows
	case m.byProvider == nil && m.bySub.provider == "":
		return verdictAttach
	case m.byProvider == nil:
		return verdictOtherID
	case m.byProvider.sub == "":
		return verdictLink
	default:
		return verdictMove
	}
}

// resolve is the long way: it locks what it finds and decides in a
// transaction. A duplicate key there is a race, which another try finds won or
// lost; or a key that is in the way: an email that the organisation's table
// wants to be unique, or a sub that its collation takes for another one.
func (s *Store) resolve(ctx context.Context, c *link, l *layout, p person) (res users.Result, err error) {
	const tries = 3
	for range tries {
		err = c.inTx(ctx, func(tx *sql.Tx) error {
			res, err = s.decide(ctx, c, tx, l, p)
			return err
		})
		if err != nil && !isDuplicate(err) {
			return users.Result{}, err
		}
		if err == nil && res.ID != "" {
			return res, nil
		}
		p = l.withoutKeys(p)
	}
	return users.Result{}, fmt.Errorf("%w: another row has a value that must be unique", users.ErrConflict)
}

// withoutKeys leaves out what a new row can do without and what another row
// may have: an email of an old row must not keep its owner out, nor identify
// anybody.
func (l *layout) withoutKeys(p person) person {
	if l.emailKey {
		p.Email = ""
	}
	if l.nameKey {
		p.Name = ""
	}
	return p
}

func (s *Store) decide(ctx context.Context, c *link, tx *sql.Tx, l *layout, p person) (users.Result, error) {
	m, err := s.lock(ctx, c, tx, l, p)
	if err != nil {
		return users.Result{}, err
	}
	switch m.verdict(p) {
	case verdictCreate:
		return s.insert(ctx, c, tx, l, p)
	case verdictExisting:
		return m.existing(), nil
	case verdictAttach:
		return s.attach(ctx, c, tx, l, p, m.bySub)
	case verdictLink:
		return s.link(ctx, c, tx, l, p, m.byProvider)
	case verdictMove:
		return s.move(ctx, c, tx, l, p, m.byProvider)
	case verdictOtherID:
		return users.Result{}, fmt.Errorf("%w: the row of the sub has another id at the provider", users.ErrConflict)
	default:
		return users.Result{}, fmt.Errorf("%w: sub and provider id are on two rows", users.ErrConflict)
	}
}

// selectRow begins a lookup whose condition follows.
func (l *layout) selectRow(mark string, p person) *query {
	provider := "NULL"
	if p.column != nil {
		provider = p.column.quoted()
	}
	return newQuery("SELECT '" + mark + "', " + l.id.quoted() + ", " + l.sub.quoted() + ", " + provider + " FROM " + l.table + " WHERE ")
}

func (l *layout) selectBySub(p person) *query {
	return l.sub.match(l.selectRow("s", p), l.sub.quoted(), p.Sub)
}

func (l *layout) selectByProvider(p person) *query {
	return p.column.match(l.selectRow("p", p), p.column.quoted(), p.Subject)
}

// find looks without locking, in one statement.
func (s *Store) find(ctx context.Context, c *link, l *layout, p person) (m matches, err error) {
	q := l.selectBySub(p)
	if p.column != nil {
		other := l.selectByProvider(p)
		q.add(" UNION ALL ").add(other.text.String(), other.args...)
	}
	err = s.collect(ctx, c, c, l, q, &m)
	return m, err
}

// lock looks with FOR UPDATE: what it finds stays so until the transaction
// ends.
func (s *Store) lock(ctx context.Context, c *link, tx *sql.Tx, l *layout, p person) (m matches, err error) {
	err = s.collect(ctx, c, tx, l, l.selectBySub(p).add(" FOR UPDATE"), &m)
	if err == nil && p.column != nil {
		err = s.collect(ctx, c, tx, l, l.selectByProvider(p).add(" FOR UPDATE"), &m)
	}
	return m, err
}

func (s *Store) collect(ctx context.Context, c *link, on execer, l *layout, q *query, m *matches) error {
	rows, err := c.rows(ctx, on, 4, q)
	if err != nil {
		return err
	}
	for _, r := range rows {
		id, err := l.idText(r[1])
		if err != nil {
			return err
		}
		into := &m.bySub
		if r[0].String == "p" {
			into = &m.byProvider
		}
		if *into != nil { // fail closed: the unique index has gone since it was looked at
			return fmt.Errorf("%w: the table lacks a unique index", users.ErrAmbiguous)
		}
		*into = &row{id: id, sub: r[2].String, provider: r[3].String}
	}
	return nil
}

// idText is the id of a row as text.
func (l *layout) idText(raw sql.NullString) (string, error) {
	id, ok := l.form.text(raw.String)
	if !ok || !raw.Valid {
		return "", fmt.Errorf("%w: column %s has an id beyond 63 bits", users.ErrSchema, l.cfg.ID)
	}
	return id, nil
}

// insert makes the row.
func (s *Store) insert(ctx context.Context, c *link, on execer, l *layout, p person) (users.Result, error) {
	fields, values := l.newRow(p)
	id := "NULL"
	q := newQuery("INSERT INTO " + l.table + " (" + l.id.quoted() + fields + ") VALUES (")
	if l.form == formNumber {
		q.add("NULL")
	} else {
		id = s.ids.next()
		param, _ := l.form.value(id)
		q.add("?", param)
	}
	_, last, err := c.exec(ctx, on, q.add(values.text.String()+")", values.args...))
	if err != nil {
		return users.Result{}, err
	}
	if l.form == formNumber {
		if last <= 0 {
			return users.Result{}, fmt.Errorf("%w: column %s has run out of 63 bits", users.ErrSchema, l.cfg.ID)
		}
		id = strconv.FormatInt(last, 10)
	}
	return p.result(id, users.Created), nil
}

// byID adds the condition that a row has an id that was read from it.
func (l *layout) byID(q *query, id string) *query {
	param, _ := l.form.value(id)
	if l.form == formText {
		return l.id.match(q, l.id.quoted(), id)
	}
	return q.add(l.id.quoted()+" = ?", param)
}

// link gives a row without a sub its sub. It says nothing if the row is not so
// any more.
func (s *Store) link(ctx context.Context, c *link, on execer, l *layout, p person, r *row) (users.Result, error) {
	q := l.give(p)
	l.byID(q, r.id).add(" AND " + noText(l.sub.quoted()) + " AND ")
	changed, _, err := c.exec(ctx, on, p.column.match(q, p.column.quoted(), p.Subject))
	if err != nil || changed == 0 {
		return users.Result{}, err
	}
	return p.result(r.id, users.Linked), nil
}

// give begins the statement that gives a row its sub, and moves its last login
// forward.
func (l *layout) give(p person) *query {
	q := newQuery("UPDATE "+l.table+" SET "+l.sub.quoted()+" = ?", l.sub.param(p.Sub))
	if p.at != "" {
		login := l.login.quoted()
		q.add(", "+login+" = CASE WHEN "+login+" IS NULL OR "+login+" < "+timeParam+" THEN "+timeParam+" ELSE "+login+" END", p.at, p.at)
	}
	return q.add(" WHERE ")
}

// attach gives a row that is known by its sub the provider's id.
func (s *Store) attach(ctx context.Context, c *link, tx *sql.Tx, l *layout, p person, r *row) (users.Result, error) {
	q := newQuery("UPDATE "+l.table+" SET "+p.column.quoted()+" = ? WHERE ", p.column.param(p.Subject))
	_, _, err := c.exec(ctx, tx, l.byID(q, r.id))
	return users.Result{ID: r.id, Outcome: users.Existing}, err
}

// move gives a row to another sub, and writes down that it did.
func (s *Store) move(ctx context.Context, c *link, tx *sql.Tx, l *layout, p person, r *row) (users.Result, error) {
	if l.cfg.Moved == table.Refuse {
		return users.Result{}, users.ErrMoveRefused
	}
	if _, _, err := c.exec(ctx, tx, l.byID(l.give(p), r.id)); err != nil {
		return users.Result{}, err
	}
	record := newQuery("INSERT INTO "+quote(l.cfg.Moves)+" ("+quote(table.MovesUser)+", "+quote(table.MovesProvider)+", "+
		quote(table.MovesFrom)+", "+quote(table.MovesTo)+", "+quote(table.MovesAt)+") VALUES (?, ?, ?, ?, UTC_TIMESTAMP(6))",
		r.id, p.Provider, r.sub, p.Sub)
	if _, _, err := c.exec(ctx, tx, record); err != nil {
		return users.Result{}, err
	}
	return p.result(r.id, users.Moved), nil
}
