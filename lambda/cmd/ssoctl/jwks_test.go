package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

func TestJWKS(t *testing.T) {
	t.Parallel()
	w := appWorld(t, ssotest.Config{})
	good := string(download(t, w.pool.JWKSURL()))
	file := func(name, text string) string {
		path := filepath.Join(w.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good":
			rw.Header().Set("Age", "90")
			rw.Header().Set("Cache-Control", "public, max-age=3600")
			rw.Header().Set("Last-Modified", "Fri, 02 Jan 2026 12:00:00 GMT")
			_, _ = fmt.Fprint(rw, good)
		case "/redirect":
			http.Redirect(rw, r, "/good", http.StatusFound)
		case "/large":
			_, _ = fmt.Fprint(rw, strings.Repeat(" ", 1<<20)+good)
		case "/html":
			_, _ = fmt.Fprint(rw, "<html>")
		default:
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	for name, row := range map[string]struct {
		env    []string
		args   []string
		status int
		want   []string
	}{
		"of the pool":      {nil, nil, ok, []string{w.pool.KeyID(sso.UseAccess), w.pool.KeyID(sso.UseID), "RS256", "sig", "2048", "yes", "2 usable"}},
		"with its age":     {nil, []string{"--url", server.URL + "/good"}, ok, []string{"made 1m30s ago", "kept for 1h0m", "2026-01-02T12:00:00Z"}},
		"by variable":      {[]string{"SSO_JWKS_URL=" + server.URL + "/good"}, nil, ok, []string{server.URL + "/good", "2 usable"}},
		"no client needed": {[]string{"SSO_CLIENT_ID="}, nil, ok, []string{"2 usable"}},
		"file":             {[]string{"SSO_USER_POOL_ID="}, []string{"--file", file("good", good)}, ok, []string{"2 usable"}},
		"no usable key":    {nil, []string{"--file", file("ec", `{"keys":[{"kid":"a","kty":"EC"},{"kid":"\u001b[2J"}]}`)}, drift, []string{"no: kty is not RSA", `\x1b[2J`, "No key is usable"}},
		"no key":           {nil, []string{"--file", file("empty", `{"keys":[]}`)}, drift, []string{"0 keys"}},
		"redirect":         {nil, []string{"--url", server.URL + "/redirect"}, unfinished, []string{"302", "redirect"}},
		"down":             {nil, []string{"--url", server.URL + "/down"}, unfinished, []string{"503"}},
		"too large":        {nil, []string{"--url", server.URL + "/large"}, unfinished, []string{"bytes"}},
		"no key set":       {nil, []string{"--url", server.URL + "/html"}, unfinished, []string{"not a JSON Web Key Set"}},
		"out of reach":     {nil, []string{"--url", "http://127.0.0.1:1/"}, unfinished, []string{"cannot be had"}},
		"in clear":         {[]string{"SSO_INSECURE_ALLOW_HTTP=", "SSO_ISSUERS="}, []string{"--url", server.URL + "/good"}, usage, []string{"JWKSURL", "https"}},
		"no pool":          {[]string{"SSO_USER_POOL_ID="}, nil, usage, []string{"SSO_USER_POOL_ID"}},
		"odd pool":         {nil, []string{"--pool", "x"}, usage, []string{"UserPoolID"}},
		"no such file":     {nil, []string{"--file", "none"}, usage, []string{"--file"}},
		"two of them":      {nil, []string{"--file", "a", "--url", "b"}, usage, []string{"file", "url"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := w.with(row.env...).run(t, append([]string{"jwks"}, row.args...)...)
			if r.status != row.status || strings.Contains(r.out+r.err, "\x1b") {
				t.Errorf("%+v", r)
			}
			for _, want := range row.want {
				if !strings.Contains(r.out+r.err, want) {
					t.Errorf("it does not say %q: %+v", want, r)
				}
			}
		})
	}
}

func TestJWKSJSON(t *testing.T) {
	t.Parallel()
	w := appWorld(t, ssotest.Config{})
	w.pool.RotateKeys()
	var d struct {
		Usable int
		Keys   []struct {
			KID    string
			Usable bool
			Bits   int
		}
	}
	r := w.run(t, "jwks", "--json")
	if err := json.Unmarshal([]byte(r.out), &d); err != nil || r.status != ok || d.Usable != 4 || len(d.Keys) != 4 || !d.Keys[0].Usable || d.Keys[0].Bits != 2048 {
		t.Errorf("%v: %+v, %+v", err, d, r)
	}
}
