// Command sso-trigger is the Lambda function for every trigger of a user pool.
//
// Build it for the runtime provided.al2023, as a binary named bootstrap:
//
//	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -tags lambda.norpc -trimpath -ldflags='-s -w' -o bootstrap ./lambda/cmd/sso-trigger
//
// Give the function 4.5 s (Cognito stops waiting after 5 s) and at least
// 256 MB. It needs cognito-idp:AdminUpdateUserAttributes on the pool and
// sqs:SendMessage on the queue.
//
// # Environment
//
// Every mistake is named at once when the function starts; then it ends.
//
//	SSO_PROVIDERS              names of the pool's identity providers, such as
//	                           Kakao,Google. Required.
//	SSO_SQLITE_PATH            file with the user table. Required.
//	SSO_SIGNIN_QUEUE_URL       the SQS queue of sign-ins. Required.
//	SSO_PROVIDER_COLUMNS       provider=column,…: the column with the id at a
//	                           provider. Defaults to
//	                           Kakao=kakao_id,Google=google_id.
//	SSO_SQLITE_JOURNAL         WAL or DELETE. Defaults to WAL.
//	SSO_USER_ID_ATTRIBUTE      Defaults to custom:userId.
//	SSO_ALLOW_NATIVE_SIGN_UP   true or false. Defaults to false.
//	SSO_ALLOW_MISSING_USER_ID  true or false. Defaults to false: no id, no
//	                           token.
//	SSO_SEND_TIMEOUT           how long a sign-in may wait for the queue, such
//	                           as 500ms. Defaults to 500ms.
//	SSO_DEADLINE               how long one trigger may take, at most 5s.
//	                           Defaults to 4s.
//	SSO_LOG_LEVEL              debug, info, warn or error. Defaults to info.
//
// AWS's own variables (AWS_REGION, AWS_ENDPOINT_URL_SQS, …) work as always.
//
// # The table
//
// For now the user table is an SQLite file, which a Lambda function can keep
// on EFS only: set SSO_SQLITE_JOURNAL=DELETE and a reserved concurrency of 1,
// since WAL does not work on a network file system. That is enough to try the
// function out, and not for production. Stores for PostgreSQL and MySQL, and
// the function that reaches them inside a VPC, are to come.
//
// # Warm-up
//
// {"warmup":true} is answered at once and does nothing else.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	triggers, err := setUp(context.Background(), os.Environ())
	if err != nil {
		log.Error("sso-trigger cannot start", "error", err.Error())
		os.Exit(1)
	}
	slog.SetDefault(log) // package log too: aws-lambda-go prints errors, that is our public texts, with it
	awslambda.Start(triggers.Handle)
}

// attempts is few: a trigger has seconds, the user-update quota is 25 a
// second, and what fails here heals at the next token.
const attempts = 2

func setUp(ctx context.Context, environ []string) (*lambda.Triggers, error) {
	s, err := parseSettings(environ)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: s.logLevel}))
	for _, name := range s.unknown {
		log.Warn("unknown variable", "name", name)
	}
	aws, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRetryMaxAttempts(attempts))
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	store, err := sqlite.Open(ctx, s.sqlitePath, s.sqlite)
	if err != nil {
		return nil, err
	}
	s.triggers.Users = store
	s.triggers.Attributes = lambda.NewCognitoAttributes(cognitoidentityprovider.NewFromConfig(aws))
	s.triggers.SignIns = lambda.NewSQSSignIns(sqs.NewFromConfig(aws), s.queueURL)
	s.triggers.Logger = log
	return lambda.NewTriggers(s.triggers)
}
