package dbconn_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
)

const password = "hunter2-hunter2"

// Whatever a password is part of, printing that does not show it.
func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	secret := dbconn.NewSecret(password)
	hidden := struct {
		inner struct{ secret dbconn.Secret }
	}{}
	hidden.inner.secret = secret
	for name, v := range map[string]any{
		"itself":             secret,
		"a pointer":          &secret,
		"in credentials":     dbconn.Credentials{User: "u", Password: secret},
		"static":             dbconn.NewStatic(password),
		"in a config":        dbconn.Config{Password: dbconn.NewStatic(password)},
		"an unexported part": hidden,
		"in a list":          []dbconn.Secret{secret},
		"in a map":           map[string]dbconn.Secret{"x": secret},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
			raw, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			shown := log.String() + string(raw)
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
				shown += fmt.Sprintf(verb, v)
			}
			if strings.Contains(shown, password) || strings.Contains(shown, fmt.Sprintf("%x", password)) {
				t.Errorf("shown: %s", shown)
			}
		})
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	var zero dbconn.Secret
	secret := dbconn.NewSecret(password)
	if secret.Reveal() != password || zero.Reveal() != "" {
		t.Error("Reveal")
	}
	if !secret.Equal(dbconn.NewSecret(password)) || secret.Equal(zero) || !zero.Equal(dbconn.NewSecret("")) {
		t.Error("Equal")
	}
}

func ExampleSecret() {
	cfg := dbconn.Credentials{User: "sso", Password: dbconn.NewSecret("correct horse")}
	fmt.Printf("%+v\n", cfg)
	// Output: {User:sso Password:[secret]}
}
