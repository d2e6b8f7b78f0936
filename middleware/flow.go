package middleware

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	// flowAge is how long a sign-in may take. Cognito gives up earlier.
	flowAge = 10 * time.Minute
	// flowAhead is how far ahead of ours the clock of the machine that started
	// the flow may be.
	flowAhead = time.Minute
	// maxFlows and maxFlowBytes bound what open sign-in tabs add to every
	// request: many servers refuse more than 8 KiB of headers.
	maxFlows     = 4
	maxFlowBytes = 6 << 10
	// maxFlowCookie bounds one of them before anything is decoded.
	maxFlowCookie = 4096
	// maxFlowsSeen bounds the work for a request with absurdly many.
	maxFlowsSeen = 32
)

// flow is what a flow cookie holds: one sign-in of one tab.
type flow struct {
	Flow     sso.Flow `json:"flow"`
	ReturnTo string   `json:"return_to"`
	// Silent is set for prompt=none, and Fallback with it if an ordinary
	// sign-in is to follow where that fails.
	Silent   bool `json:"silent,omitempty"`
	Fallback bool `json:"fallback,omitempty"`
}

// addFlow writes the cookie of a new flow and deletes the oldest ones where
// there would be too many.
func (l *Login) addFlow(w http.ResponseWriter, r *http.Request, f flow) error {
	plain, err := json.Marshal(f)
	if err != nil {
		return err
	}
	name := l.cookies.flowName(f.Flow.State.Reveal())
	value := l.sealer.sealText(purposeFlow, name, plain)

	type kept struct {
		name    string
		size    int
		created time.Time
	}
	var keep []kept
	size := len(name) + len(value)
	for i, c := range l.cookies.flows(r) {
		if i == maxFlowsSeen {
			break
		}
		old, ok := l.openFlow(c.Name, c.Value)
		if !ok {
			l.cookies.remove(w, c.Name)
			continue
		}
		keep = append(keep, kept{c.Name, len(c.Name) + len(c.Value), old.Flow.CreatedAt})
		size += len(c.Name) + len(c.Value)
	}
	slices.SortStableFunc(keep, func(a, b kept) int { return a.created.Compare(b.created) })
	for len(keep) > 0 && (len(keep) >= maxFlows || size > maxFlowBytes) {
		l.cookies.remove(w, keep[0].name)
		size -= keep[0].size
		keep = keep[1:]
	}
	l.cookies.set(w, name, value, flowAge)
	return nil
}

// findFlow returns the flow that a callback's state belongs to, out of the
// cookies of the browser that sends it. The name says which cookie; that the
// state is the flow's own is checked on the sealed content.
func (l *Login) findFlow(r *http.Request, state string) (flow, bool) {
	name := l.cookies.flowName(state)
	value, ok := l.cookies.get(r, name)
	if !ok {
		return flow{}, false
	}
	f, ok := l.openFlow(name, value)
	if !ok || subtle.ConstantTimeCompare([]byte(f.Flow.State.Reveal()), []byte(state)) != 1 {
		return flow{}, false
	}
	return f, true
}

// openFlow opens a flow cookie of this app that has not expired. Its seal binds
// it to purpose, cookie name, app client and user pool.
func (l *Login) openFlow(name, value string) (flow, bool) {
	if len(value) > maxFlowCookie {
		return flow{}, false
	}
	plain, err := l.sealer.openText(purposeFlow, name, value)
	if err != nil {
		return flow{}, false
	}
	var f flow
	if err := json.Unmarshal(plain, &f); err != nil || f.Flow.State == "" {
		return flow{}, false
	}
	age := l.now().Sub(f.Flow.CreatedAt)
	return f, age <= flowAge && age >= -flowAhead
}
