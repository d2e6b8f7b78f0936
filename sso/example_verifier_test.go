package sso_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// An API checks the access token of each request, and finds its user by the
// organisation's own id.
func ExampleNewVerifier() {
	v, err := sso.NewVerifier(sso.Config{
		UserPoolID: "ap-northeast-2_AbCdEfGhI",
		ClientIDs:  []string{"1example23456789"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	answer := func(ctx context.Context, raw string) (status int) {
		tok, err := v.VerifyAccess(ctx, raw)
		switch {
		case errors.Is(err, sso.ErrKeysUnavailable):
			return http.StatusServiceUnavailable // says nothing about the token
		case err != nil:
			return http.StatusUnauthorized // sso.ReasonOf(err) is for the metric
		}
		if _, err := tok.UserID.Int64(); err != nil || !tok.HasScope("api/read") {
			return http.StatusForbidden
		}
		return http.StatusOK
	}
	fmt.Println(answer(context.Background(), "not a token"))
	// Output: 401
}

// Every mistake of a configuration is reported at once.
func ExampleNewVerifier_mistakes() {
	_, err := sso.NewVerifier(sso.Config{UserPoolID: "us-east-1", MaxTokenSize: 1 << 20})
	fmt.Println(errors.Is(err, sso.ErrConfig))
	fmt.Println(err)
	// Output:
	// true
	// sso: invalid configuration: UserPoolID: is not <region>_<letters and digits> of at most 55 bytes, such as "ap-northeast-2_AbCdEfGhI"
	// sso: invalid configuration: ClientIDs: is empty; expected the id of each app client whose tokens are accepted
	// sso: invalid configuration: MaxTokenSize: is 1048576; expected 1 to 65536 bytes, or 0 for the default
}

// A pool in a region whose host is not amazonaws.com has its issuer given
// exactly.
func ExampleNewVerifier_issuers() {
	_, err := sso.NewVerifier(sso.Config{
		UserPoolID: "cn-north-1_AbCdEfGhI",
		ClientIDs:  []string{"1example23456789"},
		Issuers:    []string{"https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbCdEfGhI"},
	})
	fmt.Println(err)
	// Output: <nil>
}

// A refresh token sent to an API by mistake is named as such.
func ExampleVerifier_VerifyAccess_refreshToken() {
	v, err := sso.NewVerifier(sso.Config{UserPoolID: "ap-northeast-2_AbCdEfGhI", ClientIDs: []string{"1example23456789"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = v.VerifyAccess(context.Background(), "eyJjdHkiOiJKV1QifQ.QUJD.REVG.R0hJ.SktM")
	fmt.Println(sso.ReasonOf(err))
	fmt.Println(err)
	// Output:
	// malformed
	// sso: malformed token: five parts, which looks like a refresh token (or another encrypted token); an access or ID token has three
}
