package main_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/functiontest"
)

func TestMain(m *testing.M) { functiontest.Main(m) }

const sub = "34c84488-e0e1-70ae-d2ee-991ad1a89801"

// event is one of SQS with a message for each body.
func event(t *testing.T, bodies ...string) string {
	t.Helper()
	type record struct {
		MessageID   string            `json:"messageId"`
		Body        string            `json:"body"`
		Attributes  map[string]string `json:"attributes"`
		EventSource string            `json:"eventSource"`
	}
	var e struct{ Records []record }
	for i, body := range bodies {
		e.Records = append(e.Records, record{fmt.Sprint("m", i), body, map[string]string{"SentTimestamp": "1772442000000", "ApproximateReceiveCount": "1"}, "aws:sqs"})
	}
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func signIn(sub, at string) string {
	return fmt.Sprintf(`{"v":1,"sub":%q,"at":%q,"pool":"ap-northeast-2_ExAmPlE01","client":"c"}`, sub, at)
}

const none = `{"batchItemFailures":[]}`

func TestRecords(t *testing.T) {
	t.Parallel()
	for kind, database := range functiontest.Kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db := database(t)
			if _, err := db.DB.ExecContext(t.Context(), "INSERT INTO users (cognito_sub, email) VALUES ('"+sub+"', 'hana@example.test')"); err != nil {
				t.Fatal(err)
			}
			f := functiontest.Start(t, ".", db.Env...)
			if got := f.Must(t, event(t, signIn(sub, "2026-03-02T09:00:00Z"), signIn(sub, "2026-03-02T08:00:00Z"), signIn("nobody", "2026-03-02T09:00:00Z"))); got != none {
				t.Errorf("answer = %s", got)
			}
			if got := f.Must(t, event(t, signIn(sub, "2026-03-02T07:00:00Z"), "poison")); got != `{"batchItemFailures":[{"itemIdentifier":"m1"}]}` {
				t.Errorf("answer = %s", got)
			}
			var rows int
			if err := db.DB.QueryRowContext(t.Context(), "SELECT count(*) FROM users WHERE last_login_at = '2026-03-02 09:00:00'").Scan(&rows); err != nil || rows != 1 {
				t.Errorf("%d rows, %v", rows, err)
			}
			_ = f.Close()
			wantLog(t, f)
		})
	}
}

func wantLog(t *testing.T, f *functiontest.Function) {
	t.Helper()
	if n := len(f.Lines(t, "sign-ins recorded")); n != 2 {
		t.Errorf("%d lines: %s", n, f.Log())
	}
	if !strings.Contains(f.Log(), `"Function":"sso-signins"`) || !strings.Contains(f.Log(), `"Poison":1`) {
		t.Errorf("no metrics: %s", f.Log())
	}
	for _, personal := range []string{"34c84488", "nobody", "example.test", "not a secret"} {
		if strings.Contains(f.Log(), personal) {
			t.Errorf("the log has %s: %s", personal, f.Log())
		}
	}
}

func TestDatabaseIsDown(t *testing.T) {
	t.Parallel()
	server := realtest.NewPostgres(t)
	db := functiontest.PostgresAt(t, server.Database(t))
	if _, err := db.DB.ExecContext(t.Context(), "INSERT INTO users (cognito_sub) VALUES ('"+sub+"')"); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	f := functiontest.Start(t, ".", append(db.Env, "SSO_DB_CONNECT_TIMEOUT=1s")...)
	if got := f.Must(t, `{"warmup":true}`); got != none {
		t.Errorf("answer = %s", got)
	}
	server.Start(t)
	if got := f.Must(t, event(t, signIn(sub, "2026-03-02T09:00:00Z"))); got != none {
		t.Errorf("answer = %s\n%s", got, f.Log())
	}
}

func TestMistakesAtStart(t *testing.T) {
	t.Parallel()
	functiontest.WantMistakes(t, ".", []string{"SSO_STORE=sqlite", "SSO_MAX_BATCH=-1", "AWS_REGION="}, "SSO_STORE", "SSO_MAX_BATCH", "AWS_REGION")
	functiontest.WantMistakes(t, ".", []string{"SSO_STORE=postgres"}, "SSO_DB_HOST", "SSO_DB_NAME", "SSO_DB_USER")
}
