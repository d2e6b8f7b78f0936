package loopback_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/loopback"
)

const state = "the-state-of-this-sign-in"

type request struct {
	method, target, host string
	body                 string
}

// send makes one request as it is, with any Host.
func send(t *testing.T, base string, r request) (status int, body string, header http.Header) {
	t.Helper()
	method := r.method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(t.Context(), method, base+r.target, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if r.host != "" {
		req.Host = r.host
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text), res.Header
}

func listen(t *testing.T) (l *loopback.Listener, base string) {
	t.Helper()
	l, err := loopback.Listen(t.Context(), "http://127.0.0.1:0/callback")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, strings.TrimSuffix(l.URL(), "/callback")
}

// Whatever else comes before it, is refused, calls nothing, and does not end
// the wait: the right answer is taken afterwards.
func TestListenerRefuses(t *testing.T) {
	t.Parallel()
	l, base := listen(t)
	port := base[strings.LastIndexByte(base, ':'):]
	var calls atomic.Int32
	var got url.Values
	result := make(chan error, 1)
	go func() {
		result <- l.Wait(t.Context(), state, func(_ context.Context, v url.Values) error {
			calls.Add(1)
			got = v
			return nil
		})
	}()
	const right = "/callback?code=abc&state=" + state
	for name, row := range map[string]struct {
		r    request
		want int
	}{
		"bound again name":   {request{target: right, host: "evil.example" + port}, http.StatusMisdirectedRequest},
		"localhost":          {request{target: right, host: "localhost" + port}, http.StatusMisdirectedRequest},
		"host without port":  {request{target: right, host: "127.0.0.1"}, http.StatusMisdirectedRequest},
		"host with a dot":    {request{target: right, host: "127.0.0.1." + port}, http.StatusMisdirectedRequest},
		"another port":       {request{target: right, host: "127.0.0.1:1"}, http.StatusMisdirectedRequest},
		"root":               {request{target: "/?code=abc&state=" + state}, http.StatusNotFound},
		"below the path":     {request{target: "/callback/x?code=abc&state=" + state}, http.StatusNotFound},
		"path with slash":    {request{target: "/callback/?code=abc&state=" + state}, http.StatusNotFound},
		"path in other case": {request{target: "/Callback?code=abc&state=" + state}, http.StatusNotFound},
		"path escaped":       {request{target: "/callb%2561ck?code=abc&state=" + state}, http.StatusNotFound},
		"favicon":            {request{target: "/favicon.ico"}, http.StatusNotFound},
		"POST":               {request{method: http.MethodPost, target: right}, http.StatusMethodNotAllowed},
		"POST of a form":     {request{method: http.MethodPost, target: "/callback", body: "code=abc&state=" + state}, http.StatusMethodNotAllowed},
		"HEAD":               {request{method: http.MethodHead, target: right}, http.StatusMethodNotAllowed},
		"OPTIONS":            {request{method: http.MethodOptions, target: right}, http.StatusMethodNotAllowed},
		"other state":        {request{target: "/callback?code=abc&state=other"}, http.StatusBadRequest},
		"no state":           {request{target: "/callback?code=abc"}, http.StatusBadRequest},
		"empty state":        {request{target: "/callback?code=abc&state="}, http.StatusBadRequest},
		"state twice":        {request{target: right + "&state=" + state}, http.StatusBadRequest},
		"start of the state": {request{target: "/callback?code=abc&state=" + state[:5]}, http.StatusBadRequest},
		"error, other state": {request{target: "/callback?error=access_denied&state=x"}, http.StatusBadRequest},
		"broken query":       {request{target: right + "&x=%zz"}, http.StatusBadRequest},
		"semicolon":          {request{target: "/callback?code=abc;state=" + state}, http.StatusBadRequest},
		"markup":             {request{target: "/callback?code=abc&state=<script>alert(1)</script>"}, http.StatusBadRequest},
	} {
		status, body, header := send(t, base, row.r)
		if status != row.want || calls.Load() != 0 || strings.Contains(body, "<script") || strings.Contains(body, "abc") {
			t.Errorf("%s: %d, %d calls: %s", name, status, calls.Load(), body)
		}
		if header.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: headers %v", name, header)
		}
	}
	status, body, header := send(t, base, request{target: right})
	if status != http.StatusOK || !strings.Contains(body, "Signed in") || !strings.Contains(body, "로그인") || header.Get("Referrer-Policy") != "no-referrer" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("the answer: %d %s %v", status, body, header)
	}
	if err := <-result; err != nil || calls.Load() != 1 || got.Get("code") != "abc" {
		t.Errorf("Wait: %v, %d calls, %v", err, calls.Load(), got)
	}
	if c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://")); err == nil {
		_ = c.Close()
		t.Error("it listens still")
	}
}

// Of several answers with the right state one is taken.
func TestOnce(t *testing.T) {
	t.Parallel()
	l, base := listen(t)
	var calls atomic.Int32
	began, goOn := make(chan struct{}), make(chan struct{})
	result := make(chan error, 1)
	go func() {
		result <- l.Wait(t.Context(), state, func(context.Context, url.Values) error {
			if calls.Add(1) == 1 {
				close(began)
				<-goOn
			}
			return nil
		})
	}()
	var first sync.WaitGroup
	first.Go(func() {
		if status, _, _ := send(t, base, request{target: "/callback?code=a&state=" + state}); status != http.StatusOK {
			t.Errorf("first: %d", status)
		}
	})
	<-began
	for range 3 {
		if status, _, _ := send(t, base, request{target: "/callback?code=b&state=" + state}); status != http.StatusGone {
			t.Errorf("second: %d", status)
		}
	}
	close(goOn)
	first.Wait()
	if err := <-result; err != nil || calls.Load() != 1 {
		t.Errorf("%v, %d calls", err, calls.Load())
	}
}

var errNo = errors.New("secret reason")

func TestFailures(t *testing.T) {
	t.Parallel()
	t.Run("of the sign-in", func(t *testing.T) {
		t.Parallel()
		l, base := listen(t)
		result := make(chan error, 1)
		go func() {
			result <- l.Wait(t.Context(), state, func(context.Context, url.Values) error { return errNo })
		}()
		_, body, _ := send(t, base, request{target: "/callback?error=access_denied&error_description=<b>&state=" + state})
		if !strings.Contains(body, "Not signed in") || strings.Contains(body, "secret") || strings.Contains(body, "<b>") {
			t.Errorf("page: %s", body)
		}
		if err := <-result; !errors.Is(err, errNo) {
			t.Errorf("Wait: %v", err)
		}
	})
	t.Run("time is over", func(t *testing.T) {
		t.Parallel()
		l, _ := listen(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Wait(ctx, state, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait: %v", err)
		}
	})
	t.Run("no state", func(t *testing.T) {
		t.Parallel()
		l, base := listen(t)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- l.Wait(ctx, "", nil) }()
		if status, _, _ := send(t, base, request{target: "/callback?code=a&state="}); status != http.StatusBadRequest {
			t.Errorf("an empty state is taken for none: %d", status)
		}
		cancel()
		<-result
	})
}

func TestListenRefuses(t *testing.T) {
	t.Parallel()
	for _, callback := range []string{
		"", "/callback", "https://127.0.0.1:8765/callback", "http://0.0.0.0:0/callback", "http://192.168.0.1:0/callback", "http://example.com:0/callback",
		"http://127.0.0.1/callback", "http://127.0.0.1:0", "http://127.0.0.1:0/callback?x=1", "http://127.0.0.1:0/callback?", "http://127.0.0.1:0/callback#x",
		"http://u:p@127.0.0.1:0/callback", "http://localhost.example.com:0/callback", "http://127.0.0.1:99999/callback", "http://127.0.0.1:080/callback", "http://[::]:0/callback", "http://127.0.0.2:0/callback",
	} {
		if l, err := loopback.Listen(t.Context(), callback); err == nil || !errors.Is(err, loopback.ErrCallback) {
			t.Errorf("%q: %v", callback, err)
			if err == nil {
				_ = l.Close()
			}
		}
	}
	l, base := listen(t)
	if again, err := loopback.Listen(t.Context(), l.URL()); err == nil || errors.Is(err, loopback.ErrCallback) {
		_ = again.Close()
		t.Errorf("a port that is taken (%s): %v", base, err)
	}
}

// On localhost it listens on 127.0.0.1 only, and expects the name as Host.
func TestLocalhost(t *testing.T) {
	t.Parallel()
	l, err := loopback.Listen(t.Context(), "http://localhost:0/cb")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	u, err := url.Parse(l.URL())
	if err != nil || u.Hostname() != "localhost" || u.Port() == "0" {
		t.Fatalf("%s: %v", l.URL(), err)
	}
	result := make(chan error, 1)
	go func() {
		result <- l.Wait(t.Context(), state, func(context.Context, url.Values) error { return nil })
	}()
	target := request{target: "/cb?code=a&state=" + state}
	if status, _, _ := send(t, "http://127.0.0.1:"+u.Port(), target); status != http.StatusMisdirectedRequest {
		t.Errorf("by its address: %d", status)
	}
	target.host = u.Host
	if status, _, _ := send(t, "http://127.0.0.1:"+u.Port(), target); status != http.StatusOK {
		t.Errorf("by its name: %d", status)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}
