package middleware

import (
	"context"
	"errors"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	// storeFirst and storeMost are how long the goroutine that stores what is
	// unsaved waits between two tries, and storeTimeout bounds each. storeMost is
	// less than a process waits whose refresh token was refused (adoptTries times
	// adoptDelay), so that one which comes right after the store is back, and
	// after the lock's lease, still finds the tokens.
	storeFirst   = 100 * time.Millisecond
	storeMost    = 750 * time.Millisecond
	storeTimeout = 2 * time.Second
)

// errOnlyStored is what a request gets that joined a flight which was no
// refresh: it begins again.
var errOnlyStored = errors.New("middleware: tokens were stored, and not refreshed")

// keep remembers a set that the store would not take for cur, and has it stored
// as soon as the store does.
func (s *sessions) keep(cur *session, set *sso.TokenSet) {
	if s.unsaved.keep(cur.key, unsavedSet{
		rawID:   cur.data.RawID,
		refresh: cur.data.Refresh,
		set:     set,
		seen:    s.now().Unix(),
		ends:    cur.data.Created + seconds(s.absolute),
	}) {
		go s.storeUnsaved()
	}
}

// storeUnsaved stores what is unsaved, until nothing is left: there is one of it
// at most. A set is left for the time of AbsoluteTimeout at the longest.
func (s *sessions) storeUnsaved() {
	ctx := context.Background()
	var total tally
	for wait := storeFirst; !s.unsaved.finished(); {
		_ = sleep(ctx, wait)
		round := s.storeRound(ctx)
		total.stored += round.stored
		total.notNeeded += round.notNeeded
		wait = min(2*wait, storeMost)
		if round.stored > 0 {
			wait = storeFirst
		}
	}
	s.log.InfoContext(ctx, "sso: no refreshed tokens are left that the session store has not taken",
		"stored", total.stored, "not_needed", total.notNeeded)
}

// tally counts what became of sets: notNeeded are those of sessions that ended,
// or whose tokens in the store are newer or were stored by a request.
type tally struct{ stored, notNeeded int }

// storeRound tries every set once, and ends where the store fails: it would
// fail for the rest too.
func (s *sessions) storeRound(ctx context.Context) tally {
	round := tally{notNeeded: s.unsaved.dropEnded(s.now().Unix())}
	failed := false
	for _, key := range s.unsaved.waiting() {
		// No request refreshes the session meanwhile. Where one is at it, this
		// waits for that instead, and whatever is left is for the next round.
		_, _, _ = s.renewals.Do(key, func() (any, error) {
			err := s.storeOne(ctx, key)
			switch {
			case err == nil:
				round.stored++
			case errors.Is(err, errNoUse):
				round.notNeeded++
			case !errors.Is(err, ErrSessionConflict):
				failed = true
			}
			return nil, errOnlyStored
		})
		if failed {
			break
		}
	}
	return round
}

// errNoUse: a set is forgotten, because its session has ended or has newer
// tokens.
var errNoUse = errors.New("middleware: nobody needs these tokens")

// storeOne tries to store the set of a key. Any other error than errNoUse leaves
// it for another try.
func (s *sessions) storeOne(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	kept, ok := s.unsaved.try(key)
	if !ok {
		return errNoUse // signed out, or stored by a request
	}
	cur, err := s.stored(ctx, key)
	if err == nil {
		if _, ok := s.unsaved.find(cur); !ok {
			s.settle(ctx, key)
			return errNoUse // what is stored is newer
		}
		_, err = s.saveKept(ctx, cur, kept)
	} else if errors.Is(err, sso.ErrMissing) {
		s.abandon(ctx, key)
	}
	if errors.Is(err, sso.ErrMissing) {
		return errNoUse
	}
	return err
}

// saveKept tries once to store a set that is remembered for cur, and returns the
// session with it, stored or not. It is sso.ErrMissing if the session has ended.
func (s *sessions) saveKept(ctx context.Context, cur *session, kept unsavedSet) (*session, error) {
	next := *cur
	next.data.setTokens(kept.set)
	next.data.Seen = max(cur.data.Seen, kept.seen)
	stored, err := s.update(ctx, &next)
	switch {
	case err == nil:
		s.settle(ctx, cur.key)
		return stored, nil
	case errors.Is(err, ErrSessionGone):
		s.abandon(ctx, cur.key)
		return nil, sso.ErrMissing
	}
	return &next, err
}

// settle forgets the set of a session that has its tokens, or newer ones, in the
// store: others may refresh it from now on.
func (s *sessions) settle(ctx context.Context, key string) {
	if kept, ok := s.unsaved.take(key); ok && kept.holder != "" {
		s.unlock(ctx, key, kept.holder)
	}
}

// abandon forgets the set of a session that has ended, and ends its refresh
// token, unless who signed out here has taken it. That one may revoke it too,
// which does no harm.
func (s *sessions) abandon(ctx context.Context, key string) {
	if kept, ok := s.unsaved.take(key); ok {
		s.revoke(ctx, kept.set.Refresh)
	}
}
