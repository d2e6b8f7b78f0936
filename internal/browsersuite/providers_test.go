package browsersuite_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/internal/browsertest"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// refusalText is what a trigger says about a person.
const refusalText = "hong at personal.example is on the list of Dr. Kim"

var providerRows = []row{
	{name: "Kakao's button goes straight to Kakao", run: kakaoButton},
	{name: "Google's button goes straight to Google", run: googleButton},
	{name: "the other provider's button, signed in at Cognito", run: otherButton},
	{name: "a provider that the app does not allow", run: unknownProvider},
	{name: "cancelled at the provider", run: cancelled},
	{name: "refused by a trigger: its text is not shown", cfg: worldConfig{pool: func(c *ssotest.Config) {
		c.Triggers.PreSignUp = ssotest.TriggerFunc(func(context.Context, json.RawMessage) (json.RawMessage, error) {
			return nil, errors.New(refusalText)
		})
	}}, run: refusedByTrigger},
	{name: "Cognito's token endpoint is down", run: tokenEndpointDown},
	{name: "what Cognito says in a callback is not shown", run: descriptionNotShown},
}

func kakaoButton(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/open")
	tab.Click("#kakao")
	tab.WantAt(w.domain + "/_idp/Kakao/")
	tab.Look("kakao")
	tab.Click(person(0))
	w.board.wantIn(tab, "/")
	if n := len(w.asked(w.domain, "/login")); n != 0 {
		tab.Fail("Cognito's own page was shown")
	}
}

func googleButton(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/open")
	tab.Click("#google")
	tab.WantAt(w.domain + "/_idp/Google/")
	tab.Click(person(0))
	tab.WantText("#who", kim.Name)
	tab.WantAt(w.board.base + "/")
}

// otherButton: somebody signed in through Kakao wants to be their Google self.
func otherButton(w *world) {
	tab := w.newTab()
	w.desk.signIn(tab, "/")
	tab.Open(w.board.base + "/open")
	tab.Click("#google")
	tab.WantAt(w.domain + "/_idp/Google/")
	tab.Click(person(0))
	tab.WantText("#who", kim.Name)
	tab.Open(w.desk.base + "/")
	tab.WantText("#who", hong.Name) // the desk's session is its own
}

func unknownProvider(w *world) {
	tab := w.newTab()
	tab.Open(w.board.base + "/open")
	tab.Click("#naver")
	tab.SeeText("This address does not work")
	tab.WantAt(w.board.base + "/auth/login?")
	tab.Look("unknown")
	if n := len(w.asked(w.domain, "/oauth2/authorize")); n != 0 {
		tab.Fail("Cognito was asked for a provider that is not allowed")
	}
	if body := tab.Text("body"); strings.Contains(body, "Naver") {
		tab.Fail("the page repeats what the address says")
	}
}

func cancelled(w *world) {
	tab := w.newTab()
	w.board.beginKakao(tab, "/page")
	tab.Click("#cancel")
	tab.SeeText("The sign-in was cancelled")
	tab.WantAt(w.board.base + "/auth/callback?")
	tab.Look("cancelled")
	tab.Step("again, to where it was going")
	tab.Click("a.button")
	tab.Click(viaKakao)
	tab.Click(person(0))
	w.board.wantIn(tab, "/page")
}

func refusedByTrigger(w *world) {
	tab := w.newTab()
	w.board.beginKakao(tab, "/page")
	tab.Click(person(0))
	tab.SeeText("The sign-in was refused")
	tab.Look("refused")
	callback := w.asked(w.board.base, "/auth/callback")
	if len(callback) != 1 || !strings.Contains(callback[0].query.Get("error_description"), refusalText) {
		tab.Fail("Cognito did not hand on what the trigger said: this test proves nothing")
	}
	html := browsertest.Eval[string](tab, "document.documentElement.outerHTML")
	for _, word := range []string{"personal.example", "Dr. Kim", "PreSignUp"} {
		if strings.Contains(html, word) {
			tab.Fail("the page has %q of what the trigger said", word)
		}
	}
	tab.Open(w.board.base + "/open")
	tab.See("#nobody")
}

func tokenEndpointDown(w *world) {
	tab := w.newTab()
	w.board.beginKakao(tab, "/page")
	w.pool.SetFaults(func(f *ssotest.Faults) {
		f.TokenEndpointStatus = http.StatusServiceUnavailable
		f.TokenEndpoint = "server_error"
	})
	tab.Click(person(0))
	tab.SeeText("Please try again in a moment")
	tab.Look("unavailable")
	w.pool.SetFaults(func(f *ssotest.Faults) { f.TokenEndpointStatus, f.TokenEndpoint = 0, "" })
	tab.Click("a.button")
	w.board.wantIn(tab, "/page")
}

func descriptionNotShown(w *world) {
	tab := w.newTab()
	w.board.beginKakao(tab, "/page")
	authorize := w.asked(w.domain, "/oauth2/authorize")
	state := authorize[len(authorize)-1].query.Get("state")
	tab.Open(w.board.base + "/auth/callback?error=access_denied&error_description=%3Cb%20id%3Dx%3Ecall%20010-1234%3C/b%3E&state=" + state)
	tab.SeeText("The sign-in was cancelled")
	if html := browsertest.Eval[string](tab, "document.documentElement.outerHTML"); strings.Contains(html, "010-1234") {
		tab.Fail("the page shows what the address says")
	}
}
