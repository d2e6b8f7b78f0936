package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"time"
)

// visitor is a browser without a screen: it keeps cookies, follows redirects
// and submits the forms that pages really show. It is for one goroutine.
type visitor struct {
	http *http.Client
	page page
	// hops are the requests that the last open or submit made, redirects included.
	hops []hop
	// stopAt ends a chain of redirects before this address is fetched; "" follows all.
	stopAt string
}

// hop is one request of a visitor.
type hop struct {
	method   string
	url      *url.URL
	status   int
	ended    time.Time // when the answer's header had arrived
	location string
}

// page is what the visitor looks at.
type page struct {
	url    *url.URL
	status int
	body   string
	forms  []form
	links  []link
}

type form struct {
	id, method, action string
	names              map[string]bool // of every field
	fields             url.Values      // those that are sent unless changed
	buttons            []button
	// text is everything a person reads inside the form.
	text string
}

type button struct{ name, value, text string }

type link struct{ href, text string }

// plainClient makes the requests that no browser makes. It follows no redirect.
var plainClient = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

const (
	maxHops = 20
	maxPage = 1 << 20
)

// newVisitor returns a browser that has never been anywhere.
func newVisitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // cookiejar.New(nil) cannot fail
	}
	return &visitor{http: &http.Client{
		Jar:           jar,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// open goes to an address, as typed into the address bar.
func (v *visitor) open(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	return v.fetch(ctx, nil, http.MethodGet, u, nil)
}

// follow clicks the link whose text contains the words.
func (v *visitor) follow(ctx context.Context, words string) error {
	for _, l := range v.page.links {
		if strings.Contains(l.text, words) {
			return v.visit(ctx, l.href)
		}
	}
	return fmt.Errorf("%s has no link %q", v.page.where(), words)
}

// visit follows an address relative to the page, as a click on a link does.
func (v *visitor) visit(ctx context.Context, href string) error {
	u, err := v.page.url.Parse(href)
	if err != nil {
		return err
	}
	return v.fetch(ctx, v.page.url, http.MethodGet, u, nil)
}

// submit fills in a form of the page and sends it with the button whose text
// contains the words, or with Enter if the words are only in the form.
func (v *visitor) submit(ctx context.Context, words string, fill url.Values) error {
	f, b, err := v.page.form(words, fill)
	if err != nil {
		return err
	}
	values := url.Values{}
	for name, vs := range f.fields {
		values[name] = slices.Clone(vs)
	}
	for name, vs := range fill {
		values[name] = vs
	}
	if b.name != "" {
		values.Set(b.name, b.value)
	}
	target, err := v.page.url.Parse(f.action)
	if err != nil {
		return err
	}
	if f.method == http.MethodGet {
		u := *target
		u.RawQuery = values.Encode()
		return v.fetch(ctx, v.page.url, http.MethodGet, &u, nil)
	}
	return v.fetch(ctx, v.page.url, http.MethodPost, target, values)
}

// form finds the form to send: it has every field of fill, and a button (or,
// failing that, any text) with the words.
func (p page) form(words string, fill url.Values) (form, button, error) {
	var enter *form
	for i, f := range p.forms {
		if !f.hasAll(fill) {
			continue
		}
		for _, b := range f.buttons {
			if strings.Contains(b.text, words) {
				return f, b, nil
			}
		}
		if enter == nil && strings.Contains(f.text, words) {
			enter = &p.forms[i]
		}
	}
	if enter != nil {
		return *enter, button{}, nil
	}
	return form{}, button{}, fmt.Errorf("%s has no form with a button %q", p.where(), words)
}

func (f form) hasAll(fill url.Values) bool {
	for name := range fill {
		if !f.names[name] {
			return false
		}
	}
	return true
}

// where names the page for a message: no query, since it may hold a code.
func (p page) where() string {
	if p.url == nil {
		return "no page"
	}
	return fmt.Sprintf("the page %s://%s%s (status %d)", p.url.Scheme, p.url.Host, p.url.Path, p.status)
}

func (v *visitor) fetch(ctx context.Context, from *url.URL, method string, u *url.URL, post url.Values) error {
	v.hops = v.hops[:0]
	site := fetchSite("none", from, u)
	for range maxHops {
		res, err := v.request(ctx, from, site, method, u, post)
		if err != nil {
			return err
		}
		location := res.Header.Get("Location")
		v.hops = append(v.hops, hop{method, u, res.StatusCode, time.Now(), location})
		if res.StatusCode < 300 || res.StatusCode > 399 || location == "" {
			return v.read(u, res)
		}
		_ = res.Body.Close()
		next, err := u.Parse(location)
		if err != nil {
			return fmt.Errorf("bad redirect from %s%s: %w", u.Host, u.Path, err)
		}
		if v.stopAt != "" && strings.HasPrefix(next.String(), v.stopAt) {
			v.page = page{url: next, status: res.StatusCode}
			return nil
		}
		if res.StatusCode != http.StatusTemporaryRedirect && res.StatusCode != http.StatusPermanentRedirect {
			method, post = http.MethodGet, nil
		}
		site = fetchSite(site, from, next)
		u = next
	}
	return fmt.Errorf("more than %d redirects, the last one to %s%s", maxHops, u.Host, u.Path)
}

func (v *visitor) request(ctx context.Context, from *url.URL, site, method string, u *url.URL, post url.Values) (*http.Response, error) {
	var body io.Reader
	if post != nil {
		body = strings.NewReader(post.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	req.Header.Set("Accept-Language", "en")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	req.Header.Set("Sec-Fetch-User", "?1")
	req.Header.Set("Sec-Fetch-Site", site)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if from != nil {
			req.Header.Set("Origin", from.Scheme+"://"+from.Host)
		}
	}
	return v.http.Do(req)
}

// fetchSite is what a browser puts into Sec-Fetch-Site, over a chain of redirects.
func fetchSite(before string, from, to *url.URL) string {
	var now string
	switch {
	case from == nil:
		return "none"
	case from.Scheme == to.Scheme && from.Host == to.Host:
		now = "same-origin"
	case from.Scheme == to.Scheme && from.Hostname() == to.Hostname():
		now = "same-site"
	default:
		now = "cross-site"
	}
	order := []string{"none", "same-origin", "same-site", "cross-site"}
	return order[max(slices.Index(order, before), slices.Index(order, now))]
}

func (v *visitor) read(u *url.URL, res *http.Response) error {
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return err
	}
	v.page = page{url: u, status: res.StatusCode, body: string(b)}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		return nil
	}
	if err := v.page.parse(); err != nil {
		return fmt.Errorf("%s is not HTML that can be read: %w", v.page.where(), err)
	}
	return nil
}

// parse collects the forms and links of a page. The reader of encoding/xml in
// its lenient mode is enough for pages as tidy as ours and the pool's.
func (p *page) parse() error {
	d := xml.NewDecoder(strings.NewReader(p.body))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var s pageScan
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			p.forms, p.links = s.forms, s.links
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			s.start(t)
		case xml.EndElement:
			s.end(t.Name.Local)
		case xml.CharData:
			s.text(string(t))
		}
	}
}

// pageScan is what parse remembers between two tokens.
type pageScan struct {
	forms            []form
	links            []link
	inForm           bool
	inButton, inLink bool
}

func (s *pageScan) start(e xml.StartElement) {
	a := map[string]string{}
	for _, at := range e.Attr {
		a[strings.ToLower(at.Name.Local)] = at.Value
	}
	switch strings.ToLower(e.Name.Local) {
	case "form":
		method := http.MethodGet
		if strings.EqualFold(a["method"], "post") {
			method = http.MethodPost
		}
		s.forms = append(s.forms, form{id: a["id"], method: method, action: a["action"], names: map[string]bool{}, fields: url.Values{}})
		s.inForm = true
	case "a":
		s.links, s.inLink = append(s.links, link{href: a["href"]}), true
	case "input", "textarea":
		s.input(a)
	case "button":
		if f := s.form(); f != nil {
			f.buttons = append(f.buttons, button{name: a["name"], value: a["value"]})
			s.inButton = true
		}
	}
}

func (s *pageScan) input(a map[string]string) {
	f := s.form()
	if f == nil {
		return
	}
	f.names[a["name"]] = true
	switch a["type"] {
	case "checkbox", "radio":
		if _, checked := a["checked"]; !checked {
			return
		}
	}
	if a["name"] != "" {
		f.fields.Add(a["name"], a["value"])
	}
}

func (s *pageScan) form() *form {
	if !s.inForm {
		return nil
	}
	return &s.forms[len(s.forms)-1]
}

func (s *pageScan) end(name string) {
	switch strings.ToLower(name) {
	case "form":
		s.inForm = false
	case "a":
		s.inLink = false
	case "button":
		s.inButton = false
	}
}

func (s *pageScan) text(t string) {
	if s.inLink {
		s.links[len(s.links)-1].text += t
	}
	f := s.form()
	if f == nil {
		return
	}
	f.text += t
	if s.inButton {
		f.buttons[len(f.buttons)-1].text += t
	}
}

// cookies returns the cookies that this browser would send to an address.
func (v *visitor) cookies(address string) ([]*http.Cookie, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	return v.http.Jar.Cookies(u), nil
}

// withCookies returns another browser that holds copies of cookies, as a
// thief of them would.
func withCookies(address string, cookies []*http.Cookie) (*visitor, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	v := newVisitor()
	v.http.Jar.SetCookies(u, cookies)
	return v, nil
}

// paused reports how often the last chain of redirects stopped to ask the
// person something: the pages of a host that were answered with 200.
func (v *visitor) paused(host string) int {
	n := 0
	for _, h := range v.hops {
		if h.url.Host == host && h.status < 300 {
			n++
		}
	}
	return n
}

// hopTo returns the last request of the chain to this host and path.
func (v *visitor) hopTo(host, path string) (hop, bool) {
	for _, h := range slices.Backward(v.hops) {
		if h.url.Host == host && h.url.Path == path {
			return h, true
		}
	}
	return hop{}, false
}
