package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// refusedCase is a token that an API must not accept.
type refusedCase struct{ name, token string }

// expectRefused makes sure that the API says 401 invalid_token to all of them.
func expectRefused(ctx context.Context, address string, cases []refusedCase) error {
	for _, x := range cases {
		res, body, err := callAPI(ctx, address, x.token)
		if err != nil {
			return err
		}
		if res.StatusCode != http.StatusUnauthorized {
			return fmt.Errorf("%s: answered %d, want 401", x.name, res.StatusCode)
		}
		if challenge := res.Header.Get("WWW-Authenticate"); !strings.Contains(challenge, `error="invalid_token"`) {
			return fmt.Errorf("%s: WWW-Authenticate is %q, want error=\"invalid_token\"", x.name, challenge)
		}
		if bytes.Contains(body, []byte(x.token)) {
			return fmt.Errorf("%s: the answer repeats the token", x.name)
		}
	}
	return nil
}

func expectAccepted(ctx context.Context, address, token string) error {
	res, _, err := callAPI(ctx, address, token)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("a good token was answered with %d, so a refusal would prove nothing", res.StatusCode)
	}
	return nil
}

// tamperedTokenRefused: a token of which anything was changed is nobody's.
func (c *checker) tamperedTokenRefused(ctx context.Context) (string, error) {
	t, err := c.takeTokens(ctx, newVisitor(), c.w.desk, newKakaoPerson("Tampered"))
	if err != nil {
		return "", err
	}
	api := c.w.desk.url + "/api/me"
	if err := expectAccepted(ctx, api, t.Access); err != nil {
		return "", err
	}
	cases, err := tampered(t.Access)
	if err != nil {
		return "", err
	}
	forged, err := c.foreignToken(t.Access)
	if err != nil {
		return "", err
	}
	cases = append(cases,
		refusedCase{"signed with the keys of another pool", forged},
		refusedCase{"an ID token where an access token is wanted", t.ID},
		refusedCase{"not a token", "not-a-token"},
	)
	if err := expectRefused(ctx, api, cases); err != nil {
		return "", err
	}
	if err := expectAccepted(ctx, api, t.Access); err != nil {
		return "", err
	}
	res, _, err := callAPI(ctx, api, "")
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusUnauthorized {
		return "", fmt.Errorf("no token at all was answered with %d, want 401", res.StatusCode)
	}
	return fmt.Sprintf("%d altered, forged and missing tokens got 401, the untouched one 200", len(cases)+1), nil
}

// tampered returns variations of a good token.
func tampered(good string) ([]refusedCase, error) {
	parts := strings.Split(good, ".")
	if len(parts) != 3 {
		return nil, errors.New("a token without three parts")
	}
	with := func(i int, part string) string {
		p := slices.Clone(parts)
		p[i] = part
		return strings.Join(p, ".")
	}
	var cases []refusedCase
	for i, name := range []string{"header", "payload", "signature"} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, err
		}
		for _, at := range []int{0, len(raw) / 2, len(raw) - 1} {
			b := slices.Clone(raw)
			b[at] ^= 1
			cases = append(cases, refusedCase{
				fmt.Sprintf("one bit of byte %d of the %s flipped", at, name),
				with(i, base64.RawURLEncoding.EncodeToString(b)),
			})
		}
	}
	m, err := claims(good)
	if err != nil {
		return nil, err
	}
	m["custom:userId"] = "1003" // somebody else's row
	payload, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	other := base64.RawURLEncoding.EncodeToString(payload)
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	return append(cases,
		refusedCase{"another userId under the old signature", with(1, other)},
		refusedCase{"alg none", none + "." + other + "."},
		refusedCase{"no signature", parts[0] + "." + parts[1] + "."},
	), nil
}

// foreignToken has every claim of a good token, signed by another pool that
// says it is ours.
func (c *checker) foreignToken(good string) (string, error) {
	other, err := ssotest.Start(ssotest.Config{ID: c.w.pool.ID(), Issuer: c.w.pool.Issuer()})
	if err != nil {
		return "", err
	}
	defer func() { _ = other.Close() }()
	m, err := claims(good)
	if err != nil {
		return "", err
	}
	return other.AccessToken(ssotest.Claims{Extra: m}), nil
}

// wrongClientRefused: a good token of the right pool is refused where it was
// made for another app.
func (c *checker) wrongClientRefused(ctx context.Context) (string, error) {
	who := newKakaoPerson("Wrong Client")
	board, err := c.takeTokens(ctx, newVisitor(), c.w.board, who)
	if err != nil {
		return "", err
	}
	desk, err := c.takeTokens(ctx, newVisitor(), c.w.desk, who)
	if err != nil {
		return "", err
	}
	kiosk, err := c.takeTokens(ctx, newVisitor(), c.w.kiosk, who)
	if err != nil {
		return "", err
	}
	api, deskOnly := c.w.desk.url+"/api/me", c.w.desk.url+"/api/guests"
	// The API for both apps takes both tokens; the one for the desk only its own.
	for _, good := range []struct{ address, token string }{{api, board.Access}, {api, desk.Access}, {deskOnly, desk.Access}} {
		if err := expectAccepted(ctx, good.address, good.token); err != nil {
			return "", fmt.Errorf("%s: %w", good.address, err)
		}
	}
	if err := expectRefused(ctx, deskOnly, []refusedCase{
		{"the board's token at the desk's own API", board.Access},
		{"the library kiosk's token at the desk's own API", kiosk.Access},
	}); err != nil {
		return "", err
	}
	if err := expectRefused(ctx, api, []refusedCase{
		{"the library kiosk's token at the API of both apps", kiosk.Access},
	}); err != nil {
		return "", err
	}
	return "the desk's own API refuses the board's token, and both refuse a third app's", nil
}
