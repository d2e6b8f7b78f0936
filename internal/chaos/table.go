package chaos

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Conn is a connection of the reader's own to the database: plain SQL, with no
// code of the stores.
type Conn interface {
	Exec(ctx context.Context, query string) error
	// Query returns the rows as text; NULL is "".
	Query(ctx context.Context, query string) ([][]string, error)
}

// Table is the user table as the reader sees it, and the stage hand who
// prepares it: the organisation's old rows, and a journal that the database
// itself keeps of every change, so that no moment is missed.
type Table struct {
	Conn    Conn
	Dialect Dialect
}

// Legacy is a row of the organisation's old table.
type Legacy struct {
	ID                                  int64
	Kakao, Email, Name, StudentNo, Note string
}

// row is one row of the table.
type row struct {
	id                    int64
	sub, kakao, google    string
	email, name, no, note string
	login                 time.Time
}

// at is the id that the row has at the provider.
func (r row) at(provider string) string {
	switch provider {
	case "Kakao":
		return r.kakao
	case "Google":
		return r.google
	}
	return ""
}

// change is an entry of the journal; of an insert the old half is empty.
type change struct {
	op       string
	old, now row
}

// Prepare makes the table, the old rows, the journal and the faults.
func (t *Table) Prepare(ctx context.Context, seed uint64, old []*Legacy) error {
	for _, q := range t.Dialect.Create {
		if err := t.Conn.Exec(ctx, strings.ReplaceAll(q, "SEED", strconv.FormatUint(seed, 10))); err != nil {
			return fmt.Errorf("chaos: prepare: %w", err)
		}
	}
	for _, l := range old {
		if err := t.Conn.Exec(ctx, fmt.Sprintf(
			"INSERT INTO users (id, kakao_id, email, name, student_no, note) VALUES (%d, %s, %s, %s, %s, %s)",
			l.ID, literal(l.Kakao), literal(l.Email), literal(l.Name), literal(l.StudentNo), literal(l.Note))); err != nil {
			return fmt.Errorf("chaos: old rows: %w", err)
		}
	}
	for _, q := range t.Dialect.Watch {
		if err := t.Conn.Exec(ctx, strings.ReplaceAll(q, "SEED", strconv.FormatUint(seed, 10))); err != nil {
			return fmt.Errorf("chaos: journal: %w", err)
		}
	}
	return nil
}

// literal is a string of the chaos world, which has no quotes in it.
func literal(s string) string { return "'" + s + "'" }

// Calm ends the faults of the database itself, and counts them.
func (t *Table) Calm(ctx context.Context) (raised int, err error) {
	if t.Dialect.Calm == "" {
		return 0, nil
	}
	got, err := t.Conn.Query(ctx, t.Dialect.Raised)
	if err != nil {
		return 0, err
	}
	if raised, err = strconv.Atoi(got[0][0]); err != nil {
		return 0, err
	}
	return raised, t.Conn.Exec(ctx, t.Dialect.Calm)
}

func (t *Table) rows(ctx context.Context) ([]row, error) {
	got, err := t.Conn.Query(ctx, "SELECT "+t.Dialect.columns("")+" FROM users ORDER BY id")
	if err != nil {
		return nil, err
	}
	all := make([]row, len(got))
	for i, fields := range got {
		if all[i], err = parseRow(fields); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (t *Table) journal(ctx context.Context) ([]change, error) {
	got, err := t.Conn.Query(ctx, "SELECT op, "+t.Dialect.columns("old_")+", "+t.Dialect.columns("new_")+" FROM chaos_journal ORDER BY n")
	if err != nil {
		return nil, err
	}
	all := make([]change, len(got))
	for i, fields := range got {
		all[i].op = fields[0]
		half := (len(fields) - 1) / 2
		if all[i].old, err = parseRow(fields[1 : 1+half]); err != nil {
			return nil, err
		}
		if all[i].now, err = parseRow(fields[1+half:]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// parseRow reads what Dialect.columns selects.
func parseRow(f []string) (r row, err error) {
	if f[0] != "" {
		if r.id, err = strconv.ParseInt(f[0], 10, 64); err != nil {
			return r, err
		}
	}
	r.sub, r.kakao, r.google, r.email, r.name, r.no, r.note = f[1], f[2], f[3], f[4], f[5], f[6], f[7]
	if f[8] == "" {
		return r, nil
	}
	r.login, err = time.Parse("2006-01-02 15:04:05.000000", strings.NewReplacer("T", " ", "Z", "").Replace(f[8]))
	return r, err
}
