package sso

// EndpointError is [ErrUnavailable] of one of the pool's endpoints: it was not
// reached, did not answer in time, or gave an answer that decides nothing about
// what it was sent. Try again later. A decision is an [AuthError] instead.
//
// Its text is in words of this package, and safe to log: those of x/oauth2 and
// net/http quote bodies, headers and URLs.
type EndpointError struct {
	// Endpoint is "token endpoint", "revocation endpoint" or "userInfo endpoint".
	Endpoint string
	// Status is the HTTP status of the answer: 500 and above for a fault of the
	// server, 429 for throttling, another 4xx for a refusal that is not in
	// OAuth's words, as of a firewall, 3xx for a redirect, which is not followed,
	// and 200 for an answer that cannot be used. It is 0 if no answer came, or
	// not the whole of it: then errors.Is finds context.DeadlineExceeded or
	// context.Canceled where that was the reason.
	Status int

	problem string
	cause   error // context.Canceled, context.DeadlineExceeded or nil
}

// Error names the endpoint, and what is wrong in fixed words.
func (e *EndpointError) Error() string {
	return ErrUnavailable.Error() + ": " + e.Endpoint + ": " + e.problem
}

// Unwrap returns [ErrUnavailable], and the context's error if that was the
// reason.
func (e *EndpointError) Unwrap() []error {
	if e.cause == nil {
		return []error{ErrUnavailable}
	}
	return []error{ErrUnavailable, e.cause}
}
