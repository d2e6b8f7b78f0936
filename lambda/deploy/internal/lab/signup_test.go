package lab_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
)

const sub = "34c84488-e0e1-70ae-d2ee-991ad1a89801" // of the events

// Somebody signs up and comes again, over the network of the templates.
func TestSignUp(t *testing.T) {
	t.Parallel()
	needLab(t)
	// By the function that makes the row.
	for variant, writer := range map[string]string{"split-postgres": "dbsync", "nat-postgres-plus": "trigger"} {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			a := bring(t, build(t, deployment(t, variant, nil)))
			if got := a.signUp(t); got.FunctionError != "" {
				t.Fatalf("%s\n%s", got.Payload, a.programs["trigger"].log)
			}
			a.wantRow(t)
			a.signIn(t)
			a.wantComers(t, writer, "signins")
		})
	}
}

// signUp sends the event as often as Cognito does, which is three times.
func (a *alive) signUp(t *testing.T) (answer lambdaruntime.Answer) {
	t.Helper()
	event := read(t, "../../../testdata/postconfirmation_kakao.json")
	for range 3 {
		var err error
		if answer, err = a.programs["trigger"].Invoke(t.Context(), json.RawMessage(event)); err != nil {
			t.Fatal(err)
		}
		if answer.FunctionError == "" {
			break
		}
	}
	return answer
}

func (a *alive) wantRow(t *testing.T) {
	t.Helper()
	var id int
	if err := a.db.QueryRowContext(t.Context(), "SELECT id FROM users WHERE cognito_sub = $1 AND kakao_id = '4000000001'", sub).Scan(&id); err != nil {
		t.Fatal(err)
	}
	_, updates := a.aws.seen()
	if len(updates) != 1 || !strings.Contains(updates[0], fmt.Sprintf(`"Name":"custom:userId","Value":"%d"`, id)) {
		t.Errorf("row %d, updates of attributes: %v", id, updates)
	}
}

// signIn: the trigger sends a message, and Lambda hands it to sso-signins.
func (a *alive) signIn(t *testing.T) {
	t.Helper()
	if _, err := a.db.ExecContext(t.Context(), "UPDATE users SET last_login_at = '2020-01-01'"); err != nil {
		t.Fatal(err)
	}
	a.programs["trigger"].must(t, read(t, "../../../testdata/postauthentication_kakao.json"))
	messages, _ := a.aws.seen()
	if len(messages) == 0 {
		t.Fatalf("no message\n%s", a.programs["trigger"].log)
	}
	type record struct {
		MessageID   string            `json:"messageId"`
		Body        string            `json:"body"`
		Attributes  map[string]string `json:"attributes"`
		EventSource string            `json:"eventSource"`
	}
	event, err := json.Marshal(map[string]any{"Records": []record{{"m1", messages[len(messages)-1], map[string]string{"SentTimestamp": "1772442000000", "ApproximateReceiveCount": "1"}, "aws:sqs"}}})
	if err != nil {
		t.Fatal(err)
	}
	a.programs["signins"].must(t, string(event))
	var late int
	if err := a.db.QueryRowContext(t.Context(), "SELECT count(*) FROM users WHERE last_login_at > '2020-01-01'").Scan(&late); err != nil || late != 1 {
		t.Errorf("%d rows with a later login, %v\n%s", late, err, a.programs["signins"].log)
	}
}

// wantComers: the connections that PostgreSQL has come from exactly these
// functions, by their addresses in the network.
func (a *alive) wantComers(t *testing.T, programs ...string) {
	t.Helper()
	rows, err := a.db.QueryContext(t.Context(), "SELECT DISTINCT host(client_addr) FROM pg_stat_activity WHERE client_addr IS NOT NULL")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got, want []string
	for rows.Next() {
		var addr string
		if err := rows.Scan(&addr); err != nil {
			t.Fatal(err)
		}
		got = append(got, addr)
	}
	for _, p := range programs {
		want = append(want, a.programs[p].host.Addr.String())
	}
	slices.Sort(got)
	slices.Sort(want)
	if rows.Err() != nil || !slices.Equal(got, want) {
		t.Errorf("connections from %v, want %v, %v", got, want, rows.Err())
	}
}
