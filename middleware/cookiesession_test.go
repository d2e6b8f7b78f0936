package middleware_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// inBrowser keeps sessions in cookies, as by default; keepRefresh with their
// refresh token.
func inBrowser(c *middleware.LoginConfig) {
	c.Sessions, c.CookieSessions = nil, &middleware.CookieSessions{}
}

func keepRefresh(c *middleware.LoginConfig) {
	c.Sessions, c.CookieSessions = nil, &middleware.CookieSessions{KeepRefreshToken: true}
}

// longName has the second person's session take three cookies.
func longName(c *ssotest.Config) {
	c.Providers = []ssotest.Provider{ssotest.Kakao(hong, ssotest.Person{Subject: "2718281828", Name: strings.Repeat("이몽룡", 480)})}
}

// large is for sessions of longName.
func large(c *middleware.LoginConfig) {
	c.Sessions, c.CookieSessions = nil, &middleware.CookieSessions{MaxBytes: 15 << 10}
}

// chunks returns the session's cookies in a browser, in order.
func (b *browser) chunks(a *app) []string {
	var found []string
	all := b.cookies(a)
	for i := range 8 {
		if value, ok := all[a.login.ChunkCookie(i)]; ok {
			found = append(found, value)
		}
	}
	return found
}

// cookieHeader is what a browser sends for these chunks.
func cookieHeader(a *app, chunks ...string) string {
	var all []string
	for i, value := range chunks {
		all = append(all, a.login.ChunkCookie(i)+"="+value)
	}
	return strings.Join(all, "; ")
}

// copyOf is another browser with a copy of the session's cookies.
func (b *browser) copyOf(a *app) *browser {
	other := b.w.newBrowser()
	for i, value := range b.chunks(a) {
		other.setCookie(a, a.login.ChunkCookie(i), value)
	}
	return other
}

// status is what the app answers to a script with these cookies.
func (a *app) status(cookie string) int { return serveCookie(a.mux, cookie) }

// TestCookieSessionHolds what it should, and is as small as it can be.
func TestCookieSessionHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, row := range []struct {
		name    string
		change  func(*middleware.LoginConfig)
		refresh bool
	}{{"by default", inBrowser, false}, {"with KeepRefreshToken", keepRefresh, true}} {
		a := w.newApp(appBase, row.change)
		b := w.newBrowser()
		b.signIn(a)
		chunks := b.chunks(a)
		held, ok := a.login.OpenSessionCookies(cookieHeader(a, chunks...))
		if !ok {
			t.Fatalf("%s: %d chunks that do not open", row.name, len(chunks))
		}
		if held.RawID == "" || held.RawAccess == "" || (held.Refresh != "") != row.refresh {
			t.Errorf("%s: id %t, access %t, refresh %t", row.name, held.RawID != "", held.RawAccess != "", held.Refresh != "")
		}
		size, tokens := len(strings.Join(chunks, "")), len(held.RawID+held.RawAccess+held.Refresh)
		if size > tokens+tokens/10+256 {
			t.Errorf("%s: %d bytes for tokens of %d", row.name, size, tokens)
		}
	}
}

// TestCookieSessionOfManyChunks: a large session comes and goes whole.
func TestCookieSessionOfManyChunks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, longName)
	a := w.newApp(appBase, large)
	b := w.newBrowser()
	b.enter(a, "1")
	if n := len(b.chunks(a)); n < 3 {
		t.Fatalf("%d chunks, want at least 3", n)
	}
	if !b.signedIn(a) {
		t.Error("not signed in")
	}
	// A smaller one leaves nothing of it.
	b.enter(a, "0")
	if n := len(b.chunks(a)); n != 1 || !b.signedIn(a) {
		t.Errorf("%d chunks after a smaller session, want 1", n)
	}
	// Nor does signing out.
	b.enter(a, "1")
	if p := b.signOut(a, nil); p.status != 303 {
		t.Fatalf("signing out: %d", p.status)
	}
	if left := b.leftOver(a); len(left) != 0 {
		t.Errorf("left: %v", slices.Sorted(maps.Keys(left)))
	}
	// A chunk that is left all the same, by an answer that came late, is not
	// looked at.
	b.enter(a, "0")
	b.setCookie(a, a.login.ChunkCookie(1), "stale")
	b.setCookie(a, a.login.ChunkCookie(3), "stale")
	if !b.signedIn(a) {
		t.Error("a stale chunk signs out")
	}
	w.pool.Advance(61 * time.Second)
	if !b.signedIn(a) || len(b.chunks(a)) != 1 {
		t.Errorf("stale chunks stay: %d", len(b.chunks(a)))
	}
}

// TestAttackCookieSession: what browsers, siblings and attackers may send in
// place of a session.
func TestAttackCookieSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, longName)
	a := w.newApp(appBase, large)
	desk := w.newApp(deskBase, large)
	otherKey := w.newApp(appBase, large, func(c *middleware.LoginConfig) { c.CookieKeys = [][]byte{cookieKey(2)} })
	w.apps[appBase] = a.mux
	oldKey := w.newApp(appBase, large, func(c *middleware.LoginConfig) { c.CookieKeys = [][]byte{cookieKey(2), cookieKey(1)} })
	w.apps[appBase] = a.mux
	stored := w.newApp(appBase)
	w.apps[appBase] = a.mux

	one, two, small, sibling := w.newBrowser(), w.newBrowser(), w.newBrowser(), w.newBrowser()
	one.enter(a, "1")
	two.enter(a, "1")
	small.enter(a, "0")
	sibling.enter(desk, "1")
	x, y, s, d := one.chunks(a), two.chunks(a), small.chunks(a), sibling.chunks(desk)
	if len(x) != 3 || len(y) != 3 || len(s) != 1 || len(d) != 3 {
		t.Fatalf("chunks: %d %d %d %d", len(x), len(y), len(s), len(d))
	}
	name := a.login.SessionCookie()
	cookie := func(chunks ...string) string { return cookieHeader(a, chunks...) }
	flip := func(s string, i int) string { return s[:i] + nextChar(s[i]) + s[i+1:] }
	count := func(s, n string) string { return "c1." + n + s[len("c1.3"):] }
	body := strings.TrimPrefix(s[0], "c1.1.")
	plain := a.login.SealSession("flow", name, "x")
	for _, row := range []struct {
		name, cookie string
		app          *app
		status       int
	}{
		{"the session itself", cookie(x...), a, 200},
		{"a small one", cookie(s...), a, 200},
		{"in another order of the header", cookieHeader(a, x...)[strings.Index(cookie(x...), ";")+2:] + "; " + name + "=" + x[0], a, 200},
		{"after the key was rotated", cookie(x...), oldKey, 200},

		{"first bit changed", cookie(flip(x[0], 5), x[1], x[2]), a, 401},
		{"nonce changed", cookie(flip(x[0], 12), x[1], x[2]), a, 401},
		{"bit in the middle", cookie(x[0], flip(x[1], 1000), x[2]), a, 401},
		{"bit at the end", cookie(x[0], x[1], flip(x[2], len(x[2])-1)), a, 401},
		{"chunk of another session of the same person", cookie(x[0], y[1], x[2]), a, 401},
		{"last chunk of another session", cookie(x[0], x[1], y[2]), a, 401},
		{"first chunk of another session", cookie(y[0], x[1], x[2]), a, 401},
		{"small first chunk with a count of three", cookie("c1.3."+body, x[1], x[2]), a, 401},
		{"reordered", cookie(x[0], x[2], x[1]), a, 401},
		{"first and second swapped", cookie("c1.3."+x[1], x[0][5:], x[2]), a, 401},
		{"duplicated in place of another", cookie(x[0], x[1], x[1]), a, 401},
		{"last missing", cookie(x[0], x[1]), a, 401},
		{"middle missing", name + "=" + x[0] + "; " + a.login.ChunkCookie(2) + "=" + x[2], a, 401},
		{"first missing", a.login.ChunkCookie(1) + "=" + x[1] + "; " + a.login.ChunkCookie(2) + "=" + x[2], a, 401},
		{"truncated, and the count with it", cookie(count(x[0], "2"), x[1]), a, 401},
		{"truncated to one", cookie(count(x[0], "1")), a, 401},
		{"last cut by one", cookie(x[0], x[1], x[2][:len(x[2])-1]), a, 401},
		{"last longer by one", cookie(x[0], x[1], x[2]+"A"), a, 401},
		{"last empty", cookie(x[0], x[1], ""), a, 401},
		{"border moved", cookie(x[0]+x[1][:1], x[1][1:]+x[2][:1], x[2][1:]), a, 401},
		{"border moved back", cookie(x[0][:len(x[0])-1], x[0][len(x[0])-1:]+x[1], x[2]), a, 401},
		{"all in one", cookie(x[0] + x[1] + x[2]), a, 401},
		{"all in one, that says so", cookie(count(x[0], "1") + x[1] + x[2]), a, 401},
		{"one in two", cookie("c1.2."+body[:len(body)/2], body[len(body)/2:]), a, 401},
		{"count of none", cookie("c1.0." + body), a, 401},
		{"count of four", cookie(count(x[0], "4"), x[1], x[2]), a, 401},
		{"count of four, and four", cookie(count(x[0], "4"), x[1], x[2], x[2]), a, 401},
		{"count beyond the bound", cookie(count(x[0], "9"), x[1], x[2], x[2], x[2], x[2], x[2], x[2], x[2]), a, 401},
		{"count of two digits", cookie("c1.03."+x[0][5:], x[1], x[2]), a, 401},
		{"negative count", cookie("c1.-3."+x[0][5:], x[1], x[2]), a, 401},
		{"no count", cookie("c1." + body), a, 401},
		{"nothing but the version", cookie("c1."), a, 401},
		{"nothing sealed", cookie("c1.1."), a, 401},
		{"another version", cookie("c2.1." + body), a, 401},
		{"no version", cookie(body), a, 401},
		{"padded", cookie(s[0] + "="), a, 401},
		{"the other alphabet", cookie("c1.1." + strings.NewReplacer("-", "+", "_", "/").Replace(body) + "+"), a, 401},
		{"quoted", name + `="` + s[0] + `"`, a, 401},
		{"another case", cookie("c1.1." + swapCase(body)), a, 401},
		{"all zeros", cookie("c1.1." + strings.Repeat("A", 2000)), a, 401},
		{"huge", cookie("c1.1." + strings.Repeat("A", 1<<16)), a, 401},
		{"four huge", cookie("c1.4."+strings.Repeat("A", 1<<16), strings.Repeat("A", 1<<16), strings.Repeat("A", 1<<16), strings.Repeat("A", 1<<16)), a, 401},

		{"first twice", name + "=" + s[0] + "; " + cookie(s...), a, 401},
		{"first twice, one bad", name + "=x; " + cookie(s...), a, 401},
		{"second twice", cookie(x...) + "; " + a.login.ChunkCookie(1) + "=" + x[1], a, 401},
		{"second twice, one bad", a.login.ChunkCookie(1) + "=x; " + cookie(x...), a, 401},
		{"chunks beyond the count", cookie(s[0], x[1], x[2], "x"), a, 200},
		{"a hundred chunks beyond it", cookie(s...) + strings.Repeat("; "+a.login.ChunkCookie(1)+"=x", 100), a, 200},
		{"tossed by a sibling without the prefix", strings.TrimPrefix(name, "__Host-") + "=" + s[0], a, 401},
		{"tossed beside the real one", strings.TrimPrefix(name, "__Host-") + "=x; " + cookie(s...), a, 200},
		{"second tossed without the prefix", cookie(x[0]) + "; " + strings.TrimPrefix(a.login.ChunkCookie(1), "__Host-") + "=" + x[1] + "; " + a.login.ChunkCookie(2) + "=" + x[2], a, 401},
		{"__Secure- instead", "__Secure-" + strings.TrimPrefix(name, "__Host-") + "=" + s[0], a, 401},

		{"another client's session", cookieHeader(desk, d...), a, 401},
		{"another client's session under this one's names", cookie(d...), a, 401},
		{"this client's session at the other", cookieHeader(desk, x...), desk, 401},
		{"another key's", cookie(x...), otherKey, 401},
		{"a flow cookie's seal", cookie("c1.1." + plain), a, 401},
		{"a record's seal", cookie("c1.1." + a.login.SealSession("session", name, "x")), a, 401},
		{"sealed under another name", cookie("c1.1." + a.login.SealSession("cookie session", "x", "x")), a, 401},
		{"well sealed, and no session", cookie("c1.1." + a.login.SealSession("cookie session", name, "x")), a, 401},
		{"well sealed, and empty", cookie("c1.1." + a.login.SealSession("cookie session", name, "")), a, 401},
		{"the id of a stored session", cookie("1." + strings.Repeat("A", 43)), a, 401},
		{"where sessions are stored", cookie(s...), stored, 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := row.app.status(row.cookie); got != row.status {
				t.Errorf("status %d, want %d", got, row.status)
			}
		})
	}
}

// TestAttackCookieSessionOfAnotherPool: the same client id and key at another
// issuer.
func TestAttackCookieSessionOfAnotherPool(t *testing.T) {
	t.Parallel()
	one := newWorld(t)
	two := newWorld(t, func(c *ssotest.Config) { c.ID = "ap-northeast-2_Another01" })
	a, other := one.newApp(appBase, inBrowser), two.newApp(appBase, inBrowser)
	b := one.newBrowser()
	b.signIn(a)
	chunks := b.chunks(a)
	if a.status(cookieHeader(a, chunks...)) != 200 {
		t.Fatal("not signed in")
	}
	if got := other.status(cookieHeader(other, chunks...)); got != 401 {
		t.Errorf("under the other's names: %d", got)
	}
}

// TestCookieSessionForgedWithKey: who has the cookie key has no signature of
// Cognito's, and so nobody's session.
func TestCookieSessionForgedWithKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase, inBrowser)
	b, mallory := w.newBrowser(), w.newBrowser()
	b.signIn(a)
	mallory.enter(a, "1")
	victim, _ := a.login.OpenSessionCookies(cookieHeader(a, b.chunks(a)...))
	own, _ := a.login.OpenSessionCookies(cookieHeader(a, mallory.chunks(a)...))
	for _, row := range []struct {
		name   string
		change func(c *middleware.CookieSessionData)
		status int
	}{
		{"nothing changed", func(*middleware.CookieSessionData) {}, 200},
		{"another subject", func(c *middleware.CookieSessionData) { c.Subject = victim.Subject }, 401},
		{"an ID token that nobody signed", func(c *middleware.CookieSessionData) { c.RawID = c.RawID[:len(c.RawID)-8] + "AAAAAAAA" }, 401},
		{"the access token as ID token", func(c *middleware.CookieSessionData) { c.RawID = c.RawAccess }, 401},
		{"no ID token", func(c *middleware.CookieSessionData) { c.RawID = "" }, 401},
		{"no subject", func(c *middleware.CookieSessionData) { c.Subject = "" }, 401},
		{"ended yesterday", func(c *middleware.CookieSessionData) { c.Seen -= 86400 }, 401},
		{"began yesterday", func(c *middleware.CookieSessionData) { c.Created -= 86400 }, 401},
	} {
		forged := own
		row.change(&forged)
		if got := a.status(cookieHeader(a, a.login.SealSessionCookies(forged)...)); got != row.status {
			t.Errorf("%s: %d, want %d", row.name, got, row.status)
		}
	}
}

// TestCookieSessionOfAnotherApp: whoever has the key of one app cannot put the ID
// token of another one into its session, also where one verifier takes both.
func TestCookieSessionOfAnotherApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var err error
	if w.shared, err = sso.NewVerifier(w.pool.VerifierConfig("board", "desk")); err != nil {
		t.Fatal(err)
	}
	board, desk := w.newApp(appBase, inBrowser), w.newApp(deskBase, inBrowser)
	b := w.newBrowser()
	b.enter(board, "1")
	b.enter(desk, "1")
	own, _ := board.login.OpenSessionCookies(cookieHeader(board, b.chunks(board)...))
	other, _ := desk.login.OpenSessionCookies(cookieHeader(desk, b.chunks(desk)...))
	if own.Subject == "" || own.Subject != other.Subject {
		t.Fatalf("not one person's: %q, %q", own.Subject, other.Subject)
	}
	if got := board.status(cookieHeader(board, board.login.SealSessionCookies(own)...)); got != 200 {
		t.Errorf("its own: %d", got)
	}
	own.RawID = other.RawID
	if got := board.status(cookieHeader(board, board.login.SealSessionCookies(own)...)); got != 401 {
		t.Errorf("the other app's: %d", got)
	}
}

// TestCookieSessionTooLarge: a session that does not fit is no session, and the
// log says why and by how much.
func TestCookieSessionTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, longName)
	a := w.newApp(appBase, inBrowser)
	b := w.newBrowser()
	callback := b.pickPerson(a, b.startKakao(a, "/"), "1")
	p := b.send(http.MethodGet, callback, navigation, nil)
	if p.status != 500 || len(b.chunks(a)) != 0 || b.signedIn(a) {
		t.Errorf("%d, %d chunks", p.status, len(b.chunks(a)))
	}
	if log := w.logs.String(); !strings.Contains(log, "session too large for its cookies: it has ") || !strings.Contains(log, "MaxBytes is 7168") {
		t.Errorf("the log does not say so: %s", log)
	}
	if w.wire.count("/oauth2/revoke") != 1 {
		t.Error("the refresh token that nobody keeps was not revoked")
	}
	if b.enter(a, "0"); !b.signedIn(a) {
		t.Error("a small one is refused too")
	}
}

// TestCookieSessionReplay: what the documentation says that cookies cannot do.
func TestCookieSessionReplay(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*middleware.LoginConfig)
		after  time.Duration // signing out
		in     bool
	}{
		{"at once", inBrowser, 0, true},
		{"until the tokens end", inBrowser, 58 * time.Minute, true},
		{"not after", inBrowser, 61 * time.Minute, false},
		{"not after, though the refresh token was in it, since that is revoked", keepRefresh, 61 * time.Minute, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.newApp(appBase, row.change, func(c *middleware.LoginConfig) { c.IdleTimeout = 12 * time.Hour })
			b := w.newBrowser()
			b.signIn(a)
			thief := b.copyOf(a)
			b.signOut(a, nil)
			if b.signedIn(a) {
				t.Error("the browser itself is signed in")
			}
			w.pool.Advance(row.after)
			if thief.signedIn(a) != row.in {
				t.Errorf("the copy: want %t", row.in)
			}
		})
	}
}

// TestAttackCookieSessionRevival: an answer that was on its way when its browser
// signed out, or became somebody else's, does not bring the session back.
func TestAttackCookieSessionRevival(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		advance time.Duration
		end     func(b *browser, a *app)
		person  string // who is signed in afterwards, "" for nobody
	}{
		{"touch, signed out", 2 * time.Minute, func(b *browser, a *app) { b.signOut(a, nil) }, ""},
		{"touch, signed out everywhere", 2 * time.Minute, func(b *browser, a *app) { b.signOut(a, url.Values{"everywhere": {"1"}}) }, ""},
		{"touch, signed out by a script", 2 * time.Minute, func(b *browser, a *app) {
			b.send(http.MethodPost, a.base+"/auth/logout", script, url.Values{})
		}, ""},
		{"refresh, signed out", 59*time.Minute + 30*time.Second, func(b *browser, a *app) { b.signOut(a, nil) }, ""},
		{"touch, signed out many times", 2 * time.Minute, func(b *browser, a *app) {
			b.signOut(a, nil)
			for range 6 {
				b.signIn(a)
				b.signOut(a, nil)
			}
		}, ""},
		{"touch, somebody else signed in", 2 * time.Minute, func(b *browser, a *app) { b.enter(a, "1") }, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.newApp(appBase, keepRefresh)
			held, release := make(chan struct{}), make(chan struct{})
			a.mux.Handle("/slow", a.login.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				close(held)
				<-release
			})))
			b := w.newBrowser()
			b.signIn(a)
			w.pool.Advance(row.advance)
			done := make(chan page)
			go func() { done <- b.send(http.MethodGet, a.base+"/slow", script, nil) }()
			<-held
			row.end(b, a)
			close(release)
			if p := <-done; p.status != 200 || !strings.Contains(strings.Join(p.header.Values("Set-Cookie"), " "), a.login.SessionCookie()+"=c1.") {
				t.Fatalf("the answer sets no session: %d", p.status)
			}
			if b.signedIn(a) {
				t.Error("the session is alive again")
			}
			// It is the cookie of ended sessions that holds it off.
			b.setCookie(a, a.login.EndedCookie(), "")
			if row.advance < time.Hour/2 && !b.signedIn(a) {
				t.Error("the test shows nothing: the session would not have come back")
			}
		})
	}
}

// TestAttackEndedCookie: what may be in the cookie of ended sessions. It fails
// closed, and no value of it signs in or fails.
func TestAttackEndedCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase, inBrowser)
	b := w.newBrowser()
	b.signIn(a)
	session := cookieHeader(a, b.chunks(a)...)
	thief := b.copyOf(a)
	thief.signOut(a, nil)
	ended := thief.cookies(a)[a.login.EndedCookie()]
	name := a.login.EndedCookie()
	if len(ended) != 16 {
		t.Fatalf("ended %q", ended)
	}
	for _, row := range []struct {
		name, value string
		status      int
	}{
		{"this session", ended, 401},
		{"among others", "AAAAAAAAAAAAAAAA." + ended + ".BBBBBBBBBBBBBBBB", 401},
		{"twice, one empty", "; " + name + "=" + ended, 401},
		{"twice, one else", "AAAAAAAAAAAAAAAA; " + name + "=" + ended, 401},
		{"another session", "AAAAAAAAAAAAAAAA", 200},
		{"part of it", ended[:15], 200},
		{"more than it", ended + "A", 200},
		{"another case", swapCase(ended), 200},
		{"dots", strings.Repeat(".", 500), 200},
		{"huge", strings.Repeat("A", 1<<16), 200},
		{"empty", "", 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := a.status(session + "; " + name + "=" + row.value); got != row.status {
				t.Errorf("%d, want %d", got, row.status)
			}
		})
	}
	// It stays small, whatever was in it.
	for _, before := range []string{strings.Repeat("AAAAAAAAAAAAAAAA.", 200), strings.Repeat("x.", 500), "\x7f"} {
		other := w.newBrowser()
		h := maps.Clone(navigation)
		h.Set("Cookie", session+"; "+name+"="+before)
		p := other.send(http.MethodPost, a.base+"/auth/logout", h, url.Values{})
		value := other.cookies(a)[name]
		if p.status != 303 || !strings.HasPrefix(value, ended) || len(value) > 8*17 {
			t.Errorf("%.40q became %q", before, value)
		}
	}
}

// TestCookieSessionEndsWithItsTokens: without a refresh token, a script hears
// 401, and a browser is signed in again, without a page while Cognito knows it.
func TestCookieSessionEndsWithItsTokens(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name       string
		id, access time.Duration // how long the tokens are good
	}{
		{"access token first", time.Hour, 5 * time.Minute},
		{"ID token first", 5 * time.Minute, time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *ssotest.Config) {
				c.Clients[0].IDTokenValidity, c.Clients[0].AccessTokenValidity = row.id, row.access
			})
			a := w.newApp(appBase, inBrowser)
			b := w.newBrowser()
			b.signIn(a)
			w.pool.Advance(5*time.Minute - 2*time.Second)
			for _, path := range []string{"/", "/scope", "/token"} {
				if p := b.send(http.MethodGet, a.base+path, script, nil); p.status != 200 {
					t.Errorf("%s before the end: %d", path, p.status)
				}
			}
			w.pool.Advance(3 * time.Second)
			for _, path := range []string{"/", "/scope", "/token", "/auth/me"} {
				if p := b.send(http.MethodGet, a.base+path, script, nil); p.status != 401 || !strings.Contains(p.body, `"login_url":"/auth/login"`) {
					t.Errorf("%s after the end: %d %s", path, p.status, p.body)
				}
			}
			if p := b.send(http.MethodPost, a.base+"/", navigation, url.Values{}); p.status != 401 {
				t.Errorf("a form after the end: %d", p.status)
			}
			if n := w.wire.count("/oauth2/token"); n != 1 {
				t.Errorf("%d calls to the token endpoint, want that of the sign-in", n)
			}
			p := b.visit(a.base + "/notes?page=2")
			if p.status != 200 || p.url != a.base+"/notes?page=2" || !strings.HasPrefix(p.body, "hello ") {
				t.Errorf("the browser ended at %s: %d", p.url, p.status)
			}
		})
	}
}

// TestCookieSessionLimits are in the sealed record, and not in the cookie's age.
func TestCookieSessionLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase, keepRefresh, func(c *middleware.LoginConfig) { c.IdleTimeout, c.AbsoluteTimeout = 30*time.Minute, 2*time.Hour })
	idle, busy := w.newBrowser(), w.newBrowser()
	idle.signIn(a)
	busy.signIn(a)
	first := idle.chunks(a)
	idle.signIn(a)
	one, _ := a.login.OpenSessionCookies(cookieHeader(a, first...))
	two, _ := a.login.OpenSessionCookies(cookieHeader(a, idle.chunks(a)...))
	if one.ID == two.ID || one.ID == [32]byte{} {
		t.Error("signing in again keeps the id")
	}
	before := cookieHeader(a, busy.chunks(a)...)
	for range 5 {
		w.pool.Advance(20 * time.Minute)
		if !busy.signedIn(a) {
			t.Fatal("signed out while in use")
		}
	}
	if idle.signedIn(a) {
		t.Error("signed in after the idle limit")
	}
	if a.status(before) != 401 {
		t.Error("the cookies of before the last use are good for longer than the idle limit")
	}
	now, _ := a.login.OpenSessionCookies(cookieHeader(a, busy.chunks(a)...))
	w.pool.Advance(19 * time.Minute)
	if !busy.signedIn(a) {
		t.Fatal("signed out before the absolute limit")
	}
	w.pool.Advance(time.Minute + time.Second)
	if busy.signedIn(a) {
		t.Error("signed in after the absolute limit")
	}
	if later, _ := a.login.OpenSessionCookies(cookieHeader(a, busy.chunks(a)...)); later.ID != now.ID || later.Created != now.Created || later.Seen <= now.Seen {
		t.Error("the use was not noted, or the session became another one")
	}
}

// TestCookieSessionIsNotWrittenEachTime: once a minute at most.
func TestCookieSessionIsNotWrittenEachTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase, inBrowser)
	b := w.newBrowser()
	b.signIn(a)
	writes := func() int {
		n := 0
		for range 20 {
			p := b.send(http.MethodGet, a.base+"/open", script, nil)
			if strings.Contains(strings.Join(p.header.Values("Set-Cookie"), " "), a.login.SessionCookie()+"=c1.") {
				n++
			}
		}
		return n
	}
	if n := writes(); n != 0 {
		t.Errorf("%d writes in the first minute", n)
	}
	w.pool.Advance(61 * time.Second)
	if n := writes(); n != 1 {
		t.Errorf("%d writes in the second minute, want 1", n)
	}
}
