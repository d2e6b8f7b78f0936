package main

import (
	"log/slog"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/emf"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/remote"
)

// failures are codes of calls that should have gone well: the database or what
// is set up wrong, and no fault of the person who signs in.
var failures = map[string]bool{"ambiguous": true, "schema": true, "unavailable": true, "bad_request": true, "version": true, "operation": true, "failed": true}

// measure writes for each call, with the dimension Operation:
//
//	Duration  in milliseconds; its number of samples counts the calls
//	Failed    1 if the database or what is set up was to blame, else 0
//	Unknown   record_sign_ins: sign-ins of nobody
//
// The code and what became of a row are properties, for searching.
func measure(w *emf.Writer, log *slog.Logger) func(remote.Call) {
	if w == nil {
		return nil
	}
	return func(c remote.Call) {
		failed := 0.0
		if failures[c.Code] {
			failed = 1
		}
		metrics := []emf.Metric{
			{Name: "Duration", Unit: emf.Milliseconds, Value: float64(c.Duration) / float64(time.Millisecond)},
			{Name: "Failed", Unit: emf.Count, Value: failed},
		}
		if c.Op == "record_sign_ins" {
			metrics = append(metrics, emf.Metric{Name: "Unknown", Unit: emf.Count, Value: float64(c.Unknown)})
		}
		err := w.EmitWith(metrics, map[string]string{"Operation": c.Op}, map[string]string{"code": c.Code, "user": string(c.Outcome)})
		if err != nil {
			log.Error("metrics not written", "error", err.Error())
		}
	}
}
