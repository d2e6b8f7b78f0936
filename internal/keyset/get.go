package keyset

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/ssu-itsupport/cognito-sso/internal/jose"
)

// get fetches the set. Whatever is not a 200 with a key set that has a usable
// key is an error, so that it replaces nothing.
func (c *Cache) get(ctx context.Context) (*jose.Set, *FetchError) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return nil, c.fail(ReasonUnreachable, "bad URL")
	}
	req.Header.Set("Accept", "application/json")
	// Fetches are minutes apart at least: a connection kept meanwhile would
	// hold two goroutines, outlive Close, and be dead after a freeze.
	req.Close = true
	resp, err := c.client.Do(req)
	if err != nil {
		fe := c.fail(c.describe(err))
		var dns *net.DNSError
		fe.NotFound = errors.As(err, &dns) && dns.IsNotFound
		return nil, fe
	}
	defer resp.Body.Close() //nolint:errcheck // nothing depends on it
	if resp.StatusCode != http.StatusOK {
		// Drain a little, so that the connection ends in good order.
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
		fe := c.fail(ReasonStatus, fmt.Sprintf("status %d", resp.StatusCode))
		fe.Status = resp.StatusCode
		return nil, fe
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBytes+1))
	if err != nil {
		return nil, c.fail(c.describe(err))
	}
	if len(body) > MaxBytes {
		return nil, c.fail(ReasonTooLarge, errTooLarge.Error())
	}
	set, err := jose.ParseSet(body)
	if err != nil {
		return nil, c.fail(ReasonUnusable, err.Error())
	}
	return set, nil
}

func (c *Cache) fail(reason Reason, text string) *FetchError {
	return &FetchError{URL: withoutQuery(c.url), Reason: reason, text: text}
}

// describe says what went wrong without quoting anything that the server
// sent, and without the URL, which Error names.
func (c *Cache) describe(err error) (Reason, string) {
	var (
		wrapped  *url.Error
		timeout  net.Error
		op       *net.OpError
		record   tls.RecordHeaderError
		verify   *tls.CertificateVerificationError
		hostname x509.HostnameError
		unknown  x509.UnknownAuthorityError
	)
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return ReasonTimeout, fmt.Sprintf("no answer within %v (set HTTPClient.Timeout to allow more)", c.timeout)
	case errors.As(err, &op):
		return ReasonUnreachable, op.Error()
	case errors.As(err, &record):
		return ReasonUnreachable, record.Msg
	case errors.As(err, &verify):
		return ReasonUnreachable, verify.Error()
	case errors.As(err, &hostname):
		return ReasonUnreachable, hostname.Error()
	case errors.As(err, &unknown):
		return ReasonUnreachable, unknown.Error()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return ReasonUnusable, "answer cut off"
	}
	return ReasonUnreachable, fmt.Sprintf("request failed (%T)", err)
}

func withoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unparsable URL)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
