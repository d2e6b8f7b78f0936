package browsertest

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to show something.
const patience = 15 * time.Second

// Tab is a tab of a profile. Its methods end the test when something is not as
// it should be. It is for one goroutine.
type Tab struct {
	t    testing.TB
	ctx  context.Context //nolint:containedctx // chromedp keeps the tab in it
	name string          // of the step
}

// Step names what follows, for failures.
func (tab *Tab) Step(name string) { tab.name = name }

// Do runs actions of chromedp.
func (tab *Tab) Do(steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		tab.Fail("%v", err)
	}
}

// Open goes to an address, as typed into the address bar, and waits for the
// page.
func (tab *Tab) Open(address string) { tab.t.Helper(); tab.Do(chromedp.Navigate(address)) }

// Back goes back in the history, as the button beside the address bar does.
func (tab *Tab) Back() { tab.t.Helper(); tab.move(-1) }

// Forward goes forward in the history.
func (tab *Tab) Forward() { tab.t.Helper(); tab.move(+1) }

// move goes through the history and waits for the page. chromedp's own waits
// for it to load, and a page that the browser kept does not load.
func (tab *Tab) move(by int64) {
	tab.t.Helper()
	before := Run(tab, chromedp.NavigationEntries())
	to := before.CurrentIndex + by
	if to < 0 || to >= int64(len(before.Entries)) {
		tab.Fail("the history ends here")
	}
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	params := page.NavigateToHistoryEntryParams{EntryID: before.Entries[to].ID}
	if _, err := chromedp.Call(ctx, page.NavigateToHistoryEntry, params); err != nil {
		tab.Fail("going through the history: %v", err)
	}
	tab.Await("the page of the history", func() bool {
		ctx, cancel := context.WithTimeout(tab.ctx, time.Second)
		defer cancel()
		now, err := chromedp.Run(ctx, chromedp.NavigationEntries())
		if err != nil || now.CurrentIndex != to {
			return false
		}
		ready, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.readyState"))
		return err == nil && ready == "complete"
	})
}

// Reload loads the page again. A page that a form led to sends the form again.
func (tab *Tab) Reload() { tab.t.Helper(); tab.Do(chromedp.Reload()) }

// See waits until something is visible.
func (tab *Tab) See(css string) { tab.t.Helper(); tab.Text(css) }

// Click clicks what leads to another page, and waits for that page.
func (tab *Tab) Click(css string) {
	tab.t.Helper()
	tab.See(css)
	tab.Follow("clicking "+css, chromedp.Click(chromedp.CSS(css)))
}

// Follow does what leads to another page, and waits for that page.
func (tab *Tab) Follow(what string, steps ...chromedp.Action[chromedp.Void]) (status int) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, steps...)
	if err != nil {
		tab.Fail("%s: %v", what, err)
	}
	if response == nil { // a page that was kept, or one without HTTP
		return 0
	}
	return int(response.Status)
}

// Status opens an address and returns the status of the page it ends at.
func (tab *Tab) Status(address string) int {
	tab.t.Helper()
	return tab.Follow("opening a page", chromedp.Navigate(address))
}

// Press sends keys to what has the focus.
func (tab *Tab) Press(keys string) { tab.t.Helper(); tab.Do(chromedp.KeyEvent(keys)) }

// Fill types a value into a field, replacing what is there.
func (tab *Tab) Fill(css, value string) {
	tab.t.Helper()
	tab.See(css)
	tab.Do(chromedp.SetValue(chromedp.CSS(css), value))
}

// Text returns the text of something, as soon as it is visible. It asks the
// page itself: chromedp's own queries do not find a page that the browser kept
// and shows again.
func (tab *Tab) Text(css string) (text string) {
	tab.t.Helper()
	script := "(e => e && e.checkVisibility() ? [e.innerText] : [])(document.querySelector(" + strconv.Quote(css) + "))"
	tab.Await("seeing "+css, func() bool {
		found, err := TryEval[[]string](tab, script)
		if err != nil || len(found) == 0 {
			return false
		}
		text = strings.TrimSpace(found[0])
		return true
	})
	return text
}

// WantText checks what something says.
func (tab *Tab) WantText(css, want string) {
	tab.t.Helper()
	if got := tab.Text(css); got != want {
		tab.Fail("%s says %q, want %q", css, got, want)
	}
}

// WantContains checks a part of what something says.
func (tab *Tab) WantContains(css, want string) {
	tab.t.Helper()
	if got := tab.Text(css); !strings.Contains(got, want) {
		tab.Fail("%s says %q, want it to contain %q", css, got, want)
	}
}

// SeeText checks that a page with a heading contains a text.
func (tab *Tab) SeeText(want string) { tab.t.Helper(); tab.See("h1"); tab.WantContains("body", want) }

// At returns where the tab is.
func (tab *Tab) At() string {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	at, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		tab.Fail("where is the tab: %v", err)
	}
	return at
}

// WantAt checks where the tab is.
func (tab *Tab) WantAt(prefix string) {
	tab.t.Helper()
	if at := tab.At(); !strings.HasPrefix(at, prefix) {
		at, _, _ = strings.Cut(at, "?") // the query may hold a code
		tab.Fail("the browser is at %s, want %s", at, prefix)
	}
}

// Resize sets the size of the page's window, in CSS pixels.
func (tab *Tab) Resize(width, height int64) {
	tab.t.Helper()
	tab.Do(chromedp.EmulateViewport(width, height))
}

// Speak sets the languages that the browser asks for, as its settings do:
// "ko-KR,ko".
func (tab *Tab) Speak(languages string) {
	tab.t.Helper()
	params := emulation.SetUserAgentOverrideParams{
		UserAgent: Eval[string](tab, "navigator.userAgent"), AcceptLanguage: languages,
	}
	if _, err := chromedp.Call(tab.ctx, emulation.SetUserAgentOverride, params); err != nil {
		tab.Fail("setting the language: %v", err)
	}
}

// Eval runs a script in the page, waits for its promise if it is one, and
// returns its value.
func Eval[T any](tab *Tab, script string) T {
	tab.t.Helper()
	value, err := TryEval[T](tab, script)
	if err != nil {
		tab.Fail("the script: %v", err)
	}
	return value
}

// TryEval is [Eval] for a script that may fail.
func TryEval[T any](tab *Tab, script string) (T, error) {
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// Await polls until a condition holds: what is named in the failure.
func (tab *Tab) Await(what string, holds func() bool) {
	tab.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			tab.Fail("%s did not happen in %v", what, patience)
		}
	}
}

// Run runs an action that returns something.
func Run[T any](tab *Tab, action chromedp.Action[T]) T {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		tab.Fail("%v", err)
	}
	return value
}

// Fail ends the test.
func (tab *Tab) Fail(format string, args ...any) {
	tab.t.Helper()
	tab.t.Fatalf(tab.name+": "+format, args...)
}
