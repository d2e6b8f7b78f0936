package browsersuite_test

import (
	"net/http"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/internal/browsertest"
)

var scriptRows = []row{
	{name: "fetch without a session: 401, JSON and no redirect", run: func(w *world) { scriptRefused(w, byFetch) }},
	{name: "XMLHttpRequest without a session: 401, JSON and no redirect", run: func(w *world) { scriptRefused(w, byXHR) }},
	{name: "fetch that asks for HTML", run: func(w *world) { scriptRefused(w, byFetchHTML) }},
	{name: "fetch cannot pose as a person", run: poseAsPerson},
	{name: "fetch with a session, and after it has ended", run: scriptSession},
	{name: "fetch from a sibling host reads nothing", run: func(w *world) { foreignFetch(w, w.desk.base) }},
	{name: "fetch from another site reads nothing", run: func(w *world) { foreignFetch(w, w.library.base) }},
	{name: "images and scripts are not sent to sign in", run: subresources},
	{name: "prefetching the sign-in", run: func(w *world) { fetchedAhead(w, "prefetch", "/auth/login") }},
	{name: "prefetching a private page", run: func(w *world) { fetchedAhead(w, "prefetch", "/private") }},
	{name: "prerendering the sign-in", run: func(w *world) { fetchedAhead(w, "prerender", "/auth/login") }},
	{name: "prerendering a private page", run: func(w *world) { fetchedAhead(w, "prerender", "/private") }},
}

// answer is what a script gets.
type answer struct {
	Status     int    `json:"status"`
	Type       string `json:"type"`
	Body       string `json:"body"`
	Redirected bool   `json:"redirected"`
}

const (
	byFetch = `fetch("/api").then(async r => ({status: r.status, type: r.headers.get("content-type"), body: await r.text(), redirected: r.redirected}))`
	// What a browser puts into the address bar's requests, as far as a script may.
	byFetchHTML = `fetch("/private", {headers: {Accept: "text/html,application/xhtml+xml"}}).then(async r => ({status: r.status, type: r.headers.get("content-type"), body: await r.text(), redirected: r.redirected}))`
	byXHR       = `new Promise(done => { const x = new XMLHttpRequest(); x.open("GET", "/api");
		x.onload = () => done({status: x.status, type: x.getResponseHeader("content-type"), body: x.responseText, redirected: !x.responseURL.endsWith("/api")}); x.onerror = () => done({status: 0, type: "", body: "", redirected: true}); x.send() })`
)

func scriptRefused(w *world, script string) {
	tab := w.newTab()
	tab.Open(w.board.base + "/bare")
	got := browsertest.Eval[answer](tab, script)
	if got.Status != http.StatusUnauthorized || got.Redirected || !strings.HasPrefix(got.Type, "application/json") ||
		!strings.Contains(got.Body, `"login_url":"/auth/login"`) {
		tab.Fail("the script gets %+v", got)
	}
	if n := len(w.asked(w.domain, "/oauth2/authorize")); n != 0 {
		tab.Fail("the script was sent to Cognito")
	}
	if got := browserCookies(tab, w.board.base); len(got) != 0 {
		tab.Fail("a script that was refused got %d cookies", len(got))
	}
	// A front end sends the person there, which is all that login_url is for.
	tab.Follow("going to login_url", goTo(w.board.base+"/auth/login"))
	tab.WantAt(w.domain + "/login?")
}

// poseAsPerson: what a redirect to sign in hangs on is the browser's to say.
func poseAsPerson(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/bare")
	if _, err := browsertest.TryEval[int](tab, `fetch("/private", {mode: "navigate"}).then(r => r.status)`); err == nil {
		tab.Fail("a script navigates by fetch")
	}
	status := browsertest.Eval[int](tab, `fetch("/private", {headers: {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}}).then(r => r.status)`)
	if got := w.asked(w.board.base, "/private"); status != http.StatusUnauthorized || len(got) != 1 || got[0].header.Get("Sec-Fetch-Mode") != "cors" {
		tab.Fail("%d requests, the last answered %d", len(got), status)
	}
}

func scriptSession(w *world) {
	p := w.newProfile()
	tab, other := p.NewTab(), p.NewTab()
	w.board.signIn(tab, "/")
	if got := browsertest.Eval[answer](tab, byFetch); got.Status != http.StatusOK || !strings.Contains(got.Body, secret) {
		tab.Fail("with a session the script gets %+v", got)
	}
	w.board.visit(other, "/")
	w.signOut(other)
	if got := browsertest.Eval[answer](tab, byFetch); got.Status != http.StatusUnauthorized || strings.Contains(got.Body, secret) {
		tab.Fail("after signing out the script gets %+v", got)
	}
}

func foreignFetch(w *world, origin string) {
	p := w.newProfile()
	tab := p.NewTab()
	w.board.signIn(tab, "/")
	tab.Open(origin + "/bare")
	for _, path := range []string{"/api", "/auth/me", "/auth/login"} {
		read, err := browsertest.TryEval[string](tab, `fetch("`+w.board.base+path+`", {credentials: "include"}).then(r => r.text())`)
		if err == nil {
			tab.Fail("%s of another origin was read: %d bytes", path, len(read))
		}
		kind, err := browsertest.TryEval[string](tab, `fetch("`+w.board.base+path+`", {credentials: "include", mode: "no-cors"}).then(async r => r.type + (await r.text()))`)
		if err == nil && kind != "opaque" {
			tab.Fail("%s of another origin was read", path)
		}
	}
	if len(w.asked(w.board.base, "/api")) == 0 {
		tab.Fail("nothing was asked: this test proves nothing")
	}
	w.board.visit(tab, "/")
}

func subresources(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/bare")
	_ = browsertest.Eval[int](tab, `Promise.all([["img", "/picture.png"], ["script", "/script.js"]].map(([kind, src]) => new Promise(done => {
		const e = document.createElement(kind); e.onload = e.onerror = done; e.src = src; document.body.append(e) }))).then(() => 0)`)
	for _, path := range []string{"/picture.png", "/script.js"} {
		got := w.asked(w.board.base, path)
		if len(got) != 1 || got[0].status != http.StatusUnauthorized {
			tab.Fail("%s was answered %+v", path, len(got))
		}
	}
	if n := len(w.asked(w.domain, "/oauth2/authorize")); n != 0 {
		tab.Fail("a part of a page was sent to Cognito")
	}
}

// speculate puts rules into the page and waits for the request ahead.
func speculate(w *world, kind, path string) (tab *browsertest.Tab, ahead seen) {
	tab = w.newTab()
	tab.Open(w.board.base + "/bare")
	_ = browsertest.Eval[int](tab, `(() => { const s = document.createElement("script"); s.type = "speculationrules";
		s.textContent = JSON.stringify({`+kind+`: [{source: "list", urls: ["`+path+`"], eagerness: "immediate"}]});
		document.head.append(s); return 0 })()`)
	tab.Await("a request ahead", func() bool { return len(w.asked(w.board.base, path)) > 0 })
	ahead = w.asked(w.board.base, path)[0]
	if !strings.Contains(ahead.header.Get("Sec-Purpose"), "prefetch") {
		tab.Fail("Sec-Purpose is %q: this test proves nothing", ahead.header.Get("Sec-Purpose"))
	}
	return tab, ahead
}

// fetchedAhead: what the browser fetched ahead is not what it shows when the
// person comes.
func fetchedAhead(w *world, kind, path string) {
	tab, ahead := speculate(w, kind, path)
	if len(w.asked(w.domain, "/oauth2/authorize")) != 0 {
		tab.Fail("the request ahead, answered %d, started a sign-in", ahead.status)
	}
	if got := browserCookies(tab, w.board.base); len(got) != 0 {
		tab.Fail("the request ahead set %d cookies", len(got))
	}
	tab.Step("the person comes")
	tab.Follow("going there", goTo(w.board.base+path))
	tab.WantAt(w.domain + "/login?")
	tab.See(viaKakao)
}
