// Command sso-trigger is the Lambda function for every trigger of a user pool.
//
// make lambdas builds it for the runtime provided.al2023. Give it 4.5 s
// (Cognito stops waiting after 5 s) and at least 256 MB. It needs
// cognito-idp:AdminUpdateUserAttributes on the pool and sqs:SendMessage on the
// queue.
//
// # Topologies
//
// SSO_STORE says where the user table is, and so how functions are laid out:
//
//	remote           split: this function has no VPC, where it reaches Cognito
//	                 and SQS, and invokes sso-dbsync, which sits in the VPC with
//	                 the database. It needs lambda:InvokeFunction on that one.
//	postgres, mysql  single: this function is in the VPC itself, with NAT: a
//	                 pool with a domain cannot be reached in another way. It
//	                 needs rds-db:connect on the database user, or what
//	                 SSO_DB_AUTH says.
//	sqlite           a file, which a function can keep on EFS only: set
//	                 SSO_SQLITE_JOURNAL=DELETE and a reserved concurrency of 1.
//	                 That is enough to try the function out, and not for
//	                 production.
//
// # Environment
//
// Every mistake is named at once when the function starts; then it ends.
//
//	SSO_PROVIDERS              names of the pool's identity providers, such as
//	                           Kakao,Google. Required.
//	SSO_SIGNIN_QUEUE_URL       the SQS queue of sign-ins. Required.
//	SSO_STORE                  remote, postgres, mysql or sqlite. Defaults to
//	                           remote.
//	SSO_DBSYNC_FUNCTION        remote: name or ARN of sso-dbsync. Required.
//	SSO_USER_ID_ATTRIBUTE      Defaults to custom:userId.
//	SSO_USER_ID_SOURCE         attribute, or store to ask the store for every
//	                           token. Defaults to attribute.
//	SSO_REFUSE_MISMATCH        true: no token if attribute and row differ; with
//	                           SSO_USER_ID_SOURCE=store. Defaults to false.
//	SSO_ALLOW_MISSING_USER_ID  true or false. Defaults to false: no id, no
//	                           token.
//	SSO_ALLOW_NATIVE_SIGN_UP   true or false. Defaults to false.
//	SSO_ALLOWED_EMAIL_DOMAINS  ssu.ac.kr,…: who may sign up. Defaults to
//	                           anybody.
//	SSO_EMAIL_DOMAIN_EXEMPT    providers whose users need no such address.
//	SSO_ALLOW_UNVERIFIED_EMAIL_DOMAIN
//	                           true or false. Defaults to false.
//	SSO_LANGUAGE               en or ko, of what people are shown. Defaults to
//	                           en.
//	SSO_SEND_TIMEOUT           how long a sign-in may wait for the queue, such
//	                           as 500ms. Defaults to 500ms.
//	SSO_ATTRIBUTE_TIMEOUT      how long the write of the attribute may take.
//	                           Defaults to 2s.
//	SSO_DEADLINE               how long one trigger may take, at most 5s.
//	                           Defaults to 4s.
//	SSO_LOG_LEVEL              debug, info, warn or error. Defaults to info.
//	SSO_METRICS_NAMESPACE      namespace of the CloudWatch metrics; "-" is
//	                           none. Defaults to SSO.
//
// With postgres or mysql also every SSO_DB_ and SSO_TABLE variable of
// sso-dbsync; with sqlite the SSO_TABLE ones, and
//
//	SSO_SQLITE_PATH            the file. Required.
//	SSO_SQLITE_JOURNAL         WAL or DELETE. Defaults to WAL.
//
// AWS's own variables (AWS_REGION, AWS_ENDPOINT_URL_SQS, …) work as always;
// credentials are those that Lambda puts into the environment.
//
// # Warm-up
//
// {"warmup":true} is answered at once and does nothing else.
package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/awsenv"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/function"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/stores"
)

const name = "sso-trigger"

func main() { function.Main(name, setUp) }

// attempts is few: a trigger has seconds, the user-update quota is 25 a
// second, and what fails here heals at the next token.
const attempts = 2

func setUp(ctx context.Context, r *settings.Reader, log *slog.Logger) (function.Function, error) {
	c, metrics := read(r), function.Metrics(r, name)
	env, err := awsenv.Load()
	if err := errors.Join(r.Err(), err); err != nil {
		return function.Function{}, err
	}
	store, err := stores.Open(ctx, c.store, env, log)
	if err != nil {
		return function.Function{}, err
	}
	c.triggers.Users, c.triggers.Logger = store, log
	if metrics != nil {
		c.triggers.OnResult = lambda.EMF(metrics, log)
	}
	connectAWS(&c, env)
	triggers, err := lambda.NewTriggers(c.triggers)
	if err != nil {
		return function.Function{}, errors.Join(err, store.Close())
	}
	f := function.Function{Handler: triggers.Handle}
	if c.store.Kind != settings.Remote { // that one holds no connections
		f.Connections = store
	}
	return f, nil
}

func connectAWS(c *config, env aws.Config) {
	env.RetryMaxAttempts = attempts
	c.triggers.Attributes = lambda.NewCognitoAttributes(cognitoidentityprovider.NewFromConfig(env))
	c.triggers.SignIns = lambda.NewSQSSignIns(sqs.NewFromConfig(env), c.queueURL)
}
