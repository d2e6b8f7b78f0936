package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/userstest"
)

// withLegacy adds old rows past the store, as the organisation's own programs
// did, and deletes rows.
type withLegacy struct {
	*sqlite.Store
	db  *sql.DB
	cfg table.Config
}

func (s withLegacy) AddLegacy(ctx context.Context, provider, subject string) (string, error) {
	names, marks, args := quote(s.cfg.Providers[provider].Name), "?", []any{subject}
	if s.cfg.IDType == table.UUID || s.cfg.IDType == table.Text {
		names, marks, args = names+", "+quote(s.cfg.ID), "?, ?", append(args, fmt.Sprintf("00000000-0000-7000-8000-%012d", legacyIDs.Add(1)))
	}
	var id string
	err := s.db.QueryRowContext(ctx, "INSERT INTO "+quote(s.cfg.Name)+" ("+names+") VALUES ("+marks+") RETURNING CAST("+quote(s.cfg.ID)+" AS TEXT)", args...).Scan(&id)
	return id, err
}

var legacyIDs atomic.Int64

func quote(name string) string { return table.Quote(`"`, name) }

func (s withLegacy) SetLastLogin(ctx context.Context, id string, at time.Time) error {
	_, err := s.db.ExecContext(ctx, "UPDATE "+quote(s.cfg.Name)+" SET "+quote(s.cfg.LastLogin)+" = ? WHERE "+quote(s.cfg.ID)+" = ?",
		at.UTC().Format("2006-01-02T15:04:05.000000Z"), id)
	return err
}

func (s withLegacy) Delete(ctx context.Context, id string) error {
	_, err := s.db.ExecContext(ctx, "DELETE FROM "+quote(s.cfg.Name)+" WHERE "+quote(s.cfg.ID)+" = ?", id)
	return err
}

func openDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func open(t *testing.T, path string, cfg sqlite.Config) *sqlite.Store {
	t.Helper()
	if cfg.BusyTimeout == 0 {
		cfg.BusyTimeout = 30 * time.Second // the machine may be busy
	}
	s, err := sqlite.Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	for _, journal := range []sqlite.Journal{sqlite.JournalWAL, sqlite.JournalDelete} {
		t.Run(string(journal), func(t *testing.T) {
			t.Parallel()
			userstest.Exercise(t, func(t *testing.T) users.Store {
				path := filepath.Join(t.TempDir(), "users.db")
				s := open(t, path, sqlite.Config{Journal: journal})
				return withLegacy{s, openDB(t, path), table.Config{}.Complete()}
			})
		})
	}
}

// Every layout is the same store.
func TestStoreOfLayouts(t *testing.T) {
	t.Parallel()
	numbers := map[string]table.ProviderColumn{
		"Kakao": {Name: "kakao_id", Type: table.SubjectNumber}, "Google": {Name: "google_id", Type: table.SubjectNumber},
	}
	for name, tc := range map[string]struct {
		script string // makes the table; "" leaves it to Open
		cfg    table.Config
	}{
		"legacy table of numbers": {`CREATE TABLE users (
			id INTEGER PRIMARY KEY, kakao_id BIGINT, student_no TEXT DEFAULT 'none', email VARCHAR(50))`, table.Config{Providers: numbers}},
		"new table of numbers": {"", table.Config{Providers: numbers, IDType: table.Int}},
		"names that need quotes": {"", table.Config{
			Name: "main.Order", ID: "Group", Sub: "select", Email: "From", DisplayName: "where", LastLogin: "To", Created: "index", Moves: "TABLE",
			Providers: map[string]table.ProviderColumn{"Kakao": {Name: "union"}, "Google": {Name: "JOIN"}},
		}},
		"uuid": {"", table.Config{IDType: table.UUID}},
		"text": {"CREATE TABLE users (id VARCHAR(128) PRIMARY KEY NOT NULL)", table.Config{IDType: table.Text}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			userstest.Exercise(t, func(t *testing.T) users.Store {
				path := filepath.Join(t.TempDir(), "users.db")
				db := openDB(t, path)
				if _, err := db.ExecContext(t.Context(), tc.script); err != nil {
					t.Fatal(err)
				}
				return withLegacy{open(t, path, sqlite.Config{Table: tc.cfg}), db, tc.cfg.Complete()}
			})
		})
	}
}
