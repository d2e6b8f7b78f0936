package ssotest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest/internal/exactjson"
)

// functionLimit is how long a Lambda function may run; Cognito stops waiting much earlier.
const functionLimit = 15 * time.Minute

// errTriggerTimeout is an attempt that did not answer in time. The function goes on running.
var errTriggerTimeout = errors.New("Socket timeout while invoking Lambda function") //nolint:staticcheck // AWS's words

// invocation is one trigger to call, with as many attempts as it takes.
type invocation struct {
	trigger  Trigger
	source   string
	version  string // "1" unless set
	username string
	clientID string
	request  any
	response any // what the event's response is before the function fills it in
}

// name is the trigger's name in Cognito's errors.
func (i invocation) name() string {
	name, _, _ := strings.Cut(i.source, "_")
	if name == "TokenGeneration" {
		return "PreTokenGeneration"
	}
	return name
}

type triggerEvent struct {
	Version       string        `json:"version"`
	TriggerSource string        `json:"triggerSource"`
	Region        string        `json:"region"`
	UserPoolID    string        `json:"userPoolId"`
	UserName      string        `json:"userName"`
	CallerContext callerContext `json:"callerContext"`
	Request       any           `json:"request"`
	Response      any           `json:"response"`
}

type callerContext struct {
	AWSSDKVersion string `json:"awsSdkVersion"`
	ClientID      string `json:"clientId"`
}

// invoke calls a trigger and returns the response of its answer: nil if there is no such trigger. Its error is a
// *triggerError. p.mu must not be held.
func (p *Pool) invoke(i invocation) (json.RawMessage, error) {
	if i.trigger == nil {
		return nil, nil
	}
	if i.version == "" {
		i.version = "1"
	}
	event, err := json.Marshal(triggerEvent{
		Version: i.version, TriggerSource: i.source, Region: p.region, UserPoolID: p.cfg.ID, UserName: i.username,
		CallerContext: callerContext{AWSSDKVersion: "aws-sdk-unknown-unknown", ClientID: i.clientID},
		Request:       i.request, Response: i.response,
	})
	if err != nil {
		panic(fmt.Sprintf("ssotest: a trigger event: %v", err)) // strings, booleans and nulls
	}
	for attempt := 1; ; attempt++ {
		answer, err := p.attempt(i, event, attempt)
		if err == nil {
			return answer, nil
		}
		var run *invokeError
		again := errors.Is(err, errTriggerTimeout) || (errors.As(err, &run) && run.retryable())
		if again && attempt < p.cfg.Triggers.Attempts && p.ctx.Err() == nil {
			continue
		}
		return nil, i.failure(err)
	}
}

// failure is what Cognito makes of a trigger that did not answer well.
func (i invocation) failure(err error) error {
	var run *invokeError
	var malformed *malformedError
	switch {
	case errors.As(err, &run), errors.Is(err, errTriggerTimeout):
		return &triggerError{Trigger: i.name(), Message: err.Error(), Type: lambdaUnexpected}
	case errors.As(err, &malformed):
		return &triggerError{Trigger: i.name(), Message: "Unrecognizable lambda output: " + err.Error(), Type: lambdaMalformed}
	default:
		return &triggerError{Trigger: i.name(), Message: err.Error()}
	}
}

// malformedError is an answer that is not what the trigger must answer.
type malformedError struct{ problem string }

func (e *malformedError) Error() string { return e.problem }

// attempt calls the trigger once and records it.
func (p *Pool) attempt(i invocation, event []byte, number int) (answer json.RawMessage, err error) {
	call := TriggerCall{Source: i.source, Attempt: number, Username: i.username, ClientID: i.clientID, Started: time.Now()}
	defer func() {
		call.Duration, call.Err = time.Since(call.Started), err
		p.mu.Lock()
		p.calls = append(p.calls, call)
		p.mu.Unlock()
		if p.cfg.OnTrigger != nil {
			p.cfg.OnTrigger(call)
		}
	}()
	refuse, lose := p.triggerFaults(i.source)
	if refuse != "" {
		return nil, errors.New(refuse)
	}
	done, err := p.functions.start(p.ctx, i.trigger, event)
	if err != nil {
		return nil, err
	}
	if lose {
		return nil, errTriggerTimeout
	}
	wait := time.NewTimer(p.cfg.Triggers.Timeout)
	defer wait.Stop()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, r.err
		}
		return responseOf(r.payload)
	case <-wait.C:
		return nil, errTriggerTimeout
	case <-p.ctx.Done():
		return nil, errClosed
	}
}

// triggerFaults says whether the faults make an attempt fail, and with which text, or lose its answer.
func (p *Pool) triggerFaults(source string) (refuse string, lose bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range []string{source, "*"} {
		if text, ok := p.faults.TriggerError[key]; ok {
			return text, false
		}
		switch n := p.faults.TriggerTimeout[key]; {
		case n < 0:
			return "", true
		case n > 0:
			p.faults.TriggerTimeout[key]--
			return "", true
		}
	}
	return "", false
}

// responseOf returns the response of a function's answer, which must be the whole event.
func responseOf(payload json.RawMessage) (json.RawMessage, error) {
	var event struct {
		Response json.RawMessage `json:"response"`
	}
	if err := exactjson.Unmarshal(payload, &event); err != nil {
		return nil, &malformedError{"not a JSON object"}
	}
	if len(event.Response) == 0 || event.Response[0] != '{' {
		return nil, &malformedError{"no response in it"}
	}
	return event.Response, nil
}

// decodeResponse reads a response into dst.
func (i invocation) decodeResponse(response json.RawMessage, dst any) error {
	if response == nil {
		return nil
	}
	if err := exactjson.Unmarshal(response, dst); err != nil {
		return i.failure(&malformedError{"a member of the response has the wrong type"})
	}
	return nil
}

var errClosed = errors.New("ssotest: the pool is closed")

// functions are the triggers that run, also those that nobody waits for any more.
type functions struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

type functionResult struct {
	payload json.RawMessage
	err     error
}

// start runs a trigger. Its context has the deadline of a Lambda function and ends with ctx.
func (f *functions) start(ctx context.Context, t Trigger, event []byte) (<-chan functionResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errClosed
	}
	done := make(chan functionResult, 1)
	f.wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, functionLimit)
		defer cancel()
		r := functionResult{err: errors.New("the function exited")} // as runtime.Goexit does, of testing.T.FailNow
		defer func() {
			if v := recover(); v != nil {
				r = functionResult{err: fmt.Errorf("panic: %v", v)}
			}
			done <- r
		}()
		payload, err := t.Invoke(ctx, append(json.RawMessage(nil), event...))
		r = functionResult{payload, err}
	})
	return done, nil
}

// wait waits until all functions ended, but no longer than limit. None can be started after it.
func (f *functions) wait(limit time.Duration) error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	done := make(chan struct{})
	go func() {
		f.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("ssotest: a trigger function still runs %v after its context ended", limit)
	}
}
