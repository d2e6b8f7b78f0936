package lambda_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/emf"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

func TestEMF(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		result  lambda.Result
		trigger string
		ones    string // the metrics that are 1; the others of the trigger are 0
		all     string
	}{
		"a sign-up": {lambda.Result{Source: "PostConfirmation_ConfirmSignUp", Outcome: lambda.OutcomeOK, User: users.Linked, AttributeWritten: true, Retries: 1},
			"PostConfirmation", "RowsLinked AttributesWritten Retries",
			"AttributeFailures AttributesWritten Duration Failed Refused Retries RowsCreated RowsLinked RowsMoved SignInsLost"},
		"a bad sign-up": {lambda.Result{Source: "PostConfirmation_ConfirmSignUp", Outcome: lambda.OutcomeOK, User: users.Moved, AttributeFailed: true, SignInLost: true},
			"PostConfirmation", "RowsMoved AttributeFailures SignInsLost", ""},
		"a failed one": {lambda.Result{Source: "PostConfirmation_ConfirmSignUp", Outcome: lambda.OutcomeFailed, Reason: "store_unavailable"}, "PostConfirmation", "Failed", ""},
		"a token": {lambda.Result{Source: "TokenGeneration_HostedAuth", Outcome: lambda.OutcomeOK, User: users.Created, Healed: true, FromStore: true, Mismatch: true},
			"PreTokenGeneration", "RowsCreated Healed FromStore Mismatches",
			"AttributeFailures AttributesWritten Degraded Duration Failed FromStore Healed Mismatches Refused Retries RowsCreated RowsLinked RowsMoved SignInsLost"},
		"a lost one's token": {lambda.Result{Source: "TokenGeneration_HostedAuth", Outcome: lambda.OutcomeOK, User: users.Created, FromStore: true, SignInLost: true},
			"PreTokenGeneration", "RowsCreated FromStore SignInsLost", ""},
		"a refresh":            {lambda.Result{Source: "TokenGeneration_RefreshTokens", Outcome: lambda.OutcomeDegraded, Reason: "store_unavailable"}, "PreTokenGeneration", "Degraded", ""},
		"a sign-in":            {lambda.Result{Source: "PostAuthentication_Authentication", Outcome: lambda.OutcomeOK, SignInLost: true}, "PostAuthentication", "SignInsLost", "Duration Failed Refused Retries SignInsLost"},
		"a refusal":            {lambda.Result{Source: "PreSignUp_ExternalProvider", Outcome: lambda.OutcomeRefused, Reason: "provider"}, "PreSignUp", "Refused", "Duration Failed Refused"},
		"an unknown trigger":   {lambda.Result{Source: "unknown", Outcome: lambda.OutcomeFailed, Reason: "unknown_trigger"}, "Unknown", "Failed", "Duration Failed Refused"},
		"a source of nobody's": {lambda.Result{Source: "Hana_4000000001", Outcome: lambda.OutcomeFailed}, "Unknown", "Failed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			w, err := emf.New(&out, emf.Config{Namespace: "SSO", Dimensions: map[string]string{"Function": "sso-trigger"}, Now: func() time.Time { return clock }})
			if err != nil {
				t.Fatal(err)
			}
			tc.result.Duration = 12500 * time.Microsecond
			lambda.EMF(w, quiet)(tc.result)
			var line map[string]any
			if err := json.Unmarshal(out.Bytes(), &line); err != nil {
				t.Fatalf("%s: %v", out.String(), err)
			}
			if line["Trigger"] != tc.trigger || line["Function"] != "sso-trigger" || line["Duration"] != 12.5 || line["outcome"] != string(tc.result.Outcome) {
				t.Errorf("line = %s", out.String())
			}
			names := metricNames(line)
			if tc.all != "" && strings.Join(names, " ") != tc.all {
				t.Errorf("metrics = %v", names)
			}
			for _, m := range names {
				want := 0.0
				if slices.Contains(strings.Fields(tc.ones), m) {
					want = 1
				}
				if m != "Duration" && line[m] != want {
					t.Errorf("%s = %v", m, line[m])
				}
			}
		})
	}
}

func metricNames(line map[string]any) []string {
	names := map[string]bool{}
	for _, d := range line["_aws"].(map[string]any)["CloudWatchMetrics"].([]any) {
		for _, m := range d.(map[string]any)["Metrics"].([]any) {
			names[m.(map[string]any)["Name"].(string)] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// Metrics fail no sign-in, and a ping is not counted as one.
func TestEMFInTriggers(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	good, err := emf.New(&out, emf.Config{Namespace: "SSO"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *lambda.Config) { c.OnResult = lambda.EMF(good, c.Logger) })
	for name := range fixtures {
		_, _ = w.Handle(t.Context(), fixture(t, name))
	}
	if n := strings.Count(out.String(), "\n"); n != len(fixtures) {
		t.Errorf("%d lines for %d events", n, len(fixtures))
	}
	wantNothingPersonal(t, "metrics", out.String())
	for line := range strings.Lines(out.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	before := out.Len()
	if _, err := w.Handle(t.Context(), json.RawMessage(`{"warmup":true}`)); err != nil || out.Len() != before {
		t.Errorf("a warm-up: %v, %d bytes", err, out.Len()-before)
	}

	bad, err := emf.New(brokenWriter{}, emf.Config{Namespace: "SSO"})
	if err != nil {
		t.Fatal(err)
	}
	w = newWorld(t, func(c *lambda.Config) { c.OnResult = lambda.EMF(bad, c.Logger) })
	if _, err := w.Handle(t.Context(), fixture(t, "token_v1_refresh")); err != nil || !strings.Contains(w.log.String(), "metrics not written") {
		t.Errorf("Handle: %v, log %s", err, w.log)
	}
}

// The values of the dimension are few, whatever comes in.
func TestEMFDimensionIsBounded(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w, err := emf.New(&out, emf.Config{Namespace: "SSO"})
	if err != nil {
		t.Fatal(err)
	}
	f := newWorld(t, func(c *lambda.Config) { c.OnResult = lambda.EMF(w, nil) })
	for i := range 100 {
		_, _ = f.Handle(t.Context(), json.RawMessage(fmt.Sprintf(`{"triggerSource":"PreLunch_%d","userPoolId":"p","userName":"u"}`, i)))
	}
	for line := range strings.Lines(out.String()) {
		if !strings.Contains(line, `"Trigger":"Unknown"`) || strings.Contains(line, "PreLunch") {
			t.Fatalf("line = %s", line)
		}
	}
}
