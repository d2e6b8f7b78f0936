package middleware_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

// TestReturnOriginsConfig: what may be in the list.
func TestReturnOriginsConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	newLogin := func(base string, insecure bool, origins ...string) error {
		cc := w.pool.ClientConfig("board")
		cc.RedirectURL, cc.LogoutURL = base+"/auth/callback", base+"/auth/logged-out"
		client, err := sso.NewClient(cc)
		if err != nil {
			t.Fatal(err)
		}
		_, err = middleware.NewLogin(client, middleware.LoginConfig{
			BaseURL: base, CookieKeys: [][]byte{cookieKey(1)}, ReturnOrigins: origins, InsecureLocalhost: insecure,
			Logger: discard,
		})
		return err
	}
	for _, row := range []struct {
		name, origin string
		ok, local    bool // without and with InsecureLocalhost
	}{
		{"https", "https://files.example.ac.kr", true, true},
		{"port", "https://files.example.ac.kr:8443", true, true},
		{"one label", "https://files", true, true},
		{"encoded", "https://xn--3e0b707e.example", true, true},
		{"address", "https://192.0.2.7", true, true},
		{"address and port", "https://192.0.2.7:8443", true, true},
		{"its own", appBase, true, true},
		{"http of localhost", "http://localhost:3000", false, true},
		{"http of 127.0.0.1", "http://127.0.0.1:3000", false, true},
		{"http", "http://files.example.ac.kr", false, false},
		{"http of a lookalike", "http://localhost.evil.example", false, false},
		{"http of another loopback", "http://127.0.0.2:3000", false, false},
		{"empty", "", false, false},
		{"wildcard", "https://*.example.ac.kr", false, false},
		{"everything", "*", false, false},
		{"null", "null", false, false},
		{"no scheme", "files.example.ac.kr", false, false},
		{"relative scheme", "//files.example.ac.kr", false, false},
		{"another scheme", "ftp://files.example.ac.kr", false, false},
		{"javascript", "javascript://files.example.ac.kr", false, false},
		{"scheme in upper case", "HTTPS://files.example.ac.kr", false, false},
		{"host in upper case", "https://Files.example.ac.kr", false, false},
		{"another language", "https://파일.example", false, false},
		{"slash at the end", "https://files.example.ac.kr/", false, false},
		{"path", "https://files.example.ac.kr/a", false, false},
		{"query", "https://files.example.ac.kr?a", false, false},
		{"fragment", "https://files.example.ac.kr#a", false, false},
		{"user", "https://hong@files.example.ac.kr", false, false},
		{"user and password", "https://a:b@files.example.ac.kr", false, false},
		{"https's own port", "https://files.example.ac.kr:443", false, false},
		{"http's own port", "http://localhost:80", false, false},
		{"port with a zero in front", "https://files.example.ac.kr:08443", false, false},
		{"port 0", "https://files.example.ac.kr:0", false, false},
		{"port too large", "https://files.example.ac.kr:65536", false, false},
		{"no port", "https://files.example.ac.kr:", false, false},
		{"port of words", "https://files.example.ac.kr:https", false, false},
		{"two ports", "https://files.example.ac.kr:1:2", false, false},
		{"dot at the end", "https://files.example.ac.kr.", false, false},
		{"two dots", "https://files..example.ac.kr", false, false},
		{"space", "https://files.example.ac.kr ", false, false},
		{"space in front", " https://files.example.ac.kr", false, false},
		{"line break", "https://files.example.ac.kr\r\nX: y", false, false},
		{"backslash", `https:\\files.example.ac.kr`, false, false},
		{"percent", "https://files%2eexample.ac.kr", false, false},
		{"address as a number", "https://3221225991", false, false},
		{"address in hexadecimal", "https://0xC0000207", false, false},
		{"short address", "https://192.0.519", false, false},
		{"address with zeros", "https://192.0.02.7", false, false},
		{"IPv6", "https://[::1]", false, false},
		{"no host", "https://", false, false},
		{"hyphen in front", "https://-files.example", false, false},
	} {
		for _, mode := range []struct {
			base     string
			insecure bool
			ok       bool
		}{{appBase, false, row.ok}, {"http://localhost:8080", true, row.local}} {
			err := newLogin(mode.base, mode.insecure, "https://good.example", row.origin)
			if mode.ok && err != nil || !mode.ok && (!errors.Is(err, sso.ErrConfig) || !strings.Contains(err.Error(), "LoginConfig.ReturnOrigins")) {
				t.Errorf("%s, insecure %t: %v", row.name, mode.insecure, err)
			}
		}
	}
}

// TestAttackReturnOrigins: with a list of origins, nothing but what is of them
// gets through, and that re-serialised.
func TestAttackReturnOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const files = "https://files.example.ac.kr"
	a := w.newApp(appBase, func(c *middleware.LoginConfig) { c.ReturnOrigins = []string{files, files + ":8443", appBase} })
	none := w.newApp(deskBase)
	for _, row := range []struct{ name, in, want string }{
		{"origin", files, files + "/"},
		{"root", files + "/", files + "/"},
		{"path and query", files + "/a/b?c=d&e=f", files + "/a/b?c=d&e=f"},
		{"port", files + ":8443/a", files + ":8443/a"},
		{"fragment is left out", files + "/a#b", files + "/a"},
		{"re-serialised", files + "/a|b", files + "/a%7Cb"},
		{"a path of this app", "/notes", "/notes"},
		{"this app by its origin", appBase + "/notes?page=2", "/notes?page=2"},
		{"this app's origin", appBase, "/"},
		{"own route by its origin", appBase + "/auth/logout", "/"},
		{"own route, encoded", appBase + "/%61uth/login", "/"},

		{"another port", files + ":8444/a", "/"},
		{"port with more digits", files + ":84430/a", "/"},
		{"its own port, named", files + ":443/a", "/"},
		{"port of nothing", files + ":/a", "/"},
		{"http", "http://files.example.ac.kr/a", "/"},
		{"scheme in upper case", "HTTPS://files.example.ac.kr/a", "/"},
		{"host in upper case", "https://FILES.example.ac.kr/a", "/"},
		{"longer host", files + ".evil.example/a", "/"},
		{"longer label", files + "evil/a", "/"},
		{"longer with a hyphen", files + "-evil.example/a", "/"},
		{"subdomain", "https://x.files.example.ac.kr/a", "/"},
		{"parent", "https://example.ac.kr/a", "/"},
		{"dot at the end", files + "./a", "/"},
		{"user", files + "@evil.example/a", "/"},
		{"user and password", files + ":8443@evil.example/a", "/"},
		{"user in front", "https://evil.example@files.example.ac.kr/a", "/"},
		{"backslash as slash", files + `\a`, "/"},
		{"backslashes for the host", `https:\\files.example.ac.kr/a`, "/"},
		{"backslash and user", files + `\@evil.example/a`, "/"},
		{"one slash", "https:/files.example.ac.kr/a", "/"},
		{"no slash", "https:files.example.ac.kr/a", "/"},
		{"three slashes", "https:///files.example.ac.kr/a", "/"},
		{"relative scheme", "//files.example.ac.kr/a", "/"},
		{"query at once", files + "?a=b", "/"},
		{"fragment at once", files + "#a", "/"},
		{"percent in the host", "https://files%2eexample.ac.kr/a", "/"},
		{"two slashes", files + "//evil.example", "/"},
		{"encoded slash", files + "/%2fevil.example", "/"},
		{"dots", files + "/a/../b", "/"},
		{"encoded dots", files + "/a/%2e%2e/b", "/"},
		{"backslash in the path", files + `/\evil.example`, "/"},
		{"encoded backslash", files + "/%5cevil.example", "/"},
		{"tab in the scheme", "ht\ttps://files.example.ac.kr/a", "/"},
		{"tab in the host", "https://fi\tles.example.ac.kr/a", "/"},
		{"line break", files + "/a\r\nSet-Cookie: x=1", "/"},
		{"encoded line break", files + "/a%0d%0aSet-Cookie:%20x=1", "/"},
		{"line break for a path", files + "\n/a", "/"},
		{"space in front", " " + files + "/a", "/"},
		{"space for a path", files + " /a", "/"},
		{"zero byte", files + "\x00/a", "/"},
		{"another language", files + "。evil.example/a", "/"},
		{"javascript", "javascript:location='" + files + "'", "/"},
		{"data", "data:text/html," + files, "/"},
		{"blob", "blob:" + files + "/a", "/"},
		{"view-source", "view-source:" + files + "/a", "/"},
		{"another origin that names it", "https://evil.example/?" + files, "/"},
		{"this app, two slashes", appBase + "//evil.example", "/"},
		{"this app, longer", appBase + ".evil.example", "/"},
		{"this app, user", appBase + "@evil.example/", "/"},
		{"too long", files + "/" + strings.Repeat("a", 2048-len(files)), "/"},
		{"as long as allowed", files + "/" + strings.Repeat("a", 2047-len(files)), files + "/" + strings.Repeat("a", 2047-len(files))},
		{"too long once encoded", files + "/" + strings.Repeat(`"`, 900), "/"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := a.login.ReturnTo(row.in)
			if got != row.want {
				t.Errorf("%q became %q, want %q", row.in, got, row.want)
			}
			if again := a.login.ReturnTo(got); again != got {
				t.Errorf("%q becomes %q at the callback", got, again)
			}
			if got := none.login.ReturnTo(row.in); got[0] != '/' {
				t.Errorf("without a list: %q became %q", row.in, got)
			}
		})
	}
}

// TestReturnOriginAtCallback: the way through everything, and the list that
// counts is that of the callback.
func TestReturnOriginAtCallback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const files = "https://files.example.ac.kr"
	with := func(origins ...string) *app {
		return w.newApp(appBase, func(c *middleware.LoginConfig) { c.ReturnOrigins = origins })
	}
	a := with(files)
	for _, row := range []struct{ in, want string }{
		{files + "/a?b=c#d", files + "/a?b=c"},
		{files + "@evil.example/", "/"},
		{"https://evil.example/", "/"},
	} {
		b := w.newBrowser()
		if p := b.send(http.MethodGet, b.callback(a, row.in), navigation, nil); p.status != 303 || p.location() != row.want {
			t.Errorf("%q: %d %q, want %q", row.in, p.status, p.location(), row.want)
		}
	}
	// Taken off the list while somebody signs in.
	b := w.newBrowser()
	callback := b.callback(a, files+"/a")
	with("https://other.example")
	if p := b.send(http.MethodGet, callback, navigation, nil); p.status != 303 || p.location() != "/" {
		t.Errorf("no longer on the list: %d %q", p.status, p.location())
	}
}
