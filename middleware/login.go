package middleware

import (
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	defaultPrefix          = "/auth"
	defaultIdleTimeout     = time.Hour
	defaultAbsoluteTimeout = 12 * time.Hour
)

// LoginConfig describes the web login of one app. It is copied.
type LoginConfig struct {
	// BaseURL is where browsers reach the app, such as
	// "https://board.example.ac.kr", without a path. Required. Request headers
	// never decide scheme or host. Client's RedirectURL must be BaseURL +
	// Prefix + "/callback".
	BaseURL string
	// Prefix is the path under which Login's own routes are. Defaults to
	// "/auth".
	Prefix string
	// CookieKeys encrypt cookies and stored sessions. The first one seals, all
	// of them open, so a key can be rotated without signing anybody out: add
	// the new one at the end, and once every process has it, move it to the
	// front; remove the old one after AbsoluteTimeout. Each is 32 random bytes,
	// of one app alone or of several. Required: 1 to 8 keys.
	CookieKeys [][]byte
	// Sessions is the session store. Defaults to a [MemoryStore], which is for
	// one process.
	Sessions SessionStore
	// CookieSessions keeps sessions in the browser's cookies, without a store.
	// Read at [CookieSessions] what that cannot do. Defaults to nil: sessions
	// are in the store. Only one of both may be set.
	CookieSessions *CookieSessions
	// IdleTimeout ends a session that is not used. Defaults to 1 hour; at
	// least 1 minute. AbsoluteTimeout ends every session. Defaults to 12
	// hours; at least IdleTimeout.
	IdleTimeout, AbsoluteTimeout time.Duration
	// GlobalSignOut also ends the user's refresh tokens at Cognito when
	// somebody signs out everywhere. Defaults to none: then the sessions in
	// the store end, and those of apps with other stores go on.
	GlobalSignOut GlobalSignOut
	// Providers are the ways to sign in that people may pick on a page of
	// Login's own, such as Kakao and Google: with two or more Prefix/login asks
	// which one, with one it goes straight there, unless the address names
	// another of the client's. See also [Login.ProviderLinks]. Defaults to
	// none: Cognito's own page asks.
	Providers []Provider
	// SilentFirst has Prefix/login ask Cognito without a page (prompt=none)
	// before it asks the person, so that whoever signed in to another app is
	// not asked anything. Where that fails, the ordinary sign-in follows at
	// once, and the browser is not tried again for 5 minutes. Cognito takes
	// prompt with managed login alone, not with the classic hosted UI. Defaults
	// to false.
	SilentFirst bool
	// Pages replaces Login's own pages. It is executed with a [Page] for each of
	// them, and must show its button (ActionURL) and its Providers: NewLogin
	// makes every page once and refuses a template that fails. What the pages
	// may load is their own style element (see Page.Nonce), and styles, fonts
	// and images of the same origin; there are no scripts. It must not be
	// changed afterwards. Defaults to plain pages.
	Pages *template.Template
	// ServeMe serves Prefix/me: JSON about the signed-in user, for the front
	// end of the same origin. Defaults to false.
	ServeMe bool
	// ReturnOrigins are other origins that a sign-in may lead back to, such as
	// "https://files.example.ac.kr", where the parts of one app are on several
	// hosts. Each is compared exactly, scheme and port too, and there are no
	// wildcards. A return_to may then be a URL of one of them. They are not
	// signed in by that: the session's cookie is of BaseURL's host alone. List
	// no origin where somebody else decides what is shown. Defaults to none:
	// only paths of this app.
	ReturnOrigins []string
	// InsecureLocalhost allows a BaseURL of http://localhost:<port> or
	// http://127.0.0.1:<port>, with cookies that are not Secure and have no
	// __Host- prefix, since not every browser takes those without TLS; the port
	// is in their names instead. It MUST NOT be set outside local work: it
	// refuses any other BaseURL, answers 421 to requests for any other host,
	// and says so in the log. Defaults to false.
	InsecureLocalhost bool
	// Logger gets refused callbacks and failing stores, without personal data.
	// Defaults to slog.Default().
	Logger *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Login signs people in through Cognito and keeps their sessions. It is safe
// for concurrent use, and need not be closed. While its session store does not
// take tokens that were refreshed, one goroutine tries to store them; it ends
// when the store has them, and without that when the sessions have reached
// AbsoluteTimeout.
//
// Its routes under the prefix are
//
//	GET  /login       starts a sign-in; ?return_to= is a path of this app
//	                  or a URL of LoginConfig.ReturnOrigins,
//	                  ?identity_provider= one of the client's, ?prompt= as in
//	                  [sso.AuthOptions], one value
//	GET  /callback    where Cognito sends the browser back
//	POST /logout      signs out here and at Cognito; everywhere=1 in the form
//	                  ends all sessions of the user
//	GET  /logged-out  where Cognito sends the browser after that
//	GET  /me          JSON about the user, with LoginConfig.ServeMe
type Login struct {
	client   *sso.Client
	base     string // BaseURL without a trailing slash
	prefix   string
	cookies  cookies
	sealer   *sealer
	sessions *sessions
	// cookieSessions is set where there is no store.
	cookieSessions *CookieSessions
	origins        []string // ReturnOrigins
	localOnly      bool     // InsecureLocalhost
	global         GlobalSignOut
	serveMe        bool

	providers   []Provider
	silentFirst bool
	pages       *template.Template // nil for those of this package

	now      func() time.Time
	log      *slog.Logger
	crossing *http.CrossOriginProtection

	exchanges singleflight.Group // by state
}

// NewLogin checks cfg and returns a Login. Mount it at Prefix + "/". The client
// must have a LogoutURL. Its error joins one [*sso.ConfigError] for each field
// that is wrong.
func NewLogin(c *sso.Client, cfg LoginConfig) (*Login, error) {
	if c == nil {
		return nil, &sso.ConfigError{Field: "Client", Problem: "is required"}
	}
	cfg.setDefaults()
	base, err := cfg.check(c)
	if err != nil {
		return nil, err
	}
	l := &Login{
		client:  c,
		base:    base.Scheme + "://" + base.Host,
		prefix:  cfg.Prefix,
		global:  cfg.GlobalSignOut,
		serveMe: cfg.ServeMe,

		providers:   slices.Clone(cfg.Providers),
		silentFirst: cfg.SilentFirst,
		pages:       cfg.Pages,

		now:      cfg.Now,
		log:      cfg.Logger,
		crossing: http.NewCrossOriginProtection(),
	}
	// Browsers without Sec-Fetch-Site are judged by Origin, which is compared
	// with Host. Behind a proxy that rewrites Host, ours must pass too.
	if err := l.crossing.AddTrustedOrigin(l.base); err != nil {
		return nil, &sso.ConfigError{Field: "LoginConfig.BaseURL", Problem: "is not an origin"}
	}
	if cfg.InsecureLocalhost {
		l.cookies = newCookies(c.ID(), c.UserPoolID(), base)
	} else {
		l.cookies = newCookies(c.ID(), c.UserPoolID(), nil)
	}
	l.sealer, err = newSealer(cfg.CookieKeys, c.ID(), c.UserPoolID())
	if err != nil {
		return nil, err
	}
	l.cookieSessions = cfg.CookieSessions
	l.origins = slices.Clone(cfg.ReturnOrigins)
	l.localOnly = cfg.InsecureLocalhost
	if l.localOnly {
		l.log.Warn("sso: InsecureLocalhost is set: cookies are not Secure, and only this machine is served")
	}
	l.sessions = &sessions{
		client:    c,
		verifier:  c.Verifier(),
		store:     cfg.Sessions,
		inCookies: cfg.CookieSessions != nil,
		sealer:    l.sealer,
		idle:      cfg.IdleTimeout,
		absolute:  cfg.AbsoluteTimeout,
		now:       cfg.Now,
		log:       cfg.Logger,
	}
	l.sessions.locker, _ = cfg.Sessions.(SessionLocker)
	return l, nil
}

func (cfg *LoginConfig) setDefaults() {
	if cfg.Prefix == "" {
		cfg.Prefix = defaultPrefix
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = defaultIdleTimeout
		if cfg.AbsoluteTimeout > 0 {
			cfg.IdleTimeout = min(cfg.IdleTimeout, cfg.AbsoluteTimeout)
		}
	}
	if cfg.AbsoluteTimeout == 0 {
		cfg.AbsoluteTimeout = max(defaultAbsoluteTimeout, cfg.IdleTimeout)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Sessions == nil && cfg.CookieSessions == nil {
		cfg.Sessions = newMemoryStore(cfg.Now)
	}
}

// check reports everything that is wrong with the config, with its defaults
// filled in, and returns the parsed BaseURL.
func (cfg *LoginConfig) check(c *sso.Client) (*url.URL, error) {
	var problems []error
	wrong := func(field, problem string) {
		problems = append(problems, &sso.ConfigError{Field: "LoginConfig." + field, Problem: problem})
	}
	if err := checkCookieKeys(cfg.CookieKeys); err != nil {
		problems = append(problems, err)
	}
	if !validPrefix(cfg.Prefix) {
		wrong("Prefix", `must be a clean path such as "/auth", of letters, digits, "-", "_", "." and "/"`)
	}
	if checked, err := cfg.CookieSessions.check(); err != nil {
		problems = append(problems, err)
	} else {
		cfg.CookieSessions = checked
	}
	for _, origin := range cfg.ReturnOrigins {
		if problem := checkReturnOrigin(origin, cfg.InsecureLocalhost); problem != "" {
			wrong("ReturnOrigins", problem)
			break
		}
	}
	if cfg.CookieSessions != nil && cfg.Sessions != nil {
		wrong("CookieSessions", "and Sessions are two places for the same thing: set one")
	}
	if cfg.IdleTimeout < time.Minute {
		wrong("IdleTimeout", "must be at least 1 minute")
	}
	if cfg.AbsoluteTimeout < cfg.IdleTimeout {
		wrong("AbsoluteTimeout", "must be at least IdleTimeout")
	}
	if err := checkProviders(c, cfg.Providers); err != nil {
		problems = append(problems, err)
	}
	if err := checkPages(cfg.Pages); err != nil {
		problems = append(problems, err)
	}
	if _, err := c.LogoutURL(); err != nil {
		problems = append(problems, &sso.ConfigError{
			Field:   "ClientConfig.LogoutURL",
			Problem: "is required by Login: without it signing out leaves the sign-in at Cognito",
		})
	}
	base, problem := checkBaseURL(cfg.BaseURL, cfg.InsecureLocalhost)
	if problem != "" {
		wrong("BaseURL", problem)
		return nil, errors.Join(problems...)
	}
	if callback := base.Scheme + "://" + base.Host + cfg.Prefix + "/callback"; callback != c.RedirectURL() {
		wrong("BaseURL", "and Prefix give the callback "+callback+", but ClientConfig.RedirectURL is "+c.RedirectURL())
	}
	return base, errors.Join(problems...)
}

// checkBaseURL returns the parsed URL, or what is wrong with it.
func checkBaseURL(raw string, insecure bool) (base *url.URL, problem string) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" || strings.ContainsAny(raw, "?#") ||
		u.Host != strings.ToLower(u.Host) {
		return nil, "must be an origin such as https://board.example.ac.kr: scheme and lower-case host, without path, query and user"
	}
	switch {
	case insecure && (u.Scheme != "http" || !isLocalhost(u.Hostname())):
		return nil, "must be http://localhost:<port> or http://127.0.0.1:<port> with InsecureLocalhost"
	case !insecure && u.Scheme != "https":
		return nil, "must be https"
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80", strings.HasSuffix(u.Host, ":"):
		return nil, "must not name the scheme's own port: browsers leave it out"
	}
	return u, ""
}

func validPrefix(prefix string) bool {
	for i := range len(prefix) {
		if c := prefix[i]; !isAlphanumeric(c) && strings.IndexByte("-_./", c) < 0 {
			return false
		}
	}
	return len(prefix) > 1 && prefix[0] == '/' && path.Clean(prefix) == prefix
}

// ServeHTTP serves Login's own routes.
func (l *Login) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.misdirected(w, r) {
		return
	}
	route, _ := strings.CutPrefix(r.URL.Path, l.prefix)
	switch {
	case route == "/login":
		l.get(w, r, l.serveLogin)
	case route == "/callback":
		l.get(w, r, l.serveCallback)
	case route == "/logout":
		l.serveLogout(w, r)
	case route == "/logged-out":
		l.get(w, r, l.serveLoggedOut)
	case route == "/me" && l.serveMe:
		l.get(w, r, l.serveUser)
	default:
		l.page(w, r, http.StatusNotFound, PageNotFound, pageData{})
	}
}

// get lets only GET through, and no prefetching: browsers and link checkers
// that fetch ahead must neither start a sign-in nor spend a code. They get a
// failure, since a browser would take any success, empty as it is, for the page
// when the person comes.
func (l *Login) get(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		l.page(w, r, http.StatusMethodNotAllowed, PageMethod, pageData{})
	case isPrefetch(r):
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		serve(w, r)
	}
}

// hasRepeated says whether one of the parameters is given more than once.
func hasRepeated(query url.Values, names ...string) bool {
	for _, name := range names {
		if len(query[name]) > 1 {
			return true
		}
	}
	return false
}

// loginURL returns the path that starts a sign-in. More parameters come in
// pairs of constants.
func (l *Login) loginURL(returnTo string, more ...string) string {
	query := url.Values{}
	if returnTo != "" && returnTo != defaultReturnTo {
		query.Set("return_to", returnTo)
	}
	for i := 0; i+1 < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	if len(query) == 0 {
		return l.prefix + "/login"
	}
	return l.prefix + "/login?" + query.Encode()
}

// redirect sends the browser to a URL of Cognito's or a path that was checked.
// http.Redirect would clean the path: see returnPath.
func (l *Login) redirect(w http.ResponseWriter, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}

// Require lets only signed-in requests through. It sends browsers to sign in
// and answers everything else with 401 and JSON that holds login_url. When the
// session store, Cognito or its keys are out of reach and the session's token
// has ended, it answers 503; that never signs anybody out.
//
// It marks what it lets through as "Cache-Control: private, no-store", which
// the handler may replace, so that nothing is shown again after signing out.
func (l *Login) Require(next http.Handler) http.Handler { return l.handler(next, false) }

// Optional puts the session's token into the context if there is one.
func (l *Login) Optional(next http.Handler) http.Handler { return l.handler(next, true) }

func (l *Login) handler(next http.Handler, optional bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if accepted(r.Context(), l) {
			next.ServeHTTP(w, r)
			return
		}
		if l.misdirected(w, r) {
			return
		}
		addVary(w.Header(), "Accept", "Cookie", "Sec-Fetch-Mode")
		a := &auth{owner: l, fail: l.fail, now: l.now}
		var err error
		a.session, a.token, err = l.load(w, r)
		switch {
		case err == nil:
			a.login = l
			w.Header().Set("Cache-Control", "private, no-store")
			l.seen(w, r)
		case optional && errors.Is(err, sso.ErrMissing):
		default:
			l.fail(w, r, err)
			return
		}
		r2, err := withAuth(r, a)
		if err != nil {
			l.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r2)
	})
}

// seen forgets the sign-ins that were counted: the session came back, so there
// is no loop, unless it is not enough; see loopsAnew.
func (l *Login) seen(w http.ResponseWriter, r *http.Request) {
	if l.cookies.has(r, l.cookies.tries) {
		l.cookies.remove(w, l.cookies.tries)
	}
}

// loopsAnew says whether a session that came back was not enough, though it is
// of the last sign-in that may be asked for: the clocks of app and pool differ
// by more than a sign-in may be old, or the online check takes every sign-in for
// ended. Until one is enough, they count.
func (l *Login) loopsAnew(w http.ResponseWriter, r *http.Request) bool {
	tries, ok := l.cookies.get(r, l.cookies.tries)
	if !ok {
		return false
	}
	l.cookies.keep(w, l.cookies.tries)
	if tries != maxTries {
		return false
	}
	l.log.WarnContext(r.Context(), "sso: new sign-ins completed, and a newer one is asked for all the same; compare this machine's clock with the pool's, and the online check's scope")
	return true
}

// expiredPage is for a form that the browser can send again.
func expiredPage(anew bool) PageKind {
	if anew {
		return PageNotFresh
	}
	return PageExpired
}

// load returns the session of the request's cookie, and its ID token.
func (l *Login) load(w http.ResponseWriter, r *http.Request) (*session, sso.Token, error) {
	if l.cookieSessions != nil {
		return l.loadCookies(w, r)
	}
	id, ok := l.cookies.get(r, l.cookies.session)
	if !ok {
		return nil, sso.Token{}, sso.ErrMissing
	}
	return l.sessions.load(r.Context(), id)
}

// fail answers a request that is refused: browsers with a redirect or a page,
// everything else with JSON.
//
// It leaves the session cookie alone. The answer to an old request may arrive
// after a new sign-in, and would take that one's cookie away.
func (l *Login) fail(w http.ResponseWriter, r *http.Request, err error) {
	if gone(r, err) {
		return
	}
	ref := refusalOf(err)
	// Without prompt, Cognito would answer from its own session: with the
	// auth_time of before, so that the browser would go round in circles, and
	// though the user was signed out everywhere, which leaves that session.
	anew := errors.Is(err, ErrNotFresh) || errors.Is(err, ErrSignInEnded)
	var prompt []string
	if anew {
		prompt = []string{"prompt", "login"}
	}
	switch unknown := anew || ref.status == http.StatusUnauthorized; {
	case anew && isNavigation(r) && l.loopsAnew(w, r):
		l.page(w, r, http.StatusBadRequest, PageFreshLoop, pageData{LoginURL: l.loginURL(l.returnTo(requestTarget(r)), append(prompt, "retry", "1")...)})
	case unknown && isNavigation(r):
		l.redirect(w, l.loginURL(l.returnTo(requestTarget(r)), prompt...))
	case unknown && isPerson(r):
		// A redirect would lose the form, which the browser can send again.
		l.challenge(w)
		l.page(w, r, http.StatusUnauthorized, expiredPage(anew), pageData{LoginURL: l.loginURL("", prompt...), NewTab: true})
	case anew:
		l.challenge(w)
		ref.writeJSON(w, l.loginURL("", prompt...))
	case unknown:
		l.unauthorized(w)
	case !isPerson(r):
		if ref.status == http.StatusInternalServerError {
			l.unchecked(r, err)
		}
		ref.writeJSON(w, "")
	case ref.status == http.StatusForbidden:
		l.page(w, r, ref.status, PageForbidden, pageData{})
	case ref.status == http.StatusServiceUnavailable:
		l.page(w, r, ref.status, PageUnavailable, pageData{})
	case ref.status == http.StatusBadRequest:
		l.page(w, r, ref.status, PageBadRequest, pageData{})
	default:
		l.unchecked(r, err)
		l.page(w, r, ref.status, PageError, pageData{})
	}
}

// unchecked says what is wrong with the app: nobody else is told.
func (l *Login) unchecked(r *http.Request, err error) {
	l.log.ErrorContext(r.Context(), "sso: a request could not be checked", "reason", string(sso.ReasonOf(err)), "error", err)
}

// challenge adds that of draft-broyer-http-cookie-auth, since 401 must have one
// and a bearer token would not help; browsers ignore it.
func (l *Login) challenge(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Cookie realm="session", form-action="`+l.loginURL("")+`"`)
}

// unauthorized tells a script where to sign in.
func (l *Login) unauthorized(w http.ResponseWriter) {
	l.challenge(w)
	refusal{
		status:      http.StatusUnauthorized,
		code:        "login_required",
		description: "Sign in first.",
	}.writeJSON(w, l.loginURL(""))
}

// addVary adds what an answer depends on. It is added to every answer, not to
// refusals alone, because a cache may hold either.
func addVary(h http.Header, names ...string) {
	h.Add("Vary", strings.Join(names, ", "))
}
