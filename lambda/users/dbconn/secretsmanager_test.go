package dbconn_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
)

// vault is Secrets Manager with one secret.
type vault struct {
	calls  int
	secret *string
	err    error
}

func (v *vault) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	v.calls++
	if *in.SecretId != "sso/db" {
		return nil, errors.New("another secret: " + *in.SecretId)
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: v.secret}, v.err
}

func (v *vault) set(secret string) { v.secret = &secret }

func newVault(t *testing.T, secret string) (*vault, *clock, *dbconn.SecretsManager) {
	t.Helper()
	v, c := &vault{}, newClock()
	v.set(secret)
	s, err := dbconn.NewSecretsManager(dbconn.SecretsManagerConfig{API: v, SecretID: "sso/db", Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return v, c, s
}

func TestSecretOfSecretsManager(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, secret, user, password string }{
		{"as RDS writes it", `{"engine":"mysql","host":"x","port":3306,"username":"app","password":"p w"}`, "app", "p w"},
		{"without a user", `{"password":"p"}`, target.User, "p"},
		{"no JSON", `p`, "", ""},
		{"no password", `{"username":"app"}`, "", ""},
		{"an empty password", `{"username":"app","password":""}`, "", ""},
		{"a number", `{"password":12345}`, "", ""},
		{"a list", `["hunter2"]`, "", ""},
		{"empty", ``, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, _, s := newVault(t, row.secret)
			creds, err := s.Credentials(t.Context(), target)
			if row.password == "" {
				if !errors.Is(err, dbconn.ErrCredentials) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "12345") {
					t.Errorf("error = %v", err)
				}
				return
			}
			if err != nil || creds.User != row.user || creds.Password.Reveal() != row.password {
				t.Errorf("%+v, %v", creds, err)
			}
		})
	}
}

func TestBinarySecret(t *testing.T) {
	t.Parallel()
	v, _, s := newVault(t, "")
	v.secret = nil
	if _, err := s.Credentials(t.Context(), target); !errors.Is(err, dbconn.ErrCredentials) {
		t.Errorf("error = %v", err)
	}
}

func TestSecretIsKept(t *testing.T) {
	t.Parallel()
	v, c, s := newVault(t, `{"username":"app","password":"old"}`)
	must(t, s, target)
	c.add(15*time.Minute - time.Second)
	if must(t, s, target); v.calls != 1 {
		t.Errorf("%d calls", v.calls)
	}
	c.add(time.Second)
	if must(t, s, target); v.calls != 2 {
		t.Errorf("%d calls after the TTL", v.calls)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	v, c, s := newVault(t, `{"username":"app","password":"old"}`)
	old := must(t, s, target)
	c.add(time.Minute)
	v.set(`{"username":"app_clone","password":"new"}`)
	if !s.Refused(target, old) {
		t.Fatal("no retry after a rotation")
	}
	fresh := must(t, s, target)
	if fresh.User != "app_clone" || fresh.Password.Reveal() != "new" || v.calls != 2 {
		t.Errorf("%v after %d calls", fresh.User, v.calls)
	}
	// Another connection, whose attempt began before the rotation.
	if !s.Refused(target, old) || !must(t, s, target).Password.Equal(fresh.Password) || v.calls != 2 {
		t.Errorf("%d calls for one rotation", v.calls)
	}
}

// A password that is simply wrong does not become a call for every event.
func TestWrongSecretIsNotFetchedAgainAndAgain(t *testing.T) {
	t.Parallel()
	v, c, s := newVault(t, `{"username":"app","password":"wrong"}`)
	for range 100 {
		s.Refused(target, must(t, s, target))
		c.add(100 * time.Millisecond)
	}
	if v.calls < 2 || v.calls > 3 {
		t.Errorf("%d calls in 10 s", v.calls)
	}
}

func TestSecretsManagerIsDown(t *testing.T) {
	t.Parallel()
	v, c, s := newVault(t, `{"username":"app","password":"old"}`)
	v.err = &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "arn:aws:iam::123456789012:role/x"}
	_, err := s.Credentials(t.Context(), target)
	if !errors.Is(err, dbconn.ErrCredentials) || !strings.Contains(err.Error(), "AccessDeniedException") || strings.Contains(err.Error(), "123456789012") {
		t.Errorf("error = %v", err)
	}
	v.err = nil
	old := must(t, s, target)
	v.err = errors.New("no route")
	c.add(time.Hour)
	if got := must(t, s, target); !got.Password.Equal(old.Password) {
		t.Error("a failed fetch discarded a password")
	}
	if must(t, s, target); v.calls != 3 {
		t.Errorf("%d calls: every connection waits for what is down", v.calls)
	}
	if !s.Refused(target, old) {
		c.add(time.Minute)
	}
	s.Refused(target, old)
	if _, err := s.Credentials(t.Context(), target); !errors.Is(err, dbconn.ErrCredentials) {
		t.Errorf("a password that was refused is handed out: %v", err)
	}
}

func TestNewSecretsManagerErrors(t *testing.T) {
	t.Parallel()
	_, err := dbconn.NewSecretsManager(dbconn.SecretsManagerConfig{TTL: time.Millisecond})
	if !errors.Is(err, dbconn.ErrConfig) {
		t.Fatalf("error = %v", err)
	}
	for _, field := range []string{"API", "SecretID", "TTL"} {
		if !strings.Contains(err.Error(), ": "+field+": ") {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
}

// The user may come from the secret alone.
func TestSecretsManagerNeedsNoUser(t *testing.T) {
	t.Parallel()
	_, _, s := newVault(t, `{"username":"app","password":"p"}`)
	c := good().Complete(3306)
	c.User, c.Password = "", s
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if creds, err := c.Credentials(t.Context()); err != nil || creds.User != "app" {
		t.Errorf("%v, %v", creds, err)
	}
}
