package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
)

// A student with a real browser: signs up with Kakao, is let in by the second
// app without being asked, signs out, and at last signs out everywhere.
func TestBrowser(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	w := newWorld(t, freePorts(t))

	b.step("Kakao sign-up on the board")
	b.open(w.board.url + "/")
	b.click("#kakao")
	b.see("#subject") // the stand-in of Kakao
	b.wantAt(w.pool.URL() + "/_idp/Kakao/")
	b.fill("#subject", "4015926535")
	b.fill("#name", "한새봄 Han Saebom")
	b.click("#continue")
	b.see("#user-id")
	b.wantAt(w.board.url + "/")
	id := b.text("#user-id")
	b.wantText("#name", "한새봄 Han Saebom")
	if !regexp.MustCompile(`^[1-9][0-9]*$`).MatchString(id) {
		t.Errorf("userId %q", id)
	}
	b.wantContains("#row", "4015926535")
	b.wantContains("#triggers", "PostConfirmation_ConfirmSignUp")
	b.wantContains("#api", `"userId": "`+id+`"`)

	b.step("the desk without a prompt")
	b.click("#other-app")
	b.see("#signin") // the desk has a session of its own, and none yet
	b.click("#signin")
	b.see("#user-id")
	b.wantAt(w.desk.url + "/")
	b.wantText("#user-id", id)
	b.click("#events button") // joins the first event through the API
	b.see("#events .good")

	b.step("sign out on the desk")
	b.click("#sign-out")
	b.seeText("You are signed out")
	b.wantAt(w.desk.url + "/auth/logged-out")
	b.open(w.desk.url + "/")
	b.see("#signin")
	b.open(w.board.url + "/")
	b.wantText("#user-id", id) // the board keeps its own session

	b.step("the pool asks again")
	b.open(w.desk.url + "/")
	b.click("#signin")
	b.see(`a[href*="identity_provider=Kakao"]`) // the pool's own page
	b.wantAt(w.pool.URL() + "/login")
	b.click(`a[href*="identity_provider=Kakao"]`)
	b.fill("#subject", "4015926535")
	b.click("#continue")
	b.wantText("#user-id", id)
	b.wantContains("#triggers", "PostAuthentication_Authentication")

	b.step("sign out everywhere on the board")
	b.open(w.board.url + "/")
	b.click("#sign-out-everywhere")
	b.seeText("You are signed out")
	b.open(w.board.url + "/")
	b.see("#signin")
	b.open(w.desk.url + "/")
	b.see("#signin") // the desk's session has ended too
	b.click("#signin")
	b.see(`a[href*="identity_provider=Kakao"]`)
}

// Chromium's way of saying that it may not run as root in a container, and
// that it should leave the network and this machine alone.
var chromiumFlags = map[string]any{
	"no-sandbox": true, "disable-gpu": true, "disable-quic": true, "no-first-run": true,
	"disable-background-networking": true, "disable-component-update": true, "disable-sync": true,
}

// browser is a real browser with one tab. Its methods end the test, with a
// screenshot, when something is not as it should be.
type browser struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // chromedp keeps the tab in it
	name string          // of the step
}

// openBrowser starts Chromium with a new profile, or skips the test.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := realtest.Need(t, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile(t)), chromedp.Flag("headless", "new"))
	for name, value := range chromiumFlags {
		opts = append(opts, chromedp.Flag(name, value))
	}
	ctx, cancelTime := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancelTime)
	ctx, cancelAllocator := chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancelAllocator)
	ctx, cancelTab := chromedp.NewContext(ctx)
	t.Cleanup(cancelTab)
	b := &browser{t: t, ctx: ctx, name: "start"}
	b.do(chromedp.EmulateViewport(1100, 900))
	return b
}

// profile is a new user data directory. Chromium's children may still write
// into it for a moment after it has gone, so its removal is tried for a while.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sso-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 50 {
			if os.RemoveAll(dir) == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	return dir
}

// patience is how long a page may take to show something.
const patience = 15 * time.Second

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if b.name == "start" {
		ctx = b.ctx // the first call starts the browser, which lives as long as its context
	}
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fail("%v", err)
	}
}

// step names what follows, for failures.
func (b *browser) step(name string) { b.name = name }

func (b *browser) open(address string) { b.t.Helper(); b.do(chromedp.Navigate(address)) }

func (b *browser) see(css string) { b.t.Helper(); b.do(chromedp.WaitVisible(chromedp.CSS(css))) }

// click clicks what leads to another page, and waits for that page.
func (b *browser) click(css string) {
	b.t.Helper()
	b.see(css)
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(css))); err != nil {
		b.fail("clicking %s: %v", css, err)
	}
}

func (b *browser) fill(css, value string) {
	b.t.Helper()
	b.see(css)
	b.do(chromedp.SetValue(chromedp.CSS(css), value))
}

func (b *browser) text(css string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(css)))
	if err != nil {
		b.fail("reading %s: %v", css, err)
	}
	return strings.TrimSpace(text)
}

func (b *browser) wantText(css, want string) {
	b.t.Helper()
	if got := b.text(css); got != want {
		b.fail("%s says %q, want %q", css, got, want)
	}
}

func (b *browser) wantContains(css, want string) {
	b.t.Helper()
	if got := b.text(css); !strings.Contains(got, want) {
		b.fail("%s says %q, want it to contain %q", css, got, want)
	}
}

func (b *browser) seeText(want string) { b.t.Helper(); b.see("h1"); b.wantContains("body", want) }

// wantAt checks where the browser is.
func (b *browser) wantAt(prefix string) {
	b.t.Helper()
	at, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil || !strings.HasPrefix(at, prefix) {
		at, _, _ = strings.Cut(at, "?") // the query may hold a code
		b.fail("the browser is at %s (%v), want %s", at, err, prefix)
	}
}

// fail ends the test, and keeps what the browser shows.
func (b *browser) fail(format string, args ...any) {
	b.t.Helper()
	b.t.Logf("screenshot: %s", b.screenshot("failed"))
	b.t.Fatalf(b.name+": "+format, args...)
}

// screenshot writes a picture into the folder SSO_SCREENSHOTS, or else into one
// of the system's temporary folder, where it outlives the test, and returns
// where it is.
func (b *browser) screenshot(name string) string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return "none: " + err.Error()
	}
	dir := os.Getenv("SSO_SCREENSHOTS")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "cognito-sso-screenshots")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "none: " + err.Error()
	}
	path := filepath.Join(dir, strings.ReplaceAll(b.t.Name(), "/", "_")+"-"+name+".png")
	if err := os.WriteFile(path, png, 0o644); err != nil {
		return "none: " + err.Error()
	}
	return path
}
