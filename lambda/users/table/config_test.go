package table_test

import (
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	for name, ok := range map[string]bool{
		"students": true, "_s9": true, "db." + long: true, long: true,
		long + "a": false, "db." + long + "a": false, "9s": false, "a b": false, `a"`: false, "a\n": false, "é": false, "a.b.c": false, ".a": false, "a.": false,
	} {
		if err := (table.Config{Name: name}).Complete().Validate(); (err == nil) != ok {
			t.Errorf("table %q: %v", name, err)
		}
	}
	for column, ok := range map[string]bool{long: true, long + "a": false, "a.b": false, "1": false, "a;": false} {
		if err := (table.Config{Sub: column}).Complete().Validate(); (err == nil) != ok {
			t.Errorf("column %q: %v", column, err)
		}
	}
}
