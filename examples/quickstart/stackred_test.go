package main

import (
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
)

// The check sees what is set up wrongly on the stack.
func TestStackGoesRed(t *testing.T) {
	t.Parallel()
	onlyGoogle := []string{"SSO_PROVIDER_COLUMNS=Google=google_id"}
	for _, row := range []struct {
		step, broken, kind string
		sabotage           func(*testing.T, *stackConfig)
		says               string
	}{
		{"kakao-existing-row-linked", "no column for Kakao's ids", "postgres", func(_ *testing.T, cfg *stackConfig) {
			cfg.env = map[string][]string{"sso-trigger": onlyGoogle, "sso-dbsync": onlyGoogle, "sso-signins": onlyGoogle}
		}, "did not get a cognito_sub"},
		{"kakao-existing-row-linked", "Kakao's ids in a column for something else", "mysql", func(_ *testing.T, cfg *stackConfig) {
			cfg.env = map[string][]string{"sso-dbsync": {"SSO_PROVIDER_COLUMNS=Kakao=student_no,Google=google_id"}}
		}, "not signed in"},
		{"kakao-existing-row-linked", "sso-dbsync has another table", "postgres", func(t *testing.T, cfg *stackConfig) {
			t.Helper()
			other := stackDatabases["postgres"](t)
			mustExec(t, other.db, "DELETE FROM users")
			cfg.env = map[string][]string{"sso-dbsync": other.env}
		}, "did not get a cognito_sub"},
		{"kakao-new-row-created", "sso-dbsync has the right of reading only", "mysql", func(t *testing.T, cfg *stackConfig) {
			t.Helper()
			mustExec(t, cfg.database.db, cfg.database.readOnly)
		}, "not signed in"},
		{"first-token-has-userid", "the attribute has another name", "postgres", func(_ *testing.T, cfg *stackConfig) {
			cfg.env = map[string][]string{"sso-trigger": {"SSO_USER_ID_ATTRIBUTE=custom:number"}}
		}, "custom:userId <nil>"},
		{"last-login-written", "nobody reads the queue", "postgres", func(_ *testing.T, cfg *stackConfig) { cfg.unread = true }, "did not move"},
		{"last-login-written", "sso-trigger writes to another queue", "mysql", func(t *testing.T, cfg *stackConfig) {
			t.Helper()
			other := realtest.SQS(t).Queue(t, realtest.QueueConfig{})
			cfg.env = map[string][]string{"sso-trigger": {"SSO_SIGNIN_QUEUE_URL=" + other.URL}}
		}, "did not move"},
		{"last-login-written", "sso-signins has another table", "mysql", func(t *testing.T, cfg *stackConfig) {
			t.Helper()
			cfg.env = map[string][]string{"sso-signins": stackDatabases["mysql"](t).env}
		}, "did not move"},
	} {
		t.Run(row.step+"/"+row.broken, func(t *testing.T) {
			t.Parallel()
			cfg := stackConfig{split: true, database: stackDatabases[row.kind](t)}
			row.sabotage(t, &cfg)
			s := newStack(t, cfg)
			for _, step := range steps() {
				if step.name != row.step {
					continue
				}
				detail, ok := s.c.runStep(t.Context(), step)
				if ok || !strings.Contains(detail, row.says) {
					t.Errorf("ok %v, detail %q; want not ok, and a detail that says %q", ok, detail, row.says)
				}
				return
			}
			t.Fatal("no such step")
		})
	}
}
