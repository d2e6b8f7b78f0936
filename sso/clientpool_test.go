package sso_test

import (
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// The tests of this file run against ssotest's pool; those of the other files
// against authServer, which was written apart from it.

const poolSecret = "poolSecretOfTheWebClient0123456789"

func newClientPool(t *testing.T) *ssotest.Pool {
	t.Helper()
	return ssotest.NewPool(t, ssotest.Config{
		Providers: []ssotest.Provider{
			ssotest.Kakao(ssotest.Person{Subject: "3141592653", Name: "홍길동", Email: "hong@example.com"}),
			ssotest.Google(),
		},
		ResourceServers: map[string][]string{"api": {"read", "write"}},
		Clients: []ssotest.Client{
			{ClientID: "web", ClientSecret: poolSecret, CallbackURLs: []string{"http://localhost:8080/cb"}, LogoutURLs: []string{"http://localhost:8080/bye"}},
			{ClientID: "public", CallbackURLs: []string{"http://localhost:9090/cb"}, LogoutURLs: []string{"http://localhost:9090/bye"}},
			{ClientID: "rotating", CallbackURLs: []string{"http://localhost:7070/cb"}, RefreshTokenRotation: true},
			{
				ClientID: "machine", ClientSecret: poolSecret, AllowedOAuthFlows: []string{"client_credentials"},
				AllowedOAuthScopes: []string{"api/read"},
			},
		},
	})
}

func poolClient(t *testing.T, p *ssotest.Pool, id string) *sso.Client {
	t.Helper()
	c, err := sso.NewClient(p.ClientConfig(id))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// poolBrowser is a browser with its cookies, at the pool's pages.
type poolBrowser struct {
	t    *testing.T
	pool *ssotest.Pool
	http *http.Client
}

func newPoolBrowser(t *testing.T, p *ssotest.Pool) *poolBrowser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &poolBrowser{t, p, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// visit follows redirects within the pool. It returns the page it ended at, or
// where the pool sent the browser.
func (b *poolBrowser) visit(method, target, body string) (page string, left *url.URL) {
	b.t.Helper()
	for range 12 {
		req, err := http.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(body))
		if err != nil {
			b.t.Fatal(err)
		}
		if body != "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		res, err := b.http.Do(req)
		if err != nil {
			b.t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			b.t.Fatal(err)
		}
		if res.Header.Get("Location") == "" {
			return string(text), nil
		}
		to, err := req.URL.Parse(res.Header.Get("Location"))
		if err != nil {
			b.t.Fatal(err)
		}
		if !strings.HasPrefix(to.String(), b.pool.URL()+"/") {
			return "", to
		}
		method, target, body = http.MethodGet, to.String(), ""
	}
	b.t.Fatal("too many redirects")
	return "", nil
}

var (
	poolFormAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	poolFormHidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// signIn goes from an authorization URL to the callback, as the person that
// the stand-in lists first, or with other fields.
func (b *poolBrowser) signIn(authURL string, fields url.Values) url.Values {
	b.t.Helper()
	page, left := b.visit(http.MethodGet, authURL, "")
	if left != nil {
		return left.Query() // without a page: silently, or refused
	}
	action, hidden := poolFormAction.FindStringSubmatch(page), poolFormHidden.FindStringSubmatch(page)
	if action == nil || hidden == nil {
		b.t.Fatalf("no form: %s", page)
	}
	fields.Set(html.UnescapeString(hidden[1]), html.UnescapeString(hidden[2]))
	target := html.UnescapeString(action[1])
	if strings.HasPrefix(target, "/") {
		target = b.pool.URL() + target
	}
	page, left = b.visit(http.MethodPost, target, fields.Encode())
	if left == nil {
		b.t.Fatalf("no callback: %s", page)
	}
	return left.Query()
}

// poolSignIn signs in through Kakao.
func poolSignIn(t *testing.T, b *poolBrowser, c *sso.Client) *sso.TokenSet {
	t.Helper()
	authURL, flow, err := c.AuthCodeURL(sso.AuthOptions{IdentityProvider: "Kakao"})
	if err != nil {
		t.Fatal(err)
	}
	set, err := c.Exchange(t.Context(), flow, b.signIn(authURL, url.Values{"person": {"0"}}))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestPoolSignIn(t *testing.T) {
	t.Parallel()
	p := newClientPool(t)
	for _, id := range []string{"web", "public", "rotating"} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			c := poolClient(t, p, id)
			set := poolSignIn(t, newPoolBrowser(t, p), c)
			if set.ID.ClientID != c.ID() || set.Access.ClientID != c.ID() || set.ID.Subject == "" || set.ID.Subject != set.Access.Subject {
				t.Error("the tokens are not of this sign-in")
			}
			if ids := set.ID.Identities(); len(ids) != 1 || ids[0].Provider != "Kakao" || ids[0].UserID != "3141592653" {
				t.Errorf("identities = %d", len(ids))
			}
			info, err := c.UserInfo(t.Context(), set.RawAccess)
			if err != nil {
				t.Fatal(err)
			}
			if info.Subject != set.ID.Subject || info.Email != "hong@example.com" || info.EmailVerified {
				t.Errorf("userInfo: %t %t", info.Subject == set.ID.Subject, info.EmailVerified)
			}
		})
	}
}

func TestPoolCallbackReplayed(t *testing.T) {
	t.Parallel()
	p := newClientPool(t)
	c := poolClient(t, p, "web")
	authURL, flow, err := c.AuthCodeURL(sso.AuthOptions{IdentityProvider: "Kakao"})
	if err != nil {
		t.Fatal(err)
	}
	callback := newPoolBrowser(t, p).signIn(authURL, url.Values{"person": {"0"}})
	if _, err := c.Exchange(t.Context(), flow, callback); err != nil {
		t.Fatal(err)
	}
	_, err = c.Exchange(t.Context(), flow, callback)
	wantAuthError(t, err, "invalid_grant", 400)
}

func TestPoolTwoTabs(t *testing.T) {
	t.Parallel()
	p := newClientPool(t)
	c := poolClient(t, p, "web")
	b := newPoolBrowser(t, p)
	var flows []sso.Flow
	var callbacks []url.Values
	for range 2 {
		authURL, flow, err := c.AuthCodeURL(sso.AuthOptions{IdentityProvider: "Kakao"})
		if err != nil {
			t.Fatal(err)
		}
		flows, callbacks = append(flows, flow), append(callbacks, b.signIn(authURL, url.Values{"person": {"0"}}))
	}
	// The flow of one tab does not finish the other's callback.
	if _, err := c.Exchange(t.Context(), flows[0], callbacks[1]); !errors.Is(err, sso.ErrState) {
		t.Errorf("crossed: %v", err)
	}
	for i := range flows {
		if _, err := c.Exchange(t.Context(), flows[i], callbacks[i]); err != nil {
			t.Errorf("tab %d: %v", i, err)
		}
	}
}

func TestPoolCancel(t *testing.T) {
	t.Parallel()
	p := newClientPool(t)
	c := poolClient(t, p, "web")
	authURL, flow, err := c.AuthCodeURL(sso.AuthOptions{IdentityProvider: "Kakao"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Exchange(t.Context(), flow, newPoolBrowser(t, p).signIn(authURL, url.Values{"cancel": {"1"}}))
	var authErr *sso.AuthError
	if !errors.As(err, &authErr) || authErr.Status != 0 {
		t.Errorf("error = %v, want an *AuthError of the callback", err)
	}
}

func TestPoolFlowTooOld(t *testing.T) {
	t.Parallel()
	p := newClientPool(t)
	c := poolClient(t, p, "web")
	authURL, flow, err := c.AuthCodeURL(sso.AuthOptions{IdentityProvider: "Kakao"})
	if err != nil {
		t.Fatal(err)
	}
	callback := newPoolBrowser(t, p).signIn(authURL, url.Values{"person": {"0"}})
	p.Advance(11 * time.Minute)
	if _, err := c.Exchange(t.Context(), flow, callback); !errors.Is(err, sso.ErrState) {
		t.Errorf("error = %v, want ErrState", err)
	}
}

func TestPoolRefresh(t *testing.T) {
	t.Parallel()
	p := newClientPool(t)
	for _, id := range []string{"web", "rotating"} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			c := poolClient(t, p, id)
			first := poolSignIn(t, newPoolBrowser(t, p), c)
			second, err := c.Refresh(t.Context(), first.Refresh, first.ID.Subject)
			if err != nil {
				t.Fatal(err)
			}
			if rotated := second.Refresh != first.Refresh; rotated != (id == "rotating") || second.Refresh == "" {
				t.Errorf("rotated = %t", rotated)
			}
			if second.ID.Subject != first.ID.Subject || second.RawAccess == first.RawAccess {
				t.Error("the tokens are not new ones of the same user")
			}
			if _, err := c.Refresh(t.Context(), second.Refresh, first.ID.Subject); err != nil {
				t.Errorf("with the token to keep: %v", err)
			}
			if _, err := c.Refresh(t.Context(), second.Refresh, "somebody-else"); err == nil {
				t.Error("another subject was accepted")
			}
			if id == "rotating" {
				_, err := c.Refresh(t.Context(), first.Refresh, first.ID.Subject)
				wantAuthError(t, err, "invalid_grant", 400)
			}
		})
	}
}

func TestPoolRevoke(t *testing.T) {
	t.Parallel()
	p := newClientPool(t)
	for _, id := range []string{"web", "public"} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			c := poolClient(t, p, id)
			set := poolSignIn(t, newPoolBrowser(t, p), c)
			for range 2 { // the second time it is no error either
				if err := c.Revoke(t.Context(), set.Refresh); err != nil {
					t.Fatal(err)
				}
			}
			_, err := c.Refresh(t.Context(), set.Refresh, set.ID.Subject)
			wantAuthError(t, err, "invalid_grant", 400)
			_, err = c.UserInfo(t.Context(), set.RawAccess)
			wantAuthError(t, err, "invalid_token", 401)
		})
	}
}

// TestPoolSilentSignOnAndLogout: a second app signs in without a page, until
// the browser has been at the logout URL.
func TestPoolSilentSignOnAndLogout(t *testing.T) {
	t.Parallel()
	p := newClientPool(t)
	web, public := poolClient(t, p, "web"), poolClient(t, p, "public")
	b := newPoolBrowser(t, p)
	silent := func() (*sso.TokenSet, error) {
		t.Helper()
		authURL, flow, err := public.AuthCodeURL(sso.AuthOptions{Prompt: "none"})
		if err != nil {
			t.Fatal(err)
		}
		_, left := b.visit(http.MethodGet, authURL, "")
		if left == nil {
			t.Fatal("prompt=none showed a page")
		}
		return public.Exchange(t.Context(), flow, left.Query())
	}

	_, err := silent()
	wantAuthError(t, err, "login_required", 0)
	first := poolSignIn(t, b, web)
	second, err := silent()
	if err != nil {
		t.Fatal(err)
	}
	if second.ID.Subject != first.ID.Subject || second.ID.ClientID != "public" {
		t.Error("the second app has another user or client")
	}

	logout, err := web.LogoutURL()
	if err != nil {
		t.Fatal(err)
	}
	if _, left := b.visit(http.MethodGet, logout, ""); left == nil || left.String() != "http://localhost:8080/bye" {
		t.Fatalf("logout led to %v", left)
	}
	_, err = silent()
	wantAuthError(t, err, "login_required", 0)
}

func TestPoolClientCredentials(t *testing.T) {
	t.Parallel()
	p := newClientPool(t)
	c := poolClient(t, p, "machine")
	token, raw, err := c.ClientCredentials(t.Context(), "api/read")
	if err != nil {
		t.Fatal(err)
	}
	if !token.Machine() || token.ClientID != "machine" || !slices.Equal(token.Scopes(), []string{"api/read"}) || raw == "" {
		t.Error("not a token of the machine")
	}
	_, _, err = poolClient(t, p, "web").ClientCredentials(t.Context())
	var authErr *sso.AuthError
	if !errors.As(err, &authErr) || authErr.Status != 400 {
		t.Errorf("a web client got: %v", err)
	}
}

func TestPoolFaults(t *testing.T) {
	t.Parallel()
	p := newClientPool(t)
	c := poolClient(t, p, "web")
	set := poolSignIn(t, newPoolBrowser(t, p), c)
	for _, status := range []int{429, 500, 503} {
		p.SetFaults(func(f *ssotest.Faults) { f.TokenEndpointStatus, f.UserInfo = status, status })
		if _, err := c.Refresh(t.Context(), set.Refresh, set.ID.Subject); !errors.Is(err, sso.ErrUnavailable) {
			t.Errorf("%d: Refresh = %v", status, err)
		}
		if _, err := c.UserInfo(t.Context(), set.RawAccess); !errors.Is(err, sso.ErrUnavailable) {
			t.Errorf("%d: UserInfo = %v", status, err)
		}
	}
	p.SetFaults(func(f *ssotest.Faults) { *f = ssotest.Faults{TokenEndpoint: "invalid_grant"} })
	_, err := c.Refresh(t.Context(), set.Refresh, set.ID.Subject)
	wantAuthError(t, err, "invalid_grant", 400)
	p.SetFaults(func(f *ssotest.Faults) { *f = ssotest.Faults{} })
	if _, err := c.Refresh(t.Context(), set.Refresh, set.ID.Subject); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}
