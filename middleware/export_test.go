package middleware

import (
	"net/http"
)

// What tests of the package's own parts need of its insides.

var (
	ReturnPath         = returnPath
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
func (l *Login) SessionKey(id string) string    { key, _ := l.sessions.key(id); return key }
func (l *Login) SealFlow(name, p string) string {
	return l.sealer.sealText(purposeFlow, name, []byte(p))
}
func (l *Login) OpenFlow(name, text string) bool { _, ok := l.openFlow(name, text); return ok }

// AllPages renders every page, in the language of r.
func (l *Login) AllPages(write func(status int) http.ResponseWriter, r *http.Request) {
	for name := range pageTexts {
		l.page(write(int(name)), r, 200, name, pageData{LoginURL: "/auth/login", LogoutURL: ""})
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
