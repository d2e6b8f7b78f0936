package ssotest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// LambdaTrigger calls functionName at a Lambda Invoke API endpoint (POST
// /2015-03-31/functions/{name}/invocations), such as a local runtime.
func LambdaTrigger(endpoint, functionName string) Trigger {
	return &lambdaTrigger{
		url: strings.TrimRight(endpoint, "/") + "/2015-03-31/functions/" + url.PathEscape(functionName) + "/invocations",
		client: &http.Client{
			Transport:     &http.Transport{DisableKeepAlives: true}, // nothing is left behind
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

type lambdaTrigger struct {
	url    string
	client *http.Client
}

// maxPayload is what Lambda allows of a synchronous answer.
const maxPayload = 6 << 20

// invokeError is a function that could not be run, unlike one that ran and answered with an error.
type invokeError struct {
	status int    // HTTP status of the Invoke API, 0 if there was no answer
	reason string // exception type, or what failed
}

func (e *invokeError) Error() string { return e.reason }

// retryable reports whether Cognito may try again. It does not retry 5xx.
func (e *invokeError) retryable() bool { return e.status == http.StatusTooManyRequests }

// Invoke calls the function. An error that is not an *invokeError is the function's own.
func (t *lambdaTrigger) Invoke(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(event))
	if err != nil {
		return nil, &invokeError{reason: "bad endpoint"}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Amz-Invocation-Type", "RequestResponse")
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, &invokeError{reason: "no answer of the Invoke API"}
	}
	defer resp.Body.Close()
	payload, err := io.ReadAll(io.LimitReader(resp.Body, maxPayload+1))
	switch {
	case err != nil:
		return nil, &invokeError{reason: "the answer of the Invoke API broke off"}
	case resp.StatusCode != http.StatusOK:
		name, _, _ := strings.Cut(resp.Header.Get("X-Amzn-Errortype"), ":")
		if name == "" {
			name = fmt.Sprintf("HTTP %d", resp.StatusCode)
		}
		return nil, &invokeError{status: resp.StatusCode, reason: name}
	case len(payload) > maxPayload:
		return nil, &invokeError{status: resp.StatusCode, reason: "ResponseSizeTooLarge"}
	case resp.Header.Get("X-Amz-Function-Error") != "":
		return nil, functionError(payload)
	}
	return payload, nil
}

// functionError reads the payload of a function that failed.
func functionError(payload []byte) error {
	var f struct {
		ErrorMessage string `json:"errorMessage"`
		ErrorType    string `json:"errorType"`
	}
	if json.Unmarshal(payload, &f) != nil || (f.ErrorMessage == "" && f.ErrorType == "") {
		return fmt.Errorf("Unhandled") //nolint:staticcheck // what Lambda says
	}
	if f.ErrorMessage == "" {
		return fmt.Errorf("%s", f.ErrorType)
	}
	return fmt.Errorf("%s", f.ErrorMessage)
}
