package lambda_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

func TestTexts(t *testing.T) {
	t.Parallel()
	own := map[lambda.Reason]string{"provider": "이 계정으로는 안 됩니다", "store_unavailable": "Later, please", "other": "?"}
	for name, tc := range map[string]struct {
		event string
		store error
		want  string
	}{
		"a refusal":               {"presignup_external_other_provider", nil, "이 계정으로는 안 됩니다"},
		"a failure":               {"postconfirmation_kakao", users.ErrUnavailable, "Later, please"},
		"an error of no name":     {"postconfirmation_kakao", errBroken, "?"},
		"one that is not in them": {"presignup_native_null_maps", nil, "Signing up with a password is not possible here. Please sign in with one of the offered accounts"},
	} {
		w := newWorld(t, func(c *lambda.Config) { c.Texts = own })
		w.store.err = tc.store
		if _, err := w.Handle(t.Context(), fixture(t, tc.event)); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	w := newWorld(t, func(c *lambda.Config) { c.Texts = own })
	own["provider"] = "changed later"
	if _, err := w.Handle(t.Context(), fixture(t, "presignup_external_other_provider")); err == nil || err.Error() == "changed later" {
		t.Errorf("Texts is not copied: %v", err)
	}
}

func TestKoreanTexts(t *testing.T) {
	t.Parallel()
	texts := lambda.KoreanTexts()
	for _, reason := range lambda.Reasons() {
		if !strings.ContainsFunc(texts[reason], func(r rune) bool { return unicode.Is(unicode.Hangul, r) }) {
			t.Errorf("%s: %q", reason, texts[reason])
		}
	}
	if len(texts) != len(lambda.Reasons()) {
		t.Errorf("%d texts for %d reasons", len(texts), len(lambda.Reasons()))
	}
	w := newWorld(t, func(c *lambda.Config) { c.Texts = texts }) // valid
	if _, err := w.Handle(t.Context(), fixture(t, "presignup_external_other_provider")); err == nil || err.Error() != "이 종류의 계정은 사용할 수 없습니다" {
		t.Errorf("Handle: %v", err)
	}
}

// The reasons are names in alarms, so a new one is a change of the interface.
func TestReasons(t *testing.T) {
	t.Parallel()
	want := strings.Fields(`ambiguous bad_claims bad_event cancelled conflict email_domain extra_claims identity inbound_federation
		invalid_identity move_refused native_sign_up other panic provider schema store_unavailable timeout unknown_trigger user_id_mismatch`)
	var got []string
	for _, r := range lambda.Reasons() {
		got = append(got, string(r))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("Reasons = %v", got)
	}
}

// Each error of the store has a name of its own for alarms.
func TestStoreErrorsHaveReasons(t *testing.T) {
	t.Parallel()
	for cause, want := range map[error]struct {
		reason  lambda.Reason
		outcome lambda.Outcome
	}{
		users.ErrConflict:    {"conflict", lambda.OutcomeRefused},
		users.ErrAmbiguous:   {"ambiguous", lambda.OutcomeRefused},
		users.ErrMoveRefused: {"move_refused", lambda.OutcomeRefused},
		users.ErrInvalid:     {"invalid_identity", lambda.OutcomeRefused},
		users.ErrSchema:      {"schema", lambda.OutcomeFailed},
		users.ErrUnavailable: {"store_unavailable", lambda.OutcomeFailed},
		errBroken:            {"other", lambda.OutcomeFailed},
	} {
		for _, name := range []string{"postconfirmation_kakao", "token_v2_first_sign_in"} {
			w := newWorld(t)
			w.store.err = cause
			if out, err := w.Handle(t.Context(), fixture(t, name)); err == nil || out != nil {
				t.Errorf("%s: %v: %s", name, cause, out)
			}
			if r := w.result(t); r.Reason != want.reason || r.Outcome != want.outcome {
				t.Errorf("%s: %v: %+v", name, cause, r)
			}
		}
	}
}
