package lambda

import (
	"context"
	"log/slog"
	"os"
	"regexp"
	"strings"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// logger names the event's trigger, request and trace, which are Lambda's own
// numbers, and nobody's.
func (t *Triggers) logger(ctx context.Context, res *Result) *slog.Logger {
	l := t.cfg.Logger.With("source", res.Source)
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		l = l.With("request_id", lc.AwsRequestID)
	}
	if id := t.traceID(ctx); id != "" {
		l = l.With("trace_id", id)
	}
	return l
}

func (t *Triggers) traceID(ctx context.Context) string {
	if t.cfg.TraceID != nil {
		if id := t.cfg.TraceID(ctx); id != "" {
			return id
		}
	}
	return xrayRoot(ctx)
}

var xrayTrace = regexp.MustCompile(`^1-[0-9a-f]{8}-[0-9a-f]{24}$`)

// xrayRoot is the trace id out of the header that Lambda gives to every
// invocation: "Root=1-…;Parent=…;Sampled=…". aws-lambda-go puts it under this
// key, a plain string, and into the environment.
func xrayRoot(ctx context.Context) string {
	header, ok := ctx.Value("x-amzn-trace-id").(string)
	if !ok {
		header = os.Getenv("_X_AMZN_TRACE_ID")
	}
	for part := range strings.SplitSeq(header, ";") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(part), "Root="); ok && xrayTrace.MatchString(id) {
			return id
		}
	}
	return ""
}
