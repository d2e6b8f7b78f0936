package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/emf"
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

// Claims of your own: the hook gets the row's id, and what it returns joins
// the userId in the token.
func ExampleConfig_extraClaims() {
	departments := map[string]string{"1000": "computing"} // in place of a query by r.UserID, bounded by ctx
	t, err := lambda.NewTriggers(lambda.Config{
		Users: &fakeStore{}, Attributes: &fakeAttributes{}, SignIns: &fakeQueue{}, Providers: []string{"Kakao"}, Logger: quiet,
		ExtraClaims: func(_ context.Context, r lambda.ClaimsRequest) (lambda.Claims, error) {
			if r.Machine {
				return lambda.Claims{}, nil
			}
			return lambda.Claims{ID: lambda.TokenClaims{Add: map[string]any{"department": departments[r.UserID]}}}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	event, err := os.ReadFile(filepath.Join("testdata", "token_v1_first_sign_in.json"))
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := t.Handle(context.Background(), event)
	if err != nil {
		fmt.Println(err)
		return
	}
	var answer struct{ Response json.RawMessage }
	if err := json.Unmarshal(out, &answer); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(answer.Response))
	// Output: {"claimsOverrideDetails":{"claimsToAddOrOverride":{"custom:userId":"1000","department":"computing"}}}
}

// Metrics for CloudWatch, and texts in Korean.
func ExampleEMF() {
	metrics, err := emf.New(os.Stdout, emf.Config{Namespace: "SSO", Now: func() time.Time { return clock }})
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := lambda.NewTriggers(lambda.Config{
		Users: &fakeStore{}, Attributes: &fakeAttributes{}, SignIns: &fakeQueue{}, Providers: []string{"Kakao"}, Logger: quiet,
		OnResult: lambda.EMF(metrics, nil),
		Texts:    lambda.KoreanTexts(),
		Now:      func() time.Time { return clock },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	event, err := os.ReadFile(filepath.Join("testdata", "presignup_external_other_provider.json"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = t.Handle(context.Background(), event)
	fmt.Println(err)
	// Output:
	// {"Duration":0,"Failed":0,"Refused":1,"Trigger":"PreSignUp","_aws":{"Timestamp":1772442000000,"CloudWatchMetrics":[{"Namespace":"SSO","Dimensions":[["Trigger"]],"Metrics":[{"Name":"Duration","Unit":"Milliseconds"},{"Name":"Failed","Unit":"Count"},{"Name":"Refused","Unit":"Count"}]}]},"outcome":"refused","reason":"provider","source":"PreSignUp_ExternalProvider"}
	// 이 종류의 계정은 사용할 수 없습니다
}
