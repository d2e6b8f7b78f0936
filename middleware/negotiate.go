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
	return isPerson(r)
}

// isPerson says whether a person waits for a page, as in isNavigation, or has
// sent a form and waits for what comes of that.
func isPerson(r *http.Request) bool {
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

// languages are those of the pages, the one for everybody first.
var languages = []language{english, korean}

// languageOf returns the language that Accept-Language likes best of those the
// pages are in, by default English. "ko-KR" counts for "ko", "*" for those that
// are not named, and of two equals the one that is named first.
func languageOf(r *http.Request) language {
	prefs := preferences(r.Header.Values("Accept-Language"))
	best, quality, place := english, 0.0, len(prefs)
	for _, lang := range languages {
		if q, at := lang.preferred(prefs); q > quality || q == quality && q > 0 && at < place {
			best, quality, place = lang, q, at
		}
	}
	return best
}

// preferred returns how well liked a language is, and by which element.
func (lang language) preferred(prefs []preference) (quality float64, at int) {
	named := false
	at = len(prefs)
	for i, p := range prefs {
		primary, _, _ := strings.Cut(strings.ToLower(p.name), "-")
		switch {
		case primary == string(lang) && (!named || p.quality > quality):
			named, quality, at = true, p.quality, i
		case primary == "*" && !named && p.quality > quality:
			// Everybody's place: as good as any other language's.
			quality = p.quality
		}
	}
	return quality, at
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
			p.quality = qvalue(value)
		}
		if p.name != "" {
			found = append(found, p)
		}
	}
	return found
}

// qvalue reads a weight of RFC 9110 §12.4.2: 0 to 1 with at most three decimals.
// Anything else is as bad as 0.
func qvalue(s string) float64 {
	whole, decimals, _ := strings.Cut(s, ".")
	n, err := strconv.ParseUint("0"+decimals, 10, 16)
	if err != nil || len(decimals) > 3 || whole != "0" && (whole != "1" || n != 0) {
		return 0
	}
	if whole == "1" {
		return 1
	}
	for range 3 - len(decimals) {
		n *= 10
	}
	return float64(n) / 1000
}
