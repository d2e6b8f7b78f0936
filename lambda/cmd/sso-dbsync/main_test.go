package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/functiontest"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/remote"
)

func TestMain(m *testing.M) { functiontest.Main(m) }

// invoker calls the function as sso-trigger does.
type invoker struct{ *functiontest.Function }

func (i invoker) Invoke(ctx context.Context, in *awslambda.InvokeInput, _ ...func(*awslambda.Options)) (*awslambda.InvokeOutput, error) {
	a, err := i.Function.Invoke(ctx, in.Payload)
	if err != nil {
		return nil, err
	}
	out := &awslambda.InvokeOutput{StatusCode: 200, Payload: a.Payload}
	if a.FunctionError != "" {
		out.FunctionError = &a.FunctionError
	}
	return out, nil
}

func storeOf(t *testing.T, f *functiontest.Function) *remote.Store {
	t.Helper()
	s, err := remote.New(invoker{f}, remote.Config{Function: "sso-dbsync", Timeout: 18 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const warmup = `{"warmup":true}`

var hana = users.Identity{Sub: "34c84488-e0e1-70ae-d2ee-991ad1a89801", Provider: "Kakao", Subject: "4000000001", Email: "hana@example.test", Name: "김하나"}

func TestServesTheTable(t *testing.T) {
	t.Parallel()
	for kind, database := range functiontest.Kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db := database(t)
			f := functiontest.Start(t, ".", db.Env...)
			s := storeOf(t, f)
			first, err := s.Ensure(t.Context(), hana)
			if err != nil || first.Outcome != users.Created {
				t.Fatalf("%+v, %v\n%s", first, err, f.Log())
			}
			again, err := s.Ensure(t.Context(), hana)
			if err != nil || again.ID != first.ID || again.Outcome != users.Existing {
				t.Errorf("%+v, %v", again, err)
			}
			report, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: hana.Sub, At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}, {Sub: "nobody", At: time.Now()}})
			if err != nil || report.Updated != 1 || len(report.Unknown) != 1 {
				t.Errorf("%+v, %v", report, err)
			}
			if _, err := s.Get(t.Context(), "999999"); !errors.Is(err, users.ErrNotFound) {
				t.Errorf("error = %v", err)
			}
			var rows int
			if err := db.DB.QueryRowContext(t.Context(), "SELECT count(*) FROM users WHERE kakao_id = '4000000001'").Scan(&rows); err != nil || rows != 1 {
				t.Errorf("%d rows, %v", rows, err)
			}
			_ = f.Close()
			wantLog(t, f, 4)
		})
	}
}

// wantLog: JSON, a line for each call and one with its metrics, and no personal
// data.
func wantLog(t *testing.T, f *functiontest.Function, calls int) {
	t.Helper()
	if n := len(f.Lines(t, "dbsync")); n != calls {
		t.Errorf("%d lines for %d calls: %s", n, calls, f.Log())
	}
	if n := strings.Count(f.Log(), `"CloudWatchMetrics"`); n != calls || !strings.Contains(f.Log(), `"Operation":"ensure"`) || !strings.Contains(f.Log(), `"Function":"sso-dbsync"`) {
		t.Errorf("%d lines of metrics: %s", n, f.Log())
	}
	for _, personal := range []string{"34c84488", "4000000001", "example.test", "김하나", "not a secret"} {
		if strings.Contains(f.Log(), personal) {
			t.Errorf("the log has %s: %s", personal, f.Log())
		}
	}
}

func TestNoMetrics(t *testing.T) {
	t.Parallel()
	f := functiontest.Start(t, ".", append(functiontest.Postgres(t).Env, "SSO_METRICS_NAMESPACE=-", "SSO_MISTYPED=1")...)
	if _, err := storeOf(t, f).Ensure(t.Context(), hana); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if strings.Contains(f.Log(), "CloudWatchMetrics") {
		t.Errorf("metrics: %s", f.Log())
	}
	if l := f.Lines(t, "a variable that means nothing here"); len(l) != 1 || l[0]["name"] != "SSO_MISTYPED" {
		t.Errorf("warnings: %v", l)
	}
}

// A function that is to be kept warm starts and answers whatever the database
// does, and is well again when the database is.
func TestDatabaseIsDown(t *testing.T) {
	t.Parallel()
	server := realtest.NewPostgres(t)
	db := functiontest.PostgresAt(t, server.Database(t))
	server.Stop()
	f := functiontest.Start(t, ".", db.Env...)
	if got := f.Must(t, warmup); got != warmup {
		t.Errorf("answer = %s", got)
	}
	s := storeOf(t, f)
	if _, err := s.Ensure(t.Context(), hana); !errors.Is(err, users.ErrUnavailable) {
		t.Errorf("error = %v", err)
	}
	server.Start(t)
	if _, err := s.Ensure(t.Context(), hana); err != nil {
		t.Errorf("error = %v\n%s", err, f.Log())
	}
	if f.Starts() != 1 {
		t.Errorf("%d starts", f.Starts())
	}
}

func TestMistakesAtStart(t *testing.T) {
	t.Parallel()
	functiontest.WantMistakes(t, ".", nil, "SSO_STORE")
	functiontest.WantMistakes(t, ".", []string{"SSO_STORE=remote"}, "SSO_STORE")
	functiontest.WantMistakes(t, ".", []string{"AWS_ACCESS_KEY_ID=", "SSO_STORE=mysql", "SSO_DB_HOST=db.example.test:3306", "SSO_DB_AUTH=password", "SSO_DB_INSECURE_NO_TLS=true",
		"SSO_TABLE=a b", "SSO_PROVIDER_COLUMNS=Kakao", "SSO_LOG_LEVEL=loud", "SSO_METRICS_NAMESPACE=AWS/RDS"},
		"AWS_ACCESS_KEY_ID", "SSO_DB_HOST", "SSO_DB_NAME", "SSO_DB_USER", "SSO_DB_PASSWORD", "SSO_DB_INSECURE_NO_TLS", "SSO_TABLE:", "SSO_PROVIDER_COLUMNS", "SSO_LOG_LEVEL", "SSO_METRICS_NAMESPACE")
	// Only at the opening does it show that there are no authorities.
	functiontest.WantMistakes(t, ".", []string{"SSO_STORE=postgres", "SSO_DB_HOST=db.example.test", "SSO_DB_NAME=n", "SSO_DB_USER=u", "SSO_DB_CA_FILE=/nowhere/ca.pem"}, "CAFile")
}

// Lambda's SIGTERM closes the connections, so that the database does not hold
// them until a timeout.
func TestConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	db := functiontest.Postgres(t)
	f := functiontest.Start(t, ".", db.Env...)
	if _, err := storeOf(t, f).Ensure(t.Context(), hana); err != nil {
		t.Fatal(err)
	}
	const held = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'cognito-sso'"
	if n := count(t, db, held); n != 1 {
		t.Fatalf("%d connections", n)
	}
	started := time.Now()
	_ = f.Close()
	if took := time.Since(started); took > 4*time.Second { // then it was killed
		t.Errorf("the process took %v to end", took)
	}
	if len(f.Lines(t, "connections closed")) != 1 { // a killed process says nothing
		t.Errorf("log = %s", f.Log())
	}
	for end := time.Now().Add(20 * time.Second); count(t, db, held) > 0; {
		if time.Now().After(end) {
			t.Fatal("a connection is still there")
		}
	}
}

func count(t *testing.T, db functiontest.Database, query string) (n int) {
	t.Helper()
	if err := db.DB.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// What the handler refuses is an answer, not the end of the process.
func TestNonsense(t *testing.T) {
	t.Parallel()
	f := functiontest.Start(t, ".", functiontest.Postgres(t).Env...)
	for _, event := range []string{`null`, `[]`, `{"v":1,"op":"drop"}`, `{"v":9,"op":"ensure"}`, fmt.Sprintf(`{"v":1,"op":"ensure","args":{"sub":%q}}`, "")} {
		var answer struct{ Error *json.RawMessage }
		if err := json.Unmarshal([]byte(f.Must(t, event)), &answer); err != nil || answer.Error == nil {
			t.Errorf("%s: no error, %v", event, err)
		}
	}
	if f.Starts() != 1 {
		t.Errorf("%d starts", f.Starts())
	}
}
