package browsersuite_test

import (
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

var clockRows = []row{
	{name: "the page to sign in at stays open longer than the app waits", run: signInTooLate},
	{name: "the page to sign in at stays open longer than Cognito waits", run: cognitoTooLate},
	{name: "idle for too long: the next click signs in again, unasked", run: idleTooLong},
	{name: "a session ends, however busy", cfg: worldConfig{login: func(c *middleware.LoginConfig) {
		c.IdleTimeout, c.AbsoluteTimeout = 50*time.Minute, 2*time.Hour
	}}, run: absoluteEnd},
	{name: "the app's clock is wrong by a day", run: clockWrong},
}

// signInTooLate: Cognito's page is still good, the app's flow is not.
func signInTooLate(w *world) {
	tab := w.newTab()
	w.board.beginKakao(tab, "/page")
	w.ahead.Store(int64(11 * time.Minute))
	tab.Click(person(0))
	tab.SeeText("Please sign in again")
	tab.Look("explanation")
	if n := w.wire.count("/oauth2/token"); n != 0 {
		tab.Fail("the code of an old flow was redeemed")
	}
	tab.Click("a.button")
	w.board.wantIn(tab, "/")
}

// cognitoTooLate ends at Cognito's own page, which no app sees. The way back is
// the app's address.
func cognitoTooLate(w *world) {
	tab := w.newTab()
	w.board.beginKakao(tab, "/page")
	w.pool.Advance(6 * time.Minute)
	tab.Click(person(0))
	tab.WantAt(w.domain + "/")
	tab.SeeText("omething went wrong")
	tab.Look("cognito")
	w.board.beginKakao(tab, "/page")
	tab.Click(person(0))
	w.board.wantIn(tab, "/page")
}

func idleTooLong(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/")
	w.ahead.Store(int64(61 * time.Minute))
	pages := w.pages()
	tokens := w.wire.count("/oauth2/token")
	tab.Click("#next")
	// Cognito's own session answers, without a page; its tokens are of its
	// clock, which the app's is an hour ahead of here: they have expired.
	if w.wire.count("/oauth2/token") != tokens+1 {
		tab.Fail("the session went on after an hour without use")
	}
	if w.pages() != pages {
		tab.Fail("Cognito asked, though its session still stands")
	}
}

func absoluteEnd(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/")
	for range 2 { // 100 minutes, with a click every 50
		w.pool.Advance(49 * time.Minute)
		w.board.visit(tab, "/")
	}
	w.pool.Advance(25 * time.Minute)
	w.board.wantAsked(tab, "/") // Cognito's own session lasts an hour
}

func clockWrong(w *world) {
	tab := w.newTab()
	w.ahead.Store(int64(-24 * time.Hour))
	w.board.beginKakao(tab, "/page")
	tab.Click(person(0))
	tab.SeeText("Please sign in again")
	callbacks := len(w.asked(w.board.base, "/auth/callback"))
	if callbacks != 1 {
		tab.Fail("%d callbacks, want one: it went in circles", callbacks)
	}
}
