package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// appWorld has the environment of an app of the pool.
func appWorld(t *testing.T, cfg ssotest.Config) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), pool: ssotest.NewPool(t, cfg)}
	w.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "SSO_USER_POOL_ID=" + w.pool.ID(), "SSO_CLIENT_ID=" + ssotest.DefaultClientID,
		"SSO_ISSUERS=" + w.pool.Issuer(), "SSO_INSECURE_ALLOW_HTTP=true", "SSO_DOMAIN=" + w.pool.URL(),
	}
	return w
}

// with is the world with more environment.
func (w *world) with(env ...string) *world {
	other := *w
	other.env = append(append([]string{}, w.env...), env...)
	return &other
}

// runIn runs with standard input.
func (w *world) runIn(t *testing.T, in string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := w.command(t.Context(), t, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &out, &errs
	return result{status(t, cmd.Run()), out.String(), errs.String()}
}

func download(t *testing.T, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestTokenInspect(t *testing.T) {
	t.Parallel()
	w := appWorld(t, ssotest.Config{})
	access := w.pool.AccessToken(ssotest.Claims{UserID: "42", Groups: []string{"staff"}})
	id := w.pool.IDToken(ssotest.Claims{UserID: "42", Email: "hana@example.test"})
	expired := w.pool.AccessToken(ssotest.Claims{IssuedAt: time.Now().Add(-3 * time.Hour), TTL: time.Hour})
	keys := filepath.Join(w.dir, "jwks.json")
	if err := os.WriteFile(keys, download(t, w.pool.JWKSURL()), 0o600); err != nil {
		t.Fatal(err)
	}
	const away = "SSO_JWKS_URL=http://127.0.0.1:1/jwks.json"
	noPool := []string{"SSO_USER_POOL_ID="}
	for name, row := range map[string]struct {
		env    []string
		in     string
		args   []string
		status int
		want   []string // on standard output, or standard error for usage
	}{
		"access token":         {nil, access, nil, ok, []string{"GOOD", "signature", "staff", "42"}},
		"with a line break":    {nil, " " + access + "\r\n", nil, ok, []string{"GOOD"}},
		"id token":             {nil, id, []string{"--use", "id"}, ok, []string{"GOOD"}},
		"id where access is":   {nil, id, []string{"--use", "access"}, drift, []string{"REFUSED (token_use)", "not reached"}},
		"expired":              {nil, expired, nil, drift, []string{"REFUSED (expired)", "2h0m", " ago"}},
		"client by flag":       {nil, access, []string{"--client", "other"}, drift, []string{"REFUSED (client)", "expected: other"}},
		"one of two clients":   {nil, access, []string{"--client", "other", "--client", ssotest.DefaultClientID}, ok, []string{"GOOD"}},
		"pool by flag":         {[]string{"SSO_USER_POOL_ID=", "SSO_ISSUERS="}, access, []string{"--pool", "ap-northeast-2_Other1"}, drift, []string{"REFUSED (issuer)", "ap-northeast-2_Other1"}},
		"keys in a file":       {[]string{away}, access, []string{"--jwks-file", keys}, ok, []string{"GOOD"}},
		"keys out of reach":    {[]string{away}, access, nil, unfinished, []string{"NOT VERIFIED", "cannot tell", "not reached"}},
		"no pool":              {noPool, access, nil, unfinished, []string{"NOT VERIFIED: no pool", "not checked", "staff", "not to be trusted"}},
		"refresh token":        {nil, "a.b.c.d.e", nil, drift, []string{"REFUSED (malformed)", "looks like a refresh token"}},
		"refresh, no pool":     {noPool, "a.b.c.d.e", nil, unfinished, []string{"looks like a refresh token", "claims cannot be read"}},
		"garbage":              {nil, "garbage", nil, drift, []string{"REFUSED (malformed)"}},
		"nothing":              {nil, " \n", nil, usage, []string{"no token"}},
		"two tokens":           {nil, access + "\n" + id, nil, usage, []string{"several words"}},
		"header line":          {nil, "Bearer " + access, nil, usage, []string{"Bearer"}},
		"endless":              {nil, strings.Repeat("a", 1<<20), nil, usage, []string{"no token"}},
		"as argument":          {nil, "", []string{access}, usage, []string{"standard input only", "history"}},
		"use of no kind":       {nil, access, []string{"--use", "refresh"}, usage, []string{"--use"}},
		"no client":            {[]string{"SSO_CLIENT_ID="}, access, nil, usage, []string{"SSO_CLIENT_ID", "--client"}},
		"odd pool":             {nil, access, []string{"--pool", "pool"}, usage, []string{"UserPoolID"}},
		"client, but no pool":  {noPool, access, []string{"--client", "x"}, usage, []string{"--pool"}},
		"no such file of keys": {nil, access, []string{"--jwks-file", "none"}, usage, []string{"--jwks-file"}},
		"empty file of keys":   {nil, access, []string{"--jwks-file", os.DevNull}, usage, []string{"JWKS"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := w.with(row.env...).runIn(t, row.in, append([]string{"token", "inspect"}, row.args...)...)
			said := r.out
			if row.status == usage {
				said = r.err
			}
			if r.status != row.status || row.status == usage && r.out != "" {
				t.Errorf("%+v", r)
			}
			for _, want := range row.want {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
			if row.status != ok && strings.Contains(r.out, "GOOD") {
				t.Error("it says GOOD")
			}
			for _, raw := range []string{access, id, expired} {
				parts := strings.Split(raw, ".")
				for _, part := range parts[1:] { // the header is the same in all
					if strings.Contains(r.out+r.err, part) {
						t.Errorf("a part of the token is in the output:\n%s%s", r.out, r.err)
					}
				}
			}
		})
	}
	if r := w.run(t, "token", access); r.status != usage || strings.Contains(r.out+r.err, access) {
		t.Errorf("token behind the wrong command: %+v", r)
	}
}

// No claim of a person's is shown without being asked for, and no claim does
// anything to the terminal, whoever wrote it.
func TestTokenInspectIsQuiet(t *testing.T) {
	t.Parallel()
	w := appWorld(t, ssotest.Config{})
	raw := w.pool.IDToken(ssotest.Claims{
		UserID: "42", Subject: "11111111-2222-4333-8444-555555555555", Username: "Kakao_3141592653", Email: "hana@example.test",
		Extra: map[string]any{"name": "Hana", "custom:studentNumber": "20261234", "cognito:groups": []string{"staff\x1b[2J\u202e"}, "\x1b]0;x\x07": 1},
	})
	forged := w.pool.Sign(sso.UseAccess, []byte(`{"alg":"RS256","kid":"\u001b[2J\u009b"}`), []byte(`{"iss":"\u001b[2J\u202e","aud":"\u0007"}`))
	for _, row := range []struct {
		in     string
		args   []string
		status int
		shows  bool
	}{
		{raw, nil, ok, false}, {raw, []string{"--json"}, ok, false},
		{raw, []string{"--show-personal"}, ok, true}, {raw, []string{"--json", "--show-personal"}, ok, true},
		{forged, nil, drift, false}, {forged, []string{"--json"}, drift, false},
	} {
		r := w.runIn(t, row.in, append([]string{"token", "inspect"}, row.args...)...)
		if r.status != row.status {
			t.Errorf("%v: %+v", row.args, r)
		}
		for _, personal := range []string{"11111111", "Kakao_", "hana@", "Hana", "20261234"} {
			if strings.Contains(r.out+r.err, personal) != row.shows {
				t.Errorf("%v: the output has %q is not %v:\n%s", row.args, personal, row.shows, r.out)
			}
		}
		if strings.ContainsFunc(r.out+r.err, func(c rune) bool { return c != '\n' && !unicode.IsPrint(c) }) {
			t.Errorf("%v: what does not print reaches the terminal: %q", row.args, r.out)
		}
	}
}

func TestTokenInspectJSON(t *testing.T) {
	t.Parallel()
	w := appWorld(t, ssotest.Config{})
	type document struct {
		Verified, OK bool
		Reason       sso.Reason
		Checks       []struct{ Name, Outcome string }
		Claims       map[string]any
		Hidden       []string
	}
	for name, row := range map[string]struct {
		raw          string
		env          []string
		verified, ok bool
		reason       sso.Reason
	}{
		"good":    {w.pool.AccessToken(ssotest.Claims{UserID: "42"}), nil, true, true, "ok"},
		"refused": {w.pool.AccessToken(ssotest.Claims{UserID: "42", ClientID: "other"}), nil, true, false, "client"},
		"no pool": {w.pool.AccessToken(ssotest.Claims{UserID: "42"}), []string{"SSO_USER_POOL_ID="}, false, false, ""},
		"no keys": {w.pool.AccessToken(ssotest.Claims{UserID: "42"}), []string{"SSO_JWKS_URL=http://127.0.0.1:1/"}, false, false, "keys_unavailable"},
	} {
		r := w.with(row.env...).runIn(t, row.raw, "token", "inspect", "--json")
		var d document
		if err := json.Unmarshal([]byte(r.out), &d); err != nil {
			t.Errorf("%s: %v: %+v", name, err, r)
			continue
		}
		if d.Verified != row.verified || d.OK != row.ok || d.Reason != row.reason || (r.status == ok) != row.ok || len(d.Checks) < 10 ||
			d.Claims["custom:userId"] != "42" || d.Claims["sub"] != nil || len(d.Hidden) == 0 {
			t.Errorf("%s: %+v", name, d)
		}
	}
}
