package browsersuite_test

import (
	"net/http"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/internal/browsertest"
)

var callbackRows = []row{
	{name: "callback reloaded, signed in", run: callbackAgain},
	{name: "callback bookmarked, signed out", run: callbackBookmarked},
	{name: "callback reloaded while Cognito is slow", run: callbackSlow},
	{name: "callback of one person opened by another, who is signed out", run: func(w *world) { callbackStolen(w, false) }},
	{name: "callback of one person opened by another, who is signing in", run: func(w *world) { callbackStolen(w, true) }},
	{name: "code of one person put into the callback of another", run: codeInjected},
	{name: "the explanation reloaded", run: explanationReloaded},
	{name: "back and forward through a sign-in", run: backAndForward},
}

// lastCallback is the address of the newest callback.
func (w *world) lastCallback() string {
	w.t.Helper()
	all := w.asked(w.board.base, "/auth/callback")
	if len(all) == 0 {
		w.t.Fatal("there was no callback")
	}
	return w.board.base + "/auth/callback?" + all[len(all)-1].query.Encode()
}

func callbackAgain(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/page")
	for range 3 {
		tab.Open(w.lastCallback())
		w.board.wantIn(tab, "/")
	}
	if n := w.wire.count("/oauth2/token"); n != 1 {
		tab.Fail("%d calls to redeem codes, want one", n)
	}
}

func callbackBookmarked(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/page")
	w.signOut(tab)
	tab.Open(w.lastCallback())
	tab.SeeText("Please sign in again")
	tab.Look("explanation")
	tab.Open(w.board.base + "/open")
	tab.See("#nobody")
	if n := w.wire.count("/oauth2/token"); n != 1 {
		tab.Fail("%d calls to redeem codes, want one", n)
	}
}

// callbackSlow: the person opens the address once more, and both tabs are
// signed in by the one code.
func callbackSlow(w *world) {
	p := w.newProfile()
	tab, second := p.NewTab(), p.NewTab()
	second.Open(w.board.base + "/bare")
	w.board.beginKakao(tab, "/page")
	let := make(chan struct{})
	w.wire.setHook(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/oauth2/token" {
			<-let
		}
		return nil, nil
	})
	_ = browsertest.Eval[int](tab, "document.querySelector('"+person(0)+"').click(), 0")
	tab.Await("the first callback", func() bool { return w.arrived(w.board.base, "/auth/callback") == 1 })
	idp := w.asked(w.domain, "/oauth2/idpresponse")
	// "again" keeps the browser's own cache from making the second one wait.
	second.Do(goTo(idp[len(idp)-1].answer.Get("Location") + "&again=1"))
	tab.Await("the second callback", func() bool { return w.arrived(w.board.base, "/auth/callback") == 2 })
	close(let)
	for _, b := range []*browsertest.Tab{tab, second} {
		b.Await("the page", func() bool { return b.At() == w.board.base+"/page" })
		w.board.wantIn(b, "/page")
	}
	if n := w.wire.count("/oauth2/token"); n != 1 {
		tab.Fail("%d calls to redeem codes, want one", n)
	}
}

// callbackStolen: a stranger signs in as themselves, keeps the callback, and
// has somebody else open it, who would then work in the stranger's name.
func callbackStolen(w *world, signingIn bool) {
	stranger, victim := w.newTab(), w.newTab()
	w.board.beginKakao(stranger, "/")
	w.keepCallback(func() { stranger.Click(person(1)) })
	callback := w.lastCallback()
	if signingIn {
		w.board.beginKakao(victim, "/page")
	}
	if !signingIn {
		victim.Open(callback)
	} else {
		victim.Do(goTo(callback))
	}
	victim.SeeText("Please sign in again")
	victim.Look("explanation")
	if n := w.wire.count("/oauth2/token"); n != 0 {
		victim.Fail("the stranger's code was redeemed")
	}
	victim.Open(w.board.base + "/open")
	victim.See("#nobody")
}

// keepCallback keeps callbacks from being answered by the app while f runs.
func (w *world) keepCallback(f func()) {
	w.held.Store(true)
	defer w.held.Store(false)
	f()
}

func codeInjected(w *world) {
	stranger, victim := w.newTab(), w.newTab()
	w.board.beginKakao(stranger, "/")
	w.keepCallback(func() { stranger.Click(person(1)) })
	all := w.asked(w.board.base, "/auth/callback")
	code := all[len(all)-1].query.Get("code")

	w.board.beginKakao(victim, "/page")
	authorize := w.asked(w.domain, "/oauth2/authorize")
	state := authorize[len(authorize)-1].query.Get("state")
	victim.Open(w.board.base + "/auth/callback?code=" + code + "&state=" + state)
	victim.SeeText("Please sign in again")
	victim.Open(w.board.base + "/open")
	victim.See("#nobody")
}

func explanationReloaded(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/auth/callback?code=" + strings.Repeat("x", 36) + "&state=" + strings.Repeat("y", 43))
	tab.SeeText("Please sign in again")
	tab.Reload()
	tab.SeeText("Please sign in again")
	tab.Click("a.button")
	tab.WantAt(w.domain + "/login?")
}

// backAndForward: no page of the history is a callback, and all of them work.
func backAndForward(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/open")
	tab.Click("#kakao")
	tab.Click(person(0))
	w.board.wantIn(tab, "/")
	wantPool := func() { // its page was used: it says so, and sends nobody in circles
		tab.WantAt(w.domain + "/_idp/Kakao/authorize?")
		tab.SeeText("used already")
	}
	tab.Step("back")
	tab.Back()
	wantPool()
	tab.Back()
	tab.See("#app")
	tab.WantAt(w.board.base + "/open")
	tab.Step("forward")
	tab.Forward()
	wantPool()
	tab.Forward()
	w.board.wantIn(tab, "/")
	if n := w.wire.count("/oauth2/token"); n != 1 {
		tab.Fail("%d calls to redeem codes, want one", n)
	}
	w.board.visit(tab, "/")
}
