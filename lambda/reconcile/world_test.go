package reconcile_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// world is a fake pool, reached by AWS's own SDK, and a real table.
type world struct {
	pool  *ssotest.Pool
	api   *cognitoidentityprovider.Client
	store *sqlite.Store
	db    *sql.DB // for rows that no store would write
	found []reconcile.Finding
	extra []reconcile.PoolUser // of extraPool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{pool: ssotest.NewPool(t, ssotest.Config{Providers: []ssotest.Provider{
		ssotest.Kakao(), ssotest.Google(), {Name: "Naver", Type: "OIDC"}, // the last is none of config's
	}})}
	w.api = cognitoidentityprovider.New(cognitoidentityprovider.Options{
		Region: "ap-northeast-2", BaseEndpoint: aws.String(w.pool.URL()), RetryMaxAttempts: 1, HTTPClient: awshttp.NewClient(),
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
	path := filepath.Join(t.TempDir(), "users.db")
	var err error
	if w.store, err = sqlite.Open(t.Context(), path, sqlite.Config{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	if w.db, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	return w
}

// config is that of a fast run which hides nobody for his youth.
func (w *world) config() reconcile.Config {
	return reconcile.Config{
		Pool: reconcile.NewCognitoPool(w.api, w.pool.ID()), Users: w.store,
		Providers: []string{"Kakao", "Google"}, Columns: []string{"Kakao", "Google"},
		SkipYounger: -1, ReadRate: 1e5, WriteRate: 1e5,
		OnFinding: func(f reconcile.Finding) { w.found = append(w.found, f) },
	}
}

func (w *world) run(t *testing.T, change ...func(*reconcile.Config)) reconcile.Report {
	t.Helper()
	w.found = nil
	cfg := w.config()
	for _, c := range change {
		c(&cfg)
	}
	report, err := reconcile.Run(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	if total(report.Found) != len(w.found) {
		t.Errorf("%d findings counted, %d told", total(report.Found), len(w.found))
	}
	return report
}

func apply(c *reconcile.Config) { c.Apply = true }

func total(counts map[reconcile.Kind]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// kakao adds a Kakao user, attribute "" for none, and returns the sub.
func (w *world) kakao(t *testing.T, subject, attribute string) string {
	t.Helper()
	return w.add(t, ssotest.User{Username: "Kakao_" + subject, Status: "EXTERNAL_PROVIDER"}, attribute)
}

func (w *world) add(t *testing.T, u ssotest.User, attribute string) string {
	t.Helper()
	if u.Attributes == nil {
		u.Attributes = map[string]string{}
	}
	if attribute != "" {
		u.Attributes["custom:userId"] = attribute
	}
	added, err := w.pool.AddUser(u)
	if err != nil {
		t.Fatal(err)
	}
	return added.Sub
}

// row writes a row; "" is NULL.
func (w *world) row(t *testing.T, sub, kakao string) string {
	t.Helper()
	res, err := w.db.ExecContext(t.Context(),
		"INSERT INTO users (cognito_sub, kakao_id) VALUES (nullif(?, ''), nullif(?, ''))", sub, kakao)
	if err != nil {
		t.Fatal(err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(id)
}

func (w *world) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := w.db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// good adds a user whose row and attribute agree.
func (w *world) good(t *testing.T, subject string) (sub, id string) {
	t.Helper()
	sub = w.kakao(t, subject, "")
	id = w.row(t, sub, subject)
	w.write(t, "Kakao_"+subject, id)
	return sub, id
}

func (w *world) write(t *testing.T, username, value string) {
	t.Helper()
	p := reconcile.NewCognitoPool(w.api, w.pool.ID())
	if err := p.SetAttribute(t.Context(), username, "custom:userId", value); err != nil {
		t.Fatal(err)
	}
}

func (w *world) delete(t *testing.T, username string) {
	t.Helper()
	_, err := w.api.AdminDeleteUser(t.Context(), &cognitoidentityprovider.AdminDeleteUserInput{
		UserPoolId: aws.String(w.pool.ID()), Username: &username,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// state is everything that a run could change, read without package
// reconcile: each user's attribute, and each row.
func (w *world) state(t *testing.T) (pool map[string]string, rows []string) {
	t.Helper()
	pool = map[string]string{}
	var token *string
	for {
		out, err := w.api.ListUsers(t.Context(), &cognitoidentityprovider.ListUsersInput{UserPoolId: aws.String(w.pool.ID()), PaginationToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range out.Users {
			pool[*u.Username] = ""
			for _, a := range u.Attributes {
				if *a.Name == "custom:userId" {
					pool[*u.Username] = *a.Value
				}
			}
		}
		if token = out.PaginationToken; token == nil {
			break
		}
	}
	found, err := w.db.QueryContext(t.Context(), "SELECT id, coalesce(cognito_sub,''), coalesce(kakao_id,'') FROM users ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var id, sub, kakao string
		if err := found.Scan(&id, &sub, &kakao); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, id+" "+sub+" "+kakao)
	}
	return pool, slices.Clip(rows)
}

// rowOf is the id of the row with the sub.
func (w *world) rowOf(t *testing.T, sub string) string {
	t.Helper()
	id, err := w.store.IDBySub(t.Context(), sub)
	if err != nil {
		t.Fatalf("no row of the sub: %v", err)
	}
	return id
}

var longAgo = time.Now().Add(-24 * time.Hour)
