package middleware

import (
	"cmp"
	"slices"
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
	mu      sync.Mutex // guards all below
	sets    map[string]unsavedSet
	storing bool // a goroutine is there to store them
}

// unsavedSet replaces the tokens of a session whose stored ID and refresh token
// are rawID and refresh. Only the flight of its session puts it there and stores
// it, see sessions.renewals.
type unsavedSet struct {
	rawID, refresh string
	set            *sso.TokenSet
	// seen is when the session was last used, and ends its absolute limit, after
	// which nobody needs the set. Unix seconds.
	seen, ends int64
	// holder has the lock of the session, so that nobody redeems the refresh
	// token that is spent.
	holder string
	tries  int
}

// keep remembers what a session's tokens should be. It says whether a goroutine
// has to be started to store it.
func (u *unsaved) keep(key string, set unsavedSet) (start bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sets == nil {
		u.sets = make(map[string]unsavedSet)
	}
	if _, ok := u.sets[key]; !ok && len(u.sets) >= maxUnsaved {
		for other := range u.sets { // any one
			delete(u.sets, other)
			break
		}
	}
	u.sets[key] = set
	start = !u.storing
	u.storing = true
	return start
}

// hold notes who has the lock of a session of which something is remembered.
func (u *unsaved) hold(key, holder string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	set, ok := u.sets[key]
	if ok {
		set.holder = holder
		u.sets[key] = set
	}
	return ok
}

// find returns what is remembered for a session as stored.
func (u *unsaved) find(sess *session) (unsavedSet, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	found, ok := u.sets[sess.key]
	if !ok || found.rawID != sess.data.RawID || found.refresh != sess.data.Refresh {
		return unsavedSet{}, false
	}
	return found, true
}

// try returns what is remembered under a key, for whoever tries to store it.
func (u *unsaved) try(key string) (unsavedSet, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	found, ok := u.sets[key]
	if ok {
		found.tries++
		u.sets[key] = found
	}
	return found, ok
}

// peek returns the refresh token that is remembered under a key, or "".
func (u *unsaved) peek(key string) sso.Secret {
	u.mu.Lock()
	defer u.mu.Unlock()
	if found, ok := u.sets[key]; ok {
		return found.set.Refresh
	}
	return ""
}

// take returns what is remembered under a key, and forgets it. Of several at
// once one gets it.
func (u *unsaved) take(key string) (unsavedSet, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	found, ok := u.sets[key]
	delete(u.sets, key)
	return found, ok
}

// waiting returns the keys of all that is remembered, the least tried first: a
// session that the store never takes must not be before all others.
func (u *unsaved) waiting() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	keys := make([]string, 0, len(u.sets))
	for key := range u.sets {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Compare(u.sets[a].tries, u.sets[b].tries) })
	return keys
}

// dropEnded forgets the sets of sessions that have ended, and returns how many.
func (u *unsaved) dropEnded(now int64) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for key, set := range u.sets {
		if now >= set.ends {
			delete(u.sets, key)
			n++
		}
	}
	return n
}

// finished says whether nothing is left to store. Then the goroutine that asks
// is the last, and the next set starts another.
func (u *unsaved) finished() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.storing = len(u.sets) > 0
	return !u.storing
}
