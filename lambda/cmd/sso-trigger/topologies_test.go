package main_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/functiontest"
)

// topologies are how to wire the function to a database: single, or by the
// real sso-dbsync. One variable tells them apart.
var topologies = map[string]func(*testing.T, functiontest.Database) []string{
	"single": func(_ *testing.T, db functiontest.Database) []string { return db.Env },
	"split": func(t *testing.T, db functiontest.Database) []string {
		t.Helper()
		dbsync := functiontest.Start(t, "../sso-dbsync", db.Env...)
		return []string{"SSO_STORE=remote", "SSO_DBSYNC_FUNCTION=function", "AWS_ENDPOINT_URL_LAMBDA=" + dbsync.URL()}
	},
}

func TestTopologies(t *testing.T) {
	t.Parallel()
	for topology, wire := range topologies {
		for kind, database := range functiontest.Kinds {
			t.Run(topology+" "+kind, func(t *testing.T) {
				t.Parallel()
				db := database(t)
				if _, err := db.DB.ExecContext(t.Context(), "INSERT INTO users (kakao_id, name) VALUES ('1', 'old'), ('4000000001', 'old')"); err != nil {
					t.Fatal(err)
				}
				f := startWith(t, wire(t, db)...)
				f.must(t, "presignup_external_kakao")
				f.must(t, "postconfirmation_kakao")
				if got := f.must(t, "token_v2_first_sign_in"); strings.Count(got, `"custom:userId":"2"`) != 2 {
					t.Errorf("token answer = %s", got)
				}
				var id, rows, visited int
				if err := db.DB.QueryRowContext(t.Context(), `SELECT id, (SELECT count(*) FROM users), (SELECT count(last_login_at) FROM users)
					FROM users WHERE cognito_sub = '34c84488-e0e1-70ae-d2ee-991ad1a89801' AND last_login_at IS NOT NULL`).Scan(&id, &rows, &visited); err != nil || id != 2 || rows != 2 || visited != 1 {
					t.Errorf("row %d of %d, %d with a last login, %v", id, rows, visited, err)
				}
				f.aws.change(func(a *aws) {
					if len(a.updates) == 0 || a.updates[0].Attributes[0].Value != "2" || len(a.messages) != 0 {
						t.Errorf("updates %+v, %d messages", a.updates, len(a.messages))
					}
				})
				_ = f.Close()
				wantCleanLog(t, f.Log(), 3)
			})
		}
	}
}

// Warm-ups are answered, and sign-ins of known users go on, whatever the
// database does; a sign-up fails with our text.
func TestDatabaseIsDown(t *testing.T) {
	t.Parallel()
	server := realtest.NewPostgres(t)
	db := functiontest.PostgresAt(t, server.Database(t))
	server.Stop()
	for topology, wire := range topologies {
		f := startWith(t, wire(t, db)...)
		if got := f.Must(t, warmup); got != warmup {
			t.Errorf("%s: answer = %s", topology, got)
		}
		f.must(t, "postauthentication_kakao")
		a, err := f.Invoke(t.Context(), fixture(t, "postconfirmation_kakao"))
		if err != nil || a.FunctionError == "" || !strings.Contains(string(a.Payload), "Please try again") {
			t.Errorf("%s: %s, %v", topology, a.Payload, err)
		}
		if f.Starts() != 1 || !json.Valid(a.Payload) {
			t.Errorf("%s: %d starts", topology, f.Starts())
		}
	}
}
