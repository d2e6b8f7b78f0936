package redisstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/redis/go-redis/v9"
)

// Errors beside those of [middleware.SessionStore].
var (
	// ErrRecord: a record that no store has to take: an empty or too long Key
	// or Subject, or more than 64 KiB of Data. Get returns it for a record
	// that something else wrote.
	ErrRecord = errors.New("redisstore: record out of bounds")
	// ErrNotReplicated: fewer replicas than Config.WaitReplicas have the write
	// in time. The primary has it: asking again is right for Delete and
	// DeleteBySubject.
	ErrNotReplicated = errors.New("redisstore: too few replicas have it")
)

var errAnswer = errors.New("redisstore: an answer of no known kind")

// failure is an error of Redis or its client without its text. errors.As finds
// the client's own.
type failure struct {
	op, what string
	err      error
}

func (f *failure) Error() string { return "redisstore: " + f.op + ": " + f.what }
func (f *failure) Unwrap() error { return f.err }

// prefixOf is the code that Redis' errors begin with, such as OOM or READONLY.
var prefixOf = regexp.MustCompile(`^[A-Z]{2,16}\b`)

// fail turns an error of the client into one that can be logged.
func fail(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("redisstore: %s: %w", op, ctx.Err())
	}
	var answer redis.Error
	if errors.As(err, &answer) {
		return &failure{op, "error of the server (" + prefixOf.FindString(answer.Error()) + ")", err}
	}
	return &failure{op, "the server cannot be reached", err}
}
