// Package stores opens the store of users that a function's settings name,
// whichever it is. It makes topologies a matter of one variable: split is
// remote, single is a database.
package stores

import (
	"context"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/database"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/remote"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
)

// Open opens the store that s names. It calls nothing over a network, as
// [database.Open] says. SQLite's file is opened, though.
func Open(ctx context.Context, s settings.Store, cfg aws.Config, log *slog.Logger) (database.Store, error) {
	switch s.Kind {
	case settings.Remote:
		return openRemote(s, cfg, log)
	case settings.SQLite:
		return sqlite.Open(ctx, s.Path, sqlite.Config{Table: s.Table, Journal: sqlite.Journal(s.Journal)})
	}
	return database.Open(ctx, s, cfg)
}

func openRemote(s settings.Store, cfg aws.Config, log *slog.Logger) (database.Store, error) {
	// The store tries again by itself, within the time of its caller.
	api := awslambda.NewFromConfig(cfg, func(o *awslambda.Options) { o.RetryMaxAttempts = 1 })
	return remote.New(api, remote.Config{Function: s.Function, OnRetry: func(ctx context.Context, code string) {
		lambda.CountRetry(ctx)
		log.WarnContext(ctx, "sso-dbsync is asked again", "code", code)
	}})
}
