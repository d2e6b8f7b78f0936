package lambda

import (
	"log/slog"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/emf"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// EMF makes a Config.OnResult that writes each event's metrics to w, with the
// dimension Trigger (PreSignUp, PostConfirmation, PreAuthentication,
// PostAuthentication, PreTokenGeneration, Unknown):
//
//	Duration           in milliseconds; its number of samples counts the events
//	Failed, Refused    1 if the event ended so, else 0
//	Retries            calls of AWS after the first try
//	RowsLinked, RowsCreated, RowsMoved
//	                   PostConfirmation and PreTokenGeneration: what became of
//	                   the row
//	AttributesWritten, AttributeFailures
//	                   those two again: writes of the userId attribute
//	SignInsLost        those two and PostAuthentication: sign-ins that could
//	                   not be queued
//	Degraded, Healed, FromStore, Mismatches
//	                   PreTokenGeneration: see [Result]
//
// The triggerSource, outcome and reason are properties, for searching.
// Warm-ups leave no line. What cannot be written goes to log (slog.Default()
// if nil): metrics fail no sign-in.
func EMF(w *emf.Writer, log *slog.Logger) func(Result) {
	if log == nil {
		log = slog.Default()
	}
	return func(r Result) {
		if r.Source == sourceWarmup {
			return
		}
		trigger := triggerOf(r.Source)
		err := w.EmitWith(r.metrics(trigger), map[string]string{"Trigger": trigger},
			map[string]string{"source": r.Source, "outcome": string(r.Outcome), "reason": string(r.Reason)})
		if err != nil {
			log.Error("metrics not written", "error", err.Error())
		}
	}
}

// metrics are only those that mean something for the trigger: CloudWatch is
// paid by the metric.
func (r Result) metrics(trigger string) []emf.Metric {
	out := []emf.Metric{{Name: "Duration", Unit: emf.Milliseconds, Value: float64(r.Duration) / float64(time.Millisecond)}}
	count := func(name string, n int) {
		out = append(out, emf.Metric{Name: name, Unit: emf.Count, Value: float64(n)})
	}
	counted := func(name string, is bool) { count(name, bit(is)) }
	counted("Failed", r.Outcome == OutcomeFailed)
	counted("Refused", r.Outcome == OutcomeRefused)
	tokens, confirmation := trigger == triggerToken, trigger == triggerConfirmation
	if tokens || confirmation {
		counted("RowsLinked", r.User == users.Linked)
		counted("RowsCreated", r.User == users.Created)
		counted("RowsMoved", r.User == users.Moved)
		counted("AttributesWritten", r.AttributeWritten)
		counted("AttributeFailures", r.AttributeFailed)
	}
	if tokens {
		counted("Degraded", r.Outcome == OutcomeDegraded)
		counted("Healed", r.Healed)
		counted("FromStore", r.FromStore)
		counted("Mismatches", r.Mismatch)
	}
	if tokens || confirmation || trigger == triggerSignIn {
		counted("SignInsLost", r.SignInLost)
		count("Retries", r.Retries)
	}
	return out
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

const (
	triggerConfirmation = "PostConfirmation"
	triggerSignIn       = "PostAuthentication"
	triggerToken        = "PreTokenGeneration"
)

// triggerOf is the name of a source's trigger, of which there are few.
func triggerOf(source string) string {
	if _, known := handlers[source]; !known {
		return "Unknown"
	}
	name, _, _ := strings.Cut(source, "_")
	if name == "TokenGeneration" {
		return triggerToken
	}
	return name
}
