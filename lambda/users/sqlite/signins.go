package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// RecordSignIns implements [users.Store] with one statement for the batch, and
// one more to tell who is unknown if not every row moved forward.
func (s *Store) RecordSignIns(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	if s.cfg.Table.LastLogin == table.None {
		return users.SignInReport{}, fmt.Errorf("sqlite: record sign-ins: %w: no column for the last login is configured", users.ErrSchema)
	}
	latest := users.Latest(batch)
	if len(latest) == 0 {
		return users.SignInReport{}, ctxError(ctx, "record sign-ins")
	}
	pairs := make([][2]string, len(latest))
	for i, v := range latest {
		pairs[i] = [2]string{v.Sub, stamp(v.At)}
	}
	param, err := json.Marshal(pairs)
	if err != nil {
		return users.SignInReport{}, err
	}
	var report users.SignInReport
	err = s.inTx(ctx, "record sign-ins", func(tx *sql.Tx) error {
		updated, err := subs(ctx, tx, s.sql.login, string(param))
		if err != nil {
			return err
		}
		report = users.SignInReport{Updated: len(updated)}
		if len(updated) == len(latest) {
			return nil
		}
		report.Unknown, err = subs(ctx, tx, s.sql.unknown, string(param))
		return err
	})
	if err != nil {
		return users.SignInReport{}, err
	}
	slices.Sort(report.Unknown)
	return report, nil
}

func ctxError(ctx context.Context, op string) error { return classify(ctx, op, ctx.Err()) }

// subs runs a statement that returns one text a row.
func subs(ctx context.Context, tx *sql.Tx, query, param string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, query, param)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var sub string
		if err := rows.Scan(&sub); err != nil {
			return nil, err
		}
		out = append(out, sub)
	}
	return out, rows.Err()
}
