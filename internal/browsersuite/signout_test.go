package browsersuite_test

import (
	"net/http"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/internal/browsertest"
)

var signOutRows = []row{
	{name: "back after signing out shows nothing private", run: backAfterSignOut},
	{name: "back after signing out in another tab shows nothing private", run: backAfterOther},
	{name: "signing out is signing out: Cognito asks again", run: signOutAsksAgain},
	{name: "signed out in one tab, a click in the other", run: signOutOtherTab},
	{name: "signing out twice", run: signOutTwice},
	{name: "the address of signing out, typed", run: signOutTyped},
	{name: "a script signs out", run: signOutByScript},
}

func (w *world) signOut(tab *browsertest.Tab) {
	w.t.Helper()
	tab.Click("#sign-out")
	tab.SeeText("You are signed out")
	tab.WantAt(w.board.base + "/auth/logged-out")
}

// wantNothingPrivate goes through what the tab's history holds.
func (w *world) wantNothingPrivate(tab *browsertest.Tab, steps int) {
	w.t.Helper()
	for range steps {
		tab.Back()
		for range 20 { // a page that comes back from the cache may still change
			text, err := browsertest.TryEval[string](tab, "document.body ? document.body.innerText : ''")
			if err == nil && (strings.Contains(text, secret) || strings.Contains(text, hong.Name)) {
				tab.Fail("the page before shows what is private")
			}
		}
	}
}

func backAfterSignOut(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/first")
	tab.Click("#next")
	w.board.wantIn(tab, "/next")
	w.signOut(tab)
	tab.Look("signed-out")
	w.wantNothingPrivate(tab, 2)
	tab.Look("back")
}

func backAfterOther(w *world) {
	p := w.newProfile()
	a, b := p.NewTab(), p.NewTab()
	w.board.signIn(a, "/first")
	w.board.visit(b, "/second")
	b.Open(w.board.base + "/bare") // a public page, in front of the private one
	w.signOut(a)
	w.wantNothingPrivate(b, 1)
}

// visit opens a private page where there is a session.
func (a *app) visit(tab *browsertest.Tab, path string) {
	a.w.t.Helper()
	tab.Open(a.base + path)
	a.wantIn(tab, path)
}

func signOutAsksAgain(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/")
	if got := len(browserCookies(tab, w.board.base)); got == 0 {
		tab.Fail("a signed-in browser has no cookie")
	}
	w.signOut(tab)
	for _, c := range browserCookies(tab, w.board.base) {
		tab.Fail("the cookie %s is still there after signing out", c.Name)
	}
	w.board.wantAsked(tab, "/")
	tab.Step("the button of the page after signing out")
	tab.Open(w.board.base + "/auth/logged-out")
	tab.Click("a.button")
	tab.WantAt(w.domain + "/login?")
}

func signOutOtherTab(w *world) {
	p := w.newProfile()
	a, b := p.NewTab(), p.NewTab()
	w.board.signIn(a, "/")
	w.board.visit(b, "/here")
	w.signOut(a)
	b.Click("#next")
	b.WantAt(w.domain + "/login?")
	b.Step("and in again, to where the click led")
	b.Click(viaKakao)
	b.Click(person(0))
	w.board.wantIn(b, "/next")
}

func signOutTwice(w *world) {
	p := w.newProfile()
	a, b := p.NewTab(), p.NewTab()
	w.board.signIn(a, "/")
	w.board.visit(b, "/b")
	w.signOut(a)
	w.signOut(b)
}

func signOutTyped(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/")
	if status := tab.Status(w.board.base + "/auth/logout"); status != http.StatusMethodNotAllowed {
		tab.Fail("status %d, want 405", status)
	}
	tab.SeeText("Sign out?")
	tab.Look("typed")
	tab.Click("button")
	tab.SeeText("You are signed out")
	w.board.wantAsked(tab, "/")
}

func signOutByScript(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/")
	target := browsertest.Eval[string](tab, `fetch("/auth/logout", {method: "POST"}).then(r => r.json()).then(j => j.logout_url)`)
	if !strings.HasPrefix(target, w.domain+"/logout?") {
		tab.Fail("the script is told to go to %q", target)
	}
	tab.Open(target)
	tab.SeeText("You are signed out")
	w.board.wantAsked(tab, "/")
}
