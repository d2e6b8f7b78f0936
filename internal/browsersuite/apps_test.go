package browsersuite_test

import (
	"net/http"
	"slices"

	"github.com/ssu-itsupport/cognito-sso/internal/browsertest"
)

var appRows = []row{
	{name: "second app of the site: no question", run: func(w *world) { secondApp(w, w.desk) }},
	{name: "second app of another site: no question", run: func(w *world) { secondApp(w, w.library) }},
	{name: "second app silently, signed in at Cognito", run: silentSignedIn},
	{name: "second app silently, signed out at Cognito", run: silentSignedOut},
	{name: "signing out of one app", run: signOutOfOne},
	{name: "in a frame of the same site", run: func(w *world) { framed(w, w.desk) }},
	{name: "in a frame of another site", run: func(w *world) { framed(w, w.library) }},
}

func secondApp(w *world, second *app) {
	tab := w.newTab()
	w.board.signIn(tab, "/")
	pages := w.pages()
	tab.Open(second.base + "/page?x=1")
	second.wantIn(tab, "/page?x=1")
	if w.pages() != pages {
		tab.Fail("the second app asked who it is")
	}
}

func silentSignedIn(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/")
	pages := w.pages()
	tab.Open(w.desk.base + "/open")
	tab.See("#nobody")
	tab.Click("#silent")
	tab.WantText("#who", hong.Name)
	tab.WantAt(w.desk.base + "/open")
	if w.pages() != pages {
		tab.Fail("prompt=none showed a page")
	}
}

func silentSignedOut(w *world) {
	tab := w.newTab()
	tab.Open(w.desk.base + "/open")
	tab.Click("#silent")
	tab.See("#nobody")
	tab.WantAt(w.desk.base + "/open")
	if w.pages() != 0 {
		tab.Fail("prompt=none showed a page")
	}
	asked := len(w.asked(w.domain, "/oauth2/authorize"))
	if asked != 1 {
		tab.Fail("Cognito was asked %d times, want once", asked)
	}
	tab.Step("again, at once: Cognito is not asked")
	tab.Click("#silent")
	tab.See("#nobody")
	if n := len(w.asked(w.domain, "/oauth2/authorize")); n != asked {
		tab.Fail("Cognito was asked again")
	}
	tab.Step("with a page, it works")
	tab.Click("#kakao")
	tab.Click(person(0))
	w.desk.wantIn(tab, "/")
}

// signOutOfOne: signing out ends the session of that app and Cognito's, so that
// the next app asks; an app that was signed in has its own session until then.
func signOutOfOne(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/")
	w.desk.visit(tab, "/")
	tab.Open(w.board.base + "/")
	w.signOut(tab)
	w.desk.visit(tab, "/")
	w.library.wantAsked(tab, "/")
}

// framed puts the board into a page of another origin. Nothing private shows in
// it, and no page of Login does; with a session or without.
func framed(w *world, outer *app) {
	tab := w.newTab()
	inFrame := func(path string) {
		tab.Step("framed " + path)
		tab.Open(outer.base + "/bare")
		before := len(w.asked(w.board.base, path))
		_ = browsertest.Eval[bool](tab, `new Promise(done => {
			const f = document.createElement("iframe");
			f.onload = f.onerror = () => done(true);
			f.src = "`+w.board.base+path+`";
			document.body.append(f);
		})`)
		got := w.asked(w.board.base, path)
		if len(got) == before {
			tab.Fail("the frame asked for nothing: this test proves nothing")
		}
		if last := got[len(got)-1]; last.header.Get("Sec-Fetch-Dest") != "iframe" {
			tab.Fail("the browser says it is for %q", last.header.Get("Sec-Fetch-Dest"))
		}
	}
	for _, path := range []string{"/auth/logged-out", "/auth/logout", "/auth/callback"} {
		inFrame(path)
		got := w.asked(w.board.base, path)
		if last := got[len(got)-1]; last.answer.Get("X-Frame-Options") != "DENY" {
			tab.Fail("%s lets itself be framed", path)
		}
	}
	inFrame("/private")
	got := w.asked(w.domain, "/login")
	if slices.ContainsFunc(got, func(s seen) bool { return s.status == http.StatusOK && s.answer.Get("X-Frame-Options") == "" }) {
		tab.Fail("Cognito's page lets itself be framed")
	}
	tab.Look("framed")
	tab.Step("and the frame's attempt is in nobody's way")
	w.board.signIn(tab, "/page")
}
