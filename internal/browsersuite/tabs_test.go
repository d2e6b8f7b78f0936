package browsersuite_test

import "github.com/ssu-itsupport/cognito-sso/internal/browsertest"

var tabRows = []row{
	{name: "two tabs, the first one finishes first", run: func(w *world) { twoTabs(w, 0, 1) }},
	{name: "two tabs, the second one finishes first", run: func(w *world) { twoTabs(w, 1, 0) }},
	{name: "one tab starts twice", run: oneTabTwice},
	{name: "five tabs, the newest four finish", run: fiveTabs},
	{name: "five tabs, only the oldest finishes", run: oldestOfFive},
	{name: "two tabs with different people", run: twoPeople},
	{name: "a tab that finishes after signing out", run: tabAfterSignOut},
	{name: "a double click on the button", run: doubleClick},
}

// twoTabs begins in two tabs of one profile and finishes in this order: each
// one ends where it began.
func twoTabs(w *world, order ...int) {
	paths := []string{"/first?a=1&b=2", "/second"}
	p := w.newProfile()
	tabs := []*browsertest.Tab{p.NewTab(), p.NewTab()}
	for i, tab := range tabs {
		w.board.beginKakao(tab, paths[i])
	}
	for _, i := range order {
		tabs[i].Step(paths[i])
		tabs[i].Click(person(0))
		w.board.wantIn(tabs[i], paths[i])
	}
	for i, tab := range tabs {
		tab.Reload()
		w.board.wantIn(tab, paths[i])
	}
}

// oneTabTwice starts, thinks better of it, and starts elsewhere; and then goes
// back to the first one.
func oneTabTwice(w *world) {
	tab := w.newTab()
	w.board.beginKakao(tab, "/first")
	w.board.beginKakao(tab, "/second")
	tab.Click(person(0))
	w.board.wantIn(tab, "/second")
	tab.Step("back to the first one, which finishes too")
	for range 3 { // Kakao's page and Cognito's of the second one, Kakao's of the first
		tab.Back()
	}
	tab.Click(person(0))
	w.board.wantIn(tab, "/first")
}

func fiveTabs(w *world) {
	p := w.newProfile()
	var tabs []*browsertest.Tab
	for i := range 5 {
		tab := p.NewTab()
		tabs = append(tabs, tab)
		w.board.beginKakao(tab, "/tab"+string(rune('0'+i)))
	}
	for i := 4; i > 0; i-- {
		tabs[i].Click(person(0))
		w.board.wantIn(tabs[i], "/tab"+string(rune('0'+i)))
	}
	// The flow of the oldest tab is gone. Somebody who is signed in has no use
	// for an error page.
	tabs[0].Step("the oldest tab")
	tabs[0].Click(person(0))
	w.board.wantIn(tabs[0], "/")
	w.wantFewCookies(4)
}

func oldestOfFive(w *world) {
	p := w.newProfile()
	oldest := p.NewTab()
	w.board.beginKakao(oldest, "/oldest")
	for range 4 {
		w.board.beginKakao(p.NewTab(), "/later")
	}
	oldest.Click(person(0))
	oldest.SeeText("Please sign in again")
	oldest.WantAt(w.board.base + "/auth/callback?")
	oldest.Look("explanation")
	w.wantFewCookies(4)
	// Cognito knows who it is by now: one click.
	oldest.Click("a.button")
	w.board.wantIn(oldest, "/")
}

// wantFewCookies checks how many flow cookies the board was ever sent at once.
func (w *world) wantFewCookies(most int) {
	w.t.Helper()
	for _, path := range []string{"/auth/login", "/auth/callback"} {
		for _, s := range w.asked(w.board.base, path) {
			if n := len(cookiesOf(s, "-flow-")); n > most {
				w.t.Errorf("%s got %d flow cookies, more than %d", path, n, most)
			}
		}
	}
}

// twoPeople: whoever finishes last is who the browser is.
func twoPeople(w *world) {
	p := w.newProfile()
	a, b := p.NewTab(), p.NewTab()
	w.board.beginKakao(a, "/a")
	w.board.beginKakao(b, "/b")
	a.Click(person(0))
	w.board.wantIn(a, "/a")
	b.Click(person(1))
	b.WantText("#who", lee.Name)
	a.Reload()
	a.WantText("#who", lee.Name)
}

func tabAfterSignOut(w *world) {
	p := w.newProfile()
	a, b := p.NewTab(), p.NewTab()
	w.board.beginKakao(a, "/a")
	w.board.beginKakao(b, "/b")
	a.Click(person(0))
	w.board.wantIn(a, "/a")
	a.Click("#sign-out")
	a.SeeText("You are signed out")
	// Its flow went with the sign-out: somebody who signed out is not signed in
	// by a tab that was forgotten.
	b.Click(person(0))
	b.SeeText("Please sign in again")
	b.Open(w.board.base + "/open")
	b.See("#nobody")
}

func doubleClick(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/open")
	tab.See("#kakao")
	if n := browsertest.Eval[int](tab, `(() => { const k = document.querySelector("#kakao"); k.click(); k.click(); return 2 })()`); n != 2 {
		tab.Fail("%d clicks", n)
	}
	tab.See(person(0))
	tab.Click(person(0))
	w.board.wantIn(tab, "/")
}
