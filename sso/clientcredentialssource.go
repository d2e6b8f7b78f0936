package sso

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// renewAt is the part of a token's life that is left when its renewal
	// begins. A token of an hour so outlives an outage of some ten minutes.
	renewAt = 0.2
	// minLeft is the least life of a token that is handed out, so that it does
	// not expire on its way; a tenth of a shorter token's life.
	minLeft = 10 * time.Second
	// renewPause is the pause after a renewal that failed.
	renewPause = 5 * time.Second
)

// ClientCredentialsSource hands out access tokens of the client itself and
// keeps each until shortly before it expires. It is safe for concurrent use;
// make one for each set of scopes and keep it.
type ClientCredentialsSource struct {
	client *Client
	scopes []string
	flight singleflight.Group

	mu      sync.Mutex // guards what follows; never held during a request
	current *machineToken
	failed  error     // of the last request, nil if it succeeded
	ended   time.Time // when that was
}

// machineToken is one token and its times. It is never changed.
type machineToken struct {
	token  Token
	raw    Secret
	renew  time.Time // from here on another is asked for
	usable time.Time // until here it is handed out
}

// ClientCredentialsSource returns a source of tokens with the scopes, none for
// all that the app client may have (see [Client.ClientCredentials]). It makes
// no request yet. Its error is a [*ConfigError].
func (c *Client) ClientCredentialsSource(scopes ...string) (*ClientCredentialsSource, error) {
	if err := c.checkClientCredentials(scopes); err != nil {
		return nil, err
	}
	return &ClientCredentialsSource{client: c, scopes: append([]string(nil), scopes...)}, nil
}

// Token returns the token and its text. The first call asks Cognito; when a
// fifth of a token's life is left, the next call begins to renew it and goes
// on with the old one at once. So callers wait only if there is no token that
// is good for another 10 seconds: then for one request that all of them share,
// each until its own ctx ends, and a cancelled caller fails nobody else.
//
// After a request that failed, the next is made 5 seconds later at the
// earliest; a caller who has no token until then gets the same error. Errors
// are those of [Client.ClientCredentials].
func (s *ClientCredentialsSource) Token(ctx context.Context) (Token, Secret, error) {
	if err := ctx.Err(); err != nil {
		return Token{}, "", err
	}
	have, ask, err := s.look()
	if !ask {
		if have == nil {
			return Token{}, "", err
		}
		return have.token, have.raw, nil
	}
	// Without the caller's cancellation: the answer is everybody's.
	request := context.WithoutCancel(ctx)
	done := s.flight.DoChan("", func() (any, error) { return s.fetch(request) })
	if have != nil {
		return have.token, have.raw, nil
	}
	select {
	case <-ctx.Done():
		return Token{}, "", ctx.Err()
	case got := <-done:
		if got.Err != nil {
			return Token{}, "", got.Err
		}
		t, ok := got.Val.(*machineToken)
		if !ok {
			panic("sso: a fetch gave something else than a token") // cannot be
		}
		return t.token, t.raw, nil
	}
}

// look returns the token if it may be handed out, whether another is to be
// asked for, and the error if there is neither.
func (s *ClientCredentialsSource) look() (have *machineToken, ask bool, err error) {
	now := s.client.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && now.Before(s.current.usable) {
		have = s.current
		if now.Before(have.renew) {
			return have, false, nil
		}
	}
	if since := now.Sub(s.ended); s.failed != nil && since >= 0 && since < renewPause {
		return have, false, s.failed
	}
	return have, true, nil
}

// fetch asks for a token and keeps it. The client's own timeout bounds it.
func (s *ClientCredentialsSource) fetch(ctx context.Context) (*machineToken, error) {
	// Whoever looked just before another's fetch ended comes here after it.
	if have, ask, err := s.look(); !ask {
		return have, err
	}
	token, raw, err := s.client.ClientCredentials(ctx, s.scopes...)
	now := s.client.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed, s.ended = err, now
	if err != nil {
		return nil, err
	}
	s.current = newMachineToken(token, raw, now)
	return s.current, nil
}

func newMachineToken(token Token, raw Secret, now time.Time) *machineToken {
	life := token.ExpiresAt.Sub(now)
	early := time.Duration(float64(life) * renewAt)
	early -= time.Duration(rand.Int64N(int64(early)/4 + 1)) //nolint:gosec // only so that a fleet does not ask at once
	return &machineToken{
		token: token, raw: raw,
		renew:  token.ExpiresAt.Add(-early),
		usable: token.ExpiresAt.Add(-min(minLeft, life/10)),
	}
}

// Forget drops the token if it still is the one with this text, such as one
// that a server refused: the next call asks for another.
func (s *ClientCredentialsSource) Forget(raw Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && sameText(s.current.raw.Reveal(), raw.Reveal()) {
		s.current = nil
	}
}

// HTTPClient returns an http.Client whose requests carry the source's tokens,
// to the origins alone; see [NewTransport]. A token that a server refuses with
// 401 is forgotten, and the request sent once more with another.
func (s *ClientCredentialsSource) HTTPClient(origins ...string) (*http.Client, error) {
	t, err := NewTransport(TransportConfig{
		Token:   func(ctx context.Context) (Secret, error) { _, raw, err := s.Token(ctx); return raw, err },
		Refused: s.Forget,
		Origins: origins,
	})
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: t}, nil
}
