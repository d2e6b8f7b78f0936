package postgres_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/postgres"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Each row breaks the plain table in one way. A call that cannot be right must
// say ErrSchema and change nothing; Check must name the place.
var brokenTables = map[string]struct {
	layout table.Config
	breaks string
	check  string // in what Check says
	ensure error  // of Ensure; nil is none
}{
	"no table":            {table.Config{}, "DROP TABLE users", "table users: not found", users.ErrSchema},
	"another schema":      {table.Config{Name: "gone.users", Moves: "sso_moves"}, "", "table gone.users: not found", users.ErrSchema},
	"case of the table":   {table.Config{Name: "Users"}, "", "table Users: not found", users.ErrSchema},
	"no moves":            {table.Config{}, "DROP TABLE sso_moves", "table sso_moves: not found", users.ErrSchema},
	"no column of moves":  {table.Config{}, "ALTER TABLE sso_moves DROP from_sub", "sso_moves.from_sub: there is no such column", users.ErrSchema},
	"no sub":              {table.Config{}, "ALTER TABLE users DROP cognito_sub", "users.cognito_sub: there is no such column", users.ErrSchema},
	"no provider":         {table.Config{}, "ALTER TABLE users DROP kakao_id", "users.kakao_id: there is no such column", users.ErrSchema},
	"no email":            {table.Config{}, "ALTER TABLE users DROP email", "users.email: there is no such column", users.ErrSchema},
	"no index of sub":     {table.Config{}, "ALTER TABLE users DROP CONSTRAINT users_cognito_sub_key", "users.cognito_sub: has no unique index", users.ErrSchema},
	"no index of Kakao":   {table.Config{}, "ALTER TABLE users DROP CONSTRAINT users_kakao_id_key", "users.kakao_id: has no unique index", users.ErrSchema},
	"an index of two":     {table.Config{}, "ALTER TABLE users DROP CONSTRAINT users_kakao_id_key, ADD UNIQUE (kakao_id, email)", "users.kakao_id: has no unique index", users.ErrSchema},
	"an index of some":    {table.Config{}, "ALTER TABLE users DROP CONSTRAINT users_kakao_id_key; CREATE UNIQUE INDEX ON users (kakao_id) WHERE email IS NULL", "users.kakao_id: has no unique index", users.ErrSchema},
	"a deferrable index":  {table.Config{}, "ALTER TABLE users DROP CONSTRAINT users_kakao_id_key, ADD UNIQUE (kakao_id) DEFERRABLE", "users.kakao_id: has no unique index", users.ErrSchema},
	"sub of numbers":      {table.Config{}, "ALTER TABLE users ALTER cognito_sub TYPE bigint USING NULL", "users.cognito_sub: is bigint, not text", users.ErrSchema},
	"sub too short":       {table.Config{}, "ALTER TABLE users ALTER cognito_sub TYPE varchar(8)", "users.cognito_sub: is character varying(8), too short", users.ErrSchema},
	"text as number":      {table.Config{Providers: number}, "", "users.kakao_id: is text, not bigint", users.ErrSchema},
	"decimals":            {table.Config{Providers: number}, "ALTER TABLE users ALTER kakao_id TYPE numeric(20,2) USING NULL", "with decimals", nil},
	"id of another type":  {table.Config{IDType: table.UUID}, "", "users.id: is bigint, not uuid", users.ErrSchema},
	"id without numbers":  {table.Config{}, "ALTER TABLE users ALTER id DROP IDENTITY", "users.id: is NOT NULL without a default", users.ErrSchema},
	"id is not the key":   {table.Config{}, "ALTER TABLE users DROP CONSTRAINT users_pkey", "users.id: is not the primary key", nil},
	"a date for a time":   {table.Config{}, "ALTER TABLE users ALTER last_login_at TYPE date", "users.last_login_at: is date", nil},
	"email must be":       {table.Config{}, "ALTER TABLE users ALTER email SET NOT NULL", "users.email: is NOT NULL without a default", nil},
	"another column must": {table.Config{}, "ALTER TABLE users ADD student_no text NOT NULL", "users.student_no: is NOT NULL without a default", users.ErrSchema},
	"a generated name":    {table.Config{}, "ALTER TABLE users DROP name, ADD name text GENERATED ALWAYS AS (email) STORED", "users.name: is generated", users.ErrSchema},
	"a check":             {table.Config{}, "ALTER TABLE users ADD CHECK (cognito_sub = 'x')", "", users.ErrSchema},
}

func TestBrokenTables(t *testing.T) {
	t.Parallel()
	for name, row := range brokenTables {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, plainTable)
			if row.breaks != "" {
				db.exec(t, row.breaks)
			}
			s := open(t, config(t, db.dsn, row.layout))
			if _, err := s.Ensure(t.Context(), student); row.ensure == nil && err != nil || !errors.Is(err, row.ensure) {
				t.Errorf("Ensure: %v, want %v", err, row.ensure)
			} else if err != nil {
				wantSilent(t, err)
			}
			err := s.Check(t.Context())
			if row.check == "" {
				if err != nil {
					t.Errorf("Check: %v", err)
				}
				return
			}
			if !errors.Is(err, users.ErrSchema) || !strings.Contains(err.Error(), row.check) {
				t.Errorf("Check: %v, want %q", err, row.check)
			}
		})
	}
}

func TestCheckListsAll(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "CREATE TABLE users (id text, cognito_sub bigint, kakao_id int, extra int NOT NULL)")
	s := open(t, config(t, db.dsn, table.Config{Providers: number}))
	err := s.Check(t.Context())
	if !errors.Is(err, users.ErrSchema) {
		t.Fatalf("Check: %v", err)
	}
	for _, want := range []string{
		"users.id: is text, not bigint", "users.id: is not the primary key", "users.cognito_sub: is bigint, not text",
		"users.cognito_sub: has no unique index", "users.kakao_id: is integer, not bigint", "users.kakao_id: has no unique index",
		"users.google_id: there is no such column", "users.email: there", "users.name: there", "users.last_login_at: there",
		"users.created_at: there", "users.extra: is NOT NULL", "table sso_moves: not found",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Check does not say %q: %v", want, err)
		}
	}
}

func TestCheckPassesGoodTables(t *testing.T) {
	t.Parallel()
	for name, suite := range suites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, inPublic(suite.tables))
			if err := open(t, config(t, db.dsn, suite.layout)).Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func inPublic(sql string) string { return strings.ReplaceAll(sql, "%[1]s", "public") }

func TestCheckTellsPrivileges(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, inPublic(usersTable(integer, "text", "text", "timestamptz")+movesTable))
	role := "clerk_" + db.value(t, "SELECT current_database()")
	db.exec(t, "CREATE ROLE "+role+" LOGIN")
	t.Cleanup(func() { db.exec(t, "DROP OWNED BY "+role); db.exec(t, "DROP ROLE "+role) })
	db.exec(t, "GRANT SELECT, INSERT (cognito_sub, kakao_id, google_id, email, name) ON users TO "+role)
	cfg := config(t, db.dsn, table.Config{IDType: table.Int})
	cfg.Conn.User = role
	s := open(t, cfg)
	err := s.Check(t.Context())
	for _, want := range []string{
		"users.created_at: the database user may not INSERT", "users.cognito_sub: the database user may not UPDATE",
		"users.last_login_at: the database user may not UPDATE", "users.last_login_at: the database user may not INSERT", "users.id: the database user may not use its sequence",
		"sso_moves.to_sub: the database user may not INSERT",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check does not say %q: %v", want, err)
		}
	}
	_, err = s.Ensure(t.Context(), student)
	wantError(t, err, users.ErrSchema)
	db.exec(t, "GRANT INSERT ON sso_moves TO "+role)
	db.exec(t, "GRANT INSERT, UPDATE ON users TO "+role)
	db.exec(t, "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "+role)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	// These privileges are enough.
	ensure(t, s, student, users.Created)
	ensure(t, s, again, users.Moved)
	if _, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: again.Sub, At: time.Now()}}); err != nil {
		t.Error(err)
	}
}

// Two rows carry what must be on one: whichever is taken, somebody may get
// another's account.
func TestTwoRowsMatch(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ breaks, rows string }{
		"by the provider's id": {
			"ALTER TABLE users DROP CONSTRAINT users_kakao_id_key", "INSERT INTO users (kakao_id) VALUES ('4000000001'), ('4000000001')"},
		"by the sub": {
			"ALTER TABLE users DROP CONSTRAINT users_cognito_sub_key", "INSERT INTO users (cognito_sub) VALUES ('first-sub'), ('first-sub')"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, plainTable, row.breaks, row.rows)
			s := open(t, config(t, db.dsn, table.Config{}))
			const all = "SELECT string_agg(users::text || xmin, ';' ORDER BY id) FROM users"
			before := db.value(t, all)
			if _, err := s.Ensure(t.Context(), student); !errors.Is(err, users.ErrAmbiguous) && !errors.Is(err, users.ErrSchema) {
				t.Errorf("Ensure: %v", err)
			}
			if after := db.value(t, all); after != before {
				t.Errorf("rows were %s, are %s", before, after)
			}
		})
	}
}

func TestIDBySubOfTwo(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable, "ALTER TABLE users DROP CONSTRAINT users_cognito_sub_key",
		"INSERT INTO users (cognito_sub) VALUES ('first-sub'), ('first-sub')")
	s := open(t, config(t, db.dsn, table.Config{}))
	_, err := s.IDBySub(t.Context(), student.Sub)
	wantError(t, err, users.ErrAmbiguous)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := config(t, "postgres://u@127.0.0.1:5432/d", table.Config{})
	for name, row := range map[string]struct {
		change func(*postgres.Config)
		want   string
	}{
		"no host":          {func(c *postgres.Config) { c.Conn.Host = "" }, "Host"},
		"no password":      {func(c *postgres.Config) { c.Conn.Password = nil }, "Password"},
		"clear to afar":    {func(c *postgres.Config) { c.Conn.Host = "db.example.test" }, "InsecureNoTLS"},
		"no authorities":   {func(c *postgres.Config) { c.Conn.TLS.InsecureNoTLS, c.Conn.TLS.CAFile = false, "/no such file" }, "CAFile"},
		"a table's name":   {func(c *postgres.Config) { c.Table.Name = `users" --` }, "Name"},
		"a column's name":  {func(c *postgres.Config) { c.Table.Sub = "sub;" }, "Sub"},
		"a failing change": {func(c *postgres.Config) { c.Configure = func(*pgxpool.Config) error { return errors.New("no") } }, "Configure"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			row.change(&cfg)
			s, err := postgres.Open(t.Context(), cfg)
			if err == nil {
				_ = s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("Open: %v, want %q", err, row.want)
			}
		})
	}
}
