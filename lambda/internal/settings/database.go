package settings

import (
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
)

// Auth is where the password of the database comes from.
type Auth string

const (
	// AuthIAM: tokens signed with the function's role.
	AuthIAM Auth = "iam"
	// AuthPassword: SSO_DB_PASSWORD.
	AuthPassword Auth = "password"
	// AuthSecret: AWS Secrets Manager.
	AuthSecret Auth = "secret"
)

// SystemCAs is the SSO_DB_CA_FILE that means the system's own authorities.
const SystemCAs = "system"

// Database is how to reach a database server.
type Database struct {
	// Config has no Password, unless Auth is AuthPassword: what gives it needs
	// AWS.
	Config    dbconn.Config
	Auth      Auth
	Region    string // of AuthIAM
	SecretARN string // of AuthSecret
}

// Database reads how to reach a database; port is the database's own.
//
//	SSO_DB_HOST               the endpoint that RDS shows. Required.
//	SSO_DB_PORT               Defaults to the database's own.
//	SSO_DB_NAME               Required.
//	SSO_DB_USER               Required, unless the secret has it.
//	SSO_DB_AUTH               iam, password or secret. Defaults to iam.
//	SSO_DB_PASSWORD           for SSO_DB_AUTH=password.
//	SSO_DB_SECRET_ARN         for SSO_DB_AUTH=secret.
//	SSO_DB_CA_FILE            PEM file of the authorities to trust, or "system".
//	                          Defaults to /var/task/global-bundle.pem.
//	SSO_DB_INSECURE_NO_TLS    true: in clear. For a database on this machine
//	                          only.
//	SSO_DB_MAX_CONNS          Defaults to 2.
//	SSO_DB_CONNECT_TIMEOUT    Defaults to 1.5s.
//	SSO_DB_STATEMENT_TIMEOUT  Defaults to 1s.
func (r *Reader) Database(port int) Database {
	d := Database{
		Config: dbconn.Config{
			Host:             r.Text("SSO_DB_HOST"),
			Port:             r.Number("SSO_DB_PORT"),
			Database:         r.Text("SSO_DB_NAME"),
			User:             r.Text("SSO_DB_USER"),
			TLS:              r.trust(),
			ConnectTimeout:   r.Duration("SSO_DB_CONNECT_TIMEOUT"),
			StatementTimeout: r.Duration("SSO_DB_STATEMENT_TIMEOUT"),
			MaxConns:         r.Number("SSO_DB_MAX_CONNS"),
		},
		Auth: Auth(r.OneOf("SSO_DB_AUTH", string(AuthIAM), string(AuthPassword), string(AuthSecret))),
	}
	r.auth(&d)
	r.Explain(check(d, port), databaseVariables)
	return d
}

var databaseVariables = map[string]string{
	"Host": "SSO_DB_HOST", "Port": "SSO_DB_PORT", "Database": "SSO_DB_NAME", "User": "SSO_DB_USER",
	"TLS": "SSO_DB_CA_FILE", "TLS.InsecureNoTLS": "SSO_DB_INSECURE_NO_TLS", "MaxConns": "SSO_DB_MAX_CONNS",
	"ConnectTimeout": "SSO_DB_CONNECT_TIMEOUT", "StatementTimeout": "SSO_DB_STATEMENT_TIMEOUT",
}

func (r *Reader) trust() dbconn.TLS {
	t := dbconn.TLS{CAFile: r.Text("SSO_DB_CA_FILE"), InsecureNoTLS: r.Flag("SSO_DB_INSECURE_NO_TLS")}
	if t.CAFile == SystemCAs {
		t.CAFile, t.SystemCAs = "", true
	}
	return t
}

// auth reads what d.Auth needs, and refuses what another one would: whoever
// sets a password means it to be used.
func (r *Reader) auth(d *Database) {
	password := r.Raw("SSO_DB_PASSWORD")
	d.SecretARN = r.Text("SSO_DB_SECRET_ARN")
	switch {
	case d.Auth == AuthPassword && password == "":
		r.Failf("SSO_DB_PASSWORD", "required, since SSO_DB_AUTH is password")
	case d.Auth != AuthPassword && password != "":
		r.Failf("SSO_DB_PASSWORD", "is of no use: SSO_DB_AUTH is %s", d.Auth)
	}
	switch {
	case d.Auth == AuthSecret && d.SecretARN == "":
		r.Failf("SSO_DB_SECRET_ARN", "required, since SSO_DB_AUTH is secret")
	case d.Auth != AuthSecret && d.SecretARN != "":
		r.Failf("SSO_DB_SECRET_ARN", "is of no use: SSO_DB_AUTH is %s", d.Auth)
	}
	if d.Auth == AuthIAM {
		d.Region = r.Required("AWS_REGION") // Lambda sets it
	}
	if d.Auth == AuthPassword {
		d.Config.Password = dbconn.NewStatic(password)
	}
}

// check finds the rest of what is wrong. A stand-in of the same kind is there
// for a source that needs AWS: the kind decides what else is needed.
func check(d Database, port int) error {
	c := d.Config.Complete(port)
	switch d.Auth {
	case AuthIAM:
		c.Password = &dbconn.IAM{}
	case AuthSecret:
		c.Password = &dbconn.SecretsManager{}
	case AuthPassword:
	}
	return c.Validate()
}
