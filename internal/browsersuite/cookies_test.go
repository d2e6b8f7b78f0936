package browsersuite_test

import (
	"context"
	"net/http"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/ssu-itsupport/cognito-sso/internal/browsertest"
)

var cookieRows = []row{
	{name: "cookies: __Host-, Secure, HttpOnly, Lax, without a domain", run: cookieForm},
	{name: "cookies blocked: an explanation, and no loop", cfg: worldConfig{noCookies: true}, run: cookiesBlocked},
	{name: "third-party cookies blocked: nothing is different", run: thirdPartyBlocked},
	{name: "the session's cookie lost at every page: stops and explains", run: cookieLost},
	{name: "a sibling host cannot plant a cookie", run: cookieTossing},
}

func cookieForm(w *world) {
	tab := w.newTab()
	w.board.beginKakao(tab, "/")
	wantForm := func(part string) {
		found := false
		for _, c := range browserCookies(tab, w.board.base) {
			found = found || strings.Contains(c.Name, part)
			if !strings.HasPrefix(c.Name, "__Host-sso-") || !c.Secure || !c.HTTPOnly || c.Path != "/" ||
				c.SameSite != network.CookieSameSiteLax || "https://"+c.Domain != w.board.base {
				tab.Fail("the cookie %s of %s: secure %v, httpOnly %v, %s, path %s", c.Name, c.Domain, c.Secure, c.HTTPOnly, c.SameSite, c.Path)
			}
		}
		if !found {
			tab.Fail("no cookie %s", part)
		}
	}
	wantForm("-flow-")
	tab.Click(person(0))
	w.board.wantIn(tab, "/")
	wantForm("-session-")
	if got := browsertest.Eval[string](tab, "document.cookie"); got != "" {
		tab.Fail("a script reads cookies")
	}
	for _, c := range browserCookies(tab, w.board.base) {
		if strings.Contains(c.Name, "-flow-") {
			tab.Fail("a flow cookie is left")
		}
	}
}

func cookiesBlocked(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/page")
	tab.WantAt(w.domain + "/login?")
	tab.Click(viaKakao)
	tab.Click(person(0))
	explained := func() {
		tab.WantAt(w.board.base + "/auth/callback?")
		tab.SeeText("Please sign in again")
		tab.SeeText("allow cookies for this site")
	}
	explained()
	tab.Look("explanation")
	if got := browserCookies(tab, w.board.base); len(got) > 0 {
		tab.Fail("the browser kept %d cookies: this test proves nothing", len(got))
	}
	if n := len(w.asked(w.board.base, "/auth/callback")); n != 1 {
		tab.Fail("%d callbacks, want one: it went in circles", n)
	}
	tab.Step("again, by the button")
	tab.Click("a.button") // Cognito knows who it is by now
	explained()
	if n := len(w.asked(w.board.base, "/auth/callback")); n != 2 {
		tab.Fail("%d callbacks, want two: it went in circles", n)
	}
	if n := w.wire.count("/oauth2/token"); n != 0 {
		tab.Fail("%d codes were redeemed in a browser that keeps no flow", n)
	}
}

func thirdPartyBlocked(w *world) {
	tab := w.newTab()
	tab.Do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.SetCookieControls, network.SetCookieControlsParams{EnableThirdPartyCookieRestriction: true})
		return err
	}))
	w.board.signIn(tab, "/page")
	tab.Open(w.library.base + "/page") // of another site, and in without a question
	w.library.wantIn(tab, "/page")
	tab.Click("#sign-out")
	tab.SeeText("You are signed out")
	w.library.wantAsked(tab, "/")
}

func cookieLost(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/page")
	w.stripping.Store(true)
	before := len(w.asked(w.board.base, "/auth/callback"))
	if status := tab.Status(w.board.base + "/page"); status != http.StatusBadRequest {
		tab.Fail("status %d, want 400", status)
	}
	tab.SeeText("Your browser does not stay signed in")
	tab.Look("loop")
	if n := len(w.asked(w.board.base, "/auth/callback")) - before; n > 2 {
		tab.Fail("%d sign-ins before it stopped, want two at most", n)
	}
	tab.Step("mended")
	w.stripping.Store(false)
	tab.Click("a.button")
	w.board.wantIn(tab, "/page")
	w.board.visit(tab, "/other")
}

// cookieTossing: the desk's host sets cookies for the whole site.
func cookieTossing(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/")
	var names []string
	for _, c := range browserCookies(tab, w.board.base) {
		names = append(names, c.Name)
	}
	tab.Open(w.desk.base + "/bare")
	for _, name := range names {
		for _, attributes := range []string{"; Secure; Path=/; Domain=example.ac.kr", "; Secure; Path=/auth; Domain=example.ac.kr", "; Domain=example.ac.kr"} {
			_ = browsertest.Eval[string](tab, "document.cookie = '"+name+"=tossed"+attributes+"'")
		}
	}
	_ = browsertest.Eval[string](tab, "document.cookie = 'tossed=1; Secure; Domain=example.ac.kr'")
	w.board.visit(tab, "/")
	last := w.asked(w.board.base, "/")
	if len(cookiesOf(last[len(last)-1], "tossed")) != 1 {
		tab.Fail("the sibling set no cookie at all: this test proves nothing")
	}
}
