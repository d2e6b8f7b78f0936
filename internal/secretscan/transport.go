package secretscan

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// fields are parameters, members and cookies that hold secrets, by name.
var fields = map[string]string{
	"code":          "an authorization code",
	"code_verifier": "a PKCE verifier",
	"state":         "a state",
	"nonce":         "a nonce",
	"refresh_token": "a refresh token",
	"access_token":  "an access token",
	"id_token":      "an ID token",
	"token":         "a refresh token",
	"client_secret": "a client secret",
	"login_hint":    "a login hint",
}

// Transport learns the secrets of what passes through next: of queries and
// forms of requests, of JSON, cookies and redirects of answers.
func Transport(next http.RoundTripper) http.RoundTripper { return transport{next} }

type transport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	learnRequest(r)
	resp, err := t.next.RoundTrip(r)
	if err == nil {
		LearnAnswer(resp)
	}
	return resp, err
}

func learnRequest(r *http.Request) {
	learnValues(r.URL.Query())
	if _, password, ok := r.BasicAuth(); ok {
		Learn("a client secret", password)
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		Learn("a bearer token", token)
	}
	if r.GetBody == nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		return
	}
	// A copy: the body itself belongs to who sends it.
	body, err := r.GetBody()
	if err != nil {
		return
	}
	defer body.Close()
	if text, err := io.ReadAll(io.LimitReader(body, 1<<20)); err == nil {
		if form, err := url.ParseQuery(string(text)); err == nil {
			learnValues(form)
		}
	}
}

// LearnAnswer learns the secrets of an answer. Its body can be read as before.
func LearnAnswer(resp *http.Response) {
	for _, c := range resp.Cookies() {
		Learn("a cookie", c.Value)
	}
	if to, err := url.Parse(resp.Header.Get("Location")); err == nil {
		learnValues(to.Query())
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") || resp.StatusCode != http.StatusOK {
		return
	}
	const most = 1 << 20
	start, err := io.ReadAll(io.LimitReader(resp.Body, most))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = failing{err}
	}
	resp.Body = body{io.MultiReader(bytes.NewReader(start), rest), resp.Body}
	var members map[string]any
	if json.Unmarshal(start, &members) == nil {
		for name, value := range members {
			if text, ok := value.(string); ok && fields[name] != "" {
				Learn(fields[name], text)
			}
		}
	}
}

func learnValues(values url.Values) {
	for name, all := range values {
		for _, v := range all {
			if fields[name] != "" {
				Learn(fields[name], v)
			}
		}
	}
}

// body reads what was read already, and then the rest.
type body struct {
	io.Reader
	io.Closer
}

// failing fails as the body that it stands for did.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
