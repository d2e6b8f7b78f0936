package fleettest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// wire is between everybody and the pool. It knows what reached the pool and
// what came back.
type wire struct {
	*httptest.Server
	cfg       *Config
	pool      string // URL
	judge     *judge
	processes *twoProcesses
	proxy     *httputil.ReverseProxy
	client    *http.Client
	keysAway  atomic.Bool

	mu      sync.Mutex // guards what follows
	round   int
	trouble *trouble
	asked   map[int]int // refreshes of each person in this round
	struck  int         // kills of holders in this round
	fates   map[string]int
}

func newWire(cfg *Config, pool string, j *judge, p *twoProcesses) *wire {
	target, err := url.Parse(pool)
	if err != nil {
		panic(err) // ssotest's own
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	w := &wire{
		cfg: cfg, pool: pool, judge: j, processes: p, fates: map[string]int{}, asked: map[int]int{}, trouble: &trouble{},
		client: &http.Client{Transport: transport, Timeout: 30 * time.Second},
		proxy:  &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }},
	}
	// Who is killed takes no answer, and that is no news.
	w.proxy.ErrorHandler = func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) }
	w.Server = httptest.NewServer(w)
	return w
}

// begin begins a round.
func (w *wire) begin(round int, t *trouble) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.round, w.trouble, w.asked, w.struck = round, t, map[int]int{}, 0
	w.keysAway.Store(t.keysAway)
}

// ServeHTTP implements http.Handler.
func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	process, _ := strconv.Atoi(r.Header.Get(processHeader))
	switch {
	case strings.HasSuffix(r.URL.Path, "/jwks.json") && w.keysAway.Load():
		rw.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == notePath:
		w.note(rw, r)
	case r.URL.Path == tokenPath && process != 0:
		w.token(rw, r, process)
	default:
		if process != 0 && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".AdminUserGlobalSignOut") {
			w.judge.endedByApp()
		}
		w.proxy.ServeHTTP(rw, r)
	}
}

func (w *wire) token(rw http.ResponseWriter, r *http.Request, process int) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		panic(http.ErrAbortHandler) // its sender died
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	if form.Get("grant_type") == "refresh_token" {
		w.refresh(rw, r, process, body, form.Get("refresh_token"))
		return
	}
	status, got, raw := w.forward(r, body)
	if status == http.StatusOK && form.Get("code") != "" {
		w.judge.exchanged(process, form.Get("code"), got)
	}
	write(rw, status, raw)
}

// forward hands a call on, though its sender may die: what is on its way is on
// its way.
func (w *wire) forward(r *http.Request, body []byte) (int, answer, []byte) {
	out, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, w.pool+r.URL.RequestURI(), bytes.NewReader(body)) //nolint:gosec // to the pool of this test
	if err != nil {
		return http.StatusBadGateway, answer{}, nil
	}
	out.Header = r.Header.Clone()
	resp, err := w.client.Do(out) //nolint:gosec // likewise
	if err != nil {
		return http.StatusBadGateway, answer{}, nil
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return http.StatusBadGateway, answer{}, nil
	}
	var got answer
	if json.Unmarshal(raw, &got) != nil {
		got = answer{}
	}
	return resp.StatusCode, got, raw
}

func write(rw http.ResponseWriter, status int, raw []byte) {
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	rw.WriteHeader(status)
	_, _ = rw.Write(raw) //nolint:gosec // JSON, to a process of this test
}

// note takes a note of a process.
func (w *wire) note(rw http.ResponseWriter, r *http.Request) {
	var n note
	if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
		rw.WriteHeader(http.StatusBadRequest) // cut by a kill
		return
	}
	w.judge.noted(n)
}

// refresh is one call for new tokens, and its fate.
func (w *wire) refresh(rw http.ResponseWriter, r *http.Request, process int, body []byte, token string) {
	what, before, after := w.draw(token)
	wait(r.Context(), before)
	switch what {
	case refused:
		write(rw, http.StatusServiceUnavailable, []byte(`{"error":"server_error"}`))
		return
	case hangs:
		wait(r.Context(), 2*w.cfg.CallTime)
		panic(http.ErrAbortHandler)
	case holderDies:
		w.processes.killNumber(process)
		panic(http.ErrAbortHandler)
	}
	of, ok := w.judge.asks(process, r.Header.Get(callHeader), token)
	if !ok {
		panic(http.ErrAbortHandler) // its sender is dead or has given up, and it was not sent
	}
	status, got, raw := w.forward(r, body)
	rotated := of != nil && status == http.StatusOK
	if rotated {
		w.judge.answered(of, process, r.Header.Get(callHeader), &got)
	}
	switch {
	case !rotated:
	case what == answerLost:
		panic(http.ErrAbortHandler)
	case what == holderDiesWithAnswer:
		w.processes.killNumber(process)
		panic(http.ErrAbortHandler)
	}
	wait(r.Context(), after)
	if rotated && r.Context().Err() != nil {
		w.count(w.judge.whyNobody(process))
	}
	write(rw, status, raw)
}

func (w *wire) count(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fates[name]++
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// draw decides what becomes of a refresh, and how long it takes both ways.
func (w *wire) draw(token string) (what fate, before, after time.Duration) {
	person := w.judge.personOf(token)
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.asked[person]
	w.asked[person]++
	random := w.cfg.chance(ofRefresh, w.round, person<<8|n&255)
	before, after = between(random, 0, 60*time.Millisecond), between(random, 0, 60*time.Millisecond)
	what = delivered
	if random.Float64() < min(0.8, w.trouble.chance*w.cfg.often()) && n < 2 {
		what = w.trouble.fates[random.IntN(len(w.trouble.fates))]
	}
	if what == holderDies || what == holderDiesWithAnswer {
		if w.struck++; w.struck > w.trouble.most {
			what = delivered
		}
	}
	w.fates[what.String()]++
	return what, before, after
}

// whyNobody is why a process did not wait for its tokens.
func (j *judge) whyNobody(process int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, dead := j.deaths[process]; dead {
		return inFlight
	}
	return "given up by their sender"
}

// inFlight are tokens on their way to a process that was killed.
const inFlight = "in flight at a kill"

// personOf is whose a refresh token is, -1 if nobody's.
func (j *judge) personOf(token string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	if i := j.tokens[token]; i != nil {
		return i.person
	}
	return -1
}
