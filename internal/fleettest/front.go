package fleettest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// toHeader asks for the process of a slot, for a check of both.
	toHeader = "X-Fleet-To"
	// cutHeader is on the answers of the front itself, to a request whose
	// process died, and names it; 0 if there was none.
	cutHeader = "X-Fleet-Cut"
	// frontPatience is how long a request waits for any process.
	frontPatience = 20 * time.Second
)

// front is the load balancer: it ends TLS, spreads requests, and takes the
// other process where one does not accept. A request that a process had begun
// is not tried again.
type front struct {
	*httptest.Server
	processes *twoProcesses
	next      atomic.Int64
	transport *http.Transport
}

func newFront(p *twoProcesses) *front {
	f := &front{processes: p, transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}}
	f.Server = httptest.NewTLSServer(f)
	return f
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	resp, number, err := f.forward(r, body)
	if err != nil {
		w.Header().Set(cutHeader, strconv.Itoa(number))
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Header().Set(cutHeader, strconv.Itoa(number))
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(answer)
}

// errNobody: no process accepted.
var errNobody = errors.New("fleettest: no process")

func (f *front) forward(r *http.Request, body []byte) (resp *http.Response, number int, err error) {
	slot := int(f.next.Add(1) % 2)
	fixed := r.Header.Get(toHeader)
	if fixed != "" {
		slot = int(fixed[0] - '0')
	}
	for end := time.Now().Add(frontPatience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		addr, number := f.processes.at(slot)
		if addr != "" {
			resp, err := f.transport.RoundTrip(f.request(r, addr, body))
			var op *net.OpError
			if err == nil || !errors.As(err, &op) || op.Op != "dial" {
				return resp, number, err
			}
		}
		if fixed == "" {
			slot = 1 - slot
		}
	}
	return nil, 0, errNobody
}

func (f *front) request(r *http.Request, addr string, body []byte) *http.Request {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = "http", addr, ""
	out.Header.Del(toHeader)
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if len(body) == 0 {
		out.Body = http.NoBody
	}
	return out
}
