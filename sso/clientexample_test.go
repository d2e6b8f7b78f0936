package sso_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// newExampleClient is what every example below starts from.
func newExampleClient() *sso.Client {
	v, err := sso.NewVerifier(sso.Config{
		UserPoolID: "ap-northeast-2_AbCdEfGhI",
		ClientIDs:  []string{"1example23456789"},
	})
	if err != nil {
		log.Fatal(err) // names every wrong field
	}
	c, err := sso.NewClient(sso.ClientConfig{
		Verifier:          v,
		Domain:            "https://login.example.ac.kr",
		ClientID:          "1example23456789",
		ClientSecret:      "from-your-secret-store",
		RedirectURL:       "https://app.example.ac.kr/auth/callback",
		LogoutURL:         "https://app.example.ac.kr/auth/logged-out",
		IdentityProviders: []string{"Kakao", "Google"},
	})
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// Signing in: send the browser away with a flow kept in that same browser, and
// finish that flow, once, when it comes back. Package middleware does all of
// this; do it by hand only where it does not fit.
func ExampleClient() {
	c := newExampleClient()

	http.HandleFunc("GET /auth/login", func(w http.ResponseWriter, r *http.Request) {
		authURL, flow, err := c.AuthCodeURL(sso.AuthOptions{IdentityProvider: "Kakao"})
		if err != nil {
			http.Error(w, "cannot sign in that way", http.StatusBadRequest)
			return
		}
		sealIntoCookie(w, flow) // encrypted and authenticated, for this browser alone
		http.Redirect(w, r, authURL, http.StatusSeeOther)
	})

	http.HandleFunc("GET /auth/callback", func(w http.ResponseWriter, r *http.Request) {
		flow := takeFromCookie(w, r) // and delete the cookie: a flow is used once
		tokens, err := c.Exchange(r.Context(), flow, r.URL.Query())
		var refused *sso.AuthError
		switch {
		case errors.Is(err, sso.ErrUnavailable), errors.Is(err, sso.ErrKeysUnavailable):
			http.Error(w, "please try again later", http.StatusServiceUnavailable)
		case errors.As(err, &refused) && refused.Code == "access_denied":
			http.Redirect(w, r, "/", http.StatusSeeOther) // the person changed their mind
		case err != nil:
			log.Print(err) // holds no token, code or personal data
			http.Error(w, "please sign in again", http.StatusBadRequest)
		default:
			startSession(w, tokens.ID.Subject, tokens.ID.UserID)
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}
	})
}

func ExampleClient_AuthCodeURL() {
	c := newExampleClient()

	authURL, flow, err := c.AuthCodeURL(sso.AuthOptions{IdentityProvider: "Kakao", Lang: "ko"})
	if err != nil {
		log.Fatal(err)
	}
	u, err := url.Parse(authURL)
	if err != nil {
		log.Fatal(err)
	}
	q := u.Query()
	fmt.Println(u.Host, u.Path)
	fmt.Println(q.Get("code_challenge_method"), q.Get("state") == flow.State.Reveal(), q.Get("nonce") == flow.Nonce.Reveal())
	fmt.Println(flow.CodeVerifier)

	// Only providers of the configuration: the name often comes from a link.
	_, _, err = c.AuthCodeURL(sso.AuthOptions{IdentityProvider: "Elsewhere"})
	fmt.Println(err)
	// Output:
	// login.example.ac.kr /oauth2/authorize
	// S256 true true
	// [redacted]
	// sso: invalid configuration: AuthOptions.IdentityProvider: must be among ClientConfig.IdentityProviders
}

func ExampleClient_Exchange() {
	c := newExampleClient()
	_, flow, err := c.AuthCodeURL(sso.AuthOptions{})
	if err != nil {
		log.Fatal(err)
	}

	// A callback that this browser did not ask for, as in login CSRF.
	_, err = c.Exchange(context.Background(), flow, url.Values{"code": {"c0de"}, "state": {"attacker's"}})
	fmt.Println(errors.Is(err, sso.ErrState))

	// Cognito's own errors. Nothing of the callback's text is in them.
	_, err = c.Exchange(context.Background(), flow, url.Values{
		"error": {"login_required"}, "error_description": {"…"}, "state": {flow.State.Reveal()},
	})
	var refused *sso.AuthError
	fmt.Println(errors.As(err, &refused), refused.Code)
	// Output:
	// true
	// true login_required
}

func ExampleClient_LogoutURL() {
	logoutURL, err := newExampleClient().LogoutURL()
	fmt.Println(logoutURL, err)
	// Output:
	// https://login.example.ac.kr/logout?client_id=1example23456789&logout_uri=https%3A%2F%2Fapp.example.ac.kr%2Fauth%2Flogged-out <nil>
}

// Keeping a session alive. What to do with each error is the point.
func ExampleClient_Refresh() {
	c := newExampleClient()
	refresh := func(ctx context.Context, s session) {
		tokens, err := c.Refresh(ctx, s.refresh, s.subject)
		var refused *sso.AuthError
		switch {
		case err == nil:
			s.save(tokens.Refresh, tokens.Access.ExpiresAt.Unix()) // first of all: the old one may be dead
		case errors.As(err, &refused) && refused.Code == "invalid_grant", errors.Is(err, sso.ErrTokenMismatch):
			s.end()
		default:
			// An outage or a mistake of ours: nobody is signed out for it.
		}
	}
	_ = refresh
}

// The rest of an app.
type session struct {
	refresh sso.Secret
	subject string
}

func (session) save(sso.Secret, int64) {}
func (session) end()                   {}

func sealIntoCookie(http.ResponseWriter, sso.Flow)                   {}
func takeFromCookie(http.ResponseWriter, *http.Request) (f sso.Flow) { return f }
func startSession(http.ResponseWriter, string, sso.UserID)           {}
