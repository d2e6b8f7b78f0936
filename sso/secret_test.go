package sso_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

func TestSecretNeverShows(t *testing.T) {
	t.Parallel()
	const text = "hunter2-hunter2"
	secret := sso.Secret(text)
	flow := sso.Flow{State: secret, Nonce: secret, CodeVerifier: secret, CreatedAt: time.Unix(1, 0)}
	set := sso.TokenSet{RawAccess: secret, RawID: secret, Refresh: secret}
	config := sso.ClientConfig{ClientID: "id", ClientSecret: secret}
	values := map[string]any{
		"secret": secret, "pointer": &secret, "slice": []sso.Secret{secret},
		"map": map[string]sso.Secret{"k": secret}, "key": map[sso.Secret]int{secret: 1},
		"flow": flow, "flow pointer": &flow, "token set": set, "token set pointer": &set, "config": config,
	}
	var shown []string
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%20s", "%-5v", "%.3s", "%t", "%y"} {
			shown = append(shown, name+" "+verb+": "+fmt.Sprintf(verb, value))
		}
		shown = append(shown, fmt.Sprint(value), fmt.Sprintln(value), fmt.Errorf("wrapped: %v", value).Error())
		for kind, handler := range map[string]func(*bytes.Buffer) slog.Handler{
			"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			// encoding/json and slog use a string kind's own text as a map
			// key: no method of a Secret is asked, so it is no key of a map.
			if name == "key" {
				continue
			}
			var log bytes.Buffer
			slog.New(handler(&log)).Info("m", "v", value, slog.Group("g", "v", value))
			shown = append(shown, name+" slog "+kind+": "+log.String())
		}
	}
	for _, value := range []any{secret, &secret, []sso.Secret{secret}, set, config.ClientSecret} {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("json: %v", err)
		}
		shown = append(shown, "json: "+string(text))
	}
	type element struct{ S sso.Secret }
	if text, err := xml.Marshal(element{secret}); err != nil {
		t.Fatalf("xml: %v", err)
	} else {
		shown = append(shown, "xml: "+string(text))
	}
	hex := fmt.Sprintf("%x", text)
	for _, s := range shown {
		if strings.Contains(s, text) || strings.Contains(s, "hunter") || strings.Contains(strings.ToLower(s), hex[:8]) {
			t.Errorf("shows the secret: %s", s)
		}
	}
	if secret.Reveal() != text {
		t.Errorf("Reveal = %q", secret.Reveal())
	}
}

func TestClientNeverShowsItsSecret(t *testing.T) {
	t.Parallel()
	c := newAuthServer(t).client()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, value := range []any{c, *c} { //nolint:govet // a copy is what is tested
			if text := fmt.Sprintf(verb, value); strings.Contains(text, testSecret) {
				t.Errorf("%s shows the client secret: %s", verb, text)
			}
		}
	}
}

func TestFlowJSON(t *testing.T) {
	t.Parallel()
	_, flow, err := newAuthServer(t).client().AuthCodeURL(sso.AuthOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(flow)
	if err != nil {
		t.Fatal(err)
	}
	var back sso.Flow
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if back != flow {
		t.Errorf("the flow changed on its way through JSON")
	}
	// A sealed flow inside another struct, and by pointer.
	type envelope struct {
		Flow *sso.Flow `json:"flow"`
	}
	if text, err = json.Marshal(envelope{&flow}); err != nil {
		t.Fatal(err)
	}
	var inside envelope
	if err := json.Unmarshal(text, &inside); err != nil || *inside.Flow != flow {
		t.Errorf("the flow changed inside a struct: %v", err)
	}
}

func TestFlowJSONRefusesGarbageWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"state":12345678}`, `["` + planted + `"]`, `{"created_at":"` + planted + `"}`, `"x"`} {
		flow := sso.Flow{State: "kept"}
		err := json.Unmarshal([]byte(text), &flow)
		if err == nil {
			t.Errorf("%s: no error", text)
		} else if strings.Contains(err.Error(), planted) || strings.Contains(err.Error(), "12345678") {
			t.Errorf("%s: the error quotes its input: %v", text, err)
		}
		if flow.State != "kept" {
			t.Errorf("%s: flow changed despite the error", text)
		}
	}
}

func ExampleSecret() {
	secret := sso.Secret("correct horse battery staple")

	fmt.Println(secret)
	fmt.Printf("%v %+v %s %q %x\n", secret, secret, secret, secret, secret)
	fmt.Printf("%#v\n", secret)
	fmt.Printf("%+v\n", struct{ Token sso.Secret }{secret})
	text, err := json.Marshal(map[string]any{"token": secret})
	fmt.Println(string(text), err)
	fmt.Println(secret.Reveal())
	// Output:
	// [redacted]
	// [redacted] [redacted] [redacted] "[redacted]" [redacted]
	// sso.Secret("[redacted]")
	// {Token:[redacted]}
	// {"token":"[redacted]"} <nil>
	// correct horse battery staple
}
