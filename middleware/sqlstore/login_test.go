package sqlstore_test

import (
	"testing"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/middleware/storetest"
)

// TestLogins: two processes and one table.
func TestLogins(t *testing.T) {
	t.Parallel()
	for _, d := range databases {
		if d.name != d.dialect.String() && d.name != "MariaDB" {
			continue // the odd settings are for TestContract
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			db := d.open(t)
			newStore(t, db, d.dialect) // the table
			t.Run("suite", func(t *testing.T) {
				storetest.ExerciseLogin(t, func(t *testing.T) middleware.SessionStore { return newStore(t, db, d.dialect) })
			})
		})
	}
}
