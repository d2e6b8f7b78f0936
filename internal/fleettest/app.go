package fleettest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	// base is where browsers reach the app. The certificates of package
	// httptest are for this name.
	base     = "https://example.com"
	prefix   = "/auth"
	clientID = "app"
	secret   = "s3cretOfTheAppClient"
	// page and script are the app's own routes.
	page, script = "/page", "/script"
	// pageText begins every page; the subject follows.
	pageText = "page of "

	// processHeader names the process, on its calls to the pool and on its
	// answers, and callHeader one call.
	processHeader = "X-Fleet-Process"
	callHeader    = "X-Fleet-Call"
	tokenPath     = "/oauth2/token" //nolint:gosec // a path
	// variable holds the settings of a process. It makes the test binary one.
	variable = "SSO_FLEET_PROCESS"
)

// settings are what a process is told.
type settings struct {
	Process   int
	Pool      string // id
	Issuer    string
	Wire      string // URL
	JWKS      string // URL
	CookieKey []byte
	Clock     string // path
	DSN       string
	Log       string // path
	Lease     time.Duration
	CallTime  time.Duration
	Sabotage  Sabotage
}

// Main makes the test binary an app process, and then does not return, if
// [Run] started it as one. TestMain must call it first. open returns the
// session store of a process.
func Main(open func(dsn string) (middleware.SessionStore, error)) {
	text := os.Getenv(variable)
	if text == "" {
		return
	}
	var s settings
	err := json.Unmarshal([]byte(text), &s)
	if err == nil {
		err = s.serve(open)
	}
	fmt.Fprintln(os.Stderr, "fleettest:", err)
	os.Exit(1)
}

// serve is the app.
func (s settings) serve(open func(dsn string) (middleware.SessionStore, error)) error {
	login, err := s.login(open)
	if err != nil {
		return err
	}
	who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := middleware.Token(r.Context())
		_, _ = io.WriteString(w, pageText+token.Subject)
	})
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", login)
	mux.Handle(page, login.Require(who))
	mux.Handle(script, login.Require(who))
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback, at once
	if err != nil {
		return err
	}
	go func() { // the input ends with whoever started us
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(l.Addr())
	signed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(processHeader, strconv.Itoa(s.Process))
		mux.ServeHTTP(w, r)
	})
	server := &http.Server{Handler: signed, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(l)
}

func (s settings) login(open func(dsn string) (middleware.SessionStore, error)) (*middleware.Login, error) {
	now, err := readClock(s.Clock)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	spy, err := newSpy(s)
	if err != nil {
		return nil, err
	}
	wire := &http.Client{Timeout: s.CallTime, Transport: spiedCalls{spy, &http.Transport{MaxIdleConnsPerHost: 64}}}
	verifier, err := sso.NewVerifier(sso.Config{
		UserPoolID: s.Pool, ClientIDs: []string{clientID}, Issuers: []string{s.Issuer}, JWKSURL: s.JWKS,
		HTTPClient: wire, InsecureAllowHTTP: true, Now: now,
	})
	if err != nil {
		return nil, err
	}
	for tries := 0; ; tries++ { // the machine may be busy
		if err = verifier.Preload(context.Background()); err == nil {
			break
		}
		if tries == 10 {
			return nil, err
		}
	}
	client, err := sso.NewClient(sso.ClientConfig{
		Verifier: verifier, Domain: s.Wire, ClientID: clientID, ClientSecret: secret,
		RedirectURL: base + prefix + "/callback", LogoutURL: base + prefix + "/logged-out",
		IdentityProviders: []string{provider}, HTTPClient: wire, InsecureAllowHTTP: true, Now: now,
	})
	if err != nil {
		return nil, err
	}
	opened, err := open(s.DSN)
	if err != nil {
		return nil, err
	}
	store, err := s.spoil(opened, spy)
	if err != nil {
		return nil, err
	}
	return middleware.NewLogin(client, middleware.LoginConfig{
		BaseURL: base, Prefix: prefix, CookieKeys: [][]byte{s.CookieKey},
		Sessions: store, IdleTimeout: idleLimit, AbsoluteTimeout: absoluteLimit, GlobalSignOut: globalSignOut{s.Wire, s.Pool, wire},
		Logger: slog.New(slog.NewTextHandler(log, nil)), Now: now,
	})
}

// globalSignOut is the pool's API.
type globalSignOut struct {
	url, pool string
	client    *http.Client
}

// SignOut implements middleware.GlobalSignOut.
func (g globalSignOut) SignOut(ctx context.Context, username string) error {
	return administer(ctx, g.client, g.url, "AdminUserGlobalSignOut", g.pool, username)
}

// administer calls an operation of the pool's API about a user.
func administer(ctx context.Context, client *http.Client, url, operation, pool, username string) error {
	body, err := json.Marshal(map[string]string{"UserPoolId": pool, "Username": username})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test")
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK && !bytes.Contains(text, []byte("UserNotFound")) {
		return fmt.Errorf("%s: %d %s", operation, resp.StatusCode, text)
	}
	return nil
}
