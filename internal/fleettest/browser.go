package fleettest

import (
	"context"
	"crypto/tls"
	"html"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// browser is one person's, with a cookie jar. Its methods are for one goroutine,
// which may load several pages at once.
type browser struct {
	number, person int
	cfg            *Config
	judge          *judge
	jar            *cookiejar.Jar
	transport      *http.Transport
	session        *session // nil while signed out
	away           int      // rounds that it sleeps yet
}

// newTransport leads base to the front.
func newTransport(f *front) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	t := &http.Transport{MaxIdleConnsPerHost: 256, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if own, ok := f.Client().Transport.(*http.Transport); ok {
		t.TLSClientConfig.RootCAs = own.TLSClientConfig.RootCAs
	}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == "example.com:443" {
			addr = f.Listener.Addr().String()
		}
		return dialer.DialContext(ctx, network, addr)
	}
	return t
}

// request makes one as a browser does: a person's navigation, or a script's.
func request(method, target string, form url.Values, navigation bool) *http.Request {
	r, err := http.NewRequestWithContext(context.Background(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		panic(err) // the redirects of the pool and the app are URLs
	}
	set := r.Header.Set
	set("Sec-Fetch-Site", "same-origin")
	set("Accept", "*/*")
	set("Sec-Fetch-Mode", "cors")
	set("Sec-Fetch-Dest", "empty")
	if navigation {
		set("Accept", "text/html,*/*;q=0.8")
		set("Sec-Fetch-Mode", "navigate")
		set("Sec-Fetch-Dest", "document")
	}
	if form != nil {
		set("Content-Type", "application/x-www-form-urlencoded")
		set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	return r
}

// send sends a request with these cookies, and keeps those of the answer.
func (b *browser) send(r *http.Request, cookies []*http.Cookie) *visit {
	for _, c := range cookies {
		r.AddCookie(c)
	}
	v := &visit{from: time.Now()}
	v.vfrom = b.judge.clock.at(v.from)
	resp, err := b.transport.RoundTrip(r)
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		var raw []byte
		if raw, err = io.ReadAll(resp.Body); err == nil {
			b.jar.SetCookies(r.URL, resp.Cookies())
			v.status, v.location, v.body = resp.StatusCode, resp.Header.Get("Location"), string(raw)
			v.cut = resp.Header.Get(cutHeader) != ""
			v.process, _ = strconv.Atoi(resp.Header.Get(processHeader) + resp.Header.Get(cutHeader)) // one of them
		}
	}
	if err != nil {
		v.status, v.body = http.StatusBadGateway, err.Error() // the front's, or the wire's
	}
	v.to = time.Now()
	v.vto = b.judge.clock.at(v.to)
	return v
}

// sessionCookie is the one of the app, if the jar has it.
func (b *browser) sessionCookie() *http.Cookie {
	u, _ := url.Parse(base)
	for _, c := range b.jar.Cookies(u) {
		if strings.HasPrefix(c.Name, "__Host-sso-session-") {
			return c
		}
	}
	return nil
}

const maxHops = 15

// walk follows redirects, and stops before a page of the app's own.
func (b *browser) walk(r *http.Request, hop func(*http.Request, *visit)) (*url.URL, *visit) {
	for range maxHops {
		at := r.URL
		v := b.send(r, b.jar.Cookies(at))
		hop(r, v)
		if v.location == "" {
			return at, v
		}
		to, err := at.Parse(v.location)
		if err != nil || to.Scheme+"://"+to.Host == base && to.Path == page {
			return at, v
		}
		r = request(http.MethodGet, to.String(), nil, true)
	}
	return nil, &visit{body: "too many redirects"}
}

var hiddenState = regexp.MustCompile(`name="state" value="([^"]+)"`)

// signIn signs in, through the provider's page unless the pool still knows the
// browser. It reports whether it is in; what keeps it out is nobody's fault
// while something is broken.
func (b *browser) signIn() (ok bool, why string) {
	b.session = nil
	hop := func(r *http.Request, v *visit) {
		code := r.URL.Query().Get("code")
		if r.URL.Path != prefix+"/callback" || code == "" || v.status != http.StatusSeeOther {
			return
		}
		if c := b.sessionCookie(); c != nil {
			b.session = b.judge.signedIn(b, c, code, v)
		}
	}
	start := base + prefix + "/login?" + url.Values{"identity_provider": {provider}, "return_to": {page}, "retry": {"1"}}.Encode()
	at, v := b.walk(request(http.MethodGet, start, nil, true), hop)
	if state := hiddenState.FindStringSubmatch(v.body); state != nil && strings.HasPrefix(at.Path, "/_idp/") {
		form := url.Values{"state": {html.UnescapeString(state[1])}, "person": {strconv.Itoa(b.person)}}
		at.RawQuery = ""
		_, v = b.walk(request(http.MethodPost, at.String(), form, true), hop)
	}
	return b.session != nil, v.String() + " " + v.body[:min(len(v.body), 300)]
}

// load loads several pages at once, each after a while, and says the worst that
// came of it.
func (b *browser) load(random *rand.Rand, count int) verdict {
	s := b.session
	var mu sync.Mutex
	worst := isServed
	var wg sync.WaitGroup
	u, _ := url.Parse(base)
	cookies := b.jar.Cookies(u) // of before: a sign-out may take them away meanwhile
	for n := range count {
		after, navigation := between(random, 0, 50*time.Millisecond), n%3 == 0
		wg.Go(func() {
			time.Sleep(after) // out of the plan
			path := script
			if navigation {
				path = page
			}
			is := b.judge.judged(s, b.send(request(http.MethodGet, base+path, nil, navigation), cookies))
			mu.Lock()
			worst = max(worst, is)
			if is == isAsked {
				worst = isAsked
			}
			mu.Unlock()
		})
	}
	wg.Wait()
	return worst
}

// signOut signs out while pages load.
func (b *browser) signOut(random *rand.Rand, everywhere bool) {
	var wg sync.WaitGroup
	loads := rand.New(rand.NewPCG(random.Uint64(), 0)) //nolint:gosec // a seed is the point
	wg.Go(func() { b.load(loads, 4) })
	time.Sleep(between(random, 0, 80*time.Millisecond)) // out of the plan
	b.end(everywhere, wg.Wait)
}

// endAll signs the person out everywhere, before any page.
func (b *browser) endAll() { b.end(true, func() {}) }

// end signs out, and tries what it had before and after what wait waits for.
func (b *browser) end(everywhere bool, wait func()) {
	s := b.session
	form := url.Values{}
	if everywhere {
		form.Set("everywhere", "1")
	}
	u, _ := url.Parse(base)
	answered := b.judge.signsOut(s, everywhere)
	v := b.send(request(http.MethodPost, base+prefix+"/logout", form, true), b.jar.Cookies(u))
	// Or it is asked to sign in: the app cannot tell whose sign-ins to end.
	out := v.status == http.StatusSeeOther && !strings.HasPrefix(v.location, prefix+"/")
	answered(out)
	if out {
		b.session = nil
		b.try(s)
		b.walk(request(http.MethodGet, v.location, nil, true), func(*http.Request, *visit) {})
	}
	wait()
	if out {
		b.try(s)
	}
}

// try asks both processes with a cookie that was kept.
func (b *browser) try(s *session) {
	for slot := range 2 {
		r := request(http.MethodGet, base+script, nil, false)
		r.Header.Set(toHeader, strconv.Itoa(slot))
		b.judge.judged(s, b.send(r, []*http.Cookie{s.cookie}))
		b.judge.tried()
	}
}

func (j *judge) tried() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.report.KeptCopies++
}
