package lambda

import (
	"context"
	"log/slog"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// Result is how one event ended. Its texts are of low cardinality and hold no
// personal data, so they may be metric labels.
type Result struct {
	// Source is the triggerSource, "warmup", or "unknown".
	Source  string
	Outcome Outcome
	// Reason is set unless Outcome is OutcomeOK.
	Reason   Reason
	Duration time.Duration
	// User is what became of the row, if the store was asked.
	User users.Outcome
	// FromStore: the token's userId came from the store, not from the attribute.
	FromStore bool
	// Mismatch: the attribute had another id than the row.
	Mismatch bool
	// Healed: the token trigger made good what was missing or wrong. With User
	// "existing" or "" that is the attribute, whose write had failed; with
	// another User, a sign-up that was lost.
	Healed bool
	// AttributeWritten and AttributeFailed: the userId attribute was written,
	// or could not be. Neither: there was no need.
	AttributeWritten, AttributeFailed bool
	// SignInRecorded: the store wrote the time of the sign-in with the row,
	// which became the user's only now, so that nothing had to be queued.
	SignInRecorded bool
	// SignInLost: a sign-in could not be queued. It may have been recorded by an
	// earlier attempt of the same trigger, of which this one does not know.
	SignInLost bool
	// Retries counts the calls of AWS after the first try: of Cognito and the
	// queue as the SDK makes them, of sso-dbsync as the store does (see
	// [CountRetry]). How often Cognito called the trigger before is not known.
	Retries int
}

// madeGood: the store was asked, and had no row with this sub until then.
func (r *Result) madeGood() bool { return r.User != "" && r.User != users.Existing }

// Outcome says how an event was answered.
type Outcome string

const (
	// OutcomeOK: answered in full.
	OutcomeOK Outcome = "ok"
	// OutcomeDegraded: a token went out without a userId, see
	// Config.AllowMissingUserID.
	OutcomeDegraded Outcome = "degraded"
	// OutcomeRefused: we decided against it.
	OutcomeRefused Outcome = "refused"
	// OutcomeFailed: we could not answer.
	OutcomeFailed Outcome = "failed"
)

const (
	sourceUnknown = "unknown"
	sourceWarmup  = "warmup"
)

// report writes the event's one line and calls the hook.
func (t *Triggers) report(ctx context.Context, res Result, cause error) {
	level := slog.LevelInfo
	switch {
	case res.Outcome == OutcomeFailed:
		level = slog.LevelError
	case res.Outcome != OutcomeOK, res.User == users.Moved, res.Mismatch:
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("outcome", string(res.Outcome)),
		slog.Float64("duration_ms", float64(res.Duration.Microseconds())/1000),
	}
	for _, a := range res.details() {
		if a.Value.Any() != "" && a.Value.Any() != false && a.Value.Any() != int64(0) {
			attrs = append(attrs, a)
		}
	}
	if cause != nil {
		attrs = append(attrs, slog.String("error", cause.Error()))
	}
	t.logger(ctx, &res).LogAttrs(ctx, level, "trigger", attrs...)
	t.cfg.OnResult(res)
}

// details are the attributes that a log line has only if they say something.
func (r Result) details() []slog.Attr {
	return []slog.Attr{
		slog.String("reason", string(r.Reason)),
		slog.String("user", string(r.User)),
		slog.Bool("from_store", r.FromStore),
		slog.Bool("mismatch", r.Mismatch),
		slog.Bool("healed", r.Healed),
		slog.Bool("attribute_written", r.AttributeWritten),
		slog.Bool("attribute_failed", r.AttributeFailed),
		slog.Bool("sign_in_recorded", r.SignInRecorded),
		slog.Bool("sign_in_lost", r.SignInLost),
		slog.Int("retries", r.Retries),
	}
}
