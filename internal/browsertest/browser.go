// Package browsertest starts a real browser for tests: Chromium, driven by
// chromedp, as docs/decisions/0008 says. One browser has any number of
// profiles, which share nothing, and a profile any number of tabs, which share
// its cookies.
//
// A test that fails leaves a picture of every tab it had open.
package browsertest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
)

// Config says how the browser is started. The zero value is one as it comes.
type Config struct {
	// Flags are added to the command line, without their dashes.
	Flags map[string]any
	// Preferences are the settings that have no flag, as the file Preferences
	// of a profile has them.
	Preferences map[string]any
}

// flags are Chromium's way of saying that it may not run as root in a
// container, and that it should leave the network and this machine alone.
var flags = map[string]any{
	"headless": "new", "no-sandbox": true, "disable-gpu": true, "disable-quic": true, "no-first-run": true,
	"disable-background-networking": true, "disable-component-update": true, "disable-sync": true,
}

// Browser is a running browser. It is safe for concurrent use.
type Browser struct {
	ctx context.Context //nolint:containedctx // chromedp keeps the browser in it
}

// Start starts a browser that lasts as long as the test. Without one on this
// machine it skips the test, or fails it where SSO_REQUIRE_REAL=1.
func Start(t testing.TB, cfg Config) *Browser {
	t.Helper()
	path := realtest.Need(t, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
		chromedp.UserDataDir(userData(t, cfg.Preferences)))
	for _, set := range []map[string]any{flags, cfg.Flags} {
		for name, value := range set {
			opts = append(opts, chromedp.Flag(name, value))
		}
	}
	ctx, cancelAllocator := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancelAllocator)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	// The browser lives as long as the context of this first call.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("the browser does not start: %v", err)
	}
	return &Browser{ctx}
}

// userData is a new user data directory with these settings.
func userData(t testing.TB, preferences map[string]any) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sso-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(dir) })
	if preferences == nil {
		return dir
	}
	raw, err := json.Marshal(preferences)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "Default"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Default", "Preferences"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// remove tries for a while: Chromium's children may still write into the
// folder for a moment after it has gone.
func remove(dir string) {
	for range 50 {
		if os.RemoveAll(dir) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Profile is one person's browser: what its tabs keep, no other profile has.
// It is for one goroutine.
type Profile struct {
	t       testing.TB
	browser *Browser
	first   context.Context //nolint:containedctx // of its first tab, which chromedp keeps the profile in
}

// NewProfile makes an empty profile that lasts as long as the test.
func (b *Browser) NewProfile(t testing.TB) *Profile { return &Profile{t: t, browser: b} }

// NewTab opens an empty tab, 1100 by 900 pixels. It is closed when the test
// ends.
func (p *Profile) NewTab() *Tab {
	p.t.Helper()
	parent, opts := p.first, []chromedp.ContextOption(nil)
	if parent == nil {
		parent, opts = p.browser.ctx, []chromedp.ContextOption{chromedp.WithNewBrowserContext()}
	}
	ctx, cancel := chromedp.NewContext(parent, opts...)
	p.t.Cleanup(cancel)
	if p.first == nil {
		p.first = ctx
	}
	tab := &Tab{t: p.t, ctx: ctx, name: "start"}
	if err := chromedp.Do(ctx); err != nil { // with a time limit, the tab would end with it
		p.t.Fatalf("the browser opens no tab: %v", err)
	}
	tab.Resize(1100, 900)
	p.t.Cleanup(tab.keepIfFailed)
	return tab
}
