package browsersuite_test

import (
	"strings"

	"github.com/chromedp/chromedp/kb"

	"github.com/ssu-itsupport/cognito-sso/internal/browsertest"
)

var pageRows = []row{
	{name: "Korean by Accept-Language", run: func(w *world) {
		inLanguage(w, "ko-KR,ko,en-US,en", "ko", "로그인이 취소되었습니다", "로그인")
	}},
	{name: "English by Accept-Language", run: func(w *world) { inLanguage(w, "en-US,en,ko", "en", "The sign-in was cancelled", "Sign in") }},
	{name: "neither: English", run: func(w *world) { inLanguage(w, "fr-FR,fr", "en", "The sign-in was cancelled", "Sign in") }},
	{name: "360 pixels wide", run: func(w *world) { small(w, "en", 360, "") }},
	{name: "360 pixels wide, Korean", run: func(w *world) { small(w, "ko", 360, "") }},
	{name: "320 pixels wide: a window zoomed to 400%", run: func(w *world) { small(w, "en", 320, "") }},
	{name: "360 pixels wide, text twice as large", run: func(w *world) { small(w, "en", 360, "200%") }},
	{name: "360 pixels wide, text twice as large, Korean", run: func(w *world) { small(w, "ko", 360, "200%") }},
	{name: "with the keyboard alone", run: keyboard},
}

func inLanguage(w *world, languages, lang, title, button string) {
	tab := w.newTab()
	tab.Speak(languages)
	w.board.beginKakao(tab, "/page")
	tab.Click("#cancel")
	tab.WantText("h1", title)
	tab.WantText("a.button", button)
	tab.Look(lang)
	if got := browsertest.Eval[string](tab, "document.documentElement.lang"); got != lang {
		tab.Fail("the page says it is in %q", got)
	}
	for _, s := range w.asked(w.domain, "/oauth2/authorize") {
		if got := s.query.Get("lang"); got != lang && s.query.Get("identity_provider") == "" {
			tab.Fail("Cognito is asked for its page in %q", got)
		}
	}
}

// small looks at every page that a person can come to, in a narrow window.
func small(w *world, lang string, width int64, text string) {
	tab := w.newTab()
	tab.Speak(lang)
	tab.Resize(width, 640)
	for _, page := range []struct{ name, path string }{
		{"logged-out", "/auth/logged-out"}, {"again", "/auth/callback?code=x&state=y"}, {"logout", "/auth/logout"},
		{"bad", "/auth/login?prompt=a&prompt=b"}, {"not-found", "/auth/nothing"},
	} {
		tab.Step(page.name)
		tab.Open(w.board.base + page.path)
		if text != "" {
			_ = browsertest.Eval[string](tab, "document.documentElement.style.fontSize = '"+text+"'")
		}
		tab.Await("the narrow window", func() bool { return browsertest.Eval[int64](tab, "innerWidth") == width })
		tab.Look(page.name)
		wide := browsertest.Eval[[]string](tab, `(() => { const w = document.documentElement.clientWidth;
			return [...document.querySelectorAll("body *")].filter(e => { const r = e.getBoundingClientRect(); return r.right > w + 0.5 || r.left < -0.5 || e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 })
				.map(e => { const r = e.getBoundingClientRect(); return [e.tagName, e.textContent.trim().slice(0, 20), "from", r.left, "to", r.right, "of", w, "inside", e.scrollWidth, "of", e.clientWidth].join(" ") }) })()`)
		if len(wide) > 0 {
			tab.Fail("at %d pixels this does not fit: %s", width, strings.Join(wide, "; "))
		}
	}
}

// keyboard goes from the page after signing out to a private page, without a
// mouse.
func keyboard(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/auth/logged-out")
	tab.Press(kb.Tab)
	if got := browsertest.Eval[string](tab, "document.activeElement.className"); got != "button" {
		tab.Fail("the first key does not reach the button, but %q", got)
	}
	if outline := browsertest.Eval[string](tab, "getComputedStyle(document.activeElement).outlineStyle"); outline == "none" {
		tab.Fail("the focus does not show")
	}
	tab.Look("focus")
	press := func(key string) { tab.Follow("a key", pressing(key)) }
	press(kb.Enter)
	tab.WantAt(w.domain + "/login?")
	w.tabTo(tab, viaKakao)
	press(kb.Enter)
	tab.WantAt(w.domain + "/_idp/Kakao/")
	w.tabTo(tab, person(0))
	press(kb.Enter)
	w.board.wantIn(tab, "/")
	w.tabTo(tab, "#sign-out")
	press(" ")
	tab.SeeText("You are signed out")
}

// tabTo presses Tab until something has the focus.
func (w *world) tabTo(tab *browsertest.Tab, css string) {
	w.t.Helper()
	for range 20 {
		if browsertest.Eval[bool](tab, "document.activeElement.matches(`"+css+"`)") {
			return
		}
		tab.Press(kb.Tab)
	}
	tab.Fail("the key Tab does not reach %s", css)
}
