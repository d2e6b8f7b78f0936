package lambda

import (
	"context"
	"sync/atomic"

	"github.com/aws/smithy-go/middleware"
)

type retriesKey struct{}

// withRetries counts the retries of calls that are made with the context.
func withRetries(ctx context.Context) (context.Context, *atomic.Int64) {
	n := new(atomic.Int64)
	return context.WithValue(ctx, retriesKey{}, n), n
}

// CountRetry adds one to the [Result.Retries] of the event that ctx is of, for a
// store that makes its calls again by itself: remote.Config.OnRetry calls it.
// Without an event it does nothing.
func CountRetry(ctx context.Context) {
	if all, ok := ctx.Value(retriesKey{}).(*atomic.Int64); ok {
		all.Add(1)
	}
}

// tries counts how often one AWS call is sent.
type tries int

// count adds a step behind the client's own one for retries, so that each try
// passes it, also one that gets no answer. A client without that step is not
// counted.
func (n *tries) count(stack *middleware.Stack) error {
	_ = stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("CountTries",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			*n++
			return next.HandleFinalize(ctx, in)
		}), "Retry", middleware.After)
	return nil
}

// report adds what came after the first try to the event's retries.
func (n *tries) report(ctx context.Context) {
	if all, ok := ctx.Value(retriesKey{}).(*atomic.Int64); ok && *n > 1 {
		all.Add(int64(*n - 1))
	}
}
