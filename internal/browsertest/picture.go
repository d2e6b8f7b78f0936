package browsertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/chromedp/chromedp"
)

// Folder is the environment variable that names the folder for pictures. With
// it, [Tab.Look] keeps one each time.
const Folder = "SSO_SCREENSHOTS"

// Look keeps a picture of the whole page where the environment asks for it.
func (tab *Tab) Look(name string) {
	tab.t.Helper()
	if os.Getenv(Folder) == "" {
		return
	}
	if _, err := tab.picture(name); err != nil {
		tab.Fail("picture: %v", err)
	}
}

// keepIfFailed keeps what the tab shows when the test fails.
func (tab *Tab) keepIfFailed() {
	if !tab.t.Failed() {
		return
	}
	path, err := tab.picture(fmt.Sprintf("failed-%d", failures.Add(1)))
	if err != nil {
		tab.t.Logf("no screenshot: %v", err)
		return
	}
	tab.t.Logf("screenshot: %s", path)
}

// failures numbers the pictures of tabs that failed tests had.
var failures atomic.Int64

// picture writes a picture into the folder, or else into one of the system's
// temporary folder, where it outlives the test, and returns where it is.
func (tab *Tab) picture(name string) (path string, err error) {
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return "", err
	}
	dir := os.Getenv(Folder)
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "cognito-sso-screenshots")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // made to be looked at
		return "", err
	}
	path = filepath.Join(dir, plain.Replace(tab.t.Name())+"-"+name+".png")
	return path, os.WriteFile(path, png, 0o644) //nolint:gosec // made to be looked at
}

// plain makes a file name of a test's.
var plain = strings.NewReplacer("/", "_", " ", "_", ":", "_")
