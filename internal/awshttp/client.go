// Package awshttp is the HTTP client of every AWS SDK client here.
//
// The SDK closes a request's body as soon as there are response headers. Its
// body has a WriteTo, which fails with io.EOF when it is called after that
// (smithy-go v1.28.8, transport/http/internal/io). net/http looks for more of
// the body once it has sent all of it; where that goroutine is late, as on a
// busy machine or a small Lambda function, it takes the io.EOF for a failed
// write, and closes the connection under the response. The call was carried
// out, and is reported as failed: "use of closed network connection".
package awshttp

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awstransport "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// NewClient returns the SDK's own client, with bodies that can be closed at any
// time. It has its own pool of connections, and is safe for concurrent use.
func NewClient() aws.HTTPClient {
	return client{awstransport.NewBuildableClient()}
}

// Over is NewClient over the client of a configuration that the SDK has loaded,
// which is nil unless something there (a bundle of authorities) asks for one.
func Over(c aws.HTTPClient) aws.HTTPClient {
	if c == nil {
		return NewClient()
	}
	return client{c}
}

type client struct{ aws.HTTPClient }

// Do sends r. It hides all methods of the body but Read and Close: Read after
// Close is a plain end.
func (c client) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.HTTPClient.Do(r)
}
