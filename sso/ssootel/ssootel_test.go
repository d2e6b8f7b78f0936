package ssootel_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/ssu-itsupport/cognito-sso/internal/secretscan"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssootel"
)

// point is one data point: its attributes, and its value or count.
type point struct {
	attributes string
	value      float64
}

// collect returns the data points of every instrument by name.
func collect(t *testing.T, reader sdk.Reader) map[string][]point {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	found := make(map[string][]point)
	for _, sm := range rm.ScopeMetrics {
		if sm.Scope.Name != "github.com/ssu-itsupport/cognito-sso/sso/ssootel" {
			t.Errorf("scope %q", sm.Scope.Name)
		}
		for _, m := range sm.Metrics {
			if m.Unit == "" || m.Description == "" {
				t.Errorf("%s has no unit or description", m.Name)
			}
			found[m.Name] = points(t, m.Data)
		}
	}
	return found
}

func points(t *testing.T, data metricdata.Aggregation) []point {
	t.Helper()
	var ps []point
	add := func(set attribute.Set, value float64) {
		ps = append(ps, point{set.Encoded(attribute.DefaultEncoder()), value})
	}
	switch data := data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			add(p.Attributes, float64(p.Value))
		}
	case metricdata.Gauge[int64]:
		for _, p := range data.DataPoints {
			add(p.Attributes, float64(p.Value))
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			add(p.Attributes, p.Value)
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			add(p.Attributes, float64(p.Count))
		}
	default:
		t.Fatalf("unexpected %T", data)
	}
	slices.SortFunc(ps, func(a, b point) int { return strings.Compare(a.attributes, b.attributes) })
	return ps
}

func newObserver(t *testing.T) (*ssootel.Observer, sdk.Reader) {
	t.Helper()
	reader := sdk.NewManualReader()
	o, err := ssootel.New(sdk.NewMeterProvider(sdk.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	return o, reader
}

func TestMeasurements(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, reader := newObserver(t)
		ctx := t.Context()
		o.Verified(ctx, sso.VerifyEvent{Use: sso.UseAccess, Reason: "ok", Duration: time.Millisecond})
		o.Verified(ctx, sso.VerifyEvent{Use: sso.UseAccess, Reason: "ok", Remembered: true})
		o.Verified(ctx, sso.VerifyEvent{Use: sso.UseAccess, Reason: "ok", Remembered: true})
		o.Verified(ctx, sso.VerifyEvent{Use: sso.UseID, Reason: "expired"})
		o.Verified(ctx, sso.VerifyEvent{Reason: "malformed"})
		o.KeysFetched(sso.KeysEvent{Issuer: "https://a", Reason: sso.KeysOK, Keys: 2, Duration: time.Second})
		o.KeysFetched(sso.KeysEvent{Issuer: "https://b", Reason: sso.KeysTimeout})
		time.Sleep(time.Minute) // of the bubble
		o.KeysFetched(sso.KeysEvent{Issuer: "https://a", Reason: sso.KeysStatus, Keys: 2, Age: time.Minute, Stale: true})
		time.Sleep(time.Minute)

		got := collect(t, reader)
		want := map[string][]point{
			"cognito_sso.verify.tokens": {
				{"cognito_sso.reason=expired,cognito_sso.remembered=false,cognito_sso.use=id", 1},
				{"cognito_sso.reason=malformed,cognito_sso.remembered=false,cognito_sso.use=any", 1},
				{"cognito_sso.reason=ok,cognito_sso.remembered=false,cognito_sso.use=access", 1},
				{"cognito_sso.reason=ok,cognito_sso.remembered=true,cognito_sso.use=access", 2},
			},
			"cognito_sso.verify.duration": {
				{"cognito_sso.remembered=false,cognito_sso.use=access", 1},
				{"cognito_sso.remembered=false,cognito_sso.use=any", 1},
				{"cognito_sso.remembered=false,cognito_sso.use=id", 1},
				{"cognito_sso.remembered=true,cognito_sso.use=access", 2},
			},
			"cognito_sso.keys.fetches": {
				{"cognito_sso.issuer=https://a,cognito_sso.reason=ok", 1},
				{"cognito_sso.issuer=https://a,cognito_sso.reason=status", 1},
				{"cognito_sso.issuer=https://b,cognito_sso.reason=timeout", 1},
			},
			"cognito_sso.keys.duration": {{"cognito_sso.issuer=https://a", 2}, {"cognito_sso.issuer=https://b", 1}},
			"cognito_sso.keys.usable":   {{"cognito_sso.issuer=https://a", 2}, {"cognito_sso.issuer=https://b", 0}},
			// It grows without further events, and is absent without keys.
			"cognito_sso.keys.age": {{"cognito_sso.issuer=https://a", 120}},
		}
		for name, points := range want {
			if !slices.Equal(got[name], points) {
				t.Errorf("%s:\n got %v\nwant %v", name, got[name], points)
			}
		}
		if len(got) != len(want) {
			t.Errorf("instruments %v", slices.Sorted(maps.Keys(got)))
		}

		// Keys that are gone have no age; a closed Observer tells none.
		o.KeysFetched(sso.KeysEvent{Issuer: "https://a", Reason: sso.KeysStatus})
		if got := collect(t, reader)["cognito_sso.keys.age"]; len(got) != 0 {
			t.Errorf("no keys: age %v", got)
		}
		o.KeysFetched(sso.KeysEvent{Issuer: "https://a", Reason: sso.KeysOK, Keys: 1})
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if got := collect(t, reader)["cognito_sso.keys.age"]; len(got) != 0 {
			t.Errorf("closed: age %v", got)
		}
	})
}

// TestAttackLabels: whatever is told, the label sets are closed: no text from
// outside becomes a label, and their number is bounded.
func TestAttackLabels(t *testing.T) {
	t.Parallel()
	o, reader := newObserver(t)
	texts := []string{"", "ok", "access", "id", "any", "other", "minji@example.ac.kr", "eyJhbGciOiJSUzI1NiJ9", "\xff", strings.Repeat("x", 1<<16)}
	for _, use := range texts {
		for _, reason := range texts {
			for _, remembered := range []bool{false, true} {
				o.Verified(t.Context(), sso.VerifyEvent{Use: sso.TokenUse(use), Reason: sso.Reason(reason), Remembered: remembered})
			}
		}
	}
	for _, reason := range sso.Reasons() {
		o.Verified(t.Context(), sso.VerifyEvent{Use: sso.UseID, Reason: reason})
	}
	for i := range 1000 {
		for _, reason := range append(sso.KeysReasons(), "eyJhbGciOiJSUzI1NiJ9") {
			o.KeysFetched(sso.KeysEvent{Issuer: fmt.Sprintf("https://issuer/%d", i), Reason: reason, Keys: 1})
		}
	}

	allowed := map[string][]string{
		"cognito_sso.use":        {"access", "id", "any"},
		"cognito_sso.remembered": {"true", "false"},
	}
	for _, r := range sso.Reasons() {
		allowed["cognito_sso.reason"] = append(allowed["cognito_sso.reason"], string(r))
	}
	for _, r := range sso.KeysReasons() {
		allowed["cognito_sso.reason"] = append(allowed["cognito_sso.reason"], string(r))
	}
	issuers := make(map[string]bool)
	for name, points := range collect(t, reader) {
		for _, p := range points {
			secretscan.Saw("a metric's labels", p.attributes)
			for pair := range strings.SplitSeq(p.attributes, ",") {
				key, value, _ := strings.Cut(pair, "=")
				if key == "cognito_sso.issuer" {
					issuers[value] = true
				} else if !slices.Contains(allowed[key], value) {
					t.Errorf("%s has %.80q", name, pair)
				}
			}
		}
		if limit := 64 * len(sso.KeysReasons()); len(points) > limit {
			t.Errorf("%s has %d series, want at most %d", name, len(points), limit)
		}
	}
	if len(issuers) != 64 || !issuers["other"] {
		t.Errorf("%d issuers, want 64 with other among them", len(issuers))
	}
}

// TestEveryReason: the closed list has what ReasonOf can say.
func TestEveryReason(t *testing.T) {
	t.Parallel()
	o, reader := newObserver(t)
	for _, err := range []error{nil, sso.ErrExpired, sso.ErrKeysUnavailable, context.Canceled, context.DeadlineExceeded, errors.New("unknown")} {
		o.Verified(t.Context(), sso.VerifyEvent{Use: sso.UseID, Reason: sso.ReasonOf(err)})
	}
	if got := collect(t, reader)["cognito_sso.verify.tokens"]; len(got) != 6 {
		t.Errorf("%d series, want one for each: %v", len(got), got)
	}
}

func TestNoProvider(t *testing.T) {
	t.Parallel()
	var configErr *sso.ConfigError
	if o, err := ssootel.New(nil); o != nil || !errors.As(err, &configErr) {
		t.Errorf("%v, %v, want a ConfigError", o, err)
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	o, reader := newObserver(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				o.Verified(t.Context(), sso.VerifyEvent{Use: sso.UseAccess, Reason: "ok"})
				o.KeysFetched(sso.KeysEvent{Issuer: fmt.Sprint(i % 3), Reason: sso.KeysOK, Keys: 1})
			}
		})
	}
	wg.Go(func() { collect(t, reader) })
	wg.Wait()
	if got := collect(t, reader)["cognito_sso.verify.tokens"]; len(got) != 1 || got[0].value != 800 {
		t.Errorf("%v, want one series of 800", got)
	}
}

// TestAllocations: telling it costs no garbage of its own.
//
//nolint:paralleltest // testing.AllocsPerRun counts those of the whole process
func TestAllocations(t *testing.T) {
	o, err := ssootel.New(noop.NewMeterProvider())
	if err != nil {
		t.Fatal(err)
	}
	e := sso.VerifyEvent{Use: sso.UseAccess, Reason: "ok", Duration: time.Microsecond, Remembered: true}
	if n := testing.AllocsPerRun(100, func() { o.Verified(t.Context(), e) }); n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
