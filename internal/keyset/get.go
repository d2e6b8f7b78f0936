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

// FetchError says why a key set could not be fetched. It deliberately wraps
// no error: a fetch that timed out must not look like a caller's own context
// that ended ([context.DeadlineExceeded]).
type FetchError struct {
	// URL is where it was looked for, without a query.
	URL string
	// Status is the HTTP status if it was not 200, else 0.
	Status int
	// NotFound is true if the host does not exist in DNS.
	NotFound bool

	reason string
}

func (e *FetchError) Error() string {
	return fmt.Sprintf("fetching keys from %s: %s", e.URL, e.reason)
}

// get fetches the set. Whatever is not a 200 with a key set that has a usable
// key is an error, so that it replaces nothing.
func (c *Cache) get(ctx context.Context) (*jose.Set, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return nil, c.fail("bad URL")
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		fe := c.fail(c.describe(err))
		var dns *net.DNSError
		fe.NotFound = errors.As(err, &dns) && dns.IsNotFound
		return nil, fe
	}
	defer resp.Body.Close() //nolint:errcheck // nothing depends on it
	if resp.StatusCode != http.StatusOK {
		// Drain a little, so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
		fe := c.fail(fmt.Sprintf("status %d", resp.StatusCode))
		fe.Status = resp.StatusCode
		return nil, fe
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBytes+1))
	if err != nil {
		return nil, c.fail(c.describe(err))
	}
	if len(body) > MaxBytes {
		return nil, c.fail("answer is larger than 1 MiB")
	}
	set, err := jose.ParseSet(body)
	if err != nil {
		return nil, c.fail(err.Error())
	}
	return set, nil
}

func (c *Cache) fail(reason string) *FetchError {
	return &FetchError{URL: withoutQuery(c.url), reason: reason}
}

// describe says what went wrong without quoting anything that the server
// sent, and without the URL, which Error names.
func (c *Cache) describe(err error) string {
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
		return fmt.Sprintf("no answer within %v (set HTTPClient.Timeout to allow more)", c.timeout)
	case errors.As(err, &op):
		return op.Error()
	case errors.As(err, &record):
		return record.Msg
	case errors.As(err, &verify):
		return verify.Error()
	case errors.As(err, &hostname):
		return hostname.Error()
	case errors.As(err, &unknown):
		return unknown.Error()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "answer cut off"
	}
	return fmt.Sprintf("request failed (%T)", err)
}

func withoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unparsable URL)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
