// Command blocking is sso-trigger as it would be without a queue: the same
// handlers, and a sign-in waits until last_login_at is written. It is here to
// show why there is a queue.
package main

import (
	"context"
	"log"
	"log/slog"
	"os"
	"strconv"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/postgres"
)

// wait is how long a sign-in waits for the database before it goes on without:
// more than the two seconds of a slow one, within Cognito's five.
const wait = 3 * time.Second

// direct writes a sign-in at once.
type direct struct{ store users.Store }

func (d direct) Send(ctx context.Context, s lambda.SignIn) error {
	_, err := d.store.RecordSignIns(ctx, []users.SignIn{{Sub: s.Sub, At: s.At}})
	return err
}

func main() {
	port, err := strconv.Atoi(os.Getenv("SSO_DB_PORT"))
	if err != nil {
		log.Fatal(err)
	}
	store, err := postgres.Open(context.Background(), postgres.Config{Conn: dbconn.Config{
		Host: os.Getenv("SSO_DB_HOST"), Port: port, Database: os.Getenv("SSO_DB_NAME"), User: os.Getenv("SSO_DB_USER"),
		Password: dbconn.NewStatic(os.Getenv("SSO_DB_PASSWORD")), TLS: dbconn.TLS{InsecureNoTLS: true}, StatementTimeout: wait,
	}})
	if err != nil {
		log.Fatal(err)
	}
	cognito := cognitoidentityprovider.New(cognitoidentityprovider.Options{
		Region:       os.Getenv("AWS_REGION"),
		BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER")),
		Credentials:  credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
	})
	logger := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	triggers, err := lambda.NewTriggers(lambda.Config{
		Users: store, Attributes: lambda.NewCognitoAttributes(cognito), SignIns: direct{store}, SendTimeout: wait, Deadline: 5 * time.Second,
		Providers: []string{"Kakao", "Google"}, Logger: logger, OnResult: func(lambda.Result) {},
	})
	if err != nil {
		log.Fatal(err)
	}
	awslambda.Start(triggers.Handle)
}
