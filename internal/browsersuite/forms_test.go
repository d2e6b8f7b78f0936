package browsersuite_test

import (
	"fmt"
	"net/http"
	"time"
)

var formRows = []row{
	{name: "the session ends while a form is filled in", run: expiredMidForm},
	{name: "a form posted from another site", run: func(w *world) { foreignForm(w, w.stranger) }},
	{name: "a form posted from a sibling host", run: func(w *world) { foreignForm(w, w.desk.base) }},
	{name: "signing out posted from another site", run: func(w *world) { foreignSignOut(w, w.stranger) }},
	{name: "signing out posted from a sibling host", run: func(w *world) { foreignSignOut(w, w.desk.base) }},
	{name: "signing out as a link and an image of another site", run: signOutLink},
	{name: "signing in started by another site", run: foreignSignIn},
}

const letter = "three pages of text"

// expiredMidForm: nothing is saved without a session, and nothing is lost: the
// browser still has what it sent.
func expiredMidForm(w *world) {
	p := w.newProfile()
	tab := p.NewTab()
	w.board.signIn(tab, "/")
	tab.Click("#notes")
	tab.Fill("#text", letter)
	w.pool.Advance(2 * time.Hour) // longer than sessions stay without use, and Cognito's own
	status := tab.Follow("saving", clickOn("#save"))
	tab.Look("answer")
	if status != http.StatusUnauthorized {
		tab.Fail("status %d, want 401", status)
	}
	if n := w.board.saved(); n != 0 {
		tab.Fail("%d notes were saved without a session", n)
	}
	tab.SeeText("Your sign-in has ended")
	tab.Step("signed in again in another tab, and sent once more")
	other := p.NewTab()
	w.board.signIn(other, "/")
	tab.Reload() // sends the form again
	tab.WantText("#saved", letter)
	if n := w.board.saved(); n != 1 {
		tab.Fail("%d notes were saved, want one", n)
	}
}

// foreignPage is a page of an origin that posts a form to an address at a
// click.
func (w *world) foreignPage(origin, target string) string {
	page := fmt.Sprintf(`<!doctype html><h1>You have won</h1><form method="post" action="%s">
<input name="text" value="from elsewhere"><input name="everywhere" value="1"><button id="win">Get it</button></form>`, target)
	w.serve(origin, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(rw, page)
	}))
	return origin + "/"
}

func foreignForm(w *world, origin string) {
	tab := w.newTab()
	w.board.signIn(tab, "/")
	tab.Open(w.foreignPage(origin, w.board.base+"/notes"))
	if status := tab.Follow("posting", clickOn("#win")); status != http.StatusForbidden {
		tab.Fail("status %d, want 403", status)
	}
	if n := w.board.saved(); n != 0 {
		tab.Fail("the note of another site was saved")
	}
	w.board.visit(tab, "/")
}

func foreignSignOut(w *world, origin string) {
	tab := w.newTab()
	w.board.signIn(tab, "/")
	tab.Open(w.foreignPage(origin, w.board.base+"/auth/logout"))
	if status := tab.Follow("posting", clickOn("#win")); status != http.StatusForbidden {
		tab.Fail("status %d, want 403", status)
	}
	tab.SeeText("You are not signed out")
	tab.Look("explanation")
	w.board.visit(tab, "/")
	tab.Step("by the button of that page")
	tab.Open(w.foreignPage(origin, w.board.base+"/auth/logout"))
	tab.Follow("posting", clickOn("#win"))
	tab.Click("button")
	tab.SeeText("You are signed out")
	w.board.wantAsked(tab, "/")
}

func signOutLink(w *world) {
	tab := w.newTab()
	w.board.signIn(tab, "/")
	target := w.board.base + "/auth/logout"
	w.strange.HandleFunc("/", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(rw, `<!doctype html><h1>Cats</h1><img src="%s"><iframe src="%s"></iframe><a id="cats" href="%s">More cats</a>`, target, target, target)
	})
	tab.Open(w.stranger + "/")
	tab.Click("#cats")
	tab.SeeText("Sign out?")
	if n := len(w.asked(w.board.base, "/auth/logout")); n < 3 {
		tab.Fail("%d requests to sign out, want link, image and frame", n)
	}
	w.board.visit(tab, "/")
}

// foreignSignIn: another site may send somebody to sign in, but to no place
// outside of the app.
func foreignSignIn(w *world) {
	tab := w.newTab()
	targets := []string{
		"//www.stranger.example/", "/\\www.stranger.example/", "https://www.stranger.example/", "/x/..//www.stranger.example/",
		"/%09/www.stranger.example/", "/auth/logout", "javascript:alert(1)", "/%5cwww.stranger.example/",
	}
	w.board.signIn(tab, "/") // Cognito asks no more: all that follows is one redirect after the other
	for _, target := range targets {
		tab.Step(target)
		tab.Open(w.board.base + "/bare")
		tab.Follow("going to sign in", goTo(w.board.base+"/auth/login?return_to="+escape(target)))
		w.board.wantIn(tab, "/")
	}
}
