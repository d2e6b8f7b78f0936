package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"
)

var (
	// ErrConfig is returned by [Run] for a configuration that means nothing.
	ErrConfig = errors.New("doctor: configuration")
	// ErrPool is returned by [Run] if the pool could not be looked at: there is
	// none with that id, nobody may look at it, or AWS does not answer.
	ErrPool = errors.New("doctor: user pool")
)

// code is the name of AWS's error, which tells nothing of anybody.
func code(err error) string {
	var api smithy.APIError
	switch {
	case errors.As(err, &api):
		return api.ErrorCode()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return "no answer"
}

// notFound reports that AWS says there is no such thing.
func notFound(err error) bool {
	switch code(err) {
	case "ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist":
		return true
	}
	return false
}

func poolError(operation string, err error) error {
	return fmt.Errorf("%w: %s: %s", ErrPool, operation, code(err))
}
