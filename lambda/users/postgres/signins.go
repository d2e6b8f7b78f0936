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

// In both statements {subs} is an array of texts and {=subs} the same array in
// the column's type, which an aggregate of nothing lends it, for the column's
// index.
//
// The two comparisons are of kinds that PostgreSQL can neither hash nor merge
// by. So it takes the batch one by one and looks each up by the index: for 1,000
// it would rather read a table of 100,000 rows from one end to the other. And so
// rows are locked in the order of the batch, which is that of the subs, and
// overlapping batches wait for each other instead of embracing.
//
// Nothing is prepared, so each batch is planned anew. Who is unknown is asked
// only if somebody did not move forward: to plan that too would be a quarter of
// the time of one sign-in and a seventh of 100, for what is hardly ever needed.
const (
	batchSQL = `unnest({subs}, coalesce((SELECT array_agg(none.{sub}) FROM {table} AS none WHERE false), {=subs})`
	isSubSQL = `t.{sub} = ANY (ARRAY[v.key]) AND (t.{sub}::text COLLATE "C" = v.sub) IS TRUE`

	forwardSQL = `UPDATE {table} AS t SET {login} = v.at FROM ` + batchSQL + `, {times}) WITH ORDINALITY AS v(sub, key, at, n)
WHERE ` + isSubSQL + ` AND (t.{login} IS NULL OR t.{login} < v.at) RETURNING v.n`

	unknownSQL = `SELECT v.sub FROM ` + batchSQL + `) AS v(sub, key) WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE ` + isSubSQL + `)`
)

// RecordSignIns implements [users.Store] with one statement for the batch, and
// one more to tell who is unknown if not everybody moved forward. On a table
// without a column for it, it returns [users.ErrSchema].
func (s *Store) RecordSignIns(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	const op = "record sign-ins"
	if s.table.LastLogin == table.None {
		return users.SignInReport{}, fmt.Errorf("postgres: %s: %w: there is no column for them", op, users.ErrSchema)
	}
	latest := users.Latest(batch)
	if len(latest) == 0 {
		return users.SignInReport{}, fail(ctx, op, ctx.Err())
	}
	// Everybody locks rows in the same order.
	slices.SortFunc(latest, func(a, b users.SignIn) int { return strings.Compare(a.Sub, b.Sub) })
	report, err := s.record(ctx, latest)
	if err != nil {
		return users.SignInReport{}, failBatch(ctx, op, err)
	}
	return report, nil
}

func (s *Store) record(ctx context.Context, latest []users.SignIn) (r users.SignInReport, err error) {
	var moved [][][]byte
	sql, a := s.forward(latest)
	for range attempts {
		if moved, err = s.query(ctx, sql, a); !lostRace(err) {
			break
		}
	}
	if err != nil {
		return r, err
	}
	r.Updated = len(moved)
	left := notMoved(latest, moved)
	if len(left) == 0 {
		return r, nil
	}
	sql, a = s.unknown(left)
	rows, err := s.query(ctx, sql, a)
	for _, row := range rows {
		r.Unknown = append(r.Unknown, string(row[0]))
	}
	slices.Sort(r.Unknown)
	return r, err
}

func (s *Store) forward(latest []users.SignIn) (string, *args) {
	subs, times := make([]string, len(latest)), make([]string, len(latest))
	for i, v := range latest {
		subs[i], times[i] = v.Sub, v.At.UTC().Format(time.RFC3339Nano)
	}
	return s.about(forwardSQL, subs, times)
}

func (s *Store) unknown(subs []string) (string, *args) { return s.about(unknownSQL, subs, nil) }

// about fills in one of the statements above.
func (s *Store) about(sql string, subs, times []string) (string, *args) {
	a, all := &args{}, array(subs)
	with := []string{"{table}", quote(s.table.Name), "{sub}", quote(s.table.Sub), "{login}", quote(s.table.LastLogin),
		"{subs}", a.typed(all, pgtype.TextArrayOID), "{=subs}", a.like(all)}
	if times != nil {
		with = append(with, "{times}", a.typed(array(times), pgtype.TimestamptzArrayOID))
	}
	return strings.NewReplacer(with...).Replace(sql), a
}

// notMoved are the subs of the batch without a row among those that moved, of
// which each is told by its number, from 1. Several may be of one sub, where the
// table lacks the index that forbids it.
func notMoved(latest []users.SignIn, moved [][][]byte) []string {
	seen := make([]bool, len(latest))
	for _, row := range moved {
		if n, err := strconv.Atoi(string(row[0])); err == nil && n >= 1 && n <= len(latest) {
			seen[n-1] = true
		}
	}
	var left []string
	for i, v := range latest {
		if !seen[i] {
			left = append(left, v.Sub)
		}
	}
	return left
}
