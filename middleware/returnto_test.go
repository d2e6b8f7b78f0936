package middleware_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

// returnRows are return-to values: in and what it becomes.
var returnRows = []struct{ name, in, want string }{
	{"root", "/", "/"},
	{"path", "/notes", "/notes"},
	{"path and query", "/notes?page=2&q=a+b", "/notes?page=2&q=a+b"},
	{"trailing slash", "/notes/", "/notes/"},
	{"percent-encoded Korean", "/%EA%B3%B5%EC%A7%80", "/%EA%B3%B5%EC%A7%80"},
	{"URL in the query", "/go?to=https://evil.example/", "/go?to=https://evil.example/"},
	{"two slashes in the query", "/go?//evil.example", "/go?//evil.example"},
	{"dot segments in the query", "/go?a=/../..", "/go?a=/../.."},
	{"colon in a segment", "/a:b", "/a:b"},
	{"at in a segment", "/@user", "/@user"},
	{"three dots", "/a/...", "/a/..."},
	{"dots in a name", "/a..b", "/a..b"},
	{"fragment is dropped", "/notes#top", "/notes"},
	{"fragment of slashes is dropped", "/notes#//evil.example", "/notes"},
	{"empty query", "/notes?", "/notes?"},
	{"encoded twice stays so", "/%252e%252e/x", "/%252e%252e/x"},
	{"encoded question mark", "/a%3Fb", "/a%3Fb"},

	{"empty", "", "/"},
	{"relative", "notes", "/"},
	{"other origin", "https://evil.example/", "/"},
	{"other origin without slashes", "https:evil.example", "/"},
	{"own origin", appBase + "/notes", "/"},
	{"scheme-relative", "//evil.example", "/"},
	{"scheme-relative with user", "//board.example.ac.kr@evil.example", "/"},
	{"three slashes", "///evil.example", "/"},
	{"four slashes", "////evil.example", "/"},
	{"slash backslash", `/\evil.example`, "/"},
	{"slash backslash slash", `/\/evil.example`, "/"},
	{"backslashes", `\\evil.example`, "/"},
	{"backslash slash", `\/evil.example`, "/"},
	{"backslash later", `/a\b`, "/"},
	{"backslash in the query", `/a?b=\`, "/"},
	{"http.Redirect's own trap", `/x/../\evil.example`, "/"},
	{"dot segments to a host", "/..//evil.example", "/"},
	{"dot segment", "/./x", "/"},
	{"dot dot at the end", "/a/..", "/"},
	{"dot at the end", "/a/.", "/"},
	{"dot dot", "/../x", "/"},
	{"encoded dot dot", "/%2e%2e/x", "/"},
	{"half-encoded dot dot", "/.%2e/x", "/"},
	{"encoded dot dot, upper case", "/%2E%2E/x", "/"},
	{"encoded dot", "/%2e/x", "/"},
	{"encoded slash first", "/%2fevil.example", "/"},
	{"encoded slash first, upper case", "/%2Fevil.example", "/"},
	{"encoded slash after slash", "/a/%2Fevil.example", "/"},
	{"encoded backslash first", "/%5cevil.example", "/"},
	{"encoded backslash later", "/a%5C..%5Cb", "/"},
	{"two slashes later", "/a//b", "/"},
	{"tab after slash", "/\t/evil.example", "/"},
	{"line feed after slash", "/\n/evil.example", "/"},
	{"carriage return after slash", "/\r/evil.example", "/"},
	{"encoded tab", "/%09/evil.example", "/"},
	{"encoded line feed", "/%0a/evil.example", "/"},
	{"encoded CR LF", "/a%0d%0aSet-Cookie:x=1", "/"},
	{"CR LF", "/a\r\nSet-Cookie: x=1", "/"},
	{"encoded null", "/a%00b", "/"},
	{"encoded delete", "/a%7Fb", "/"},
	{"null", "/a\x00b", "/"},
	{"space", "/a b", "/"},
	{"leading space", " /a", "/"},
	{"leading tab", "\t//evil.example", "/"},
	{"not ASCII", "/공지", "/"},
	{"ideographic full stop", "/。。/evil.example", "/"},
	{"full-width solidus", "/\uff0fevil.example", "/"},
	{"no-break space", "/\u00a0/evil.example", "/"},
	{"bad percent", "/%zz", "/"},
	{"percent at the end", "/a%", "/"},
	{"javascript", "javascript:alert(1)", "/"},
	{"javascript with slashes", "javascript://%0aalert(1)", "/"},
	{"data", "data:text/html,x", "/"},
	{"question mark first", "?a=b", "/"},
	{"fragment first", "#a", "/"},
	{"query to a host", "?//evil.example", "/"},
	{"at host", "@evil.example", "/"},
	{"colon first", ":80", "/"},
	{"too long", "/" + strings.Repeat("a", 2048), "/"},
	{"too long once encoded", "/" + strings.Repeat(`"`, 1000), "/"}, // found by FuzzReturnTo
	{"as long as allowed", "/" + strings.Repeat("a", 2047), "/" + strings.Repeat("a", 2047)},
	{"own login", "/auth/login?prompt=login", "/"},
	{"own logout", "/auth/logout", "/"},
	{"own callback", "/auth/callback?code=a&state=b", "/"},
	{"own prefix", "/auth", "/"},
	{"own prefix, encoded", "/%61uth/login", "/"},
	{"another prefix", "/authors", "/authors"},
}

func TestAttackReturnTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	for _, row := range returnRows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := a.login.ReturnTo(row.in); got != row.want {
				t.Errorf("%q became %q, want %q", row.in, got, row.want)
			}
		})
	}
	// And once through everything: the value of the query, the sealed cookie,
	// Location.
	for _, in := range []string{"//evil.example", `/x/../\evil.example`, "https://evil.example/", "/%2fevil.example", "/a\r\nSet-Cookie: x=1"} {
		b := w.newBrowser()
		if p := b.send(http.MethodGet, b.callback(a, in), navigation, nil); p.location() != "/" {
			t.Errorf("signed in with return_to %q: sent to %q", in, p.location())
		}
	}
}

// checkReturnPath holds what is true of every accepted path.
func checkReturnPath(t *testing.T, in string) {
	t.Helper()
	out, ok := middleware.ReturnPath(in)
	if !ok {
		return
	}
	if out == "" || out[0] != '/' || len(out) > 1 && (out[1] == '/' || out[1] == '\\') || strings.ContainsAny(out, "\\\r\n\t \x00#") {
		t.Fatalf("%q became %q", in, out)
	}
	if again, ok := middleware.ReturnPath(out); !ok || again != out {
		t.Fatalf("%q became %q, and that %q", in, out, again)
	}
	base, _ := url.Parse(appBase)
	u, err := base.Parse(out)
	if err != nil || u.Scheme != "https" || u.Host != base.Host || u.RequestURI() != out {
		t.Fatalf("%q became %q, which is %v", in, out, u)
	}
}

func FuzzReturnTo(f *testing.F) {
	for _, row := range returnRows {
		f.Add(row.in)
	}
	f.Fuzz(checkReturnPath)
}
