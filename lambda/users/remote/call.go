package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// call asks for the operation until there is an answer or the time is over.
func (s *Store) call(ctx context.Context, op string, args, result any) error {
	raw, err := encode(args)
	if err != nil {
		return failed(op, fmt.Errorf("%w: cannot be sent", users.ErrInvalid))
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	pause := s.cfg.Backoff
	for {
		if err := s.ended(ctx, op); err != nil {
			return err
		}
		answer, err := s.invoke(ctx, op, raw)
		if err == nil {
			return s.result(op, answer, result)
		}
		if ended := s.ended(ctx, op); ended != nil {
			return ended
		}
		if !again(err) || !wait(ctx, pause) {
			return failed(op, fmt.Errorf("%w: %w", users.ErrUnavailable, err))
		}
		s.cfg.OnRetry(ctx, err.Error())
		pause = min(2*pause, s.cfg.MaxBackoff)
	}
}

// ended is the error of a context that has ended, or nil.
func (s *Store) ended(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return failed(op, fmt.Errorf("%w: %w", users.ErrUnavailable, err))
	}
	return nil
}

// wait pauses for about as long, and reports whether there is time left then.
func wait(ctx context.Context, pause time.Duration) bool {
	pause -= rand.N(pause/2 + 1) //nolint:gosec // spreads load, guards nothing
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= pause {
		return false // no use in waiting for the end
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// errFunction: the function ended without an answer: it crashed, ran out of
// time, or could not start.
var errFunction = errors.New("function error")

// invoke asks once. Errors are [hidden], or errFunction.
func (s *Store) invoke(ctx context.Context, op string, args json.RawMessage) (json.RawMessage, error) {
	in := &lambda.InvokeInput{FunctionName: &s.cfg.Function, InvocationType: types.InvocationTypeRequestResponse}
	if s.cfg.Qualifier != "" {
		in.Qualifier = &s.cfg.Qualifier
	}
	var err error
	if in.Payload, err = json.Marshal(s.request(ctx, op, args)); err != nil {
		return nil, err
	}
	out, err := s.api.Invoke(ctx, in, noRetries)
	if err != nil {
		return nil, &hidden{code: errorCode(err), err: err}
	}
	if out == nil {
		return nil, &hidden{code: "no answer", err: errFunction}
	}
	if out.FunctionError != nil {
		return nil, &hidden{code: "function error " + errorType(out.Payload), err: errFunction}
	}
	return out.Payload, nil
}

func noRetries(o *lambda.Options) { o.Retryer = aws.NopRetryer{} }

// request is made anew for every try: less time is left.
func (s *Store) request(ctx context.Context, op string, args json.RawMessage) request {
	r := request{V: version, Op: op, Args: args}
	if end, ok := ctx.Deadline(); ok {
		left := time.Until(end)
		left -= min(s.cfg.Reserve, left/2)
		r.TimeoutMS = max(1, left.Milliseconds())
		r.DeadlineMS = s.cfg.Now().Add(left).UnixMilli()
	}
	return r
}

func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) && isCode(api.ErrorCode()) {
		return api.ErrorCode()
	}
	return "no answer"
}

const maxCode = 64

// plain is the form of an error code. Anything else may be a text. It does not
// count: {0,63} would be 63 copies to compile at every start.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._:]*$`)

func isCode(s string) bool { return len(s) <= maxCode && plain.MatchString(s) }

// errorType is the kind of a failed invocation. Its message is left out: it
// may quote anything.
func errorType(payload json.RawMessage) string {
	var f struct {
		Type string `json:"errorType"`
	}
	if !decode(payload, &f) || !isCode(f.Type) {
		return "unknown"
	}
	return f.Type
}

// again reports whether the same question may get an answer in a moment.
// Everything may but what Lambda refuses: no such function, no permission, too
// large. What is not ready, and too many at once, it does not refuse for good.
func again(err error) bool {
	var status interface{ HTTPStatusCode() int }
	if errors.As(err, &status) {
		code := status.HTTPStatusCode()
		return code < 400 || code >= 500 || code == http.StatusTooManyRequests || code == http.StatusConflict
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return true // the network, or the function
	}
	return api.ErrorFault() == smithy.FaultServer || api.ErrorCode() == "TooManyRequestsException" ||
		api.ErrorCode() == "ResourceConflictException"
}

// result reads an answer, or the error in it.
func (s *Store) result(op string, answer json.RawMessage, into any) error {
	var r response
	if len(answer) > maxPayload || !decode(answer, &r) {
		return failed(op, fmt.Errorf("%w: not its JSON", ErrProtocol))
	}
	if string(r.Result) == "null" {
		r.Result = nil
	}
	switch {
	case r.V != version:
		return failed(op, fmt.Errorf("%w: unknown version", ErrProtocol))
	case r.Error != nil && r.Result != nil:
		return failed(op, fmt.Errorf("%w: a result and an error", ErrProtocol))
	case r.Error != nil:
		return failed(op, r.Error.fromWire())
	case into == nil && r.Result != nil:
		return nil
	case !decode(r.Result, into):
		return failed(op, fmt.Errorf("%w: not its result", ErrProtocol))
	}
	return nil
}
