package middleware

import (
	"sync"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// maxUnsaved bounds what a process remembers for a store that cannot be
// written.
const maxUnsaved = 4096

// unsaved remembers token sets that the store would not take, until it does.
// Where the pool rotates refresh tokens, losing such a set signs somebody out,
// and an outage of the store must not. Its zero value is empty.
type unsaved struct {
	mu   sync.Mutex // guards sets
	sets map[string]unsavedSet
}

// unsavedSet replaces the tokens of a session whose stored ID token is rawID.
type unsavedSet struct {
	rawID string
	set   *sso.TokenSet
}

// keep remembers what a session's tokens should be.
func (u *unsaved) keep(sess *session, set *sso.TokenSet) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sets == nil {
		u.sets = make(map[string]unsavedSet)
	}
	if len(u.sets) >= maxUnsaved {
		for key := range u.sets { // any one
			delete(u.sets, key)
			break
		}
	}
	u.sets[sess.key] = unsavedSet{sess.data.RawID, set}
}

// find returns what is remembered for a session as stored, or nil.
func (u *unsaved) find(sess *session) *sso.TokenSet {
	u.mu.Lock()
	defer u.mu.Unlock()
	if found, ok := u.sets[sess.key]; ok && found.rawID == sess.data.RawID {
		return found.set
	}
	return nil
}

// take returns what is remembered under a key, or nil, and forgets it.
func (u *unsaved) take(key string) *sso.TokenSet {
	u.mu.Lock()
	defer u.mu.Unlock()
	found := u.sets[key]
	delete(u.sets, key)
	return found.set
}
