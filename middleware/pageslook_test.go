package middleware_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

// faults finds what is wrong with a page as it is drawn: what does not fit,
// text with too little contrast (WCAG 2.2, 1.4.3), targets that are too small
// (2.5.8), a style that is not there, and links and buttons that cannot be told
// from text but by colour (1.4.1).
const faults = `function faults(document) {
	const getComputedStyle = e => document.defaultView.getComputedStyle(e);
	const wrong = [], doc = document.documentElement;
	if (doc.scrollWidth > doc.clientWidth) wrong.push("scrolls sideways");
	const channels = c => c.match(/[\d.]+/g).map(Number);
	const luminance = c => { const [r, g, b] = channels(c).slice(0, 3).map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 }); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
	const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; const [, , , a = 1] = channels(c); if (a > 0) return c } return "rgb(255,255,255)" };
	for (const e of document.querySelectorAll("h1, p, a, button")) {
		const s = getComputedStyle(e), [a, b] = [luminance(s.color), luminance(behind(e))].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		if (ratio < 4.5) wrong.push(e.tagName + " has a contrast of " + ratio.toFixed(2));
		const r = e.getBoundingClientRect();
		if (r.left < 0 || r.right > doc.clientWidth) wrong.push(e.tagName + " is cut off");
		if (!["A", "BUTTON"].includes(e.tagName)) continue;
		if (r.height < 24 || r.width < 24) wrong.push(e.tagName + " is too small to hit");
		if (!e.textContent.trim()) wrong.push(e.tagName + " has no text");
		if (!s.textDecorationLine.includes("underline") && channels(s.backgroundColor)[3] === 0) wrong.push(e.tagName + " looks like text");
		e.focus({focusVisible: true});
		if (document.activeElement !== e || getComputedStyle(e).outlineStyle === "none") wrong.push(e.tagName + " does not show the focus");
	}
	if (getComputedStyle(document.querySelector("main")).maxWidth === "none") wrong.push("has no style");
	if (document.querySelectorAll("main").length !== 1 || document.querySelectorAll("h1").length !== 1) wrong.push("has not one main and one heading");
	if (!document.title || !doc.lang) wrong.push("has no title or language");
	document.activeElement.blur();
	return wrong;
}`

// chromium draws a page in a new browser and returns its document. It is run by
// hand because whatever a test of this package imports, apps would download.
func chromium(t *testing.T, document string, flags ...string) string {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("SSO_REQUIRE_REAL") == "1" {
			t.Fatal("no Chromium here, and SSO_REQUIRE_REAL=1")
		}
		t.Skip("no Chromium here")
	}
	dir, err := os.MkdirTemp("", "sso-pages-") // not t.TempDir: Chromium's children write into it for a moment longer
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "pages.html")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := append([]string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir=" + filepath.Join(dir, "profile"), "--window-size=1400,900", "--virtual-time-budget=5000", "--dump-dom",
	}, flags...)
	out, err := exec.CommandContext(ctx, path, append(args, "file://"+file)...).Output() //nolint:gosec // a browser of this machine
	if err != nil {
		t.Fatalf("Chromium: %v", err)
	}
	return string(out)
}

// TestPagesAsDrawn draws every page in Chromium: in both languages, narrow and
// wide, light and dark.
func TestPagesAsDrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase, twoProviders)
	var frames strings.Builder
	for _, lang := range []string{"en", "ko"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", lang)
		pages := map[middleware.PageKind]*httptest.ResponseRecorder{}
		a.login.AllPages(func(kind middleware.PageKind) http.ResponseWriter {
			pages[kind] = httptest.NewRecorder()
			return pages[kind]
		}, r)
		for kind, page := range pages {
			for _, width := range []int{320, 1280} {
				fmt.Fprintf(&frames, "<iframe name=\"%s %s %d\" style=\"width:%dpx;height:640px;border:0\" srcdoc=\"%s\"></iframe>\n", kind, lang, width, width, html.EscapeString(page.Body.String()))
			}
		}
	}
	document := "<!doctype html><body>" + frames.String() + "<pre></pre><script>" + faults + `
onload = () => {
	const found = {dark: matchMedia("(prefers-color-scheme: dark)").matches, pages: {}};
	for (const f of document.querySelectorAll("iframe")) found.pages[f.name] = faults(f.contentDocument);
	document.querySelector("pre").textContent = "RESULT" + JSON.stringify(found) + "END";
}</script>`
	for scheme, setting := range map[string]string{"dark": "0", "light": "1"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			dom := chromium(t, document, "--blink-settings=preferredColorScheme="+setting)
			text := regexp.MustCompile(`>RESULT(.*)END<`).FindStringSubmatch(dom)
			if text == nil {
				t.Fatal("the pages were not drawn")
			}
			var found struct {
				Dark  bool
				Pages map[string][]string
			}
			if err := json.Unmarshal([]byte(html.UnescapeString(text[1])), &found); err != nil {
				t.Fatal(err)
			}
			if found.Dark != (scheme == "dark") || len(found.Pages) < 60 {
				t.Fatalf("dark=%t, %d pages", found.Dark, len(found.Pages))
			}
			for name, wrong := range found.Pages {
				if len(wrong) > 0 {
					t.Errorf("%s: %s", name, strings.Join(wrong, "; "))
				}
			}
		})
	}
}
