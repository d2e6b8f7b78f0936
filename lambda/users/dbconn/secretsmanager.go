package dbconn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// SecretsManagerAPI is what [SecretsManager] needs of a [secretsmanager.Client].
type SecretsManagerAPI interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput,
		...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// SecretsManagerConfig wires a [SecretsManager]. It is copied.
type SecretsManagerConfig struct {
	// API is the client. In a VPC it needs an interface endpoint or NAT.
	// Required.
	API SecretsManagerAPI
	// SecretID is the ARN or the name of the secret. Required.
	SecretID string
	// TTL is how long a password is kept before it is fetched again. From 1 s
	// to 24 h. Defaults to 15 min. A rotated password is noticed at once,
	// when the database refuses the old one.
	TTL time.Duration
	// Now is the clock of TTL. Defaults to time.Now.
	Now func() time.Time
}

// SecretsManager reads a secret of the form that RDS and its rotation write:
// a JSON object with "password" and, for a secret that names the user,
// "username", which wins over Config.User: rotation with two users changes it.
// It is safe for concurrent use, and many new connections share one call. The
// role needs secretsmanager:GetSecretValue on the secret.
type SecretsManager struct{ caches }

var _ Renewer = (*SecretsManager)(nil)

const (
	defaultSecretTTL = 15 * time.Minute
	minSecretTTL     = time.Second
	maxSecretTTL     = 24 * time.Hour
)

// NewSecretsManager returns a source that has fetched nothing yet. Errors are
// [ErrConfig].
func NewSecretsManager(cfg SecretsManagerConfig) (*SecretsManager, error) {
	if cfg.TTL == 0 {
		cfg.TTL = defaultSecretTTL
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	var errs []error
	if cfg.API == nil {
		errs = append(errs, fmt.Errorf("%w: API: required", ErrConfig))
	}
	if cfg.SecretID == "" {
		errs = append(errs, fmt.Errorf("%w: SecretID: required", ErrConfig))
	}
	if cfg.TTL < minSecretTTL || cfg.TTL > maxSecretTTL {
		errs = append(errs, fmt.Errorf("%w: TTL: %v is not within %v to %v", ErrConfig, cfg.TTL, minSecretTTL, maxSecretTTL))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &SecretsManager{caches{new: func(to Target) *cache {
		return &cache{now: cfg.Now, stale: true, fetch: func(ctx context.Context) (Credentials, time.Time, error) { return cfg.read(ctx, to) }}
	}}}, nil
}

// Credentials implements [PasswordSource].
func (s *SecretsManager) Credentials(ctx context.Context, to Target) (Credentials, error) {
	return s.of(to).get(ctx)
}

// Refused implements [Renewer].
func (s *SecretsManager) Refused(to Target, used Credentials) bool { return s.of(to).refused(used) }

func (s *SecretsManager) knowsUser() bool { return true }

func (c SecretsManagerConfig) read(ctx context.Context, to Target) (Credentials, time.Time, error) {
	out, err := c.API.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &c.SecretID})
	if err != nil {
		return Credentials{}, time.Time{}, hide("GetSecretValue", err)
	}
	var secret struct{ Username, Password string }
	// The decoder's error would quote the secret.
	if out.SecretString == nil || json.Unmarshal([]byte(*out.SecretString), &secret) != nil || secret.Password == "" {
		return Credentials{}, time.Time{}, fmt.Errorf(`%w: the secret is not a JSON object with "password"`, ErrCredentials)
	}
	if secret.Username == "" {
		secret.Username = to.User
	}
	return Credentials{User: secret.Username, Password: NewSecret(secret.Password)}, c.Now().Add(c.TTL), nil
}
