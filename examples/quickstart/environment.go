package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// An environment is what a program needs to know to find the pool and the table
// of this machine: the same variables that a deployment prints.
type environment struct {
	file      string
	variables []variable
}

type variable struct{ name, value string }

// writeEnvironments puts a file for ssoctl and one for each app into the folder.
// They are removed at the end, when there is nothing behind them any more.
func (w *world) writeEnvironments(dir string) error {
	if w.backend.file == "" {
		return errors.New("-env: the user table is not a file here")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, e := range []environment{w.ssoctlEnvironment(), w.appEnvironment(w.board), w.appEnvironment(w.desk)} {
		path := filepath.Join(dir, e.file)
		if err := os.WriteFile(path, []byte(e.text()), 0o600); err != nil {
			return err
		}
		w.atClose(func() error {
			if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
				return err
			}
			return nil
		})
	}
	return nil
}

// ssoctlEnvironment has everything of the AWS command line too: both ask the
// stand-in, and no account.
func (w *world) ssoctlEnvironment() environment {
	return environment{"ssoctl.env", append(w.poolVariables(), []variable{
		{"AWS_ENDPOINT_URL", w.pool.URL()},
		{"AWS_REGION", "ap-northeast-2"},
		{"AWS_ACCESS_KEY_ID", "local"},
		{"AWS_SECRET_ACCESS_KEY", "local"},
		{"SSO_PROVIDERS", "Kakao,Google"},
		{"SSO_STORE", "sqlite"},
		{"SSO_SQLITE_PATH", w.backend.file},
		{"SSO_PROVIDER_COLUMNS", "Kakao=kakao_id:number,Google=google_id"},
	}...)}
}

// appEnvironment is for an app in the place of this one: sso.ConfigFromEnv,
// sso.ClientConfigFromEnv and middleware.LoginConfigFromEnv read it.
func (w *world) appEnvironment(a *app) environment {
	cookieKey := make([]byte, 32)
	_, _ = rand.Read(cookieKey)
	return environment{a.key + ".env", append(w.poolVariables(), []variable{
		{"SSO_CLIENT_ID", a.clientID},
		{"SSO_CLIENT_SECRET", a.clientSecret},
		{"SSO_DOMAIN", w.pool.ClientConfig(a.clientID).Domain},
		{"SSO_BASE_URL", a.url},
		{"SSO_COOKIE_KEYS", base64.StdEncoding.EncodeToString(cookieKey)},
		{"SSO_INSECURE_LOCALHOST", "true"},
	}...)}
}

// poolVariables say where the keys of the stand-in are, which AWS's pools do
// not need to be told.
func (w *world) poolVariables() []variable {
	cfg := w.pool.VerifierConfig(w.board.clientID)
	return []variable{
		{"SSO_USER_POOL_ID", cfg.UserPoolID},
		{"SSO_JWKS_URL", cfg.JWKSURL},
		{"SSO_ISSUERS", strings.Join(cfg.Issuers, ",")},
		{"SSO_INSECURE_ALLOW_HTTP", "true"},
	}
}

// plain needs no quotes in a shell.
var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]*$`)

// text is a line for each variable that a shell can read. Only an odd folder
// needs quotes, so that programs which read such files take them for nothing
// else.
func (e environment) text() string {
	var out strings.Builder
	for _, v := range e.variables {
		if v.value == "" {
			continue
		}
		if !plain.MatchString(v.value) {
			v.value = "'" + strings.ReplaceAll(v.value, "'", `'\''`) + "'"
		}
		_, _ = fmt.Fprintf(&out, "%s=%s\n", v.name, v.value)
	}
	return out.String()
}
