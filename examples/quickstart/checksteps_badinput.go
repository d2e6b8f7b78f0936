package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// badInput is something wrong that comes in somewhere, and what must be said of it.
type badInput struct {
	name string
	give func() error
	want error  // as errors.Is finds it; nil for none of ours
	says string // what the text must name
}

// badInputClearError: whatever comes in wrong gets an error that names what is
// wrong, and nothing is lost or made by it.
func (c *checker) badInputClearError(ctx context.Context) (string, error) {
	count, err := c.countRows(ctx)
	if err != nil {
		return "", err
	}
	inputs := append(c.badConfigs(ctx), c.badTokens(ctx)...)
	inputs = append(inputs, c.badEvents(ctx)...)
	for _, in := range inputs {
		err := in.give()
		switch {
		case err == nil:
			return "", fmt.Errorf("%s: no error", in.name)
		case in.want != nil && !errors.Is(err, in.want):
			return "", fmt.Errorf("%s: got the error %w, want one that is %w", in.name, err, in.want)
		case !strings.Contains(err.Error(), in.says):
			return "", fmt.Errorf("%s: the error does not say %q: %w", in.name, in.says, err)
		}
	}
	pages, err := c.badRequests(ctx)
	if err != nil {
		return "", err
	}
	if err := c.rowsAdded(ctx, count, 0); err != nil {
		return "", err
	}
	// And the next student is served as if nothing had been.
	if err := signIn(ctx, newVisitor(), c.w.board, newKakaoPerson("After All That")); err != nil {
		return "", fmt.Errorf("after all that: %w", err)
	}
	return fmt.Sprintf("%d wrong configurations, tokens, events, flags and requests: each was named", len(inputs)+pages), nil
}

func (c *checker) badConfigs(ctx context.Context) []badInput {
	pool := c.w.pool.ID()
	verifier := func(cfg sso.Config) func() error {
		return func() error { _, err := sso.NewVerifier(cfg); return err }
	}
	return []badInput{
		{"a verifier without configuration", verifier(sso.Config{}), sso.ErrConfig, "UserPoolID"},
		{"a pool id that is none", verifier(sso.Config{UserPoolID: "seoul", ClientIDs: []string{"a"}}), sso.ErrConfig, "UserPoolID"},
		{"a verifier without clients", verifier(sso.Config{UserPoolID: pool}), sso.ErrConfig, "ClientIDs"},
		{"a client without configuration", func() error {
			_, err := sso.NewClient(sso.ClientConfig{})
			return err
		}, sso.ErrConfig, "Verifier"},
		{"a login without configuration", func() error {
			client, err := sso.NewClient(c.w.pool.ClientConfig(c.w.board.clientID))
			if err != nil {
				return err
			}
			_, err = middleware.NewLogin(client, middleware.LoginConfig{})
			return err
		}, sso.ErrConfig, "BaseURL"},
		{"a bearer check without a verifier", func() error {
			_, err := middleware.NewBearer(nil, middleware.BearerConfig{})
			return err
		}, sso.ErrConfig, "Verifier"},
		{"triggers without configuration", func() error {
			_, err := lambda.NewTriggers(lambda.Config{})
			return err
		}, lambda.ErrConfig, "Users"},
		{"a user table without a file", func() error {
			_, err := sqlite.Open(ctx, "", sqlite.Config{})
			return err
		}, nil, "path"},
		{"a pool that others could reach", func() error {
			_, err := ssotest.Start(ssotest.Config{Addr: "0.0.0.0:0"})
			return err
		}, sso.ErrConfig, "Addr"},
		{"a flag that does not exist", commandLine("-no-such-flag"), nil, "no-such-flag"},
		{"a number that is none", commandLine("-check", "-users", "many"), nil, "users"},
		{"an address that others could reach", commandLine("-board", "0.0.0.0:80"), nil, "-board"},
	}
}

// commandLine runs this program with a bad command line: it must say what is
// wrong and exit with 2 before it starts anything.
func commandLine(args ...string) func() error {
	return func() error {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), args, &stdout, &stderr)
		if code != exitUsage || stdout.Len() > 0 {
			return fmt.Errorf("exit code %d and %d bytes on stdout", code, stdout.Len())
		}
		return errors.New(stderr.String())
	}
}

func (c *checker) badTokens(ctx context.Context) []badInput {
	v, err := sso.NewVerifier(c.w.pool.VerifierConfig(c.w.board.clientID))
	verify := func(raw string) func() error {
		return func() error {
			if err != nil {
				return err
			}
			_, err := v.VerifyAccess(ctx, raw)
			return err
		}
	}
	return []badInput{
		{"no token", verify(""), sso.ErrMissing, "no token"},
		{"a token that is none", verify("hello"), sso.ErrMalformed, "malformed"},
		{"a token of three empty parts", verify(".."), sso.ErrMalformed, "malformed"},
		{"a token of 100 kB", verify(strings.Repeat("a", 100_000)), sso.ErrTooLarge, "large"},
	}
}

func (c *checker) badEvents(ctx context.Context) []badInput {
	handle := func(event string) func() error {
		return func() error {
			_, err := c.w.trigger.Invoke(ctx, json.RawMessage(event))
			var public *lambda.PublicError
			if errors.As(err, &public) {
				return public.Cause // what the log says; the public text names nothing
			}
			return err
		}
	}
	const rest = `"region":"ap-northeast-2","userPoolId":"ap-northeast-2_x","userName":"u","request":{"userAttributes":{}},"response":{}`
	return []badInput{
		{"an event that is not JSON", handle(`{"triggerSource":`), lambda.ErrBadEvent, "bad event"},
		{"an event that is another kind of JSON", handle(`[]`), lambda.ErrBadEvent, "bad event"},
		{"an event without a source", handle(`{` + rest + `}`), lambda.ErrUnknownTrigger, "unknown trigger"},
		{"an unknown trigger", handle(`{"triggerSource":"PreLunch_Menu",` + rest + `}`), lambda.ErrUnknownTrigger, "unknown trigger"},
		{"a confirmation of nobody", handle(`{"triggerSource":"PostConfirmation_ConfirmSignUp",` + rest + `}`), lambda.ErrBadEvent, "no sub"},
	}
}

// badRequests sends wrong requests to the servers, as browsers and clients may.
func (c *checker) badRequests(ctx context.Context) (int, error) {
	board, pool := c.w.board.url, c.w.pool.URL()
	requests := []struct {
		name, address string
		status        int
		says          string
	}{
		{"a callback that nobody asked for", board + "/auth/callback?code=x&state=y", http.StatusBadRequest, "ign in"},
		{"a callback without anything", board + "/auth/callback", http.StatusBadRequest, "ign in"},
		{"an app client that is none", pool + "/oauth2/authorize?response_type=code&client_id=nobody&redirect_uri=" + board, http.StatusBadRequest, "Client does not exist"},
		{"a provider that is none", board + "/auth/login?identity_provider=Nobody", http.StatusBadRequest, ""},
	}
	for _, r := range requests {
		v := newVisitor()
		if err := v.open(ctx, r.address); err != nil {
			return 0, fmt.Errorf("%s: %w", r.name, err)
		}
		if v.page.status != r.status || !strings.Contains(v.page.body, r.says) || v.page.body == "" {
			return 0, fmt.Errorf("%s: status %d, want %d and a page that says %q", r.name, v.page.status, r.status, r.says)
		}
	}
	return len(requests), nil
}
