package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
)

// kakaoExistingRowLinked: an old student's row gets the Cognito sub, and stays
// the same row otherwise.
func (c *checker) kakaoExistingRowLinked(ctx context.Context) (string, error) {
	before, err := c.oldStudent(ctx)
	if err != nil {
		return "", err
	}
	count, err := c.countRows(ctx)
	if err != nil {
		return "", err
	}
	v := newVisitor()
	// Another name than the row's: the organisation's name must stay.
	if err := signIn(ctx, v, c.w.board, person{"Kakao", before.kakaoID, "A nickname", ""}); err != nil {
		return "", err
	}
	after, err := c.row(ctx, "WHERE kakao_id = ?", before.kakaoID)
	if err != nil {
		return "", err
	}
	switch {
	case after.id != before.id:
		return "", fmt.Errorf("the Kakao id %s moved from row %d to row %d", before.kakaoID, before.id, after.id)
	case after.sub == "":
		return "", fmt.Errorf("row %d did not get a cognito_sub", after.id)
	case after.name != before.name:
		return "", fmt.Errorf("row %d was renamed from %q to %q", after.id, before.name, after.name)
	}
	if err := c.rowsAdded(ctx, count, 0); err != nil {
		return "", err
	}
	if err := c.poolAgrees(v, after); err != nil {
		return "", err
	}
	return fmt.Sprintf("row %d of Kakao id %s got its cognito_sub; no row was added", after.id, after.kakaoID), nil
}

// oldStudent returns a row with a Kakao id that no Cognito user has yet. One is
// added if all have been linked, as after a check of a kept folder.
func (c *checker) oldStudent(ctx context.Context) (tableRow, error) {
	const unlinked = "WHERE kakao_id IS NOT NULL AND cognito_sub IS NULL ORDER BY id LIMIT 1"
	var id int64
	err := c.db.QueryRowContext(ctx, "SELECT id FROM users "+unlinked).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = c.db.ExecContext(ctx, c.sql("INSERT INTO users (name, kakao_id) VALUES ('Another old student', ?)"),
			newKakaoPerson("").subject)
	}
	if err != nil {
		return tableRow{}, err
	}
	return c.row(ctx, unlinked)
}

// poolAgrees compares what the page shows and what the pool has stored with
// the row.
func (c *checker) poolAgrees(v *visitor, row tableRow) error {
	id := strconv.FormatInt(row.id, 10)
	if shown := v.page.text("user-id"); shown != id {
		return fmt.Errorf("the page shows userId %q, the row is %s", shown, id)
	}
	u, ok := c.w.pool.User(row.sub)
	if !ok {
		return fmt.Errorf("the pool has no user with the sub of row %s", id)
	}
	if got := u.Attributes["custom:userId"]; got != id {
		return fmt.Errorf("the pool's user has custom:userId %q, the row is %s", got, id)
	}
	return nil
}

// kakaoNewRowCreated: somebody whom the table does not know gets one row.
func (c *checker) kakaoNewRowCreated(ctx context.Context) (string, error) {
	who := newKakaoPerson("새 학생 New Student")
	row, err := c.signUpNew(ctx, who, "kakao_id")
	if err != nil {
		return "", err
	}
	if row.googleID != "" || row.name != who.name {
		return "", fmt.Errorf("row %d has name %q and google_id %q, want %q and none", row.id, row.name, row.googleID, who.name)
	}
	return fmt.Sprintf("row %d was made for Kakao id %s", row.id, who.subject), nil
}

// googleRowCreated: the same for an account that the old table never knew.
func (c *checker) googleRowCreated(ctx context.Context) (string, error) {
	who := newGooglePerson("Exchange Student")
	row, err := c.signUpNew(ctx, who, "google_id")
	if err != nil {
		return "", err
	}
	if row.kakaoID != "" || row.email != who.email {
		return "", fmt.Errorf("row %d has email %q and kakao_id %q, want %q and none", row.id, row.email, row.kakaoID, who.email)
	}
	return fmt.Sprintf("row %d was made for the Google account, without a Kakao id", row.id), nil
}

// signUpNew signs up somebody new, and once more from another browser: that
// must not make a second row.
func (c *checker) signUpNew(ctx context.Context, who person, column string) (tableRow, error) {
	count, err := c.countRows(ctx)
	if err != nil {
		return tableRow{}, err
	}
	v := newVisitor()
	if err := signIn(ctx, v, c.w.board, who); err != nil {
		return tableRow{}, err
	}
	if err := c.rowsAdded(ctx, count, 1); err != nil {
		return tableRow{}, err
	}
	row, err := c.row(ctx, "WHERE "+column+" = ?", who.subject)
	if err != nil {
		return tableRow{}, err
	}
	if err := c.poolAgrees(v, row); err != nil {
		return tableRow{}, err
	}
	again := newVisitor()
	if err := signIn(ctx, again, c.w.board, who); err != nil {
		return tableRow{}, fmt.Errorf("signing in again: %w", err)
	}
	if err := c.poolAgrees(again, row); err != nil {
		return tableRow{}, fmt.Errorf("signing in again: %w", err)
	}
	return row, c.rowsAdded(ctx, count, 1)
}

// firstTokenHasUserID: the very first tokens of a new user carry the row's id,
// both of them, as text.
func (c *checker) firstTokenHasUserID(ctx context.Context) (string, error) {
	var ids []string
	for _, who := range []person{newKakaoPerson("First Token"), newGooglePerson("First Token")} {
		count, err := c.countRows(ctx)
		if err != nil {
			return "", err
		}
		t, err := c.takeTokens(ctx, newVisitor(), c.w.board, who)
		if err != nil {
			return "", err
		}
		if err := c.rowsAdded(ctx, count, 1); err != nil {
			return "", err
		}
		id, err := c.tokensNameRow(ctx, t)
		if err != nil {
			return "", fmt.Errorf("%s: %w", who.provider, err)
		}
		ids = append(ids, id)
	}
	return fmt.Sprintf("both tokens of a new Kakao and a new Google user carry userId %s and %s", ids[0], ids[1]), nil
}

// tokensNameRow checks that both tokens carry the id of the row of their sub.
func (c *checker) tokensNameRow(ctx context.Context, t rawTokens) (id string, err error) {
	for _, token := range []struct{ use, raw string }{{"id", t.ID}, {"access", t.Access}} {
		m, err := claims(token.raw)
		if err != nil {
			return "", err
		}
		row, err := c.row(ctx, "WHERE cognito_sub = ?", m["sub"])
		if err != nil {
			return "", err
		}
		id = strconv.FormatInt(row.id, 10)
		if m["token_use"] != token.use || m["custom:userId"] != id {
			return "", fmt.Errorf("the %s token says token_use %v and custom:userId %v; the row is %s",
				token.use, m["token_use"], m["custom:userId"], id)
		}
	}
	return id, nil
}

// secondAppNoSecondLogin: who has signed in on one app is let in by the other
// without being asked anything.
func (c *checker) secondAppNoSecondLogin(ctx context.Context) (string, error) {
	who := newKakaoPerson("Two Apps")
	v := newVisitor()
	if err := signIn(ctx, v, c.w.board, who); err != nil {
		return "", err
	}
	id := v.page.text("user-id")
	if err := signedOut(ctx, v, c.w.desk); err != nil {
		return "", fmt.Errorf("before signing in on the desk: %w", err)
	}
	if err := v.follow(ctx, "Sign in"); err != nil {
		return "", err
	}
	pool := c.poolHost()
	if n := v.paused(pool); n != 0 {
		return "", fmt.Errorf("the pool asked %d time(s): %s", n, v.page.where())
	}
	if _, ok := v.hopTo(pool, "/oauth2/authorize"); !ok {
		return "", errors.New("the desk did not ask the pool at all")
	}
	if shown := v.page.text("user-id"); shown != id {
		return "", fmt.Errorf("the board knows userId %q, the desk %q%s", id, shown, v.page.problem())
	}
	// The same click by somebody whom the pool does not know must ask.
	stranger := newVisitor()
	if err := atHome(ctx, stranger, c.w.desk); err != nil {
		return "", err
	}
	if err := stranger.follow(ctx, "Sign in"); err != nil {
		return "", err
	}
	if stranger.paused(pool) != 1 {
		return "", fmt.Errorf("a stranger was not asked to sign in: %s", stranger.page.where())
	}
	return fmt.Sprintf("userId %s was let in by the desk with one click and no page; a stranger was asked", id), nil
}
