package fleettest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/secretscan"
)

// searchLogs holds that the processes wrote no token, code, cookie key or address
// to their logs, whatever went wrong: nothing else makes them write as much.
func (f *fleet) searchLogs(t *testing.T) {
	t.Helper()
	var s secretscan.Scanner
	f.judge.mu.Lock()
	for token := range f.judge.tokens {
		s.Learn("a refresh token", token)
	}
	for code := range f.judge.codes {
		s.Learn("a code", code)
	}
	for key := range f.judge.records {
		s.Learn("the key of a session", key)
	}
	f.judge.mu.Unlock()
	files, err := filepath.Glob(filepath.Join(f.logs, "process-*.log"))
	if err != nil || len(files) < 2 {
		t.Fatalf("the logs of %d processes, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // of this test's own folder
		if err != nil {
			t.Fatal(err)
		}
		s.Saw(filepath.Base(file), string(text))
	}
	for _, found := range s.Findings() {
		t.Errorf("%v", found)
	}
}
