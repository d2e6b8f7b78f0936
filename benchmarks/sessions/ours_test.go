package sessions_test

import (
	"context"
	"crypto/rand"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

const (
	base     = "https://app.example.test"
	clientID = "app"
)

// page is the handler behind every session: it asks who is there.
func page(who func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who(r) == "" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
}

func newPool(t testing.TB) *ssotest.Pool {
	return ssotest.NewPool(t, ssotest.Config{
		Providers: []ssotest.Provider{ssotest.Kakao(ssotest.Person{Subject: "3141592653", Name: "홍길동", Email: "hong@example.ac.kr"})},
		Clients: []ssotest.Client{{
			ClientID: clientID, ClientSecret: "s3cretOfTheAppClient",
			CallbackURLs: []string{base + "/auth/callback"}, LogoutURLs: []string{base + "/auth/logged-out"},
		}},
	})
}

// ours is Login with sessions as edit says, and somebody signed in.
// keep gets the tokens of the sign-in.
func ours(t testing.TB, pool *ssotest.Pool, name string, keep func(sso.TokenSet), edit func(*middleware.LoginConfig)) contestant {
	cc := pool.ClientConfig(clientID)
	cc.OnTokens = func(_ context.Context, set sso.TokenSet) { keep(set) }
	cc.RedirectURL, cc.LogoutURL = base+"/auth/callback", base+"/auth/logged-out"
	client, err := sso.NewClient(cc)
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	cfg := middleware.LoginConfig{BaseURL: base, CookieKeys: [][]byte{key}, Logger: slog.New(slog.DiscardHandler)}
	edit(&cfg)
	l, err := middleware.NewLogin(client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return contestant{
		name: name,
		handler: l.Require(page(func(r *http.Request) string {
			token, _ := middleware.Token(r.Context())
			return token.Subject
		})),
		cookies: signIn(t, l),
	}
}

var hiddenState = regexp.MustCompile(`name="state" value="([^"]+)"`)

// signIn signs in at Kakao as a browser does, and returns the app's cookies.
func signIn(t testing.TB, app http.Handler) string {
	started := serve(t, app, "/auth/login?identity_provider=Kakao", "")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var back string
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), base) {
			back = r.URL.RequestURI()
			return http.ErrUseLastResponse
		}
		return nil
	}}
	at, text := visit(t, browser, http.MethodGet, started.Header.Get("Location"), nil)
	state := hiddenState.FindStringSubmatch(text)
	if state == nil {
		t.Fatal("no sign-in page of Kakao")
	}
	to := *at
	to.RawQuery = ""
	visit(t, browser, http.MethodPost, to.String(), url.Values{"state": {html.UnescapeString(state[1])}, "person": {"0"}})
	return cookiesOf(serve(t, app, back, cookiesOf(started)))
}

// cookiesOf is the Cookie header after an answer.
func cookiesOf(res *http.Response) string {
	var pairs []string
	for _, c := range res.Cookies() {
		if c.MaxAge >= 0 && c.Value != "" {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return strings.Join(pairs, "; ")
}

func serve(t testing.TB, app http.Handler, target, cookies string) *http.Response {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, base+target, nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Accept", "text/html")
	if cookies != "" {
		r.Header.Set("Cookie", cookies)
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w.Result()
}

// visit follows redirects, but not back to the app.
func visit(t testing.TB, browser *http.Client, method, target string, form url.Values) (*url.URL, string) {
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.Request.URL, string(body)
}
