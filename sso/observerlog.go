package sso

import (
	"context"
	"log/slog"
)

// LogObserver is an [Observer] that writes to a log. Make one with
// [NewLogObserver]. It is safe for concurrent use.
//
//   - A token that was accepted is not logged.
//   - A token that was refused is logged at Info with its reason; at Debug if
//     it had merely expired, or there was none, or the caller left, which are
//     everyday. Whoever can send tokens can make such lines, as they can in an
//     access log.
//   - Keys that could not be fetched are logged at Warn, with "stale" and "age"
//     while earlier keys go on, and with "keys" 0 when there are none: those
//     two are what to raise an alarm on. Keys that were fetched, and AWS's
//     refusal of an issuer form that the pool does not use, are logged at
//     Debug.
//
// The attributes are use, reason, remembered, duration, issuer, keys, age and
// stale; no line names a person, a token or a client.
type LogObserver struct {
	log *slog.Logger
}

// NewLogObserver returns a LogObserver that writes to log, [slog.Default] if
// that is nil.
func NewLogObserver(log *slog.Logger) *LogObserver {
	if log == nil {
		log = slog.Default()
	}
	return &LogObserver{log}
}

// Verified implements [Observer].
func (o *LogObserver) Verified(ctx context.Context, e VerifyEvent) {
	level := slog.LevelInfo
	switch e.Reason {
	case "ok":
		return
	case "expired", "missing", "canceled", "deadline":
		level = slog.LevelDebug
	}
	o.log.LogAttrs(ctx, level, "sso: token refused",
		slog.String("use", string(e.Use)),
		slog.String("reason", string(e.Reason)),
		slog.Bool("remembered", e.Remembered),
		slog.Duration("duration", e.Duration),
	)
}

// KeysFetched implements [Observer].
func (o *LogObserver) KeysFetched(e KeysEvent) {
	level, text := slog.LevelWarn, "sso: keys could not be fetched and there are none; tokens are refused"
	switch {
	case e.Reason == KeysOK:
		level, text = slog.LevelDebug, "sso: keys fetched"
	case e.Reason == KeysNotSwitched:
		level, text = slog.LevelDebug, "sso: the pool does not use its updated issuer form"
	case e.Keys > 0:
		text = "sso: keys could not be fetched; earlier ones are used"
	}
	o.log.LogAttrs(context.Background(), level, text,
		slog.String("issuer", e.Issuer),
		slog.String("reason", string(e.Reason)),
		slog.Int("keys", e.Keys),
		slog.Duration("age", e.Age),
		slog.Bool("stale", e.Stale),
		slog.Duration("duration", e.Duration),
	)
}
