package mysql_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// The server's own texts quote the values of a duplicate key, and a trigger
// may say anything. None of it comes out.
func TestErrorsQuoteNobody(t *testing.T) {
	t.Parallel()
	const signal = `CREATE TRIGGER guard BEFORE INSERT ON users FOR EACH ROW BEGIN IF NEW.name = 'signal' THEN
		SET @text = CONCAT('not ', NEW.email); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @text; END IF; END`
	f := setUp(t, strings.Replace(starter, "email varchar(255), name varchar(255)",
		"email varchar(255) NOT NULL UNIQUE, name varchar(255), CHECK (cognito_sub <> 'secret-checked')", 1)+";"+moves+";"+signal, table.Config{Moved: table.Refuse})
	who := func(sub, subject, email, name string) users.Identity {
		return users.Identity{Sub: sub, Provider: "Kakao", Subject: subject, Email: email, Name: name}
	}
	ensure(t, f, who("secret-sub", "secret-subject", "secret@example.test", "secret name"))
	ensure(t, f, users.Identity{Sub: "secret-other", Email: "secret-other@example.test"})
	for name, row := range map[string]struct {
		who  users.Identity
		want error // nil: any
	}{
		"duplicate email":   {who("secret-new", "secret-newer", "secret@example.test", "secret name"), users.ErrConflict},
		"two rows":          {who("secret-other", "secret-subject", "secret@example.test", ""), users.ErrConflict},
		"another id":        {who("secret-sub", "secret-third", "", ""), users.ErrConflict},
		"refused move":      {who("secret-third", "secret-subject", "", ""), users.ErrMoveRefused},
		"a check":           {who("secret-checked", "secret-fourth", "secret-4@example.test", ""), users.ErrSchema},
		"a trigger":         {who("secret-fifth", "secret-fifth", "secret-5@example.test", "signal"), nil},
		"an identity alone": {who("", "secret-sixth", "secret-6@example.test", "secret name"), users.ErrInvalid},
	} {
		got, err := f.Ensure(t.Context(), row.who)
		if err == nil || row.want != nil && !errors.Is(err, row.want) {
			t.Errorf("%s: Ensure = %+v, %v, want %v", name, got, err, row.want)
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), "secret") || strings.Contains(e.Error(), "example") {
				t.Errorf("%s: the error quotes somebody: %v", name, e)
			}
		}
		for _, kind := range []error{users.ErrUnavailable, users.ErrNotFound, users.ErrAmbiguous} {
			if errors.Is(err, kind) {
				t.Errorf("%s: %v is %v", name, err, kind)
			}
		}
	}
	if n := scalar(t, f.db, "SELECT COUNT(*) FROM users"); n != "2" {
		t.Errorf("%s rows", n)
	}
}

// A time that the column cannot hold neither fails the batch nor is written.
func TestSignInsBeyondTheColumn(t *testing.T) {
	t.Parallel()
	f := setUp(t, strings.Replace(starter, "last_login_at datetime(6)", "last_login_at timestamp NULL", 1)+";"+moves, table.Config{})
	for _, sub := range []string{"a", "b", "c"} {
		ensure(t, f, users.Identity{Sub: sub})
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 999_999_999, time.UTC)
	batch := []users.SignIn{{Sub: "a", At: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}, {Sub: "b", At: at}, {Sub: "c", At: time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)}}
	if report, err := f.RecordSignIns(t.Context(), batch); err != nil || report.Updated != 1 || len(report.Unknown) != 0 {
		t.Errorf("RecordSignIns = %+v, %v", report, err)
	}
	// Cut, not rounded: the same batch again is not later than itself.
	if u, err := f.Get(t.Context(), "2"); err != nil || !u.LastLogin.Equal(at.Truncate(time.Second)) {
		t.Errorf("row = %+v, %v", u, err)
	}
	if report, err := f.RecordSignIns(t.Context(), batch); err != nil || report.Updated != 0 || len(report.Unknown) != 0 {
		t.Errorf("RecordSignIns = %+v, %v", report, err)
	}
}

// What the table refuses of one person's is not called a fault of the table: so
// the consumer looks for whose it is, and the others do not follow it into the
// dead-letter queue.
func TestOneOfABatchIsRefused(t *testing.T) {
	t.Parallel()
	f := setUp(t, starter+";"+moves+"; ALTER TABLE users ADD CONSTRAINT early CHECK (cognito_sub <> 'secret-sub' OR last_login_at IS NULL)", table.Config{})
	for _, sub := range []string{"secret-sub", "b"} {
		ensure(t, f, users.Identity{Sub: sub})
	}
	one, other := users.SignIn{Sub: "secret-sub", At: entered}, users.SignIn{Sub: "b", At: entered}
	for _, batch := range [][]users.SignIn{{one, other}, {one}} {
		report, err := f.RecordSignIns(t.Context(), batch)
		if !errors.Is(err, users.ErrInvalid) || errors.Is(err, users.ErrSchema) || report.Updated != 0 || strings.Contains(err.Error(), "secret") {
			t.Errorf("RecordSignIns = %+v, %v", report, err)
		}
	}
	if report, err := f.RecordSignIns(t.Context(), []users.SignIn{other}); err != nil || report.Updated != 1 {
		t.Errorf("RecordSignIns = %+v, %v", report, err)
	}
}
