package middleware_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
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
			!bytes.Equal(cfg.CookieKeys[0], first) || !bytes.Equal(cfg.CookieKeys[1], second) {
			t.Errorf("%s: %v, %v", name, cfg, err)
		}
	}
}

func TestLoginConfigFromEnvMistakes(t *testing.T) {
	t.Parallel()
	good := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 1}, 16))
	const base = "SSO_BASE_URL=https://board.example.ac.kr"
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
