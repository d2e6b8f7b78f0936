package deploy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// What a client's stack puts out is what an app can start with: no variable is
// missing, none is of no use, and verifier and client accept the values.
func TestAppsStartWithTheirEnvironment(t *testing.T) {
	t.Parallel()
	f, set := load(t)
	for _, name := range f.Names() {
		d, err := f.Evaluate(set, name)
		if err != nil {
			t.Fatal(err)
		}
		apps := 0
		for _, s := range d.Stacks {
			if s.Template != "client" {
				continue
			}
			apps++
			env := strings.Split(strings.TrimSpace(fmt.Sprint(s.Outputs["Environment"])), "\n")
			client, err := startApp(env)
			if err != nil {
				t.Errorf("%s: %s: %v\n%v", name, s.Name, err, env)
			}
			registered := s.Resources["Client"].Properties
			if client.RedirectURL != first(registered["CallbackURLs"]) || client.LogoutURL != first(registered["LogoutURLs"]) {
				t.Errorf("%s: %s: %s and %s are not what Cognito knows", name, s.Name, client.RedirectURL, client.LogoutURL)
			}
			for i := range env {
				without := append(append([]string{}, env[:i]...), env[i+1:]...)
				if _, err := startApp(without); err == nil && !strings.Contains(env[i], "_URL=") {
					t.Errorf("%s: %s: an app starts without %s", name, s.Name, env[i])
				}
			}
		}
		if apps != len(f.Clients) {
			t.Errorf("%s: %d apps", name, apps)
		}
	}
}

func first(list any) string {
	l, _ := list.([]any)
	return fmt.Sprint(l[0])
}

func startApp(env []string) (sso.ClientConfig, error) {
	cfg, err := sso.ConfigFromEnv(env)
	if err != nil {
		return sso.ClientConfig{}, err
	}
	verifier, err := sso.NewVerifier(cfg)
	if err != nil {
		return sso.ClientConfig{}, err
	}
	client, err := sso.ClientConfigFromEnv(env)
	if err != nil {
		return client, err
	}
	client.Verifier = verifier
	_, err = sso.NewClient(client)
	return client, err
}
