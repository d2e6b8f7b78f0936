package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// In recordSQL, {subs} is an array of texts and {=subs} the same array in the
// column's type, for its index. The planner must not see how long it is: for
// 1,000 it would rather read a table of 100,000 rows from one end to the other
// than use the index. Behind coalesce with an aggregate of nothing, which only
// lends its type, it reckons with ten. Rows are locked in the order of their
// ids, so that overlapping batches wait for each other instead of embracing.
const recordSQL = `WITH v AS MATERIALIZED (
	SELECT sub, max(at) AS at FROM unnest({subs}, {times}) AS x(sub, at) GROUP BY sub
), seen AS MATERIALIZED (
	SELECT t.{id} AS id, v.sub, v.at FROM {table} AS t JOIN v ON v.sub = t.{sub}::text COLLATE "C"
	WHERE t.{sub} = ANY (coalesce((SELECT array_agg(n.{sub}) FROM {table} AS n WHERE false), {=subs})) ORDER BY t.{id} FOR NO KEY UPDATE OF t
), u AS (
	UPDATE {table} AS t SET {login} = seen.at FROM seen
	WHERE t.{id} = seen.id AND (t.{login} IS NULL OR t.{login} < seen.at)
	RETURNING 1
)
SELECT 'updated', (SELECT count(*) FROM u)::text
UNION ALL
SELECT 'unknown', v.sub FROM v WHERE NOT EXISTS (SELECT FROM seen WHERE seen.sub = v.sub)`

// RecordSignIns implements [users.Store] with one statement for the batch. On
// a table without a column for it, it returns [users.ErrSchema].
func (s *Store) RecordSignIns(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	const op = "record sign-ins"
	if s.table.LastLogin == table.None {
		return users.SignInReport{}, fmt.Errorf("postgres: %s: %w: there is no column for them", op, users.ErrSchema)
	}
	latest := users.Latest(batch)
	if len(latest) == 0 {
		return users.SignInReport{}, fail(ctx, op, ctx.Err())
	}
	sql, a := s.recording(latest)
	var rows [][][]byte
	var err error
	for range attempts {
		if rows, err = s.query(ctx, sql, a); !lostRace(err) {
			break
		}
	}
	if err != nil {
		return users.SignInReport{}, fail(ctx, op, err)
	}
	return report(rows), nil
}

func (s *Store) recording(latest []users.SignIn) (string, *args) {
	subs, times := make([]string, len(latest)), make([]string, len(latest))
	for i, v := range latest {
		subs[i], times[i] = v.Sub, v.At.UTC().Format(time.RFC3339Nano)
	}
	a, all := &args{}, array(subs)
	return strings.NewReplacer("{table}", quote(s.table.Name), "{id}", quote(s.table.ID), "{sub}", quote(s.table.Sub),
		"{login}", quote(s.table.LastLogin), "{subs}", a.typed(all, pgtype.TextArrayOID),
		"{times}", a.typed(array(times), pgtype.TimestamptzArrayOID), "{=subs}", a.like(all)).Replace(recordSQL), a
}

func report(rows [][][]byte) (r users.SignInReport) {
	for _, row := range rows {
		if string(row[0]) == "unknown" {
			r.Unknown = append(r.Unknown, string(row[1]))
		} else {
			r.Updated, _ = strconv.Atoi(string(row[1])) // count(*) is a number
		}
	}
	slices.Sort(r.Unknown)
	return r
}
