package main

import (
	"fmt"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
)

const environmentText = `The variables are those of the Lambda functions, so their environment can be used as it is.

The pool, for reconcile and doctor:
  SSO_USER_POOL_ID          such as ap-northeast-2_AbCdEfGhI. Required.
  SSO_PROVIDERS             names of the pool's identity providers, such as Kakao,Google. Required.
  SSO_USER_ID_ATTRIBUTE     Defaults to custom:userId.
  doctor also reads SSO_ISSUERS, SSO_JWKS_URL, SSO_INSECURE_ALLOW_HTTP and SSO_SIGNIN_QUEUE_URL, see below.
  AWS's own variables and files (AWS_PROFILE, …) work as always. The pool's region is the one in its id.

The table:
  SSO_STORE                 postgres, mysql (MariaDB too) or sqlite; for reconcile and doctor also remote. Required.
  SSO_TABLE                 table or schema.table. Defaults to users.
  SSO_TABLE_ID              Defaults to id.
  SSO_TABLE_ID_TYPE         bigint, int, uuid or text. Defaults to bigint.
  SSO_TABLE_SUB             Defaults to cognito_sub.
  SSO_TABLE_EMAIL           Defaults to email; "-" if there is none.
  SSO_TABLE_DISPLAY_NAME    Defaults to name; "-" if there is none.
  SSO_TABLE_LAST_LOGIN      Defaults to last_login_at; "-" if there is none.
  SSO_TABLE_CREATED         Defaults to created_at; "-" if there is none.
  SSO_PROVIDER_COLUMNS      Kakao=kakao_id:number,Google=google_id; "-" is none. Defaults to Kakao=kakao_id,Google=google_id.
  SSO_MOVED                 adopt or refuse. Defaults to adopt.
  SSO_TABLE_MOVES           Defaults to sso_moves.

The database server, for postgres and mysql:
  SSO_DB_HOST               Required.
  SSO_DB_PORT               Defaults to 5432 or 3306.
  SSO_DB_NAME               Required.
  SSO_DB_USER               Required, unless the secret has it.
  SSO_DB_AUTH               iam, password or secret. Defaults to iam.
  SSO_DB_PASSWORD           for SSO_DB_AUTH=password.
  SSO_DB_SECRET_ARN         for SSO_DB_AUTH=secret.
  SSO_DB_CA_FILE            PEM file of the authorities to trust, or "system".
  SSO_DB_INSECURE_NO_TLS    true: in clear. For a database on this machine only.
  SSO_DB_CONNECT_TIMEOUT, SSO_DB_STATEMENT_TIMEOUT, SSO_DB_MAX_CONNS

The function in the database's network, for remote, so that ssoctl can run anywhere:
  SSO_DBSYNC_FUNCTION       name or ARN of sso-dbsync, which must be of this release. Required.

The file, for sqlite:
  SSO_SQLITE_PATH           Required.
  SSO_SQLITE_JOURNAL        WAL or DELETE. Defaults to WAL.

An app, for token inspect, jwks and login; these are the variables of the app itself:
  SSO_USER_POOL_ID          Required, but for token inspect, which then decodes only.
  SSO_CLIENT_ID             its app client, and SSO_CLIENT_IDS more of them. Required, but for jwks.
  SSO_ISSUERS, SSO_JWKS_URL, SSO_USER_ID_ATTRIBUTE, SSO_USER_ID_KIND
  SSO_DOMAIN                URL of the pool's domain, for login. Required.
  SSO_CLIENT_SECRET         for login with a client that has one; or SSO_CLIENT_SECRET_FILE.
  SSO_SCOPES, SSO_PROVIDERS for login.
  SSO_INSECURE_ALLOW_HTTP   true: for a pool on this machine.

The queue, for queue redrive:
  SSO_SIGNIN_QUEUE_URL      URL of the queue of sign-ins, not of the dead one.
`

// others are variables of the Lambda functions and of apps that mean nothing
// here, or not to every command.
var others = []string{
	"SSO_SIGNIN_QUEUE_URL", "SSO_ALLOW_NATIVE_SIGN_UP", "SSO_ALLOW_MISSING_USER_ID", "SSO_SEND_TIMEOUT", "SSO_ATTRIBUTE_TIMEOUT", "SSO_DEADLINE",
	"SSO_LOG_LEVEL", "SSO_LANGUAGE", "SSO_METRICS_NAMESPACE", "SSO_MAX_BATCH", "SSO_DBSYNC_FUNCTION", "SSO_USER_ID_SOURCE", "SSO_REFUSE_MISMATCH",
	"SSO_ALLOWED_EMAIL_DOMAINS", "SSO_EMAIL_DOMAIN_EXEMPT", "SSO_ALLOW_UNVERIFIED_EMAIL_DOMAIN", "SSO_REQUIRE_REAL",
	"SSO_USER_POOL_ID", "SSO_PROVIDERS", "SSO_USER_ID_ATTRIBUTE", // of reconcile, for the other commands
	"SSO_CLIENT_ID", "SSO_CLIENT_IDS", "SSO_ISSUERS", "SSO_JWKS_URL", "SSO_USER_ID_KIND", "SSO_DOMAIN", "SSO_CLIENT_SECRET", // of an app
	"SSO_CLIENT_SECRET_FILE", "SSO_SCOPES", "SSO_INSECURE_ALLOW_HTTP", "SSO_BASE_URL", "SSO_REDIRECT_URL", "SSO_LOGOUT_URL",
}

// poolSettings is which pool to look at.
type poolSettings struct {
	id, attribute string
	providers     []string
}

// environment is the environment, read.
type environment struct {
	pool  poolSettings
	store settings.Store
}

// environment reads what a command needs, and warns of what nobody knows.
func (c *cli) environment(withPool bool) (environment, error) {
	r := settings.NewReader(c.environ)
	var e environment
	if withPool {
		e.pool = poolSettings{r.Required("SSO_USER_POOL_ID"), r.Text("SSO_USER_ID_ATTRIBUTE"), r.RequiredList("SSO_PROVIDERS")}
		if _, name, ok := strings.Cut(e.pool.id, "_"); e.pool.id != "" && (!ok || name == "") {
			r.Fail(fmt.Errorf("SSO_USER_POOL_ID: %q is not of the form ap-northeast-2_AbCdEfGhI", e.pool.id))
		}
	}
	kinds := []settings.Kind{settings.Postgres, settings.MySQL, settings.SQLite}
	if withPool { // the table's layout cannot be changed from afar
		kinds = append(kinds, settings.Remote)
	}
	e.store = r.Store("", kinds...)
	if e.store.Kind == settings.Remote {
		e.store.Table = r.Table() // its columns tell which ids at providers a row must have
	}
	for _, name := range others {
		r.Text(name)
	}
	if err := r.Err(); err != nil {
		return e, fmt.Errorf("%w: the environment is not complete (\"ssoctl help environment\" explains it):\n%w", errUsage, err)
	}
	for _, name := range r.Unknown() {
		_, _ = fmt.Fprintf(c.err, "ssoctl: warning: unknown variable %s\n", name)
	}
	return e, nil
}

// region is the one in the pool's id.
func (p poolSettings) region() string {
	region, _, _ := strings.Cut(p.id, "_")
	return region
}
