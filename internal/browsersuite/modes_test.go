package browsersuite_test

import (
	"net/http"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/internal/browsertest"
	"github.com/ssu-itsupport/cognito-sso/middleware"
)

func inCookies(c *middleware.LoginConfig) { c.CookieSessions = &middleware.CookieSessions{} }

func choosing(c *middleware.LoginConfig) {
	c.Providers = []middleware.Provider{{Name: "Kakao"}, {Name: "Google"}}
}

func silentFirst(c *middleware.LoginConfig) { choosing(c); c.SilentFirst = true }

// modeRows are of settings of LoginConfig.
var modeRows = []row{
	{name: "sessions in cookies: in and out, and back", cfg: worldConfig{login: inCookies}, run: cookieSessions},
	{name: "sessions in cookies: two tabs", cfg: worldConfig{login: inCookies}, run: func(w *world) { twoTabs(w, 1, 0) }},
	{name: "sessions in cookies: cookies blocked", cfg: worldConfig{login: inCookies, noCookies: true}, run: cookiesBlocked},
	{name: "a choice of providers", cfg: worldConfig{login: choosing}, run: func(w *world) { choice(w, "en-US,en", "Continue with Kakao") }},
	{name: "a choice of providers, Korean", cfg: worldConfig{login: choosing}, run: func(w *world) { choice(w, "ko-KR,ko", "카카오로 계속하기") }},
	{name: "silent first: nobody is signed in", cfg: worldConfig{login: silentFirst}, run: silentFirstAsked},
	{name: "silent first: signed in to the other app", cfg: worldConfig{login: silentFirst}, run: silentFirstUnasked},
	{name: "silent first: cookies blocked", cfg: worldConfig{login: silentFirst, noCookies: true}, run: silentFirstBlocked},
}

func cookieSessions(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/first")
	size := 0
	for _, c := range browserCookies(tab, w.board.base) {
		if !strings.HasPrefix(c.Name, "__Host-sso-") || !c.Secure || !c.HTTPOnly {
			tab.Fail("the cookie %s: secure %v, httpOnly %v", c.Name, c.Secure, c.HTTPOnly)
		}
		size += int(c.Size)
	}
	if size < 500 {
		tab.Fail("the cookies have %d bytes: the session is not in them", size)
	}
	tab.Click("#next")
	w.board.wantIn(tab, "/next")
	w.signOut(tab)
	w.wantNothingPrivate(tab, 2)
	w.board.wantAsked(tab, "/")
}

func choice(w *world, languages, label string) {
	tab := w.newTab()
	tab.Speak(languages)
	tab.Resize(360, 640)
	if status := tab.Status(w.board.base + "/page"); status != http.StatusOK {
		tab.Fail("status %d, want 200", status)
	}
	tab.WantAt(w.board.base + "/auth/login?")
	tab.WantContains("main", label)
	tab.Look("choice")
	if n := len(w.asked(w.domain, "/oauth2/authorize")); n != 0 {
		tab.Fail("Cognito was asked before the person chose")
	}
	tab.Click(viaKakao)
	tab.WantAt(w.domain + "/_idp/Kakao/")
	tab.Click(person(0))
	w.board.wantIn(tab, "/page")
	if n := len(w.asked(w.domain, "/login")); n != 0 {
		tab.Fail("Cognito's own page was shown")
	}
}

func silentFirstAsked(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/page")
	tab.WantAt(w.board.base + "/auth/login?")
	tab.Click(viaKakao)
	tab.Click(person(0))
	w.board.wantIn(tab, "/page")
	if asked := w.asked(w.domain, "/oauth2/authorize"); len(asked) != 2 || asked[0].query.Get("prompt") != "none" {
		tab.Fail("Cognito was asked %d times, want once without a page and once with one", len(asked))
	}
}

func silentFirstUnasked(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/page")
	tab.Click(viaKakao)
	tab.Click(person(0))
	w.board.wantIn(tab, "/page")
	pages := w.pages()
	tab.Open(w.library.base + "/page")
	w.library.wantIn(tab, "/page")
	if w.pages() != pages {
		tab.Fail("the second app asked who it is")
	}
}

func silentFirstBlocked(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/page")
	// It tried once; the answer found no flow, and is explained.
	tab.SeeText("allow cookies for this site")
	if n := len(w.asked(w.domain, "/oauth2/authorize")); n > 2 {
		tab.Fail("Cognito was asked %d times: it went in circles", n)
	}
	if got := browserCookies(tab, w.board.base); len(got) > 0 {
		tab.Fail("the browser kept %d cookies: this test proves nothing", len(got))
	}
	if got := browsertest.Eval[string](tab, "document.title"); got == "" {
		tab.Fail("the page has no title")
	}
}
