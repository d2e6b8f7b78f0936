package sso

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
)

// TransportConfig describes a [Transport]. It is copied.
type TransportConfig struct {
	// Token returns the access token for a request, under the request's
	// context. Required.
	Token func(ctx context.Context) (Secret, error)
	// Refused is told of a token that a server answered 401 to. The request is
	// then sent once more if Token gives another one and the request's body, if
	// it has one, can be had again (http.Request.GetBody). Defaults to none:
	// nothing is sent twice.
	Refused func(Secret)
	// Origins are where tokens may be sent, such as
	// "https://api.example.ac.kr", exactly. Required: a token must not follow a
	// redirect to somewhere else.
	Origins []string
	// Base sends the requests. Defaults to http.DefaultTransport.
	Base http.RoundTripper
	// InsecureAllowHTTP accepts http origins. It MUST NOT be set outside tests
	// and local work: whoever is on the way reads the token.
	InsecureAllowHTTP bool
}

// Transport is an http.RoundTripper that sends each request with a bearer
// token (RFC 6750 §2.1). It is safe for concurrent use.
type Transport struct{ cfg TransportConfig }

// ErrOrigin is returned for a request to an origin that is not among
// TransportConfig.Origins, as after a redirect. Nothing was sent.
var ErrOrigin = errors.New("sso: no token for this origin")

// maxDrain is how much of an answer of 401 is read so that its connection can
// be used again.
const maxDrain = 64 << 10

// NewTransport checks cfg and returns a Transport. Its error joins one
// [*ConfigError] for each field that is wrong.
func NewTransport(cfg TransportConfig) (*Transport, error) {
	cfg.Origins = slices.Clone(cfg.Origins)
	if cfg.Base == nil {
		cfg.Base = http.DefaultTransport
	}
	var errs []error
	if cfg.Token == nil {
		errs = append(errs, &ConfigError{Field: "TransportConfig.Token", Problem: "is required"})
	}
	if len(cfg.Origins) == 0 {
		errs = append(errs, &ConfigError{Field: "TransportConfig.Origins", Problem: "at least one is required"})
	}
	for i, o := range cfg.Origins {
		u, err := url.Parse(o)
		secure := err == nil && (u.Scheme == "https" || cfg.InsecureAllowHTTP && u.Scheme == "http")
		if !secure || u.Host == "" || o != originOf(u) {
			errs = append(errs, &ConfigError{
				Field:   fmt.Sprintf("TransportConfig.Origins[%d]", i),
				Problem: `must be an https origin such as "https://api.example.ac.kr", in lower case and without a path`,
			})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Transport{cfg}, nil
}

// RoundTrip implements http.RoundTripper. It does not change req. The error is
// [ErrOrigin], that of TransportConfig.Token, or that of TransportConfig.Base.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !slices.Contains(t.cfg.Origins, originOf(req.URL)) {
		closeBody(req)
		return nil, ErrOrigin // fail closed: a redirect must not carry the token away
	}
	token, err := t.cfg.Token(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := t.cfg.Base.RoundTrip(withBearer(req, req.Body, token))
	if err != nil || resp.StatusCode != http.StatusUnauthorized || t.cfg.Refused == nil {
		return resp, err
	}
	return t.again(req, resp, token)
}

// again answers with a second try, or with the first answer if there is none.
// 401 says that the server did nothing, so a second try does nothing twice.
func (t *Transport) again(req *http.Request, refused *http.Response, token Secret) (*http.Response, error) {
	t.cfg.Refused(token)
	body := req.Body
	if body != nil && body != http.NoBody {
		if req.GetBody == nil {
			return refused, nil
		}
		var err error
		if body, err = req.GetBody(); err != nil {
			return refused, nil //nolint:nilerr // the answer is there, and says what is wrong
		}
	}
	other, err := t.cfg.Token(req.Context())
	if err != nil || sameText(other.Reveal(), token.Reveal()) {
		if body != nil {
			_ = body.Close()
		}
		return refused, nil //nolint:nilerr // likewise
	}
	_, _ = io.CopyN(io.Discard, refused.Body, maxDrain)
	_ = refused.Body.Close()
	return t.cfg.Base.RoundTrip(withBearer(req, body, other))
}

func withBearer(req *http.Request, body io.ReadCloser, token Secret) *http.Request {
	out := req.Clone(req.Context())
	out.Body = body
	out.Header.Set("Authorization", "Bearer "+token.Reveal())
	return out
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// originOf is scheme and host, with the port if it is in the URL.
func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }
