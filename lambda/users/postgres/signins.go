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
// column's type, which an aggregate of nothing lends it, for the column's index.
//
// The two comparisons are of kinds that PostgreSQL can neither hash nor merge
// by. So it takes the batch one by one and looks each up by the index: for 1,000
// it would rather read a table of 100,000 rows from one end to the other. And so
// rows are locked in the order of the batch, which is that of the subs, and
// overlapping batches wait for each other instead of embracing.
//
// Who did not move forward is looked up only if somebody did not.
const recordSQL = `WITH v AS MATERIALIZED (
	SELECT n, sub, key, at FROM unnest({subs}, coalesce((SELECT array_agg(none.{sub}) FROM {table} AS none WHERE false), {=subs}), {times})
		WITH ORDINALITY AS x(sub, key, at, n)
), u AS (
	UPDATE {table} AS t SET {login} = v.at FROM v
	WHERE t.{sub} = ANY (ARRAY[v.key]) AND (t.{sub}::text COLLATE "C" = v.sub) IS TRUE AND (t.{login} IS NULL OR t.{login} < v.at)
	RETURNING v.n
), c AS MATERIALIZED (SELECT count(*) AS moved, count(DISTINCT n) AS subs FROM u)
SELECT 'updated', moved::text FROM c
UNION ALL
SELECT 'unknown', v.sub FROM v WHERE (SELECT subs FROM c) < cardinality({subs}) AND NOT EXISTS (
	SELECT FROM {table} AS t WHERE t.{sub} = ANY (ARRAY[v.key]) AND (t.{sub}::text COLLATE "C" = v.sub) IS TRUE)`

// RecordSignIns implements [users.Store] with one statement for the batch. On
// a table without a column for it, it returns [users.ErrSchema].
func (s *Store) RecordSignIns(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	const op = "record sign-ins"
	if s.table.LastLogin == table.None {
		return users.SignInReport{}, fmt.Errorf("postgres: %s: %w: there is no column for them", op, users.ErrSchema)
	}
	latest := users.Latest(batch)
	// Everybody locks rows in the same order.
	slices.SortFunc(latest, func(a, b users.SignIn) int { return strings.Compare(a.Sub, b.Sub) })
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
