package postgres_test

import (
	"fmt"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// No call reads the table from one end to the other, of whichever type its
// columns are: the server counts such scans itself.
func TestEveryCallUsesIndexes(t *testing.T) {
	t.Parallel()
	const rows = 20_000
	for name, row := range map[string]struct {
		id, sub, kakao string
		layout         table.Config
	}{
		"text":              {bigint, "text", "text", table.Config{}},
		"varchar":           {integer, "varchar(64)", "varchar(64)", table.Config{IDType: table.Int}},
		"char":              {bigint, "char(36)", "char(20)", table.Config{}},
		"citext":            {bigint, "citext", "citext", table.Config{}},
		"bigint":            {bigint, "text", "bigint", table.Config{Providers: number}},
		"decimal":           {bigint, "text", "numeric(20)", table.Config{Providers: number}},
		"uuid":              {"uuid DEFAULT gen_random_uuid()", "text", "text", table.Config{IDType: table.UUID}},
		"text that is char": {"char(36) DEFAULT gen_random_uuid()::text", "text", "text", table.Config{IDType: table.Text}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, "CREATE EXTENSION IF NOT EXISTS citext", inPublic(usersTable(row.id, row.sub, row.kakao, "timestamptz")+movesTable),
				fmt.Sprintf("INSERT INTO users (cognito_sub, kakao_id) SELECT 'sub-' || n, n FROM generate_series(1, %d) AS n", rows),
				"INSERT INTO users (kakao_id) VALUES ('900001')", "ANALYZE users")
			id := db.value(t, "SELECT id::text FROM users WHERE kakao_id = '5'")
			const scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'users'"
			before := db.scans(t, scans)
			s := open(t, config(t, db.dsn, row.layout))
			ensure(t, s, users.Identity{Sub: "sub-5", Provider: "Kakao", Subject: "5", At: cfgTime}, users.Existing)
			ensure(t, s, users.Identity{Sub: "new-a", Provider: "Kakao", Subject: "900001", At: cfgTime}, users.Linked)
			ensure(t, s, users.Identity{Sub: "new-b", Provider: "Kakao", Subject: "7", At: cfgTime}, users.Moved)
			ensure(t, s, users.Identity{Sub: "new-c", Provider: "Kakao", Subject: "900002", At: cfgTime}, users.Created)
			ensure(t, s, users.Identity{Sub: "new-d"}, users.Created)
			if got, err := s.IDBySub(t.Context(), "sub-5"); err != nil || got != id {
				t.Errorf("IDBySub = %s, %v", got, err)
			}
			if _, err := s.Get(t.Context(), id); err != nil {
				t.Error(err)
			}
			if page, err := s.Page(t.Context(), id, 10); err != nil || len(page) == 0 {
				t.Errorf("Page = %v, %v", page, err)
			}
			var batch []users.SignIn
			for n := range 1000 { // in a table of so few rows the server is tempted to read all
				batch = append(batch, users.SignIn{Sub: fmt.Sprintf("sub-%d", 100+n*7), At: cfgTime})
			}
			if report, err := s.RecordSignIns(t.Context(), batch); err != nil || report.Updated != len(batch) {
				t.Errorf("RecordSignIns = %+v, %v", report, err)
			}
			// And again: nobody moves, so all of them are looked for.
			if report, err := s.RecordSignIns(t.Context(), batch); err != nil || report.Updated != 0 || len(report.Unknown) != 0 {
				t.Errorf("RecordSignIns = %+v, %v", report, err)
			}
			if err := s.Close(); err != nil { // a session hands its counts in when it ends
				t.Error(err)
			}
			until(t, "sessions ended", func() bool { return db.value(t, "SELECT count(*)"+ours) == "0" })
			if after := db.scans(t, scans); after != before {
				t.Errorf("%s scans of the whole table, %s before", after, before)
			}
		})
	}
}

// scans hands in the counts of this session first.
func (db database) scans(t *testing.T, sql string) string {
	t.Helper()
	db.exec(t, "SELECT pg_stat_force_next_flush()")
	db.exec(t, "SELECT 1")
	return db.value(t, sql)
}
