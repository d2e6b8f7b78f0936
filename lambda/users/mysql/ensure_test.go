package mysql_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/mysql"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// What the README promises of a sign-up, counted on the wire.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	uuid := strings.Replace(starter, "bigint NOT NULL AUTO_INCREMENT", "char(36) NOT NULL", 1)
	for _, row := range []struct {
		name            string
		script          string
		layout          table.Config
		created, linked int
	}{
		{"numbers", starter, table.Config{}, 1, 1},
		{"uuid", uuid, table.Config{IDType: table.UUID}, 2, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var p *proxy
			f := setUp(t, row.script+";"+moves, row.layout, func(cfg *mysql.Config) {
				p, cfg.Conn.MaxConns = through(t, cfg), 1
			})
			if _, err := f.AddLegacy(t.Context(), "Kakao", "1"); err != nil {
				t.Fatal(err)
			}
			if err := f.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := len(p.took()); got != 3 { // two to set the session up, one to look
				t.Errorf("the first use took %d statements, want 3", got)
			}
			for _, step := range []struct {
				name string
				want int
				call func() error
			}{
				{"linked", row.linked, wants(t, f, kakao("a", 1), users.Linked)},
				{"existing", 1, wants(t, f, kakao("a", 1), users.Existing)},
				{"created", row.created, wants(t, f, kakao("b", 2), users.Created)},
				{"existing, created here", 1, wants(t, f, kakao("b", 2), users.Existing)},
				{"created without provider", row.created, wants(t, f, users.Identity{Sub: "c", At: entered}, users.Created)},
				{"existing without provider", 1, wants(t, f, users.Identity{Sub: "c"}, users.Existing)},
				{"sign-ins", 1, func() error {
					_, err := f.RecordSignIns(t.Context(), []users.SignIn{{Sub: "a", At: time.Now()}, {Sub: "b", At: time.Now()}})
					return err
				}},
				{"sign-ins with an unknown one", 2, func() error {
					_, err := f.RecordSignIns(t.Context(), []users.SignIn{{Sub: "a", At: time.Now().Add(time.Hour)}, {Sub: "x", At: time.Now()}})
					return err
				}},
				{"id by sub", 1, func() error { _, err := f.IDBySub(t.Context(), "a"); return err }},
				{"page", 1, func() error { _, err := f.Page(t.Context(), "", 10); return err }},
			} {
				if err := step.call(); err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
				if took := p.took(); len(took) != step.want {
					t.Errorf("%s: %d round trips, want %d:\n%s", step.name, len(took), step.want, strings.Join(took, "\n"))
				}
			}
			if n := p.connections(); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

func wants(t *testing.T, s users.Store, id users.Identity, want users.Outcome) func() error {
	t.Helper()
	return func() error {
		got, err := s.Ensure(t.Context(), id)
		if err == nil && got.Outcome != want {
			err = fmt.Errorf("outcome %s, want %s", got.Outcome, want)
		}
		return err
	}
}

// A call for a row that is there takes no number from the table.
func TestExistingBurnsNoIDs(t *testing.T) {
	t.Parallel()
	f := setUp(t, starter+";"+moves, table.Config{})
	ensure(t, f, kakao("a", 1))
	for range 10 {
		ensure(t, f, kakao("a", 1))
	}
	if got := ensure(t, f, kakao("b", 2)); got.ID != "2" {
		t.Errorf("the second row has the id %s", got.ID)
	}
}

// The collation takes these for one another; they are different people.
func TestCollation(t *testing.T) {
	t.Parallel()
	for _, collation := range []string{"utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_bin"} {
		for _, pair := range [][2]string{{"abc", "ABC"}, {"ABC", "abc"}, {"abc", "abc "}, {"abc ", "abc"}, {"abc", "ábc"}} {
			if collation == "utf8mb4_bin" && !strings.Contains(pair[0]+pair[1], " ") {
				continue
			}
			t.Run(collation+"/"+pair[0]+"/"+pair[1], func(t *testing.T) {
				t.Parallel()
				f := setUp(t, strings.ReplaceAll(starter, "utf8mb4_nopad_bin", collation)+";"+moves, table.Config{})
				collide(t, f, pair[0], pair[1])
			})
		}
	}
}

func collide(t *testing.T, f fixture, mine, other string) {
	t.Helper()
	first := ensure(t, f, users.Identity{Sub: mine})
	if got, err := f.Ensure(t.Context(), users.Identity{Sub: other}); !errors.Is(err, users.ErrConflict) {
		t.Errorf("Ensure = %+v, %v, want ErrConflict", got, err)
	}
	if id, err := f.IDBySub(t.Context(), other); !errors.Is(err, users.ErrNotFound) {
		t.Errorf("IDBySub = %q, %v", id, err)
	}
	report, err := f.RecordSignIns(t.Context(), []users.SignIn{{Sub: other, At: time.Now()}})
	if err != nil || report.Updated != 0 || len(report.Unknown) != 1 {
		t.Errorf("RecordSignIns = %+v, %v", report, err)
	}
	both, err := f.RecordSignIns(t.Context(), []users.SignIn{{Sub: other, At: time.Now()}, {Sub: mine, At: time.Unix(1e9, 0)}})
	if err != nil || both.Updated != 1 || len(both.Unknown) != 1 || both.Unknown[0] != other {
		t.Errorf("RecordSignIns = %+v, %v", both, err)
	}
	if u, err := f.Get(t.Context(), first.ID); err != nil || !u.LastLogin.Equal(time.Unix(1e9, 0)) {
		t.Errorf("row = %+v, %v", u, err)
	}
	// The same of ids at the provider, on an old row.
	old, err := f.AddLegacy(t.Context(), "Kakao", mine)
	if err != nil {
		t.Fatal(err)
	}
	stranger := users.Identity{Sub: "s", Provider: "Kakao", Subject: other}
	if got, err := f.Ensure(t.Context(), stranger); !errors.Is(err, users.ErrConflict) {
		t.Errorf("Ensure = %+v, %v, want ErrConflict", got, err)
	}
	if got := ensure(t, f, users.Identity{Sub: "t", Provider: "Kakao", Subject: mine}); got.ID != old || got.Outcome != users.Linked {
		t.Errorf("Ensure = %+v, want %s linked", got, old)
	}
	// And with two rows, each with one half of a stranger.
	half := users.Identity{Sub: other, Provider: "Kakao", Subject: mine}
	if got, err := f.Ensure(t.Context(), half); !errors.Is(err, users.ErrConflict) {
		t.Errorf("Ensure = %+v, %v, want ErrConflict", got, err)
	}
	if n := scalar(t, f.db, "SELECT COUNT(*) FROM users"); n != "2" {
		t.Errorf("%s rows", n)
	}
}

// What a column would cut off, trim or round is nobody's.
func TestColumnsThatCannotHoldAnID(t *testing.T) {
	t.Parallel()
	f := setUp(t, `CREATE TABLE users (id bigint AUTO_INCREMENT PRIMARY KEY, cognito_sub char(36) CHARACTER SET ascii,
		kakao_id bigint unsigned, google_id varchar(10) CHARACTER SET latin1, email varchar(20) CHARACTER SET utf8mb3, name varchar(4) CHARACTER SET utf8mb3,
		last_login_at datetime, created_at datetime, UNIQUE (cognito_sub), UNIQUE (kakao_id), UNIQUE (google_id)) ENGINE=InnoDB;`+moves,
		table.Config{Providers: map[string]table.ProviderColumn{"Kakao": {Name: "kakao_id", Type: table.SubjectNumber}, "Google": {Name: "google_id"}}})
	for name, who := range map[string]users.Identity{
		"longer sub":         {Sub: strings.Repeat("x", 37)},
		"blank at the end":   {Sub: "abc "},
		"sub of a character": {Sub: "학생"},
		"longer subject":     {Sub: "s", Provider: "Google", Subject: "12345678901"},
		"no such character":  {Sub: "s", Provider: "Google", Subject: "학생"},
		"negative":           {Sub: "s", Provider: "Kakao", Subject: "-5"},
		"too large":          {Sub: "s", Provider: "Kakao", Subject: "9223372036854775808"},
		"leading zero":       {Sub: "s", Provider: "Kakao", Subject: "042"},
	} {
		if got, err := f.Ensure(t.Context(), who); !errors.Is(err, users.ErrInvalid) {
			t.Errorf("%s: Ensure = %+v, %v, want ErrInvalid", name, got, err)
		}
	}
	if n := scalar(t, f.db, "SELECT COUNT(*) FROM users"); n != "0" {
		t.Errorf("%s rows", n)
	}
	// What identifies nobody is cut or left out.
	got := ensure(t, f, users.Identity{Sub: "s", Name: "😀나나나나", Email: "somebody.else@example.test"})
	if u, err := f.Get(t.Context(), got.ID); err != nil || u.Name != "?나나나" || u.Email != "" {
		t.Errorf("row = %+v, %v", u, err)
	}
}

// What the table refuses of an email or a name is left out.
func TestRefusedWords(t *testing.T) {
	t.Parallel()
	f := setUp(t, strings.Replace(starter, "email varchar(255), name varchar(255)",
		"email varchar(255) CHECK (email LIKE '%@school.test'), name varchar(9) CHARACTER SET euckr", 1)+";"+moves, table.Config{})
	for sub, row := range map[string]struct{ email, name, wantEmail, wantName string }{
		"both fit":         {"a@school.test", "김하나", "a@school.test", "김하나"},
		"email is refused": {"a@else.test", "", "", ""},
		"name is refused":  {"", "😀 é", "", ""},
		"name is long":     {"", "김하나 김하나 김하나", "", "김하나 김하나 김"},
	} {
		got := ensure(t, f, users.Identity{Sub: sub, Email: row.email, Name: row.name})
		if u, err := f.Get(t.Context(), got.ID); err != nil || u.Email != row.wantEmail || u.Name != row.wantName || got.Outcome != users.Created {
			t.Errorf("%s: %+v, row = %+v, %v", sub, got, u, err)
		}
	}
}

// An email that the table wants to be unique neither links nor keeps anybody
// out.
func TestUniqueEmail(t *testing.T) {
	t.Parallel()
	f := setUp(t, strings.Replace(starter, "UNIQUE (kakao_id)", "UNIQUE aaa (email), UNIQUE (name), UNIQUE (kakao_id)", 1)+";"+moves, table.Config{})
	exec(t, f.db, "INSERT INTO users (kakao_id, email, name) VALUES ('1', 'a@example.test', 'A')")
	who := users.Identity{Sub: "g", Provider: "Google", Subject: "7", Email: "a@example.test", Name: "A", At: entered}
	got := ensure(t, f, who)
	if got.ID == "1" || got.Outcome != users.Created {
		t.Fatalf("Ensure = %+v", got)
	}
	if again := ensure(t, f, who); again.ID != got.ID || again.Outcome != users.Existing {
		t.Errorf("Ensure = %+v", again)
	}
	if u, err := f.Get(t.Context(), got.ID); err != nil || u.Email != "" || u.Name != "" || u.Sub != "g" || !u.LastLogin.Equal(entered) {
		t.Errorf("row = %+v, %v", u, err)
	}
	if u, err := f.Get(t.Context(), "1"); err != nil || u.Sub != "" || u.Providers["Google"] != "" || u.Email != "a@example.test" || !u.LastLogin.IsZero() {
		t.Errorf("the old row = %+v, %v", u, err)
	}
	old := kakao("k", 1)
	old.Email = "b@example.test"
	if got := ensure(t, f, old); got.ID != "1" || got.Outcome != users.Linked {
		t.Errorf("Ensure = %+v", got)
	}
}

// Where a row must have one, its owner decides.
func TestUniqueEmailThatIsRequired(t *testing.T) {
	t.Parallel()
	f := setUp(t, strings.Replace(starter, "email varchar(255)", "email varchar(255) NOT NULL UNIQUE", 1)+";"+moves, table.Config{})
	ensure(t, f, users.Identity{Sub: "a", Email: "a@example.test"})
	_, err := f.Ensure(t.Context(), users.Identity{Sub: "b", Email: ""})
	if err != nil {
		t.Fatalf("Ensure: %v", err)
	}
	_, err = f.Ensure(t.Context(), users.Identity{Sub: "c", Email: "a@example.test"})
	if !errors.Is(err, users.ErrConflict) || strings.Contains(err.Error(), "example") {
		t.Errorf("Ensure: %v, want ErrConflict", err)
	}
}

func TestMoves(t *testing.T) {
	t.Parallel()
	for _, idType := range []table.IDType{table.BigInt, table.UUID} {
		t.Run(string(idType), func(t *testing.T) {
			t.Parallel()
			script := starter
			if idType == table.UUID {
				script = strings.Replace(script, "bigint NOT NULL AUTO_INCREMENT", "binary(16) NOT NULL", 1)
			}
			f := setUp(t, script+";"+moves, table.Config{IDType: idType})
			first := ensure(t, f, kakao("a", 1))
			if got := ensure(t, f, kakao("b", 1)); got.ID != first.ID || got.Outcome != users.Moved {
				t.Fatalf("Ensure = %+v", got)
			}
			const record = "SELECT CONCAT_WS(' ', user_id, provider, from_sub, to_sub, ABS(TIMESTAMPDIFF(MINUTE, moved_at, UTC_TIMESTAMP())) < 5) FROM sso_moves"
			if got := scalar(t, f.db, record); got != first.ID+" Kakao a b 1" {
				t.Errorf("record = %q", got)
			}
			ensure(t, f, kakao("b", 1))
			if n := scalar(t, f.db, "SELECT COUNT(*) FROM sso_moves"); n != "1" {
				t.Errorf("%s records", n)
			}
		})
	}
}

func TestMovesRefused(t *testing.T) {
	t.Parallel()
	f := setUp(t, starter, table.Config{Moved: table.Refuse}) // needs no table of moves
	first := ensure(t, f, kakao("a", 1))
	if got, err := f.Ensure(t.Context(), kakao("b", 1)); !errors.Is(err, users.ErrMoveRefused) {
		t.Fatalf("Ensure = %+v, %v, want ErrMoveRefused", got, err)
	}
	if u, err := f.Get(t.Context(), first.ID); err != nil || u.Sub != "a" {
		t.Errorf("row = %+v, %v", u, err)
	}
	// A row without a sub is not one that belongs to another.
	exec(t, f.db, "INSERT INTO users (kakao_id, cognito_sub) VALUES ('2', '')")
	if got := ensure(t, f, kakao("c", 2)); got.Outcome != users.Linked {
		t.Errorf("Ensure = %+v", got)
	}
}

// No record, no move.
func TestMovesAreAtomic(t *testing.T) {
	t.Parallel()
	f := setUp(t, starter+";"+moves, table.Config{})
	first := ensure(t, f, kakao("a", 1))
	exec(t, f.db, "DROP TABLE sso_moves")
	if got, err := f.Ensure(t.Context(), kakao("b", 1)); !errors.Is(err, users.ErrSchema) {
		t.Fatalf("Ensure = %+v, %v, want ErrSchema", got, err)
	}
	if u, err := f.Get(t.Context(), first.ID); err != nil || u.Sub != "a" {
		t.Errorf("row = %+v, %v", u, err)
	}
}

// An old row may have the id 0, or one below.
func TestOddIDs(t *testing.T) {
	t.Parallel()
	f := setUp(t, starter+";"+moves, table.Config{})
	exec(t, f.db, "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; INSERT INTO users (id, kakao_id) VALUES (0, '10'), (-7, '17')")
	for id, n := range map[string]int{"0": 10, "-7": 17} {
		if got := ensure(t, f, kakao("s"+id, n)); got.ID != id {
			t.Errorf("Ensure = %+v, want id %s", got, id)
		}
		if got := ensure(t, f, kakao("s"+id, n)); got.ID != id || got.Outcome != users.Existing {
			t.Errorf("Ensure = %+v, want id %s", got, id)
		}
		if u, err := f.Get(t.Context(), id); err != nil || u.Sub != "s"+id {
			t.Errorf("Get = %+v, %v", u, err)
		}
	}
	if page, err := f.Page(t.Context(), "-7", 10); err != nil || len(page) != 1 || page[0].ID != "0" {
		t.Errorf("Page = %+v, %v", page, err)
	}
	if n := scalar(t, f.db, "SELECT COUNT(*) FROM users"); n != "2" {
		t.Errorf("%s rows", n)
	}
}

func TestUnsignedIDsBeyond63Bits(t *testing.T) {
	t.Parallel()
	f := setUp(t, strings.Replace(starter, "id bigint", "id bigint unsigned", 1)+";"+moves, table.Config{})
	exec(t, f.db, "INSERT INTO users (id, kakao_id, cognito_sub) VALUES (9223372036854775807, '1', 'a'), (9223372036854775808, '2', 'b')")
	if got := ensure(t, f, kakao("a", 1)); got.ID != "9223372036854775807" {
		t.Errorf("Ensure = %+v", got)
	}
	calls := map[string]error{}
	_, calls["Ensure, existing"] = f.Ensure(t.Context(), kakao("b", 2))
	_, calls["Ensure, created"] = f.Ensure(t.Context(), kakao("c", 3))
	_, calls["IDBySub"] = f.IDBySub(t.Context(), "b")
	_, calls["Page"] = f.Page(t.Context(), "", 10)
	for name, err := range calls {
		if !errors.Is(err, users.ErrSchema) {
			t.Errorf("%s: %v, want ErrSchema", name, err)
		}
	}
}

// Ids are made in order, also by a clock that stands still or goes back.
func TestUUIDs(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	f := setUp(t, strings.Replace(starter, "bigint NOT NULL AUTO_INCREMENT", "varchar(36) NOT NULL", 1)+";"+moves,
		table.Config{IDType: table.Text}, func(cfg *mysql.Config) {
			cfg.Now = func() time.Time { return start.Add(-time.Duration(calls.Add(1)) * time.Microsecond) }
		})
	last := ""
	for n := range 20 {
		id := ensure(t, f, kakao(fmt.Sprint("s", n), n)).ID
		if id <= last || len(id) != 36 || id[14] != '7' || !strings.ContainsAny(id[19:20], "89ab") {
			t.Fatalf("id %s behind %s", id, last)
		}
		last = id
	}
	// RFC 9562: the first 48 bits are milliseconds since 1970.
	millis, err := strconv.ParseInt(strings.ReplaceAll(last[:13], "-", ""), 16, 64)
	if past := start.UnixMilli() - millis; err != nil || past < 0 || past > 1 {
		t.Errorf("id %s does not begin with the time %v", last, start)
	}
}
