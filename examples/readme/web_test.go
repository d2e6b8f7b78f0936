package readme_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// README:web
func settings(v *sso.Verifier, secret sso.Secret, cookieKey []byte) (sso.ClientConfig, middleware.LoginConfig) {
	const app = "https://board.example.ac.kr"
	return sso.ClientConfig{
		Verifier: v, Domain: "https://login.example.ac.kr", ClientID: "your-client-id", ClientSecret: secret,
		RedirectURL: app + "/auth/callback", LogoutURL: app + "/auth/logged-out",
	}, middleware.LoginConfig{BaseURL: app, CookieKeys: [][]byte{cookieKey}} // 32 random bytes
}

func newWebApp(cc sso.ClientConfig, lc middleware.LoginConfig) (http.Handler, error) {
	c, err := sso.NewClient(cc)
	if err != nil {
		return nil, err
	}
	login, err := middleware.NewLogin(c, lc)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", login) // login, callback and logout
	mux.Handle("/", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.UserID(r.Context())
		fmt.Fprintf(w, "signed in as %s\n", id)
	})))
	return mux, nil
}

// README:end

// The settings for production, as the README writes them, are valid ones.
func Example_settings() {
	v, err := sso.NewVerifier(production)
	must(err)
	cc, lc := settings(v, "secret", randomKey())
	_, err = newWebApp(cc, lc)
	fmt.Println(err)
	// Output: <nil>
}

// The web app of the README: a browser that comes without a session signs in
// at the pool, and is back with one.
func Example_web() {
	app := httptest.NewUnstartedServer(nil)
	base := "http://" + app.Listener.Addr().String()

	pool, err := ssotest.Start(ssotest.Config{Clients: []ssotest.Client{{
		ClientID:     "board",
		CallbackURLs: []string{base + "/auth/callback"},
		LogoutURLs:   []string{base + "/auth/logged-out"},
	}}})
	must(err)
	defer pool.Close()
	_, err = pool.AddUser(ssotest.User{
		Username: "minji", Password: "Correct-Horse-7",
		Attributes: map[string]string{"custom:userId": "42"},
	})
	must(err)

	app.Config.Handler, err = newWebApp(pool.ClientConfig("board"), middleware.LoginConfig{
		BaseURL: base, CookieKeys: [][]byte{randomKey()}, InsecureLocalhost: true,
	})
	must(err)
	app.Start()
	defer app.Close()

	browser := newBrowser()
	at, page := browser.send(http.MethodGet, base+"/", nil)
	fmt.Println("sent to the pool:", strings.HasPrefix(at, pool.URL()+"/login?"))

	hidden := regexp.MustCompile(`name="page" value="([^"]+)"`).FindStringSubmatch(page)
	at, page = browser.send(http.MethodPost, at, url.Values{
		"page": {hidden[1]}, "username": {"minji"}, "password": {"Correct-Horse-7"},
	})
	fmt.Println("and back:", at == base+"/")
	fmt.Print(page)
	// Output:
	// sent to the pool: true
	// and back: true
	// signed in as 42
}

// browser is an HTTP client that keeps cookies and asks as a browser does.
type browser struct{ http.Client }

func newBrowser() *browser {
	jar, err := cookiejar.New(nil)
	must(err)
	return &browser{http.Client{Jar: jar}}
}

// send follows redirects and returns where it ended, and the page there.
func (b *browser) send(method, address string, form url.Values) (at, page string) {
	r, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(form.Encode()))
	must(err)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := b.Do(r)
	must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(err)
	return res.Request.URL.String(), string(body)
}

// randomKey is what an app would read from its secrets, the same at each start.
func randomKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return key
}

// must ends an example that cannot go on.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
