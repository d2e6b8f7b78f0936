package fleettest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// session is one that a browser was given. The judge's mu guards it.
type session struct {
	number, browser, person int
	cookie                  *http.Cookie
	first                   *issue
	made, given             time.Time // the sign-in's last request, by the clock: between the two it was made
	begun, stood            time.Time // the same, by the machine's time
	used, usedBefore        time.Time // by the clock: its last use, and that of earlier rounds
	served, servedBefore    time.Time // by the clock: when the last request with a page began, and of earlier rounds
	ending, ended           time.Time // its sign-out was asked for, and was answered; by the machine's time
	lost                    bool
	life                    []string
}

// slack is for times that are whole seconds: up to so much was cut off.
const slack = time.Second

// signedIn notes a new session.
func (j *judge) signedIn(b *browser, cookie *http.Cookie, code string, v *visit) *session {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := &session{
		number: len(j.sessions), browser: b.number, person: b.person, cookie: cookie, first: j.codes[code],
		made: v.vfrom, given: v.vto, begun: v.from, stood: v.to, used: v.vto, served: v.vfrom,
	}
	j.sessions = append(j.sessions, s)
	j.report.SignIns++
	j.note(s, "signed in")
	switch {
	case s.first == nil || s.first.person != b.person:
		j.say(Wrong, s, "a session without a sign-in of this person at the pool")
	case s.first.record == nil:
		j.say(Wrong, s, "a session that the store has not")
	}
	return s
}

func (j *judge) note(s *session, format string, args ...any) {
	s.life = append(s.life, fmt.Sprintf("%v, %s: ", time.Since(j.began).Round(time.Millisecond), j.clock.at(time.Now()).UTC().Format(time.TimeOnly))+
		fmt.Sprintf(format, args...))
}

// round begins a new round.
func (j *judge) round() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.sessions {
		s.usedBefore, s.servedBefore = s.used, s.served
	}
}

// signsOut notes that the end of sessions is asked for: s, or all of its person
// that stand. What it returns notes the answer.
func (j *judge) signsOut(s *session, everywhere bool) (answered func(ok bool)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	ending := []*session{s}
	all := &signOut{person: s.person, from: now}
	if everywhere {
		j.signOuts = append(j.signOuts, all)
		ending = j.sessionsOf(s.person)
	}
	for _, one := range ending {
		if one.ending.IsZero() {
			one.ending = now
		}
		j.note(one, "sign-out by browser %d, everywhere %v", s.browser, everywhere)
	}
	return func(ok bool) {
		j.mu.Lock()
		defer j.mu.Unlock()
		all.to, all.unanswered = time.Now(), !ok
		if !ok {
			return
		}
		j.report.SignOuts++
		for _, one := range ending {
			if one.ended.IsZero() {
				one.ended = all.to
			}
			j.note(one, "sign-out answered")
		}
	}
}

func (j *judge) sessionsOf(person int) []*session {
	var all []*session
	for _, s := range j.sessions {
		if s.person == person {
			all = append(all, s)
		}
	}
	return all
}

// gone are the sessions whose sign-out was answered.
func (j *judge) gone() []*session {
	j.mu.Lock()
	defer j.mu.Unlock()
	var gone []*session
	for _, s := range j.sessions {
		if !s.ended.IsZero() {
			gone = append(gone, s)
		}
	}
	return gone
}

// visit is one request of a browser with a session, and its answer.
type visit struct {
	from, to   time.Time // by the machine
	vfrom, vto time.Time // by the clock
	status     int
	process    int  // that answered
	cut        bool // it died
	location   string
	body       string
}

func (v *visit) String() string {
	return fmt.Sprintf("%d of process %d after %v, cut %v", v.status, v.process, v.to.Sub(v.from).Round(time.Millisecond), v.cut)
}

// verdict is what a browser does about an answer.
type verdict int

const (
	isServed verdict = iota
	isAsked          // to sign in
	isBroken
)

// judged judges an answer to a request for a page.
func (j *judge) judged(s *session, v *visit) verdict {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.report.Requests++
	s.used = v.vto
	asked := v.status == http.StatusUnauthorized || v.status == http.StatusSeeOther && strings.HasPrefix(v.location, prefix+"/login")
	j.note(s, "%v", v)
	switch {
	case v.status == http.StatusOK:
		j.served(s, v)
		return isServed
	case asked:
		j.asked(s, v)
		return isAsked
	}
	j.broken(s, v)
	return isBroken
}

// served: who is let in must be in.
func (j *judge) served(s *session, v *visit) {
	if sub, ok := strings.CutPrefix(v.body, pageText); !ok || sub != j.subs[s.person] {
		j.say(Wrong, s, "a page of somebody else")
	}
	if v.vfrom.After(s.served) {
		s.served = v.vfrom
	}
	switch {
	case !s.ended.IsZero() && v.from.After(s.ended):
		j.say(Revived, s, "a page after its sign-out")
	case v.vfrom.After(s.given.Add(absoluteLimit)):
		j.say(Revived, s, "a page beyond the absolute limit")
	case !s.usedBefore.IsZero() && v.vfrom.After(s.usedBefore.Add(idleLimit)):
		j.say(Revived, s, "a page beyond the idle limit")
	}
	for _, e := range j.ends {
		if e.person == s.person && s.stood.Before(e.from) && !e.to.IsZero() && v.vfrom.After(e.bites) &&
			(e.bitesUntil.IsZero() || v.vfrom.Before(e.bitesUntil)) {
			j.say(Revived, s, "a page although the pool has ended it, and its tokens are past")
		}
	}
}

// asked: who is asked to sign in must have been signed out.
func (j *judge) asked(s *session, v *visit) {
	j.report.Asked++
	switch {
	case !s.ending.IsZero() && s.ending.Before(v.to), j.sweptAway(s, v):
	case j.limited(s, v):
		j.report.Limited++
	case j.endedByPool(s, v):
		j.report.EndedByPool++
	case s.lost:
	case s.first != nil && j.lost(s.first.last()):
		s.lost = true
		j.report.Lost++
		if s.first.last().received {
			j.report.Unstored++
		}
	default:
		j.say(Wrong, s, "asked to sign in, for no reason")
	}
}

// touches is how often the use of a session is noted in the store.
const touches = time.Minute

// limited: a limit that the store has is taken at its word if it is no earlier
// than the last page allows, or if the store failed this session since.
func (j *judge) limited(s *session, v *visit) bool {
	absolute := s.made.Add(absoluteLimit - slack)
	if v.vto.After(absolute) {
		return true
	}
	if s.first == nil || s.first.record == nil || s.servedBefore.IsZero() {
		return false
	}
	r := s.first.record
	early := r.ends.Before(s.servedBefore.Add(idleLimit-touches-slack)) && r.ends.Before(absolute) && r.failed.Before(s.servedBefore)
	return !v.vto.Before(r.ends) && !early
}

// sweptAway: a session that was made while its person signed out everywhere is
// before that or after it, as it happens.
func (j *judge) sweptAway(s *session, v *visit) bool {
	for _, o := range j.signOuts {
		if o.person == s.person && o.from.Before(v.to) && (o.to.IsZero() || s.begun.Before(j.doneBy(o))) {
			return true
		}
	}
	return false
}

// lateness is how long after its process a call may reach the store.
const lateness = time.Second

// doneBy is when a sign-out has done what it does.
func (j *judge) doneBy(o *signOut) time.Time {
	if !o.unanswered {
		return o.to
	}
	done := o.to
	for _, out := range j.outages {
		if out.from.Before(o.to) && out.to.After(done) {
			done = out.to
		}
	}
	return done.Add(lateness)
}

func (j *judge) endedByPool(s *session, v *visit) bool {
	for _, e := range j.ends {
		if e.person == s.person && e.from.Before(v.to) && (e.to.IsZero() || s.begun.Before(e.to)) {
			return true
		}
	}
	return false
}

// broken: who is in must be served, unless their process died under the
// request, or the store was away, or their tokens are past and nobody could
// replace them.
func (j *judge) broken(s *session, v *visit) {
	j.report.Broken++
	_, dead := j.deaths[v.process]
	switch {
	case v.cut && dead:
		j.report.Cut++
	case v.cut:
		j.say(Wrong, s, "no answer, and process %d was not killed", v.process)
	case v.status != http.StatusServiceUnavailable:
		j.say(Wrong, s, "status %d", v.status)
	case j.storeWasDown(v.from, v.to) && j.failed(v.process, v.from, v.to, true):
	case s.first != nil && v.vto.Before(j.livesUntil(s.first, v.from).Add(-slack)):
		j.say(Wrong, s, "status %d while its tokens live", v.status)
	case j.failed(v.process, v.from.Add(-pause), v.to, false), j.keysAway(), j.held(s, v):
	default:
		j.say(Wrong, s, "status %d, and nothing keeps its tokens from being replaced", v.status)
	}
}

// pause is how long a process leaves Cognito alone that did not answer.
const pause = 3 * time.Second

// failed says whether a call of a process to the store, or to the pool, failed
// in that time.
func (j *judge) failed(process int, from, to time.Time, store bool) bool {
	for _, f := range j.failures[process] {
		if f.store == store && !f.at.Before(from) && !f.at.After(to) {
			return true
		}
	}
	return false
}

// poll is how often at least a request looks for a lock to be free.
const poll = 250 * time.Millisecond

// held says whether another process had the lock of a session until the
// request gave up, or its lease ran on.
func (j *judge) held(s *session, v *visit) bool {
	if s.first == nil || s.first.record == nil {
		return false
	}
	for _, h := range s.first.record.holders {
		to := h.to
		if to.IsZero() {
			to = h.from.Add(j.lease)
		}
		if h.process != v.process && h.from.Before(v.to) && to.After(v.to.Add(-poll)) {
			return true
		}
	}
	return false
}
