package sso_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// FuzzExchangeCallback gives Exchange any query a browser can send. Whatever
// it says, at most one token request is made, and only for a query with the
// flow's state exactly once, exactly one usable code and no error; and no
// error quotes the query.
func FuzzExchangeCallback(f *testing.F) {
	const state = "c3RhdGUtb2YtdGhlLWZsb3ctMzItYnl0ZXMtbG9uZy0"
	for _, query := range []string{
		"state=" + state + "&code=abc", "state=" + state + "&error=access_denied",
		"state=" + state + "&error=zzzq&error_description=PreSignUp+failed+with+error+x.",
		"state=" + state + "&state=" + state + "&code=abc", "state=" + state + "&code=abc&code=abc",
		"state=" + state + "&code=abc&error=", "state=&code=abc", "code=abc", "",
		"state=" + state + "&code=abc&iss=https%3A%2F%2Fcognito-idp.ap-northeast-2.amazonaws.com%2F" + testPoolID,
		"state=" + state + "&code=abc&iss=https://evil.example", "%zz=1&state=" + state + "&code=%00",
		"State=" + state + "&CODE=abc", "state=" + state + ";code=abc",
	} {
		f.Add(query)
	}

	v, err := sso.NewVerifier(sso.Config{
		UserPoolID: testPoolID, ClientIDs: []string{testClientID}, HTTPClient: &http.Client{Transport: new(fadingKeys)},
	})
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	pool := map[string]bool{}
	for _, host := range []string{"cognito-idp", "issuer-cognito-idp"} {
		pool["https://"+host+".ap-northeast-2.amazonaws.com/"+testPoolID] = true
	}

	f.Fuzz(func(t *testing.T, query string) {
		values, _ := url.ParseQuery(query) // keeps what it could parse, as Request.URL.Query does
		requests := 0
		var sent string
		c, err := sso.NewClient(sso.ClientConfig{
			Verifier: v, Domain: "https://login.example.ac.kr", ClientID: testClientID, RedirectURL: testRedirect,
			Now: func() time.Time { return now },
			HTTPClient: &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
				requests++
				if err := r.ParseForm(); err != nil {
					t.Error(err)
				}
				sent = r.PostForm.Get("code")
				return answerWith(400, jsonAnswer, `{"error":"invalid_grant"}`), nil
			})},
		})
		if err != nil {
			t.Fatal(err)
		}
		flow := sso.Flow{State: state, Nonce: "nonce", CodeVerifier: "verifier", CreatedAt: now}
		set, err := c.Exchange(context.Background(), flow, values)
		if set != nil || err == nil {
			t.Fatal("Exchange succeeded against a server that refuses")
		}

		ours := len(values["state"]) == 1 && values.Get("state") == state
		clean := ours && len(values["code"]) == 1 && len(values["error"]) == 0 &&
			(!values.Has("iss") || len(values["iss"]) == 1 && pool[values.Get("iss")])
		if requests > 1 || requests == 1 && (!clean || sent != values.Get("code") || sent == "") {
			t.Fatalf("%d token requests for %q", requests, query)
		}
		var authErr *sso.AuthError
		switch {
		case errors.As(err, &authErr):
			if !ours {
				t.Fatalf("an error of Cognito's out of a callback that is not ours: %q", query)
			}
			if requests == 0 && len(values["error"]) != 1 {
				t.Fatalf("an error of Cognito's out of nothing: %q", query)
			}
		case !errors.Is(err, sso.ErrState) && !errors.Is(err, sso.ErrIssuer):
			t.Fatalf("error = %v", err)
		}
		for name, all := range values {
			for _, value := range all {
				// Short and ordinary words are in honest errors too; a known
				// code is shown on purpose.
				if len(value) < 12 || errors.As(err, &authErr) && authErr.Code == value {
					continue
				}
				if strings.Contains(err.Error(), value) && !strings.Contains(fixedTexts, value) {
					t.Fatalf("the error quotes %s: %v", name, err)
				}
			}
		}
	})
}

// fixedTexts are the words of Exchange's errors about callbacks, which a
// query may happen to hold too.
const fixedTexts = `sso: callback does not match the flow: the flow is incomplete
sso: callback does not match the flow: the flow is too old
sso: callback does not match the flow: not exactly one code or error
sso: callback does not match the flow: empty error
sso: callback does not match the flow: unusable code
sso: wrong issuer in the callback
sso: authorization server answered other
sso: authorization server answered invalid_grant`
