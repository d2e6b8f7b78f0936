package awshttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
)

// lateBody is the SDK's request body in the hands of a late goroutine: what
// looks for more of it gets no answer until it is closed.
type lateBody struct {
	io.Reader
	closed chan struct{}
	once   sync.Once
}

func newLateBody(text string) *lateBody {
	return &lateBody{Reader: strings.NewReader(text), closed: make(chan struct{})}
}

func (b *lateBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if n == 0 {
		<-b.closed
	}
	return n, err
}

// WriteTo is called for what lies behind the last byte that was promised.
func (b *lateBody) WriteTo(io.Writer) (int64, error) {
	<-b.closed
	return 0, io.EOF
}

func (b *lateBody) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// The response is read to its end although the request's body was closed
// before net/http had done with it.
func TestBodyClosedUnderTheTransport(t *testing.T) {
	t.Parallel()
	rest := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 5)
		_, _ = io.WriteString(w, "first ")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-rest:
		case <-r.Context().Done(): // the connection is closed
		}
		_, _ = io.WriteString(w, "second")
	}))
	defer server.Close()
	for range 20 {
		body := newLateBody("hello")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = 5
		res, err := awshttp.NewClient().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = body.Close() // as the SDK does
		first := make([]byte, 6)
		if _, err := io.ReadFull(res.Body, first); err != nil {
			t.Fatal(err)
		}
		rest <- struct{}{}
		second, err := io.ReadAll(res.Body)
		if err != nil || string(second) != "second" {
			t.Fatalf("read %q, %v", second, err)
		}
		_ = res.Body.Close()
	}
}

func TestNoBody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 || len(r.TransferEncoding) != 0 {
			t.Errorf("%d bytes, %v", r.ContentLength, r.TransferEncoding)
		}
	}))
	defer server.Close()
	for name, body := range map[string]io.Reader{"nil": nil, "NoBody": http.NoBody} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := awshttp.NewClient().Do(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = res.Body.Close()
	}
}
