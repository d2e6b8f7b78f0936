package migrate_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// An old table with Kakao's ids as numbers gets what it lacks.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "users")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(dir, "users.db")))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `CREATE TABLE members (no INTEGER PRIMARY KEY, kakao BIGINT);
		INSERT INTO members (kakao) VALUES (4000000001), (NULL)`); err != nil {
		fmt.Println(err)
		return
	}
	cfg := table.Config{
		Name: "members", ID: "no", Email: table.None, DisplayName: table.None, Created: table.None, Moved: table.Refuse,
		Providers: map[string]table.ProviderColumn{"Kakao": {Name: "kakao", Type: table.SubjectNumber}},
	}

	report, err := migrate.Inspect(ctx, db, migrate.SQLite, cfg, migrate.Options{})
	fmt.Println(report.Rows, "rows,", report.Linkable, "will be linked, blocked:", report.Blocked(), err)

	plan, err := migrate.NewPlan(ctx, db, migrate.SQLite, cfg, migrate.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range plan.Steps {
		fmt.Println(step.SQL)
	}
	fmt.Println(plan.Apply(ctx, db))
	// Output:
	// 2 rows, 1 will be linked, blocked: false <nil>
	// ALTER TABLE "members" ADD COLUMN "cognito_sub" TEXT
	// ALTER TABLE "members" ADD COLUMN "last_login_at" TEXT
	// CREATE UNIQUE INDEX "members_kakao_key" ON "members" ("kakao")
	// CREATE UNIQUE INDEX "members_cognito_sub_key" ON "members" ("cognito_sub")
	// <nil>
}
