package dbconn

import (
	"context"
	"sync"
)

// Login hands the credentials of cfg to a pool, and remembers which were given
// out last, so that those can be called refused. Make one for each pool with
// [Config.NewLogin]. It is safe for concurrent use.
type Login struct {
	cfg  Config
	mu   sync.Mutex // guards last
	last Credentials
}

// NewLogin returns a Login for c, which is valid.
func (c Config) NewLogin() *Login { return &Login{cfg: c} }

// Credentials are those for a new connection. Call it from the driver's hook
// before it connects.
func (l *Login) Credentials(ctx context.Context) (Credentials, error) {
	creds, err := l.cfg.Credentials(ctx)
	if err == nil {
		l.mu.Lock()
		l.last = creds
		l.mu.Unlock()
	}
	return creds, err
}

// Retry runs op, and once more if the database refused the sign-in and the
// source may have other credentials by now, as after a password was rotated.
// refused tells that error of the driver (28P01 and 28000 of PostgreSQL, 1045
// of MySQL) from others; nothing has run in the database then, so op can be
// run again whatever it does.
func (l *Login) Retry(ctx context.Context, refused func(error) bool, op func(context.Context) error) error {
	err := op(ctx)
	if err == nil || ctx.Err() != nil || !refused(err) || !l.renew() {
		return err
	}
	return op(ctx)
}

func (l *Login) renew() bool {
	l.mu.Lock()
	last := l.last
	l.mu.Unlock()
	return l.cfg.Refused(last)
}
