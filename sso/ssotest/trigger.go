package ssotest

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// Trigger is a Lambda function as Cognito sees it. TriggerFunc makes one of a Go function, LambdaTrigger of
// anything that speaks the Lambda Invoke API.
type Trigger interface {
	Invoke(ctx context.Context, event json.RawMessage) (json.RawMessage, error)
}

// TriggerFunc is a Go function as a Trigger. Its context ends when a Lambda function would be stopped, not when Cognito stops waiting: a
// timed-out attempt goes on running while the retry runs, as in life.
type TriggerFunc func(ctx context.Context, event json.RawMessage) (json.RawMessage, error)

// Invoke calls f.
func (f TriggerFunc) Invoke(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
	return f(ctx, event)
}

// Triggers are the pool's Lambda triggers; nil ones are not called.
type Triggers struct {
	PreSignUp, PostConfirmation, PreAuthentication, PostAuthentication, PreTokenGeneration Trigger
	// PreTokenGenerationVersion is "V1_0", "V2_0" or "V3_0". Defaults to "V1_0".
	PreTokenGenerationVersion string
	// Timeout is how long Cognito waits for one attempt. Defaults to 5 s.
	Timeout time.Duration
	// Attempts is how often Cognito tries. Defaults to 3.
	Attempts int
}

// All returns Triggers that send every event to t, as one Lambda function for all does.
func All(t Trigger) Triggers {
	return Triggers{PreSignUp: t, PostConfirmation: t, PreAuthentication: t, PostAuthentication: t, PreTokenGeneration: t}
}

// TriggerCall is one attempt to call a trigger.
type TriggerCall struct {
	Source   string // triggerSource, such as "PreSignUp_ExternalProvider"
	Attempt  int    // from 1
	Username string
	ClientID string
	Started  time.Time // on the real clock
	Duration time.Duration
	Err      error // nil if the trigger answered well
}

// TriggerCalls returns every call so far, oldest first.
func (p *Pool) TriggerCalls() []TriggerCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}
