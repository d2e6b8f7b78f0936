package settings_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
)

var all = []settings.Kind{settings.Remote, settings.Postgres, settings.MySQL, settings.SQLite}

func read(fallback settings.Kind, kinds []settings.Kind, env ...string) (settings.Store, *settings.Reader) {
	r := settings.NewReader(env)
	s := r.Store(fallback, kinds...)
	return s, r
}

var database = []string{"SSO_DB_HOST=db.example.test", "SSO_DB_NAME=school", "SSO_DB_USER=sso", "AWS_REGION=ap-northeast-2"}

func with(base []string, more ...string) []string {
	return append(append([]string{}, base...), more...)
}

func TestStoreKinds(t *testing.T) {
	t.Parallel()
	s, r := read(settings.Remote, all, "SSO_DBSYNC_FUNCTION=sso-dbsync")
	if s.Kind != settings.Remote || s.Function != "sso-dbsync" || r.Err() != nil || r.Unknown() != nil {
		t.Errorf("%+v, %v", s, r.Err())
	}
	s, r = read(settings.Remote, all, "SSO_STORE=SQLite", "SSO_SQLITE_PATH=/mnt/x.db", "SSO_SQLITE_JOURNAL=delete", "SSO_TABLE=students")
	if s.Kind != settings.SQLite || s.Path != "/mnt/x.db" || s.Journal != "DELETE" || s.Table.Name != "students" || r.Err() != nil || r.Unknown() != nil {
		t.Errorf("%+v, %v", s, r.Err())
	}
	s, r = read("", all, with(database, "SSO_STORE=postgres")...)
	if s.Kind != settings.Postgres || s.Database.Auth != settings.AuthIAM || s.Database.Region != "ap-northeast-2" || s.Database.Config.Password != nil || r.Err() != nil {
		t.Errorf("%+v, %v", s, r.Err())
	}
}

func TestDatabaseAll(t *testing.T) {
	t.Parallel()
	s, r := read("", all, "SSO_STORE=mysql", "SSO_DB_HOST=127.0.0.1", "SSO_DB_PORT=3307", "SSO_DB_NAME=school", "SSO_DB_USER=sso", "SSO_DB_AUTH=password",
		"SSO_DB_PASSWORD= with spaces ", "SSO_DB_INSECURE_NO_TLS=true", "SSO_DB_MAX_CONNS=3", "SSO_DB_CONNECT_TIMEOUT=2s", "SSO_DB_STATEMENT_TIMEOUT=700ms")
	if r.Err() != nil || r.Unknown() != nil {
		t.Fatal(r.Err(), r.Unknown())
	}
	c := s.Database.Config
	creds, err := c.Credentials(t.Context())
	if err != nil || creds.User != "sso" || creds.Password.Reveal() != " with spaces " {
		t.Errorf("%v, %v", creds.User, err)
	}
	if c.Host != "127.0.0.1" || c.Port != 3307 || c.Database != "school" || !c.TLS.InsecureNoTLS || c.MaxConns != 3 ||
		c.ConnectTimeout != 2*time.Second || c.StatementTimeout != 700*time.Millisecond {
		t.Errorf("%+v", c)
	}
	s, r = read("", all, with(database, "SSO_STORE=mysql", "SSO_DB_CA_FILE=system")...)
	if c := s.Database.Config; r.Err() != nil || !c.TLS.SystemCAs || c.TLS.CAFile != "" {
		t.Errorf("%+v, %v", c, r.Err())
	}
	s, r = read("", all, "SSO_STORE=postgres", "SSO_DB_HOST=h", "SSO_DB_NAME=n", "SSO_DB_AUTH=secret", "SSO_DB_SECRET_ARN=arn:x", "SSO_DB_CA_FILE=ca.pem")
	if c := s.Database; r.Err() != nil || c.SecretARN != "arn:x" || c.Config.TLS.CAFile != "ca.pem" {
		t.Errorf("%+v, %v", c, r.Err())
	}
}

func TestStoreMistakes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		fallback settings.Kind
		kinds    []settings.Kind
		env      []string
		want     []string
	}{
		{"no kind", "", all, nil, []string{"SSO_STORE: required: one of remote, postgres, mysql, sqlite"}},
		{"another kind", "", all, []string{"SSO_STORE=oracle"}, []string{`SSO_STORE: "oracle"`}},
		{"a kind of another function", "", all[1:3], []string{"SSO_STORE=remote"}, []string{`SSO_STORE: "remote"`}},
		{"another kind, and a table", "", all, []string{"SSO_STORE=oracle", "SSO_TABLE=a b"}, []string{"SSO_STORE", "SSO_TABLE: "}},
		{"no function", settings.Remote, all, nil, []string{"SSO_DBSYNC_FUNCTION: required"}},
		{"no file", "", all, []string{"SSO_STORE=sqlite", "SSO_SQLITE_JOURNAL=off"}, []string{"SSO_SQLITE_PATH: required", "SSO_SQLITE_JOURNAL"}},
		{"no database", "", all, []string{"SSO_STORE=postgres"},
			[]string{"SSO_DB_HOST: ", "SSO_DB_NAME: ", "SSO_DB_USER: ", "AWS_REGION: required"}},
		{"everything wrong", "", all, []string{"SSO_STORE=mysql", "SSO_DB_HOST=db:3306", "SSO_DB_PORT=70000", "SSO_DB_NAME=n", "SSO_DB_USER=u", "SSO_DB_AUTH=password", "SSO_DB_SECRET_ARN=arn",
			"SSO_DB_INSECURE_NO_TLS=yes", "SSO_DB_MAX_CONNS=1000", "SSO_DB_CONNECT_TIMEOUT=1h", "SSO_DB_STATEMENT_TIMEOUT=soon", "SSO_TABLE_ID=x y"},
			[]string{"SSO_DB_HOST: ", "SSO_DB_PORT: ", "SSO_DB_PASSWORD: required", "SSO_DB_SECRET_ARN: is of no use", "SSO_DB_INSECURE_NO_TLS: ", "SSO_DB_MAX_CONNS: ",
				"SSO_DB_CONNECT_TIMEOUT: ", "SSO_DB_STATEMENT_TIMEOUT: ", "SSO_TABLE_ID: "}},
		{"a password that nobody uses", "", all, with(database, "SSO_STORE=mysql", "SSO_DB_PASSWORD=hunter2"), []string{"SSO_DB_PASSWORD: is of no use: SSO_DB_AUTH is iam"}},
		{"a secret without its name", "", all, with(database, "SSO_STORE=mysql", "SSO_DB_AUTH=secret"), []string{"SSO_DB_SECRET_ARN: required"}},
		{"in clear to elsewhere", "", all, with(database, "SSO_STORE=mysql", "SSO_DB_INSECURE_NO_TLS=true", "SSO_DB_AUTH=password", "SSO_DB_PASSWORD=hunter2"),
			[]string{"SSO_DB_INSECURE_NO_TLS: "}},
		{"a token in clear", "", all, with(database, "SSO_STORE=mysql", "SSO_DB_HOST=::1", "SSO_DB_INSECURE_NO_TLS=true"), []string{"SSO_DB_INSECURE_NO_TLS: "}},
		{"in clear with authorities", "", all, with(database, "SSO_STORE=mysql", "SSO_DB_HOST=::1", "SSO_DB_CA_FILE=x", "SSO_DB_INSECURE_NO_TLS=true", "SSO_DB_AUTH=password", "SSO_DB_PASSWORD=hunter2"),
			[]string{"SSO_DB_CA_FILE: "}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, r := read(row.fallback, row.kinds, row.env...)
			names(t, r.Err(), row.want...)
			if err := r.Err(); err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}

// What another kind would read is told as unknown.
func TestVariablesOfAnotherKind(t *testing.T) {
	t.Parallel()
	_, r := read("", all, "SSO_STORE=remote", "SSO_DBSYNC_FUNCTION=f", "SSO_DB_HOST=h", "SSO_TABLE=t")
	if got := r.Unknown(); len(got) != 2 || r.Err() != nil {
		t.Errorf("unknown = %v, %v", got, r.Err())
	}
}
