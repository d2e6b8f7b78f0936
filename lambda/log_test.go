package lambda_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/ssu-itsupport/cognito-sso/lambda"
)

// lastLine is the event's line.
func lastLine(t *testing.T, w *world) map[string]any {
	t.Helper()
	var line map[string]any
	if err := json.Unmarshal(w.log.Bytes(), &line); err != nil {
		t.Fatalf("not one line of JSON: %s", w.log)
	}
	return line
}

const root = "1-67891233-abcdef012345678912345678"

// headerContext has the header where aws-lambda-go puts it: under a plain
// string, which a linter would not let us do.
type headerContext struct {
	context.Context
	header string
}

func (c headerContext) Value(key any) any {
	if key == "x-amzn-trace-id" {
		return c.header
	}
	return c.Context.Value(key)
}

func withHeader(header string) func(context.Context) context.Context {
	return func(ctx context.Context) context.Context { return headerContext{ctx, header} }
}

func TestLogLine(t *testing.T) {
	t.Parallel()
	otel := func(context.Context) string { return "4bf92f3577b34da6a3ce929d0e0e4736" }
	for name, tc := range map[string]struct {
		ctx     func(context.Context) context.Context
		traceID func(context.Context) string
		want    any // nil is none
	}{
		"X-Ray":                       {withHeader("Root=" + root + ";Parent=53995c3f42cd8ad8;Sampled=1"), nil, root},
		"X-Ray, with a lineage":       {withHeader("Parent=53995c3f42cd8ad8; Root=" + root + ";Lineage=a:0"), nil, root},
		"no root":                     {withHeader("Parent=53995c3f42cd8ad8;Sampled=1"), nil, nil},
		"an empty header":             {withHeader(""), nil, nil},
		"a root that is none":         {withHeader("Root=1-x-hana@example.test"), nil, nil},
		"a root with more behind it":  {withHeader("Root=" + root + "hana@example.test"), nil, nil},
		"no header":                   {nil, nil, nil},
		"OpenTelemetry":               {nil, otel, otel(nil)},
		"OpenTelemetry before X-Ray":  {withHeader("Root=" + root), otel, otel(nil)},
		"X-Ray, OpenTelemetry absent": {withHeader("Root=" + root), func(context.Context) string { return "" }, root},
	} {
		w := newWorld(t, func(c *lambda.Config) { c.TraceID = tc.traceID })
		ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "r-1"})
		if tc.ctx != nil {
			ctx = tc.ctx(ctx)
		}
		if _, err := w.Handle(ctx, fixture(t, "token_v1_refresh")); err != nil {
			t.Fatal(err)
		}
		line := lastLine(t, w)
		if line["trace_id"] != tc.want || line["request_id"] != "r-1" || line["source"] != "TokenGeneration_RefreshTokens" || line["outcome"] != "ok" {
			t.Errorf("%s: %v", name, line)
		}
	}
}

// Older runtimes have the header in the environment only.
func TestTraceIDFromEnvironment(t *testing.T) {
	t.Setenv("_X_AMZN_TRACE_ID", "Root="+root+";Parent=53995c3f42cd8ad8;Sampled=0")
	w := newWorld(t)
	if _, err := w.Handle(t.Context(), fixture(t, "token_v1_refresh")); err != nil {
		t.Fatal(err)
	}
	if line := lastLine(t, w); line["trace_id"] != root {
		t.Errorf("line = %v", line)
	}
}

// A line has what happened, and does not list what did not.
func TestLogDetails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.Handle(t.Context(), fixture(t, "token_v1_first_sign_in")); err != nil {
		t.Fatal(err)
	}
	line := lastLine(t, w)
	for _, name := range []string{"user", "from_store", "healed", "attribute_written", "sign_in_recorded"} {
		if line[name] == nil {
			t.Errorf("no %s in %v", name, line)
		}
	}
	for _, name := range []string{"reason", "mismatch", "attribute_failed", "sign_in_lost", "retries", "error"} {
		if _, there := line[name]; there {
			t.Errorf("%s in %v", name, line)
		}
	}
}
