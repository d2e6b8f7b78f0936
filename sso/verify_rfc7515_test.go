package sso_test

import (
	"errors"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// The examples of RFC 7515, appendix A: every one is a good JWS, and none is a
// token of Cognito's. The signature of A.2 verifies (internal/jose has it).
func TestRFC7515Examples(t *testing.T) {
	t.Parallel()
	const joe = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	v, err := sso.NewVerifier(sso.Config{UserPoolID: "ap-northeast-2_AbCdEfGhI", ClientIDs: []string{"board"}, JWKS: []byte(poolKeys())})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, raw string
		want      error
	}{
		{"A.1 HS256", "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + joe + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", sso.ErrAlgorithm},
		{"A.2 RS256 without a kid", "eyJhbGciOiJSUzI1NiJ9." + joe + ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7", sso.ErrKeyID},
		{"A.3 ES256", "eyJhbGciOiJFUzI1NiJ9." + joe + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q", sso.ErrAlgorithm},
		{"A.4 ES512", "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn", sso.ErrAlgorithm},
		{"A.5 none, without a signature", "eyJhbGciOiJub25lIn0." + joe + ".", sso.ErrMalformed},
		{"A.5 none, with one", "eyJhbGciOiJub25lIn0." + joe + ".AAAA", sso.ErrAlgorithm},
		{"A.6 general JSON", `{"payload":"` + joe + `","signatures":[{"protected":"eyJhbGciOiJSUzI1NiJ9","header":{"kid":"2010-12-29"},"signature":"AAAA"}]}`, sso.ErrMalformed},
		{"A.7 flattened JSON", `{"payload":"` + joe + `","protected":"eyJhbGciOiJFUzI1NiJ9","header":{"kid":"e9bc097a"},"signature":"AAAA"}`, sso.ErrMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if tok, err := v.Verify(t.Context(), row.raw); !errors.Is(err, row.want) || tok.Subject != "" {
				t.Errorf("%v, want %v", err, row.want)
			}
		})
	}
}
