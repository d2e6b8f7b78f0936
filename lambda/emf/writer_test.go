package emf_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/emf"
)

var clock = time.Date(2026, 3, 2, 9, 0, 0, 123456789, time.UTC)

func newWriter(t testing.TB, change ...func(*emf.Config)) (*emf.Writer, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	cfg := emf.Config{Namespace: "SSO", Now: func() time.Time { return clock }}
	for _, c := range change {
		c(&cfg)
	}
	w, err := emf.New(&out, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w, &out
}

// checkLine holds one line against the format's specification: what must be
// there, of which type, within which limits; and that each name that is
// referred to is a member of the root, of the type that it must have.
func checkLine(line []byte) error {
	var root map[string]any
	dec := json.NewDecoder(bytes.NewReader(line))
	if err := dec.Decode(&root); err != nil {
		return err
	}
	if dec.More() || bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' || len(line) > 256<<10 {
		return errors.New("not one line of at most 256 KB")
	}
	meta, ok := root["_aws"].(map[string]any)
	if !ok {
		return errors.New("no _aws")
	}
	if stamp, ok := meta["Timestamp"].(float64); !ok || stamp != math.Trunc(stamp) || stamp < 1e12 {
		return fmt.Errorf("Timestamp %v", meta["Timestamp"])
	}
	directives, ok := meta["CloudWatchMetrics"].([]any)
	if !ok || len(meta) != 2 {
		return fmt.Errorf("metadata %v", meta)
	}
	for _, d := range directives {
		if err := checkDirective(root, d); err != nil {
			return err
		}
	}
	return nil
}

var unit = regexp.MustCompile(`^((Milli|Micro)?[sS]econds|Percent|None|(Count|Bytes|Bits|(Kilo|Mega|Giga|Tera)(bytes|bits))(/Second)?)$`)

func checkDirective(root map[string]any, raw any) error {
	d, ok := raw.(map[string]any)
	sets, hasSets := d["Dimensions"].([]any)
	metrics, hasMetrics := d["Metrics"].([]any)
	namespace, _ := d["Namespace"].(string)
	if !ok || !hasSets || !hasMetrics || len(d) != 3 || !isName(namespace) || len(sets) == 0 || len(metrics) == 0 || len(metrics) > 100 {
		return fmt.Errorf("directive %v", d)
	}
	for _, s := range sets {
		set, ok := s.([]any)
		if !ok || len(set) > 30 {
			return fmt.Errorf("dimension set %v", s)
		}
		for _, k := range set {
			name, _ := k.(string)
			value, ok := root[name].(string)
			if !isName(name) || !ok || value == "" || len(value) > 1024 {
				return fmt.Errorf("dimension %v = %v", k, root[name])
			}
		}
	}
	for _, m := range metrics {
		def, _ := m.(map[string]any)
		name, _ := def["Name"].(string)
		u, hasUnit := def["Unit"].(string)
		if _, ok := root[name].(float64); !ok || !isName(name) || !hasUnit || !unit.MatchString(u) || len(def) != 2 {
			return fmt.Errorf("metric %v = %v", m, root[name])
		}
	}
	return nil
}

func isName(s string) bool { return s != "" && len(s) <= 255 }

func TestEmit(t *testing.T) {
	t.Parallel()
	w, out := newWriter(t, func(c *emf.Config) { c.Dimensions = map[string]string{"Function": "sso-dbsync"} })
	err := w.EmitWith([]emf.Metric{{Name: "Updated", Unit: emf.Count, Value: 100}, {Name: "Duration", Unit: emf.Milliseconds, Value: 12.5}, {Name: "Ratio"}},
		map[string]string{"Batch": "sqs"}, map[string]string{"request_id": "r-1", "reason": ""})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Batch":"sqs","Duration":12.5,"Function":"sso-dbsync","Ratio":0,"Updated":100,"_aws":{"Timestamp":1772442000123,` +
		`"CloudWatchMetrics":[{"Namespace":"SSO","Dimensions":[["Batch","Function"]],"Metrics":[{"Name":"Updated","Unit":"Count"},{"Name":"Duration","Unit":"Milliseconds"},{"Name":"Ratio","Unit":"None"}]}]},` +
		`"request_id":"r-1"}` + "\n"
	if got := out.String(); got != want {
		t.Errorf("line = %s\nwant   %s", got, want)
	}
}

// Whatever is accepted is good by the specification.
func TestEmitIsValid(t *testing.T) {
	t.Parallel()
	many := make([]emf.Metric, 100)
	for i := range many {
		many[i] = emf.Metric{Name: fmt.Sprint("m", i), Value: float64(i)}
	}
	dims := map[string]string{}
	for i := range 30 {
		dims[fmt.Sprint("d", i)] = strings.Repeat("x", 1024)
	}
	one := []emf.Metric{{Name: "m"}}
	for name, tc := range map[string]struct {
		metrics    []emf.Metric
		dimensions map[string]string
	}{
		"no dimension":         {one, nil},
		"the most metrics":     {many, nil},
		"the most dimensions":  {one, dims},
		"a large value":        {[]emf.Metric{{Name: "m", Value: math.Ldexp(1, 360)}}, nil},
		"a small value":        {[]emf.Metric{{Name: "m", Value: -math.Ldexp(1, 360)}}, nil},
		"the least value":      {[]emf.Metric{{Name: "m", Value: math.SmallestNonzeroFloat64}}, nil},
		"a name with blanks":   {[]emf.Metric{{Name: "Rows created"}}, map[string]string{"The function": "a b"}},
		"JSON's own signs":     {[]emf.Metric{{Name: `a"b\c`}}, map[string]string{`d"e`: `<f>&"\`}},
		"the longest name":     {[]emf.Metric{{Name: strings.Repeat("n", 255)}}, nil},
		"a unit by the second": {[]emf.Metric{{Name: "m", Unit: "Kilobytes/Second"}, {Name: "n", Unit: "Count/Second"}, {Name: "o", Unit: "Terabits"}}, nil},
	} {
		w, out := newWriter(t)
		if err := w.Emit(tc.metrics, tc.dimensions); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if err := checkLine(out.Bytes()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What CloudWatch would drop without a word is an error here, and leaves no
// line.
func TestEmitErrors(t *testing.T) {
	t.Parallel()
	m := func(name string, u emf.Unit, v float64) []emf.Metric {
		return []emf.Metric{{Name: name, Unit: u, Value: v}}
	}
	dims := map[string]string{}
	for i := range 30 { // and Function
		dims[fmt.Sprint("d", i)] = "x"
	}
	large := map[string]string{}
	for i := range 300 {
		large[fmt.Sprint("p", i)] = strings.Repeat("x", 1024)
	}
	ok := m("m", emf.Count, 1)
	for name, tc := range map[string]struct {
		metrics                []emf.Metric
		dimensions, properties map[string]string
	}{
		"no metric":                     {nil, nil, nil},
		"too many metrics":              {slices.Repeat(ok, 101), nil, nil},
		"a metric twice":                {slices.Repeat(ok, 2), nil, nil},
		"no name":                       {m("", emf.Count, 1), nil, nil},
		"a name too long":               {m(strings.Repeat("n", 256), emf.Count, 1), nil, nil},
		"a name that is not ASCII":      {m("가입", emf.Count, 1), nil, nil},
		"a name with a line feed":       {m("a\nb", emf.Count, 1), nil, nil},
		"a name of blanks":              {m("  ", emf.Count, 1), nil, nil},
		"the format's own name":         {m("_aws", emf.Count, 1), nil, nil},
		"a dimension's name":            {m("Function", emf.Count, 1), nil, nil},
		"a unit that is none":           {m("m", "Parsecs", 1), nil, nil},
		"a unit in another case":        {m("m", "count", 1), nil, nil},
		"a unit with no second":         {m("m", "Percent/Second", 1), nil, nil},
		"a unit of twice":               {m("m", "Count/Second/Second", 1), nil, nil},
		"not a number":                  {m("m", emf.Count, math.NaN()), nil, nil},
		"infinity":                      {m("m", emf.Count, math.Inf(-1)), nil, nil},
		"a value too large":             {m("m", emf.Count, math.Ldexp(1, 361)), nil, nil},
		"a dimension without value":     {ok, map[string]string{"Trigger": ""}, nil},
		"a dimension of blanks":         {ok, map[string]string{"Trigger": " "}, nil},
		"a dimension that is not ASCII": {ok, map[string]string{"Trigger": "가입"}, nil},
		"a dimension too long":          {ok, map[string]string{"Trigger": strings.Repeat("x", 1025)}, nil},
		"a dimension without name":      {ok, map[string]string{"": "x"}, nil},
		"a dimension with a colon":      {ok, map[string]string{":x": "x"}, nil},
		"the format's own dimension":    {ok, map[string]string{"_aws": "x"}, nil},
		"too many dimensions":           {ok, dims, nil},
		"a property of a metric's name": {ok, nil, map[string]string{"m": "x"}},
		"a property of a dimension's":   {ok, nil, map[string]string{"Function": "x"}},
		"the format's own property":     {ok, nil, map[string]string{"_aws": "x"}},
		"a line too long":               {ok, nil, large},
	} {
		w, out := newWriter(t, func(c *emf.Config) { c.Dimensions = map[string]string{"Function": "f"} })
		if err := w.EmitWith(tc.metrics, tc.dimensions, tc.properties); !errors.Is(err, emf.ErrEvent) || out.Len() != 0 {
			t.Errorf("%s: %v, wrote %d bytes", name, err, out.Len())
		}
	}
}

func TestNewErrors(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]emf.Config{
		"no namespace":             {},
		"a namespace of AWS":       {Namespace: "AWS/Lambda"},
		"a namespace of colon":     {Namespace: ":x"},
		"a namespace with a blank": {Namespace: "my app"},
		"a namespace too long":     {Namespace: strings.Repeat("x", 256)},
		"an empty dimension":       {Namespace: "SSO", Dimensions: map[string]string{"Function": ""}},
		"the format's own name":    {Namespace: "SSO", Dimensions: map[string]string{"_aws": "x"}},
	} {
		if _, err := emf.New(&bytes.Buffer{}, cfg); !errors.Is(err, emf.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := emf.New(nil, emf.Config{Namespace: "SSO"}); !errors.Is(err, emf.ErrConfig) {
		t.Errorf("no writer: %v", err)
	}
}

func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	dims := map[string]string{"Function": "f"}
	w, out := newWriter(t, func(c *emf.Config) { c.Dimensions = dims })
	own := map[string]string{"Trigger": "t"}
	before := maps.Clone(own)
	dims["Function"] = "changed"
	if err := w.Emit([]emf.Metric{{Name: "m"}}, own); err != nil || !strings.Contains(out.String(), `"Function":"f"`) || !maps.Equal(own, before) {
		t.Errorf("Emit: %v, %s, %v", err, out, own)
	}
	out.Reset()
	if err := w.Emit([]emf.Metric{{Name: "m"}}, nil); err != nil || strings.Contains(out.String(), "Trigger") {
		t.Errorf("a line has the last one's dimension: %v, %s", err, out)
	}
}

type chunks struct {
	mu     sync.Mutex // guards writes
	writes [][]byte
	err    error
}

func (c *chunks) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes = append(c.writes, bytes.Clone(p))
	return len(p), c.err
}

// Every line is one Write, so that lines of others on the same file stay whole.
func TestLinesAreWhole(t *testing.T) {
	t.Parallel()
	out := &chunks{}
	w, err := emf.New(out, emf.Config{Namespace: "SSO"})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := w.Emit([]emf.Metric{{Name: "m", Value: 1}}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(out.writes) != 50 {
		t.Errorf("%d writes for 50 lines", len(out.writes))
	}
	for _, line := range out.writes {
		if err := checkLine(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	out.err = os.ErrClosed
	if err := w.Emit([]emf.Metric{{Name: "m"}}, nil); !errors.Is(err, os.ErrClosed) || errors.Is(err, emf.ErrEvent) {
		t.Errorf("Emit: %v", err)
	}
}

func FuzzEmit(f *testing.F) {
	f.Add("Updated", "Count", 100.0, "Function", "sso-dbsync", "request_id", "r-1")
	f.Add("_aws", "", math.Inf(1), "", "", "_aws", "가\n")
	f.Fuzz(func(t *testing.T, name, unit string, value float64, dimension, dimensionValue, property, propertyValue string) {
		w, out := newWriter(t)
		err := w.EmitWith([]emf.Metric{{Name: name, Unit: emf.Unit(unit), Value: value}}, map[string]string{dimension: dimensionValue}, map[string]string{property: propertyValue})
		switch {
		case err != nil && (!errors.Is(err, emf.ErrEvent) || out.Len() != 0):
			t.Fatalf("EmitWith: %v, wrote %q", err, out)
		case err == nil && checkLine(out.Bytes()) != nil:
			t.Fatalf("line = %q: %v", out, checkLine(out.Bytes()))
		}
	})
}

func ExampleWriter_Emit() {
	w, err := emf.New(os.Stdout, emf.Config{Namespace: "SSO", Dimensions: map[string]string{"Function": "sso-dbsync"}, Now: func() time.Time { return clock }})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := w.Emit([]emf.Metric{{Name: "Updated", Unit: emf.Count, Value: 100}}, nil); err != nil {
		fmt.Println(err)
	}
	// Output: {"Function":"sso-dbsync","Updated":100,"_aws":{"Timestamp":1772442000123,"CloudWatchMetrics":[{"Namespace":"SSO","Dimensions":[["Function"]],"Metrics":[{"Name":"Updated","Unit":"Count"}]}]}}
}
