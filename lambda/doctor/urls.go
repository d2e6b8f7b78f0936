package doctor

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"
)

func (r *run) checkURLs(context.Context) {
	for _, c := range r.clients {
		if c.machine() {
			continue
		}
		r.checkURLList(c.id, "callback", c.CallbackURLs)
		r.checkURLList(c.id, "logout", c.LogoutURLs)
	}
}

// checkURLList looks at the callback or the logout URLs of a client.
func (r *run) checkURLList(id, what string, list []string) {
	base, _ := url.Parse(r.BaseURLs[id]) // checked by validate
	ofApp := 0
	for _, text := range list {
		below := r.checkURL(id, what, text, base)
		if below {
			ofApp++
		}
	}
	switch {
	case len(list) == 0:
		r.add(URLMissing, id, fmt.Sprintf("It has no %s URL.", what))
	case r.BaseURLs[id] != "" && ofApp == 0:
		r.add(URLMissing, id, fmt.Sprintf("None of its %s URLs is below %s.", what, base))
	}
}

// checkURL reports whether a URL is one of the app's.
func (r *run) checkURL(id, what, text string, base *url.URL) (ofApp bool) {
	add := func(finding ID, is string) {
		r.add(finding, id, fmt.Sprintf("The %s URL %s %s.", what, display(text), is))
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme == "" || u.Fragment != "" || strings.Contains(text, "#") || u.User != nil || isWeb(u) && (u.Host == "" || dotted(u)):
		add(URLMalformed, "is malformed")
		return false
	case strings.Contains(text, "*"):
		add(URLWildcard, "has a wildcard")
		return false
	case u.Scheme == "http" && !isLocal(u):
		add(URLInsecure, "is not https")
		return false
	}
	if r.BaseURLs[id] == "" {
		if isLocal(u) {
			add(URLLocalhost, "is on the person's own machine")
		}
		return false
	}
	if !isBelow(u, base) {
		add(URLForeign, "is not below "+base.String())
		return false
	}
	return true
}

// isWeb reports whether a URL is not of an app's own scheme, as of a phone.
func isWeb(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "http" }

// isLocal reports whether a URL is http of the machine itself, which Cognito
// allows.
func isLocal(u *url.URL) bool {
	if u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// dotted reports whether a browser would send another path than this one.
func dotted(u *url.URL) bool {
	clean := path.Clean("/" + u.Path)
	return u.Path != "" && strings.TrimSuffix(u.Path, "/") != strings.TrimSuffix(clean, "/")
}

func isBelow(u, base *url.URL) bool {
	under := strings.TrimSuffix(base.Path, "/")
	return u.Scheme == base.Scheme && u.Host == base.Host && (u.Path == under || strings.HasPrefix(u.Path, under+"/"))
}

// display is a URL without what could be a secret in it.
func display(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "(not a URL)"
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}
