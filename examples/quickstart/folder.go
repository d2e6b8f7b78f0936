package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// openFolder returns the folder for the database and the keys. One that was
// not asked for is removed at the end.
func (w *world) openFolder(dir string) (string, error) {
	if dir != "" {
		return dir, os.MkdirAll(dir, 0o700)
	}
	dir, err := os.MkdirTemp("", "sso-quickstart-")
	if err != nil {
		return "", err
	}
	w.atClose(func() error { return os.RemoveAll(dir) })
	return dir, nil
}

// oldTable is the user table as the organisation has had it for years: made for
// Kakao accounts, and nobody had thought of Cognito. Opening the store adds what
// is missing, and leaves the rest alone.
const oldTable = `
CREATE TABLE users (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	student_no TEXT NOT NULL DEFAULT '',
	name       TEXT,
	kakao_id   INTEGER UNIQUE,
	created_at TEXT
);`

const oldStudents = `
INSERT INTO users (id, student_no, name, kakao_id, created_at) VALUES
	(1001, '20190417', '김하늘 Kim Haneul',  2610043371, '2019-03-04T01:12:00.000000Z'),
	(1002, '20200982', '이서준 Lee Seojun',  2744190028, '2020-03-02T04:40:00.000000Z'),
	(1003, '20210355', '박지우 Park Jiwoo',  2891507743, '2021-08-30T02:05:00.000000Z'),
	(1004, '20220076', '최윤서 Choi Yunseo', 3015528190, '2022-03-03T08:31:00.000000Z');`

// People on the stand-ins' pages. The first ones are old students.
var (
	kakaoPeople = []ssotest.Person{
		{Subject: "2610043371", Name: "김하늘 Kim Haneul"},
		{Subject: "2744190028", Name: "이서준 Lee Seojun", Email: "seojun@example.com"},
		{Subject: "3388201457", Name: "정다나 Jeong Dana (new here)"},
	}
	googlePeople = []ssotest.Person{
		{Subject: "104829117366205518304", Name: "Maria Santos", Email: "maria@example.com", EmailVerified: true},
		{Subject: "112850043917260038215", Name: "Alex Kim", Email: "alex@example.com", EmailVerified: true},
	}
)

// seedTable makes the old table, unless there is a database already.
func seedTable(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "BEGIN;"+oldTable+oldStudents+"COMMIT;")
	return errors.Join(err, db.Close())
}

// cookieKey returns the key of an app's cookies, the same one every time for
// the same folder.
func cookieKey(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name+"-cookie.key")
	key, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		key = make([]byte, 32)
		_, _ = rand.Read(key)
		return key, os.WriteFile(path, key, 0o600)
	}
	if err == nil && len(key) != 32 {
		err = fmt.Errorf("%s: want 32 bytes, got %d; remove the file to get a new key", path, len(key))
	}
	return key, err
}

// restoreUsers gives the pool the users of the last time, and keeps them for
// the next: a real pool does not forget them either.
func (w *world) restoreUsers(dir string) error {
	path := filepath.Join(dir, "pool-users.json")
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var kept []ssotest.User
	if err == nil {
		if err := json.Unmarshal(b, &kept); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	for _, u := range kept {
		if _, err := w.pool.AddUser(u); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	w.atClose(func() error {
		b, err := json.MarshalIndent(w.pool.Users(), "", "\t")
		if err != nil {
			return err
		}
		return os.WriteFile(path, b, 0o600)
	})
	return nil
}

// randomHex returns n random bytes as hexadecimal digits.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
