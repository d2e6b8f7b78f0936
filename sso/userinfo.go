package sso

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// UserInfo is what Cognito says of a user now: the current attributes, not
// those of when a token was made.
type UserInfo struct {
	// Subject is the sub of the user.
	Subject string
	// Username is the pool's username. Do not parse it, and do not key on it.
	Username string
	// Email and PhoneNumber are "" if absent. They identify nobody.
	Email, PhoneNumber string
	// EmailVerified and PhoneNumberVerified are true only for true or "true":
	// Cognito answers these flags as strings here.
	EmailVerified, PhoneNumberVerified bool
	// Name is the name, "" if absent.
	Name string

	claims map[string]json.RawMessage
}

// Claim decodes one member of the answer into dst, as json.Unmarshal does, and
// reports whether there is one. It returns [ErrClaim] if it does not fit dst.
func (u UserInfo) Claim(name string, dst any) (bool, error) {
	raw, ok := u.claims[name]
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(raw, dst); err != nil {
		return true, ErrClaim // the text of err may quote the claim
	}
	return true, nil
}

// UserInfo asks Cognito about the user of an access token, which needs the
// scope openid. The token is verified first, and an answer about somebody else
// is [ErrTokenMismatch] (OpenID Connect Core 1.0 §5.3.4).
//
// [*AuthError] with Code "invalid_token" means that Cognito no longer honours
// the token: it was revoked, or its user signed out everywhere. Verifying
// alone cannot know that.
func (c *Client) UserInfo(ctx context.Context, access Secret) (UserInfo, error) {
	token, err := c.cfg.Verifier.VerifyAccess(ctx, access.Reveal())
	if err != nil {
		return UserInfo{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.cfg.Domain+"/oauth2/userInfo", nil)
	if err != nil {
		return UserInfo{}, endpointError(ctx, userInfoEndpoint, err)
	}
	req.Header.Set("Authorization", "Bearer "+access.Reveal())
	resp, err := c.tokenHTTP.Do(req)
	if err != nil {
		return UserInfo{}, endpointError(ctx, userInfoEndpoint, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body) // endpointTransport limited it
	if err != nil {
		return UserInfo{}, endpointError(ctx, userInfoEndpoint, err)
	}
	info, err := parseUserInfo(body)
	if err != nil {
		return UserInfo{}, err
	}
	if info.Subject != token.Subject {
		return UserInfo{}, fmt.Errorf("%w: userInfo is about another subject", ErrTokenMismatch)
	}
	return info, nil
}

func parseUserInfo(body []byte) (UserInfo, error) {
	info := UserInfo{}
	if err := json.Unmarshal(body, &info.claims); err != nil {
		return UserInfo{}, &EndpointError{Endpoint: userInfoEndpoint, Status: http.StatusOK, problem: "no usable answer"}
	}
	for _, member := range [...]struct {
		name string
		dst  any
	}{
		{"sub", &info.Subject},
		{"username", &info.Username},
		{"email", &info.Email},
		{"phone_number", &info.PhoneNumber},
		{"name", &info.Name},
	} {
		if _, err := info.Claim(member.name, member.dst); err != nil {
			return UserInfo{}, fmt.Errorf("%w: %s of userInfo", ErrClaim, member.name)
		}
	}
	info.EmailVerified = info.flag("email_verified")
	info.PhoneNumberVerified = info.flag("phone_number_verified")
	return info, nil
}

// flag reads a boolean that Cognito may send as a string. Everything but true
// and "true" is false.
func (u UserInfo) flag(name string) bool {
	switch string(u.claims[name]) {
	case `true`, `"true"`:
		return true
	}
	return false
}
