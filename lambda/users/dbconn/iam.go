package dbconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
)

// IAMConfig wires an [IAM]. It is copied.
type IAMConfig struct {
	// Region is that of the database, such as "ap-northeast-2". Required.
	Region string
	// Credentials are AWS's, of the function's role. Required.
	Credentials aws.CredentialsProvider
	// Now is the clock that says when a token is renewed. Defaults to time.Now.
	Now func() time.Time
}

// IAM signs the tokens that RDS takes for a password. Signing needs no call:
// nothing but the role's rds-db:connect on the database user. It is safe for
// concurrent use, and many new connections share one token.
type IAM struct{ caches }

var _ Renewer = (*IAM)(nil)

const (
	// tokenUse is how long a token is handed out. RDS takes it for 15 minutes
	// by its own clock; the rest is for clocks that differ and slow sign-ins.
	tokenUse = 10 * time.Minute
	// credentialsSlack is how long before their end AWS credentials are not
	// used any more: a token ends with those that signed it.
	credentialsSlack = time.Minute
)

// NewIAM returns a source of tokens. It signs nothing yet. Errors are
// [ErrConfig].
func NewIAM(cfg IAMConfig) (*IAM, error) {
	var errs []error
	if cfg.Region == "" {
		errs = append(errs, fmt.Errorf("%w: Region: required", ErrConfig))
	}
	if cfg.Credentials == nil {
		errs = append(errs, fmt.Errorf("%w: Credentials: required", ErrConfig))
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &IAM{caches{new: func(to Target) *cache {
		return &cache{now: cfg.Now, fetch: func(ctx context.Context) (Credentials, time.Time, error) { return cfg.sign(ctx, to) }}
	}}}, nil
}

// Credentials implements [PasswordSource].
func (s *IAM) Credentials(ctx context.Context, to Target) (Credentials, error) {
	return s.of(to).get(ctx)
}

// Refused implements [Renewer].
func (s *IAM) Refused(to Target, used Credentials) bool { return s.of(to).refused(used) }

// sign makes a token, and says until when to hand it out.
func (c IAMConfig) sign(ctx context.Context, to Target) (Credentials, time.Time, error) {
	until := c.Now().Add(tokenUse)
	creds, err := c.Credentials.Retrieve(ctx)
	if err != nil {
		return Credentials{}, time.Time{}, hide("AWS credentials", err)
	}
	if end := creds.Expires.Add(-credentialsSlack); creds.CanExpire && end.Before(until) {
		until = end
	}
	same := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return creds, nil })
	token, err := auth.BuildAuthToken(ctx, net.JoinHostPort(to.Host, strconv.Itoa(to.Port)), c.Region, to.User, same)
	if err != nil {
		return Credentials{}, time.Time{}, hide("signing a token", err)
	}
	return Credentials{User: to.User, Password: NewSecret(token)}, until, nil
}
