package middleware_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

// allowedOrigin is the only other origin of the test's allow-list.
const allowedOrigin = "https://files.example.ac.kr:8443"

// returnPieces are what tricks are made of.
var returnPieces = []string{
	"/", "/", "/", "//", `\`, ".", "..", "./", "../", "%2e", "%2E", "%2f", "%2F", "%5c", "%5C", "%00", "%09", "%0a", "%0d", "%20", "%23", "%3f", "%40", "%25", "%252e", "%252f",
	"?", "#", "@", ":", ";", "&", "=", "%", "[", "]", "|", "^", "`", "{", "}", "<", ">", `"`, "'", "~", "!", "$", "*", "+", ",", "(", ")",
	"\t", "\n", "\r", " ", "\x00", "\x7f", "\u00a0", "\u2028", "\u3000", "\ufeff", "\uff0f", "\uff3c", "\uff0e", "\u3002", "\u2044", "\u2215", "\u00ad", "é", "공지", "%ea%b3%b5", "%ff", "%c0%af", "\xff",
	"a", "b", "notes", "auth", "evil.example", "evil%2eexample", "www.evil.example:443", "127.0.0.1", "0x7f.1", "[::1]", "localhost",
	"http:", "https:", "HTTPS:", "javascript:", "data:", "blob:", "file:", "ftp:", "ws:", "x:", "http:/", "https:///",
	appBase, allowedOrigin, "board.example.ac.kr", "files.example.ac.kr", ":8443", ":80", "@board.example.ac.kr",
}

// returnInputs makes return-to values: every known trick, changed a few times
// at random.
type returnInputs struct {
	rnd    *rand.Rand
	corpus []string
}

func newReturnInputs(seed uint64) *returnInputs {
	in := &returnInputs{rnd: rand.New(rand.NewPCG(seed, 7))} //nolint:gosec // inputs of a test
	for _, row := range returnRows {
		if len(row.in) < 200 {
			in.corpus = append(in.corpus, row.in)
		}
	}
	for _, trick := range redirectTricks {
		in.corpus = append(in.corpus, trick.value)
	}
	in.corpus = append(in.corpus, "/notes/a/b?x=1&y=2", allowedOrigin, allowedOrigin+"/", allowedOrigin+"/a/b?c=d", "/a;b/c", "/%7Ehong/", "/a/b/c/d")
	return in
}

func (in *returnInputs) pick(from []string) string { return from[in.rnd.IntN(len(from))] }

func (in *returnInputs) next() string {
	s := in.pick(in.corpus)
	if in.rnd.IntN(4) == 0 {
		s = "/"
	}
	for range in.rnd.IntN(5) {
		at := in.rnd.IntN(len(s) + 1)
		switch in.rnd.IntN(6) {
		case 0, 1, 2:
			s = s[:at] + in.pick(returnPieces) + s[at:]
		case 3:
			s += in.pick(returnPieces)
		case 4:
			if at < len(s) {
				s = s[:at] + s[at+1:]
			}
		case 5:
			if at < len(s) {
				s = s[:at] + fmt.Sprintf("%%%02x", s[at]) + s[at+1:]
			}
		}
	}
	return s
}

// whatwg reads a Location in each line, as JSON with what the line is for, and
// resolves it against the callback as a browser does. "control" lines are known
// to lead elsewhere: they show that this program sees it.
const whatwg = `
(async () => {
	const own = "` + appBase + `", allowed = [own, "` + allowedOrigin + `"];
	let checked = 0, off = 0, controls = 0;
	for await (const line of require("node:readline").createInterface({input: process.stdin})) {
		const [kind, s] = JSON.parse(line);
		let u, why = "";
		try { u = new URL(s, own + "/auth/callback?code=1&state=2"); } catch { why = "is no URL"; }
		if (!why && !allowed.includes(u.origin)) why = "leads to " + u.href;
		if (!why && (u.username || u.password)) why = "names a user";
		// Segments that a browser drops or adds are read otherwise by somebody.
		const segments = s.replace(/^https:\/\/[^\/]*/, "").split("?")[0].split("/").length;
		if (!why && u.pathname.split("/").length !== segments) why = "is read as " + u.href;
		if (!why && u.pathname.startsWith("//")) why = "is read with two slashes: " + u.href;
		if (kind === "control") { if (why) controls++; continue; }
		checked++;
		if (why) { off++; if (off < 20) console.log(JSON.stringify(s) + " " + why); }
	}
	console.log("checked " + checked + " off " + off + " controls " + controls);
})()`

// offOrigin are Locations that lead elsewhere, or not where they say.
var offOrigin = []string{
	`/\evil.example`, "//evil.example", `\\evil.example`, "/\t/evil.example", "https:evil.example", "https://evil.example/", "javascript:alert(1)",
	"https://board.example.ac.kr.evil.example/", "https://board.example.ac.kr@evil.example/", "https://files.example.ac.kr/", "http://board.example.ac.kr/", "/a/../b", "/.//evil.example",
}

// TestReturnToAgreesWithBrowsers asks Node's URL, a WHATWG parser, where every
// Location that our rule lets through leads: to this origin or the allowed one,
// whatever the input. RETURN_TO_COUNT inputs, by RETURN_TO_SEED; "make
// return-to" has a million.
func TestReturnToAgreesWithBrowsers(t *testing.T) {
	t.Parallel()
	node := needNode(t)
	count := number(t, "RETURN_TO_COUNT", 50_000)
	seed := number(t, "RETURN_TO_SEED", 5)
	a := newWorld(t).newApp(appBase, func(c *middleware.LoginConfig) { c.ReturnOrigins = []string{allowedOrigin} })

	cmd := exec.CommandContext(t.Context(), node, "--input-type=commonjs", "-e", whatwg)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sent, elsewhere := writeLocations(stdin, newReturnInputs(uint64(seed)), count, a.login.ReturnTo)
	if err := stdin.Close(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("node: %v\n%.2000s", err, out.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if want := fmt.Sprintf("checked %d off 0 controls %d", sent, len(offOrigin)); lines[len(lines)-1] != want {
		t.Fatalf("a browser reads Locations otherwise; want %q (seed %d):\n%.3000s", want, seed, out.String())
	}
	// A rule that refuses everything would pass, and prove nothing.
	if sent < count/20 || elsewhere < count/1000 {
		t.Fatalf("of %d inputs only %d were let through, %d of them to the allowed origin", count, sent, elsewhere)
	}
	t.Logf("RETURN-TO inputs=%d accepted=%d allowed_origin=%d off=0 seed=%d", count, sent, elsewhere, seed)
}

// writeLocations writes what becomes of count inputs, but not "/", which is
// what becomes of the refused ones.
func writeLocations(w io.Writer, in *returnInputs, count int, rule func(string) string) (sent, elsewhere int) {
	buf := bufio.NewWriter(w)
	put := func(kind, s string) {
		line, _ := json.Marshal([]string{kind, s})
		_, _ = buf.Write(append(line, '\n'))
	}
	for _, s := range offOrigin {
		put("control", s)
	}
	for range count {
		to := rule(in.next())
		if to == "/" {
			continue
		}
		sent++
		if to[0] != '/' {
			elsewhere++
		}
		put("location", to)
	}
	_ = buf.Flush()
	return sent, elsewhere
}

// needNode is realtest.Need. That package is not imported here, because "go mod
// tidy" of an app looks at what the tests of middleware import, and would put
// database drivers and the AWS SDK into its go.sum.
func needNode(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	switch {
	case err == nil:
	case os.Getenv("SSO_REQUIRE_REAL") == "1":
		t.Fatalf("needs Node for its URL parser (SSO_REQUIRE_REAL=1 makes this a failure)")
	default:
		t.Skip("needs Node for its URL parser")
	}
	return node
}

// number reads a setting of the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is no number", name, text)
	}
	return n
}

// FuzzReturnToOrigins: with an allow-list, a Location begins with "/" or is of
// one of the origins, and net/url reads it so too.
func FuzzReturnToOrigins(f *testing.F) {
	in := newReturnInputs(5)
	for range 40 {
		f.Add(in.next())
	}
	origins := []string{allowedOrigin}
	f.Fuzz(func(t *testing.T, s string) {
		out, ok := middleware.ReturnURL(s, origins)
		if !ok {
			return
		}
		base, _ := url.Parse(appBase)
		u, err := base.Parse(out)
		if err != nil || u.User != nil || !slices.Contains(origins, u.Scheme+"://"+u.Host) {
			t.Fatalf("%q became %q, which is %v", s, out, u)
		}
		if again, ok := middleware.ReturnURL(out, origins); !ok || again != out {
			t.Fatalf("%q became %q, and that %q", s, out, again)
		}
	})
}
