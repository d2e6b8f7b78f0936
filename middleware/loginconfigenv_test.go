package middleware_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

func TestLoginConfigFromEnv(t *testing.T) {
	t.Parallel()
	first, second := bytes.Repeat([]byte{0xfb, 1}, 16), bytes.Repeat([]byte{0xff, 2}, 16)
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(first)+",\n"+base64.StdEncoding.EncodeToString(second)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]string{
		"standard":      "SSO_COOKIE_KEYS=" + base64.StdEncoding.EncodeToString(first) + ", " + base64.StdEncoding.EncodeToString(second),
		"URL, unpadded": "SSO_COOKIE_KEYS=" + base64.RawURLEncoding.EncodeToString(first) + "," + base64.RawURLEncoding.EncodeToString(second),
		"a file":        "SSO_COOKIE_KEYS_FILE=" + path,
	} {
		cfg, err := middleware.LoginConfigFromEnv([]string{keys, "SSO_BASE_URL=https://board.example.ac.kr"})
		if err != nil || cfg.BaseURL != "https://board.example.ac.kr" || cfg.InsecureLocalhost || len(cfg.CookieKeys) != 2 ||
			!bytes.Equal(cfg.CookieKeys[0], first) || !bytes.Equal(cfg.CookieKeys[1], second) || cfg.ReturnOrigins != nil || cfg.CookieSessions != nil {
			t.Errorf("%s: %v, %v", name, cfg, err)
		}
	}
}

// What else can be set, as NewLogin takes it.
func TestLoginConfigFromEnvOptions(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		env     []string
		origins []string
		cookies bool
		base    string
	}{
		{"blank", []string{"SSO_RETURN_ORIGINS= ", "SSO_COOKIE_SESSIONS=", "SSO_INSECURE_LOCALHOST="}, nil, false, appBase},
		{"no", []string{"SSO_COOKIE_SESSIONS=false"}, nil, false, appBase},
		{"sessions in cookies", []string{"SSO_COOKIE_SESSIONS= True"}, nil, true, appBase},
		{"one origin", []string{"SSO_RETURN_ORIGINS=https://files.example.ac.kr"}, []string{"https://files.example.ac.kr"}, false, appBase},
		{"several, with blanks", []string{"SSO_RETURN_ORIGINS= https://files.example.ac.kr ,https://10.1.2.3:8443\n"}, []string{"https://files.example.ac.kr", "https://10.1.2.3:8443"}, false, appBase},
		{"localhost", []string{"SSO_INSECURE_LOCALHOST=true", "SSO_RETURN_ORIGINS=http://localhost:3000,https://files.example.ac.kr"},
			[]string{"http://localhost:3000", "https://files.example.ac.kr"}, false, "http://localhost:8080"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			env := append([]string{"SSO_BASE_URL=" + row.base, "SSO_COOKIE_KEYS=" + base64.StdEncoding.EncodeToString(cookieKey(1))}, row.env...)
			cfg, err := middleware.LoginConfigFromEnv(env)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(cfg.ReturnOrigins, row.origins) || (cfg.CookieSessions != nil) != row.cookies {
				t.Errorf("%q, %v", cfg.ReturnOrigins, cfg.CookieSessions)
			}
			if row.cookies && *cfg.CookieSessions != (middleware.CookieSessions{}) {
				t.Errorf("not the defaults: %+v", *cfg.CookieSessions)
			}
			cfg.Logger = slog.New(slog.DiscardHandler)
			l, err := middleware.NewLogin(clientFor(t, row.base), cfg)
			if err != nil {
				t.Fatal(err)
			}
			for _, origin := range row.origins {
				if got := l.ReturnTo(origin + "/x"); got != origin+"/x" {
					t.Errorf("%s/x leads to %s", origin, got)
				}
			}
			if got := l.ReturnTo("https://evil.example/x"); got != "/" {
				t.Errorf("another origin leads to %s", got)
			}
		})
	}
}

// clientFor is the client of an app that is never asked.
func clientFor(t *testing.T, base string) *sso.Client {
	t.Helper()
	verifier, err := sso.NewVerifier(sso.Config{UserPoolID: "ap-northeast-2_Environ01", ClientIDs: []string{"board"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	client, err := sso.NewClient(sso.ClientConfig{
		Verifier: verifier, Domain: "https://login.example.ac.kr", ClientID: "board",
		RedirectURL: base + "/auth/callback", LogoutURL: base + "/auth/logged-out",
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// An app whose sessions are in a store is not moved to cookies by a variable.
func TestLoginConfigFromEnvTwoPlaces(t *testing.T) {
	t.Parallel()
	cfg, err := middleware.LoginConfigFromEnv([]string{
		"SSO_BASE_URL=" + appBase, "SSO_COOKIE_KEYS=" + base64.StdEncoding.EncodeToString(cookieKey(1)), "SSO_COOKIE_SESSIONS=true",
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Sessions = middleware.NewMemoryStore()
	if _, err := middleware.NewLogin(clientFor(t, appBase), cfg); err == nil || !strings.Contains(err.Error(), "two places") {
		t.Errorf("a store and cookies: %v", err)
	}
}

func TestLoginConfigFromEnvMistakes(t *testing.T) {
	t.Parallel()
	good := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 1}, 16))
	const base = "SSO_BASE_URL=https://board.example.ac.kr"
	keys := "SSO_COOKIE_KEYS=" + good
	for _, row := range []struct {
		name string
		env  []string
		want []string
	}{
		{"nothing", nil, []string{"SSO_BASE_URL: required", "SSO_COOKIE_KEYS: required"}},
		{"31 bytes", []string{base, "SSO_COOKIE_KEYS=" + base64.StdEncoding.EncodeToString(make([]byte, 31))}, []string{"SSO_COOKIE_KEYS: must"}},
		{"hexadecimal", []string{base, "SSO_COOKIE_KEYS=" + strings.Repeat("a1", 32)}, []string{"SSO_COOKIE_KEYS: must"}},
		{"a password", []string{base, "SSO_COOKIE_KEYS=hunter2"}, []string{"SSO_COOKIE_KEYS: must"}},
		{"one of two", []string{base, "SSO_COOKIE_KEYS=" + good + ",hunter2"}, []string{"SSO_COOKIE_KEYS: must"}},
		{"a comma at the end", []string{base, "SSO_COOKIE_KEYS=" + good + ","}, []string{"SSO_COOKIE_KEYS: must"}},
		{"a bit that does not count", []string{base, "SSO_COOKIE_KEYS=" + strings.Repeat("A", 42) + "B="}, []string{"SSO_COOKIE_KEYS: must"}},
		{"no such file", []string{base, "SSO_COOKIE_KEYS_FILE=/nowhere/hunter2"}, []string{"SSO_COOKIE_KEYS_FILE: cannot be read"}},
		{"twice", []string{base, "SSO_COOKIE_KEYS=" + good, "SSO_COOKIE_KEYS_FILE=/nowhere"}, []string{"SSO_COOKIE_KEYS_FILE: is set beside"}},
		{"an origin without a scheme", []string{base, keys, "SSO_RETURN_ORIGINS=hunter2.example.ac.kr"}, []string{"SSO_RETURN_ORIGINS: must each be an origin"}},
		{"an origin with a path", []string{base, keys, "SSO_RETURN_ORIGINS=https://files.example.ac.kr/hunter2"}, []string{"SSO_RETURN_ORIGINS: must each be an origin"}},
		{"an origin with a slash", []string{base, keys, "SSO_RETURN_ORIGINS=https://files.example.ac.kr/"}, []string{"SSO_RETURN_ORIGINS: must each be an origin"}},
		{"an origin with a user", []string{base, keys, "SSO_RETURN_ORIGINS=https://hunter2@files.example.ac.kr"}, []string{"SSO_RETURN_ORIGINS: must each be an origin"}},
		{"a wildcard", []string{base, keys, "SSO_RETURN_ORIGINS=https://*.example.ac.kr"}, []string{"SSO_RETURN_ORIGINS: must each be an origin"}},
		{"upper case", []string{base, keys, "SSO_RETURN_ORIGINS=https://Files.example.ac.kr"}, []string{"SSO_RETURN_ORIGINS: must each be an origin"}},
		{"null", []string{base, keys, "SSO_RETURN_ORIGINS=null"}, []string{"SSO_RETURN_ORIGINS: must each be an origin"}},
		{"blanks for commas", []string{base, keys, "SSO_RETURN_ORIGINS=https://a.example.ac.kr https://b.example.ac.kr"}, []string{"SSO_RETURN_ORIGINS: must each be an origin"}},
		{"a comma at the end of origins", []string{base, keys, "SSO_RETURN_ORIGINS=https://files.example.ac.kr,"}, []string{"SSO_RETURN_ORIGINS: must each be an origin"}},
		{"the second origin", []string{base, keys, "SSO_RETURN_ORIGINS=https://files.example.ac.kr,hunter2,ftp://c"}, []string{"SSO_RETURN_ORIGINS: must each be an origin"}},
		{"another scheme", []string{base, keys, "SSO_RETURN_ORIGINS=ftp://files.example.ac.kr"}, []string{"SSO_RETURN_ORIGINS: must be https"}},
		{"plain http", []string{base, keys, "SSO_RETURN_ORIGINS=http://files.example.ac.kr"}, []string{"SSO_RETURN_ORIGINS: must be https"}},
		{"localhost without the flag", []string{base, keys, "SSO_RETURN_ORIGINS=http://localhost:3000"}, []string{"SSO_RETURN_ORIGINS: must be https"}},
		{"plain http in spite of the flag", []string{base, keys, "SSO_INSECURE_LOCALHOST=true", "SSO_RETURN_ORIGINS=http://files.example.ac.kr"}, []string{"SSO_RETURN_ORIGINS: must be https"}},
		{"the scheme's own port", []string{base, keys, "SSO_RETURN_ORIGINS=https://files.example.ac.kr:443"}, []string{"SSO_RETURN_ORIGINS: must not name"}},
		{"cookie sessions that are none", []string{base, keys, "SSO_COOKIE_SESSIONS=hunter2"}, []string{"SSO_COOKIE_SESSIONS: is none"}},
		{"cookie sessions by a number", []string{base, keys, "SSO_COOKIE_SESSIONS=1"}, []string{"SSO_COOKIE_SESSIONS: is none"}},
		{"several", []string{"SSO_COOKIE_SESSIONS=on", "SSO_RETURN_ORIGINS=,", keys}, []string{"SSO_BASE_URL: required", "SSO_COOKIE_SESSIONS: is none", "SSO_RETURN_ORIGINS: must each"}},
		{"a flag that is none", []string{base, "SSO_COOKIE_KEYS=" + good, "SSO_INSECURE_LOCALHOST=yes"}, []string{"SSO_INSECURE_LOCALHOST: is none"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := middleware.LoginConfigFromEnv(row.env)
			if !errors.Is(err, sso.ErrConfig) {
				t.Fatal(err)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(row.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), good) {
				t.Errorf("%v", err)
			}
			for _, w := range row.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("it does not say %q: %v", w, err)
				}
			}
		})
	}
}
