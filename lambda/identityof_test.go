package lambda_test

import (
	"errors"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// IdentityOf is the triggers' own rule: these rows are about its edges only.
func TestIdentityOf(t *testing.T) {
	t.Parallel()
	const kakao = `[{"userId":"7","providerName":"Kakao","primary":true}]`
	for name, tc := range map[string]struct {
		attributes map[string]string
		want       users.Identity
		err        error
	}{
		"federated": {map[string]string{"sub": "s", "identities": kakao, "cognito:user_status": "EXTERNAL_PROVIDER"},
			users.Identity{Sub: "s", Provider: "Kakao", Subject: "7"}, nil},
		"native with a linked account": {map[string]string{"sub": "s", "identities": kakao, "cognito:user_status": "CONFIRMED"}, users.Identity{Sub: "s"}, nil},
		"status forgotten":             {map[string]string{"sub": "s", "identities": kakao}, users.Identity{Sub: "s"}, lambda.ErrIdentity},
		"other provider": {map[string]string{"sub": "s", "identities": `[{"userId":"7","providerName":"Naver"}]`, "cognito:user_status": "EXTERNAL_PROVIDER"},
			users.Identity{Sub: "s"}, lambda.ErrProvider},
		"no sub":           {nil, users.Identity{}, lambda.ErrBadEvent},
		"quotes in a name": {map[string]string{"sub": "s", "name": `"\n`, "cognito:user_status": "CONFIRMED"}, users.Identity{Sub: "s", Name: `"\n`}, nil},
	} {
		got, err := lambda.IdentityOf(tc.attributes, []string{"Kakao", "Google"})
		if !errors.Is(err, tc.err) || got != tc.want {
			t.Errorf("%s: IdentityOf = %+v, %v", name, got, err)
		}
	}
}
