// Package loopback receives the one answer of a sign-in on this machine, as RFC
// 8252 §7.3 has it for native apps: a server on a loopback address, which lives
// as long as the sign-in.
//
// Everything on the machine can reach it, and every page in a browser can make
// the browser ask it. So it takes one GET of one path under one Host (a name
// that was bound again to 127.0.0.1 has another), whose state is the one of this
// sign-in, and takes it once. What is refused ends nothing: else any page could
// end a sign-in.
package loopback

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// ErrCallback is a URL that nothing can be received at.
var ErrCallback = errors.New("loopback: unusable callback")

// Listener waits for the answer. It is for one sign-in.
type Listener struct {
	callback *url.URL
	listener net.Listener
}

// Listen listens where the callback URL says: http, one of 127.0.0.1, [::1] and
// localhost, which is 127.0.0.1 here, a port and a path. A port of 0 is any
// free one. Close it in the end.
func Listen(ctx context.Context, callback string) (*Listener, error) {
	u, err := url.Parse(callback)
	if err != nil || u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Path == "" {
		return nil, fmt.Errorf("%w: expected a URL such as http://127.0.0.1:8765/callback", ErrCallback)
	}
	host := u.Hostname()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if host != "127.0.0.1" && host != "::1" {
		return nil, fmt.Errorf("%w: the host must be 127.0.0.1, [::1] or localhost", ErrCallback)
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || strconv.FormatUint(port, 10) != u.Port() {
		return nil, fmt.Errorf("%w: it needs a port", ErrCallback)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, u.Port()))
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	u.Host = net.JoinHostPort(u.Hostname(), port)
	return &Listener{u, l}, nil
}

// URL is the callback, with its port.
func (l *Listener) URL() string { return l.callback.String() }

// Close frees the port.
func (l *Listener) Close() error { return l.listener.Close() }

// lastWords is how long the page and the connections have once it is over.
const lastWords = 2 * time.Second

// Wait serves until the answer with the state came, and finish was called with
// it, once. It returns what finish returned, after the browser got its page; or
// the context's error if that ends first.
func (l *Listener) Wait(ctx context.Context, state string, finish func(context.Context, url.Values) error) error {
	done := make(chan error, 1)
	h := &handler{
		callback: l.callback, state: state,
		finish: func(answer url.Values) error {
			err := finish(ctx, answer)
			done <- err // Shutdown lets the page be written
			return err
		},
	}
	server := &http.Server{
		Handler: h, ReadTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // would quote requests, which hold the code
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l.listener) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	case err = <-ended:
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	if server.Shutdown(closing) != nil { // a browser keeps a connection open
		_ = server.Close()
	}
	return err
}

type handler struct {
	callback *url.URL
	state    string
	used     atomic.Bool
	finish   func(url.Values) error
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer") // the address has the code in it
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Connection", "close")
	answer, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case r.Host != h.callback.Host:
		h.page(w, http.StatusMisdirectedRequest, otherPage)
	case r.URL.Path != h.callback.Path || r.URL.RawPath != "":
		h.page(w, http.StatusNotFound, otherPage)
	case r.Method != http.MethodGet:
		header.Set("Allow", http.MethodGet)
		h.page(w, http.StatusMethodNotAllowed, otherPage)
	case err != nil || !h.mine(answer):
		h.page(w, http.StatusBadRequest, otherPage)
	case h.used.Swap(true):
		h.page(w, http.StatusGone, usedPage)
	case h.finish(answer) != nil:
		h.page(w, http.StatusOK, failedPage)
	default:
		h.page(w, http.StatusOK, donePage)
	}
}

// mine reports whether the answer has this sign-in's state, once.
func (h *handler) mine(answer url.Values) bool {
	states := answer["state"]
	return len(states) == 1 && h.state != "" && subtle.ConstantTimeCompare([]byte(states[0]), []byte(h.state)) == 1
}

func (h *handler) page(w http.ResponseWriter, status int, text page) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<!doctype html><html lang=\"en\"><title>ssoctl</title><h1>%s</h1><p>%s</p><p lang=\"ko\">%s</p></html>\n",
		text.title, text.english, text.korean)
}

// page is what the browser shows. Nothing of a request is in it.
type page struct{ title, english, korean string }

var (
	donePage   = page{"Signed in", "You may close this window and go back to the terminal.", "로그인했습니다. 이 창을 닫고 터미널로 돌아가세요."}
	failedPage = page{"Not signed in", "The terminal says why. You may close this window.", "로그인하지 못했습니다. 이유는 터미널에 나옵니다. 이 창을 닫아도 됩니다."}
	usedPage   = page{"Used already", "This sign-in is over. Begin again in the terminal.", "이미 끝난 로그인입니다. 터미널에서 다시 시작하세요."}
	otherPage  = page{"Nothing here", "This is not the sign-in that ssoctl began.", "ssoctl이 시작한 로그인이 아닙니다."}
)
