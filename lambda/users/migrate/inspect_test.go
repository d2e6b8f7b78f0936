package migrate_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

const sub = "34c84488-e0e1-70ae-d2ee-991ad1a89801"

// textTable is an old table in which anything may stand.
func (db database) textTable(t *testing.T) {
	t.Helper()
	db.run(t, "CREATE TABLE users ("+db.key()+", kakao_id varchar(300), naver_id varchar(300), cognito_sub varchar(255), email varchar(255), name varchar(255), last_login_at timestamp NULL, created_at timestamp NULL)")
}

var kakaoAndNaver = table.Config{Moved: table.Refuse, Providers: map[string]table.ProviderColumn{"Kakao": {Name: "kakao_id"}, "Naver": {Name: "naver_id"}}}

func TestInspectCounts(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.textTable(t)
		for _, v := range []string{
			"'4000000001', 'a-B', NULL",         // linkable
			"'4000000002', NULL, '" + sub + "'", // linked
			"NULL, 'x', NULL",                   // linkable
			"NULL, NULL, NULL",                  // nobody's
			"'0042', NULL, NULL",                // odd, so nobody's
		} {
			db.run(t, "INSERT INTO users (kakao_id, naver_id, cognito_sub) VALUES ("+v+")")
		}
		r := db.inspect(t.Context(), t, kakaoAndNaver, migrate.Options{})
		if r.Rows != 5 || r.Linked != 1 || r.Linkable != 2 || r.Table != "users" || r.Dialect != db.d || r.Blocked() {
			t.Errorf("report = %+v", r)
		}
		want := []migrate.ProviderCount{{Provider: "Kakao", Column: "kakao_id", With: 3, Without: 2}, {Provider: "Naver", Column: "naver_id", With: 2, Without: 3}}
		if !slices.Equal(r.Providers, want) {
			t.Errorf("providers = %+v, want %+v", r.Providers, want)
		}
		for code, n := range map[migrate.Code]int64{migrate.Unlinkable: 2, migrate.AlreadyLinked: 1, migrate.OddZeros: 1} {
			i := slices.IndexFunc(r.Findings, func(f migrate.Finding) bool { return f.Code == code })
			if i < 0 || r.Findings[i].Count != n {
				t.Errorf("%s: %+v, want %d", code, r.Findings, n)
			}
		}
	})
}

func TestInspectFindsOddIDs(t *testing.T) {
	t.Parallel()
	kakaoRow := func(v string) string { return "INSERT INTO users (kakao_id) VALUES (" + v + ")" }
	naverRow := func(v string) string { return "INSERT INTO users (naver_id) VALUES (" + v + ")" }
	subRow := func(v string) string { return "INSERT INTO users (cognito_sub) VALUES (" + v + ")" }
	onEach(t, func(t *testing.T, db database) {
		db.textTable(t)
		for name, tc := range map[string]struct {
			insert, column string
			code           migrate.Code // "" is nothing odd
		}{
			"a Kakao id":         {kakaoRow("'4000000001'"), "kakao_id", ""},
			"empty":              {kakaoRow("''"), "kakao_id", migrate.OddEmpty},
			"blank behind":       {kakaoRow("'41 '"), "kakao_id", migrate.OddBlanks},
			"blank before":       {kakaoRow("' 42'"), "kakao_id", migrate.OddBlanks},
			"blanks only":        {kakaoRow("'  '"), "kakao_id", migrate.OddBlanks},
			"plus":               {kakaoRow("'+43'"), "kakao_id", migrate.OddSign},
			"minus":              {kakaoRow("'-44'"), "kakao_id", migrate.OddSign},
			"zeros":              {kakaoRow("'0045'"), "kakao_id", migrate.OddZeros},
			"zero":               {kakaoRow("'0'"), "kakao_id", migrate.OddRange},
			"2^63":               {kakaoRow("'9223372036854775808'"), "kakao_id", migrate.OddRange},
			"letters":            {kakaoRow("'kakao46'"), "kakao_id", migrate.OddDigits},
			"decimals":           {kakaoRow("'47.0'"), "kakao_id", migrate.OddDigits},
			"exponent":           {kakaoRow("'4e9'"), "kakao_id", migrate.OddDigits},
			"full-width digits":  {kakaoRow("'４２'"), "kakao_id", migrate.OddDigits},
			"sign only":          {kakaoRow("'-'"), "kakao_id", migrate.OddDigits},
			"text of Naver":      {naverRow("'aB-3_x'"), "naver_id", ""},
			"zeros of Naver":     {naverRow("'0042'"), "naver_id", ""},
			"blank of Naver":     {naverRow("'aB '"), "naver_id", migrate.OddBlanks},
			"too long":           {naverRow("'" + strings.Repeat("x", 256) + "'"), "naver_id", migrate.OddText},
			"control character":  {naverRow("'a\tb'"), "naver_id", migrate.OddText},
			"a sub":              {subRow("'" + sub + "'"), "cognito_sub", migrate.AlreadyLinked},
			"a username as sub":  {subRow("'Kakao_4000000001'"), "cognito_sub", migrate.OddSub},
			"a sub in capitals":  {subRow("'" + strings.ToUpper(sub) + "'"), "cognito_sub", migrate.OddSub},
			"an empty sub":       {subRow("''"), "cognito_sub", migrate.OddEmpty},
			"a sub with a blank": {subRow("'" + sub + " '"), "cognito_sub", migrate.OddSub},
		} {
			db.run(t, "DELETE FROM users", tc.insert)
			r := db.inspect(t.Context(), t, kakaoAndNaver, migrate.Options{})
			_, ok := find(r.Findings, tc.code, tc.column)
			odd := slices.ContainsFunc(r.Findings, func(f migrate.Finding) bool { return strings.HasPrefix(string(f.Code), "odd-") })
			if ok != (tc.code != "") || odd && tc.code == "" {
				t.Errorf("%s: findings %v, want %q", name, r.Findings, tc.code)
			}
			if r.Rows != 1 || strings.Contains(fmt.Sprint(r.Findings), "400000000") {
				t.Errorf("%s: report %+v", name, r)
			}
		}
	})
}

func TestInspectFindsDuplicates(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.textTable(t)
		for _, v := range []string{"'777123'", "'777123'", "'aB'", "'ab'", "'ab '", "NULL", "NULL"} {
			db.run(t, "INSERT INTO users (kakao_id) VALUES ("+v+")")
		}
		r := db.inspect(t.Context(), t, kakaoAndNaver, migrate.Options{RowIDs: 10})
		f, ok := find(r.Findings, migrate.DuplicateValues, "kakao_id")
		want := []string{"1", "2"}
		if db.d == migrate.MySQL { // the collation takes the spellings for one
			want = append(want, "3", "4", "5")
		}
		slices.Sort(f.Rows)
		if !ok || !slices.Equal(f.Rows, want) || !r.Blocked() {
			t.Errorf("duplicates: %+v, want rows %v", f, want)
		}
		if f, ok := find(r.Findings, migrate.NearDuplicates, "kakao_id"); !ok || f.Count != 1 || f.Severity != migrate.Warning {
			t.Errorf("spellings: %+v", f)
		}
		encoded, err := json.Marshal(r)
		if err != nil || strings.Contains(string(encoded), "777123") {
			t.Errorf("the report holds personal data: %s, %v", encoded, err)
		}
		if r.Findings[0].Severity != migrate.Blocks || r.Findings[len(r.Findings)-1].Severity == migrate.Blocks {
			t.Errorf("the worst is not first: %v", r.Findings)
		}
	})
}

func TestInspectListsRowsOnRequestOnly(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.textTable(t)
		for range 5 {
			db.run(t, "INSERT INTO users (kakao_id) VALUES (NULL)")
		}
		for n, want := range map[int][]string{0: nil, 3: {"1", "2", "3"}, 1000: {"1", "2", "3", "4", "5"}} {
			f, _ := find(db.inspect(t.Context(), t, kakaoAndNaver, migrate.Options{RowIDs: n}).Findings, migrate.Unlinkable, "")
			if f.Count != 5 || !slices.Equal(f.Rows, want) {
				t.Errorf("RowIDs %d: %+v, want %v", n, f, want)
			}
		}
	})
}

func TestInspectFindsUnfitIDs(t *testing.T) {
	t.Parallel()
	uuidKey := map[migrate.Dialect]string{migrate.Postgres: "uuid", migrate.MySQL: "char(36)", migrate.SQLite: "text"}
	onEach(t, func(t *testing.T, db database) {
		for name, tc := range map[string]struct {
			idType  table.IDType
			key, id string
			kakao   string
			blocks  bool
			unfit   bool
		}{
			"one":               {table.BigInt, db.key(), "1", "'7'", false, false},
			"zero":              {table.BigInt, db.key(), "-7", "'7'", true, true},
			"negative, nobody":  {table.BigInt, db.key(), "-7", "NULL", false, true},
			"a UUID":            {table.UUID, "id " + uuidKey[db.d] + " PRIMARY KEY NOT NULL", "'" + sub + "'", "'7'", false, false},
			"a UUID, capitals":  {table.Text, "id varchar(128) PRIMARY KEY NOT NULL", "'" + strings.ToUpper(sub) + "'", "'7'", false, false},
			"text with a blank": {table.Text, "id varchar(128) PRIMARY KEY NOT NULL", "'a b'", "'7'", true, true},
			"Hangul":            {table.Text, "id varchar(128) PRIMARY KEY NOT NULL", "'학생'", "'7'", true, true},
		} {
			db.run(t, "DROP TABLE IF EXISTS users", "CREATE TABLE users ("+tc.key+", kakao_id varchar(30))",
				"INSERT INTO users (id, kakao_id) VALUES ("+tc.id+", "+tc.kakao+")")
			r := db.inspect(t.Context(), t, with(kakao(""), func(c *table.Config) { c.IDType = tc.idType }), migrate.Options{})
			f, ok := find(r.Findings, migrate.IDUnfit, "id")
			if ok != tc.unfit || r.Blocked() != tc.blocks {
				t.Errorf("%s: %+v, findings %v", name, f, r.Findings)
			}
		}
		if db.d == migrate.Postgres {
			return // its uuid has one spelling
		}
		db.run(t, "DROP TABLE users", "CREATE TABLE users (id varchar(36) PRIMARY KEY NOT NULL, kakao_id varchar(30))",
			"INSERT INTO users VALUES ('"+strings.ToUpper(sub)+"', '7')")
		r := db.inspect(t.Context(), t, with(kakao(""), func(c *table.Config) { c.IDType = table.UUID }), migrate.Options{RowIDs: 1})
		if f, ok := find(r.Findings, migrate.IDUnfit, "id"); !ok || f.Severity != migrate.Blocks || !slices.Equal(f.Rows, []string{strings.ToUpper(sub)}) {
			t.Errorf("a UUID in capitals: %+v", f)
		}
	})
}

// UUIDs in MySQL's 16 bytes are shown as text.
func TestInspectReadsBinaryUUIDs(t *testing.T) {
	t.Parallel()
	db := onMariaDB(t)
	db.run(t, "CREATE TABLE users (id binary(16) PRIMARY KEY, kakao_id varchar(30))",
		"INSERT INTO users VALUES (unhex('"+strings.ReplaceAll(sub, "-", "")+"'), NULL)")
	r := db.inspect(t.Context(), t, with(kakao(""), func(c *table.Config) { c.IDType = table.UUID }), migrate.Options{RowIDs: 1})
	if f, _ := find(r.Findings, migrate.Unlinkable, ""); !slices.Equal(f.Rows, []string{sub}) || r.Blocked() {
		t.Errorf("report = %+v", r)
	}
}

func TestInspectWarns(t *testing.T) {
	t.Parallel()
	type row struct {
		only   migrate.Dialect
		script []string
		code   migrate.Code
		column string
		want   bool
	}
	for name, tc := range map[string]row{
		"a unique email":           {"", []string{"CREATE UNIQUE INDEX one_email ON users (email)"}, migrate.OtherUnique, "email", true},
		"unique with a default":    {"", []string{"ALTER TABLE users ADD COLUMN no varchar(20) DEFAULT 'x'", "CREATE UNIQUE INDEX one_no ON users (no)"}, migrate.OtherUnique, "no", true},
		"unique, but NULL":         {"", []string{"ALTER TABLE users ADD COLUMN no varchar(20)", "CREATE UNIQUE INDEX one_no ON users (no)"}, migrate.OtherUnique, "no", false},
		"unique email in an org":   {"", []string{"ALTER TABLE users ADD COLUMN org varchar(20)", "CREATE UNIQUE INDEX one_no ON users (email, org)"}, migrate.OtherUnique, "email, org", false},
		"its own unique index":     {"", []string{"CREATE UNIQUE INDEX mine ON users (kakao_id)"}, migrate.OtherUnique, "kakao_id", false},
		"an email that must be":    {migrate.Postgres, []string{"ALTER TABLE users ALTER email SET NOT NULL"}, migrate.ColumnNotNull, "email", true},
		"a short Naver id":         {migrate.Postgres, []string{"ALTER TABLE users ALTER naver_id TYPE varchar(30)"}, migrate.ColumnShort, "naver_id", true},
		"a short Kakao id":         {migrate.Postgres, []string{"ALTER TABLE users ALTER kakao_id TYPE varchar(30)"}, migrate.ColumnShort, "kakao_id", false},
		"times without zone":       {migrate.Postgres, nil, migrate.ColumnType, "last_login_at", true},
		"text that folds":          {migrate.MySQL, nil, migrate.ColumnInexact, "cognito_sub", true},
		"citext":                   {migrate.Postgres, []string{"CREATE EXTENSION citext", "ALTER TABLE users ALTER naver_id TYPE citext"}, migrate.ColumnInexact, "naver_id", true},
		"row-level security":       {migrate.Postgres, []string{"ALTER TABLE users ENABLE ROW LEVEL SECURITY"}, migrate.RowSecurity, "", true},
		"a trigger":                {migrate.MySQL, []string{"CREATE TRIGGER x BEFORE INSERT ON users FOR EACH ROW SET NEW.email = ''"}, migrate.Triggers, "", true},
		"a trigger of deletions":   {migrate.MySQL, []string{"CREATE TRIGGER x BEFORE DELETE ON users FOR EACH ROW SET @x = 1"}, migrate.Triggers, "", false},
		"a trigger in SQLite":      {migrate.SQLite, []string{"CREATE TRIGGER x AFTER UPDATE ON users BEGIN SELECT 1; END"}, migrate.Triggers, "", true},
		"a trigger in PostgreSQL":  {migrate.Postgres, []string{"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'", "CREATE TRIGGER x BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION f()"}, migrate.Triggers, "", true},
		"a foreign key is no such": {migrate.Postgres, []string{"CREATE TABLE orgs (id int PRIMARY KEY)", "ALTER TABLE users ADD COLUMN org int REFERENCES orgs (id)"}, migrate.Triggers, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, db database) {
				if tc.only != "" && tc.only != db.d {
					return // the row is about what one database has
				}
				db.textTable(t)
				db.run(t, tc.script...)
				r := db.inspect(t.Context(), t, kakaoAndNaver, migrate.Options{})
				f, ok := find(r.Findings, tc.code, tc.column)
				if ok != tc.want || ok && f.Severity != migrate.Warning {
					t.Errorf("%+v, all %v", f, r.Findings)
				}
			})
		})
	}
}

func TestInspectWithoutATable(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		r := db.inspect(t.Context(), t, table.Config{}, migrate.Options{})
		if _, ok := find(r.Findings, migrate.NoTable, ""); !ok || !r.Blocked() || r.Rows != 0 {
			t.Errorf("report = %+v", r)
		}
	})
}

// A plan and a look cost nothing that lasts: nothing is written.
func TestInspectChangesNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.textTable(t)
		db.inspect(t.Context(), t, table.Config{}, migrate.Options{})
		db.plan(t, table.Config{})
		if got := db.columns(t, "users"); len(got) != 8 {
			t.Errorf("columns %v", got)
		}
		if _, err := db.ExecContext(t.Context(), "SELECT 1 FROM sso_moves"); err == nil {
			t.Error("a table was made")
		}
		db.run(t, "INSERT INTO users (kakao_id) VALUES ('1')") // no lock is left
	})
}
