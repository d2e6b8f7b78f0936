package middleware

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// cookies names, reads and writes the cookies of one app. All of them are
// HttpOnly, SameSite=Lax and for Path=/. Outside local work they are Secure and
// have the __Host- prefix, so that no other host can set them, not even a
// sibling under the same domain.
//
// SameSite=Strict would not do: the callback is reached from Cognito's site.
type cookies struct {
	secure  bool
	session string
	flow    string // prefix of the names of flow cookies
	tries   string // completed sign-ins since a session was last enough
	silent  string // prompt=none was refused lately
	ended   string // sessions in cookies that this browser ended
}

// newCookies names the cookies of an app client. The client is part of the
// names, so that two apps on one host do not overwrite each other's, and with
// insecure the port too, because browsers share cookies between ports.
func newCookies(clientID, poolID string, insecure *url.URL) cookies {
	sum := sha256.Sum256(appendField(appendField(nil, clientID), poolID))
	app := hex.EncodeToString(sum[:4])
	prefix := "__Host-sso-"
	if insecure != nil {
		port := insecure.Port()
		if port == "" {
			port = "80"
		}
		prefix = "sso-" + port + "-"
	}
	return cookies{
		secure:  insecure == nil,
		session: prefix + "session-" + app,
		flow:    prefix + "flow-" + app + "-",
		tries:   prefix + "tries-" + app,
		silent:  prefix + "silent-" + app,
		ended:   prefix + "ended-" + app,
	}
}

// flowName returns the name of the flow cookie of a state.
func (c *cookies) flowName(state string) string {
	sum := sha256.Sum256([]byte(state))
	return c.flow + base64.RawURLEncoding.EncodeToString(sum[:6])
}

// set writes a cookie. It lasts until the browser closes if age is 0.
func (c *cookies) set(w http.ResponseWriter, name, value string, age time.Duration) {
	http.SetCookie(w, c.cookie(name, value, int(age/time.Second)))
}

// remove deletes a cookie.
func (c *cookies) remove(w http.ResponseWriter, name string) {
	http.SetCookie(w, c.cookie(name, "", -1))
}

// keep takes back the removal of a cookie from an answer that is not sent yet.
func (c *cookies) keep(w http.ResponseWriter, name string) {
	h := w.Header()
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, name+"=") })
}

func (c *cookies) cookie(name, value string, maxAge int) *http.Cookie {
	//nolint:gosec // Secure is false only with InsecureLocalhost
	return &http.Cookie{
		Name:     name,
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		Secure:   c.secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// get returns the value of a cookie. Two of one name are as good as none: which
// one is ours cannot be told.
func (c *cookies) get(r *http.Request, name string) (string, bool) {
	found := r.CookiesNamed(name)
	if len(found) != 1 || found[0].Quoted || found[0].Value == "" {
		return "", false
	}
	return found[0].Value, true
}

// has says whether the browser sent any cookie of that name.
func (c *cookies) has(r *http.Request, name string) bool { return len(r.CookiesNamed(name)) > 0 }

// flows returns the flow cookies of the request, without repeated names.
func (c *cookies) flows(r *http.Request) []*http.Cookie {
	var found []*http.Cookie
	seen := make(map[string]bool)
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, c.flow) && !seen[cookie.Name] {
			seen[cookie.Name] = true
			found = append(found, cookie)
		}
	}
	return found
}

// removeAll deletes every cookie of the app that the browser sent but that of
// ended sessions, and the session cookies in any case.
func (c *cookies) removeAll(w http.ResponseWriter, r *http.Request) {
	c.removeChunks(w, 0)
	for _, name := range []string{c.tries, c.silent} {
		if c.has(r, name) {
			c.remove(w, name)
		}
	}
	for i, cookie := range c.flows(r) {
		if i == maxFlowsSeen {
			break
		}
		c.remove(w, cookie.Name)
	}
}
