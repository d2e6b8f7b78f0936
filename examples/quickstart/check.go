package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// stepTimeout bounds one step of the check; the timed users have timedTimeout each.
const (
	stepTimeout  = 60 * time.Second
	timedTimeout = 15 * time.Second
)

// step is one promise of the system, and how the check finds out whether it holds.
type step struct {
	name string
	run  func(*checker, context.Context) (detail string, err error)
}

// steps are in the order in which they run and are reported.
func steps() []step {
	return []step{
		{"kakao-existing-row-linked", (*checker).kakaoExistingRowLinked},
		{"kakao-new-row-created", (*checker).kakaoNewRowCreated},
		{"google-row-created", (*checker).googleRowCreated},
		{"first-token-has-userid", (*checker).firstTokenHasUserID},
		{"second-app-no-second-login", (*checker).secondAppNoSecondLogin},
		{"signin-queued-not-waited", (*checker).signInQueuedNotWaited},
		{"last-login-written", (*checker).lastLoginWritten},
		{"logout-ends-session", (*checker).logoutEndsSession},
		{"tampered-token-refused", (*checker).tamperedTokenRefused},
		{"wrong-client-refused", (*checker).wrongClientRefused},
		{"bad-input-clear-error", (*checker).badInputClearError},
	}
}

// report is what the check found.
type report struct {
	OK    bool         `json:"ok"`
	Steps []stepResult `json:"steps"`
	// SignUp and SignIn are what a person waits for, from the identity provider's
	// answer to the app's session: see [checker.timeUsers].
	SignUp timings `json:"signup_ms"`
	SignIn timings `json:"signin_ms"`
	// Problem says why users could not be timed; OK is false then.
	Problem string `json:"problem,omitempty"`
}

type stepResult struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// checker goes through the story as a person with a browser would, and looks
// at the results by other means than the code under check.
type checker struct {
	w  *world
	db *sql.DB
}

// runCheck runs every step, then times sign-ups and sign-ins of many users.
func runCheck(ctx context.Context, w *world, users int) report {
	c := &checker{w: w}
	r := report{OK: true}
	db, err := w.backend.raw.open()
	if err == nil {
		c.db = db
		defer func() { _ = db.Close() }()
	}
	for _, s := range steps() {
		res := stepResult{Name: s.name}
		if err != nil {
			res.Detail = err.Error()
		} else {
			res.Detail, res.OK = c.runStep(ctx, s)
		}
		r.OK = r.OK && res.OK
		r.Steps = append(r.Steps, res)
	}
	if err == nil {
		err = guard(func() error { return c.timeUsers(ctx, users, &r.SignUp, &r.SignIn) })
	}
	if err != nil {
		r.OK, r.Problem = false, err.Error()
	}
	return r
}

func (c *checker) runStep(ctx context.Context, s step) (detail string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	err := guard(func() (err error) {
		detail, err = s.run(c, ctx)
		return err
	})
	if err != nil {
		return err.Error(), false
	}
	return detail, true
}

// guard turns a panic into an error: a broken step must not hide the others.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

func (r report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

func (r report) writeTable(w io.Writer) {
	say(w, "\n")
	for _, s := range r.Steps {
		mark := "ok  "
		if !s.OK {
			mark = "FAIL"
		}
		say(w, "  %s  %-28s  %s\n", mark, s.Name, strings.ReplaceAll(s.Detail, "\n", "\n"+strings.Repeat(" ", 38)))
	}
	say(w, "\n  sign-up  %s\n  sign-in  %s\n", r.SignUp, r.SignIn)
	say(w, "  From the identity provider's answer until the app has the tokens and set its cookie.\n\n")
	if r.Problem != "" {
		say(w, "  Not all users could be timed: %s\n\n", r.Problem)
	}
	if r.OK {
		say(w, "  All %d steps are ok.\n\n", len(r.Steps))
	}
}

// tableRow is one row of the user table, as SQL reads it.
type tableRow struct {
	id                     int64
	sub, kakaoID, googleID string
	name, email            string
	lastLogin              moment
}

// moment is a time as any database gives it; nothing is the zero time.
type moment struct{ time.Time }

// Scan implements [sql.Scanner].
func (m *moment) Scan(v any) (err error) {
	switch v := v.(type) {
	case nil:
		m.Time = time.Time{}
	case time.Time:
		m.Time = v.UTC()
	case []byte:
		return m.Scan(string(v))
	case string:
		m.Time, err = time.Parse("2006-01-02 15:04:05.999999", strings.Replace(strings.TrimSuffix(v, "Z"), "T", " ", 1))
	default:
		err = fmt.Errorf("a time of the type %T", v)
	}
	return err
}

func scanRow(rows *sql.Rows) (r tableRow, err error) {
	var texts [5]sql.NullString
	err = rows.Scan(&r.id, &texts[0], &texts[1], &texts[2], &texts[3], &texts[4], &r.lastLogin)
	for i, to := range []*string{&r.sub, &r.kakaoID, &r.googleID, &r.name, &r.email} {
		*to = texts[i].String
	}
	return r, err
}

// sql writes the parameter as the database wants it.
func (c *checker) sql(query string) string {
	return strings.Replace(query, "?", c.w.backend.raw.parameter, 1)
}

// row reads the one row that the condition selects.
func (c *checker) row(ctx context.Context, where string, args ...any) (tableRow, error) {
	rows, err := c.db.QueryContext(ctx, c.sql("SELECT id, cognito_sub, kakao_id, google_id, name, email, last_login_at FROM users "+where), args...)
	if err != nil {
		return tableRow{}, err
	}
	defer func() { _ = rows.Close() }()
	var found []tableRow
	for rows.Next() {
		r, err := scanRow(rows)
		if err != nil {
			return tableRow{}, err
		}
		found = append(found, r)
	}
	if err := rows.Err(); err != nil {
		return tableRow{}, err
	}
	if len(found) != 1 {
		return tableRow{}, fmt.Errorf("%d rows of the user table match %s, want 1", len(found), where)
	}
	return found[0], nil
}

func (c *checker) countRows(ctx context.Context) (n int, err error) {
	err = c.db.QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(&n)
	return n, err
}

// rowsAdded fails unless the table grew by exactly want rows since before.
func (c *checker) rowsAdded(ctx context.Context, before, want int) error {
	after, err := c.countRows(ctx)
	if err != nil {
		return err
	}
	if after-before != want {
		return fmt.Errorf("the table grew by %d rows, want %d", after-before, want)
	}
	return nil
}

// wait asks until what is true or the time is over.
func wait(ctx context.Context, limit time.Duration, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		yes, err := ok()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if yes {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %s", what, limit)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
