package calls_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/calls"
)

// What real programs call is checked in lambda/deploy. Here: that nothing is
// taken for a program without calls that is none.
func TestOfWhatIsNoProgram(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, file + "-missing"} {
		if found, err := calls.Of(t.Context(), path); err == nil {
			t.Errorf("%s: %v", path, found)
		}
	}
}
