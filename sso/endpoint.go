package sso

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"

	"golang.org/x/oauth2"
)

// maxAnswer is the most of an answer that is read, in bytes.
const maxAnswer = 1 << 20

// endpointClient makes an http.Client for Cognito's endpoints.
func endpointClient(hc *http.Client, wantJSON bool) *http.Client {
	t := &endpointTransport{base: http.DefaultTransport, wantJSON: wantJSON}
	own := &http.Client{Transport: t, Timeout: defaultTimeout}
	if hc != nil && hc.Transport != nil {
		t.base = hc.Transport
	}
	if hc != nil && hc.Timeout > 0 {
		own.Timeout = hc.Timeout
	}
	return own
}

// endpointTransport lets nothing through but a 200 of limited size: anything
// else becomes a typed error here, before x/oauth2 sees the body and copies it
// into an error text. A redirect is such an error, so none is followed, and no
// code, secret or token is sent on to where it points.
type endpointTransport struct {
	base     http.RoundTripper
	wantJSON bool // refuse a 200 that is not application/json
}

// RoundTrip implements http.RoundTripper.
func (t *endpointTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, noAnswer{err}
	}
	answer := resp.Body
	defer func() { _ = answer.Close() }() // resp.Body is replaced below

	status := resp.StatusCode
	switch {
	case status >= 300 && status < 400:
		return nil, &EndpointError{Status: status, problem: "answered a redirect, which is refused"}
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return nil, &EndpointError{Status: status, problem: fmt.Sprintf("answered %d", status)}
	}

	body, err := io.ReadAll(io.LimitReader(answer, maxAnswer+1))
	if err != nil {
		return nil, noAnswer{err}
	}
	if len(body) > maxAnswer {
		return nil, &EndpointError{Status: status, problem: "answer too large"}
	}
	if status != http.StatusOK {
		if authErr := authErrorIn(resp, body); authErr != nil {
			return nil, authErr
		}
		// Not in OAuth's words, so not Cognito's decision: a firewall's or a
		// proxy's page says nothing about the code or token that was sent.
		return nil, &EndpointError{Status: status, problem: fmt.Sprintf("answered %d without an OAuth error", status)}
	}
	if t.wantJSON {
		media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		if err != nil || media != "application/json" {
			return nil, &EndpointError{Status: status, problem: "did not answer JSON"}
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// endpointError makes the error to return out of the one that x/oauth2 or
// net/http gave: an *AuthError or an *EndpointError, never theirs.
func endpointError(ctx context.Context, endpoint string, err error) error {
	var authErr *AuthError
	if errors.As(err, &authErr) {
		return authErr
	}
	var answered *EndpointError
	if errors.As(err, &answered) {
		return &EndpointError{Endpoint: endpoint, Status: answered.Status, problem: answered.problem}
	}
	// A 200 with an error member, as some servers answer.
	var retrieve *oauth2.RetrieveError
	if errors.As(err, &retrieve) && retrieve.ErrorCode != "" {
		return newAuthError(http.StatusOK, retrieve.ErrorCode, retrieve.ErrorDescription)
	}
	problem, cause := describe(ctx, err)
	status := http.StatusOK // else the transport would have said so
	if cause != nil || errors.As(err, &noAnswer{}) {
		status = 0
	}
	return &EndpointError{Endpoint: endpoint, Status: status, problem: problem, cause: cause}
}

// noAnswer is an error of the network: no answer came, or not the whole of it.
type noAnswer struct{ error }

func (e noAnswer) Unwrap() error { return e.error }

// describe says in fixed words why a call failed.
func describe(ctx context.Context, err error) (problem string, cause error) {
	var (
		netErr  net.Error
		dnsErr  *net.DNSError
		certErr *tls.CertificateVerificationError
		opErr   *net.OpError
	)
	switch {
	// ctx first: net/http reports its cause, which may be any error.
	case errors.Is(ctx.Err(), context.Canceled), errors.Is(err, context.Canceled):
		return "request cancelled", context.Canceled
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return "timed out", context.DeadlineExceeded
	case errors.As(err, &dnsErr):
		return "host name does not resolve", nil
	case errors.As(err, &certErr):
		return "certificate not accepted", nil
	case errors.As(err, &opErr) && opErr.Op == "dial":
		return "cannot connect", nil
	case errors.As(err, &netErr), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection broken", nil
	}
	return "no usable answer", nil
}
