package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
)

// A first sign-in through Kakao, on a real table. In place of the fake is
// [lambda.NewCognitoAttributes] on AWS.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := firstSignIn(context.Background(), filepath.Join(dir, "users.db")); err != nil {
		fmt.Println(err)
	}
	_ = os.RemoveAll(dir)
	// Output: {"claimsOverrideDetails":{"claimsToAddOrOverride":{"custom:userId":"1"}}}
}

func firstSignIn(ctx context.Context, path string) (err error) {
	store, err := sqlite.Open(ctx, path, sqlite.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	consumer, err := lambda.NewConsumer(lambda.ConsumerConfig{Users: store, Logger: quiet})
	if err != nil {
		return err
	}
	queue, err := lambda.NewMemoryQueue(consumer, lambda.MemoryQueueConfig{Logger: quiet})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, queue.Close(ctx)) }()

	t, err := lambda.NewTriggers(lambda.Config{
		Users:      store,
		Attributes: &fakeAttributes{},
		SignIns:    queue,
		Providers:  []string{"Kakao", "Google"},
		Logger:     quiet,
	})
	if err != nil {
		return err
	}
	var answer struct{ Response json.RawMessage }
	for _, name := range []string{"presignup_external_kakao", "postconfirmation_kakao", "token_v1_first_sign_in"} {
		event, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			return err
		}
		out, err := t.Handle(ctx, event)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(out, &answer); err != nil {
			return err
		}
	}
	fmt.Println(string(answer.Response))
	return nil
}

// What Cognito shows is one thing, what the log needs another.
func ExamplePublicError() {
	err := error(&lambda.PublicError{Text: "This kind of account cannot be used here", Cause: lambda.ErrProvider})
	fmt.Println(err)
	fmt.Println(errors.Is(err, lambda.ErrProvider))
	// Output:
	// This kind of account cannot be used here
	// true
}
