// Package database opens the store of users in PostgreSQL or MySQL that a
// function's settings name. It is apart from package stores so that a function
// in the VPC need not hold what it never uses.
package database

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/mysql"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/postgres"
)

// Store is an open store of users.
type Store interface {
	users.Store
	io.Closer
}

// Open opens the store that s names, which is of the kind Postgres or MySQL.
// It connects to nothing: the first call of a method does, so that a function
// starts, and answers its warm-ups, whatever the database does.
func Open(ctx context.Context, s settings.Store, cfg aws.Config) (Store, error) {
	conn, err := connection(s.Database, cfg)
	if err != nil {
		return nil, err
	}
	switch s.Kind {
	case settings.Postgres:
		return postgres.Open(ctx, postgres.Config{Conn: conn, Table: s.Table})
	case settings.MySQL:
		return mysql.Open(ctx, mysql.Config{Conn: conn, Table: s.Table})
	}
	return nil, fmt.Errorf("SSO_STORE: %q is no database", s.Kind)
}

// connection completes the settings with what gives the password.
func connection(d settings.Database, cfg aws.Config) (conn dbconn.Config, err error) {
	conn = d.Config
	switch d.Auth {
	case settings.AuthIAM:
		conn.Password, err = dbconn.NewIAM(dbconn.IAMConfig{Region: d.Region, Credentials: cfg.Credentials})
	case settings.AuthSecret:
		conn.Password, err = dbconn.NewSecretsManager(dbconn.SecretsManagerConfig{API: secretsmanager.NewFromConfig(cfg), SecretID: d.SecretARN})
	case settings.AuthPassword: // it is in there
	}
	return conn, err
}
