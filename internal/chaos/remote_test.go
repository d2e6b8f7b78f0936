package chaos_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"

	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/remote"
)

// remotely puts a stage's stores behind an invocation, with faults on both
// sides of it.
func remotely(on stageMaker) stageMaker {
	return func(t *testing.T, seed uint64) func(t *testing.T) stage {
		set := on(t, seed)
		return func(t *testing.T) stage {
			s := set(t)
			open := s.open
			s.open = func(ctx context.Context, wrap func(users.Store) users.Store) (users.Store, io.Closer, error) {
				inner, closer, err := open(ctx, wrap)
				if err != nil {
					return nil, nil, err
				}
				handler, err := remote.NewHandler(inner, remote.HandlerConfig{Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					return nil, nil, errors.Join(err, closer.Close())
				}
				store, err := remote.New(&invoker{handler: handler}, remote.Config{Function: "sso-dbsync"})
				if err != nil {
					return nil, nil, errors.Join(err, closer.Close())
				}
				return store, closer, nil
			}
			return s
		}
	}
}

// invoker is Lambda's Invoke API with the function inside the process. Some
// invocations are throttled, some find a function that is not ready, and some
// answers are lost.
type invoker struct {
	handler remote.Handler
	n       atomic.Int64
}

func (i *invoker) Invoke(ctx context.Context, in *awslambda.InvokeInput, _ ...func(*awslambda.Options)) (*awslambda.InvokeOutput, error) {
	n := i.n.Add(1)
	switch {
	case n%17 == 0:
		return nil, &types.TooManyRequestsException{}
	case n%31 == 0:
		return nil, &types.ResourceNotReadyException{}
	}
	out, err := i.handler(ctx, in.Payload)
	if n%19 == 0 {
		return nil, errors.New("connection reset")
	}
	return &awslambda.InvokeOutput{StatusCode: 200, Payload: out}, err
}
