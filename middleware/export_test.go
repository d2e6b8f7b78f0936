package middleware

import (
	"context"
	"fmt"
	"net/http"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// What tests of the package's own parts need of its insides.

var (
	ReturnPath         = returnPath
	ReturnURL          = returnURL
	ParseAuthorization = parseAuthorization
	ContentPolicy      = contentPolicy
	PageStyle          = pageStyle
)

// StoredRecords counts what a MemoryStore holds, expired or not.
func StoredRecords(m *MemoryStore) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.records)
}

// Sealer is a sealer with string purposes.
type Sealer struct{ s *sealer }

// NewSealer makes one.
func NewSealer(keys [][]byte, clientID, poolID string) (*Sealer, error) {
	if err := checkCookieKeys(keys); err != nil {
		return nil, err
	}
	s, err := newSealer(keys, clientID, poolID)
	return &Sealer{s}, err
}

// Seal seals text for a cookie.
func (s *Sealer) Seal(p, name, plain string) string {
	return s.s.sealText(purpose(p), name, []byte(plain))
}

// Open opens it.
func (s *Sealer) Open(p, name, text string) (string, error) {
	plain, err := s.s.openText(purpose(p), name, text)
	return string(plain), err
}

// ReturnTo is where l goes after a sign-in that was asked to go to s.
func (l *Login) ReturnTo(s string) string { return l.returnTo(s) }

// SessionCookie and FlowCookie are names of cookies.
func (l *Login) SessionCookie() string          { return l.cookies.session }
func (l *Login) FlowCookie(state string) string { return l.cookies.flowName(state) }
func (l *Login) FlowPrefix() string             { return l.cookies.flow }
func (l *Login) TriesCookie() string            { return l.cookies.tries }
func (l *Login) EndedCookie() string            { return l.cookies.ended }
func (l *Login) ChunkCookie(i int) string       { return l.cookies.chunkName(i) }
func (l *Login) SessionKey(id string) string    { key, _ := l.sessions.key(id); return key }
func (l *Login) SealFlow(name, p string) string {
	return l.sealer.sealText(purposeFlow, name, []byte(p))
}
func (l *Login) OpenFlow(name, text string) bool { _, ok := l.openFlow(name, text); return ok }

// AllPages renders every page, in the language of r.
func (l *Login) AllPages(write func(PageKind) http.ResponseWriter, r *http.Request) {
	for kind := range pageTexts {
		data := pageData{LoginURL: "/auth/login"}
		if kind == PageChoose {
			data.Providers = l.ProviderLinks(r, "/notes?x=1")
		}
		l.page(write(kind), r, 200, kind, data)
	}
}

// PageTexts returns title, paragraphs and button of every page, by language.
func PageTexts() map[string][][]string {
	all := map[string][][]string{}
	for _, texts := range pageTexts {
		for lang, text := range texts {
			all[string(lang)] = append(all[string(lang)], append([]string{text.Title, text.Action}, text.Paragraphs...))
		}
	}
	return all
}

// LanguageOf is the package's own.
func LanguageOf(r *http.Request) string { return string(languageOf(r)) }

// OnlineRemembers counts the tokens of which o knows something.
func OnlineRemembers(o *Online) int {
	o.known.mu.Lock()
	defer o.known.mu.Unlock()
	return len(o.known.known)
}

// OnlineShows is all that o remembers, as text.
func OnlineShows(o *Online) string {
	o.known.mu.Lock()
	defer o.known.mu.Unlock()
	return fmt.Sprintf("%#v", o.known.known)
}

// CookieSessionData is a session in cookies.
type CookieSessionData struct {
	ID                        [32]byte
	Subject                   string
	RawID, RawAccess, Refresh string
	Created, Seen             int64
	Username                  string
	IDExpires, AccessExpires  int64
}

// OpenSessionCookies opens the session of a Cookie header.
func (l *Login) OpenSessionCookies(header string) (CookieSessionData, bool) {
	sess, ok := l.openSession(&http.Request{Header: http.Header{"Cookie": {header}}})
	if !ok {
		return CookieSessionData{}, false
	}
	return exportedSession(sess), true
}

func exportedSession(sess *session) CookieSessionData {
	d := sess.data
	return CookieSessionData{sess.id, sess.subject, d.RawID, d.RawAccess, d.Refresh, d.Created, d.Seen, d.Username, d.IDExpires, d.AccessExpires}
}

func (c CookieSessionData) session() *session {
	return &session{id: c.ID, subject: c.Subject, data: sessionData{
		Username: c.Username, RawID: c.RawID, RawAccess: c.RawAccess, Refresh: c.Refresh,
		IDExpires: c.IDExpires, AccessExpires: c.AccessExpires, Created: c.Created, Seen: c.Seen,
	}}
}

// SealSessionCookies is what a browser would be given for a session.
func (l *Login) SealSessionCookies(c CookieSessionData) []string {
	text, _ := l.sealSession(c.session())
	w := headerWriter{}
	l.cookies.setChunks(w, text, 0)
	var chunks []string
	for _, cookie := range (&http.Response{Header: http.Header(w)}).Cookies() {
		if cookie.MaxAge >= 0 {
			chunks = append(chunks, cookie.Value)
		}
	}
	return chunks
}

type headerWriter http.Header

func (h headerWriter) Header() http.Header       { return http.Header(h) }
func (headerWriter) Write(b []byte) (int, error) { return len(b), nil }
func (headerWriter) WriteHeader(int)             {}

// SealSession seals text as what it is not.
func (l *Login) SealSession(p, name, text string) string {
	return l.sealer.sealText(purpose(p), name, []byte(text))
}

// WriteRecord and ReadRecord are how a session is written before it is sealed.
func WriteRecord(c CookieSessionData) []byte { return appendRecord(nil, c.session()) }

// ReadRecord is the reverse.
func ReadRecord(b []byte) (CookieSessionData, bool) {
	sess, ok := readRecord(b)
	if !ok {
		return CookieSessionData{}, false
	}
	return exportedSession(sess), true
}

// Unsaved counts the token sets that l keeps for its store, and says whether a
// goroutine is there to store them.
func (l *Login) Unsaved() (sets int, storing bool) {
	l.sessions.unsaved.mu.Lock()
	defer l.sessions.unsaved.mu.Unlock()
	return len(l.sessions.unsaved.sets), l.sessions.unsaved.storing
}

// MaxUnsaved is how many it keeps.
const MaxUnsaved = maxUnsaved

// StoreMost is the longest time between two tries to store them, and
// AdoptPatience how long a process waits for what another is about to store.
const (
	StoreMost     = storeMost
	AdoptPatience = adoptTries * adoptDelay
)

// NewSession stores a session with a token set.
func (l *Login) NewSession(ctx context.Context, set *sso.TokenSet) (id string, err error) {
	return l.sessions.create(ctx, set)
}

// KeepUnsaved keeps a token set for a session as it is stored, as a refresh does
// whose holder has the lock and whose store fails.
func (l *Login) KeepUnsaved(ctx context.Context, id, holder string, set *sso.TokenSet) error {
	cur, err := l.sessions.stored(ctx, l.SessionKey(id))
	if err != nil {
		return err
	}
	l.sessions.keep(cur, set)
	l.sessions.unsaved.hold(cur.key, holder)
	return nil
}

// SetSession replaces the tokens of a session, as another process does.
func (l *Login) SetSession(ctx context.Context, id string, set *sso.TokenSet, spent bool) error {
	cur, err := l.sessions.stored(ctx, l.SessionKey(id))
	if err != nil {
		return err
	}
	next := *cur
	next.data.setTokens(set)
	next.data.Seen, next.data.Spent = l.now().Unix(), spent
	_, err = l.sessions.update(ctx, &next)
	return err
}

// StoredSession is what the store has of a session, with how often it was
// updated.
func (l *Login) StoredSession(ctx context.Context, id string) (data CookieSessionData, version int64, err error) {
	sess, err := l.sessions.stored(ctx, l.SessionKey(id))
	if err != nil {
		return CookieSessionData{}, 0, err
	}
	return exportedSession(sess), sess.version, nil
}

// RefreshSession has a session refreshed, as a request does, and returns the ID
// token that it has then.
func (l *Login) RefreshSession(ctx context.Context, id string) (rawID string, err error) {
	sess, err := l.sessions.stored(ctx, l.SessionKey(id))
	if err != nil {
		return "", err
	}
	if sess, err = l.sessions.refreshed(ctx, sess); err != nil {
		return "", err
	}
	return sess.data.RawID, nil
}
