package dbconn_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
)

var target = dbconn.Target{Host: "db.c1.ap-northeast-2.rds.amazonaws.com", Port: 3306, User: "sso+é"}

// role counts how often the role's credentials are asked for: once for each
// token.
type role struct {
	calls   atomic.Int32
	wait    chan struct{} // if not nil, Retrieve waits for it
	expires time.Time
	err     error
}

func (r *role) Retrieve(ctx context.Context) (aws.Credentials, error) {
	r.calls.Add(1)
	if r.wait != nil {
		select {
		case <-r.wait:
		case <-ctx.Done():
			return aws.Credentials{}, ctx.Err()
		}
	}
	return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRETKEY", SessionToken: "SESSION", CanExpire: !r.expires.IsZero(), Expires: r.expires}, r.err
}

// clock is a wall clock that a test moves.
type clock struct {
	mu sync.Mutex // guards at
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newIAM(t *testing.T, r *role, c *clock) *dbconn.IAM {
	t.Helper()
	s, err := dbconn.NewIAM(dbconn.IAMConfig{Region: "ap-northeast-2", Credentials: r, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t *testing.T, s dbconn.PasswordSource, to dbconn.Target) dbconn.Credentials {
	t.Helper()
	creds, err := s.Credentials(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	return creds
}

func TestToken(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		to   dbconn.Target
		host string
	}{
		{"a name", target, "db.c1.ap-northeast-2.rds.amazonaws.com:3306"},
		{"an IPv6 address", dbconn.Target{Host: "::1", Port: 5432, User: "sso"}, "[::1]:5432"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			creds := must(t, newIAM(t, &role{}, newClock()), row.to)
			token := creds.Password.Reveal()
			if creds.User != row.to.User || strings.Contains(token, "://") || strings.Contains(token, "SECRETKEY") {
				t.Errorf("token %s", token)
			}
			u, err := url.Parse("https://" + token)
			if err != nil {
				t.Fatal(err)
			}
			q := u.Query()
			if u.Host != row.host || q.Get("Action") != "connect" || q.Get("DBUser") != row.to.User || q.Get("X-Amz-Expires") != "900" ||
				q.Get("X-Amz-Security-Token") != "SESSION" || len(q.Get("X-Amz-Signature")) != 64 {
				t.Errorf("token %s", token)
			}
			if scope := q.Get("X-Amz-Credential"); !strings.HasPrefix(scope, "AKID/") || !strings.HasSuffix(scope, "/ap-northeast-2/rds-db/aws4_request") {
				t.Errorf("credential %s", scope)
			}
		})
	}
}

func TestTokenIsRenewedInTime(t *testing.T) {
	t.Parallel()
	c := newClock()
	for _, row := range []struct {
		name    string
		expires time.Duration // of the role's credentials; 0 is never
		after   time.Duration
		want    int32 // tokens made
	}{
		{"at once", 0, 0, 1},
		{"after a while", 0, 10*time.Minute - time.Second, 1},
		{"well before its end", 0, 10 * time.Minute, 2},
		{"after a long freeze", 0, 5 * time.Hour, 2},
		{"the clock was set back", 0, -time.Hour, 1},
		{"the role's credentials end later", time.Hour, 9 * time.Minute, 1},
		{"the role's credentials end sooner", 5 * time.Minute, 4*time.Minute - time.Second, 1},
		{"a minute before the role's credentials end", 5 * time.Minute, 4 * time.Minute, 2},
		{"they ended already", -time.Minute, 0, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := &clock{at: c.at}
			r := &role{}
			if row.expires != 0 {
				r.expires = c.at.Add(row.expires)
			}
			s := newIAM(t, r, c)
			must(t, s, target)
			c.add(row.after)
			must(t, s, target)
			if n := r.calls.Load(); n != row.want {
				t.Errorf("%d tokens, want %d", n, row.want)
			}
		})
	}
}

func TestTokensOfTwoTargets(t *testing.T) {
	t.Parallel()
	s := newIAM(t, &role{}, newClock())
	other := target
	other.User = "reader"
	if must(t, s, target).Password.Equal(must(t, s, other).Password) {
		t.Error("two users share a token")
	}
}

// Fifty new connections share one token, and one who does not want to wait
// any longer takes nothing from the others.
func TestOneTokenForMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &role{wait: make(chan struct{})}
		s, err := dbconn.NewIAM(dbconn.IAMConfig{Region: "ap-northeast-2", Credentials: r})
		if err != nil {
			t.Fatal(err)
		}
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		errs := make(chan error, 51)
		go func() {
			_, err := s.Credentials(hasty, target) // begins the fetch
			errs <- err
		}()
		synctest.Wait()
		for range 50 {
			go func() {
				_, err := s.Credentials(t.Context(), target)
				errs <- err
			}()
		}
		if err := <-errs; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the hasty one got %v", err)
		}
		close(r.wait)
		for range 50 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if n := r.calls.Load(); n != 1 {
			t.Errorf("%d tokens", n)
		}
	})
}

// A provider that hangs does not hang the function.
func TestFetchIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := dbconn.NewIAM(dbconn.IAMConfig{Region: "ap-northeast-2", Credentials: &role{wait: make(chan struct{})}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.Credentials(t.Context(), target); !errors.Is(err, dbconn.ErrCredentials) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
	})
}

func TestRefusedToken(t *testing.T) {
	t.Parallel()
	r, c := &role{}, newClock()
	s := newIAM(t, r, c)
	first := must(t, s, target)
	if s.Refused(target, first) {
		t.Error("a token made this second is called stale")
	}
	c.add(6 * time.Second)
	if !s.Refused(target, first) {
		t.Error("an older token is kept")
	}
	must(t, s, target)
	if n := r.calls.Load(); n != 2 {
		t.Errorf("%d tokens", n)
	}
	if !s.Refused(target, dbconn.Credentials{User: target.User, Password: dbconn.NewSecret("another")}) {
		t.Error("no retry with the token that came meanwhile")
	}
	if must(t, s, target); r.calls.Load() != 2 {
		t.Error("the good token was thrown away for the sake of an old one")
	}
}

func TestNoAWSCredentials(t *testing.T) {
	t.Parallel()
	r := &role{err: errors.New("role/secret-name of account 123456789012 cannot be assumed")}
	_, err := newIAM(t, r, newClock()).Credentials(t.Context(), target)
	if !errors.Is(err, dbconn.ErrCredentials) || strings.Contains(err.Error(), "123456789012") {
		t.Errorf("error = %v", err)
	}
}

func TestNewIAMErrors(t *testing.T) {
	t.Parallel()
	_, err := dbconn.NewIAM(dbconn.IAMConfig{})
	if !errors.Is(err, dbconn.ErrConfig) || !strings.Contains(err.Error(), "Region") || !strings.Contains(err.Error(), "Credentials") {
		t.Errorf("error = %v", err)
	}
	_, err = dbconn.NewIAM(dbconn.IAMConfig{Credentials: credentials.StaticCredentialsProvider{}})
	if !errors.Is(err, dbconn.ErrConfig) || strings.Contains(err.Error(), "Credentials") {
		t.Errorf("error = %v", err)
	}
}
