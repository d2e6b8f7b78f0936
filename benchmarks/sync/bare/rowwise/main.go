// Command rowwise is sso-signins as it would be without statements for many: the
// same handler reads the same events, and each sign-in is an UPDATE of its own,
// prepared once, on one connection, and a transaction.
package main

import (
	"context"
	"database/sql"
	"log"
	"log/slog"
	"os"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// store writes row by row.
type store struct {
	users.Store // nil: nothing else is asked of it
	db          *sql.DB
	update      *sql.Stmt // nil before the first event
}

func (s *store) RecordSignIns(ctx context.Context, batch []users.SignIn) (report users.SignInReport, err error) {
	if s.update == nil {
		s.update, err = s.db.PrepareContext(ctx, os.Getenv("BARE_UPDATE")) //nolint:gosec // of the benchmark that starts this
		if err != nil {
			return report, err
		}
	}
	for _, one := range batch {
		r, err := s.update.ExecContext(ctx, one.At, one.Sub, one.At)
		if err != nil {
			return report, err
		}
		n, err := r.RowsAffected()
		if err != nil {
			return report, err
		}
		report.Updated += int(n)
	}
	return report, nil
}

func main() {
	db, err := sql.Open(os.Getenv("BARE_DRIVER"), os.Getenv("BARE_DATABASE"))
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	logger := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	consumer, err := lambda.NewConsumer(lambda.ConsumerConfig{Users: &store{db: db}, Logger: logger})
	if err != nil {
		log.Fatal(err)
	}
	handler, err := lambda.NewSignInsHandler(consumer, lambda.SignInsHandlerConfig{Logger: logger})
	if err != nil {
		log.Fatal(err)
	}
	awslambda.Start(handler)
}
