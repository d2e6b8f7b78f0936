package migrate_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// odd has names that are words of SQL, or need quotes to keep their case.
var odd = table.Config{
	Name: "Order", ID: "Group", Sub: "select", Email: "From", DisplayName: "where", LastLogin: "To", Created: "index", Moves: "Table",
	Providers: map[string]table.ProviderColumn{"Kakao": {Name: "union", Type: table.SubjectNumber}, `Na"ver';--`: {Name: "JOIN"}},
}

func with(c table.Config, change func(*table.Config)) table.Config {
	change(&c)
	return c
}

var layouts = map[string]table.Config{
	"defaults": {},
	"int":      {IDType: table.Int},
	"uuid":     {IDType: table.UUID},
	"text":     {IDType: table.Text},
	"odd":      odd,
	"no moves": {Moved: table.Refuse},
	"least": {Email: table.None, DisplayName: table.None, LastLogin: table.None, Created: table.None,
		Providers: map[string]table.ProviderColumn{}},
	"63 letters": {Name: "t23456789_123456789_123456789_123456789_123456789_123456789_123", Sub: "s23456789_123456789_123456789_123456789_123456789_123456789_123"},
}

func TestUpLacksNothing(t *testing.T) {
	t.Parallel()
	for name, cfg := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, db database) {
				for range 2 {
					db.up(t, cfg)
					db.wantEmptyPlan(t, cfg)
				}
				r := db.inspect(t.Context(), t, cfg, migrate.Options{})
				if r.Rows != 0 || len(r.Findings) != 0 {
					t.Errorf("Inspect = %+v", r)
				}
				c := cfg.Complete()
				want := []string{c.ID}
				for _, p := range c.ProviderNames() {
					want = append(want, c.Providers[p].Name)
				}
				for _, name := range []string{c.Sub, c.Email, c.DisplayName, c.LastLogin, c.Created} {
					if name != table.None {
						want = append(want, name)
					}
				}
				if got := db.columns(t, c.Name); !slices.Equal(got, want) {
					t.Errorf("columns %v, want %v", got, want)
				}
				if c.Moved == table.Adopt {
					db.run(t, "INSERT INTO "+db.quote(c.Moves)+" (user_id, provider, from_sub, to_sub) VALUES ('1', 'Kakao', 'a', 'b')")
					if db.scalar(t, "SELECT moved_at FROM "+db.quote(c.Moves)) == "" {
						t.Error("a move has no time")
					}
				}
			})
		})
	}
}

// The table that Up makes tells apart what is different, and refuses what is
// there twice.
func TestUpIsExact(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.up(t, table.Config{})
		for _, column := range []string{"cognito_sub", "kakao_id", "google_id"} {
			for _, value := range []string{"abc", "ABC", "abc ", "äbc"} {
				db.run(t, "INSERT INTO users ("+column+") VALUES ('"+value+"')")
			}
			if _, err := db.ExecContext(t.Context(), "INSERT INTO users ("+column+") VALUES ('abc')"); err == nil {
				t.Errorf("%s takes a value twice", column)
			}
		}
		db.run(t, "INSERT INTO users (email) VALUES ('a@example.test')", "INSERT INTO users (email) VALUES ('a@example.test')")
	})
}

func TestUpAtTheSameTime(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := migrate.Up(t.Context(), db.DB, db.d, table.Config{}); err != nil {
					t.Errorf("Up: %v", err)
				}
			})
		}
		wg.Wait()
		if n := db.scalar(t, "SELECT count(*) FROM "+migrate.VersionTable+" WHERE version_id = 1"); n != "1" {
			t.Errorf("version 1 was recorded %s times", n)
		}
	})
}

// Killed between the version table and its first row, or between the user
// table and its version.
func TestUpAfterHalfAnUp(t *testing.T) {
	t.Parallel()
	for name, half := range map[string][]string{
		"no first row": {"DROP TABLE users", "DELETE FROM " + migrate.VersionTable},
		"no version":   {"DELETE FROM " + migrate.VersionTable + " WHERE version_id = 1"},
		"no moves":     {"DROP TABLE sso_moves", "DELETE FROM " + migrate.VersionTable + " WHERE version_id = 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, db database) {
				if db.d == migrate.SQLite && name == "no first row" {
					return // one transaction makes both
				}
				db.up(t, table.Config{})
				db.run(t, half...)
				db.up(t, table.Config{})
				db.wantEmptyPlan(t, table.Config{})
			})
		})
	}
}

func TestUpOnOneConnection(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.SetMaxOpenConns(1)
		db.up(t, table.Config{})
		db.wantEmptyPlan(t, table.Config{})
	})
}

func TestUpLeavesATableAlone(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.run(t, "CREATE TABLE users ("+db.key()+", kakao_id varchar(20))")
		for range 2 {
			if err := migrate.Up(t.Context(), db.DB, db.d, kakao("")); !errors.Is(err, migrate.ErrTableExists) {
				t.Errorf("Up: %v, want ErrTableExists", err)
			}
		}
		if got := db.columns(t, "users"); !slices.Equal(got, []string{"id", "kakao_id"}) {
			t.Errorf("the table was changed: %v", got)
		}
		db.apply(t, db.plan(t, kakao("")))
		db.up(t, kakao(""))
	})
}

func TestUpSaysThatTheLayoutChanged(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.up(t, kakao(""))
		if err := migrate.Up(t.Context(), db.DB, db.d, table.Config{}); !errors.Is(err, users.ErrSchema) {
			t.Errorf("Up: %v, want ErrSchema", err)
		}
		db.apply(t, db.plan(t, table.Config{}))
		db.up(t, table.Config{})
	})
}

func TestArguments(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		for name, tc := range map[string]struct {
			d   migrate.Dialect
			cfg table.Config
			o   migrate.Options
		}{
			"no dialect":        {"", table.Config{}, migrate.Options{}},
			"another dialect":   {"oracle", table.Config{}, migrate.Options{}},
			"a name to inject":  {db.d, table.Config{Name: `users"; DROP TABLE x; --`}, migrate.Options{}},
			"a column to match": {db.d, table.Config{Sub: "id"}, migrate.Options{}},
			"too many rows":     {db.d, table.Config{}, migrate.Options{RowIDs: 1001}},
			"fewer than none":   {db.d, table.Config{}, migrate.Options{RowIDs: -1}},
		} {
			if _, err := migrate.NewPlan(t.Context(), db.DB, tc.d, tc.cfg, tc.o); err == nil {
				t.Errorf("%s: NewPlan gave no error", name)
			}
			if _, err := migrate.Inspect(t.Context(), db.DB, tc.d, tc.cfg, tc.o); err == nil {
				t.Errorf("%s: Inspect gave no error", name)
			}
			if tc.o == (migrate.Options{}) && migrate.Up(t.Context(), db.DB, tc.d, tc.cfg) == nil {
				t.Errorf("%s: Up gave no error", name)
			}
		}
	})
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		db.up(t, kakao(""))
		p := db.plan(t, table.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, planned := migrate.NewPlan(ctx, db.DB, db.d, table.Config{}, migrate.Options{})
		_, inspected := migrate.Inspect(ctx, db.DB, db.d, table.Config{}, migrate.Options{})
		for name, err := range map[string]error{"Apply": p.Apply(ctx, db.DB), "Up": migrate.Up(ctx, db.DB, db.d, table.Config{}),
			"NewPlan": planned, "Inspect": inspected} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want context.Canceled", name, err)
			}
		}
		db.apply(t, p)
	})
}
