package chaos

import (
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"
)

// pool is a model of a user pool: users, their attributes, and the quota of
// calls that change them (category UserUpdate).
type pool struct {
	w *world

	mu    sync.Mutex // guards what follows
	users map[string]*account
	// second and used: the calls of the current second.
	second time.Time
	used   int
}

const (
	poolID    = "ap-northeast-2_ChaosPool"
	userQuota = 25 // UserUpdate, a second; not adjustable
	attribute = "custom:userId"
)

// account is a user of the pool. Only the pool touches attributes.
type account struct {
	username, sub, status string
	person                *person
	attributes            map[string]string
}

func newPool(w *world) *pool { return &pool{w: w, users: map[string]*account{}} }

func (p *pool) find(username string) (*account, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, ok := p.users[username]
	return a, ok
}

// create makes the user unless somebody else just did.
func (p *pool) create(who *person) (a *account, created bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a, ok := p.users[who.username]; ok {
		return a, false
	}
	sub := who.newSub(p.w.chance)
	a = &account{username: who.username, sub: sub, status: "CONFIRMED", person: who,
		attributes: map[string]string{"sub": sub, "email": who.email, "name": fmt.Sprintf("New Name %d", who.n)}}
	if provider := who.kind.provider(); provider != "" {
		a.status = "EXTERNAL_PROVIDER"
		a.attributes["identities"] = identities(provider, who.subject)
	}
	a.attributes["cognito:user_status"] = a.status
	p.users[who.username] = a
	return a, true
}

func identities(provider, subject string) string {
	kind := "OIDC"
	if provider == "Google" {
		kind = "Google"
	}
	raw, err := json.Marshal([]map[string]any{{"userId": subject, "providerName": provider, "providerType": kind,
		"issuer": nil, "primary": true, "dateCreated": time.Now().UnixMilli()}})
	if err != nil {
		panic(err) // strings only
	}
	return string(raw)
}

func (p *person) newSub(c chance) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := c.of("sub", p.n, len(p.subs))
	sub := fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48))
	p.subs = append(p.subs, sub)
	return sub
}

// remove deletes a user, as an administrator does.
func (p *pool) remove(username string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.users[username]
	delete(p.users, username)
	return ok
}

// snapshot are the attributes as a trigger gets them.
func (p *pool) snapshot(a *account) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(a.attributes)
}

// all are the pool's users.
func (p *pool) all() []*account {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*account
	for _, a := range p.users {
		out = append(out, a)
	}
	return out
}

// throttled takes one call from the quota of this second.
func (p *pool) throttled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now().Truncate(time.Second); !now.Equal(p.second) {
		p.second, p.used = now, 0
	}
	p.used++
	return p.used > userQuota
}

// set writes an attribute. It reports whether there is such a user.
func (p *pool) set(username, name, value string) (*account, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, ok := p.users[username]
	if ok {
		a.attributes[name] = value
	}
	return a, ok
}
