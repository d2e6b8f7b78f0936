package keyset

import (
	"errors"
	"fmt"
	"time"
)

// Reason is why a fetch failed, for metrics labels.
type Reason string

// The reasons.
const (
	ReasonOK          Reason = "ok"
	ReasonUnreachable Reason = "unreachable" // no answer: DNS, connection, TLS
	ReasonTimeout     Reason = "timeout"     // no complete answer in time
	ReasonStatus      Reason = "status"      // not 200; a redirect too
	ReasonTooLarge    Reason = "too_large"   // over MaxBytes
	ReasonUnusable    Reason = "unusable"    // cut off, no key set, or none with a usable key
	ReasonClosed      Reason = "closed"      // Cache.Close
)

const textClosed = "closed"

var errTooLarge = errors.New("answer is larger than 1 MiB")

// FetchError says why a key set could not be fetched. It deliberately wraps
// no error: a fetch that timed out must not look like a caller's own context
// that ended ([context.DeadlineExceeded]).
type FetchError struct {
	// URL is where it was looked for, without a query.
	URL string
	// Reason is never ReasonOK.
	Reason Reason
	// Status is the HTTP status if it was not 200, else 0.
	Status int
	// NotFound is true if the host does not exist in DNS.
	NotFound bool

	text string
}

func (e *FetchError) Error() string {
	return fmt.Sprintf("fetching keys from %s: %s", e.URL, e.text)
}

// FetchResult tells Config.OnFetch how a fetch went, and what is in force after
// it.
type FetchResult struct {
	// URL is where the keys were looked for, without a query.
	URL string
	// Err is nil if the fetch brought keys.
	Err *FetchError
	// Duration is how long it took.
	Duration time.Duration
	// Keys is how many keys may be used: 0 is an outage that callers feel.
	Keys int
	// Age is how old they are, 0 if there are none.
	Age time.Duration
}

// Reason is why it failed, ReasonOK if it did not.
func (r FetchResult) Reason() Reason {
	if r.Err == nil {
		return ReasonOK
	}
	return r.Err.Reason
}

// Stale reports whether keys of an earlier fetch are in force because this one
// failed.
func (r FetchResult) Stale() bool { return r.Err != nil && r.Keys > 0 }

func (s *snapshot) result(now time.Time) FetchResult {
	r := FetchResult{Keys: s.usable(now).Len()}
	if r.Keys > 0 {
		r.Age = max(now.Sub(s.fetched), 0) // negative if the clock was set back
	}
	return r
}
