package middleware

import (
	"crypto/sha256"
	"sync"
	"time"
)

// verdict is what Cognito said of one token.
type verdict struct {
	ended bool
	until time.Time // when to ask again
}

func (v verdict) err() error {
	if v.ended {
		return ErrSignInEnded
	}
	return nil
}

// verdicts remembers what Cognito said of tokens, by their hashes.
type verdicts struct {
	most int

	mu    sync.Mutex // guards known
	known map[[sha256.Size]byte]verdict
}

func (v *verdicts) get(id [sha256.Size]byte, now time.Time) (verdict, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found, ok := v.known[id]
	return found, ok && now.Before(found.until)
}

func (v *verdicts) put(id [sha256.Size]byte, said verdict, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil {
		v.known = make(map[[sha256.Size]byte]verdict)
	}
	if len(v.known) >= v.most {
		v.makeRoom(now)
	}
	v.known[id] = said
}

// makeRoom forgets what is past, and then until a quarter is free first that
// sign-ins stand, which is asked again, and only then that they have ended.
func (v *verdicts) makeRoom(now time.Time) {
	room := v.most - (v.most+3)/4
	for _, drop := range []func(verdict) bool{
		func(had verdict) bool { return !now.Before(had.until) },
		func(had verdict) bool { return !had.ended && len(v.known) > room },
		func(verdict) bool { return len(v.known) > room },
	} {
		for id, had := range v.known {
			if drop(had) {
				delete(v.known, id)
			}
		}
	}
}
