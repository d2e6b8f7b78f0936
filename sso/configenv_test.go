package sso_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

func TestConfigFromEnv(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		env  []string
		want sso.Config
	}{
		{"only what is required", []string{"SSO_USER_POOL_ID=" + poolID, "SSO_CLIENT_ID=web", "HOME=/"},
			sso.Config{UserPoolID: poolID, ClientIDs: []string{"web"}}},
		{"everything, with blanks", []string{
			"SSO_USER_POOL_ID= " + poolID + "\n", "SSO_CLIENT_ID=web ", "SSO_CLIENT_IDS=web, app ,kiosk,app", "SSO_USER_ID_ATTRIBUTE=custom:id", "SSO_USER_ID_KIND=UUID",
			"SSO_ISSUERS=https://a.test/p, https://b.test/p", "SSO_JWKS_URL=https://a.test/jwks.json", "SSO_INSECURE_ALLOW_HTTP=true",
		}, sso.Config{
			UserPoolID: poolID, ClientIDs: []string{"web", "app", "kiosk"}, UserIDClaim: "custom:id", UserIDKind: sso.UserIDUUID,
			Issuers: []string{"https://a.test/p", "https://b.test/p"}, JWKSURL: "https://a.test/jwks.json", InsecureAllowHTTP: true,
		}},
		{"blank is not set", []string{"SSO_USER_POOL_ID=" + poolID, "SSO_CLIENT_ID=web", "SSO_CLIENT_IDS= ", "SSO_USER_ID_KIND=", "SSO_ISSUERS=", "SSO_INSECURE_ALLOW_HTTP="},
			sso.Config{UserPoolID: poolID, ClientIDs: []string{"web"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := sso.ConfigFromEnv(row.env)
			if err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("%+v, %v", got, err)
			}
			v, err := sso.NewVerifier(got)
			if err != nil {
				t.Fatal(err)
			}
			v.Close()
		})
	}
}

func TestConfigFromEnvMistakes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		env  []string
		want string
	}{
		{"nothing", nil, "SSO_CLIENT_ID SSO_USER_POOL_ID"},
		{"of another tool", []string{"COGNITO_USER_POOL_ID=" + poolID, "CLIENT_ID=x"}, "SSO_CLIENT_ID SSO_USER_POOL_ID"},
		{"another case", []string{"sso_user_pool_id=" + poolID, "SSO_CLIENT_ID=x"}, "SSO_USER_POOL_ID"},
		{"only further clients", []string{"SSO_USER_POOL_ID=" + poolID, "SSO_CLIENT_IDS=x,y"}, "SSO_CLIENT_ID"},
		{"a kind that is none", []string{"SSO_USER_POOL_ID=" + poolID, "SSO_CLIENT_ID=x", "SSO_USER_ID_KIND=hunter2"}, "SSO_USER_ID_KIND"},
		{"a flag that is none", []string{"SSO_USER_POOL_ID=" + poolID, "SSO_CLIENT_ID=x", "SSO_INSECURE_ALLOW_HTTP=hunter2"}, "SSO_INSECURE_ALLOW_HTTP"},
		{"several", []string{"SSO_USER_ID_KIND=hunter2", "SSO_INSECURE_ALLOW_HTTP=1"}, "SSO_CLIENT_ID SSO_INSECURE_ALLOW_HTTP SSO_USER_ID_KIND SSO_USER_POOL_ID"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := sso.ConfigFromEnv(row.env)
			if got := strings.Join(wrongFields(t, err), " "); got != row.want || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("named %q, want %q: %v", got, row.want, err)
			}
		})
	}
}

// An empty item of a list is not dropped: NewVerifier refuses it.
func TestConfigFromEnvKeepsEmptyItems(t *testing.T) {
	t.Parallel()
	cfg, err := sso.ConfigFromEnv([]string{"SSO_USER_POOL_ID=" + poolID, "SSO_CLIENT_ID=x", "SSO_CLIENT_IDS=y,"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sso.NewVerifier(cfg); !errors.Is(err, sso.ErrConfig) {
		t.Errorf("NewVerifier = %v", err)
	}
}

// secretFile writes a file as a container gets its secrets.
func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClientConfigFromEnv(t *testing.T) {
	t.Parallel()
	least := []string{"SSO_DOMAIN=https://login.example.ac.kr", "SSO_CLIENT_ID=web"}
	for _, row := range []struct {
		name string
		env  []string
		want sso.ClientConfig
	}{
		{"only what is required", nil, sso.ClientConfig{}},
		{"a base URL", []string{"SSO_BASE_URL=https://board.example.ac.kr/"},
			sso.ClientConfig{RedirectURL: "https://board.example.ac.kr/auth/callback", LogoutURL: "https://board.example.ac.kr/auth/logged-out"}},
		{"URLs of its own", []string{"SSO_BASE_URL=https://board.example.ac.kr", "SSO_REDIRECT_URL=https://board.example.ac.kr/cb", "SSO_LOGOUT_URL=https://board.example.ac.kr/bye"},
			sso.ClientConfig{RedirectURL: "https://board.example.ac.kr/cb", LogoutURL: "https://board.example.ac.kr/bye"}},
		{"a secret", []string{"SSO_CLIENT_SECRET=hunter2"}, sso.ClientConfig{ClientSecret: "hunter2"}},
		{"a secret in a file", []string{"SSO_CLIENT_SECRET_FILE=" + secretFile(t, "hunter2\n")}, sso.ClientConfig{ClientSecret: "hunter2"}},
		{"a file of another system", []string{"SSO_CLIENT_SECRET_FILE=" + secretFile(t, "hunter2\r\n")}, sso.ClientConfig{ClientSecret: "hunter2"}},
		{"lists", []string{"SSO_SCOPES=openid  api/read", "SSO_PROVIDERS=Kakao, Google", "SSO_INSECURE_ALLOW_HTTP=TRUE"},
			sso.ClientConfig{Scopes: []string{"openid", "api/read"}, IdentityProviders: []string{"Kakao", "Google"}, InsecureAllowHTTP: true}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := sso.ClientConfigFromEnv(slices.Concat(least, row.env))
			row.want.Domain, row.want.ClientID = "https://login.example.ac.kr", "web"
			if len(got.Scopes) == 0 {
				got.Scopes = nil
			}
			if err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestClientConfigFromEnvMistakes(t *testing.T) {
	t.Parallel()
	least := []string{"SSO_DOMAIN=https://login.example.ac.kr", "SSO_CLIENT_ID=web"}
	for _, row := range []struct {
		name string
		env  []string
		want string
	}{
		{"nothing", nil, "SSO_CLIENT_ID SSO_DOMAIN"},
		{"secret twice", append(least, "SSO_CLIENT_SECRET=hunter2", "SSO_CLIENT_SECRET_FILE="+secretFile(t, "hunter2")), "SSO_CLIENT_SECRET_FILE"},
		{"no such file", append(least, "SSO_CLIENT_SECRET_FILE=/nowhere/hunter2"), "SSO_CLIENT_SECRET_FILE"},
		{"a folder", append(least, "SSO_CLIENT_SECRET_FILE="+t.TempDir()), "SSO_CLIENT_SECRET_FILE"},
		{"an empty file", append(least, "SSO_CLIENT_SECRET_FILE="+secretFile(t, "\n")), "SSO_CLIENT_SECRET_FILE"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := sso.ClientConfigFromEnv(slices.Clone(row.env))
			if fields := strings.Join(wrongFields(t, err), " "); fields != row.want || strings.Contains(err.Error(), "hunter2") || got.ClientSecret != "" {
				t.Errorf("named %q, want %q: %v", fields, row.want, err)
			}
		})
	}
}
