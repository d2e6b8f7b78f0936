package middleware

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// returnURL returns the form of s that is safe to send in Location: one of the
// origins, as it is written there, with a path by the rule of [returnPath]. The
// origin is compared and never parsed, so nobody can read it differently.
func returnURL(s string, origins []string) (string, bool) {
	for _, origin := range origins {
		rest, ok := strings.CutPrefix(s, origin)
		if !ok {
			continue
		}
		if rest == "" {
			rest = "/"
		}
		// What follows an origin and begins with "/" is its path. All else
		// would make it another one: a port, a longer host, a user.
		path, ok := returnPath(rest)
		if out := origin + path; ok && len(out) <= maxReturnTo {
			return out, true
		}
	}
	return "", false
}

// checkReturnOrigin returns what is wrong with an origin of
// LoginConfig.ReturnOrigins, or "".
func checkReturnOrigin(origin string, insecure bool) string {
	scheme, host, ok := strings.Cut(origin, "://")
	name, port, hasPort := strings.Cut(host, ":")
	switch {
	case !ok || !validHost(name) || hasPort && !validPort(port):
		return `must each be an origin as browsers write it, such as "https://files.example.ac.kr": scheme, lower-case host and port, and nothing after it`
	case scheme != "https" && scheme != "http", scheme == "http" && (!insecure || !isLocalhost(name)):
		return "must be https"
	case scheme == "https" && port == "443", scheme == "http" && port == "80":
		return "must not name the scheme's own port: browsers leave it out"
	}
	return ""
}

// validHost says whether a host is spelled the only way a browser writes it: a
// name of letters, digits and hyphens, encoded if it is another language's, or
// four numbers.
func validHost(name string) bool {
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	if last := labels[len(labels)-1]; last[0] >= '0' && last[0] <= '9' {
		// Browsers take it for an IPv4 address, in any of its spellings.
		addr, err := netip.ParseAddr(name)
		return err == nil && addr.String() == name
	}
	return len(name) <= 253
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == port
}

// returnTo returns where to go after signing in: s if it is a safe path outside
// Login's own routes, or a URL of one of the allowed origins, else "/".
func (l *Login) returnTo(s string) string {
	path, ok := returnPath(s)
	if !ok {
		out, ok := returnURL(s, l.origins)
		if !ok {
			return defaultReturnTo
		}
		if path, ok = strings.CutPrefix(out, l.base); !ok || path[0] != '/' {
			return out
		}
		// Of this app after all.
	}
	// Back to a route of Login would start again or sign out.
	u, err := url.Parse(path)
	if err != nil || u.Path == l.prefix || strings.HasPrefix(u.Path, l.prefix+"/") {
		return defaultReturnTo
	}
	return path
}
