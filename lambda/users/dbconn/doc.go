// Package dbconn is what the stores for PostgreSQL and MySQL share about
// connecting: where the database is, who signs in there and how, TLS, and the
// bounds that a Lambda function needs.
//
//	source, err := dbconn.NewIAM(dbconn.IAMConfig{Region: "ap-northeast-2", Credentials: aws.Credentials})
//	…
//	cfg := dbconn.Config{
//		Host:     "students.c1.ap-northeast-2.rds.amazonaws.com",
//		Database: "school",
//		User:     "sso",
//		Password: source,
//		TLS:      dbconn.TLS{CAFile: "global-bundle.pem"},
//	}
//
// # For a store
//
// Call [Config.Complete] with the database's own port, then [Config.Validate],
// then [Config.TLSConfig] once, and make one [Login] for the pool. Its
// Credentials belong into the driver's hook before a connection is made; its
// Retry goes around each operation, and tries once more with fresh credentials
// when the database refused those that were kept. The driver must not fall
// back to plain text, and must not read the environment (PGHOST, ~/.pgpass, …).
// MySQL's plugin for passwords in clear, which tokens need, may be allowed
// where TLSConfig is not nil.
//
// # Passwords
//
// [Static] is one from the configuration. [IAM] signs tokens on the spot,
// without any call, so a function in a private subnet needs no way to any AWS
// API; prefer it. [SecretsManager] follows rotation, and needs a way to the
// Secrets Manager API: an interface endpoint of the VPC, or NAT.
//
// A password is asked for when a connection is made and not again: a
// connection made with a token that has expired since goes on working.
//
// # Freezing
//
// Between two events a Lambda function stands still, for minutes or hours, and
// the monotonic clock may stand still with it. So whatever expires here goes by
// the wall clock, and a pool must look whether an idle connection still works.
//
// # Security model
//
// The certificate of the database is verified always, against the configured
// authorities and the name that was dialled (verify-full), with TLS 1.2 or
// later. That holds for a token most of all: it is sent in clear inside TLS.
// TLS can be turned off towards the same machine only.
//
// Passwords are of type [Secret], which prints as "[secret]" however it is
// printed. Errors hold no user name, no password and no token.
//
// # Errors
//
// [ErrConfig] from Validate, TLSConfig and constructors; [ErrCredentials] when
// a source could not give any.
package dbconn
