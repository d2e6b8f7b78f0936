package dbconn

import (
	"context"
	"fmt"
)

// Target is what credentials are for.
type Target struct {
	Host string
	Port int
	User string // as configured; may be "" where the source knows it
}

// Credentials sign in to a database.
type Credentials struct {
	User     string
	Password Secret
}

// equal reports whether both are the same.
func (c Credentials) equal(o Credentials) bool {
	return c.User == o.User && c.Password.Equal(o.Password)
}

// PasswordSource gives the credentials for each new connection. It is safe for
// concurrent use, obeys ctx, and its errors hold no user name and no secret.
// [Static], [IAM] and [SecretsManager] are those of this package.
type PasswordSource interface {
	Credentials(ctx context.Context, to Target) (Credentials, error)
}

// Renewer is a [PasswordSource] that keeps credentials. Refused tells it that
// the database did not take used; it returns whether asking again may give
// others, so that connecting once more makes sense.
type Renewer interface {
	PasswordSource
	Refused(to Target, used Credentials) bool
}

// userKnower is a source that knows the user's name by itself.
type userKnower interface{ knowsUser() bool }

// Static is a password that does not change while the process lives.
type Static Secret

// NewStatic returns a [Static] of password.
func NewStatic(password string) Static { return Static(NewSecret(password)) }

// Credentials implements [PasswordSource].
func (s Static) Credentials(_ context.Context, to Target) (Credentials, error) {
	return Credentials{User: to.User, Password: Secret(s)}, nil
}

// A defined type does not inherit the methods of [Secret]: these keep the
// password out of what is printed.

// String returns "[secret]".
func (s Static) String() string { return redacted }

// GoString returns "[secret]".
func (s Static) GoString() string { return redacted }

// Format writes "[secret]" for every verb.
func (s Static) Format(f fmt.State, verb rune) { Secret(s).Format(f, verb) }
