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
	// Healed: the token trigger had to get the id from the store, since the
	// user had no attribute. With User "existing" that is a late or failed
	// attribute write; with another User, a sign-up that was lost.
	Healed bool
	// AttributeFailed: the userId attribute could not be written.
	AttributeFailed bool
	// SignInLost: a sign-in could not be queued.
	SignInLost bool
}

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
	case res.Outcome != OutcomeOK, res.User == users.Moved:
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("outcome", string(res.Outcome)),
		slog.Float64("duration_ms", float64(res.Duration.Microseconds())/1000),
	}
	for _, a := range []slog.Attr{slog.String("reason", string(res.Reason)), slog.String("user", string(res.User))} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if res.Healed {
		attrs = append(attrs, slog.Bool("healed", true))
	}
	if res.AttributeFailed {
		attrs = append(attrs, slog.Bool("attribute_failed", true))
	}
	if res.SignInLost {
		attrs = append(attrs, slog.Bool("sign_in_lost", true))
	}
	if cause != nil {
		attrs = append(attrs, slog.String("error", cause.Error()))
	}
	t.logger(ctx, &res).LogAttrs(ctx, level, "trigger", attrs...)
	t.cfg.OnResult(res)
}
