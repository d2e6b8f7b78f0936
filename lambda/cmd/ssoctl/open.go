package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/logging"
	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/mysql"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/postgres"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/remote"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
)

// awsConfig is what the SDK finds in files and the environment. The SDK does
// not log: that would be in the progress bar.
func awsConfig(ctx context.Context, options ...func(*awsconfig.LoadOptions) error) (aws.Config, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx, append(options, awsconfig.WithLogger(logging.Nop{}))...)
	if err != nil {
		return cfg, fmt.Errorf("AWS configuration: %w", err)
	}
	cfg.HTTPClient = awshttp.Over(cfg.HTTPClient)
	return cfg, nil
}

// openPool reaches the pool. One attempt: reconcile itself waits and tries
// again.
func openPool(ctx context.Context, p poolSettings) (*reconcile.CognitoPool, error) {
	cfg, err := awsConfig(ctx, awsconfig.WithRetryMaxAttempts(1), awsconfig.WithRegion(p.region()))
	if err != nil {
		return nil, err
	}
	return reconcile.NewCognitoPool(cognitoidentityprovider.NewFromConfig(cfg), p.id), nil
}

// store is a table that can be closed.
type store interface {
	users.Store
	Close() error
}

// remoteTimeout is long enough for a page of rows after a cold start.
const remoteTimeout = 20 * time.Second

func openStore(ctx context.Context, s settings.Store) (store, error) {
	if s.Kind == settings.SQLite {
		if err := exists(s.Path); err != nil {
			return nil, err
		}
		return kept(sqlite.Open(ctx, s.Path, sqlite.Config{Table: s.Table, Journal: sqlite.Journal(s.Journal)}))
	}
	if s.Kind == settings.Remote {
		cfg, err := awsConfig(ctx)
		if err != nil {
			return nil, err
		}
		return kept(remote.New(awslambda.NewFromConfig(cfg), remote.Config{Function: s.Function, Timeout: remoteTimeout}))
	}
	conn, err := connection(ctx, s.Database)
	if err != nil {
		return nil, err
	}
	if s.Kind == settings.MySQL {
		return kept(mysql.Open(ctx, mysql.Config{Conn: conn, Table: s.Table}))
	}
	return kept(postgres.Open(ctx, postgres.Config{Conn: conn, Table: s.Table}))
}

// kept turns a nil pointer that came with an error into a nil store.
func kept[S store](s S, err error) (store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// exists refuses a file that is not there: to make an empty table of a typing
// error would say that every user has lost the row.
func exists(path string) error {
	if _, err := os.Stat(path); err != nil {
		var at *os.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return fmt.Errorf("%w: SSO_SQLITE_PATH: %w", errUsage, err)
	}
	return nil
}

// connection adds what gives the password.
func connection(ctx context.Context, d settings.Database) (dbconn.Config, error) {
	conn := d.Config
	if d.Auth == settings.AuthPassword {
		return conn, nil
	}
	cfg, err := awsConfig(ctx)
	if err != nil {
		return conn, err
	}
	if d.Auth == settings.AuthSecret {
		conn.Password, err = source(dbconn.NewSecretsManager(dbconn.SecretsManagerConfig{API: secretsmanager.NewFromConfig(cfg), SecretID: d.SecretARN}))
		return conn, err
	}
	conn.Password, err = source(dbconn.NewIAM(dbconn.IAMConfig{Region: d.Region, Credentials: cfg.Credentials}))
	return conn, err
}

func source[S dbconn.PasswordSource](s S, err error) (dbconn.PasswordSource, error) { return s, err }

// openDB opens the database for migrate, which does not go through a store: it
// is for tables that no store can use yet. Its statements take as long as they
// must.
func openDB(ctx context.Context, s settings.Store, create bool) (*sql.DB, migrate.Dialect, error) {
	if s.Kind == settings.SQLite {
		db, err := openSQLite(s.Path, create)
		return db, migrate.SQLite, err
	}
	conn, err := connection(ctx, s.Database)
	if err != nil {
		return nil, "", err
	}
	if s.Kind == settings.MySQL {
		db, err := openMySQL(conn.Complete(settings.MySQLPort))
		return db, migrate.MySQL, err
	}
	db, err := openPostgres(conn.Complete(settings.PostgresPort))
	return db, migrate.Postgres, err
}

func openSQLite(path string, create bool) (*sql.DB, error) {
	mode := "rw"
	if create {
		mode = "rwc"
	} else if err := exists(path); err != nil {
		return nil, err
	}
	at := url.URL{Path: filepath.ToSlash(path)}
	return sql.Open("sqlite", "file:"+at.EscapedPath()+"?mode="+mode+"&_pragma=busy_timeout(5000)")
}

func openPostgres(conn dbconn.Config) (*sql.DB, error) {
	cc, err := pgx.ParseConfig("sslmode=disable host=127.0.0.1") // pgx wants its own parser to begin
	if err != nil {
		return nil, errors.New("the environment has PG… variables that cannot be read")
	}
	cc.Host, cc.Port, cc.Database, cc.Fallbacks, cc.ValidateConnect = conn.Host, uint16(conn.Port), conn.Database, nil, nil //nolint:gosec // validated: at most 65535
	cc.User, cc.Password, cc.ConnectTimeout = "", "", conn.ConnectTimeout
	cc.RuntimeParams = map[string]string{"application_name": "ssoctl", "client_encoding": "UTF8", "timezone": "UTC"}
	if cc.TLSConfig, err = conn.TLSConfig(); err != nil {
		return nil, err
	}
	login := conn.NewLogin()
	return stdlib.OpenDB(*cc, stdlib.OptionBeforeConnect(func(ctx context.Context, cc *pgx.ConnConfig) error {
		creds, err := login.Credentials(ctx)
		cc.User, cc.Password = creds.User, creds.Password.Reveal()
		return err
	})), nil
}

func openMySQL(conn dbconn.Config) (*sql.DB, error) {
	tls, err := conn.TLSConfig()
	if err != nil {
		return nil, err
	}
	cfg := mysqldriver.NewConfig()
	cfg.Net, cfg.Addr, cfg.DBName, cfg.Timeout = "tcp", conn.Addr(), conn.Database, conn.ConnectTimeout
	cfg.TLS, cfg.AllowCleartextPasswords = tls, tls != nil // tokens of IAM are sent so, inside TLS
	cfg.ParseTime, cfg.Collation = true, "utf8mb4_bin"
	login := conn.NewLogin()
	err = cfg.Apply(mysqldriver.BeforeConnect(func(ctx context.Context, cfg *mysqldriver.Config) error {
		creds, err := login.Credentials(ctx)
		cfg.User, cfg.Passwd = creds.User, creds.Password.Reveal()
		return err
	}))
	if err != nil {
		return nil, err
	}
	connector, err := mysqldriver.NewConnector(cfg)
	if err != nil {
		return nil, errors.New("the address of the database is not one")
	}
	return sql.OpenDB(connector), nil
}
