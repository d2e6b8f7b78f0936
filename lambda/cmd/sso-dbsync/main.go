// Command sso-dbsync is the Lambda function that reaches the database for
// sso-trigger: it sits in the VPC and serves the user table by invocation.
//
// make lambdas builds it for the runtime provided.al2023. Give it 4 s and at
// least 256 MB, the subnets and the security group that reach the database,
// and no way to anything else: with SSO_DB_AUTH=iam it needs no AWS API, only
// rds-db:connect on the database user.
//
// Whoever may invoke it may be anybody: grant lambda:InvokeFunction on it to
// the role of sso-trigger and to the job that reconciles, to nobody else.
//
// # Environment
//
// Every mistake is named at once when the function starts; then it ends.
//
//	SSO_STORE                 postgres or mysql (which is MariaDB too).
//	                          Required.
//	SSO_DB_HOST               the endpoint that RDS shows. Required.
//	SSO_DB_PORT               Defaults to 5432 or 3306.
//	SSO_DB_NAME               name of the database. Required.
//	SSO_DB_USER               database user. Required, unless the secret of
//	                          SSO_DB_SECRET_ARN has it.
//	SSO_DB_AUTH               iam: tokens that the function signs by itself;
//	                          password; or secret: AWS Secrets Manager, which
//	                          needs an interface endpoint or NAT. Defaults to
//	                          iam.
//	SSO_DB_PASSWORD           with SSO_DB_AUTH=password.
//	SSO_DB_SECRET_ARN         with SSO_DB_AUTH=secret: a JSON secret with
//	                          username and password, as RDS and its rotation
//	                          write it.
//	SSO_DB_CA_FILE            PEM file of the authorities that vouch for the
//	                          database, or "system" for those of the operating
//	                          system (RDS Proxy). Defaults to
//	                          /var/task/global-bundle.pem, which make lambdas
//	                          packs.
//	SSO_DB_INSECURE_NO_TLS    true: in clear. For a database on this machine
//	                          only.
//	SSO_DB_MAX_CONNS          connections of one instance. Defaults to 2.
//	SSO_DB_CONNECT_TIMEOUT    Defaults to 1.5s.
//	SSO_DB_STATEMENT_TIMEOUT  Defaults to 1s.
//	SSO_TABLE                 the user table, or schema.table. Defaults to
//	                          users.
//	SSO_TABLE_ID              its primary key. Defaults to id.
//	SSO_TABLE_ID_TYPE         bigint, int, uuid or text. Defaults to bigint.
//	SSO_TABLE_SUB             column with Cognito's sub. Defaults to
//	                          cognito_sub.
//	SSO_TABLE_EMAIL           Defaults to email; "-" if there is none.
//	SSO_TABLE_DISPLAY_NAME    Defaults to name; "-" if there is none.
//	SSO_TABLE_LAST_LOGIN      Defaults to last_login_at; "-" if there is none.
//	SSO_TABLE_CREATED         Defaults to created_at; "-" if there is none.
//	SSO_PROVIDER_COLUMNS      Kakao=kakao_id:number,Google=google_id: columns
//	                          with the ids at the providers and their types,
//	                          text (if none is said) or number. Defaults to
//	                          Kakao=kakao_id,Google=google_id; "-" is none.
//	SSO_MOVED                 adopt or refuse: what becomes of the row of
//	                          somebody who comes with another sub. Defaults to
//	                          adopt.
//	SSO_TABLE_MOVES           table with a record of those. Defaults to
//	                          sso_moves.
//	SSO_LOG_LEVEL             debug, info, warn or error. Defaults to info.
//	SSO_METRICS_NAMESPACE     namespace of the CloudWatch metrics; "-" is none.
//	                          Defaults to SSO.
//
// # Warm-up
//
// {"warmup":true} is answered at once and does nothing else. Send it every few
// minutes: a function in a VPC that is left alone for weeks fails its next
// invocation.
package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/awsenv"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/database"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/function"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/remote"
)

const name = "sso-dbsync"

func main() { function.Main(name, setUp) }

func setUp(ctx context.Context, r *settings.Reader, log *slog.Logger) (function.Function, error) {
	s, metrics := r.Store("", settings.Postgres, settings.MySQL), function.Metrics(r, name)
	env, err := awsenv.Load()
	if err := errors.Join(r.Err(), err); err != nil {
		return function.Function{}, err
	}
	store, err := database.Open(ctx, s, env)
	if err != nil {
		return function.Function{}, err
	}
	handler, err := remote.NewHandler(store, remote.HandlerConfig{Logger: log, OnCall: measure(metrics, log)})
	if err != nil {
		return function.Function{}, errors.Join(err, store.Close())
	}
	return function.Function{Handler: handler, Connections: store}, nil
}
