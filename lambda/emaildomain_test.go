package lambda_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda"
)

// signUp is a sign-up by way of Google with these attributes.
func signUp(t *testing.T, fixtureName, email, verified string) json.RawMessage {
	t.Helper()
	e := decode(t, fixture(t, fixtureName))
	e["request"].(map[string]any)["userAttributes"] = map[string]any{"email": email, "email_verified": verified}
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestAllowedEmailDomains(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		email string
		ok    bool
	}{
		"the domain":                       {"duri@ssu.ac.kr", true},
		"another case":                     {"Duri@SSU.ac.KR", true},
		"the second domain":                {"duri@xn--9d0b14m.xn--3e0b707e", true},
		"a plus and dots in the name":      {"du.ri+x@ssu.ac.kr", true},
		"a name that is not ASCII":         {"두리@ssu.ac.kr", true},
		"another domain":                   {"duri@example.test", false},
		"a subdomain":                      {"duri@mail.ssu.ac.kr", false},
		"a longer name":                    {"duri@notssu.ac.kr", false},
		"a suffix behind it":               {"duri@ssu.ac.kr.evil.test", false},
		"a dot behind it":                  {"duri@ssu.ac.kr.", false},
		"a dot before it":                  {"duri@.ssu.ac.kr", false},
		"a part of it":                     {"duri@ac.kr", false},
		"the domain in Unicode":            {"duri@숭실.한국", false},
		"a Kelvin sign for the k":          {"duri@ssu.ac.\u212ar", false},
		"a long s":                         {"duri@\u017fsu.ac.kr", false},
		"full-width letters":               {"duri@ｓｓｕ.ac.kr", false},
		"an ideographic full stop":         {"duri@ssu。ac。kr", false},
		"a soft hyphen":                    {"duri@ss\u00adu.ac.kr", false},
		"two at signs":                     {"duri@evil.test@ssu.ac.kr", false},
		"two at signs, the other way":      {"duri@ssu.ac.kr@evil.test", false},
		"a quoted name with an at sign":    {`"duri@evil.test"@ssu.ac.kr`, false},
		"a comment":                        {"duri@evil.test(@ssu.ac.kr)", false},
		"a comment in the name":            {"duri(x)@ssu.ac.kr", false},
		"a display name":                   {"Duri <duri@ssu.ac.kr>", false},
		"a list":                           {"duri@evil.test,duri@ssu.ac.kr", false},
		"a blank before the domain":        {"duri@ ssu.ac.kr", false},
		"a blank behind the domain":        {"duri@ssu.ac.kr ", false},
		"a line feed":                      {"duri@ssu.ac.kr\n", false},
		"a NUL":                            {"duri@ssu.ac.kr\x00.evil.test", false},
		"a route of old":                   {"evil.test!duri@ssu.ac.kr", true}, // "!" is an ordinary character: Cognito mails to ssu.ac.kr
		"no name":                          {"@ssu.ac.kr", false},
		"no domain":                        {"duri@", false},
		"no at sign":                       {"ssu.ac.kr", false},
		"no address":                       {"", false},
		"an address of numbers":            {"duri@[127.0.0.1]", false},
		"an empty label":                   {"duri@ssu..ac.kr", false},
		"a percent for the at, as of old":  {"duri%evil.test@ssu.ac.kr", true},
		"a zero-width joiner in the label": {"duri@ss\u200du.ac.kr", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *lambda.Config) { c.AllowedEmailDomains = []string{"SSU.ac.kr", "xn--9d0b14m.xn--3e0b707e"} })
			_, err := w.Handle(t.Context(), signUp(t, "presignup_external_google_verified", tc.email, "true"))
			if (err == nil) != tc.ok || (err != nil && !errors.Is(err, lambda.ErrEmailDomain)) {
				t.Fatalf("Handle: %v, want allowed %v", err, tc.ok)
			}
			if r := w.result(t); !tc.ok && (r.Outcome != lambda.OutcomeRefused || r.Reason != "email_domain") {
				t.Errorf("result = %+v", r)
			}
			wantNothingPersonal(t, "log", w.log.String())
		})
	}
}

// An address proves something only if the provider, not the person, vouches
// for it.
func TestEmailMustBeVerified(t *testing.T) {
	t.Parallel()
	const kakao, google = "presignup_external_kakao", "presignup_external_google_verified"
	const native, admin = "presignup_native_claims_verified", "presignup_admin_create"
	for name, tc := range map[string]struct {
		event, verified, email string
		change                 func(*lambda.Config)
		ok                     bool
	}{
		"verified":                                {google, "true", "a@ssu.ac.kr", nil, true},
		"unverified":                              {google, "false", "a@ssu.ac.kr", nil, false},
		"no word of it":                           {google, "", "a@ssu.ac.kr", nil, false},
		"another spelling":                        {google, "TRUE", "a@ssu.ac.kr", nil, false},
		"a number":                                {google, "1", "a@ssu.ac.kr", nil, false},
		"Kakao never verifies":                    {kakao, "false", "a@ssu.ac.kr", nil, false},
		"Kakao is exempt":                         {kakao, "false", "a@example.test", func(c *lambda.Config) { c.EmailDomainExempt = []string{"Kakao"} }, true},
		"Google is not exempt with Kakao":         {google, "true", "a@example.test", func(c *lambda.Config) { c.EmailDomainExempt = []string{"Kakao"} }, false},
		"opened: Kakao's word is taken":           {kakao, "false", "a@ssu.ac.kr", func(c *lambda.Config) { c.AllowUnverifiedEmailDomain = true }, true},
		"opened: the domain still counts":         {kakao, "false", "a@example.test", func(c *lambda.Config) { c.AllowUnverifiedEmailDomain = true }, false},
		"opened: no address":                      {kakao, "false", "", func(c *lambda.Config) { c.AllowUnverifiedEmailDomain = true }, false},
		"native: the sender's own flag is no use": {native, "true", "a@ssu.ac.kr", nil, false},
		"native: opened":                          {native, "false", "a@ssu.ac.kr", func(c *lambda.Config) { c.AllowUnverifiedEmailDomain = true }, true},
		"native: opened, another domain":          {native, "true", "a@example.test", func(c *lambda.Config) { c.AllowUnverifiedEmailDomain = true }, false},
		"native: Kakao's exemption is not its":    {native, "true", "a@ssu.ac.kr", func(c *lambda.Config) { c.EmailDomainExempt = []string{"Kakao", "Google"} }, false},
		"an administrator decides himself":        {admin, "false", "a@example.test", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *lambda.Config) {
				c.AllowedEmailDomains, c.AllowNativeSignUp = []string{"ssu.ac.kr"}, true
				if tc.change != nil {
					tc.change(c)
				}
			})
			if _, err := w.Handle(t.Context(), signUp(t, tc.event, tc.email, tc.verified)); (err == nil) != tc.ok ||
				(err != nil && !errors.Is(err, lambda.ErrEmailDomain)) {
				t.Fatalf("Handle: %v, want allowed %v", err, tc.ok)
			}
		})
	}
}

// A boolean in place of the text is not what Cognito sends; it proves nothing.
func TestEmailVerifiedIsText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *lambda.Config) { c.AllowedEmailDomains = []string{"example.test"} })
	in := changed(t, "presignup_external_google_verified", `"email_verified": "true"`, `"email_verified": true`)
	if _, err := w.Handle(t.Context(), in); !errors.Is(err, lambda.ErrEmailDomain) {
		t.Errorf("Handle: %v", err)
	}
}

// The flags are false in the answer, whatever the event says.
func TestPreSignUpFlags(t *testing.T) {
	t.Parallel()
	const flags = `{"autoConfirmUser":false,"autoVerifyEmail":false,"autoVerifyPhone":false}`
	for name, tc := range map[string]struct{ event, response, want string }{
		"as Cognito sends them": {"presignup_external_kakao", flags, flags},
		"true":                  {"presignup_external_kakao", `{"autoConfirmUser":true,"autoVerifyEmail":true,"autoVerifyPhone":true}`, flags},
		"null":                  {"presignup_native_null_maps", `{"autoConfirmUser":null,"autoVerifyEmail":"false"}`, flags},
		"none":                  {"presignup_native_null_maps", `{}`, flags},
		"with something new":    {"presignup_external_kakao", `{"autoVerifyEmail":true,"later":[1]}`, flags[:len(flags)-1] + `,"later":[1]}`},
		"AdminCreateUser: ignored by Cognito, so left as they are": {"presignup_admin_create", `{"autoConfirmUser":true}`, `{"autoConfirmUser":true}`},
	} {
		e := decode(t, fixture(t, tc.event))
		e["response"] = json.RawMessage(tc.response)
		in, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		out, err := newWorld(t, func(c *lambda.Config) { c.AllowNativeSignUp = true }).Handle(t.Context(), in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wantAnswer(t, in, out, tc.want)
	}
}
