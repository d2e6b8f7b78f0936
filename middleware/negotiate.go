package middleware

import (
	"net/http"
	"strconv"
	"strings"
)

// isNavigation says whether a person in a browser waits for a page, so that a
// redirect to sign in helps. A script would follow it into a page it cannot
// read. Fetch metadata decides where the browser sends it, else Accept.
func isNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if mode, ok := fetchMode(r); ok {
		return mode == "navigate"
	}
	return acceptsHTML(r)
}

// fetchMode returns Sec-Fetch-Mode, and whether the browser sends fetch
// metadata at all.
func fetchMode(r *http.Request) (mode string, ok bool) {
	mode = r.Header.Get("Sec-Fetch-Mode")
	return mode, mode != "" || r.Header.Get("Sec-Fetch-Dest") != "" || r.Header.Get("Sec-Fetch-Site") != ""
}

// acceptsHTML says whether Accept names text/html.
func acceptsHTML(r *http.Request) bool {
	for _, e := range preferences(r.Header.Values("Accept")) {
		if strings.EqualFold(e.name, "text/html") && e.quality > 0 {
			return true
		}
	}
	return false
}

// isPrefetch says whether the browser only fetches ahead.
func isPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz"} {
		if strings.Contains(strings.ToLower(r.Header.Get(name)), "prefetch") {
			return true
		}
	}
	return false
}

// language is a language of the pages.
type language string

const (
	english language = "en"
	korean  language = "ko"
)

// languageOf returns the language that Accept-Language likes best of those the
// pages are in, by default English.
func languageOf(r *http.Request) language {
	best, quality := english, 0.0
	for _, e := range preferences(r.Header.Values("Accept-Language")) {
		primary, _, _ := strings.Cut(strings.ToLower(e.name), "-")
		if (primary == string(english) || primary == string(korean)) && e.quality > quality {
			best, quality = language(primary), e.quality
		}
	}
	return best
}

// preference is one element of a header such as Accept (RFC 9110 §12.4).
type preference struct {
	name    string
	quality float64
}

// maxPreferences bounds the work for an absurd header.
const maxPreferences = 64

func preferences(values []string) []preference {
	var found []preference
	for element := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if len(found) == maxPreferences {
			break
		}
		name, params, _ := strings.Cut(element, ";")
		p := preference{name: strings.TrimSpace(name), quality: 1}
		for param := range strings.SplitSeq(params, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
			if !strings.EqualFold(key, "q") {
				continue
			}
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || !(q >= 0 && q <= 1) {
				q = 0
			}
			p.quality = q
		}
		if p.name != "" {
			found = append(found, p)
		}
	}
	return found
}
