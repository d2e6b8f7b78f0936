package chaos

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// kind is how somebody signs in.
type kind int

const (
	kakaoNew    kind = iota
	kakaoLegacy      // an old row waits for the Kakao id
	google
	naver  // a provider without a column in the table
	native // signs up with a password
	invited
)

func (k kind) String() string {
	return [...]string{"kakao", "kakao with an old row", "google", "naver", "native", "invited native"}[k]
}

// provider is its name in the pool, "" for a native user.
func (k kind) provider() string { return [...]string{"Kakao", "Kakao", "Google", "Naver", "", ""}[k] }

// linked reports whether the table has a column for the provider, so that a
// person keeps the row after being deleted in the pool.
func (k kind) linked() bool { return k <= google }

// person is somebody with a life of visits.
type person struct {
	n              int
	kind           kind
	subject, email string
	username       string
	version        int // of the token trigger that the person's app uses: 1, 2 or 3
	arrives        time.Duration
	visits         []visit
	legacy         *Legacy
	last           bool // signs in once more when nothing is broken any more
	settle         time.Duration

	mu      sync.Mutex // guards what follows
	subs    []string   // every sub that the pool ever gave them
	history []string
}

// visit is one time that somebody wants in.
type visit struct {
	after     time.Duration // since the last visit
	tabs      int
	recreated bool // an administrator deletes the user first
	refresh   bool // the app refreshes its tokens; nobody signs in
	forgot    bool // a native user sets a new password first
}

// people are all lives of a run.
func people(cfg Config) []*person {
	all := make([]*person, cfg.People)
	for i := range all {
		all[i] = newPerson(chance(cfg.Seed).of("person", i), i, time.Duration(cfg.People)*10*time.Millisecond)
		all[i].settle = settle
		for n := range all[i].visits {
			v := &all[i].visits[n]
			switch {
			case cfg.Peaceful:
				v.tabs, v.recreated = 1, false
			case cfg.Hasty && n > 0:
				v.recreated, v.refresh, v.after = true, false, min(v.after, 3*time.Second)
			}
		}
		if cfg.Hasty {
			all[i].settle = 0
		}
	}
	return all
}

func newPerson(r *rand.Rand, n int, term time.Duration) *person {
	p := &person{n: n, kind: pickKind(r), subject: fmt.Sprint(4_000_000_000 + n), version: 1 + r.IntN(3)}
	// Four people share an address: families, and people whose second account
	// is at another provider. It must never bring their rows together.
	p.email = fmt.Sprintf("family-%d@example.test", n/4)
	p.username = fmt.Sprintf("%s_%s", p.kind.provider(), p.subject)
	if p.kind.provider() == "" {
		p.username = fmt.Sprintf("person-%d", n)
	}
	p.arrives = between(r, 0, term) // 100 a second
	if p.kind == kakaoLegacy {
		p.legacy = &Legacy{
			ID: int64(1000 + 3*n), Kakao: p.subject, Email: p.email,
			Name: fmt.Sprintf("Old Name %d", n), StudentNo: fmt.Sprintf("S%07d", n), Note: "kept since 2009",
		}
	}
	for range 1 + r.IntN(5) {
		p.visits = append(p.visits, newVisit(r, p, len(p.visits)))
	}
	return p
}

func pickKind(r *rand.Rand) kind {
	switch x := r.IntN(100); {
	case x < 28:
		return kakaoNew
	case x < 56:
		return kakaoLegacy
	case x < 76:
		return google
	case x < 84:
		return naver
	case x < 94:
		return native
	default:
		return invited
	}
}

func newVisit(r *rand.Rand, p *person, n int) visit {
	gaps := []time.Duration{100 * time.Millisecond, 3 * time.Second, time.Minute, time.Hour, 30 * time.Hour}
	v := visit{after: between(r, 0, gaps[r.IntN(len(gaps))]), tabs: 1}
	what := r.Float64()
	if r.Float64() < 0.15 {
		v.tabs = 2
	}
	switch {
	case n == 0:
		v.after = p.arrives
	case what < 0.08:
		v.recreated = true
	case what < 0.25:
		v.refresh, v.tabs = true, 1
	case what < 0.35 && p.kind.provider() == "":
		v.forgot = true
	}
	return v
}

// settle is longer than anything runs on after it was given up. A person who is
// deleted comes to the pool no sooner than that, before and after: see
// docs/guarantees.md.
const settle = 2 * time.Minute

// note adds a line to the person's history.
func (p *person) note(w *world, format string, args ...any) {
	line := fmt.Sprintf("%12s  ", time.Since(w.began).Truncate(time.Millisecond)) + fmt.Sprintf(format, args...)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.history = append(p.history, line)
}
