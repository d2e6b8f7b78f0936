package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

const devSecret = "theSecretOfTheDevelopersClient0123456789"

// freePort is one that the system gives to no connection by itself, so that it
// is free still when ssoctl listens.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(10000) //nolint:gosec // no secret
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// loginWorld has a public and a confidential client for developers.
func loginWorld(t *testing.T) (w *world, callback string) {
	t.Helper()
	callback = fmt.Sprintf("http://127.0.0.1:%d/callback", freePort(t))
	w = appWorld(t, ssotest.Config{
		Providers: []ssotest.Provider{ssotest.Kakao(ssotest.Person{Subject: "3141592653", Name: "홍길동", Email: "hong@example.test"})},
		Clients: []ssotest.Client{
			{ClientID: "public", CallbackURLs: []string{callback}},
			{ClientID: "confidential", ClientSecret: devSecret, CallbackURLs: []string{callback}},
		},
	})
	return w.with("SSO_CLIENT_ID=public"), callback
}

// running is a login that waits for the browser.
type running struct {
	cmd     *exec.Cmd
	out     *bytes.Buffer
	errs    *bufio.Reader
	said    strings.Builder
	address string // where the browser is to go
}

var authAddress = regexp.MustCompile(`^  (http\S+/oauth2/authorize\?\S+)$`)

func (w *world) login(t *testing.T, callback string, args ...string) *running {
	t.Helper()
	r := &running{out: &bytes.Buffer{}}
	r.cmd = w.command(t.Context(), t, append([]string{"login", "--no-browser", "--callback", callback}, args...)...)
	r.cmd.Stdout = r.out
	pipe, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.errs = bufio.NewReader(pipe)
	for { // "Waiting" is printed last
		line, err := r.errs.ReadString('\n')
		r.said.WriteString(line)
		if found := authAddress.FindStringSubmatch(strings.TrimSuffix(line, "\n")); found != nil {
			r.address = found[1]
		}
		if strings.HasPrefix(line, "Waiting") {
			return r
		}
		if err != nil {
			t.Fatalf("login ended: %v, %s", r.cmd.Wait(), r.said.String())
		}
	}
}

func (r *running) wait(t *testing.T) result {
	t.Helper()
	rest, err := io.ReadAll(r.errs)
	if err != nil {
		t.Fatal(err)
	}
	return result{status(t, r.cmd.Wait()), r.out.String(), r.said.String() + string(rest)}
}

// state is the one of the sign-in.
func (r *running) state(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(r.address)
	if err != nil || u.Query().Get("state") == "" || u.Query().Get("code_challenge_method") != "S256" || u.Query().Get("nonce") == "" {
		t.Fatalf("address %q: %v", r.address, err)
	}
	return u.Query().Get("state")
}

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	formHidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	kakaoLink  = regexp.MustCompile(`href="([^"]*identity_provider=Kakao[^"]*)"`)
)

// browse is a person with a browser: picks Kakao, and the first person there.
func browse(t *testing.T, w *world, address string) (page string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	page = get(t, browser, http.MethodGet, address, "")
	at := func(link string) string {
		if link = html.UnescapeString(link); strings.HasPrefix(link, "/") {
			return w.pool.URL() + link
		}
		return link
	}
	if link := kakaoLink.FindStringSubmatch(page); link != nil {
		page = get(t, browser, http.MethodGet, at(link[1]), "")
	}
	action, hidden := formAction.FindStringSubmatch(page), formHidden.FindStringSubmatch(page)
	if action == nil || hidden == nil {
		t.Fatalf("no form: %s", page)
	}
	fields := url.Values{"person": {"0"}, html.UnescapeString(hidden[1]): {html.UnescapeString(hidden[2])}}
	return get(t, browser, http.MethodPost, at(action[1]), fields.Encode())
}

func get(t *testing.T, browser *http.Client, method, address, form string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLogin(t *testing.T) {
	t.Parallel()
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte(devSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		env, args []string
	}{
		"public client":       {nil, []string{"--print", "access"}},
		"confidential client": {[]string{"SSO_CLIENT_ID=confidential", "SSO_CLIENT_SECRET=" + devSecret}, []string{"--print", "access"}},
		"secret in a file":    {[]string{"SSO_CLIENT_ID=confidential", "SSO_CLIENT_SECRET_FILE=" + secretFile}, []string{"--print", "access"}},
		"straight to Kakao":   {nil, []string{"--print", "access", "--provider", "Kakao", "--scope", "openid,email"}},
		"all by flags":        {[]string{"SSO_CLIENT_ID=", "SSO_DOMAIN="}, []string{"--print", "access", "--client", "public", "--domain", "DOMAIN"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, callback := loginWorld(t)
			w = w.with(row.env...)
			for i := range row.args {
				row.args[i] = strings.ReplaceAll(row.args[i], "DOMAIN", w.pool.URL())
			}
			r := w.login(t, callback, row.args...)
			r.state(t)
			page := browse(t, w, r.address)
			got := r.wait(t)
			if got.status != ok || !strings.Contains(page, "Signed in") {
				t.Fatalf("%+v\n%s", got, page)
			}
			v, err := sso.NewVerifier(w.pool.VerifierConfig("public", "confidential"))
			if err != nil {
				t.Fatal(err)
			}
			raw, lines := strings.CutSuffix(got.out, "\n")
			if tok, err := v.VerifyAccess(t.Context(), raw); err != nil || !lines || tok.Subject == "" {
				t.Errorf("standard output is not the access token: %v", err)
			}
			if strings.Contains(got.err, raw) || strings.Contains(got.err+got.out, devSecret) || strings.Contains(got.err, "eyJ") {
				t.Errorf("standard error has a token: %s", got.err)
			}
		})
	}
}

// What is not asked for is not handed out, and the refresh token that nobody
// has is revoked.
func TestLoginSummary(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--json"}} {
		w, callback := loginWorld(t)
		domain, err := url.Parse(w.pool.URL())
		if err != nil {
			t.Fatal(err)
		}
		var revoked atomic.Int32
		between := httputil.NewSingleHostReverseProxy(domain)
		between.ModifyResponse = func(res *http.Response) error {
			if res.Request.URL.Path == "/oauth2/revoke" && res.StatusCode == http.StatusOK {
				revoked.Add(1)
			}
			return nil
		}
		server := httptest.NewServer(between)
		t.Cleanup(server.Close)
		w = w.with("SSO_DOMAIN=" + server.URL)
		r := w.login(t, callback, args...)
		browse(t, w, r.address)
		got := r.wait(t)
		if got.status != ok || !strings.Contains(got.out, "openid") || !strings.Contains(got.out, "public") {
			t.Errorf("%+v", got)
		}
		if revoked.Load() != 1 || len(args) == 0 && !strings.Contains(got.out, "revoked") {
			t.Errorf("the refresh token is left: %d, %s", revoked.Load(), got.out)
		}
		for _, secret := range []string{"eyJ", "hong@", "홍길동", "3141592653"} {
			if strings.Contains(got.out+got.err, secret) {
				t.Errorf("the output has %q: %+v", secret, got)
			}
		}
	}
}

// The file can be read by nobody else, even if there was another before, and
// what is in it works.
func TestLoginOut(t *testing.T) {
	t.Parallel()
	w, callback := loginWorld(t)
	path := filepath.Join(w.dir, "tokens.json")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil { //nolint:gosec // on purpose
		t.Fatal(err)
	}
	r := w.login(t, callback, "--out", path)
	browse(t, w, r.address)
	got := r.wait(t)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || got.status != ok || strings.Contains(got.out+got.err, "eyJ") {
		t.Fatalf("%v, %v, %+v", info, err, got)
	}
	var tokens struct {
		Access  string `json:"access_token"`
		ID      string `json:"id_token"`
		Refresh string `json:"refresh_token"`
	}
	text, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(text, &tokens) != nil {
		t.Fatalf("%v: %s", err, text)
	}
	client, err := sso.NewClient(w.pool.ClientConfig("public"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := client.Verifier().VerifyID(t.Context(), tokens.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Refresh(t.Context(), sso.Secret(tokens.Refresh), tok.Subject); err != nil {
		t.Errorf("the refresh token was revoked, or is none: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, ".ssoctl-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Others ask the listener first: the sign-in goes on, and is refused only where
// Cognito itself says no.
func TestLoginAttacked(t *testing.T) {
	t.Parallel()
	w, callback := loginWorld(t)
	r := w.login(t, callback, "--print", "id")
	for _, attack := range []string{"?code=abc&state=other", "?error=access_denied&state=other", "/x?code=a&state=" + r.state(t), ""} {
		if page := get(t, http.DefaultClient, http.MethodGet, callback+attack, ""); !strings.Contains(page, "Nothing here") {
			t.Errorf("%q: %s", attack, page)
		}
	}
	if page := browse(t, w, r.address); !strings.Contains(page, "Signed in") {
		t.Errorf("page: %s", page)
	}
	if got := r.wait(t); got.status != ok || !strings.HasPrefix(got.out, "eyJ") {
		t.Errorf("%+v", got)
	}
}

func TestLoginFails(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		prepare func(*world)
		answer  string // instead of a browser's; STATE is the state
		args    []string
		status  int
		want    string
	}{
		"person says no":     {nil, "?error=access_denied&error_description=%1b%5b2Jsecret&state=STATE", nil, drift, "access_denied"},
		"code of nobody":     {nil, "?code=abc&state=STATE", nil, drift, "invalid_grant"},
		"code and error":     {nil, "?code=abc&error=x&state=STATE", nil, drift, "not exactly one"},
		"issuer of another":  {nil, "?code=abc&iss=https://evil.example&state=STATE", nil, drift, "issuer"},
		"nobody comes":       {nil, "", []string{"--timeout", "300ms"}, unfinished, "in time"},
		"endpoint is down":   {func(w *world) { w.pool.SetFaults(func(f *ssotest.Faults) { f.TokenEndpointStatus = 503 }) }, "?code=abc&state=STATE", nil, unfinished, "unavailable"},
		"keys are not there": {func(w *world) { w.pool.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSDown }) }, "?code=abc&state=STATE", nil, unfinished, "keys unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, callback := loginWorld(t)
			if row.prepare != nil {
				row.prepare(w)
			}
			r := w.login(t, callback, append([]string{"--print", "access"}, row.args...)...)
			if row.answer != "" {
				if page := get(t, http.DefaultClient, http.MethodGet, callback+strings.ReplaceAll(row.answer, "STATE", r.state(t)), ""); !strings.Contains(page, "Not signed in") {
					t.Errorf("page: %s", page)
				}
			}
			got := r.wait(t)
			if got.status != row.status || got.out != "" || !strings.Contains(got.err, row.want) || strings.Contains(got.err, "\x1b") || strings.Contains(got.err, "secret") {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestLoginUsage(t *testing.T) {
	t.Parallel()
	w, callback := loginWorld(t)
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for name, row := range map[string]struct {
		env, args []string
		status    int
		want      string
	}{
		"print what":         {nil, []string{"--print", "all"}, usage, "--print"},
		"print and JSON":     {nil, []string{"--print", "id", "--json"}, usage, "--json"},
		"no time":            {nil, []string{"--timeout", "0"}, usage, "--timeout"},
		"too much time":      {nil, []string{"--timeout", "1h"}, usage, "--timeout"},
		"callback elsewhere": {nil, []string{"--callback", "http://192.168.0.1:8765/callback"}, usage, "--callback"},
		"port of no number":  {nil, []string{"--callback", "http://127.0.0.1:0/callback"}, usage, "--callback"},
		"no domain":          {[]string{"SSO_DOMAIN="}, nil, usage, "SSO_DOMAIN"},
		"no pool":            {[]string{"SSO_USER_POOL_ID="}, nil, usage, "SSO_USER_POOL_ID"},
		"scope without id":   {nil, []string{"--scope", "email"}, usage, "Scopes"},
		"port is taken":      {nil, []string{"--callback", "http://" + taken.Addr().String() + "/callback"}, unfinished, "another port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"login", "--no-browser"}, row.args...)
			if row.env != nil || !strings.Contains(strings.Join(row.args, " "), "--callback") {
				args = append(args, "--callback", callback)
			}
			if r := w.with(row.env...).run(t, args...); r.status != row.status || r.out != "" || !strings.Contains(r.err, row.want) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// Ctrl-C while it waits frees the port and says so.
func TestLoginInterrupted(t *testing.T) {
	t.Parallel()
	w, callback := loginWorld(t)
	r := w.login(t, callback)
	began := time.Now()
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := r.wait(t); got.status != unfinished || !strings.Contains(got.err, "interrupted") || time.Since(began) > time.Minute {
		t.Errorf("%+v", got)
	}
}
