package sso

import (
	"context"
	"time"
)

// Observer is told what a [Verifier] does, for logs and metrics. Its methods
// are called by many goroutines at once and on the way of a request: they must
// be safe for concurrent use, quick, and must not panic. Nothing they are
// told names a person, a token or an app client, and every text but the
// issuer's is from a list fixed in this package.
//
// [NewLogObserver] writes to a [log/slog.Logger]; package ssootel counts and
// measures with OpenTelemetry. [Observers] joins several.
type Observer interface {
	// Verified is called once for each token looked at, good or bad. The
	// context is the caller's, which may carry a trace, and may have ended.
	Verified(ctx context.Context, e VerifyEvent)
	// KeysFetched is called once for each attempt to fetch keys, after it.
	KeysFetched(e KeysEvent)
}

// VerifyEvent is one token looked at.
type VerifyEvent struct {
	// Use is the token's own use if it was found acceptable, else the use
	// that was asked for: [UseAccess], [UseID], or "" where either would do.
	Use TokenUse
	// Reason is "ok", or why the token was refused; see [ReasonOf].
	Reason Reason
	// Duration is how long it took by the monotonic clock, waiting for keys
	// included.
	Duration time.Duration
	// Remembered is true if the same token had been verified before and its
	// signature was not computed again.
	Remembered bool
}

// KeysReason is a stable, low-cardinality name of how an attempt to fetch keys
// ended, for metrics labels.
type KeysReason string

// What a [KeysEvent] may have as its reason.
const (
	KeysOK          KeysReason = "ok"          // a usable set, now in force
	KeysUnreachable KeysReason = "unreachable" // no answer: DNS, connection, TLS
	KeysTimeout     KeysReason = "timeout"     // no complete answer in time
	KeysStatus      KeysReason = "status"      // an answer other than 200, redirects among them
	KeysTooLarge    KeysReason = "too_large"   // an answer over the size limit
	KeysUnusable    KeysReason = "unusable"    // an answer that is no key set, or has no usable key
	// KeysNotSwitched is AWS refusing the updated issuer form of a pool that
	// has not switched to it: no fault. See [Verifier.Preload].
	KeysNotSwitched KeysReason = "not_switched"
	KeysOther       KeysReason = "other" // anything else
)

// KeysReasons returns every [KeysReason]. The slice is the caller's own.
func KeysReasons() []KeysReason {
	return []KeysReason{
		KeysOK, KeysUnreachable, KeysTimeout, KeysStatus, KeysTooLarge, KeysUnusable, KeysNotSwitched, KeysOther,
	}
}

// KeysEvent is one attempt to fetch the keys of an issuer.
type KeysEvent struct {
	// Issuer is the configured issuer, or the Config's JWKSURL where that is
	// shared by all. It is never a token's own text.
	Issuer string
	// Reason says how it ended.
	Reason KeysReason
	// Duration is how long the attempt took.
	Duration time.Duration
	// Keys is how many usable keys are in force after it, 0 for none.
	Keys int
	// Age is how long ago the keys in force were fetched: 0 after a success,
	// and where there are none.
	Age time.Duration
	// Stale is true if the attempt failed and keys of an earlier one are
	// still in force. They end Config's StaleIfError after Age was 0, and
	// then every token of the issuer is refused with [ErrKeysUnavailable]:
	// raise an alarm on it well before.
	Stale bool
}

// Observers returns an [Observer] that tells each of the given ones, in order.
// Nil ones are left out.
func Observers(observers ...Observer) Observer {
	var all joined
	for _, o := range observers {
		if o != nil {
			all = append(all, o)
		}
	}
	return all
}

type joined []Observer

// Verified implements [Observer].
func (all joined) Verified(ctx context.Context, e VerifyEvent) {
	for _, o := range all {
		o.Verified(ctx, e)
	}
}

// KeysFetched implements [Observer].
func (all joined) KeysFetched(e KeysEvent) {
	for _, o := range all {
		o.KeysFetched(e)
	}
}
