package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// app is one web app: an address, an app client of its own, and a login.
type app struct {
	key, name, korean      string
	url                    string // where browsers reach it, such as http://localhost:9401
	clientID, clientSecret string
	listener               net.Listener
	login                  *middleware.Login
}

// poolClient is how the app is registered with the pool.
func (a *app) poolClient() ssotest.Client {
	return ssotest.Client{
		ClientID: a.clientID, ClientName: a.name, ClientSecret: a.clientSecret,
		CallbackURLs: []string{a.url + "/auth/callback"},
		LogoutURLs:   []string{a.url + "/auth/logged-out"},
		// Not COGNITO: nobody has a password here.
		SupportedIdentityProviders: []string{"Kakao", "Google"},
		// Nor by the API, and with no token of theirs can people change themselves
		// at the pool, which takes aws.cognito.signin.user.admin.
		ExplicitAuthFlows:  []string{"ALLOW_REFRESH_TOKEN_AUTH"},
		AllowedOAuthScopes: []string{"openid", "email", "profile"},
		// Who has an account is nobody's business.
		PreventUserExistenceErrors: true,
		// Everybody's own id may be read, and by leaving it out of the second list
		// it can be changed by nobody but the triggers.
		ReadAttributes:  []string{"custom:userId", "email", "email_verified", "name"},
		WriteAttributes: []string{"email", "email_verified", "name"},
	}
}

// startApps gives both apps their pages and starts to serve them.
func (w *world) startApps(ctx context.Context, cfg worldConfig, dir string) error {
	w.sessions = wrap[middleware.SessionStore](cfg.sabotage.sessions, middleware.NewMemoryStore())
	for _, a := range []*app{w.board, w.desk} {
		if err := w.addLogin(a, dir); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	desk, err := w.deskHandler(ctx, cfg.sabotage.verifier)
	if err != nil {
		return fmt.Errorf("%s: %w", w.desk.name, err)
	}
	board := w.boardHandler()
	if f := cfg.sabotage.handler; f != nil {
		board, desk = f(w.board, board), f(w.desk, desk)
	}
	w.serve(w.desk, desk)
	w.serve(w.board, board)
	return nil
}

// addLogin is all it takes to add sign-in to a web app.
func (w *world) addLogin(a *app, dir string) error {
	client, err := sso.NewClient(w.pool.ClientConfig(a.clientID))
	if err != nil {
		return err
	}
	key, err := cookieKey(dir, a.key)
	if err != nil {
		return err
	}
	a.login, err = middleware.NewLogin(client, middleware.LoginConfig{
		BaseURL:           a.url,
		CookieKeys:        [][]byte{key},
		Sessions:          w.sessions,
		GlobalSignOut:     globalSignOut{w.cognito, w.pool.ID()},
		InsecureLocalhost: true,
		Logger:            w.log,
	})
	return err
}

func (w *world) serve(a *app, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: nil}
	w.atClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if s.Shutdown(ctx) != nil { // a browser keeps a request open
			return s.Close()
		}
		return nil
	})
	go func() {
		if err := s.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			w.failed <- fmt.Errorf("%s: %w", a.name, err)
		}
	}()
}

// routes has what both apps have: sign-in and the style sheet.
func (w *world) routes(a *app) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/auth/", a.login)
	mux.HandleFunc("GET /style.css", serveStyle)
	mux.HandleFunc("/", func(rw http.ResponseWriter, _ *http.Request) {
		w.problem(rw, a, http.StatusNotFound, "There is no such page", "The home page has all there is.")
	})
	return mux
}

// globalSignOut is what "sign out everywhere" does beside ending the sessions
// that both apps share a store for: at Cognito, no refresh token of the user
// works any more.
type globalSignOut struct {
	cognito *cognitoidentityprovider.Client
	poolID  string
}

// SignOut implements [middleware.GlobalSignOut].
func (g globalSignOut) SignOut(ctx context.Context, username string) error {
	_, err := g.cognito.AdminUserGlobalSignOut(ctx, &cognitoidentityprovider.AdminUserGlobalSignOutInput{
		UserPoolId: aws.String(g.poolID), Username: aws.String(username),
	})
	return err
}

// signInLinks are where the buttons of a signed-out page lead.
func signInLinks() (anyone, kakao, google string) {
	at := func(provider string) string {
		q := url.Values{"return_to": {"/"}}
		if provider != "" {
			q.Set("identity_provider", provider)
		}
		return "/auth/login?" + q.Encode()
	}
	return at(""), at("Kakao"), at("Google")
}
