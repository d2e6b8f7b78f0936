package middleware_test

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// An API behind bearer tokens. ssotest stands for the user pool.
func ExampleBearer() {
	pool, err := ssotest.Start(ssotest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	verifier, err := sso.NewVerifier(pool.VerifierConfig())
	if err != nil {
		fmt.Println(err)
		return
	}

	bearer, err := middleware.NewBearer(verifier, middleware.BearerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	notes := middleware.RequireScope("notes/read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := middleware.Token(r.Context())
		fmt.Fprint(w, "notes of ", token.Subject)
	}))
	mux := http.NewServeMux()
	mux.Handle("/notes", bearer.Require(notes))

	call := func(token string) {
		r := httptest.NewRequest(http.MethodGet, "/notes", nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Printf("%d %s\n", w.Code, cmp.Or(w.Header().Get("WWW-Authenticate"), "let in"))
	}
	call(pool.AccessToken(ssotest.Claims{Scopes: []string{"notes/read"}}))
	call(pool.AccessToken(ssotest.Claims{Scopes: []string{"openid"}}))
	call("")
	// Output:
	// 200 let in
	// 403 Bearer realm="api", error="insufficient_scope", error_description="The token lacks a required scope.", scope="notes/read"
	// 401 Bearer realm="api"
}

// A web app with sign-in.
func ExampleLogin() {
	const base = "https://board.example.ac.kr"
	pool, err := ssotest.Start(ssotest.Config{Clients: []ssotest.Client{{
		ClientID: "board", CallbackURLs: []string{base + "/auth/callback"}, LogoutURLs: []string{base + "/auth/logged-out"},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	client, err := sso.NewClient(pool.ClientConfig("board"))
	if err != nil {
		fmt.Println(err)
		return
	}

	key := make([]byte, 32) // keep it: a new one ends every session
	_, _ = rand.Read(key)
	login, err := middleware.NewLogin(client, middleware.LoginConfig{BaseURL: base, CookieKeys: [][]byte{key}})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", login)
	mux.Handle("/", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.UserID(r.Context())
		fmt.Fprintln(w, "hello, user", id)
	})))

	// A person's browser is sent to sign in, and comes back to the page.
	r := httptest.NewRequest(http.MethodGet, "/notes", nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Location"))

	// A script is told.
	r.Header.Set("Accept", "application/json")
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 303 /auth/login?return_to=%2Fnotes
	// 401 {"error":"login_required","error_description":"Sign in first.","login_url":"/auth/login"}
}
