package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strconv"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/userstest"
)

// withLegacy adds old rows past the store, as the organisation's own programs
// did.
type withLegacy struct {
	*sqlite.Store
	db *sql.DB
}

func (s withLegacy) AddLegacy(ctx context.Context, provider, subject string) (string, error) {
	column := map[string]string{"Kakao": "kakao_id", "Google": "google_id"}[provider]
	res, err := s.db.ExecContext(ctx, "INSERT INTO users ("+column+") VALUES (?)", subject)
	if err != nil {
		return "", err
	}
	id, err := res.LastInsertId()
	return strconv.FormatInt(id, 10), err
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
				return withLegacy{s, openDB(t, path)}
			})
		})
	}
}

func TestStoreWithLegacyTableOfNumbers(t *testing.T) {
	t.Parallel()
	userstest.Exercise(t, func(t *testing.T) users.Store {
		path := filepath.Join(t.TempDir(), "users.db")
		db := openDB(t, path)
		if _, err := db.ExecContext(t.Context(), `CREATE TABLE users (
			id INTEGER PRIMARY KEY, kakao_id BIGINT, student_no TEXT DEFAULT 'none', email VARCHAR(50))`); err != nil {
			t.Fatal(err)
		}
		return withLegacy{open(t, path, sqlite.Config{}), db}
	})
}
