package lambda

import (
	"sync"
	"time"
)

// firstSignIn is how long after a federated user was made an event may still
// be of the first sign-in, and so show the attributes from before
// PostConfirmation. From there to the token the browser follows two redirects.
const firstSignIn = time.Minute

// maxRecent bounds what is remembered. Lambda runs one event at a time in a
// process; only a server that runs all the time could come near it.
const maxRecent = 4096

// recent remembers which users this process gave the attribute to, or failed
// to. Cognito may show the attributes of a first sign-in as they were before
// PostConfirmation wrote to them; then this is what it would show, and saves
// both the second question to the store and the second write. It is a
// shortcut: without an entry everything is as right, and dearer.
type recent struct {
	mu      sync.Mutex // guards what follows
	entries map[recentUser]recentWrite
	order   []recentUser // by the time of the first write, for forgetting
}

type recentUser struct{ poolID, sub string }

type recentWrite struct {
	id      string
	at      time.Time
	written bool // otherwise Cognito did not take it
}

func (r *recent) put(u recentUser, w recentWrite) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entries == nil {
		r.entries = map[recentUser]recentWrite{}
	}
	for len(r.order) > 0 && (len(r.order) >= maxRecent || !r.entries[r.order[0]].fresh(w.at)) {
		delete(r.entries, r.order[0])
		r.order = r.order[1:]
	}
	if _, there := r.entries[u]; !there {
		r.order = append(r.order, u)
	}
	r.entries[u] = w
}

func (r *recent) get(u recentUser, now time.Time) (recentWrite, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w, ok := r.entries[u]
	return w, ok && w.fresh(now)
}

func (w recentWrite) fresh(now time.Time) bool {
	age := now.Sub(w.at)
	return age >= 0 && age < firstSignIn
}
