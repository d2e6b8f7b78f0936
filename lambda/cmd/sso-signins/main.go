// Command sso-signins is the Lambda function that takes sign-ins out of the
// SQS queue and writes the last logins to the user table, one statement for
// many.
//
// make lambdas builds it for the runtime provided.al2023. Give it 30 s and at
// least 256 MB, the subnets and the security group that reach the database,
// and no way to anything else: Lambda itself reads the queue, and with
// SSO_DB_AUTH=iam the function needs no AWS API, only rds-db:connect on the
// database user. Its role needs sqs:ReceiveMessage, sqs:DeleteMessage and
// sqs:GetQueueAttributes on the queue.
//
// The event source mapping must have ReportBatchItemFailures, with a batch of
// up to 1,000 and a window of some seconds to fill it; the queue must have a
// visibility timeout of six times the function's, and a dead-letter queue.
//
// # Environment
//
// Every mistake is named at once when the function starts; then it ends.
//
//	SSO_STORE                 postgres or mysql (which is MariaDB too).
//	                          Required.
//	SSO_MAX_BATCH             sign-ins in one statement. Defaults to 1000.
//	SSO_DB_STATEMENT_TIMEOUT  Defaults to 5s: a statement is many sign-ins.
//	SSO_LOG_LEVEL             debug, info, warn or error. Defaults to info.
//	SSO_METRICS_NAMESPACE     namespace of the CloudWatch metrics; "-" is none.
//	                          Defaults to SSO.
//
// And every other SSO_DB_, SSO_TABLE, SSO_PROVIDER_COLUMNS and SSO_MOVED
// variable of sso-dbsync, with the same values.
//
// # Warm-up
//
// {"warmup":true} is answered at once and does nothing else.
package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/awsenv"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/database"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/function"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

const (
	name = "sso-signins"
	// statementTimeout is longer than that of a sign-up, for whom somebody waits.
	statementTimeout = 5 * time.Second
)

func main() { function.Main(name, setUp) }

func setUp(ctx context.Context, r *settings.Reader, log *slog.Logger) (function.Function, error) {
	s, batch := r.Store("", settings.Postgres, settings.MySQL), r.Number("SSO_MAX_BATCH")
	handling := lambda.SignInsHandlerConfig{Logger: log}
	if metrics := function.Metrics(r, name); metrics != nil {
		handling.OnResult = lambda.SignInsEMF(metrics, log)
	}
	env, err := awsenv.Load()
	if err := errors.Join(r.Err(), err); err != nil {
		return function.Function{}, err
	}
	if s.Database.Config.StatementTimeout == 0 {
		s.Database.Config.StatementTimeout = statementTimeout
	}
	store, err := database.Open(ctx, s, env)
	if err != nil {
		return function.Function{}, err
	}
	handler, err := newHandler(store, batch, handling)
	if err != nil {
		return function.Function{}, errors.Join(err, store.Close())
	}
	return function.Function{Handler: handler, Connections: store}, nil
}

func newHandler(store users.Store, batch int, cfg lambda.SignInsHandlerConfig) (*lambda.SignInsHandler, error) {
	consumer, err := lambda.NewConsumer(lambda.ConsumerConfig{Users: store, MaxBatch: batch, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	return lambda.NewSignInsHandler(consumer, cfg)
}
