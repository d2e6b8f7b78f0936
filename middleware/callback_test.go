package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// withQuery changes the query of a callback.
func withQuery(t *testing.T, callback string, change func(q url.Values)) string {
	t.Helper()
	u, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	change(q)
	u.RawQuery = q.Encode()
	return u.String()
}

// TestAttackCallback: callbacks that were tampered with sign nobody in, and
// cost no call to Cognito where they do not belong to the browser's flow.
func TestAttackCallback(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(url.Values) { return func(q url.Values) { q.Set(name, value) } }
	add := func(name, value string) func(url.Values) { return func(q url.Values) { q.Add(name, value) } }
	del := func(name string) func(url.Values) { return func(q url.Values) { q.Del(name) } }
	for _, row := range []struct {
		name   string
		change func(q url.Values)
		method string
		cookie func(b *browser, a *app) // tampers with the browser's cookies
		raw    string                   // appended to the query as it is
		status int
		calls  int  // to the token endpoint
		spares bool // the real callback still works afterwards
	}{
		{name: "untouched", status: 303, calls: 1},
		{name: "no state", change: del("state"), status: 400, spares: true},
		{name: "empty state", change: set("state", ""), status: 400},
		{name: "other state", change: set("state", strings.Repeat("A", 43)), status: 400, spares: true},
		{name: "state of another case", change: func(q url.Values) { q.Set("state", swapCase(q.Get("state"))) }, status: 400},
		{name: "state cut", change: func(q url.Values) { q.Set("state", q.Get("state")[:42]) }, status: 400},
		{name: "state longer", change: func(q url.Values) { q.Set("state", q.Get("state")+"A") }, status: 400},
		{name: "state with a space", change: func(q url.Values) { q.Set("state", q.Get("state")+" ") }, status: 400},
		{name: "two states", change: func(q url.Values) { q.Add("state", q.Get("state")) }, status: 400, spares: true},
		{name: "state too long", change: set("state", strings.Repeat("A", 129)), status: 400, spares: true},
		{name: "no code", change: del("code"), status: 400, spares: true},
		{name: "empty code", change: set("code", ""), status: 400},
		{name: "two codes", change: add("code", "another"), status: 400, spares: true},
		{name: "other code", change: set("code", "00000000-0000-0000-0000-000000000000"), status: 400, calls: 1},
		{name: "code too long", change: set("code", strings.Repeat("a", 2049)), status: 400},
		{name: "code with a line break", change: set("code", "a\r\nb"), status: 400},
		{name: "code and error", change: set("error", "access_denied"), status: 400, spares: true},
		{name: "two errors", change: func(q url.Values) { q.Del("code"); q["error"] = []string{"a", "b"} }, status: 400, spares: true},
		{name: "foreign iss", change: set("iss", "https://evil.example"), status: 400},
		{name: "empty iss", change: set("iss", ""), status: 400},
		{name: "two iss", change: func(q url.Values) { q["iss"] = []string{"a", "a"} }, status: 400, spares: true},
		{name: "POST", method: http.MethodPost, status: 405, spares: true},
		{name: "HEAD", method: http.MethodHead, status: 405, spares: true},
		{name: "query too long", raw: "&x=" + strings.Repeat("a", 8<<10), status: 400, spares: true},
		{name: "semicolon", raw: ";x=1", status: 400, spares: true},
		{name: "bad percent", raw: "&x=%zz", status: 400},
		{name: "unknown parameter", raw: "&session_state=1", status: 303, calls: 1},
		{name: "no flow cookie", cookie: func(b *browser, a *app) {
			for name := range b.flowCookies(a) {
				b.setCookie(a, name, "")
			}
		}, status: 400},
		{name: "flow cookie tampered with", cookie: func(b *browser, a *app) {
			for name, value := range b.flowCookies(a) {
				other := "A"
				if value[40:41] == other {
					other = "B"
				}
				b.setCookie(a, name, value[:40]+other+value[41:])
			}
		}, status: 400},
		{name: "flow cookie emptied", cookie: func(b *browser, a *app) {
			for name := range b.flowCookies(a) {
				b.setCookie(a, name, "1")
			}
		}, status: 400},
		{name: "flow cookie too large", cookie: func(b *browser, a *app) {
			for name, value := range b.flowCookies(a) {
				b.setCookie(a, name, value+strings.Repeat("A", 4096))
			}
		}, status: 400},
		{name: "flow cookie renamed", cookie: func(b *browser, a *app) {
			for name, value := range b.flowCookies(a) {
				b.setCookie(a, name, "")
				b.setCookie(a, a.login.FlowCookie("other"), value)
			}
		}, status: 400},
		{name: "flow cookie of a forged key", cookie: func(b *browser, a *app) {
			forger, _ := middleware.NewSealer([][]byte{cookieKey(9)}, "board", a.pool.ID())
			for name := range b.flowCookies(a) {
				b.setCookie(a, name, forger.Seal("flow", name, `{"flow":{},"return_to":"/"}`))
			}
		}, status: 400},
		{name: "flow cookie sealed for a session", cookie: func(b *browser, a *app) {
			same, _ := middleware.NewSealer([][]byte{cookieKey(1)}, "board", a.pool.ID())
			for name, value := range b.flowCookies(a) {
				plain, err := same.Open("flow", name, value)
				if err != nil {
					b.t.Fatal(err)
				}
				b.setCookie(a, name, same.Seal("session", name, plain))
			}
		}, status: 400},
		{name: "flow cookie of another app", cookie: func(b *browser, a *app) {
			board, _ := middleware.NewSealer([][]byte{cookieKey(1)}, "board", a.pool.ID())
			desk, _ := middleware.NewSealer([][]byte{cookieKey(1)}, "desk", a.pool.ID())
			for name, value := range b.flowCookies(a) {
				plain, err := board.Open("flow", name, value)
				if err != nil {
					b.t.Fatal(err)
				}
				b.setCookie(a, name, desk.Seal("flow", name, plain))
			}
		}, status: 400},
		{name: "session id in the flow cookie", cookie: func(b *browser, a *app) {
			for name := range b.flowCookies(a) {
				b.setCookie(a, name, "1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
			}
		}, status: 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.newApp(appBase)
			b := w.newBrowser()
			callback := b.callback(a, "/notes")
			original := callback
			if row.change != nil {
				callback = withQuery(t, callback, row.change)
			}
			if row.cookie != nil {
				row.cookie(b, a)
			}
			method := row.method
			if method == "" {
				method = http.MethodGet
			}
			p := b.send(method, callback+row.raw, navigation, nil)
			if p.status != row.status {
				t.Fatalf("status %d, want %d: %s", p.status, row.status, p.body)
			}
			if n := w.wire.count("/oauth2/token"); n != row.calls {
				t.Errorf("%d calls to the token endpoint, want %d", n, row.calls)
			}
			if in := b.signedIn(a); in != (row.status == 303) {
				t.Errorf("signed in: %v", in)
			}
			if row.status == 303 {
				return
			}
			if a.store.count("create") != 0 {
				t.Error("a session was stored")
			}
			u, _ := url.Parse(callback)
			for _, values := range u.Query() {
				for _, v := range values {
					if len(v) > 3 && strings.Contains(p.body, v) {
						t.Errorf("the page echoes %q", v)
					}
				}
			}
			if p.location() != "" {
				t.Errorf("redirects to %q by itself", p.location())
			}
			if row.spares {
				if p := b.send(http.MethodGet, original, navigation, nil); p.status != 303 || p.location() != "/notes" {
					t.Errorf("the real callback afterwards: %d %s", p.status, p.location())
				}
			}
		})
	}
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 32
		}
		if r >= 'A' && r <= 'Z' {
			return r + 32
		}
		return r
	}, s)
}

// TestAttackLoginCSRF: a callback of the attacker's own sign-in does nothing in
// the victim's browser, with or without a flow of the victim's.
func TestAttackLoginCSRF(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	attacker, victim := w.newBrowser(), w.newBrowser()
	stolen := attacker.callback(a, "/")

	if p := victim.send(http.MethodGet, stolen, navigation, nil); p.status != 400 || victim.signedIn(a) {
		t.Errorf("without a flow: %d", p.status)
	}
	own := victim.callback(a, "/")
	if p := victim.send(http.MethodGet, stolen, navigation, nil); p.status != 400 || victim.signedIn(a) {
		t.Errorf("beside a flow: %d", p.status)
	}
	// The attacker's code under the victim's state: PKCE and nonce refuse it.
	u, _ := url.Parse(stolen)
	mixed := withQuery(t, own, func(q url.Values) { q.Set("code", u.Query().Get("code")) })
	if p := victim.send(http.MethodGet, mixed, navigation, nil); p.status != 400 || victim.signedIn(a) {
		t.Errorf("injected code: %d", p.status)
	}
	// Somebody who is signed in stays who they are.
	victim.signIn(a)
	before := victim.cookies(a)[a.login.SessionCookie()]
	if p := victim.send(http.MethodGet, stolen, navigation, nil); p.status != 303 || p.location() != "/" {
		t.Errorf("signed in: %d %s", p.status, p.location())
	}
	if victim.cookies(a)[a.login.SessionCookie()] != before {
		t.Error("the session changed")
	}
}

// TestAttackCookieTossing: cookies that another host or app could plant.
func TestAttackCookieTossing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	board, desk := w.newApp(appBase), w.newApp(deskBase)
	attacker := w.newBrowser()
	attacker.signIn(board)
	session := attacker.cookies(board)[board.login.SessionCookie()]

	get := func(a *app, cookie string) page {
		b := w.newBrowser()
		h := maps.Clone(script)
		h.Set("Cookie", cookie)
		return b.send(http.MethodGet, a.base+"/", h, nil)
	}
	name := board.login.SessionCookie()
	bare := strings.TrimPrefix(name, "__Host-")
	for _, row := range []struct {
		name, cookie string
		app          *app
		status       int
	}{
		{"the session itself", name + "=" + session, board, 200},
		{"without the prefix", bare + "=" + session, board, 401},
		{"__Secure- instead", "__Secure-" + bare + "=" + session, board, 401},
		{"prefix in another case", "__host-" + bare + "=" + session, board, 401},
		{"twice", name + "=" + session + "; " + name + "=" + session, board, 401},
		{"twice, one bad", name + "=x; " + name + "=" + session, board, 401},
		{"quoted", name + `="` + session + `"`, board, 401},
		{"spaces inside", name + "=" + session[:9] + " " + session[9:], board, 401},
		{"empty", name + "=", board, 401},
		{"another version", name + "=2." + session[2:], board, 401},
		{"no version", name + "=" + session[2:], board, 401},
		{"another case", name + "=1." + swapCase(session[2:]), board, 401},
		{"cut", name + "=" + session[:len(session)-1], board, 401},
		{"longer", name + "=" + session + "A", board, 401},
		{"padded", name + "=" + session + "=", board, 401},
		{"stray bits", name + "=" + session[:len(session)-1] + nextChar(session[len(session)-1]), board, 401},
		{"zeros", name + "=1." + strings.Repeat("A", 43), board, 401},
		{"huge", name + "=1." + strings.Repeat("A", 1<<16), board, 401},
		{"the store's key", name + "=" + board.login.SessionKey(session), board, 401},
		{"another app's session", desk.login.SessionCookie() + "=" + session, desk, 401},
		{"another app's session under its own name", name + "=" + session, desk, 401},
		{"in a flow cookie", board.login.FlowCookie("x") + "=" + session, board, 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			if p := get(row.app, row.cookie); p.status != row.status {
				t.Errorf("status %d, want %d", p.status, row.status)
			}
		})
	}
	// Both apps with one store and one key: still not one session.
	shared := w.newApp(deskBase, func(c *middleware.LoginConfig) { c.Sessions = board.store })
	if p := get(shared, shared.login.SessionCookie()+"="+session); p.status != 401 {
		t.Errorf("another app's session in one store: %d", p.status)
	}
}

// nextChar is the character after c in base64url, and the first after the last:
// at the end of 32 bytes, one that differs in bits that mean nothing.
func nextChar(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[(strings.IndexByte(alphabet, c)+1)%len(alphabet)])
}

// TestAttackFixation: an id that the browser brought is never adopted, and a
// sign-in ends the session before.
func TestAttackFixation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	planted := "1." + strings.Repeat("A", 43)
	b := w.newBrowser()
	b.setCookie(a, a.login.SessionCookie(), planted)
	b.signIn(a)
	first := b.cookies(a)[a.login.SessionCookie()]
	if first == planted || first == "" {
		t.Fatal("the planted id became a session")
	}
	other := w.newBrowser()
	other.setCookie(a, a.login.SessionCookie(), planted)
	if other.signedIn(a) {
		t.Fatal("the planted id is signed in")
	}
	b.signIn(a)
	second := b.cookies(a)[a.login.SessionCookie()]
	if second == first {
		t.Error("signing in again keeps the id")
	}
	other.setCookie(a, a.login.SessionCookie(), first)
	if other.signedIn(a) {
		t.Error("the old id is still signed in")
	}
	for _, key := range a.store.keys {
		if strings.Contains(key, first[2:]) || strings.Contains(key, second[2:]) || !strings.HasPrefix(key, "s1.") {
			t.Errorf("the store sees %q", key)
		}
	}
}

// TestTwoTabs: sign-ins begun in two tabs end well in either order.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	for _, reversed := range []bool{false, true} {
		b := w.newBrowser()
		one, two := b.callback(a, "/one"), b.callback(a, "/two")
		tabs := []string{one, two}
		wants := []string{"/one", "/two"}
		if reversed {
			slices.Reverse(tabs)
			slices.Reverse(wants)
		}
		for i, tab := range tabs {
			if p := b.send(http.MethodGet, tab, navigation, nil); p.status != 303 || p.location() != wants[i] {
				t.Errorf("tab %d: %d %s, want %s", i, p.status, p.location(), wants[i])
			}
			if !b.signedIn(a) {
				t.Errorf("tab %d: not signed in", i)
			}
		}
		if n := len(b.flowCookies(a)); n != 0 {
			t.Errorf("%d flow cookies are left", n)
		}
	}
}

// TestManyTabs: flow cookies are bounded in number and size; the newest stay.
func TestManyTabs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	for i := range 7 {
		w.pool.Advance(time.Second)
		b.startKakao(a, fmt.Sprintf("/%d", i))
		if n := len(b.flowCookies(a)); n > 4 {
			t.Fatalf("%d flow cookies", n)
		}
	}
	if len(b.flowCookies(a)) != 4 {
		t.Errorf("%d flow cookies, want 4", len(b.flowCookies(a)))
	}
	b = w.newBrowser()
	for i := range 5 {
		w.pool.Advance(time.Second)
		b.startKakao(a, "/"+strings.Repeat(fmt.Sprint(i), 2000))
		size := 0
		for name, value := range b.flowCookies(a) {
			size += len(name) + len(value)
		}
		if size > 6<<10 {
			t.Errorf("%d bytes of flow cookies", size)
		}
	}
	if p := b.visit(b.callback(a, "/short")); p.url != a.base+"/short" {
		t.Errorf("the newest flow ended at %s: %d", p.url, p.status)
	}
	// Rubbish under the same prefix is cleared, and is in nobody's way.
	b = w.newBrowser()
	for i := range 50 {
		b.setCookie(a, a.login.FlowPrefix()+fmt.Sprintf("rubbish%d", i), "x")
	}
	if n := len(b.send(http.MethodGet, a.base+"/auth/login", navigation, nil).header["Set-Cookie"]); n > 40 {
		t.Errorf("%d cookies set at once", n)
	}
	if p := b.visit(b.callback(a, "/tidy")); p.url != a.base+"/tidy" {
		t.Errorf("among rubbish: %s %d", p.url, p.status)
	}
}

// TestLateTab: a flow that expired, and a callback opened twice.
func TestLateTab(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)

	late := w.newBrowser()
	callback := late.callback(a, "/late")
	w.pool.Advance(10*time.Minute + time.Second)
	p := late.send(http.MethodGet, callback, navigation, nil)
	if p.status != 400 || !strings.Contains(p.body, `href="/auth/login"`) || w.wire.count("/oauth2/token") != 0 {
		t.Errorf("expired flow: %d %s", p.status, p.body)
	}
	if p := late.visit(a.base + "/auth/login"); !strings.HasPrefix(p.body, "hello ") && !strings.Contains(p.url, "/login?") {
		t.Errorf("its button leads to %s: %d", p.url, p.status)
	}

	b := w.newBrowser()
	callback = b.callback(a, "/once")
	flows := b.flowCookies(a)
	if p := b.visit(callback); p.url != a.base+"/once" {
		t.Fatalf("sign-in: %d %s", p.status, p.url)
	}
	session := b.cookies(a)[a.login.SessionCookie()]
	// The back button: the same callback again, its flow cookie gone.
	if p := b.send(http.MethodGet, callback, navigation, nil); p.status != 303 || p.location() != "/" {
		t.Errorf("replayed: %d %s", p.status, p.location())
	}
	// The answer that deleted the cookie got lost: the code is spent.
	for name, value := range flows {
		b.setCookie(a, name, value)
	}
	if p := b.send(http.MethodGet, callback, navigation, nil); p.status != 303 || p.location() != "/once" {
		t.Errorf("replayed with its cookie: %d %s", p.status, p.location())
	}
	if b.cookies(a)[a.login.SessionCookie()] != session || !b.signedIn(a) {
		t.Error("a replayed callback changed the session")
	}
	// The same without a session.
	b.setCookie(a, a.login.SessionCookie(), "")
	for name, value := range flows {
		b.setCookie(a, name, value)
	}
	if p := b.send(http.MethodGet, callback, navigation, nil); p.status != 400 || p.location() != "" {
		t.Errorf("replayed without a session: %d %s", p.status, p.location())
	}
	if n := len(b.flowCookies(a)); n != 0 {
		t.Errorf("%d flow cookies are left", n)
	}
}

// TestReloadedCallback: a person reloads while the code is redeemed. One call,
// and whichever answer the browser keeps signs in.
func TestReloadedCallback(t *testing.T) { //nolint:paralleltest // waitFinishing looks at every goroutine
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	callback := b.callback(a, "/")
	started, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.wire.setHook(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/oauth2/token" {
			once.Do(func() { close(started) })
			<-release
		}
		return nil, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := b.try(ctx, http.MethodGet, callback, navigation, nil)
		first <- err
	}()
	<-started
	cancel() // the browser leaves the first request
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Fatalf("first: %v", err)
	}
	waitFinishing(t, 0) // the server has noticed
	second := make(chan page)
	go func() { second <- b.send(http.MethodGet, callback, navigation, nil) }()
	waitFinishing(t, 1) // it has joined the first attempt, which is still under way
	close(release)
	if p := <-second; p.status != 303 {
		t.Fatalf("reloaded: %d %s", p.status, p.body)
	}
	if n := w.wire.count("/oauth2/token"); n != 1 {
		t.Errorf("the code was redeemed %d times", n)
	}
	if !b.signedIn(a) {
		t.Error("not signed in")
	}
}

// waitFinishing waits until n callbacks wait for a code to be redeemed. Nothing
// but their goroutines shows it.
func waitFinishing(t *testing.T, n int) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	waiting := 0
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		waiting = 0
		for g := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(g, "[select") && strings.Contains(g, "middleware.(*Login).finish(") {
				waiting++
			}
		}
		if waiting == n {
			return
		}
	}
	t.Fatalf("%d callbacks wait for a code to be redeemed, want %d", waiting, n)
}

// TestCallbackErrors: what Cognito's errors end in. Its texts are never shown.
func TestCallbackErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		error  string
		status int
		text   string
	}{
		{"access_denied", 403, "was cancelled"},
		{"invalid_request", 403, "was refused"},
		{"unauthorized_client", 403, "was refused"},
		{"server_error", 503, "try again in a moment"},
		{"temporarily_unavailable", 503, "try again in a moment"},
		{"login_required", 400, "sign in again"}, // without prompt=none
		{"invalid_scope", 500, "Something is wrong with this app"},
		{"PLANTED-unknown", 500, "Something is wrong with this app"},
		{"<script>PLANTED</script>", 500, "Something is wrong with this app"},
	} {
		t.Run(row.error, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.newApp(appBase)
			b := w.newBrowser()
			callback := withQuery(t, b.callback(a, "/notes"), func(q url.Values) {
				q.Del("code")
				q.Set("error", row.error)
				q.Set("error_description", "PreSignUp failed with error PLANTED <b>hong@personal.example</b>.")
				q.Set("error_uri", "https://evil.example/PLANTED")
			})
			p := b.send(http.MethodGet, callback, navigation, nil)
			if p.status != row.status || !strings.Contains(strings.ToLower(p.body), strings.ToLower(row.text)) {
				t.Errorf("%d, want %d %q: %s", p.status, row.status, row.text, p.body)
			}
			if strings.Contains(p.body, "PLANTED") || strings.Contains(p.body, "hong@") || strings.Contains(p.body, "evil") || p.location() != "" {
				t.Errorf("the page echoes: %s", p.body)
			}
			if !strings.Contains(p.body, `href="/auth/login?return_to=%2Fnotes"`) {
				t.Errorf("no button to sign in with the same return-to: %s", p.body)
			}
			if len(b.flowCookies(a)) != 0 || b.signedIn(a) || w.wire.count("/oauth2/token") != 0 {
				t.Error("flow kept, signed in, or a call was made")
			}
		})
	}
}

// TestRefusedByTrigger goes through Cognito's own way of saying so.
func TestRefusedByTrigger(t *testing.T) {
	t.Parallel()
	fn := ssotest.TriggerFunc(func(_ context.Context, e json.RawMessage) (json.RawMessage, error) { return e, nil })
	w := newWorld(t, func(c *ssotest.Config) { c.Triggers = ssotest.All(fn) })
	a := w.newApp(appBase)
	w.pool.SetFaults(func(f *ssotest.Faults) {
		f.TriggerError = map[string]string{"*": "PLANTED: no such student 20261234"}
	})
	b := w.newBrowser()
	refused := b.send(http.MethodGet, b.callback(a, "/"), navigation, nil)
	if refused.status != 403 || !strings.Contains(refused.body, "was refused") || strings.Contains(refused.body, "PLANTED") {
		t.Errorf("refused by a trigger: %d %s", refused.status, refused.body)
	}
	cancelled := b.send(http.MethodGet, b.pickPerson(a, b.startKakao(a, "/"), "cancel"), navigation, nil)
	if cancelled.status != 403 {
		t.Errorf("cancelled at the provider: %d %s", cancelled.status, cancelled.body)
	}
}

// TestTokenEndpointErrors: the code cannot be redeemed.
func TestTokenEndpointErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		fault  func(f *ssotest.Faults)
		status int
	}{
		{"invalid_grant", func(f *ssotest.Faults) { f.TokenEndpoint = "invalid_grant" }, 400},
		{"invalid_client", func(f *ssotest.Faults) { f.TokenEndpoint = "invalid_client" }, 500},
		{"unauthorized_client", func(f *ssotest.Faults) { f.TokenEndpoint = "unauthorized_client" }, 500},
		{"invalid_request", func(f *ssotest.Faults) { f.TokenEndpoint = "invalid_request" }, 500},
		{"502", func(f *ssotest.Faults) { f.TokenEndpoint, f.TokenEndpointStatus = "server_error", 502 }, 503},
		{"keys down", func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSDown }, 503},
		{"tokens of a wrong clock", func(f *ssotest.Faults) { f.ClockSkew = -3 * time.Hour }, 400},
		{"forged keys", func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSWrong }, 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.newApp(appBase)
			b := w.newBrowser()
			callback := b.callback(a, "/")
			w.pool.SetFaults(row.fault)
			p := b.send(http.MethodGet, callback, navigation, nil)
			if p.status != row.status || p.location() != "" {
				t.Errorf("%d, want %d", p.status, row.status)
			}
			if (p.header.Get("Retry-After") != "") != (row.status == 503) {
				t.Errorf("Retry-After: %q", p.header.Get("Retry-After"))
			}
			if a.store.count("create") != 0 {
				t.Error("a session was stored")
			}
		})
	}
}

// TestCallbackStoreDown: the sign-in is not half done.
func TestCallbackStoreDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	callback := b.callback(a, "/")
	a.store.setHook(func(string) error { return errStoreDown })
	p := b.send(http.MethodGet, callback, navigation, nil)
	if p.status != 503 || b.cookies(a)[a.login.SessionCookie()] != "" {
		t.Errorf("%d", p.status)
	}
	if w.wire.count("/oauth2/revoke") != 1 {
		t.Error("the refresh token that nobody has was not revoked")
	}
}

// TestLoopGuard: sign-ins whose session never comes back are cut after two, with
// an explanation; the button of that page starts afresh.
func TestLoopGuard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	b.signIn(a) // so that Cognito answers without a page
	if b.cookies(a)[a.login.TriesCookie()] != "" {
		t.Fatal("a session that was seen still counts")
	}
	lost := func() { b.setCookie(a, a.login.SessionCookie(), "") }
	var p page
	signIns := 0
	for range 6 {
		lost()
		p = b.send(http.MethodGet, a.base+"/", navigation, nil) // to login
		p = b.send(http.MethodGet, a.base+p.location(), navigation, nil)
		if p.location() == "" {
			break
		}
		p = b.send(http.MethodGet, p.location(), navigation, nil) // Cognito
		p = b.send(http.MethodGet, p.location(), navigation, nil) // callback
		if p.status != 303 {
			t.Fatalf("callback: %d", p.status)
		}
		signIns++
	}
	if signIns != 2 || p.status != 400 || !strings.Contains(p.body, "does not stay signed in") {
		t.Fatalf("%d sign-ins, then %d: %s", signIns, p.status, p.body)
	}
	if !strings.Contains(p.body, `href="/auth/login?retry=1"`) {
		t.Fatalf("no button: %s", p.body)
	}
	p = b.send(http.MethodGet, a.base+"/auth/login?retry=1", navigation, nil)
	if p.status != 303 || b.cookies(a)[a.login.TriesCookie()] != "" {
		t.Fatalf("not started afresh: %d", p.status)
	}
	if p := b.visit(a.base + "/auth/login?retry=1"); p.status != 200 || !strings.HasPrefix(p.body, "hello ") {
		t.Errorf("trying again: %d %s", p.status, p.body)
	}
	if b.cookies(a)[a.login.TriesCookie()] != "" {
		t.Error("the count is still there")
	}
}

// TestCookiesBlocked: a browser that keeps nothing ends at a page.
func TestCookiesBlocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()
	callback := b.callback(a, "/")
	none := w.newBrowser()
	if p := none.visit(callback); p.status != 400 || !strings.Contains(p.body, "allow cookies") {
		t.Errorf("%d %s", p.status, p.body)
	}
}

// TestSilent: prompt=none never shows a page and never loops.
func TestSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	board, desk := w.newApp(appBase), w.newApp(deskBase)
	b := w.newBrowser()
	silent := desk.base + "/auth/login?prompt=none&identity_provider=Kakao&return_to=%2Fopen"
	p := b.visit(silent)
	if p.status != 200 || p.url != desk.base+"/open" || p.body != "nobody" {
		t.Fatalf("nobody is signed in: %d %s %s", p.status, p.url, p.body)
	}
	// Trying again at once asks nobody.
	if p := b.send(http.MethodGet, silent, navigation, nil); p.status != 303 || p.location() != "/open" {
		t.Errorf("again: %d %s", p.status, p.location())
	}
	// A page that needs a sign-in asks for one.
	if p := b.visit(desk.base + "/"); !strings.HasPrefix(p.url, w.pool.URL()+"/login?") {
		t.Errorf("interactive: %s", p.url)
	}
	// Signed in at the board, the desk needs no page; the refusal is forgotten
	// after a while.
	b.signIn(board)
	w.pool.Advance(5*time.Minute + time.Second)
	u, _ := url.Parse(desk.base + "/")
	for _, c := range b.jar.Cookies(u) { // the jar is on the real clock
		if strings.Contains(c.Name, "silent") {
			b.setCookie(desk, c.Name, "")
		}
	}
	if p := b.visit(silent); p.url != desk.base+"/open" || !strings.HasPrefix(p.body, "hello ") {
		t.Errorf("second app: %d %s %s", p.status, p.url, p.body)
	}
}

// TestSecondApp: one sign-in serves both apps, and each has a session of its own.
func TestSecondApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	board, desk := w.newApp(appBase), w.newApp(deskBase)
	b := w.newBrowser()
	first := b.signIn(board)
	if p := b.visit(desk.base + "/"); p.status != 200 || p.body != first.body || p.url != desk.base+"/" {
		t.Errorf("second app: %d %s %s", p.status, p.url, p.body)
	}
	b.signOut(board, nil)
	if b.signedIn(board) || !b.signedIn(desk) {
		t.Error("signing out of one app is not that")
	}
}

// TestLoginRequest: what /auth/login accepts.
func TestLoginRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	for _, row := range []struct {
		name, query string
		header      http.Header
		method      string
		status      int
	}{
		{name: "plain", status: 303},
		{name: "provider", query: "?identity_provider=Kakao", status: 303},
		{name: "unknown provider", query: "?identity_provider=Evil", status: 400},
		{name: "provider in another case", query: "?identity_provider=kakao", status: 400},
		{name: "two providers", query: "?identity_provider=Kakao&identity_provider=Google", status: 400},
		{name: "prompt", query: "?prompt=login", status: 303},
		{name: "unknown prompt", query: "?prompt=create", status: 400},
		{name: "none and another prompt", query: "?prompt=none+login", status: 400},
		{name: "two prompts", query: "?prompt=login&prompt=none", status: 400},
		{name: "two return-tos", query: "?return_to=%2Fa&return_to=%2Fb", status: 400},
		{name: "semicolon", query: "?return_to=/a;b", status: 400},
		{name: "parameters of Cognito's", query: "?redirect_uri=https://evil.example&client_id=x&scope=a&state=b&nonce=c", status: 303},
		{name: "POST", method: http.MethodPost, status: 405},
		{name: "HEAD", method: http.MethodHead, status: 405},
		{name: "Sec-Purpose", header: http.Header{"Sec-Purpose": {"prefetch;prerender"}}, status: 503},
		{name: "Purpose", header: http.Header{"Purpose": {"prefetch"}}, status: 503},
		{name: "X-Moz", header: http.Header{"X-Moz": {"prefetch"}}, status: 503},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := w.newBrowser()
			method := row.method
			if method == "" {
				method = http.MethodGet
			}
			h := maps.Clone(navigation)
			maps.Copy(h, row.header)
			p := b.send(method, a.base+"/auth/login"+row.query, h, nil)
			if p.status != row.status {
				t.Fatalf("status %d, want %d", p.status, row.status)
			}
			if p.header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control %q", p.header.Get("Cache-Control"))
			}
			if got := len(b.flowCookies(a)); got != map[bool]int{true: 1}[row.status == 303] {
				t.Errorf("%d flow cookies", got)
			}
			if row.status != 303 {
				return
			}
			u, err := url.Parse(p.location())
			if err != nil || !strings.HasPrefix(p.location(), w.pool.URL()+"/oauth2/authorize?") {
				t.Fatalf("sent to %s", p.location())
			}
			q := u.Query()
			for _, name := range []string{"state", "nonce", "code_challenge"} {
				if len(q.Get(name)) != 43 || len(q[name]) != 1 {
					t.Errorf("%s is %q", name, q[name])
				}
			}
			if q.Get("code_challenge_method") != "S256" || q.Get("redirect_uri") != appBase+"/auth/callback" || q.Get("client_id") != "board" || len(q["redirect_uri"]) != 1 {
				t.Errorf("query %v", q)
			}
		})
	}
}
