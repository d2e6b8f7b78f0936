package postgres

import (
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// The statement in its parts. Names in braces are replaced: columns and the
// table by their quoted names, and by the placeholders of parameters
// {=sub} and {=subject} in the type of their columns and {sub!} and {subject!}
// as text. COLLATE "C" is equal to the letter, whatever collation a column has.
const (
	// s is the row of the sub, p that of the id at the provider. There are two
	// only in a table without unique indexes.
	findSub = `WITH s AS MATERIALIZED (
	SELECT t.{id} AS id, {prov} AS prov, t.{sub}::text COLLATE "C" = {sub!} AS exact
	FROM {table} AS t WHERE t.{sub} = {=sub} LIMIT 2 {lock}
)`
	findProvider = `, p AS MATERIALIZED (
	SELECT t.{id} AS id, coalesce(t.{sub}::text COLLATE "C", '') AS sub, {prov} = {subject!} AS exact
	FROM {table} AS t WHERE t.{provider} = {=subject} LIMIT 2 {lock}
)`
	// d is the decision, on those rows and what they held when they were seen.
	decideSub = `, d AS MATERIALIZED (
	SELECT s.id, {sub!} AS sub, '' AS prov, CASE
		WHEN {=sub}::text <> {sub!} THEN 'invalid'
		WHEN (SELECT count(*) FROM s) > 1 THEN 'ambiguous'
		WHEN NOT s.exact THEN 'conflict'
		WHEN s.id IS NULL THEN 'created'
		ELSE 'existing' END AS verdict
	FROM (SELECT) AS one LEFT JOIN s ON true LIMIT 1
)`
	decideBoth = `, d AS MATERIALIZED (
	SELECT coalesce(p.id, s.id) AS id, coalesce(p.sub, {sub!}) AS sub,
		CASE WHEN p.id IS NULL THEN s.prov ELSE {subject!} END AS prov, CASE
		WHEN {=sub}::text <> {sub!} OR {=subject}::text <> {subject!} THEN 'invalid'
		WHEN (SELECT count(*) FROM s) > 1 OR (SELECT count(*) FROM p) > 1 THEN 'ambiguous'
		WHEN NOT s.exact OR NOT p.exact THEN 'conflict'
		WHEN p.sub = {sub!} THEN 'existing'
		WHEN p.id IS NULL AND s.id IS NULL THEN 'created'
		WHEN p.id IS NULL AND s.prov = {subject!} THEN 'existing'
		WHEN p.id IS NULL AND s.prov = '' THEN 'completed'
		WHEN p.id IS NULL OR s.id IS NOT NULL THEN 'conflict'
		WHEN p.sub = '' THEN 'linked'
		ELSE '{moved}' END AS verdict
	FROM (SELECT) AS one LEFT JOIN s ON true LEFT JOIN p ON true LIMIT 1
)`
	// i makes a row. Who comes second waits for the first, and makes none.
	insert = `, i AS (
	INSERT INTO {table} ({columns}) SELECT {values} FROM d WHERE d.verdict = 'created'
	ON CONFLICT ({unique}) WHERE {unique} IS NOT NULL DO NOTHING RETURNING {id} AS id
)`
	// guard inserts nothing. It only has the planner insist on the unique index
	// of the sub, as ON CONFLICT above insists on the provider's. An index
	// WHERE … IS NOT NULL will do for both.
	guard = `, guard AS (
	INSERT INTO {table} ({sub}) SELECT {sub!} WHERE false
	ON CONFLICT ({sub}) WHERE {sub} IS NOT NULL DO NOTHING
)`
	// u writes both ids into the row, if it is still as it was seen: where
	// somebody else changed it meanwhile, PostgreSQL looks at the new version,
	// which is also what the last login is compared with.
	update = `, u AS (
	UPDATE {table} AS t SET {sub} = {=sub}, {provider} = {=subject}{login} FROM d
	WHERE d.verdict IN ('completed', 'linked', 'moved') AND t.{id} = d.id
		AND coalesce(t.{sub}::text COLLATE "C", '') = d.sub AND {prov} = d.prov
	RETURNING t.{id} AS id
)`
	// forward moves the last login of a row that gets the sub; greatest takes
	// no notice of NULL.
	forward = `, {lastlogin} = CASE WHEN d.verdict = 'completed' THEN t.{lastlogin} ELSE greatest(t.{lastlogin}, {at}) END`
	record  = `, m AS (
	INSERT INTO {moves} ("` + table.MovesUser + `", "` + table.MovesProvider + `", "` + table.MovesFrom + `", "` + table.MovesTo + `", "` + table.MovesAt + `")
	SELECT u.id::text, {providername!}, d.sub, {sub!}, now() FROM u, d WHERE d.verdict = 'moved'
)`
	// No id where a verdict should have one: a race was lost.
	finishSub = `
SELECT d.verdict, coalesce(i.id, d.id)::text FROM d LEFT JOIN i ON true`
	finishBoth = `
SELECT d.verdict, coalesce(i.id, u.id, CASE WHEN d.verdict = 'existing' THEN d.id END)::text
FROM d LEFT JOIN i ON true LEFT JOIN u ON true`
)

func (e *ensure) statement() (string, *args) {
	parts := []string{findSub, decideSub, insert, finishSub}
	if e.column.Name != "" {
		parts = []string{findSub, findProvider, decideBoth, insert, guard, update, finishBoth}
		if e.table.Moved == table.Adopt {
			parts = []string{findSub, findProvider, decideBoth, insert, guard, update, record, finishBoth}
		}
	}
	a := &args{}
	return e.names(a).Replace(strings.Join(parts, "")), a
}

// names fills in the parts, and adds their parameters to a.
func (e *ensure) names(a *args) *strings.Replacer {
	subAs, sub := a.like(e.id.Sub), a.text(e.id.Sub)
	pairs := []string{
		"{table}", quote(e.table.Name), "{moves}", quote(e.table.Moves), "{id}", quote(e.table.ID), "{sub}", quote(e.table.Sub),
		"{=sub}", subAs, "{sub!}", sub, "{lock}", e.locking(), "{moved}", string(e.move()),
	}
	columns, values := []string{quote(e.table.Sub)}, []string{sub}
	unique, prov := quote(e.table.Sub), "''"
	if e.column.Name != "" {
		provider := quote(e.column.Name)
		subjectAs, subject := e.subject(a), a.text(e.id.Subject)
		unique, prov = provider, "coalesce(t."+provider+"::text COLLATE \"C\", '')"
		columns, values = append(columns, provider), append(values, subjectAs)
		pairs = append(pairs, "{provider}", provider, "{=subject}", subjectAs, "{subject!}", subject)
		if e.table.Moved == table.Adopt {
			pairs = append(pairs, "{providername!}", a.text(e.id.Provider))
		}
	}
	more, theirs := e.decoration(a)
	columns, values = append(columns, more...), append(values, theirs...)
	login := ""
	if at, ok := e.signedIn(); ok {
		mark := a.typed(at.Format(time.RFC3339Nano), pgtype.TimestamptzOID)
		columns, values = append(columns, quote(e.table.LastLogin)), append(values, mark)
		login = strings.NewReplacer("{lastlogin}", quote(e.table.LastLogin), "{at}", mark).Replace(forward)
	}
	return strings.NewReplacer(append(pairs, "{unique}", unique, "{prov}", prov, "{login}", login,
		"{columns}", strings.Join(columns, ", "), "{values}", strings.Join(values, ", "))...)
}

// signedIn is the sign-in to record with the row, if there is one.
func (e *ensure) signedIn() (at time.Time, ok bool) {
	at, ok = e.id.SignedIn()
	return at, ok && e.table.LastLogin != table.None
}

func (e *ensure) locking() string {
	if e.lock {
		return "FOR UPDATE"
	}
	return ""
}

func (e *ensure) move() verdict {
	if e.table.Moved == table.Adopt {
		return moved
	}
	return refused
}

func (e *ensure) subject(a *args) string {
	if e.column.Type == table.SubjectNumber {
		return a.typed(e.id.Subject, pgtype.Int8OID)
	}
	return a.like(e.id.Subject)
}

// decoration are the other columns of a new row. One without a value is left
// out, so that the column's default holds.
func (e *ensure) decoration(a *args) (columns, values []string) {
	add := func(column, value string) {
		columns, values = append(columns, quote(column)), append(values, value)
	}
	switch e.table.IDType {
	case table.UUID:
		add(e.table.ID, a.typed(e.newID, pgtype.UUIDOID))
	case table.Text:
		add(e.table.ID, a.text(e.newID))
	case table.BigInt, table.Int: // the database numbers them
	}
	if e.table.Email != table.None && e.id.Email != "" {
		add(e.table.Email, a.text(e.id.Email))
	}
	if e.table.DisplayName != table.None && e.id.Name != "" {
		add(e.table.DisplayName, a.text(e.id.Name))
	}
	if e.table.Created != table.None {
		add(e.table.Created, "now()")
	}
	return columns, values
}
