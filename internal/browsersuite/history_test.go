package browsersuite_test

import (
	"context"
	"net/url"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/ssu-itsupport/cognito-sso/internal/browsertest"
)

var historyRows = []row{
	{name: "no code, token or state in address, history, referrer, page or storage", run: nothingLeft},
	{name: "a refused callback hands its address to nobody", run: refusedReferrer},
}

func nothingLeft(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/open")
	tab.Click("#signin")
	tab.Click(viaKakao)
	tab.Click(person(0))
	w.board.wantIn(tab, "/next?a=1")

	callback := w.asked(w.board.base, "/auth/callback")
	authorize := w.asked(w.domain, "/oauth2/authorize")
	if len(callback) != 1 || len(authorize) == 0 {
		tab.Fail("%d callbacks", len(callback))
	}
	secrets := map[string]string{
		"code": callback[0].query.Get("code"), "state": callback[0].query.Get("state"),
		"nonce": authorize[0].query.Get("nonce"), "challenge": authorize[0].query.Get("code_challenge"), "token": "eyJ",
	}
	for name, value := range secrets {
		if value == "" {
			tab.Fail("no %s was seen: this test proves nothing", name)
		}
	}
	clean := func(where, text string) {
		for name, value := range secrets {
			if strings.Contains(text, value) {
				tab.Fail("%s has the %s", where, name)
			}
		}
	}
	clean("the address", tab.At())
	clean("the page", browsertest.Eval[string](tab, "document.documentElement.outerHTML"))
	clean("the referrer", browsertest.Eval[string](tab, "document.referrer"))
	clean("window.name", browsertest.Eval[string](tab, "window.name"))
	clean("history.state", browsertest.Eval[string](tab, "JSON.stringify(history.state)"))
	if n := browsertest.Eval[int](tab, "localStorage.length + sessionStorage.length"); n != 0 {
		tab.Fail("%d entries in the storage of the page", n)
	}
	if n := browsertest.Eval[int](tab, "indexedDB.databases().then(d => d.length)"); n != 0 {
		tab.Fail("%d databases", n)
	}
	for _, e := range history(tab) {
		u, err := url.Parse(e)
		if err != nil || u.Path == "/auth/callback" || u.Path == "/auth/login" {
			tab.Fail("the history has %s", u.Path)
		}
		if "https://"+u.Host == w.board.base {
			clean("the history", e)
		}
	}
	tab.Step("what the next site is told")
	_ = browsertest.Eval[int](tab, "location.assign('"+w.stranger+"/'), 0")
	tab.Await("the other site", func() bool { return len(w.asked(w.stranger, "/")) == 1 })
	clean("the referrer of the next site", w.asked(w.stranger, "/")[0].header.Get("Referer"))
	for _, s := range w.asked(w.board.base, "/next") {
		clean("the referrer of the first page", s.header.Get("Referer"))
	}
}

// history are the addresses behind and before the tab's page.
func history(tab *browsertest.Tab) []string {
	return browsertest.Run(tab, func(ctx context.Context, t *chromedp.Target) ([]string, error) {
		got, err := cdp.Call(ctx, t, page.GetNavigationHistory, cdp.Empty{})
		var all []string
		for _, e := range got.Entries {
			all = append(all, e.URL)
		}
		return all, err
	})
}

// refusedReferrer: the page is at an address with a code, and has links.
func refusedReferrer(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/auth/callback?code=0f0e0d0c-codecodecode&state=" + strings.Repeat("s", 43))
	tab.SeeText("Please sign in again")
	tab.Click(`a[href="/"]`)
	tab.WantAt(w.domain + "/login?")
	for _, base := range []string{w.board.base, w.domain} {
		for _, path := range []string{"/", "/auth/login", "/login", "/oauth2/authorize"} {
			for _, s := range w.asked(base, path) {
				if got := s.header.Get("Referer"); strings.Contains(got, "code") {
					tab.Fail("%s is told where the person was", path)
				}
			}
		}
	}
}
