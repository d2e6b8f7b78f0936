package sessions_test

import (
	"crypto/rand"
	"encoding/gob"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
	goredis "github.com/redis/go-redis/v9"
)

// content is what an app keeps of a sign-in: for all contestants the same.
type content struct{ subject, access, id, refresh string }

// scsContestant is scs with the content in its session. With idle it has an
// idle timeout, as Login always has, and so writes at every request.
func scsContestant(t testing.TB, name string, store scs.Store, idle bool, in content) contestant {
	m := scs.New()
	if store != nil {
		m.Store = store
	}
	m.Lifetime, m.Cookie.Secure, m.Cookie.Name, m.HashTokenInStore = 12*time.Hour, true, "__Host-session", true
	if idle {
		m.IdleTimeout = time.Hour
	}
	signIn := m.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := m.RenewToken(r.Context()); err != nil {
			t.Fatal(err)
		}
		m.Put(r.Context(), "subject", in.subject)
		m.Put(r.Context(), "access", in.access)
		m.Put(r.Context(), "id", in.id)
		m.Put(r.Context(), "refresh", in.refresh)
	}))
	return contestant{
		name:    name,
		handler: m.LoadAndSave(page(func(r *http.Request) string { return m.GetString(r.Context(), "subject") })),
		cookies: cookiesOf(serve(t, signIn, "/", "")),
	}
}

func scsRedis(client *goredis.Client) scs.Store { return goredisstore.New(client) }

// gorilla is gorilla/sessions' cookie store, encrypted and authenticated. It
// has no refresh token in it, as Login's cookies have none.
func gorilla(t testing.TB, name string, in content) contestant {
	store := sessions.NewCookieStore(random(64), random(32))
	store.MaxAge(int((12 * time.Hour).Seconds()))
	for _, c := range store.Codecs {
		c.(*securecookie.SecureCookie).MaxLength(0) // two tokens do not fit into its 4096 bytes
	}
	const key = "__Host-session"
	signIn := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, key)
		if err != nil {
			t.Fatal(err)
		}
		s.Values["subject"], s.Values["access"], s.Values["id"] = in.subject, in.access, in.id
		if err := s.Save(r, w); err != nil {
			t.Fatal(err)
		}
	})
	w := httptest.NewRecorder()
	signIn(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, base+"/", nil))
	return contestant{
		name: name,
		handler: page(func(r *http.Request) string {
			s, err := store.Get(r, key)
			if err != nil {
				return ""
			}
			subject, _ := s.Values["subject"].(string)
			return subject
		}),
		cookies: cookiesOf(w.Result()),
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func init() { gob.Register("") }
