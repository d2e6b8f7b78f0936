package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
	"github.com/ssu-itsupport/cognito-sso/lambda/emf"
)

// An alarm on a metric that nobody writes never rings. Everything that the
// alarms and the dashboard name must be something that the functions write,
// with the same dimensions.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	written := writtenMetrics(t)
	f, set := load(t)
	d, err := f.Evaluate(set, "split-postgres")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, a := range d.Of("AWS::CloudWatch::Alarm") {
		if ns := fmt.Sprint(a.Properties["Namespace"]); !strings.HasPrefix(ns, "AWS/") {
			named++
			if key := alarmMetric(a.Properties); ns != "sso" || !written[key] {
				t.Errorf("%s: nobody writes %s in %s", a.Path(), key, ns)
			}
		}
	}
	for _, b := range d.Of("AWS::CloudWatch::Dashboard") {
		for _, key := range dashboardMetrics(t, fmt.Sprint(b.Properties["DashboardBody"])) {
			named++
			if !written[key] {
				t.Errorf("%s: nobody writes %s", b.Path(), key)
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d metrics of ours are looked at", named)
	}
}

// writtenMetrics are "name Dimension=value …" of every line that the functions
// can write.
func writtenMetrics(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, source := range []string{"PreSignUp_ExternalProvider", "PostConfirmation_ConfirmSignUp", "PostAuthentication_Authentication", "TokenGeneration_HostedAuth"} {
		collect(t, "sso-trigger", out, func(w *emf.Writer) { lambda.EMF(w, slog.New(slog.DiscardHandler))(lambda.Result{Source: source}) })
	}
	collect(t, "sso-signins", out, func(w *emf.Writer) { lambda.SignInsEMF(w, slog.New(slog.DiscardHandler))(lambda.SignInsResult{}) })
	return out
}

func collect(t *testing.T, function string, out map[string]bool, write func(*emf.Writer)) {
	t.Helper()
	var line bytes.Buffer
	w, err := emf.New(&line, emf.Config{Namespace: "sso", Dimensions: map[string]string{"Function": function}})
	if err != nil {
		t.Fatal(err)
	}
	write(w)
	var doc map[string]any
	if err := json.Unmarshal(line.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	dimensions := "Function=" + function
	if trigger, ok := doc["Trigger"]; ok {
		dimensions += fmt.Sprintf(" Trigger=%v", trigger)
	}
	for name := range doc {
		out[name+" "+dimensions] = true
	}
}

func alarmMetric(p template.Object) string {
	key := fmt.Sprint(p["MetricName"])
	dimensions, _ := p["Dimensions"].([]any)
	for _, item := range dimensions {
		o, _ := item.(template.Object)
		key += fmt.Sprintf(" %v=%v", o["Name"], o["Value"])
	}
	return key
}

// dashboardMetrics are those of our own namespace.
func dashboardMetrics(t *testing.T, body string) []string {
	t.Helper()
	var doc struct {
		Widgets []struct {
			Properties struct{ Metrics [][]string }
		}
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatalf("the dashboard is no JSON: %v", err)
	}
	var out []string
	for _, w := range doc.Widgets {
		for _, m := range w.Properties.Metrics {
			if strings.HasPrefix(m[0], "AWS/") {
				continue
			}
			key := m[1]
			for i := 2; i+1 < len(m); i += 2 {
				key += " " + m[i] + "=" + m[i+1]
			}
			out = append(out, key)
		}
	}
	return out
}
