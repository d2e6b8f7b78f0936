package mysql_test

import (
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// A table of the organisation's may have triggers, whose own statements must
// not be taken for what Ensure did.
func TestTriggersOnTheTable(t *testing.T) {
	t.Parallel()
	for name, trigger := range map[string]string{
		"before update":                  "CREATE TRIGGER noted BEFORE UPDATE ON users FOR EACH ROW INSERT INTO notes (what) VALUES ('x')",
		"after update":                   "CREATE TRIGGER noted AFTER UPDATE ON users FOR EACH ROW INSERT INTO notes (what) VALUES ('x')",
		"after insert":                   "CREATE TRIGGER noted AFTER INSERT ON users FOR EACH ROW INSERT INTO notes (what) VALUES ('x')",
		"before insert, and sets a name": "CREATE TRIGGER noted BEFORE INSERT ON users FOR EACH ROW SET NEW.name = 'x'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t, starter+";"+moves+"; CREATE TABLE notes (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, what text) AUTO_INCREMENT = 900;"+trigger, table.Config{})
			id, err := f.AddLegacy(t.Context(), "Kakao", "1")
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range []struct {
				name string
				who  users.Identity
				want users.Outcome
			}{
				{"linked", kakao("a", 1), users.Linked},
				{"existing", kakao("a", 1), users.Existing},
				{"created", kakao("b", 2), users.Created},
				{"existing, created here", kakao("b", 2), users.Existing},
				{"created without provider", users.Identity{Sub: "c", At: entered}, users.Created},
				{"moved", kakao("d", 2), users.Moved},
			} {
				got := ensure(t, f, step.who)
				if got.Outcome != step.want {
					t.Errorf("%s: %+v, want %s", step.name, got, step.want)
				}
				if u, err := f.Get(t.Context(), got.ID); err != nil || !u.LastLogin.Equal(entered) || got.SignInRecorded != (step.want != users.Existing) {
					t.Errorf("%s: %+v, row = %+v, %v", step.name, got, u, err)
				}
				if found, err := f.IDBySub(t.Context(), step.who.Sub); err != nil || found != got.ID {
					t.Errorf("%s: id %s, but the row is %s, %v", step.name, got.ID, found, err)
				}
				if step.name == "linked" && got.ID != id {
					t.Errorf("linked %s, want %s", got.ID, id)
				}
			}
		})
	}
}
