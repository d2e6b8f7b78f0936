package ssotest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
)

// These tests are of the inside: most run in a synctest bubble, on a pool that is not served, so that five seconds take none.

// unserved is a pool without a server.
func unserved(t *testing.T, cfg Config) *Pool {
	t.Helper()
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPool(cfg, "http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

// firstClient is the pool's first app client.
func firstClient(p *Pool) Client { return p.cfg.Clients[0].clone() }

// recorder is a trigger that keeps its events and answers as answer says, or with the event.
type recorder struct {
	answer func(source string, event json.RawMessage) (json.RawMessage, error)

	mu     sync.Mutex
	events []json.RawMessage
}

func (r *recorder) Invoke(_ context.Context, event json.RawMessage) (json.RawMessage, error) {
	r.mu.Lock()
	r.events = append(r.events, event)
	r.mu.Unlock()
	if r.answer == nil {
		return event, nil
	}
	return r.answer(sourceOf(event), event)
}

func (r *recorder) seen() []json.RawMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func sourceOf(event json.RawMessage) string {
	var e struct {
		TriggerSource string `json:"triggerSource"`
	}
	_ = json.Unmarshal(event, &e)
	return e.TriggerSource
}

// respond is the event with another response.
func respond(event json.RawMessage, response string) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(event, &members); err != nil {
		return nil, err
	}
	members["response"] = json.RawMessage(response)
	return json.Marshal(members)
}

// responding answers one source with a response, all others with the event.
func responding(source, response string) *recorder {
	return &recorder{answer: func(s string, event json.RawMessage) (json.RawMessage, error) {
		if s == source {
			return respond(event, response)
		}
		return event, nil
	}}
}

// failing fails one source.
func failing(source, text string) *recorder {
	return &recorder{answer: func(s string, event json.RawMessage) (json.RawMessage, error) {
		if s == source {
			return nil, errors.New(text)
		}
		return event, nil
	}}
}

// sources are those of all calls.
func sources(p *Pool) []string {
	var list []string
	for _, c := range p.TriggerCalls() {
		list = append(list, c.Source)
	}
	return list
}

func wantSources(t *testing.T, p *Pool, want ...string) {
	t.Helper()
	if got := sources(p); !slices.Equal(got, want) {
		t.Errorf("triggers %v\nwant %v", got, want)
	}
}

// hostedTokens signs a person in and issues tokens, as managed login does.
func hostedTokens(t *testing.T, p *Pool, provider string, who Person, scopes ...string) tokens {
	t.Helper()
	tok, err := tryHosted(t, p, provider, who, scopes...)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func tryHosted(t *testing.T, p *Pool, provider string, who Person, scopes ...string) (tokens, error) {
	t.Helper()
	c := firstClient(p)
	name, err := p.signInFederated(t.Context(), c, provider, who)
	if err != nil {
		return tokens{}, err
	}
	if scopes == nil {
		scopes = []string{"openid"}
	}
	g := grant{clientID: c.ClientID, username: name, scopes: scopes, nonce: "n-1", authTime: p.now()}
	return p.issue(t.Context(), g, "TokenGeneration_HostedAuth")
}

func payloadOf(t *testing.T, token string) map[string]any {
	t.Helper()
	var claims map[string]any
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts in a token", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// wantAPIError compares an *apiError.
func wantAPIError(t *testing.T, err error, kind, text string) {
	t.Helper()
	var api *apiError
	if !errors.As(err, &api) || api.Type != kind || (text != "" && api.Message != text) {
		t.Errorf("error %v; want %s %q", err, kind, text)
	}
}

func wantTriggerError(t *testing.T, err error, kind, text string) {
	t.Helper()
	var failed *triggerError
	if !errors.As(err, &failed) || failed.Type != kind || failed.Error() != text {
		t.Errorf("error %v; want %s %q", err, kind, text)
	}
}

var kim = Person{Subject: "3141592653", Name: "김수한", Email: "kim@example.com"}
