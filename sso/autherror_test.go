package sso_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// TestAuthErrorHidesItsDescription: a trigger's message may name a person, so
// nothing shows it but Description, not even the struct printed by value.
func TestAuthErrorHidesItsDescription(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t)
	c := s.client()
	flow, callback := s.start(c)
	callback.Del("code")
	callback.Set("error", "invalid_request")
	callback.Set("error_description", planted)
	_, err := c.Exchange(t.Context(), flow, callback)
	var authErr *sso.AuthError
	if !errors.As(err, &authErr) || authErr.Description() != planted {
		t.Fatalf("error = %v", err)
	}
	shown := everyText(err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, *authErr), fmt.Sprintf(verb, []any{*authErr}), fmt.Sprintf(verb, struct{ e sso.AuthError }{*authErr}))
	}
	text, jsonErr := json.Marshal(authErr)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	for _, text := range append(shown, string(text)) {
		if strings.Contains(text, planted) || strings.Contains(text, fmt.Sprintf("%x", planted)[:12]) {
			t.Errorf("shows the description: %s", text)
		}
	}
	if (&sso.AuthError{Code: "x"}).Description() != "" {
		t.Error("an error without a description has one")
	}
}
