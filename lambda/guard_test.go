package lambda_test

import (
	"errors"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda"
)

// A panic ends neither the process nor, where it is about bookkeeping, the
// sign-in; and what it says is shown to nobody.
func TestPanics(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		event string
		fault func(*world)
		ok    bool
	}{
		"the store at a sign-up":    {"postconfirmation_kakao", func(w *world) { w.store.panics = true }, false},
		"the store at a token":      {"token_v2_first_sign_in", func(w *world) { w.store.panics = true }, false},
		"the attribute":             {"postconfirmation_kakao", func(w *world) { w.attrs.panics = true }, true},
		"the attribute at a token":  {"token_v2_first_sign_in", func(w *world) { w.attrs.panics = true }, true},
		"the queue at a sign-up":    {"postconfirmation_kakao", func(w *world) { w.queue.panics = true }, true},
		"the queue at a sign-in":    {"postauthentication_kakao", func(w *world) { w.queue.panics = true }, true},
		"the queue, not at a token": {"token_v2_first_sign_in", func(w *world) { w.queue.panics = true }, true},
	} {
		w := newWorld(t, func(c *lambda.Config) { c.AllowMissingUserID = true })
		tc.fault(w)
		out, err := w.Handle(t.Context(), fixture(t, tc.event))
		if (err == nil) != tc.ok || (out != nil) != tc.ok {
			t.Errorf("%s: %s, %v", name, out, err)
		}
		r := w.result(t)
		if !tc.ok {
			var public *lambda.PublicError
			if !errors.As(err, &public) || r.Reason != "panic" || r.Outcome != lambda.OutcomeFailed {
				t.Errorf("%s: %#v, %+v", name, err, r)
			}
			wantNothingPersonal(t, "error", err.Error()+errors.Unwrap(err).Error())
		}
		wantNothingPersonal(t, "log", w.log.String())
	}
}
